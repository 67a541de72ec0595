// Once a directory speaks for a person, the groups that sign-ins through its connection named count no more: whom that takes a role
// from, the guard counts.

import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { planHold } from '../../src/operations/hold-directory.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { type Acme, addRule, changeSettings } from '../support/acme.ts';
import { bulk, create, statuses } from '../support/bulk.ts';
import { setHeld } from '../support/directory-settings.ts';
import { assertionOf, enter } from '../support/entering.ts';
import { type GuardStage, guardStage } from '../support/guard-stage.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let entra: DirectoryClient;
let withGuard: GuardStage['withGuard'];
beforeAll(async () => {
  const stage = await guardStage();
  ({ world, tenants, entra, withGuard } = stage);
  await changeSettings(world, tenants.acme, { provisioningMode: 'jit' });
  const role = tenants.role(tenants.acme, 'Viewer');
  await addRule(world, tenants.acme, { connection: tenants.okta, kind: 'name', value: 'Viewers', role });
  return stage.close;
});
beforeEach(() => setHeld(world, tenants.okta, false));

let serial = 0;
const fresh = () => `silence${++serial}`;
type Known = { readonly name: string; readonly userId: UserId };
/** Somebody who signed in through okta before its directory knew them. */
async function signedIn(groups: readonly string[]): Promise<Known> {
  const name = fresh();
  const assertion = assertionOf(tenants.okta, { subject: `subject-${name}`, email: `${name}@acme.example`, groups });
  const outcome = await enter(world, tenants.acme.tenantId, assertion);
  if (outcome.kind !== 'signed_in') throw new Error(outcome.reason);
  return { name, userId: outcome.person.userId };
}
const many = async (count: number, groups: readonly string[]) => {
  const made: Known[] = [];
  while (made.length < count) made.push(await signedIn(groups));
  return made;
};
const accessOf = async ({ userId }: Known) => {
  const read = await readAccess(world.context(), { tenantId: tenants.acme.tenantId, userId }, null);
  return [read?.access.state, ...(read?.access.roles.map(({ role }) => role) ?? [])];
};
const push = (client: DirectoryClient, { name }: Known, more: object = {}) =>
  client.post('/Users', userBody(name, more));
const viewer = ['active', 'Analytics: Viewer'];
const touched = async () => (await world.sql('select 1 from directory_guard_people')).length;

test('T58 it is paused by the adoption that would take sign-in groups from one too many; that one keeps them', async () => {
  const people = await many(3, ['Viewers', 'Others']);
  const client = await withGuard(1);
  const answers = [];
  for (const one of people) answers.push((await push(client, one)).status);
  expect(answers).toEqual([201, 503, 503]);
  expect(await Promise.all(people.map(accessOf))).toEqual([['no_access'], viewer, viewer]);
});

test('T58 so in a bulk, and where they come at the same moment', async () => {
  const people = await many(6, ['Viewers']);
  let client = await withGuard(1);
  const results = await bulk(
    client,
    people.slice(0, 3).map((one) => create(one.name, userBody(one.name))),
  );
  expect(statuses(results)).toEqual(['201', '503', '503']);
  client = await withGuard(1);
  const answers = await Promise.all(people.slice(3).map((one) => push(client, one)));
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 503, 503]);
  const left = (await Promise.all(people.map(accessOf))).filter(([state]) => state === 'active');
  expect(left).toHaveLength(4);
});

test('T58 so where somebody comes back whom another directory has', async () => {
  const people = await many(3, ['Viewers']);
  const free = await withGuard(null);
  for (const one of people) {
    const { body } = await push(free, one);
    expect((await push(entra, one)).status).toBe(201);
    expect((await free.delete(`/Users/${body.id}`)).status).toBe(204);
    expect(await accessOf(one)).toEqual(viewer);
  }
  const client = await withGuard(1);
  const answers = [];
  for (const one of people) answers.push((await push(client, one)).status);
  expect(answers).toEqual([201, 503, 503]);
  expect(await Promise.all(people.map(accessOf))).toEqual([['no_access'], viewer, viewer]);
});

test('the failing twins: groups that no rule speaks of, no groups, whom directories bar, and no guard', async () => {
  const [plain, none, barred] = [await signedIn(['Others']), await signedIn([]), await signedIn(['Viewers'])];
  const { body } = await push(entra, barred);
  expect((await entra.patch(`/Users/${body.id}`, { op: 'replace', path: 'active', value: false })).status).toBe(200);
  let client = await withGuard(1);
  for (const one of [plain, none, barred]) expect((await push(client, one)).status).toBe(201);
  expect(await touched()).toBe(0);
  client = await withGuard(null);
  const people = await many(3, ['Viewers']);
  for (const one of people) expect((await push(client, one)).status).toBe(201);
  expect(await Promise.all(people.map(accessOf))).toEqual(people.map(() => ['no_access']));
});

test('a held directory silences nobody and counts nobody; the plan of its activation says who loses what', async () => {
  const people = await many(3, ['Viewers']);
  const client = await withGuard(1);
  await setHeld(world, tenants.okta, true);
  for (const one of people) expect((await push(client, one)).status).toBe(201);
  expect([await touched(), await Promise.all(people.map(accessOf))]).toEqual([0, people.map(() => viewer)]);
  const plan = await planHold(world.context(), tenants.acme, 'okta', false);
  if (plan.kind === 'refused') throw new Error(plan.message);
  const told = plan.differences.map(({ subject, after, loses }) => [subject.id, after, loses.map(({ role }) => role)]);
  expect(told).toEqual(
    expect.arrayContaining(people.map(({ userId }) => [userId, 'no_access', ['Analytics: Viewer']])),
  );
});

test('only adoptions under a guard look for such groups', async () => {
  const asked = async (client: DirectoryClient, name: string) => {
    await client.get('/Users?count=0');
    world.takeStatements();
    expect((await client.post('/Users', userBody(name))).status).toBe(201);
    return world.takeStatements().filter((statement) => statement === 'asserted_groups_of').length;
  };
  const [one, two] = await many(2, []);
  const guarded = await withGuard(100);
  expect([await asked(guarded, one?.name as string), await asked(guarded, fresh())]).toEqual([2, 0]);
  const free = await withGuard(null);
  expect(await asked(free, two?.name as string)).toBe(0);
});
