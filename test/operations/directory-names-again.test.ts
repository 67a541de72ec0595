// An account that a directory names, entered by what a suspended person signed in by.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Person } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, acme, changeSettings } from '../support/acme.ts';
import { assertionOf, enter } from '../support/entering.ts';
import { makeOwner, personOf } from '../support/people.ts';
import { type DirectoryClient, directory, type ScimServer, scimServer, userBody } from '../support/scim.ts';
import { operator, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
let entra: DirectoryClient;
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  await changeSettings(world, tenants.acme, { provisioningMode: 'jit' });
  server = await scimServer(world);
  entra = await directory(world, server, tenants.acme, 'entra');
});
afterAll(async () => {
  await server?.close();
  await world?.close();
});

let serial = 0;
const fresh = () => `nameid${++serial}`;
const subjectOf = (person: Person) => ({ subjectId: person.userId, kind: 'user', person }) as const;
const stateOf = async (person: Person) => (await readAccess(world.context(), person, null))?.access.state;

/** `ids`: more of what may be the directory's externalId. A NameID may be its userName, too. */
async function comesIn(nameId: string, email: string | null, ids: readonly string[] = []): Promise<Person | string> {
  const outcome = await enter(world, tenants.acme.tenantId, {
    ...assertionOf(tenants.entra, { subject: nameId, email }),
    method: 'saml',
    issuer: 'https://entra.acme.example',
    directoryIds: [nameId, ...ids],
    directoryUserName: nameId,
  });
  return outcome.kind === 'signed_in' ? outcome.person : outcome.reason;
}

/** Known by sign-ins alone; then the links end, as they do with a connection that goes and comes back. */
async function leaver(nameId: string, isSuspended = true): Promise<Person> {
  const person = await comesIn(nameId, `${nameId}@acme.example`);
  if (typeof person === 'string') throw new Error(person);
  if (isSuspended)
    expect(await suspend(world.context(), tenants.acme, subjectOf(person), null)).toMatchObject({ kind: 'suspended' });
  await world.sql('update identities set ended_at = now() where user_id = $1', [person.userId]);
  return person;
}

async function pushed(name: string, more: object): Promise<Person> {
  const { status, body, text } = await entra.post('/Users', userBody(name, more));
  if (status !== 201) throw new Error(text);
  return personOf(world, body.id);
}
const give = (person: Person) =>
  assignRole(world.context(), tenants.acme, subjectOf(person), 'Analytics: Viewer', operator);

test.each([
  ['userName', (nameId: string) => ({ userName: nameId }), []],
  ['other id', (nameId: string) => ({ externalId: `oid-${nameId}` }), ['oid-']],
])(
  'T121 I3 another one’s, by their %s: from then on suspended, until an administrator lets them in',
  async (_, names, prefixes) => {
    const nameId = fresh();
    const suspended = await leaver(nameId);
    const other = await pushed(fresh(), names(nameId));
    await give(other);
    expect(await stateOf(other)).toBe('active');
    const enters = () =>
      comesIn(
        nameId,
        null,
        prefixes.map((prefix) => prefix + nameId),
      );
    expect(await enters()).toEqual(other);
    expect([await stateOf(other), await stateOf(suspended)]).toEqual(['suspended', 'suspended']);
    expect(
      await world.sql(
        `select detail ->> 'inheritedFrom' is not null as inherited from audit_events where object_id = $1 and kind = 'user.suspension_inherited'`,
        [other.userId],
      ),
    ).toEqual([{ inherited: true }]);
    expect(await give(other)).toMatchObject({ kind: 'assigned', lifted: true });
    expect(await enters()).toEqual(other);
    // Nor is it asked again where the links went once more.
    await world.sql('update identities set ended_at = now() where user_id = $1', [other.userId]);
    expect(await enters()).toEqual(other);
    expect([await stateOf(other), await stateOf(suspended)]).toEqual(['active', 'suspended']);
  },
);

describe('T121 I3 another one’s, whose externalId the directory makes what a suspended person is called', () => {
  /** Pushed and suspended, and never signed in; to somebody else the directory then gives what they will sign in by. */
  async function taken(called: string): Promise<Person> {
    const more = { userName: called, emails: [{ value: `of-${fresh()}@acme.example` }] };
    const person = await pushed(fresh(), more);
    expect(await suspend(world.context(), tenants.acme, subjectOf(person), null)).toMatchObject({ kind: 'suspended' });
    const other = await pushed(fresh(), { externalId: called });
    await give(other);
    expect(await stateOf(other)).toBe('active');
    return other;
  }

  test.each([
    ['a name', (name: string) => name],
    ['an address', (name: string) => `${name}@acme.example`],
  ])('by %s: suspended from then on', async (_, form) => {
    const called = form(fresh());
    const other = await taken(called);
    expect(await comesIn(called, null)).toEqual(other);
    expect(await stateOf(other)).toBe('suspended');
    expect(await give(other)).toMatchObject({ kind: 'assigned', lifted: true });
    // Nor is it asked again where the links went.
    await world.sql('update identities set ended_at = now() where user_id = $1', [other.userId]);
    expect(await comesIn(called, null)).toEqual(other);
    expect(await stateOf(other)).toBe('active');
  });

  test('and where the sign-in says their address', async () => {
    const [oid, name] = [fresh(), fresh()];
    const person = await pushed(name, {});
    expect(await suspend(world.context(), tenants.acme, subjectOf(person), null)).toMatchObject({ kind: 'suspended' });
    const other = await pushed(fresh(), { externalId: oid });
    await give(other);
    expect(await comesIn(oid, `${name}+x@acme.example`)).toEqual(other);
    expect(await stateOf(other)).toBe('suspended');
  });

  test('the failing twin: not who signs in by what they had before anybody was suspended who had had it', async () => {
    const name = fresh();
    const { status, body } = await entra.post('/Users', userBody(name, { userName: name }));
    expect(status).toBe(201);
    const before = await personOf(world, body.id);
    const left = { userName: fresh(), externalId: fresh(), emails: [{ value: `${fresh()}@acme.example` }] };
    expect((await entra.put(`/Users/${body.id}`, userBody(name, left))).status).toBe(200);
    const next = await pushed(name, { userName: name, externalId: fresh() });
    await give(next);
    expect(await suspend(world.context(), tenants.acme, subjectOf(before), null)).toMatchObject({ kind: 'suspended' });
    expect(await comesIn(name, `${name}@acme.example`)).toEqual(next);
    expect(await stateOf(next)).toBe('active');
  });
});

test('T119 I3 nor is anybody new whose NameID is an address that a suspended person had, whatever address comes with it', async () => {
  const [held, free] = [fresh(), fresh()];
  await leaver(held);
  await leaver(free, false);
  for (const [name, state] of [
    [held, 'suspended'],
    [free, 'no_access'],
  ] as const) {
    const person = await comesIn(`${name}@acme.example`, `private-${name}@acme.example`);
    if (typeof person === 'string') throw new Error(person);
    expect(await stateOf(person)).toBe(state);
  }
});

test('the failing twin: by the names of somebody who is not suspended they come in as they are', async () => {
  const nameId = fresh();
  await leaver(nameId, false);
  const other = await pushed(fresh(), { userName: nameId });
  await give(other);
  expect(await comesIn(nameId, null)).toEqual(other);
  expect(await stateOf(other)).toBe('active');
});

test('T105 not into the account of the last owner: an administrator has to look', async () => {
  const nameId = fresh();
  await leaver(nameId);
  const owner = await pushed(fresh(), { externalId: `oid-${nameId}` });
  await world.sql('delete from local_group_members');
  await makeOwner(world, owner);
  expect(await comesIn(nameId, null, [`oid-${nameId}`])).toBe('add_sso');
  expect(await stateOf(owner)).not.toBe('suspended');
  expect(await world.sql('select 1 from identities where user_id = $1', [owner.userId])).toEqual([]);
});

test('T105 nor into that of the last owner of a tenant below', async () => {
  const nameId = fresh();
  await leaver(nameId);
  const owner = await pushed(fresh(), { externalId: `oid-${nameId}` });
  await world.sql('delete from local_group_members');
  const mapped = async (person: Person) =>
    expect(
      await mapGuest(world.context(), tenants.labs, person, { roles: [], groups: ['TenantOwners'] }, operator),
    ).toMatchObject({ kind: 'mapped' });
  await mapped(owner);
  expect(await comesIn(nameId, null, [`oid-${nameId}`])).toBe('add_sso');
  expect(await stateOf(owner)).not.toBe('suspended');
  await mapped(await pushed(fresh(), {}));
  expect(await comesIn(nameId, null, [`oid-${nameId}`])).toEqual(owner);
  expect(await stateOf(owner)).toBe('suspended');
});
