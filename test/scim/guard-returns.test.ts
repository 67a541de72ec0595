// People who come back to a guarded directory under the names of somebody suspended, while another directory has them active.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { planResume } from '../../src/operations/plan-resume.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { resumeDirectory } from '../../src/operations/resume-directory.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, acme } from '../support/acme.ts';
import {
  type DirectoryClient,
  directory,
  directoryClient,
  type ScimServer,
  scimServer,
  userBody,
} from '../support/scim.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
const servers: ScimServer[] = [];
let okta: DirectoryClient;
let entra: DirectoryClient;
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  const server = await scimServer(world);
  servers.push(server);
  okta = await directory(world, server, tenants.acme, 'okta');
  entra = await directory(world, server, tenants.acme, 'entra');
});
afterAll(async () => {
  for (const server of servers) await server.close();
  await world?.close();
});

/** By a server that has not seen the token yet, and so reads the settings anew. */
async function guarded(people: number): Promise<DirectoryClient> {
  const guard = { people, percent: 100, minutes: 60 };
  await world.sql('update connections set directory = $2 where connection_id = $1', [tenants.okta, { guard }]);
  const server = await scimServer(world);
  servers.push(server);
  return directoryClient(server, 'acme', 'okta', okta.token);
}
const personOf = async (id: string) =>
  (await world.sql<{ user_id: UserId }>('select user_id from directory_users where directory_user_id = $1', [id]))[0]
    ?.user_id as UserId;
const stateOf = async (userId: UserId) =>
  (await readAccess(world.context(), { tenantId: tenants.acme.tenantId, userId }, null))?.access.state;

async function suspendedName(): Promise<string> {
  const { body } = await okta.post('/Users', userBody('suspended'));
  const userId = await personOf(body.id);
  const person = { tenantId: tenants.acme.tenantId, userId };
  await suspend(world.context(), tenants.acme, { subjectId: userId, kind: 'user', person }, null);
  await okta.delete(`/Users/${body.id}`);
  return 'suspended@acme.example';
}

/** Left okta; `stays`: entra has them. */
async function returner(name: string, stays: boolean): Promise<UserId> {
  const { body } = await okta.post('/Users', userBody(name));
  if (stays) expect((await entra.post('/Users', userBody(name))).status).toBe(201);
  await okta.delete(`/Users/${body.id}`);
  return personOf(body.id);
}
const comesBackAs = (client: DirectoryClient, name: string, alias: string) =>
  client.post(
    '/Users',
    userBody(name, { emails: [{ value: `${name}@acme.example`, primary: true }, { value: alias }] }),
  );

test('T58 it is paused by the one too many whom it would suspend so; those whom no directory has any more are not counted', async () => {
  const alias = await suspendedName();
  const gone = [await returner('gone1', false), await returner('gone2', false)];
  const there = [await returner('there1', true), await returner('there2', true), await returner('there3', true)];
  const client = await guarded(1);
  for (const [at] of gone.entries()) expect((await comesBackAs(client, `gone${at + 1}`, alias)).status).toBe(201);
  expect((await comesBackAs(client, 'there1', alias)).status).toBe(201);
  for (const name of ['there2', 'there3']) expect((await comesBackAs(client, name, alias)).status).toBe(503);
  expect(await Promise.all([...gone, ...there].map(stateOf))).toEqual([
    'suspended',
    'suspended',
    'suspended',
    'no_access',
    'no_access',
  ]);
  // Both are named, and come back so once an administrator approved that.
  const plan = await planResume(world.context(), tenants.acme, 'okta');
  if (plan.kind !== 'paused') throw new Error(plan.kind);
  expect(plan.people.map(({ name, touched }) => [name, touched])).toEqual([
    ['there2@acme.example', true],
    ['there3@acme.example', true],
  ]);
  expect(await resumeDirectory(world.context(), tenants.acme, 'okta', plan.digest)).toMatchObject({ kind: 'resumed' });
  for (const name of ['there2', 'there3']) expect((await comesBackAs(client, name, alias)).status).toBe(201);
  expect(await Promise.all(there.map(stateOf))).toEqual(['suspended', 'suspended', 'suspended']);
});

test('the failing twin: who comes back in their own name alone is not counted', async () => {
  for (const name of ['own1', 'own2']) await returner(name, true);
  const client = await guarded(1);
  await world.sql('delete from directory_guard_acts');
  await world.sql('delete from directory_guard_people');
  await world.sql('delete from directory_guards');
  for (const name of ['own1', 'own2']) expect((await client.post('/Users', userBody(name))).status).toBe(201);
});
