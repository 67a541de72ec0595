// Who is told that somebody asks for access: those who can let them in, at that moment.

import { randomUUID } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { requestAccess } from '../../src/operations/request-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, addRule, addUser, touchConfig } from '../support/acme.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import { operator, type TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
// A stage for each: who administers the tenant is what they are about.
beforeEach(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta } = stage);
  return stage.close;
});

let serial = 0;
const subjectOf = (userId: UserId) =>
  ({ subjectId: userId, kind: 'user', person: { tenantId: tenants.acme.tenantId, userId } }) as const;
const person = (name: string) => addUser(world, tenants.acme, `${name}@acme.example`);
async function administrator(name: string): Promise<UserId> {
  const userId = await person(name);
  await assignRole(world.context(), tenants.acme, subjectOf(userId), 'Admin', operator);
  return userId;
}
/** Somebody without access asks for it; who is mailed. */
async function toldOfRequest(): Promise<readonly string[]> {
  serial += 1;
  const userId = await person(`asker${serial}`);
  world.takeStatements();
  const asked = await requestAccess(world.context(), subjectOf(userId).person, null, null);
  expect(asked).toEqual({ kind: 'requested', again: false });
  const mails = await world.sql<{ to: string }>(
    `select payload ->> 'to' as to from graphile_worker._private_jobs where payload ->> 'template' = 'access_requested'`,
  );
  return mails.map(({ to }) => to.split('@')[0] ?? '').sort();
}

test('R37 holders of CreateUser are told, whether by a grant, by a group of a directory, of a sign-in or of the tenant itself', async () => {
  const role = tenants.role(tenants.acme, 'Admin');
  await administrator('granted');
  await addRule(world, tenants.acme, { connection: tenants.okta, kind: 'name', value: 'Desk', role });
  const { id } = (await okta.post('/Users', userBody('pushed'))).body;
  await okta.post('/Groups', { displayName: 'Desk', members: [{ value: id }] });
  await addRule(world, tenants.acme, { connection: tenants.entra, kind: 'id', value: 'desk', role });
  await world.sql(
    `insert into asserted_groups (tenant_id, user_id, connection_id, value) values ($1, $2, $3, 'desk')`,
    [tenants.acme.tenantId, await person('asserted'), tenants.entra],
  );
  const [local] = await world.sql<{ id: string }>(
    `insert into local_groups (tenant_id, local_group_id, name) values ($1, gen_random_uuid(), 'Local desk') returning local_group_id as id`,
    [tenants.acme.tenantId],
  );
  await world.sql(
    `insert into local_group_members (tenant_id, membership_id, local_group_id, subject_id) values ($1, $2, $3, $4)`,
    [tenants.acme.tenantId, randomUUID(), local?.id, await person('local')],
  );
  await world.sql(
    `insert into mapping_rules (tenant_id, rule_id, key, match_kind, match_value, role_id) values ($1, gen_random_uuid(), 'local', 'local', 'Local desk', $2)`,
    [tenants.acme.tenantId, role],
  );
  await touchConfig(world);
  expect(await toldOfRequest()).toEqual(['asserted', 'granted', 'local', 'pushed']);
});

test('R37 R38 nobody else: who opted out, who is suspended, and who holds no such role', async () => {
  await administrator('told');
  const before = await toldOfRequest();
  expect(before).toEqual(['told']);
  const out = await administrator('opted-out');
  await world.sql(
    `insert into preferences (tenant_id, user_id, name, value) values ($1, $2, 'new_access_request', 'false')`,
    [tenants.acme.tenantId, out],
  );
  await suspend(world.context(), tenants.acme, subjectOf(await administrator('barred')), null);
  await assignRole(world.context(), tenants.acme, subjectOf(await person('editor')), 'Editor', operator);
  await world.sql('delete from graphile_worker._private_jobs');
  expect(await toldOfRequest()).toEqual(before);
});

test('R39 R40 a second request of the same person replaces the message of the first, and tells nobody again', async () => {
  await administrator('told-once');
  const { person: who } = subjectOf(await person('insistent'));
  const ask = (message: string) => requestAccess(world.context(), who, null, message);
  expect(await ask('please')).toEqual({ kind: 'requested', again: false });
  const mails = () => world.sql('select 1 from graphile_worker._private_jobs');
  const told = (await mails()).length;
  expect(told).toBeGreaterThan(0);
  expect(await ask('now')).toEqual({ kind: 'requested', again: true });
  expect(await world.sql('select message from access_requests where subject_id = $1', [who.userId])).toEqual([
    { message: 'now' },
  ]);
  expect(await mails()).toHaveLength(told);
});

test('they are looked at together: one more of them costs no statement more', async () => {
  const statements = async () => {
    await toldOfRequest();
    return world.takeStatements().filter((name) => name === 'plan_some_subjects' || name === 'subject_read').length;
  };
  await administrator('the-first');
  const before = await statements();
  await administrator('one-more');
  expect(await statements()).toBe(before);
});
