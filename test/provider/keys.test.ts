import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { allowInsecureRequests, ClientSecretPost, Configuration, refreshTokenGrant } from 'openid-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { advanceSigningKeys, loadSigningKeys, rotateSigningKeys } from '../../src/operations/signing-keys.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import {
  type Application,
  application,
  browser,
  refusal,
  type Stage,
  serve,
  stage,
  type TestServer,
  tokensFor,
} from './support.ts';

const API = 'https://api.example/';
const resources = [{ identifier: API, scopes: [] }];

let here: Stage;
let app: Application;
beforeAll(async () => {
  here = await stage();
  app = await application(here.world, here.tenants.acme, here.server, { resources });
});
afterAll(() => here?.close());

const published = async (server: Pick<TestServer, 'address'>) =>
  (await (await fetch(`${server.address}/oidc/jwks`)).json()).keys as {
    kid: string;
    alg: string;
    kty: string;
    n?: string;
  }[];
const kidOf = (token: string) => decodeProtectedHeader(token).kid;
/** Asked for by an application that has no keys yet: one that keeps them for a while is what the waiting is for. */
const signedNow = async () => {
  const fresh = await application(here.world, here.tenants.acme, here.server, { resources });
  return (await tokensFor(fresh, await here.person(here.tenants.acme), browser(), { resource: API })).access_token;
};
/** What time does. */
const age = (column: string, seconds: number) =>
  here.world.sql(`update signing_keys set ${column} = ${column} - make_interval(secs => $1)`, [seconds]);

describe('signing keys', () => {
  test('T81 are made at the first start, strong enough, and only their public part is told', async () => {
    const keys = await published(here.server);
    expect(keys.map((key) => key.alg).sort()).toEqual(['ES256', 'RS256']);
    expect(
      Buffer.from(keys.find((key) => key.alg === 'RS256')?.n ?? '', 'base64url').length * 8,
    ).toBeGreaterThanOrEqual(2048);
    for (const key of keys) {
      for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(key).not.toHaveProperty(member);
    }
  });

  test('are sealed at rest', async () => {
    const loaded = await loadSigningKeys(here.world.context());
    const rows = await here.world.sql<{ text: string }>(
      `select signing_keys::text || encode(private_sealed, 'escape') as text from signing_keys`,
    );
    for (const key of loaded) for (const row of rows) expect(row.text).not.toContain(String(key.jwk.d));
  });

  test('are made once where several servers start at once', async () => {
    const fresh = await testWorld();
    const sets = await Promise.all(Array.from({ length: 4 }, () => loadSigningKeys(fresh.context())));
    expect(new Set(sets.map((set) => JSON.stringify(set.map((key) => key.kid)))).size).toBe(1);
    await fresh.close();
  });

  test('cannot be read under another master key: the server says so instead of making new ones', async () => {
    const stranger = await testWorld({ url: here.world.url });
    await expect(loadSigningKeys(stranger.context())).rejects.toThrow();
    await expect(serve(stranger)).rejects.toThrow();
    await stranger.close();
  });

  test('the key set may be kept for ten minutes, which is shorter than a new key waits', async () => {
    const response = await fetch(`${here.server.issuer}/jwks`);
    expect(response.headers.get('cache-control')).toBe('public, max-age=600');
  });
});

describe('T81 rotation', () => {
  let otherWorld: TestWorld;
  let other: TestServer;
  beforeAll(async () => {
    otherWorld = await testWorld({ url: here.world.url, masterKey: here.masterKey });
    other = await serve(otherWorld, { origin: here.server.origin });
  });
  afterAll(async () => {
    await other?.close();
    await otherWorld?.close();
  });

  test('publishes first, signs later, keeps the old key for its tokens, and then drops it: on every server, with no sign-in lost', async () => {
    // An application keeps the keys that it was told of.
    const app = await application(here.world, here.tenants.acme, here.server, { resources });
    const visitor = browser();
    const tokens = await tokensFor(app, await here.person(here.tenants.acme), visitor, { resource: API });
    const [begun] = await here.world.sql<{ at: Date }>('select clock_timestamp() as at');
    const before = await published(here.server);
    const oldKid = kidOf(tokens.access_token);

    const rotated = await rotateSigningKeys(here.world.context());
    expect(rotated.map((key) => key.algorithm).sort()).toEqual(['ES256', 'RS256']);
    for (const key of rotated) expect(key.signsFrom).toBeGreaterThan(Date.now() + 600_000);
    const next = rotated.find((key) => key.algorithm === 'ES256')?.kid;
    // Published everywhere, told by NOTIFY; it does not sign yet.
    for (const server of [here.server, other]) {
      await expect.poll(async () => (await published(server)).map((key) => key.kid)).toContain(next);
    }
    expect(kidOf(await signedNow())).toBe(oldKid);
    // A second rotation meanwhile changes nothing.
    expect(await rotateSigningKeys(here.world.context())).toEqual(rotated);
    await advanceSigningKeys(here.world.context());
    expect(kidOf(await signedNow())).toBe(oldKid);

    await age('created_at', 16 * 60);
    await Promise.all([advanceSigningKeys(here.world.context()), advanceSigningKeys(otherWorld.context())]);
    await expect.poll(async () => kidOf(await signedNow())).toBe(next);
    // What the old key signed is still good, on the other server too, and sessions and refresh tokens go on.
    const keys = await published(other);
    expect(keys.map((key) => key.kid)).toEqual(expect.arrayContaining(before.map((key) => key.kid)));
    await jwtVerify(tokens.access_token, createLocalJWKSet({ keys }), { audience: API });
    const again = new Configuration(
      { issuer: here.server.issuer, token_endpoint: `${here.server.issuer}/token` },
      app.clientId,
      { id_token_signed_response_alg: 'ES256' },
      ClientSecretPost(app.secret ?? ''),
    );
    allowInsecureRequests(again);
    const second = await refreshTokenGrant(again, tokens.refresh_token ?? '');
    expect(kidOf(second.access_token)).toBe(next);
    const silent = await visitor.go((await app.begin()).url);
    expect(silent.url.searchParams.get('code')).toBeTruthy();

    await age('retired_at', 25 * 60 * 60);
    await advanceSigningKeys(otherWorld.context());
    await expect.poll(async () => (await published(here.server)).map((key) => key.kid)).not.toContain(oldKid);
    const [row] = await here.world.sql<{ bytes: number }>(
      `select length(private_sealed) as bytes from signing_keys where kid = $1`,
      [oldKid],
    );
    expect(row?.bytes).toBe(0);
    const kinds = await here.world.sql<{ kind: string }>(
      `select kind from audit_events where object_kind = 'key' and occurred_at >= $1 order by kind`,
      [begun?.at],
    );
    expect(kinds.map((event) => event.kind)).toEqual([
      'key.activated',
      'key.activated',
      'key.ended',
      'key.ended',
      'key.published',
      'key.published',
    ]);
  });

  test('FT14 a server that hears no notice finds the new key by asking', async () => {
    const deaf = await serve(otherWorld, {
      origin: here.server.origin,
      database: { listen: async () => async () => {} },
      keyPollSeconds: 0.2,
    });
    try {
      const rotated = await rotateSigningKeys(here.world.context());
      await expect.poll(async () => (await published(deaf)).map((key) => key.kid)).toContain(rotated[0]?.kid);
    } finally {
      await deaf.close();
    }
  });
});

test('T64 a token with another key, another algorithm or an edited claim is refused where it is used here', async () => {
  const fresh = await application(here.world, here.tenants.acme, here.server);
  const tokens = await tokensFor(fresh, await here.person(here.tenants.acme));
  const [header = '', payload = '', signature = ''] = (tokens.id_token ?? '').split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const edited = `${header}.${encode({ ...claims, sub: 'somebody.else' })}.${signature}`;
  const none = `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`;
  for (const hint of [edited, none, `${header}.${payload}.`]) {
    const url = new URL(`${here.server.issuer}/session/end`);
    url.searchParams.set('id_token_hint', hint);
    expect((await browser().go(url)).status).toBe(400);
    const authorization = await fresh.begin({ id_token_hint: hint });
    expect((await browser().go(authorization.url)).url.searchParams.get('error')).toBe('invalid_request');
  }
  expect(await refusal(app.refresh('nonsense'))).toBe('invalid_grant');
});
