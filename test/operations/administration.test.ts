import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RequestId, UserId } from '../../src/core/ids.ts';
import { approveUser } from '../../src/operations/approve-user.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { endRole } from '../../src/operations/end-role.ts';
import { mapGuest, unmapGuest } from '../../src/operations/map-guest.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { openRequest } from '../../src/operations/request-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, acme, addUser, changeSettings } from '../support/acme.ts';
import { operator, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
});
afterAll(() => world?.close());
beforeEach(async () => {
  await changeSettings(world, tenants.acme, { authorization: 'hybrid' });
  await changeSettings(world, tenants.labs, { mappingRevocation: 'next_refresh' });
});

let serial = 0;
async function person() {
  serial += 1;
  const userId = await addUser(world, tenants.acme, `p${serial}@acme.example`);
  const who = { tenantId: tenants.acme.tenantId, userId };
  return { userId, who, subject: { subjectId: userId, kind: 'user' as const, person: who } };
}
const stateOf = async (who: { tenantId: Acme['acme']['tenantId']; userId: UserId }) =>
  (await readAccess(world.context(), who, null))?.access.state;
const epochOf = async (userId: string) =>
  (
    await world.sql<{ epoch: number }>(`select access_epoch::int as epoch from subjects where subject_id = $1`, [
      userId,
    ])
  )[0]?.epoch;

test('taking the last role away is no suspension, and lifts none', async () => {
  const { who, subject } = await person();
  const ctx = world.context();
  await assignRole(ctx, tenants.acme, subject, 'Analytics: Viewer', operator);
  expect(await endRole(ctx, tenants.acme, subject, 'viewer', operator)).toEqual({
    kind: 'ended',
    role: 'Analytics: Viewer',
  });
  expect(await stateOf(who)).toBe('no_access');
  expect(await endRole(ctx, tenants.acme, subject, 'viewer', operator)).toMatchObject({ code: 'unknown_role' });
  await suspend(ctx, tenants.acme, subject, null);
  expect(await endRole(ctx, tenants.acme, subject, 'viewer', operator)).toMatchObject({ code: 'unknown_role' });
  expect(await stateOf(who)).toBe('suspended');
});

test('C2 where authorization is external roles are locked, but a suspended person can be let back in', async () => {
  const { who, subject } = await person();
  const ctx = world.context();
  await assignRole(ctx, tenants.acme, subject, 'Analytics: Viewer', operator);
  await changeSettings(world, tenants.acme, { authorization: 'external' });
  expect(await endRole(ctx, tenants.acme, subject, 'Analytics: Viewer', operator)).toMatchObject({
    code: 'roles_locked',
  });
  expect(await assignRole(ctx, tenants.acme, subject, 'Analytics: Editor', operator)).toMatchObject({
    code: 'roles_locked',
  });
  await suspend(ctx, tenants.acme, subject, null);
  expect(await assignRole(ctx, tenants.acme, subject, 'Analytics: Editor', operator)).toMatchObject({ lifted: true });
  expect((await readAccess(ctx, who, null))?.claims?.roles).toEqual(['Analytics: Editor']);
});

test('R46 T127 an approval ends the waiting, answers the request, gives no role and lifts no suspension', async () => {
  const { userId, who, subject } = await person();
  const ctx = world.context();
  await world.sql(`update users set approval = 'pending' where user_id = $1`, [userId]);
  await world.sql(
    `insert into access_requests (tenant_id, request_id, kind, email, subject_id) values ($1, $2, 'sso_signup', 'x', $3)`,
    [who.tenantId, ctx.newId<RequestId>(), userId],
  );
  await suspend(ctx, tenants.acme, subject, null);
  expect(await stateOf(who)).toBe('pending');
  expect(await approveUser(ctx, tenants.acme, subject, operator)).toEqual({ kind: 'approved', already: false });
  expect(await stateOf(who)).toBe('suspended');
  expect(await openRequest(ctx, who, null)).toBeNull();
  expect(await approveUser(ctx, tenants.acme, subject, operator)).toEqual({ kind: 'approved', already: true });
});

test('C24 the end of a mapping waits for the next refresh, or ends the person’s sessions at once where the target says so', async () => {
  const ctx = world.context();
  const { userId, who } = await person();
  const gift = { roles: ['Analytics: Viewer'], groups: [] };
  await mapGuest(ctx, tenants.labs, who, gift, operator);
  const before = await epochOf(userId);
  await unmapGuest(ctx, tenants.labs, who, operator);
  expect(await epochOf(userId)).toBe(before);
  await changeSettings(world, tenants.labs, { mappingRevocation: 'immediate' });
  await mapGuest(ctx, tenants.labs, who, gift, operator);
  await unmapGuest(ctx, tenants.labs, who, operator);
  expect(await epochOf(userId)).toBe((before ?? 0) + 1);
});
