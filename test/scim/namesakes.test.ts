// A userName that is no address: whoever has it next, where its former holder is suspended and another directory still knows them.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, acme } from '../support/acme.ts';
import { type DirectoryClient, directory, type ScimServer, scimServer, userBody } from '../support/scim.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
let okta: DirectoryClient;
let entra: DirectoryClient;
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  server = await scimServer(world);
  okta = await directory(world, server, tenants.acme, 'okta');
  entra = await directory(world, server, tenants.acme, 'entra');
});
afterAll(async () => {
  await server?.close();
  await world?.close();
});

let serial = 0;
const fresh = () => `nick${++serial}`;
async function pushed(
  client: DirectoryClient,
  name: string,
  more: object = {},
): Promise<{ id: string; userId: UserId }> {
  const { status, body, text } = await client.post('/Users', userBody(name, more));
  if (status !== 201) throw new Error(text);
  const [row] = await world.sql<{ user_id: UserId }>(
    'select user_id from directory_users where directory_user_id = $1',
    [body.id],
  );
  return { id: body.id, userId: row?.user_id as UserId };
}
const stateOf = async (userId: UserId) =>
  (await readAccess(world.context(), { tenantId: tenants.acme.tenantId, userId }, null))?.access.state;
async function suspended(userId: UserId): Promise<void> {
  const person = { tenantId: tenants.acme.tenantId, userId };
  const outcome = await suspend(world.context(), tenants.acme, { subjectId: userId, kind: 'user', person }, null);
  expect(outcome).toMatchObject({ kind: 'suspended' });
}

test('T118 I3 begins suspended, by POST and by a change of userName; others of the directory do not', async () => {
  const name = fresh();
  const left = await pushed(okta, name, { userName: name });
  expect((await pushed(entra, name)).userId).toBe(left.userId);
  await suspended(left.userId);
  expect((await okta.delete(`/Users/${left.id}`)).status).toBe(204);
  const next = await pushed(okta, fresh(), { userName: name.toUpperCase() });
  expect([next.userId === left.userId, await stateOf(next.userId)]).toEqual([false, 'suspended']);
  expect((await okta.delete(`/Users/${next.id}`)).status).toBe(204);
  const renamed = await pushed(okta, fresh());
  expect(await stateOf(renamed.userId)).toBe('no_access');
  expect((await okta.patch(`/Users/${renamed.id}`, { op: 'replace', path: 'userName', value: name })).status).toBe(200);
  expect(await stateOf(renamed.userId)).toBe('suspended');
});

test('the failing twin: a userName that a suspended person gave up by a rename, being there under another, is free', async () => {
  const name = fresh();
  const there = await pushed(okta, name, { userName: name });
  expect((await okta.delete(`/Users/${there.id}`)).status).toBe(204);
  const again = await pushed(okta, name, { userName: `${name}-new` });
  expect(again.userId).toBe(there.userId);
  await suspended(again.userId);
  const next = await pushed(okta, fresh(), { userName: name });
  expect(await stateOf(next.userId)).toBe('no_access');
});
