// People who come back to a guarded directory under the names of somebody suspended, while another directory has them active.

import { beforeAll, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { planResume } from '../../src/operations/plan-resume.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { resumeDirectory } from '../../src/operations/resume-directory.ts';
import { suspend } from '../../src/operations/suspend.ts';
import type { Acme } from '../support/acme.ts';
import { type GuardStage, guardStage } from '../support/guard-stage.ts';
import { personOf } from '../support/people.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let entra: DirectoryClient;
let withGuard: GuardStage['withGuard'];
beforeAll(async () => {
  const stage = await guardStage();
  ({ world, tenants, entra, withGuard } = stage);
  return stage.close;
});

let serial = 0;
const fresh = (what: string) => `${what}${++serial}`;
const stateOf = async ({ userId }: { readonly userId: UserId }) =>
  (await readAccess(world.context(), { tenantId: tenants.acme.tenantId, userId }, null))?.access.state;

/** Of somebody who left okta; `okta`: free of any guard. */
async function suspendedName(okta: DirectoryClient): Promise<string> {
  const name = fresh('suspended');
  const { body } = await okta.post('/Users', userBody(name));
  const person = await personOf(world, body.id);
  await suspend(world.context(), tenants.acme, { subjectId: person.userId, kind: 'user', person }, null);
  await okta.delete(`/Users/${body.id}`);
  return `${name}@acme.example`;
}

type Returner = { readonly name: string; readonly userId: UserId };
/** Left okta; `stays`: entra has them. */
async function returner(okta: DirectoryClient, name: string, stays: boolean): Promise<Returner> {
  const { body, status } = await okta.post('/Users', userBody(name));
  expect(status).toBe(201);
  if (stays) expect((await entra.post('/Users', userBody(name))).status).toBe(201);
  await okta.delete(`/Users/${body.id}`);
  return { name, userId: (await personOf(world, body.id)).userId };
}
const comesBackAs = (client: DirectoryClient, name: string, alias: string) =>
  client.post(
    '/Users',
    userBody(name, { emails: [{ value: `${name}@acme.example`, primary: true }, { value: alias }] }),
  );

test('T58 it is paused by the one too many whom it would suspend so; those whom no directory has any more are not counted', async () => {
  const free = await withGuard(null);
  const alias = await suspendedName(free);
  const gone = [await returner(free, fresh('gone'), false), await returner(free, fresh('gone'), false)];
  const stay = () => returner(free, fresh('there'), true);
  const there = [await stay(), await stay(), await stay()] as const;
  const [first, ...others] = there;
  const client = await withGuard(1);
  for (const { name } of [...gone, first]) expect((await comesBackAs(client, name, alias)).status).toBe(201);
  for (const { name } of others) expect((await comesBackAs(client, name, alias)).status).toBe(503);
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
  expect(plan.people.map(({ name, touched }) => [name, touched])).toEqual(
    others.map(({ name }) => [`${name}@acme.example`, true]),
  );
  expect(await resumeDirectory(world.context(), tenants.acme, 'okta', plan.digest)).toMatchObject({ kind: 'resumed' });
  for (const { name } of others) expect((await comesBackAs(client, name, alias)).status).toBe(201);
  expect(await Promise.all(there.map(stateOf))).toEqual(['suspended', 'suspended', 'suspended']);
});

test('the failing twin: who comes back in their own name alone is not counted', async () => {
  const free = await withGuard(null);
  const own = [await returner(free, fresh('own'), true), await returner(free, fresh('own'), true)];
  const client = await withGuard(1);
  for (const { name } of own) expect((await client.post('/Users', userBody(name))).status).toBe(201);
});
