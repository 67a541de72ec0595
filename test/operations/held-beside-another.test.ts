// A held directory beside one that counts: what it says of people lets nobody in whom the other one keeps out, nor keeps them in.

import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { TenantSlug, UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { applyHold, planHold } from '../../src/operations/hold-directory.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { planResume } from '../../src/operations/plan-resume.ts';
import { resumeDirectory } from '../../src/operations/resume-directory.ts';
import { type Acme, addUser } from '../support/acme.ts';
import { type HeldStage, heldStage } from '../support/held-stage.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { operator, type TestWorld } from '../support/world.ts';

let stage: HeldStage;
let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
/** Held. */
let entra: DirectoryClient;
beforeAll(async () => {
  stage = await heldStage('beside');
  ({ world, tenants, okta, entra } = stage);
  return stage.close;
});
beforeEach(() => stage.hold('entra'));

const fresh = () => stage.fresh();
const colleague = () => stage.known();
const off = { op: 'replace', path: 'active', value: false };
const on = { op: 'replace', path: 'active', value: true };
const stateOf = (userId: UserId, tenant?: TenantSlug) => stage.stateOf({ userId }, tenant);
const epochOf = async (userId: UserId) =>
  (await world.sql<{ access_epoch: number }>('select access_epoch from subjects where subject_id = $1', [userId]))[0]
    ?.access_epoch;

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
  const { person } = stage.subjectOf(userId);
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
  await assignRole(world.context(), tenants.acme, stage.subjectOf(userId), 'Analytics: Viewer', operator);
  const pushed = await entra.post('/Users', userBody(name));
  expect([pushed.status, await stateOf(userId)]).toEqual([201, 'active']);
  await entra.patch(`/Users/${pushed.body.id}`, off);
  expect(await stateOf(userId)).toBe('deactivated');
});

test('T105 whom only it has active is no owner who stays: the last other one may not leave', async () => {
  const [barred, last] = [await colleague(), await colleague()];
  await entra.post('/Users', userBody(barred.name));
  await stage.own([barred, last]);
  expect((await okta.patch(`/Users/${barred.id}`, off)).status).toBe(200);
  expect((await okta.patch(`/Users/${last.id}`, off)).status).toBe(403);
  await stage.hold();
  expect((await okta.patch(`/Users/${last.id}`, off)).status).toBe(200);
});

test('T62 resuming the other one signs out whom only it has active', async () => {
  const [one, two] = [await colleague(), await colleague()];
  await entra.post('/Users', userBody(two.name));
  const client = await stage.withGuard(1);
  expect((await client.patch(`/Users/${one.id}`, off)).status).toBe(200);
  expect((await client.delete(`/Users/${two.id}`)).status).toBe(503);
  const epoch = (await epochOf(two.userId)) as number;
  const plan = await planResume(world.context(), tenants.acme, 'okta');
  if (plan.kind !== 'paused') throw new Error(plan.kind);
  expect(plan.people).toMatchObject([{ id: two.userId, before: 'active', after: 'deactivated' }]);
  expect(await resumeDirectory(world.context(), tenants.acme, 'okta', plan.digest)).toMatchObject({ removed: 1 });
  expect([await stateOf(two.userId), await epochOf(two.userId)]).toEqual(['deactivated', epoch + 1]);
});
