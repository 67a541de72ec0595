// Whoever at home has by now a name that a guest was known by, whom a tenant below suspended.

import { beforeAll, expect, test } from 'vitest';
import type { Person } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { lockSubject } from '../../src/store/subject.ts';
import { assertionOf, enter } from '../support/entering.ts';
import { type LabsStage, labsStage, type Pushed } from '../support/labs-stage.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { operator } from '../support/world.ts';

let stage: LabsStage;
beforeAll(async () => {
  stage = await labsStage();
  return stage.close;
});

let serial = 0;
const fresh = () => `hand${++serial}`;
const address = (name: string) => `${name}@acme.example`;
const second = (name: string) => ({ op: 'add', path: 'emails', value: [{ type: 'other', value: address(name) }] });
const rename = (value: string) => ({ op: 'replace', path: 'userName', value });
const inLabs = (person: Person) => stage.stateIn(stage.tenants.labs, person);
const newInLabs = async (name: string) =>
  (await stage.pushed(stage.labs, name, { userName: fresh(), externalId: fresh() })).person;

async function guest(): Promise<Pushed & { readonly name: string }> {
  const name = fresh();
  const made = await stage.pushed(stage.okta, name);
  expect(await stage.map(made.person)).toMatchObject({ suspended: false });
  return { ...made, name };
}

/** A guest whom the tenant below suspended; at home they are called so. */
async function suspended(): Promise<Pushed & { readonly called: string }> {
  const called = fresh();
  const made = await stage.pushed(stage.okta, fresh(), { userName: called });
  expect(await stage.map(made.person)).toMatchObject({ suspended: false });
  await stage.suspendGuest(made.person);
  return { ...made, called };
}

test('I3 T124 who is made anew under the name of a guest who was removed is taken for them below, too', async () => {
  const { id, called } = await suspended();
  await stage.okta.delete(`/Users/${id}`);
  const name = fresh();
  await stage.pushed(stage.okta, name, { userName: called });
  expect(await inLabs(await newInLabs(name))).toBe('suspended');
});

test('T130 a push about somebody else waits for nobody whose name it gives, so that two such pushes never wait for each other', async () => {
  const { id, called, person } = await suspended();
  await stage.okta.patch(`/Users/${id}`, rename(fresh()));
  const name = fresh();
  await stage.world.database.transaction(person.tenantId, async (tx) => {
    await lockSubject(tx, person.userId);
    expect((await stage.okta.post('/Users', userBody(name, { userName: called }))).status).toBe(201);
  });
  expect(await inLabs(await newInLabs(name))).toBe('suspended');
});

test('R21 a guest who has the name by now is let in below once, whatever else they are given at home later', async () => {
  const { id, called } = await suspended();
  await stage.okta.patch(`/Users/${id}`, rename(fresh()));
  const next = await stage.pushed(stage.okta, fresh());
  expect(await stage.map(next.person)).toMatchObject({ suspended: false });
  await stage.okta.patch(`/Users/${next.id}`, rename(called));
  expect(await inLabs(next.person)).toBe('suspended');
  await stage.letInGuest(next.person);
  const own = fresh();
  await stage.okta.patch(`/Users/${next.id}`, second(own));
  expect(await inLabs(next.person)).toBe('active');
  await stage.okta.patch(`/Users/${next.id}`, { op: 'remove', path: `emails[value eq "${address(own)}"]` });
  await stage.okta.patch(`/Users/${next.id}`, second(own));
  expect(await inLabs(next.person)).toBe('active');
});

test('the failing twin: a suspension below and a later one at home keep out nobody who had the name between', async () => {
  const { id, called, person } = await suspended();
  await stage.okta.patch(`/Users/${id}`, rename(fresh()));
  const name = fresh();
  const next = await stage.pushed(stage.okta, name, { userName: called });
  expect(await stage.stateIn(null, next.person)).toBe('no_access');
  const { kind } = await suspend(
    stage.world.context(operator),
    stage.tenants.acme,
    { subjectId: person.userId, kind: 'user', person },
    null,
  );
  expect(kind).toBe('suspended');
  const at = { ...assertionOf(stage.tenants.okta, { subject: fresh(), email: null }), directoryIds: [`ext-${name}`] };
  expect(await enter(stage.world, stage.tenants.acme.tenantId, at)).toMatchObject({ person: next.person });
  expect(await stage.stateIn(null, next.person)).toBe('no_access');
});

test('I3 T121 a guest who had the address while they were suspended for something else is suspended when its bearer signs in as them', async () => {
  const [left, other] = [await guest(), await guest()];
  await stage.suspendGuest(left.person);
  await stage.suspendGuest(other.person);
  const given = [second(left.name), { op: 'remove', path: `emails[value eq "${address(left.name)}"]` }];
  for (const change of given) expect((await stage.okta.patch(`/Users/${other.id}`, change)).status).toBe(200);
  await stage.letInGuest(other.person);
  expect(await inLabs(other.person)).toBe('active');
  const at = assertionOf(stage.tenants.okta, { subject: `ext-${other.name}`, email: address(left.name) });
  expect(await enter(stage.world, stage.tenants.acme.tenantId, at)).toMatchObject({ person: other.person });
  expect(await inLabs(other.person)).toBe('suspended');
});

const inLabsToo = async (made: Pushed) => {
  await stage.map(made.person);
  return made;
};
const suspendInLabs = async ({ person }: Pushed) => {
  const { labs } = stage.tenants;
  const isGuest = person.tenantId !== labs.tenantId;
  const subjectId = isGuest ? await stage.guestOf(person) : person.userId;
  await suspend(stage.world.context(operator), labs, { subjectId, kind: isGuest ? 'guest' : 'user', person }, null);
};
const patch = async (client: DirectoryClient, { id }: Pushed, ...changes: readonly object[]) => {
  for (const change of changes) expect((await client.patch(`/Users/${id}`, change)).status).toBe(200);
};
const notSecond = (name: string) => ({ op: 'remove', path: `emails[value eq "${address(name)}"]` });

test.each([
  [
    'a person of the tenant below, suspended since',
    async (name: string) => suspendInLabs(await stage.pushed(stage.labs, name)),
  ],
  [
    'another guest, suspended since',
    async (name: string) => suspendInLabs(await inLabsToo(await stage.pushed(stage.okta, name))),
  ],
  [
    'a person of the tenant below, who came to have it since they were suspended',
    async (name: string) => {
      const made = await stage.pushed(stage.labs, fresh());
      await suspendInLabs(made);
      await patch(stage.labs, made, second(name));
    },
  ],
  [
    'another guest, who had it since they were suspended',
    async (name: string) => {
      const made = await inLabsToo(await stage.pushed(stage.okta, fresh()));
      await suspendInLabs(made);
      await patch(stage.okta, made, second(name), notSecond(name));
    },
  ],
])('I3 T125 a guest who was called so for a moment is suspended by the address of %s', async (_, make) => {
  const [name, other] = [fresh(), await guest()];
  await stage.suspendGuest(other.person);
  await patch(stage.okta, other, second(name), notSecond(name));
  await stage.letInGuest(other.person);
  await make(name);
  expect(await inLabs(other.person)).toBe('active');
  await patch(stage.okta, other, second(name));
  expect(await inLabs(other.person)).toBe('suspended');
});

test.each([
  ['a guest', 'suspended', async (person: Person) => stage.suspendGuest(person)],
  ['the failing twin: a guest who is not suspended', 'active', async () => undefined],
])(
  'I3 T121 an account of the tenant below, which lists the address of %s, is %s by their sign-in',
  async (_, state, act) => {
    const left = await guest();
    const made = await stage.pushed(stage.labs, fresh(), { externalId: fresh() });
    expect((await stage.labs.patch(`/Users/${made.id}`, second(left.name))).status).toBe(200);
    const subject = { subjectId: made.person.userId, kind: 'user', person: made.person } as const;
    await assignRole(stage.world.context(), stage.tenants.labs, subject, 'Analytics: Viewer', operator);
    await act(left.person);
    expect(await inLabs(made.person)).toBe('active');
    const { body } = await stage.labs.get(`/Users/${made.id}`);
    const at = assertionOf(stage.labsOkta, { subject: body.externalId, email: address(left.name) });
    expect(await enter(stage.world, stage.tenants.labs.tenantId, at)).toMatchObject({ person: made.person });
    expect(await inLabs(made.person)).toBe(state);
  },
);
