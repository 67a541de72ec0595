import { expect, test } from 'vitest';
import { readConfigInForce } from '../../src/store/config-in-force.ts';
import { loadTenantsInForce } from '../../src/store/tenants-in-force.ts';
import { bringIntoForce, configFolder, tenantIdOf, withSystemTenant } from '../support/config.ts';
import { testWorld } from '../support/world.ts';

test('a connection is the same whole value whether one tenant’s configuration is read or that of all', async () => {
  const world = await testWorld();
  const folder = configFolder();
  try {
    await withSystemTenant(world);
    folder.write({
      acme: `tenant: acme
name: Acme
connections:
  okta:
    scim: true
    domains: [acme.example]
    directory: { guard: { people: 7 }, requestLog: { days: 3 } }
  keycloak:
    oidc: { issuer: "https://id.acme.example", clientId: drawbridge }
`,
    });
    await bringIntoForce(world, folder);
    const tenantId = await tenantIdOf(world, 'acme');
    const database = world.database;
    const one = await readConfigInForce(database.hot(tenantId));
    const all = await database.transaction(tenantId, (tx) => loadTenantsInForce(tx));
    const connections = all
      .find((tenant) => tenant.slug === 'acme')
      ?.connections.map(({ managedBy: _, ...connection }) => connection);
    expect(one?.connections.toSorted((a, b) => a.key.localeCompare(b.key))).toEqual(
      connections?.toSorted((a, b) => a.key.localeCompare(b.key)),
    );
    expect(one?.connections.find(({ key }) => key === 'okta')?.directory).toMatchObject({
      guard: { people: 7 },
      requestLog: { days: 3, bodyHours: 0 },
      schemas: [],
    });
  } finally {
    await world.close();
    folder.remove();
  }
});
