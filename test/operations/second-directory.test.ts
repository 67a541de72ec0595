// A person of two directories who administers by a group of one of them: the other one's push leads nobody into their account.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { UpstreamAssertion } from '../../src/core/identity.ts';
import type { ConnectionId, Instant, UserId } from '../../src/core/ids.ts';
import type { Email } from '../../src/core/profile.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { signIn } from '../../src/operations/sign-in.ts';
import { type Acme, acme, addRule } from '../support/acme.ts';
import { type DirectoryClient, directory, type ScimServer, scimServer, userBody } from '../support/scim.ts';
import { operator, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
/** Both own acme.example. */
let okta: DirectoryClient;
let entra: DirectoryClient;
const groups: Record<string, string> = {};
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  server = await scimServer(world);
  okta = await directory(world, server, tenants.acme, 'okta');
  entra = await directory(world, server, tenants.acme, 'entra');
  for (const [name, role] of [
    ['Admins', 'Admin'],
    ['Viewers', 'Viewer'],
  ] as const) {
    await addRule(world, tenants.acme, {
      connection: tenants.entra,
      kind: 'name',
      value: name,
      role: tenants.role(tenants.acme, role),
    });
    groups[name] = (await entra.post('/Groups', { displayName: name })).body.id;
  }
});
afterAll(async () => {
  await server?.close();
  await world?.close();
});

let serial = 0;
const fresh = () => `second${++serial}`;
async function pushed(client: DirectoryClient, name: string): Promise<{ id: string; userId: UserId }> {
  const { status, body, text } = await client.post('/Users', userBody(name));
  if (status !== 201) throw new Error(text);
  const [row] = await world.sql<{ user_id: UserId }>(
    'select user_id from directory_users where directory_user_id = $1',
    [body.id],
  );
  return { id: body.id, userId: row?.user_id as UserId };
}
const join = (group: string, value: string) =>
  entra.patch(`/Groups/${groups[group]}`, { op: 'add', path: 'members', value: [{ value }] });

async function enter(connectionId: ConnectionId, name: string): Promise<UserId | string> {
  const assertion: UpstreamAssertion = {
    connectionId,
    method: 'oidc',
    issuer: 'https://idp.example',
    subject: `ext-${name}`,
    directoryIds: [`ext-${name}`],
    directoryUserName: null,
    email: `${name}@acme.example` as Email,
    emailVerified: true,
    givenName: null,
    familyName: null,
    displayName: null,
    groups: { kind: 'absent' },
    authenticatedAt: Date.now() as Instant,
  };
  const expiresAt = (Date.now() + 60_000) as Instant;
  const outcome = await signIn(world.context(), tenants.acme.tenantId, { assertion, replayKey: null, expiresAt });
  return outcome.kind === 'signed_in' ? outcome.person.userId : outcome.reason;
}

test('T105 D4 by the other one’s connection nobody comes into it, as nobody would by the address alone', async () => {
  const [linked, unlinked] = [fresh(), fresh()];
  for (const name of [linked, unlinked]) {
    const there = await pushed(entra, name);
    await join('Admins', there.id);
    if (name === linked) expect((await pushed(okta, name)).userId).toBe(there.userId);
    expect(await enter(tenants.okta, name)).toBe('add_sso');
    expect(await world.sql('select 1 from identities where user_id = $1', [there.userId])).toEqual([]);
    expect(await enter(tenants.entra, name)).toBe(there.userId);
  }
});

test('the failing twin: into an account with other roles, or with rights that an administrator gave, it leads', async () => {
  const name = fresh();
  const there = await pushed(entra, name);
  await join('Viewers', there.id);
  await pushed(okta, name);
  const person = { tenantId: tenants.acme.tenantId, userId: there.userId };
  await assignRole(
    world.context(),
    tenants.acme,
    { subjectId: there.userId, kind: 'user', person },
    'Operations: Admin',
    operator,
  );
  expect(await enter(tenants.okta, name)).toBe(there.userId);
  expect((await readAccess(world.context(), person, null))?.access.roles.map((one) => one.role)).toEqual([
    'Analytics: Viewer',
    'Operations: Admin',
  ]);
});

test('who came in by it before they came to administer goes on to do so', async () => {
  const name = fresh();
  const there = await pushed(entra, name);
  await pushed(okta, name);
  expect(await enter(tenants.okta, name)).toBe(there.userId);
  await join('Admins', there.id);
  expect(await enter(tenants.okta, name)).toBe(there.userId);
});
