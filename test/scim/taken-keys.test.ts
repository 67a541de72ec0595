// A suspended person's names, pushed onto somebody else: whoever signs in by them next may be the suspended one.

import { beforeAll, describe, expect, test } from 'vitest';
import type { Person } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { suspend } from '../../src/operations/suspend.ts';
import type { Acme } from '../support/acme.ts';
import { accessState, personOf } from '../support/people.ts';
import { type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import { editorsOf, scimStage } from '../support/scim-stage.ts';
import { operator, type TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
let editors: Body;
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta } = stage);
  editors = await editorsOf(stage);
  return stage.close;
});

let serial = 0;
const fresh = () => `taken${++serial}`;
const ref = (person: Person) => ({ subjectId: person.userId, kind: 'user', person }) as const;
const stateOf = (person: Person) => accessState(world, person);
const epochOf = async ({ userId }: Person) =>
  (
    await world.sql<{ epoch: number }>('select access_epoch::int as epoch from subjects where subject_id = $1', [
      userId,
    ])
  )[0]?.epoch ?? 0;

async function pushed(body: Body): Promise<{ id: string; person: Person }> {
  const answer = await okta.post('/Users', body);
  if (answer.status !== 201) throw new Error(answer.text);
  return { id: answer.body.id, person: await personOf(world, answer.body.id) };
}

async function editor(name: string): Promise<{ id: string; person: Person }> {
  const made = await pushed(userBody(name));
  await okta.patch(`/Groups/${editors.id}`, { op: 'add', path: 'members', value: [{ value: made.id }] });
  expect(await stateOf(made.person)).toBe('active');
  return made;
}

/** Somebody who was suspended and then removed by their directory. */
async function suspended(body: Body): Promise<{ suspensionId: string }> {
  const { id, person } = await pushed(body);
  await suspend(world.context(operator), tenants.acme, ref(person), null);
  await okta.delete(`/Users/${id}`);
  const [row] = await world.sql<{ suspensionId: string }>(
    `select suspension_id as "suspensionId" from suspensions where subject_id = $1`,
    [person.userId],
  );
  if (row === undefined) throw new Error('not suspended');
  return row;
}

const edits: readonly (readonly [string, (name: string) => object])[] = [
  ['externalId', (name) => ({ op: 'replace', path: 'externalId', value: `ext-${name}` })],
  ['userName', (name) => ({ op: 'replace', path: 'userName', value: name.toUpperCase() })],
  ['address as userName', (name) => ({ op: 'replace', path: 'userName', value: `${name}@acme.example` })],
  ['address', (name) => ({ op: 'replace', path: 'emails', value: [{ value: `${name}+x@acme.example` }] })],
  [
    'address as a second one',
    (name) => ({ op: 'add', path: 'emails', value: [{ value: `${name}@acme.example`, type: 'other' }] }),
  ],
];

describe('an existing user who is given a suspended person’s', () => {
  test.each(edits)('T118 T121 T122 T123 I3 %s is suspended with them, at once', async (_, edit) => {
    const name = fresh();
    const { suspensionId } = await suspended(userBody(name, { userName: name }));
    const { id, person } = await editor(fresh());
    const epoch = await epochOf(person);
    expect((await okta.patch(`/Users/${id}`, edit(name))).status).toBe(200);
    expect(await stateOf(person)).toBe('suspended');
    expect(await epochOf(person)).toBeGreaterThan(epoch);
    expect(await world.sql('select inherited_from from suspensions where subject_id = $1', [person.userId])).toEqual([
      { inherited_from: suspensionId },
    ]);
    expect(
      await world.sql(`select kind from audit_events where object_id = $1 and kind = 'user.suspension_inherited'`, [
        person.userId,
      ]),
    ).toHaveLength(1);
  });

  test('T118 I3 names on their own return is suspended with them', async () => {
    const [name, other] = [fresh(), fresh()];
    const { id, person } = await editor(other);
    await okta.delete(`/Users/${id}`);
    await suspended(userBody(name));
    const back = await pushed(userBody(name, { externalId: `ext-${other}` }));
    expect(back.person).toEqual(person);
    expect(await stateOf(person)).toBe('suspended');
  });

  test('names comes back by an administrator’s role, and the next push of the same names changes nothing', async () => {
    const name = fresh();
    await suspended(userBody(name));
    const { id, person } = await editor(fresh());
    await okta.patch(`/Users/${id}`, { op: 'replace', path: 'externalId', value: `ext-${name}` });
    expect((await assignRole(world.context(), tenants.acme, ref(person), 'Viewer', operator)).kind).toBe('assigned');
    await okta.patch(`/Users/${id}`, { op: 'replace', path: 'displayName', value: 'Somebody' });
    await okta.patch(`/Users/${id}`, { op: 'replace', path: 'externalId', value: `ext-${name}` });
    expect(await stateOf(person)).toBe('active');
  });

  test('the failing twin: who is given names of nobody suspended keeps what they have', async () => {
    const name = fresh();
    const { id: left } = await pushed(userBody(name));
    await okta.delete(`/Users/${left}`);
    const { id, person } = await editor(fresh());
    for (const [, edit] of edits) await okta.patch(`/Users/${id}`, edit(name));
    expect(await stateOf(person)).toBe('active');
  });
});
