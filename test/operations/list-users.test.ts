import { afterEach, beforeEach, expect, test } from 'vitest';
import { assignRole } from '../../src/operations/assign-role.ts';
import { listUsers, type UserRow } from '../../src/operations/list-users.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, acme, addUser } from '../support/acme.ts';
import { operator, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
beforeEach(async () => {
  world = await testWorld();
  tenants = await acme(world);
});
afterEach(() => world?.close());

const all = async (tenant: Acme['acme']) => {
  const rows: UserRow[] = [];
  for await (const row of listUsers(world.context(), tenant)) rows.push(row);
  return rows;
};

test('R79 the list shows users and guests with the access that a token would be made from', async () => {
  const ctx = world.context();
  const people = ['ada@acme.example', 'bob@acme.example', 'cyd@acme.example'];
  const ids = await Promise.all(people.map((email) => addUser(world, tenants.acme, email)));
  const subjects = ids.map((userId) => ({
    subjectId: userId,
    kind: 'user' as const,
    person: { tenantId: tenants.acme.tenantId, userId },
  }));
  const [ada, bob] = subjects;
  if (ada === undefined || bob === undefined) throw new Error('nobody');
  await assignRole(ctx, tenants.acme, ada, 'Analytics: Viewer', operator);
  await mapGuest(ctx, tenants.labs, ada.person, { roles: ['Analytics: Editor'], groups: [] }, operator);
  await mapGuest(ctx, tenants.labs, bob.person, { roles: ['Analytics: Editor'], groups: [] }, operator);
  await suspend(ctx, tenants.acme, bob, null);

  const home = await all(tenants.acme);
  expect(home.map((row) => [row.email, row.access.state]).sort()).toEqual([
    ['ada@acme.example', 'active'],
    ['bob@acme.example', 'suspended'],
    ['cyd@acme.example', 'no_access'],
  ]);
  const labs = await all(tenants.labs);
  expect(labs.map((row) => [row.kind, row.homeTenant, row.email, row.access.state]).sort()).toEqual([
    ['guest', 'acme', 'ada@acme.example', 'active'],
    ['guest', 'acme', 'bob@acme.example', 'suspended'],
  ]);
  for (const [tenant, rows] of [
    [null, home],
    [tenants.labs.slug, labs],
  ] as const) {
    for (const row of rows) {
      const read = await readAccess(ctx, { tenantId: tenants.acme.tenantId, userId: row.userId }, tenant);
      expect([row.access, row.bars]).toEqual([read?.access, read?.bars]);
    }
  }
  expect(await all(tenants.globex)).toEqual([]);
});
