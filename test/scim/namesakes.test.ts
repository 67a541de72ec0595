// A userName that is no address: whoever has it next in its directory, where somebody who had it before is suspended.

import { beforeAll, describe, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, changeSettings } from '../support/acme.ts';
import { bulk, idOf, patch, title } from '../support/bulk.ts';
import { assertionByNameId, enter } from '../support/entering.ts';
import { personOf } from '../support/people.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import { operator, type TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
let entra: DirectoryClient;
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta, entra } = stage);
  await changeSettings(world, tenants.acme, { provisioningMode: 'jit' });
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
/** In the full-width letters that NFKC makes plain ones of. */
const wide = (text: string) => [...text].map((letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0)).join('');
/** A SAML sign-in whose NameID is this. */
async function letIn(userId: UserId): Promise<void> {
  const subject = { subjectId: userId, kind: 'user', person: { tenantId: tenants.acme.tenantId, userId } } as const;
  const outcome = await assignRole(world.context(), tenants.acme, subject, 'Analytics: Viewer', operator);
  expect(outcome).toMatchObject({ kind: 'assigned', lifted: true });
}
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

const rename = (to: string) => ({ op: 'replace', path: 'userName', value: to });
type Made = { readonly id: string; readonly userId: UserId };

const orders: readonly (readonly [string, (made: Made, name: string) => Promise<unknown>])[] = [
  [
    'renamed by a PATCH and removed',
    async ({ id, userId }, name) => {
      await suspended(userId);
      expect((await okta.patch(`/Users/${id}`, rename(`${name}-2`))).status).toBe(200);
      expect((await okta.delete(`/Users/${id}`)).status).toBe(204);
    },
  ],
  [
    'renamed, and still there',
    async ({ id, userId }, name) => {
      await suspended(userId);
      await okta.put(`/Users/${id}`, userBody(name, { userName: `${name}-2` }));
    },
  ],
  [
    'renamed in a bulk, and again',
    async ({ id, userId }, name) => {
      await suspended(userId);
      const other = await pushed(okta, fresh());
      for (const to of [`${name}-2`, `${name}-3`])
        await bulk(okta, [patch(`/Users/${other.id}`, title(to)), patch(`/Users/${id}`, rename(to))]);
    },
  ],
  [
    'renamed before they were suspended',
    async ({ id, userId }, name) => {
      await okta.patch(`/Users/${id}`, rename(`${name}-2`));
      await suspended(userId);
    },
  ],
  [
    'removed, and back under another name',
    async ({ id, userId }, name) => {
      await okta.delete(`/Users/${id}`);
      expect((await pushed(okta, name, { userName: `${name}-2` })).userId).toBe(userId);
      await suspended(userId);
    },
  ],
];

describe.each(orders)('T118 T122 I3 the userName of a suspended person who was %s', (_, leave) => {
  const left = async () => {
    const name = fresh();
    await leave(await pushed(okta, name, { userName: name }), name);
    return name;
  };

  test('holds whoever is made anew under it, in any case and width', async () => {
    for (const form of [(name: string) => name, (name: string) => name.toUpperCase(), wide])
      expect(await stateOf((await pushed(okta, fresh(), { userName: form(await left()) })).userId)).toBe('suspended');
  });

  test('holds those of a bulk, and whoever is renamed to it', async () => {
    const [one, other] = [await left(), await left()];
    const had = await pushed(okta, fresh());
    const results = await bulk(okta, [
      { method: 'POST', path: '/Users', bulkId: 'a', data: userBody(fresh(), { userName: one }) },
      { method: 'POST', path: '/Users', bulkId: 'b', data: userBody(fresh()) },
      patch(`/Users/${had.id}`, rename(other)),
    ]);
    expect(results).toMatchObject(['201', '201', '200'].map((status) => ({ status })));
    expect(await stateOf((await personOf(world, idOf(results[0]))).userId)).toBe('suspended');
    expect(await stateOf(had.userId)).toBe('suspended');
  });

  test('T119 holds who signs in by it for the first time, and is linked to nobody else by an address', async () => {
    const name = await left();
    const email = `private-${name}@acme.example`;
    const entered = await enter(world, tenants.acme.tenantId, assertionByNameId(tenants.okta, name, email));
    if (entered.kind !== 'signed_in') throw new Error(entered.reason);
    expect(await stateOf(entered.person.userId)).toBe('suspended');
    const another = await left();
    const victim = await pushed(entra, fresh(), { userName: fresh() });
    const [row] = await world.sql<{ email: string }>('select email from users where user_id = $1', [victim.userId]);
    const led = await enter(world, tenants.acme.tenantId, assertionByNameId(tenants.okta, another, row?.email ?? ''));
    // What a directory removed still names its person.
    if (led.kind === 'signed_in') expect(await stateOf(led.person.userId)).toBe('suspended');
    else expect(led).toEqual({ kind: 'refused', reason: 'add_sso' });
  });
});

test('T121 nor is who signs in by an address that a suspended person had, into an account that has the other address', async () => {
  for (const isSuspended of [true, false]) {
    const made = await pushed(okta, fresh());
    const [row] = await world.sql<{ email: string }>('select email from users where user_id = $1', [made.userId]);
    const left = userBody(fresh(), { externalId: fresh() });
    expect((await okta.put(`/Users/${made.id}`, left)).status).toBe(200);
    if (isSuspended) await suspended(made.userId);
    const victim = await pushed(entra, fresh());
    const [own] = await world.sql<{ email: string }>('select email from users where user_id = $1', [victim.userId]);
    const entered = await enter(
      world,
      tenants.acme.tenantId,
      assertionByNameId(tenants.okta, row?.email ?? '', own?.email ?? ''),
    );
    if (isSuspended) expect(entered).toEqual({ kind: 'refused', reason: 'add_sso' });
    else expect(entered).toMatchObject({ kind: 'signed_in', person: { userId: victim.userId } });
  }
});

test('R21 an administrator who knows better lets them in, and is asked only once', async () => {
  const name = fresh();
  const made = await pushed(okta, name, { userName: name });
  await suspended(made.userId);
  await okta.patch(`/Users/${made.id}`, rename(`${name}-2`));
  const next = await pushed(okta, fresh(), { userName: name });
  expect(await stateOf(next.userId)).toBe('suspended');
  await letIn(next.userId);
  await okta.patch(`/Users/${next.id}`, title('still here'));
  await enter(world, tenants.acme.tenantId, assertionByNameId(tenants.okta, name, null));
  expect(await stateOf(next.userId)).toBe('active');
});

test('the failing twin: free are a userName in another directory, of nobody suspended, and of who was let in', async () => {
  const name = fresh();
  const made = await pushed(okta, name, { userName: name });
  await okta.patch(`/Users/${made.id}`, rename(`${name}-2`));
  const early = await pushed(okta, fresh(), { userName: name });
  expect(await stateOf(early.userId)).toBe('no_access');
  await suspended(made.userId);
  // It was theirs before anybody was suspended who had had it.
  expect(await enter(world, tenants.acme.tenantId, assertionByNameId(tenants.okta, name, null))).toMatchObject({
    created: false,
  });
  await okta.patch(`/Users/${early.id}`, title('still here'));
  expect(await stateOf(early.userId)).toBe('no_access');
  expect(await stateOf((await pushed(entra, fresh(), { userName: name })).userId)).toBe('no_access');
  await letIn(made.userId);
  await okta.delete(`/Users/${early.id}`);
  expect(await stateOf((await pushed(okta, fresh(), { userName: name })).userId)).toBe('no_access');
});
