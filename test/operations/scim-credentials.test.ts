import { afterEach, beforeEach, expect, test } from 'vitest';
import { defaultDirectorySettings } from '../../src/core/directory-settings.ts';
import type { Instant } from '../../src/core/ids.ts';
import { authenticateDirectory } from '../../src/operations/authenticate-directory.ts';
import { createScimCredential } from '../../src/operations/create-scim-credential.ts';
import { endScimCredential } from '../../src/operations/end-scim-credential.ts';
import { listScimCredentials } from '../../src/operations/list-scim-credentials.ts';
import { type Acme, acme } from '../support/acme.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
beforeEach(async () => {
  world = await testWorld();
  tenants = await acme(world);
});
afterEach(() => world?.close());

const soon = () => (Date.now() + 60_000) as Instant;
async function made(key: string, expiresAt: Instant | null = null) {
  const outcome = await createScimCredential(world.context(), tenants.acme, key, expiresAt);
  if (outcome.kind === 'refused') throw new Error(outcome.message);
  return outcome;
}
const opens = (token: string, connection: string, tenant = 'acme') =>
  authenticateDirectory(world.context(), { tenant, connection }, token);

test('T51 a token opens its own directory, and is kept only as a hash', async () => {
  const { token, credentialId } = await made('okta');
  expect(token).toMatch(/^dbs_[a-z0-9]{12}_[A-Za-z0-9_-]{43}$/);
  expect(await opens(token, 'okta')).toEqual({
    tenantId: tenants.acme.tenantId,
    tenant: 'acme',
    connectionId: tenants.okta,
    connectionKey: 'okta',
    credentialId,
    settings: defaultDirectorySettings,
  });
  const stored = JSON.stringify(
    await world.sql(`select *, encode(secret_hash, 'escape') as hash from scim_credentials`),
  );
  expect(stored).not.toContain(token.slice(-43));
  const audit = JSON.stringify(await world.sql(`select * from audit_events where kind = 'scim_credential.created'`));
  expect(audit).toContain(credentialId);
  expect(audit).not.toContain(token.slice(-43));
});

test('T53 a token opens nothing else: no other connection, no other tenant, not with a letter changed', async () => {
  const { token } = await made('entra');
  expect(await opens(token, 'entra')).not.toBeNull();
  expect(await opens(token, 'okta')).toBeNull();
  expect(await opens(token, 'okta', 'globex')).toBeNull();
  const flip = (at: number) => token.slice(0, at) + (token[at] === 'a' ? 'b' : 'a') + token.slice(at + 1);
  for (const at of [0, 5, 20, token.length - 2]) expect([at, await opens(flip(at), 'entra')]).toEqual([at, null]);
  for (const wrong of ['', 'dbs__', `${token} `, token.toUpperCase()]) expect(await opens(wrong, 'entra')).toBeNull();
});

test('T54 two tokens live at once for rotation; a third is refused until one is ended, and the ended one is dead at once', async () => {
  await made('okta');
  await made('entra');
  const [one, two] = [await made('okta'), (await listScimCredentials(world.context(), tenants.acme))[0]];
  expect(two?.connectionKey).toBe('entra');
  const third = await createScimCredential(world.context(), tenants.acme, 'okta', null);
  expect(third).toMatchObject({ kind: 'refused', code: 'invalid' });
  expect((await endScimCredential(world.context(), tenants.acme, one.credentialId)).kind).toBe('ended');
  expect(await opens(one.token, 'okta')).toBeNull();
  const next = await made('okta', soon());
  expect(await opens(next.token, 'okta')).not.toBeNull();
  // An expired token makes room, and opens nothing.
  await world.sql('update scim_credentials set expires_at = now() where credential_id = $1', [next.credentialId]);
  expect(await opens(next.token, 'okta')).toBeNull();
  expect((await createScimCredential(world.context(), tenants.acme, 'okta', null)).kind).toBe('created');
});

test('of two made at once where there is room for one, one is refused', async () => {
  const outcomes = await Promise.all(
    [1, 2, 3].map(() => createScimCredential(world.context(), tenants.globex, 'okta', null)),
  );
  expect(outcomes.map((outcome) => outcome.kind).sort()).toEqual(['created', 'created', 'refused']);
});

test('there is none for a connection without SCIM or that is not there, and none that is expired when made', async () => {
  await world.sql('update connections set scim = false where connection_id = $1', [tenants.entra]);
  for (const key of ['entra', 'nothing']) {
    expect(await createScimCredential(world.context(), tenants.acme, key, null)).toMatchObject({
      code: 'unknown_connection',
    });
  }
  const past = await createScimCredential(world.context(), tenants.acme, 'okta', 1 as Instant);
  expect(past).toMatchObject({ kind: 'refused', code: 'invalid' });
});

test('T106 a token is ended only in its own tenant, and once', async () => {
  await createScimCredential(world.context(), tenants.globex, 'okta', null);
  const [credential] = await listScimCredentials(world.context(), tenants.globex);
  if (credential === undefined) throw new Error('there is none');
  const end = (tenant = tenants.globex) => endScimCredential(world.context(), tenant, credential.credentialId);
  expect(await end(tenants.acme)).toMatchObject({ kind: 'refused' });
  expect((await end()).kind).toBe('ended');
  expect(await end()).toMatchObject({ kind: 'refused' });
});
