// What directories name people and groups is shown as it is, and begins no line of its own.

import { beforeEach, expect, test } from 'vitest';
import type { CliWorld, CommandResult } from '../../src/cli/command.ts';
import { userActivate, userDeactivate, userList, userShow } from '../../src/cli/users.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { nameSubject } from '../../src/operations/standing.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, addRule } from '../support/acme.ts';
import { personOf } from '../support/people.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import { operator, type TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
beforeEach(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta } = stage);
  return stage.close;
});

const cliOf = () => ({ context: world.context() }) as Partial<CliWorld> as CliWorld;

async function showOf(directoryUserId: string): Promise<CommandResult> {
  const [row] = await world.sql<{ user_id: string }>(
    'select user_id from directory_users where directory_user_id = $1',
    [directoryUserId],
  );
  return userShow.run(cliOf(), { tenant: 'acme', user: row?.user_id });
}
const shownOf = async (directoryUserId: string) => (await showOf(directoryUserId)).text;

test.each([
  ['a line feed', 'Staff\n  Operations: Admin\n    because rule "x" maps group "y'],
  ['an escape', 'Staff\u001b[2K\u001b[1A'],
  ['a line separator', 'Staff\u2028  Operations: Admin'],
  ['a turn of direction', 'Staff\u202enimdA'],
])('T114 %s in a group’s name, or in a person’s, makes no line and acts nowhere', async (_, name) => {
  const role = tenants.role(tenants.acme, 'Viewer');
  await addRule(world, tenants.acme, { connection: tenants.okta, kind: 'name', value: name, role });
  const key = name.replace(/\W/g, '');
  const user = (await okta.post('/Users', userBody(key, { userName: `${name}${key}`, emails: [] }))).body;
  const group = await okta.post('/Groups', { displayName: name, members: [{ value: user.id }] });
  expect(group.status).toBe(201);
  const lines = (await shownOf(user.id)).split('\n');
  expect(lines.map((line) => line.slice(0, 12))).toEqual([
    expect.stringMatching(/^Staff\ufffd/),
    '  state     ',
    '  allowed te',
    '  access req',
    '  Analytics:',
    '    because ',
  ]);
  expect(lines.join('')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  // The next one's name.
  await okta.delete(`/Groups/${group.body.id}`);
});

test('C3 I1 all that keeps somebody out is said: whom their directory deleted and an administrator suspended is both', async () => {
  const stateOf = async (id: string) => {
    const { text, json } = await showOf(id);
    const { state, bars } = json as { state: string; bars: readonly string[] };
    return [/^ {2}state +(.*)$/m.exec(text)?.[1], state, bars];
  };
  const { id } = (await okta.post('/Users', userBody('both'))).body;
  expect(await stateOf(id)).toEqual(['no_access', 'no_access', []]);
  const { userId, tenantId } = await personOf(world, id);
  const subject = { subjectId: userId, kind: 'user', person: { tenantId, userId } } as const;
  await suspend(world.context(), tenants.acme, subject, null);
  expect(await stateOf(id)).toEqual(['suspended (NO_ACCESS)', 'suspended', ['suspended']]);
  expect((await okta.delete(`/Users/${id}`)).status).toBe(204);
  const both = ['deactivated and suspended (NO_ACCESS)', 'deactivated', ['deactivated', 'suspended']];
  expect(await stateOf(id)).toEqual(both);
  // The list does not say less than that.
  const { text, json } = await userList.run(cliOf(), { tenant: 'acme' });
  expect(text).toMatch(/^both@acme\.example +user +deactivated and suspended$/m);
  expect(json).toContainEqual(
    expect.objectContaining({
      userName: 'both@acme.example',
      state: 'deactivated',
      bars: ['deactivated', 'suspended'],
    }),
  );
  const { id: other } = (await okta.post('/Users', userBody('gone'))).body;
  await okta.delete(`/Users/${other}`);
  expect(await stateOf(other)).toEqual(['deactivated (NO_ACCESS)', 'deactivated', ['deactivated']]);
});

test('C3 I1 to switch somebody on says what still keeps them out, and until when', async () => {
  const { id } = (await okta.post('/Users', userBody('switched'))).body;
  const { userId, tenantId } = await personOf(world, id);
  const which = { tenant: 'acme', user: 'switched@acme.example' };
  const activate = async () => {
    const { text, json } = await userActivate.run(cliOf(), which);
    return [text.split('\n').slice(1), (json as { bars: readonly string[] }).bars];
  };
  expect((await userDeactivate.run(cliOf(), which)).text).toBe('Is Active is now off for switched@acme.example.');
  expect((await userActivate.run(cliOf(), which)).text).toBe('Is Active is now on for switched@acme.example.');
  const subject = { subjectId: userId, kind: 'user', person: { tenantId, userId } } as const;
  await suspend(world.context(), tenants.acme, subject, null);
  await userDeactivate.run(cliOf(), which);
  const suspended = 'They stay suspended, until an administrator assigns a role.';
  expect(await activate()).toEqual([[suspended], ['suspended']]);
  // Also where the switch was on before.
  expect(await activate()).toEqual([[suspended], ['suspended']]);
  await okta.delete(`/Users/${id}`);
  expect(await activate()).toEqual([
    [
      'They stay deactivated, until a directory that knows them and is neither held nor switched off has them active.',
      suspended,
    ],
    ['deactivated', 'suspended'],
  ]);
});

test('C3 a guest who is suspended as one and deactivated at home is told to be both', async () => {
  const { id } = (await okta.post('/Users', userBody('visitor'))).body;
  const person = await personOf(world, id);
  const gift = { roles: ['Analytics: Viewer'], groups: [] };
  expect((await mapGuest(world.context(), tenants.labs, person, gift, operator)).kind).not.toBe('refused');
  const barsOf = async () => {
    const { json } = await userShow.run(cliOf(), { tenant: 'acme-labs', user: 'visitor@acme.example' });
    return (json as { bars: readonly string[] }).bars;
  };
  expect(await barsOf()).toEqual([]);
  const guest = await nameSubject(world.context(), tenants.labs.tenantId, 'visitor@acme.example');
  if (guest.kind === 'refused') throw new Error(guest.message);
  await suspend(world.context(), tenants.labs, guest, null);
  expect(await barsOf()).toEqual(['suspended']);
  await okta.delete(`/Users/${id}`);
  expect(await barsOf()).toEqual(['deactivated', 'suspended']);
});
