// Configuration against pushes and sign-ins that happen at the same time.

import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Directory } from '../../src/core/directory.ts';
import { defaultDirectorySettings } from '../../src/core/directory-settings.ts';
import type { CredentialId, Person, TenantId, TenantSlug } from '../../src/core/ids.ts';
import { viewInForce } from '../../src/core/plan.ts';
import { type AccessDifference, accessDifference, accessUnder, isClosed } from '../../src/core/plan-access.ts';
import { applyConfig } from '../../src/operations/apply-config.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { createScimCredential } from '../../src/operations/create-scim-credential.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { deriveChanges, planConfig } from '../../src/operations/plan-config.ts';
import { createDirectoryGroup } from '../../src/operations/provision-group.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { readPlanSubjects } from '../../src/store/plan-subjects.ts';
import { loadTenantsInForce } from '../../src/store/tenants-in-force.ts';
import { addUser } from '../support/acme.ts';
import {
  bringIntoForce,
  type ConfigFolder,
  configFolder,
  connectionIdOf,
  planned,
  pushGroup,
  pushUser,
  tenantIdOf,
  withSystemTenant,
} from '../support/config.ts';
import { operator, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let folder: ConfigFolder;
beforeEach(async () => {
  world = await testWorld();
  folder = configFolder();
  await withSystemTenant(world);
});
afterEach(async () => {
  await world.close();
  folder.remove();
});

const acme = (rules: readonly string[], more = '') => `
tenant: acme
name: Acme
workspaces: { Analytics: { roles: { Viewer: {}, Editor: {} } } }
connections: { okta: { scim: true }, spare: { scim: true } }
rules: [${rules.join(', ')}]
${more}`;
const rule = (name: string) => `{ connection: okta, group: { name: ${name} }, role: "Analytics: Viewer" }`;

async function directory(): Promise<Directory> {
  const tenantId = await tenantIdOf(world, 'acme');
  const made = await createScimCredential(world.context(), { tenantId, slug: 'acme' as TenantSlug }, 'okta', null);
  if (made.kind === 'refused') throw new Error(made.message);
  const [row] = await world.sql<{ credential_id: CredentialId }>(
    'select credential_id from scim_credentials where ended_at is null',
  );
  if (row === undefined) throw new Error('no credential');
  const connectionId = await connectionIdOf(world, 'acme', 'okta');
  return {
    tenantId,
    tenant: 'acme' as TenantSlug,
    connectionId,
    connectionKey: 'okta',
    credentialId: row.credential_id,
    settings: defaultDirectorySettings,
  };
}

test('a group pushed while its rule comes into force is bound to it, whichever is first', async () => {
  folder.write({ acme: acme([]) });
  await bringIntoForce(world, folder);
  const pushes = await directory();
  const rules: string[] = [];
  for (let round = 0; round < 12; round += 1) {
    const name = `Group ${round}`;
    rules.push(rule(name));
    folder.write({ acme: acme(rules) });
    const wanted = await folder.read();
    const { digest } = await planned(world, folder);
    const [applied, pushed] = await Promise.all([
      applyConfig(world.context(), wanted, digest),
      createDirectoryGroup(world.context(), pushes, { displayName: name, externalId: null }, []),
    ]);
    expect(pushed.kind).toBe('done');
    if (applied.kind === 'refused') await bringIntoForce(world, folder);
    const bound = await world.sql(
      `select 1 from rule_bindings b join directory_groups g using (tenant_id, group_id) where g.display_name = $1 and b.state = 'bound'`,
      [name],
    );
    expect(bound, `round ${round}: ${applied.kind}`).toHaveLength(1);
  }
});

/** People of every kind in acme, with a rule and with roles in a tenant below. How many they are. */
async function everyKindOfPeople(): Promise<number> {
  const labs =
    'tenant: acme-labs\nname: Labs\nparent: acme\nworkspaces: { Lab: { roles: { Reader: {} } } }\nrules: [{ group: { local: TenantOwners }, role: "Lab: Reader" }]\n';
  folder.write({ acme: acme([rule('Staff')], 'authorization: hybrid'), 'acme-labs': labs });
  await bringIntoForce(world, folder);
  const tenantId = await tenantIdOf(world, 'acme');
  const tenant = { tenantId, slug: 'acme' as TenantSlug };
  const target = { tenantId: await tenantIdOf(world, 'acme-labs'), slug: 'acme-labs' as TenantSlug };
  const staff = await pushGroup(world, 'acme', 'okta', 'Staff');
  await world.sql(
    `insert into rule_bindings (tenant_id, rule_id, group_id, state) select tenant_id, rule_id, $1, 'bound' from mapping_rules where match_value = 'Staff'`,
    [staff],
  );
  const subject = (userId: Person['userId']) => ({
    subjectId: userId,
    kind: 'user' as const,
    person: { tenantId, userId },
  });
  const people: Person['userId'][] = [];
  for (const [index, active] of [true, true, false, true].entries())
    people.push(await pushUser(world, 'acme', 'okta', `p${index}@acme.example`, [staff], active));
  people.push(await pushUser(world, 'acme', 'spare', 'spare@acme.example', []));
  people.push(await addUser(world, tenant, 'plain@acme.example'));
  const [first, second, barred, , spare, plain] = people;
  if (!first || !second || !barred || !spare || !plain) throw new Error('nobody');
  await assignRole(world.context(), tenant, subject(plain), 'Editor', operator);
  await suspend(world.context(), tenant, subject(second), null);
  await world.sql(
    `insert into asserted_groups (tenant_id, user_id, connection_id, value) values ($1, $2, $3, 'Staff')`,
    [tenantId, plain, await connectionIdOf(world, 'acme', 'okta')],
  );
  for (const userId of [first, plain])
    await mapGuest(world.context(), target, { tenantId, userId }, { roles: [], groups: ['TenantOwners'] }, operator);
  await mapGuest(world.context(), target, { tenantId, userId: spare }, { roles: ['Reader'], groups: [] }, operator);
  await suspend(world.context(), target, await guestOf(target.tenantId, plain), null);
  await world.sql(`update users set admin_active = false where user_id = $1`, [spare]);
  return people.length;
}

test('what a plan derives for a subject is what their token is made from', async () => {
  const people = await everyKindOfPeople();
  const inForce = async (change: string) => {
    await world.sql(change);
    await world.sql(`update tenants set config_version = nextval('config_versions')`);
    return loadTenantsInForce(world.database.global);
  };
  const changes = [
    'select 1',
    `update connections set scim_held = true where key = 'okta'`,
    `update connections set scim_held = false, enabled = false where key = 'okta'`,
    `update connections set enabled = true; update tenants set settings = settings || '{"authorization":"internal"}' where slug = 'acme'`,
    `update tenants set settings = settings || '{"authorization":"external"}' where slug = 'acme'`,
    `update tenants set settings = settings || '{"authorization":"hybrid","initialAccess":"none"}' where slug = 'acme'`,
  ];
  for (const change of changes) {
    let seen = 0;
    for (const one of (await inForce(change)).filter(({ slug }) => slug !== 'system')) {
      for await (const subjects of readPlanSubjects(world.database.hot(one.tenantId), null)) {
        for (const record of subjects) {
          const userId =
            record.kind === 'user' ? (record.subjectId as Person['userId']) : await homeOf(record.subjectId);
          const token = await readAccess(
            world.context(),
            { tenantId: record.homeTenantId, userId },
            record.kind === 'user' ? null : one.slug,
          );
          const derived = accessUnder(record, viewInForce(one), {
            goneConnections: new Set(),
            heldConnections: new Map(),
            closedTenants: new Set(),
          });
          expect(derived, `${record.name} after ${change}`).toEqual(token?.access);
          seen += 1;
        }
      }
    }
    expect(seen).toBe(people + 3);
  }
});

async function homeOf(guestId: string): Promise<Person['userId']> {
  const [row] = await world.sql<{ id: Person['userId'] }>(
    'select source_user_id as id from guests where guest_id = $1',
    [guestId],
  );
  if (row === undefined) throw new Error('no guest');
  return row.id;
}

async function guestOf(tenantId: TenantId, userId: Person['userId']) {
  const [row] = await world.sql<{ id: Person['userId'] }>(
    'select guest_id as id from guests where tenant_id = $1 and source_user_id = $2',
    [tenantId, userId],
  );
  if (row === undefined) throw new Error('no guest');
  return { subjectId: row.id, kind: 'guest' as const, person: { tenantId: await tenantIdOf(world, 'acme'), userId } };
}

test('a plan looks at nobody in vain and misses nobody: what it tells is what a look at everybody tells', async () => {
  // Under rules of every kind.
  await everyKindOfPeople();
  const held = ['Staff', 'Local', 'Ext', 'Pre-1'];
  const groups = new Map<string, string>();
  for (const name of held) groups.set(name, await pushGroup(world, 'acme', 'okta', `${name} group`));
  for (const [name, id] of groups)
    for (let n = 0; n < 3; n += 1)
      await pushUser(world, 'acme', 'okta', `${name}${n}@acme.example`.toLowerCase(), [id]);
  const tenantId = await tenantIdOf(world, 'acme');
  await world.sql(
    `insert into local_group_members (tenant_id, membership_id, local_group_id, subject_id)
    select g.tenant_id, gen_random_uuid(), g.local_group_id, u.user_id from local_groups g join users u using (tenant_id)
    where g.tenant_id = $1 and u.email in ('local0@acme.example', 'ext1@acme.example')`,
    [tenantId],
  );
  await world.sql(
    `insert into asserted_groups (tenant_id, user_id, connection_id, value)
    select tenant_id, user_id, $2, 'claimed-x' from users where tenant_id = $1 and email = 'plain@acme.example'`,
    [tenantId, await connectionIdOf(world, 'acme', 'spare')],
  );
  const on = (connection: string, group: string, role: string) =>
    `{ connection: ${connection}, group: ${group}, role: "Analytics: ${role}" }`;
  const states = [
    [],
    [on('okta', '{ name: Staff group }', 'Viewer')],
    [on('okta', '{ name: Staff group }', 'Editor'), `{ group: { local: tenantowners }, role: "Analytics: Viewer" }`],
    [
      on('okta', `{ id: "ext-${groups.get('Ext')}" }`, 'Viewer'),
      on('okta', `{ id: "${groups.get('Local')}" }`, 'Editor'),
    ],
    [
      on('okta', '{ prefix: pre-, allowNewGroups: true }', 'Editor'),
      on('spare', '{ prefix: claimed, allowNewGroups: true }', 'Viewer'),
    ],
    [
      on('spare', '{ name: claimed-x }', 'Editor'),
      `{ name: one, connection: okta, group: { name: Staff group }, role: "Analytics: Viewer" }`,
    ],
    [`{ name: one, connection: okta, group: { name: Staff group }, role: "Analytics: Editor" }`],
  ];
  let told = 0;
  const files = [
    ...states.map((rules) => acme(rules)),
    acme([], 'authorization: external'),
    acme([on('okta', '{ name: Staff group }', 'Viewer')]).replace(
      'okta: { scim: true }',
      'okta: { scim: true, scimHeld: true }',
    ),
    acme([], '').replace(', Editor: {}', ''),
    acme([], '').replace(', spare: { scim: true }', ''),
    acme([], 'active: false'),
  ];
  for (const file of files) {
    folder.write({ acme: file });
    const wanted = await folder.read();
    const plan = await planned(world, folder);
    const derived = await deriveChanges(world.database.hot(tenantId), wanted);
    if (derived.kind === 'impossible') throw new Error('impossible');
    const gone = new Set(
      derived.changes.flatMap((change) => (change.kind === 'remove_connection' ? [change.connectionId] : [])),
    );
    const held = new Map(
      derived.changes.flatMap((change) =>
        change.kind === 'change_connection' ? [[change.connectionId, change.to.scimHeld] as const] : [],
      ),
    );
    const closed = new Set(wanted.some((one) => one.slug === 'acme' && !one.active) ? [tenantId] : []);
    const nothing = { goneConnections: new Set<never>(), heldConnections: new Map(), closedTenants: new Set<never>() };
    const around = { goneConnections: gone, heldConnections: held, closedTenants: closed };
    const all = [];
    for (const one of derived.tenants) {
      if (one.tenantId === null || one.before === null) continue;
      for await (const subjects of readPlanSubjects(world.database.hot(one.tenantId), null)) {
        for (const subject of subjects) {
          const before = accessUnder(subject, one.before, nothing);
          const after = accessUnder(subject, one.after, around);
          const closes = isClosed(subject, one.after, around);
          const difference = accessDifference(one.slug, subject, before, after, closes);
          if (difference !== null) all.push(difference);
        }
      }
    }
    const byPlace = (list: readonly AccessDifference[]) =>
      [...list].sort((a, b) => (`${a.tenant}${a.subject.id}` < `${b.tenant}${b.subject.id}` ? -1 : 1));
    expect(byPlace(plan.differences)).toEqual(byPlace(all));
    told += all.length;
    await bringIntoForce(world, folder);
  }
  expect(told).toBeGreaterThan(40);
});

test('a plan writes nothing and holds nobody up: the database refuses a write in its transaction', async () => {
  folder.write({ acme: acme([]) });
  world.takeStatements();
  await planConfig(world.context(), await folder.read());
  expect(world.takeStatements()).toContain('set transaction isolation level repeatable read, read only');
});
