// A userName that is no address: whoever has it next, where its former holder is suspended and another directory still knows them.

import { beforeAll, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import type { Acme } from '../support/acme.ts';
import { personOf } from '../support/people.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
let entra: DirectoryClient;
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta, entra } = stage);
  return stage.close;
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
  const { userId } = await personOf(world, body.id);
  return { id: body.id, userId };
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
