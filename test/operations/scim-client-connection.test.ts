// What a file ends, seen from a directory's OAuth client: the real plan and apply.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TenantSlug } from '../../src/core/ids.ts';
import { formatScimAccessToken, parseScimClientId } from '../../src/core/scim-client.ts';
import { authenticateDirectory } from '../../src/operations/authenticate-directory.ts';
import { createScimClient } from '../../src/operations/create-scim-client.ts';
import { findScimClient } from '../../src/operations/find-scim-client.ts';
import { keepArtifact } from '../../src/operations/keep-artifact.ts';
import { bringIntoForce, type ConfigFolder, configFolder, tenantIdOf, withSystemTenant } from '../support/config.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let folder: ConfigFolder;
beforeAll(async () => {
  world = await testWorld();
  folder = configFolder();
  await withSystemTenant(world);
});
afterAll(async () => {
  await world?.close();
  folder?.remove();
});

const file = (more: string) => `tenant: acme\nname: Acme\n${more}`;
const WITH = 'connections: { okta: { scim: true } }\n';

async function inForce(more: string) {
  folder.write({ acme: file(more) });
  expect((await bringIntoForce(world, folder)).kind).toBe('applied');
}

const OIDC = '{ issuer: https://idp.example, clientId: a, clientSecret: { env: NOBODY_SET_THIS } }';

test.each([
  ['the connection is taken out', '', false],
  ['the connection is SCIM’s no more', `connections: { okta: { oidc: ${OIDC} } }\n`, true],
  ['the connection is switched off', 'connections: { okta: { scim: true, enabled: false } }\n', true],
  ['the tenant is switched off', `active: false\n${WITH}`, true],
])('a client and its tokens are nobody’s once %s; only what was switched off comes back', async (_what, more, back) => {
  await inForce(WITH);
  const tenant = { tenantId: await tenantIdOf(world, 'acme'), slug: 'acme' as TenantSlug };
  const made = await createScimClient(world.context(), tenant, 'okta', null);
  if (made.kind === 'refused') throw new Error(made.message);
  const token = formatScimAccessToken(randomBytes(32).toString('base64url'));
  const kept = await keepArtifact(world.context(), {
    model: 'ClientCredentials',
    id: token,
    payload: {},
    holder: null,
    grantId: null,
    sessionUid: null,
    sessionBound: false,
    clientId: made.clientId,
    ttlSeconds: 60,
    replaces: null,
  });
  const key = parseScimClientId(made.clientId);
  if (!kept || key === null) throw new Error('no token');
  const usable = async () => [
    (await findScimClient(world.context(), key)) !== undefined,
    (await authenticateDirectory(world.context(), { tenant: 'acme', connection: 'okta' }, token)) !== null,
  ];
  expect(await usable()).toEqual([true, true]);
  await inForce(more);
  expect(await usable()).toEqual([false, false]);
  await inForce(`active: true\n${WITH}`);
  expect(await usable()).toEqual([back, back]);
  await world.sql('update scim_credentials set ended_at = now() where ended_at is null');
});
