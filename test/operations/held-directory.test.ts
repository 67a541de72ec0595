// A held directory: its pushes land, it may take away, and it gives nobody anything, by whichever way.

import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { type Acme, addRule, addUser, changeSettings } from '../support/acme.ts';
import { setHeld } from '../support/directory-settings.ts';
import { assertionOf, enter } from '../support/entering.ts';
import { personOf } from '../support/people.ts';
import { type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
let editors: Body;
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta } = stage);
  const at = { connection: tenants.okta, kind: 'name' } as const;
  await addRule(world, tenants.acme, { ...at, value: 'Editors', role: tenants.role(tenants.acme, 'Editor') });
  await addRule(world, tenants.acme, { ...at, value: 'Viewers', role: tenants.role(tenants.acme, 'Viewer') });
  editors = (await okta.post('/Groups', { displayName: 'Editors' })).body;
  return stage.close;
});
beforeEach(() => hold(false));

const hold = (held: boolean) => setHeld(world, tenants.okta, held);
let serial = 0;
const fresh = () => `held${++serial}`;
const addressOf = (name: string) => `${name}@acme.example`;
const rolesOf = async (userId: UserId) => {
  const read = await readAccess(world.context(), { tenantId: tenants.acme.tenantId, userId }, null);
  return [read?.access.state, ...(read?.access.roles.map((role) => role.role) ?? [])];
};
async function pushed(name: string, more: object = {}): Promise<{ id: string; userId: UserId }> {
  const answer = await okta.post('/Users', userBody(name, more));
  if (answer.status !== 201) throw new Error(answer.text);
  return { id: answer.body.id, userId: (await personOf(world, answer.body.id)).userId };
}
const joinEditors = (id: string) =>
  okta.patch(`/Groups/${editors.id}`, { op: 'add', path: 'members', value: [{ value: id }] });

/** A sign-in through the held directory's own connection. `subject` equals the externalId of the pushes. */
const comesIn = (subject: string, email: string | null, groups: readonly string[] = []) =>
  enter(world, tenants.acme.tenantId, assertionOf(tenants.okta, { subject, email, groups }));

test('its groups give nobody a role, new or adopted; activated, they do', async () => {
  await hold(true);
  const known = await addUser(world, tenants.acme, addressOf(fresh()));
  const adopted = await pushed(`held${serial}`);
  const made = await pushed(fresh());
  expect(adopted.userId).toBe(known);
  for (const { id } of [adopted, made]) expect((await joinEditors(id)).status).toBe(204);
  expect([await rolesOf(known), await rolesOf(made.userId)]).toEqual([['no_access'], ['no_access']]);
  await hold(false);
  expect([await rolesOf(known), await rolesOf(made.userId)]).toEqual([
    ['active', 'Analytics: Editor'],
    ['active', 'Analytics: Editor'],
  ]);
});

test('it does not silence the groups that the sign-in itself names, until it is activated and speaks for itself', async () => {
  await changeSettings(world, tenants.acme, { provisioningMode: 'jit' });
  const name = fresh();
  const entered = await comesIn(`ext-${name}`, addressOf(name), ['Viewers']);
  if (entered.kind !== 'signed_in') throw new Error(entered.reason);
  const { userId } = entered.person;
  expect(await rolesOf(userId)).toEqual(['active', 'Analytics: Viewer']);
  await hold(true);
  const { id, userId: pushedFor } = await pushed(name);
  expect(pushedFor).toBe(userId);
  await joinEditors(id);
  expect(await rolesOf(userId)).toEqual(['active', 'Analytics: Viewer']);
  await hold(false);
  expect(await rolesOf(userId)).toEqual(['active', 'Analytics: Editor']);
});

test('T58 what it takes away is taken at once: active false and DELETE bar, and no sign-in makes the person anew', async () => {
  await changeSettings(world, tenants.acme, { provisioningMode: 'jit' });
  await hold(true);
  const [one, two] = [fresh(), fresh()];
  const off = await pushed(one);
  expect((await okta.patch(`/Users/${off.id}`, { op: 'replace', path: 'active', value: false })).status).toBe(200);
  const gone = await pushed(two);
  expect((await okta.delete(`/Users/${gone.id}`)).status).toBe(204);
  expect([await rolesOf(off.userId), await rolesOf(gone.userId)]).toEqual([['deactivated'], ['deactivated']]);
  for (const [name, address] of [
    [one, addressOf(one)],
    [two, addressOf(fresh())],
  ] as const)
    expect(await comesIn(`ext-${name}`, address)).toMatchObject({ kind: 'refused', reason: 'deactivated' });
});

test('I11 no sign-in comes by it into an account that it did not make, unless the address alone would have led there', async () => {
  const known = await addUser(world, tenants.acme, addressOf(fresh()));
  const name = `held${serial}`;
  await hold(true);
  const { userId } = await pushed(name);
  expect(userId).toBe(known);
  expect(await comesIn(`ext-${name}`, null)).toMatchObject({ kind: 'refused' });
  await changeSettings(world, tenants.acme, { linking: 'off' });
  expect(await comesIn(`ext-${name}`, addressOf(name))).toMatchObject({ kind: 'refused', reason: 'add_sso' });
  await changeSettings(world, tenants.acme, { linking: 'verified_domain' });
  expect(await comesIn(`ext-${name}`, addressOf(name))).toMatchObject({ kind: 'signed_in', person: { userId: known } });
});

test('I11 the failing twin: an activated directory’s externalId leads into the account that it adopted', async () => {
  const known = await addUser(world, tenants.acme, addressOf(fresh()));
  const name = `held${serial}`;
  await pushed(name);
  expect(await comesIn(`ext-${name}`, null)).toMatchObject({ kind: 'signed_in', person: { userId: known } });
});

test('whom it made themselves may sign in by it, and finds no access there', async () => {
  await hold(true);
  const name = fresh();
  const { id, userId } = await pushed(name);
  await joinEditors(id);
  expect(await comesIn(`ext-${name}`, null)).toMatchObject({ kind: 'signed_in', person: { userId } });
  expect(await rolesOf(userId)).toEqual(['no_access']);
});

test('T29 it does not prove an address that nobody proved: 409 says to activate it, audited; activated, it adopts', async () => {
  const known = await addUser(world, tenants.acme, addressOf(fresh()));
  const name = `held${serial}`;
  await world.sql('update users set email_verified_at = null where user_id = $1', [known]);
  await world.sql(`insert into passwords (tenant_id, user_id, hash) values ($1, $2, 'x')`, [
    tenants.acme.tenantId,
    known,
  ]);
  await hold(true);
  const refused = await okta.post('/Users', userBody(name));
  expect([refused.status, refused.body.scimType]).toEqual([409, 'uniqueness']);
  expect(refused.body.detail).toContain('Let an administrator activate the directory; then send the user again.');
  expect(await world.sql('select 1 from passwords where user_id = $1', [known])).toHaveLength(1);
  expect(
    await world.sql(
      `select reason from audit_events where object_id = $1 and kind = 'user.adopt' and outcome = 'refused'`,
      [known],
    ),
  ).toEqual([{ reason: 'held' }]);
  await hold(false);
  expect((await pushed(name)).userId).toBe(known);
  expect(await world.sql('select 1 from passwords where user_id = $1', [known])).toEqual([]);
});
