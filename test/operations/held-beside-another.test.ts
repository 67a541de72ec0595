// A held directory beside one that counts: what it says of people lets nobody in whom the other one keeps out, nor keeps them in.

import { afterEach, beforeAll, expect, test } from 'vitest';
import type { TenantSlug, UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { applyHold, planHold } from '../../src/operations/hold-directory.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { planResume } from '../../src/operations/plan-resume.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { resumeDirectory } from '../../src/operations/resume-directory.ts';
import { type Acme, addUser, touchConfig } from '../support/acme.ts';
import { type DirectoryClient, directoryClient, scimServer, userBody } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import { operator, type TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
/** Of the same tenant and the same domain; held. */
let entra: DirectoryClient;
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta, entra } = stage);
  await hold(true);
  return stage.close;
});
afterEach(() => hold(true));

async function hold(held: boolean): Promise<void> {
  await world.sql('update connections set scim_held = $2 where connection_id = $1', [tenants.entra, held]);
  await touchConfig(world);
}

let serial = 0;
const fresh = () => `beside${++serial}`;
const off = { op: 'replace', path: 'active', value: false };
const on = { op: 'replace', path: 'active', value: true };
const subjectOf = (userId: UserId) =>
  ({ subjectId: userId, kind: 'user', person: { tenantId: tenants.acme.tenantId, userId } }) as const;
const stateOf = async (userId: UserId, tenant: TenantSlug | null = null) =>
  (await readAccess(world.context(), { tenantId: tenants.acme.tenantId, userId }, tenant))?.access.state;
const epochOf = async (userId: UserId) =>
  (await world.sql<{ access_epoch: number }>('select access_epoch from subjects where subject_id = $1', [userId]))[0]
    ?.access_epoch;

/** Pushed by okta, with a role that an administrator gave. */
async function colleague(name = fresh()): Promise<{ id: string; userId: UserId; name: string }> {
  const { body, status } = await okta.post('/Users', userBody(name));
  expect(status).toBe(201);
  const [row] = await world.sql<{ user_id: UserId }>(
    'select user_id from directory_users where directory_user_id = $1',
    [body.id],
  );
  const userId = row?.user_id as UserId;
  expect(
    await assignRole(world.context(), tenants.acme, subjectOf(userId), 'Analytics: Viewer', operator),
  ).toMatchObject({ kind: 'assigned' });
  expect(await stateOf(userId)).toBe('active');
  return { id: body.id, userId, name };
}

test.each([
  ['DELETE', (id: string) => okta.delete(`/Users/${id}`)],
  ['active false', (id: string) => okta.patch(`/Users/${id}`, off)],
])(
  'T58 whom it knows as active leaves all the same by the other one’s %s, and their sessions end',
  async (_, leave) => {
    const { id, userId, name } = await colleague();
    expect((await entra.post('/Users', userBody(name))).status).toBe(201);
    const epoch = (await epochOf(userId)) as number;
    expect((await leave(id)).status).toBeLessThan(300);
    expect([await stateOf(userId), await epochOf(userId)]).toEqual(['deactivated', epoch + 1]);
  },
);

test('T117 whom the other one keeps out stays out, whatever it pushes: a POST, active false and true, DELETE and POST', async () => {
  const { id, userId, name } = await colleague();
  await okta.patch(`/Users/${id}`, off);
  const pushed = await entra.post('/Users', userBody(name));
  expect([pushed.status, await stateOf(userId)]).toEqual([201, 'deactivated']);
  for (const switched of [off, on]) {
    expect((await entra.patch(`/Users/${pushed.body.id}`, switched)).status).toBe(200);
    expect(await stateOf(userId)).toBe('deactivated');
  }
  await entra.delete(`/Users/${pushed.body.id}`);
  expect((await entra.post('/Users', userBody(name))).status).toBe(201);
  expect(await stateOf(userId)).toBe('deactivated');
});

test('the failing twin: activated, it lets in whom it has active, and its plan says so, of guests elsewhere too', async () => {
  const { id, userId, name } = await colleague();
  expect((await entra.post('/Users', userBody(name))).status).toBe(201);
  const { person } = subjectOf(userId);
  const gift = { roles: ['Analytics: Viewer'], groups: [] };
  expect(await mapGuest(world.context(), tenants.labs, person, gift, operator)).toMatchObject({ kind: 'mapped' });
  await okta.delete(`/Users/${id}`);
  expect([await stateOf(userId), await stateOf(userId, tenants.labs.slug)]).toEqual(['deactivated', 'deactivated']);
  const plan = await planHold(world.context(), tenants.acme, 'entra', false);
  if (plan.kind === 'refused') throw new Error(plan.message);
  const told = plan.differences.filter((one) => one.subject.name === `${name}@acme.example`);
  expect(told.map(({ tenant, before, after, gains }) => [tenant, before, after, gains.map((one) => one.role)])).toEqual(
    [
      ['acme', 'deactivated', 'active', ['Analytics: Viewer']],
      ['acme-labs', 'deactivated', 'active', ['Analytics: Viewer']],
    ],
  );
  const applied = await applyHold(world.context(), tenants.acme, 'entra', false, plan.digest);
  expect(applied).toMatchObject({ kind: 'applied' });
  expect([await stateOf(userId), await stateOf(userId, tenants.labs.slug)]).toEqual(['active', 'active']);
});

test('of whom no other directory speaks, its word counts: active lets their own access be, inactive bars', async () => {
  const name = fresh();
  const userId = await addUser(world, tenants.acme, `${name}@acme.example`);
  await assignRole(world.context(), tenants.acme, subjectOf(userId), 'Analytics: Viewer', operator);
  const pushed = await entra.post('/Users', userBody(name));
  expect([pushed.status, await stateOf(userId)]).toEqual([201, 'active']);
  await entra.patch(`/Users/${pushed.body.id}`, off);
  expect(await stateOf(userId)).toBe('deactivated');
});

test('T105 whom only it has active is no owner who stays: the last other one may not leave', async () => {
  const [barred, last] = [await colleague(), await colleague()];
  await entra.post('/Users', userBody(barred.name));
  for (const { userId } of [barred, last])
    await world.sql(
      `insert into local_group_members (tenant_id, membership_id, local_group_id, subject_id)
       select tenant_id, gen_random_uuid(), local_group_id, $2 from local_groups where tenant_id = $1 and name = 'TenantOwners'`,
      [tenants.acme.tenantId, userId],
    );
  expect((await okta.patch(`/Users/${barred.id}`, off)).status).toBe(200);
  expect((await okta.patch(`/Users/${last.id}`, off)).status).toBe(403);
  await hold(false);
  expect((await okta.patch(`/Users/${last.id}`, off)).status).toBe(200);
});

test('T62 resuming the other one signs out whom only it has active', async () => {
  const [one, two] = [await colleague(), await colleague()];
  await entra.post('/Users', userBody(two.name));
  const guard = { people: 1, percent: 100, minutes: 60 };
  await world.sql('update connections set directory = $2 where connection_id = $1', [tenants.okta, { guard }]);
  // It has not seen the token yet, and so reads the settings anew.
  const guarded = await scimServer(world);
  try {
    const client = directoryClient(guarded, 'acme', 'okta', okta.token);
    expect((await client.patch(`/Users/${one.id}`, off)).status).toBe(200);
    expect((await client.delete(`/Users/${two.id}`)).status).toBe(503);
    const epoch = (await epochOf(two.userId)) as number;
    const plan = await planResume(world.context(), tenants.acme, 'okta');
    if (plan.kind !== 'paused') throw new Error(plan.kind);
    expect(plan.people).toMatchObject([{ id: two.userId, before: 'active', after: 'deactivated' }]);
    expect(await resumeDirectory(world.context(), tenants.acme, 'okta', plan.digest)).toMatchObject({ removed: 1 });
    expect([await stateOf(two.userId), await epochOf(two.userId)]).toEqual(['deactivated', epoch + 1]);
  } finally {
    await guarded.close();
    await world.sql(`update connections set directory = '{}' where connection_id = $1`, [tenants.okta]);
  }
});
