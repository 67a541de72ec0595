// Whom a directory suspended by giving them the names of somebody suspended: as much kept out as by an administrator.

import { beforeAll, expect, test } from 'vitest';
import type { Person } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import type { Acme } from '../support/acme.ts';
import { type Heir, type HeirsStage, heirsStage } from '../support/heirs-stage.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { operator, type TestWorld } from '../support/world.ts';

let stage: HeirsStage;
let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
let entra: DirectoryClient;
beforeAll(async () => {
  stage = await heirsStage('heir');
  ({ world, tenants, okta, entra } = stage);
  return stage.close;
});

const fresh = () => stage.fresh();
const pushed: HeirsStage['pushed'] = (...given) => stage.pushed(...given);
const suspended = (person: Person) => stage.suspended(person);
const give = (person: Person, role: string) =>
  assignRole(world.context(), tenants.acme, { subjectId: person.userId, kind: 'user', person }, role, operator);
const rolesOf = async (person: Person) =>
  (await readAccess(world.context(), person, null))?.access.roles.map(({ role }) => role);

/** Gives the user an address of somebody who is suspended. */
async function inherits({ id, person }: Heir): Promise<void> {
  const name = fresh();
  await suspended((await pushed(okta, name)).person);
  const email = { type: 'other', value: `${name}@acme.example` };
  expect((await okta.patch(`/Users/${id}`, { op: 'add', path: 'emails', value: [email] })).status).toBe(200);
  expect(await stage.stateOf(person)).toBe('suspended');
}

/** Known by two directories, to one of them by an address that only it has; made there anew as somebody else. */
async function madeAnew(before: (made: Heir) => Promise<void>): Promise<string | undefined> {
  const name = fresh();
  const made = await pushed(okta, name);
  const there = await pushed(entra, name);
  expect(there.person).toEqual(made.person);
  const address = fresh();
  expect((await entra.put(`/Users/${there.id}`, userBody(address, { externalId: `ext-${name}` }))).status).toBe(200);
  await before(made);
  expect((await entra.delete(`/Users/${there.id}`)).status).toBe(204);
  const anew = await pushed(entra, address, { userName: fresh(), externalId: fresh() });
  expect(anew.person).not.toEqual(made.person);
  return stage.stateOf(anew.person);
}

test('T118 T120 I3 made anew by another directory, by an address that only that one has, they begin suspended', async () => {
  expect(await madeAnew(inherits)).toBe('suspended');
});

test('T118 T120 I3 so after an administrator suspended them once more, and after a return under such names', async () => {
  expect(
    await madeAnew(async (made) => {
      await inherits(made);
      expect(await suspended(made.person)).toEqual({ kind: 'suspended', already: true });
    }),
  ).toBe('suspended');
  expect(
    await madeAnew(async ({ id, person }) => {
      const [row] = await world.sql<{ external: string }>(
        'select external_id as external from directory_users where directory_user_id = $1',
        [id],
      );
      expect((await okta.delete(`/Users/${id}`)).status).toBe(204);
      const name = fresh();
      await suspended((await pushed(okta, name)).person);
      const left = (await okta.get(`/Users?filter=userName eq "${name}@acme.example"`)).body.Resources[0].id;
      expect((await okta.delete(`/Users/${left}`)).status).toBe(204);
      const emails = [{ value: `${name}+x@acme.example` }];
      const back = await pushed(okta, fresh(), { externalId: row?.external, emails });
      expect([back.person, await stage.stateOf(person)]).toEqual([person, 'suspended']);
    }),
  ).toBe('suspended');
});

test('the failing twin: made anew, nobody is held for whom nobody suspended', async () => {
  expect(await madeAnew(async () => undefined)).toBe('no_access');
});

test('R21 let in after an administrator suspended them as well, they have that role and nothing that was assigned before', async () => {
  const made = await pushed(okta, fresh());
  await give(made.person, 'Operations: Admin');
  await inherits(made);
  expect(await suspended(made.person)).toEqual({ kind: 'suspended', already: true });
  expect(await give(made.person, 'Analytics: Viewer')).toMatchObject({ kind: 'assigned', lifted: true });
  expect(await rolesOf(made.person)).toEqual(['Analytics: Viewer']);
  expect(
    await world.sql(
      `select detail ->> 'endedGrants' as ended from audit_events where object_id = $1 and kind = 'user.suspended'`,
      [made.person.userId],
    ),
  ).toEqual([{ ended: '1' }]);
});

test('the failing twin: where no administrator suspended them, what was assigned before counts again', async () => {
  const made = await pushed(okta, fresh());
  await give(made.person, 'Operations: Admin');
  await inherits(made);
  await give(made.person, 'Analytics: Viewer');
  expect(await rolesOf(made.person)).toEqual(['Analytics: Viewer', 'Operations: Admin']);
});
