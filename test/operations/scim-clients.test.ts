import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CredentialId, Instant } from '../../src/core/ids.ts';
import { parseScimClientId, type ScimClientKey } from '../../src/core/scim-client.ts';
import { createClient } from '../../src/operations/create-client.ts';
import { createScimClient } from '../../src/operations/create-scim-client.ts';
import { createScimCredential } from '../../src/operations/create-scim-credential.ts';
import { endScimClient } from '../../src/operations/end-scim-client.ts';
import { endScimCredential } from '../../src/operations/end-scim-credential.ts';
import { clientsOfTenant, findClient } from '../../src/operations/find-client.ts';
import { findScimClient, listScimClients } from '../../src/operations/find-scim-client.ts';
import { listScimCredentials } from '../../src/operations/list-scim-credentials.ts';
import { clientSettings } from '../provider/support.ts';
import { type Acme, acme } from '../support/acme.ts';
import { operator, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
beforeEach(async () => {
  world = await testWorld();
  tenants = await acme(world);
});
afterEach(() => world?.close());

async function made(key: string, tenant = tenants.acme, expiresAt: Instant | null = null) {
  const outcome = await createScimClient(world.context(), tenant, key, expiresAt);
  if (outcome.kind === 'refused') throw new Error(outcome.message);
  return outcome;
}
const keyOf = (clientId: string) => parseScimClientId(clientId) as ScimClientKey;
const found = (clientId: string) => findScimClient(world.context(), keyOf(clientId));
const kindsOf = async (connection: string) =>
  (
    await world.sql<{ kind: string; actor: object }>(
      `select kind, actor from audit_events where kind like 'scim_client.%' and object_id = $1 order by occurred_at`,
      [connection],
    )
  ).map(({ kind, actor }) => [kind, actor]);

test('T51 a client of a directory is kept with the hash of its secret alone, and its making is on record without it', async () => {
  const { clientId, secret } = await made('okta');
  expect(keyOf(clientId).tenantId).toBe(tenants.acme.tenantId);
  expect(await found(clientId)).toMatchObject({ tenant: 'acme', connectionKey: 'okta', expiresAt: null });
  const kept = await world.sql(
    `select to_jsonb(k) as row, encode(secret_hash, 'escape') as hash from scim_credentials k`,
  );
  const audit = await world.sql(`select to_jsonb(a) as row from audit_events a`);
  expect(JSON.stringify(kept)).toContain(clientId);
  expect(JSON.stringify([kept, audit])).not.toContain(secret);
  expect(await kindsOf(tenants.okta)).toEqual([['scim_client.created', operator]]);
});

test('T54 two clients live at once for rotation, beside two tokens; a third is refused until one is ended', async () => {
  const [one, two] = [await made('entra'), await made('entra')];
  const third = () => createScimClient(world.context(), tenants.acme, 'entra', null);
  expect(await third()).toMatchObject({ kind: 'refused', code: 'invalid' });
  for (let tokens = 0; tokens < 2; tokens += 1) {
    expect(await createScimCredential(world.context(), tenants.acme, 'entra', null)).toMatchObject({ kind: 'created' });
  }
  expect(await endScimClient(world.context(), tenants.acme, one.clientId)).toEqual({ kind: 'ended' });
  expect([await found(one.clientId), await found(two.clientId)]).toEqual([undefined, expect.anything()]);
  expect(await endScimClient(world.context(), tenants.acme, one.clientId)).toMatchObject({ code: 'unknown_client' });
  expect((await kindsOf(tenants.entra)).at(-1)).toEqual(['scim_client.ended', operator]);
  // An expired one makes room, and is none.
  await world.sql(`update scim_credentials set expires_at = now() where credential_id = $1`, [
    keyOf(two.clientId).credentialId,
  ]);
  expect(await found(two.clientId)).toBeUndefined();
  await made('entra');
  expect((await third()).kind).toBe('created');
});

test('of three made at once where there is room for two, one is refused', async () => {
  const outcomes = await Promise.all(
    [1, 2, 3].map(() => createScimClient(world.context(), tenants.globex, 'okta', null)),
  );
  expect(outcomes.map((outcome) => outcome.kind).sort()).toEqual(['created', 'created', 'refused']);
});

test('T106 a client is listed and ended in its own tenant alone, and as what it is', async () => {
  await made('okta', tenants.globex);
  await createScimCredential(world.context(), tenants.acme, 'entra', null);
  const [listed] = await listScimClients(world.context(), tenants.globex);
  if (listed === undefined) throw new Error('there is none');
  const clientId = listed.prefix;
  expect(keyOf(clientId).credentialId).toBe(listed.credentialId);
  expect(await endScimClient(world.context(), tenants.acme, clientId)).toMatchObject({ code: 'unknown_client' });
  const moved = clientId.replace(tenants.globex.tenantId, tenants.acme.tenantId);
  expect(await endScimClient(world.context(), tenants.acme, moved)).toMatchObject({ code: 'unknown_client' });
  expect(await found(moved)).toBeUndefined();
  expect(await endScimCredential(world.context(), tenants.globex, listed.credentialId)).toMatchObject({
    kind: 'refused',
  });
  const tokens = await listScimCredentials(world.context(), tenants.acme);
  expect(tokens.length).toBeGreaterThan(0);
  for (const token of tokens) expect(token.prefix).toMatch(/^[a-z0-9]{12}$/);
  const [token] = tokens;
  const asClient = `scim.${tenants.acme.tenantId}.${token?.credentialId}`;
  expect(await endScimClient(world.context(), tenants.acme, asClient)).toMatchObject({ code: 'unknown_client' });
  expect(await found(asClient)).toBeUndefined();
  expect(await endScimClient(world.context(), tenants.globex, clientId)).toEqual({ kind: 'ended' });
});

test('a client of a directory is no application: none is listed, found or made under such an id', async () => {
  const { clientId } = await made('okta', tenants.globex);
  expect(await clientsOfTenant(world.context(), tenants.globex)).toEqual([]);
  expect(await findClient(world.context(), clientId)).toBeUndefined();
  for (const id of [clientId, 'scim.x']) {
    expect(await createClient(world.context(), tenants.globex, id, clientSettings())).toMatchObject({
      code: 'invalid',
    });
  }
});

test('a disabled connection, one without SCIM, one that ended and an inactive tenant have no client', async () => {
  const { clientId } = await made('okta');
  for (const [off, on] of [
    ['update connections set enabled = false', 'update connections set enabled = true'],
    ['update connections set scim = false', 'update connections set scim = true'],
    ['update connections set ended_at = now()', 'update connections set ended_at = null'],
    ['update tenants set active = false', 'update tenants set active = true'],
    ['update tenants set ended_at = now()', 'update tenants set ended_at = null'],
  ] as const) {
    await world.sql(`${off} where tenant_id = $1`, [tenants.acme.tenantId]);
    expect([off, await found(clientId)]).toEqual([off, undefined]);
    await world.sql(`${on} where tenant_id = $1`, [tenants.acme.tenantId]);
    expect([on, await found(clientId)]).toEqual([on, expect.anything()]);
  }
});

test('there is none for a connection without SCIM or that is not there, and none that is expired when made', async () => {
  await world.sql('update connections set scim = false where connection_id = $1', [tenants.entra]);
  for (const key of ['entra', 'nothing']) {
    expect(await createScimClient(world.context(), tenants.acme, key, null)).toMatchObject({
      code: 'unknown_connection',
    });
  }
  const past = await createScimClient(world.context(), tenants.acme, 'okta', 1 as Instant);
  expect(past).toMatchObject({ kind: 'refused', code: 'invalid' });
});

test('a client id of another form names nobody, and the database takes none that a token could have', async () => {
  const { tenantId } = tenants.acme;
  const other = '01a20120-b826-7c46-a19a-bb40af405875' as CredentialId;
  for (const wrong of [
    '',
    'scim.',
    `scim.${tenantId}`,
    `scim.${tenantId}.${other}.x`,
    `SCIM.${tenantId}.${other}`,
    `scim.${tenantId}.${other.toUpperCase()}`,
    `scim.${tenantId}.${other}'`,
  ]) {
    expect([wrong, parseScimClientId(wrong)]).toEqual([wrong, null]);
  }
  await made('okta');
  await expect(world.sql(`update scim_credentials set prefix = 'abcdefghijkl' where kind = 'client'`)).rejects.toThrow(
    'scim_credentials_client_id',
  );
});
