// A held directory lets nobody back in whom it, or its earlier pushes, had put out: that waits for its activation, by whichever way it
// is pushed. What SCIM answers is what was pushed.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { applyHold, planHold } from '../../src/operations/hold-directory.ts';
import { planResume } from '../../src/operations/plan-resume.ts';
import { resumeDirectory } from '../../src/operations/resume-directory.ts';
import { type Acme, addUser, changeSettings } from '../support/acme.ts';
import { bulk, create, idOf, patch, statuses } from '../support/bulk.ts';
import { assertionOf, enter } from '../support/entering.ts';
import { type HeldStage, heldStage, type Known } from '../support/held-stage.ts';
import { personOf } from '../support/people.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { operator, type TestWorld } from '../support/world.ts';

let stage: HeldStage;
let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
let entra: DirectoryClient;
beforeAll(async () => {
  stage = await heldStage('waits');
  ({ world, tenants, okta, entra } = stage);
  return stage.close;
});
beforeEach(() => stage.hold());

/** As `directory plan` and `directory hold` or `activate` do it. What the plan told. */
async function hold(held: boolean, connection = 'okta') {
  const plan = await planHold(world.context(), tenants.acme, connection, held);
  if (plan.kind === 'refused') throw new Error(plan.message);
  expect(await applyHold(world.context(), tenants.acme, connection, held, plan.digest)).toMatchObject({
    kind: 'applied',
  });
  return plan;
}

const fresh = () => stage.fresh();
const known = () => stage.known();
const off = { op: 'replace', path: 'active', value: false };
const on = { op: 'replace', path: 'active', value: true };
const stateOf = (one: { readonly userId: UserId }) => stage.stateOf(one);
const rowOf = async (id: string) =>
  (
    await world.sql<{ active: boolean; withheld: boolean; version: string }>(
      'select active, withheld, version from directory_users where directory_user_id = $1',
      [id],
    )
  )[0];

async function deactivated(): Promise<Known> {
  const one = await known();
  expect((await okta.patch(`/Users/${one.id}`, off)).status).toBe(200);
  expect(await stateOf(one)).toBe('deactivated');
  return one;
}
async function removed(): Promise<Known> {
  const one = await known();
  expect((await okta.delete(`/Users/${one.id}`)).status).toBe(204);
  return one;
}
const PUT = ({ id, name }: Known) => ({ method: 'PUT', path: `/Users/${id}`, data: userBody(name) });

type Way = (people: readonly Known[]) => Promise<readonly string[]>;
const switchedOn: readonly [string, Way][] = [
  [
    'PATCH',
    async (people) => {
      for (const { id } of people) expect((await okta.patch(`/Users/${id}`, on)).body.active).toBe(true);
      return people.map(({ id }) => id);
    },
  ],
  [
    'PUT',
    async (people) => {
      for (const { id, name } of people)
        expect((await okta.put(`/Users/${id}`, userBody(name))).body.active).toBe(true);
      return people.map(({ id }) => id);
    },
  ],
  [
    'a PUT that changes keys',
    async (people) => {
      for (const { id, name } of people)
        expect((await okta.put(`/Users/${id}`, userBody(name, { externalId: `other-${name}` }))).status).toBe(200);
      return people.map(({ id }) => id);
    },
  ],
  [
    'a bulk of PATCHes and PUTs',
    async (people) => {
      const operations = people.map((one, index) => (index % 2 === 0 ? patch(`/Users/${one.id}`, on) : PUT(one)));
      expect(statuses(await bulk(okta, operations))).toEqual(people.map(() => '200'));
      return people.map(({ id }) => id);
    },
  ],
];
const recreated: readonly [string, Way][] = [
  [
    'POST',
    async (people) => {
      const answers = [];
      for (const { name } of people) answers.push(await okta.post('/Users', userBody(name)));
      expect(answers.map(({ status, body }) => [status, body.active])).toEqual(people.map(() => [201, true]));
      return answers.map(({ body }) => body.id);
    },
  ],
  [
    'POSTs at the same moment',
    async (people) => {
      const answers = await Promise.all(people.map(({ name }) => okta.post('/Users', userBody(name))));
      expect(answers.map(({ status }) => status)).toEqual(people.map(() => 201));
      return answers.map(({ body }) => body.id);
    },
  ],
  [
    'a bulk',
    async (people) => {
      const results = await bulk(
        okta,
        people.flatMap(({ name }) => [create(name, userBody(name)), create(`${name}x`, userBody(fresh()))]),
      );
      expect(statuses(results)).toEqual(results.map(() => '201'));
      return results.filter((_, index) => index % 2 === 0).map(idOf);
    },
  ],
];

describe('T117 whom a directory put out it does not bring back while it is held', () => {
  test.each(switchedOn)('switched on by %s: active to SCIM, deactivated to everybody else', async (_, way) => {
    const people = [await deactivated(), await deactivated(), await deactivated()];
    await hold(true);
    const ids = await way(people);
    expect(await Promise.all(people.map(stateOf))).toEqual(people.map(() => 'deactivated'));
    for (const id of ids) {
      expect(await rowOf(id)).toMatchObject({ active: true, withheld: true });
      expect((await okta.get(`/Users/${id}`)).body.active).toBe(true);
    }
    const found = await okta.get(`/Users?filter=${encodeURIComponent(`active eq true and id eq "${ids[0]}"`)}`);
    expect(found.body.totalResults).toBe(1);
  });

  test.each(recreated)('taken back by %s: made as it was pushed, and deactivated', async (_, way) => {
    const people = [await removed(), await removed(), await removed()];
    await hold(true);
    const ids = await way(people);
    expect((await Promise.all(ids.map((id) => personOf(world, id)))).map(({ userId }) => userId)).toEqual(
      people.map(({ userId }) => userId),
    );
    expect(await Promise.all(people.map(stateOf))).toEqual(people.map(() => 'deactivated'));
  });

  test.each([
    ...switchedOn.map((one) => [...one, deactivated] as const),
    ...recreated.map((one) => [...one, removed] as const),
  ])('the failing twin: by %s a directory that counts lets them in at once', async (_, way, out) => {
    const people = [await out(), await out(), await out()];
    for (const id of await way(people)) expect(await rowOf(id)).toMatchObject({ active: true, withheld: false });
    expect(await Promise.all(people.map(stateOf))).toEqual(people.map(() => 'active'));
  });

  test('I6 pushed again it writes nothing, and other attributes and names do not let them in', async () => {
    const [one, two] = [await deactivated(), await deactivated()];
    await hold(true);
    for (const { id } of [one, two]) await okta.patch(`/Users/${id}`, on);
    const { version } = (await rowOf(one.id)) as { version: string };
    await okta.patch(`/Users/${one.id}`, on);
    await okta.put(`/Users/${one.id}`, userBody(one.name));
    expect(await rowOf(one.id)).toEqual({ active: true, withheld: true, version });
    const titled = ({ id }: Known) => patch(`/Users/${id}`, { op: 'replace', path: 'title', value: 'x' });
    await okta.patch(`/Users/${one.id}`, { op: 'replace', path: 'title', value: 'y' });
    expect(statuses(await bulk(okta, [titled(one), titled(two)]))).toEqual(['200', '200']);
    await okta.put(`/Users/${one.id}`, userBody(one.name, { externalId: `other-${one.name}` }));
    expect((await rowOf(one.id))?.version).not.toBe(version);
    for (const { id } of [one, two]) expect(await rowOf(id)).toMatchObject({ active: true, withheld: true });
    expect([await stateOf(one), await stateOf(two)]).toEqual(['deactivated', 'deactivated']);
  });

  test('off and on again, and removed and pushed again, they wait as before', async () => {
    const one = await deactivated();
    await hold(true);
    for (const op of [on, off, on]) await okta.patch(`/Users/${one.id}`, op);
    expect(await stateOf(one)).toBe('deactivated');
    await okta.delete(`/Users/${one.id}`);
    const again = await okta.post('/Users', userBody(one.name));
    expect([(await personOf(world, again.body.id)).userId, await stateOf(one)]).toEqual([one.userId, 'deactivated']);
    await okta.patch(`/Users/${again.body.id}`, off);
    expect(await rowOf(again.body.id)).toMatchObject({ active: false, withheld: false });
  });

  test('nor does a second held directory that never knew them', async () => {
    const one = await deactivated();
    await hold(true);
    await hold(true, 'entra');
    const pushed = await entra.post('/Users', userBody(one.name));
    expect([pushed.status, (await personOf(world, pushed.body.id)).userId]).toEqual([201, one.userId]);
    expect(await stateOf(one)).toBe('deactivated');
  });

  test('the audit trail says that it waits', async () => {
    const [one, two] = [await deactivated(), await removed()];
    await hold(true);
    await okta.patch(`/Users/${one.id}`, on);
    await okta.post('/Users', userBody(two.name));
    const events = await world.sql(
      `select kind, detail -> 'withheld' as withheld from audit_events where object_id = any ($1::uuid[])
         and kind in ('user.directory_activated', 'user.returned') order by kind`,
      [[one.userId, two.userId]],
    );
    expect(events).toEqual([
      { kind: 'user.directory_activated', withheld: true },
      { kind: 'user.returned', withheld: true },
    ]);
  });

  test('T105 who waits is no owner who stays: the last other one may not leave', async () => {
    const [waiting, last] = [await deactivated(), await known()];
    await stage.own([waiting, last]);
    await hold(true);
    expect((await okta.patch(`/Users/${waiting.id}`, on)).status).toBe(200);
    expect((await okta.patch(`/Users/${last.id}`, off)).status).toBe(403);
    await hold(false);
    expect((await okta.patch(`/Users/${last.id}`, off)).status).toBe(200);
  });
});

/** Through okta; `subject` equals the externalId of its pushes. */
const comesIn = (subject: string, email: string) =>
  enter(world, tenants.acme.tenantId, assertionOf(tenants.okta, { subject, email }));

test('T119 who waits is refused at the door, by whatever address, and not made anew', async () => {
  await changeSettings(world, tenants.acme, { provisioningMode: 'jit' });
  const made = await deactivated();
  // Somebody whom okta did not make: only their directory user leads there.
  const name = fresh();
  const userId = await addUser(world, tenants.acme, `${name}@acme.example`);
  const { id } = (await okta.post('/Users', userBody(name))).body;
  await okta.patch(`/Users/${id}`, off);
  await hold(true);
  for (const one of [made.id, id]) await okta.patch(`/Users/${one}`, on);
  for (const [subject, email] of [
    [made.name, made.name],
    [name, name],
    [name, fresh()],
  ])
    expect(await comesIn(`ext-${subject}`, `${email}@acme.example`)).toMatchObject({
      kind: 'refused',
      reason: 'deactivated',
    });
  // The failing twin.
  await hold(false);
  expect(await comesIn(`ext-${name}`, `${fresh()}@acme.example`)).toMatchObject({
    kind: 'signed_in',
    person: { userId },
  });
});

test('T119 nor does who is in by another directory come in through the one that had put them out', async () => {
  const one = await deactivated();
  expect((await entra.post('/Users', userBody(one.name))).status).toBe(201);
  await hold(true);
  await okta.patch(`/Users/${one.id}`, on);
  expect(await stateOf(one)).toBe('active');
  const come = () => comesIn(`ext-${one.name}`, `${one.name}@acme.example`);
  expect(await come()).toMatchObject({ kind: 'refused', reason: 'deactivated' });
  // The failing twin.
  await hold(false);
  expect(await come()).toMatchObject({ kind: 'signed_in', person: { userId: one.userId } });
});

describe('nobody waits', () => {
  test('whom the held directory pushes for the first time, new or adopted, where nobody keeps them out', async () => {
    await hold(true);
    const name = fresh();
    const adopted = await addUser(world, tenants.acme, `${name}@acme.example`);
    await assignRole(world.context(), tenants.acme, stage.subjectOf(adopted), 'Analytics: Viewer', operator);
    const first = await okta.post('/Users', userBody(name));
    const second = await okta.post('/Users', userBody(fresh()));
    for (const { body } of [first, second])
      expect(await rowOf(body.id)).toMatchObject({ active: true, withheld: false });
    expect(await stateOf({ userId: adopted })).toBe('active');
    expect(await stateOf(await personOf(world, second.body.id))).toBe('no_access');
  });

  test('by its being held: who is in stays in, also whom a push and an activation that raced had left waiting', async () => {
    const [one, two] = [await known(), await known()];
    // What a push leaves that was decided before an activation and written after it.
    await world.sql('update directory_users set withheld = true where directory_user_id = $1', [two.id]);
    expect([await stateOf(one), await stateOf(two)]).toEqual(['active', 'active']);
    const plan = await hold(true);
    expect(plan.differences.filter(({ subject }) => [one, two].some(({ userId }) => userId === subject.id))).toEqual(
      [],
    );
    expect([await stateOf(one), await stateOf(two)]).toEqual(['active', 'active']);
    // The failing twin: nothing but that clearing keeps them in.
    await world.sql('update directory_users set withheld = true where directory_user_id = $1', [two.id]);
    expect(await stateOf(two)).toBe('deactivated');
  });
});

describe('activating the directory', () => {
  test('its plan names also whom it lets in without any role: they may sign in again', async () => {
    const name = fresh();
    const { id } = (await okta.post('/Users', userBody(name))).body;
    const one = { id, name, userId: (await personOf(world, id)).userId };
    await okta.patch(`/Users/${id}`, off);
    await hold(true);
    await okta.patch(`/Users/${id}`, on);
    expect(await stateOf(one)).toBe('deactivated');
    const plan = await hold(false);
    expect(plan.differences.filter(({ subject }) => subject.name === `${name}@acme.example`)).toMatchObject([
      { before: 'deactivated', after: 'no_access', letIn: true, gains: [], loses: [], endsSessions: false },
    ]);
    expect(await stateOf(one)).toBe('no_access');
    const [row] = await world.sql(
      `select detail - 'digest' as detail from audit_events where kind = 'access.changed' and object_id = $1`,
      [one.userId],
    );
    expect(row).toEqual({ detail: { gains: [], loses: [], sessionsEnded: false, letIn: true } });
  });

  test('lets in who waits, as its plan says by name and role, and nobody waits afterwards', async () => {
    const [one, two, other] = [await deactivated(), await removed(), await deactivated()];
    await hold(true);
    await okta.patch(`/Users/${one.id}`, on);
    await okta.post('/Users', userBody(two.name));
    const plan = await hold(false);
    const told = plan.differences.map(({ subject, before, after, gains }) => [
      subject.id,
      before,
      after,
      gains.map(({ role }) => role),
    ]);
    const back = ({ userId }: Known) => [userId, 'deactivated', 'active', ['Analytics: Viewer']];
    expect(told).toEqual(expect.arrayContaining([back(one), back(two)]));
    expect(told.map(([id]) => id)).not.toContain(other.userId);
    expect(await Promise.all([one, two, other].map(stateOf))).toEqual(['active', 'active', 'deactivated']);
    expect(
      await world.sql('select 1 from directory_users where withheld and connection_id = $1', [tenants.okta]),
    ).toEqual([]);
    // Held again, they are in, and it takes a push to put them out.
    await hold(true);
    expect(await stateOf(one)).toBe('active');
    await okta.patch(`/Users/${one.id}`, off);
    expect(await stateOf(one)).toBe('deactivated');
  });

  test('is another plan once somebody else waits', async () => {
    const one = await deactivated();
    await hold(true);
    const plan = await planHold(world.context(), tenants.acme, 'okta', false);
    if (plan.kind === 'refused') throw new Error(plan.message);
    await okta.patch(`/Users/${one.id}`, on);
    expect(await applyHold(world.context(), tenants.acme, 'okta', false, plan.digest)).toMatchObject({
      kind: 'refused',
      code: 'stale_plan',
    });
    expect(await stateOf(one)).toBe('deactivated');
  });
});

test('resuming a held directory ends the waiting of those whom it deactivates', async () => {
  const [one, two] = [await deactivated(), await known()];
  await hold(true);
  await okta.patch(`/Users/${one.id}`, on);
  const client = await stage.withGuard(1);
  expect((await client.patch(`/Users/${two.id}`, off)).status).toBe(200);
  expect((await client.patch(`/Users/${one.id}`, off)).status).toBe(503);
  const plan = await planResume(world.context(), tenants.acme, 'okta');
  if (plan.kind !== 'paused') throw new Error(plan.kind);
  expect(plan.people).toMatchObject([{ id: one.userId, before: 'deactivated', after: 'deactivated', loses: [] }]);
  expect(await resumeDirectory(world.context(), tenants.acme, 'okta', plan.digest)).toMatchObject({ deactivated: 1 });
  expect(await rowOf(one.id)).toMatchObject({ active: false, withheld: false });
});
