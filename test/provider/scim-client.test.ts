import { createHash } from 'node:crypto';
import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Instant } from '../../src/core/ids.ts';
import { parseScimClientId } from '../../src/core/scim-client.ts';
import { authenticateDirectory } from '../../src/operations/authenticate-directory.ts';
import { createScimClient } from '../../src/operations/create-scim-client.ts';
import { endScimClient } from '../../src/operations/end-scim-client.ts';
import type { TenantRef } from '../../src/operations/standing.ts';
import { stillClock } from '../support/clock.ts';
import { directoryClient, type ScimServer, scimServer } from '../support/scim.ts';
import { type Application, application, browser, refusal, type Stage, serve, stage, tokensFor } from './support.ts';

let here: Stage;
let scim: ScimServer;
let app: Application;
beforeAll(async () => {
  here = await stage();
  scim = await scimServer(here.world);
  app = await application(here.world, here.tenants.acme, here.server);
});
afterAll(async () => {
  await scim?.close();
  await here?.close();
});

type Made = { readonly clientId: string; readonly secret: string };
async function made(tenant: TenantRef, connection: string, expiresAt: Instant | null = null): Promise<Made> {
  await here.world.sql(`update scim_credentials set ended_at = now() where tenant_id = $1 and kind = 'client'`, [
    tenant.tenantId,
  ]);
  const outcome = await createScimClient(here.world.context(), tenant, connection, expiresAt);
  if (outcome.kind === 'refused') throw new Error(outcome.message);
  return outcome;
}
const discovered = (
  { clientId, secret }: Made,
  auth: (secret: string) => client.ClientAuth = client.ClientSecretPost,
) =>
  client.discovery(new URL(here.server.issuer), clientId, undefined, auth(secret), {
    execute: [client.allowInsecureRequests],
  });
async function issued(one: Made, parameters: Record<string, string> = {}) {
  return client.clientCredentialsGrant(await discovered(one), parameters);
}
const baseUrl = (tenant: string, connection: string) => `${here.server.origin}/scim/v2/${tenant}/${connection}`;
const atScim = async (token: string, tenant = 'acme', connection = 'okta') => {
  const { status, headers, text } = await directoryClient(scim, tenant, connection, token).get('/Users');
  return { status, challenge: headers.get('www-authenticate'), text };
};
const opens = async (...args: Parameters<typeof atScim>) => (await atScim(...args)).status;

let addresses = 0;
/** A request as it is on the wire, each from an address of its own unless one is given. */
async function post(
  path: string,
  form: Record<string, string>,
  headers: Record<string, string> = {},
  at = here.server,
) {
  addresses += 1;
  const response = await fetch(`${at.address}/oidc${path}`, {
    method: 'POST',
    headers: { 'x-forwarded-for': `10.1.${addresses >> 8}.${addresses & 255}`, ...headers },
    body: new URLSearchParams(form),
    redirect: 'manual',
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: text.startsWith('{') ? JSON.parse(text) : null,
  };
}
const credentials = ({ clientId, secret }: Made, more: Record<string, string> = {}) => ({
  client_id: clientId,
  client_secret: secret,
  ...more,
});
const GRANT = { grant_type: 'client_credentials' };

describe('RFC 6749 §4.4 client credentials', () => {
  test.each([
    ['client_secret_post', client.ClientSecretPost],
    ['client_secret_basic', client.ClientSecretBasic],
  ])(
    'a directory’s client gets a token by %s, for an hour, without a refresh token, and SCIM takes it',
    async (_name, auth) => {
      const one = await made(here.tenants.acme, 'okta');
      const tokens = await client.clientCredentialsGrant(await discovered(one, auth));
      expect({ ...tokens }).toEqual({
        access_token: expect.stringMatching(/^dbo_[A-Za-z0-9_-]{43}$/),
        token_type: 'bearer',
        expires_in: 3600,
        scope: 'scim',
      });
      expect(await opens(tokens.access_token)).toBe(200);
      const [row] = await here.world.sql<{ ends: number }>(
        `select round(extract(epoch from expires_at - now()))::int as ends from oidc_artifacts where id_hash = sha256($1::bytea)`,
        [Buffer.from(tokens.access_token)],
      );
      expect(row?.ends).toBeGreaterThan(3590);
      expect(row?.ends).toBeLessThanOrEqual(3600);
    },
  );

  test('discovery says so, in both documents', async () => {
    for (const path of ['openid-configuration', 'oauth-authorization-server']) {
      const document = await (await fetch(`${here.server.address}/oidc/.well-known/${path}`)).json();
      expect(document).toMatchObject({
        token_endpoint: `${here.server.issuer}/token`,
        grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
        token_endpoint_auth_methods_supported: expect.arrayContaining(['client_secret_basic', 'client_secret_post']),
      });
    }
  });

  test.each<[string, Record<string, string>]>([
    ['none', {}],
    ['scim', { scope: 'scim' }],
    ['one that nobody knows', { scope: 'https://graph.example/.default' }],
    ['those of sign-ins', { scope: 'openid offline_access scim' }],
    ['nothing in a parameter', { scope: '', resource: '' }],
  ])(
    'RFC 6749 §3.3 whatever scope is asked for (%s), what is given is scim, and the answer says it',
    async (_name, more) => {
      const answer = await post('/token', credentials(await made(here.tenants.acme, 'okta'), { ...GRANT, ...more }));
      expect([answer.status, answer.body.scope, Object.keys(answer.body).sort()]).toEqual([
        200,
        'scim',
        ['access_token', 'expires_in', 'scope', 'token_type'],
      ]);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(await opens(answer.body.access_token)).toBe(200);
    },
  );

  test('RFC 8707 its own directory may be named as the resource; any other is invalid_target', async () => {
    const one = await made(here.tenants.acme, 'okta');
    const tokens = await issued(one, { resource: baseUrl('acme', 'okta') });
    expect(await opens(tokens.access_token)).toBe(200);
    for (const resource of [
      baseUrl('acme', 'entra'),
      baseUrl('globex', 'okta'),
      `${baseUrl('acme', 'okta')}/`,
      here.server.issuer,
      'https://api.example/',
    ]) {
      expect([resource, await refusal(issued(one, { resource }))]).toEqual([resource, 'invalid_target']);
    }
    const form = new URLSearchParams(credentials(one, GRANT));
    for (const resource of [baseUrl('acme', 'okta'), 'https://api.example/']) form.append('resource', resource);
    const both = await fetch(`${here.server.address}/oidc/token`, { method: 'POST', body: form });
    expect([both.status, await both.json()]).toMatchObject([400, { error: 'invalid_target' }]);
  });

  test('a token of a client that ends sooner than in an hour ends with it', async () => {
    const one = await made(here.tenants.acme, 'okta', (Date.now() + 90_000) as Instant);
    const tokens = await issued(one);
    expect(tokens.expires_in).toBeGreaterThan(60);
    expect(tokens.expires_in).toBeLessThanOrEqual(90);
  });

  test('RFC 9449 §7.1 a token that is bound to a key is not issued, since SCIM would take it as a bearer’s', async () => {
    const config = await discovered(await made(here.tenants.acme, 'okta'));
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair());
    const asked = () => client.clientCredentialsGrant(config, {}, { DPoP });
    expect(await refusal(asked())).toBe('invalid_request');
    expect(
      await here.world.sql(`select 1 from oidc_artifacts where model = 'ClientCredentials' and client_id = $1`, [
        config.clientMetadata().client_id,
      ]),
    ).toEqual([]);
  });

  test('RFC 7009 a client may revoke its own token, and no other’s', async () => {
    const one = await made(here.tenants.acme, 'okta');
    const other = await made(here.tenants.globex, 'okta');
    const { access_token: token } = await issued(one);
    const { access_token: kept } = await issued(one);
    await client.tokenRevocation(await discovered(other), token);
    expect(await opens(token)).toBe(200);
    await client.tokenRevocation(app.config, token);
    await client.tokenRevocation(await discovered(one), token, { token_type_hint: 'access_token' });
    const fresh = await scimServer(here.world);
    expect((await directoryClient(fresh, 'acme', 'okta', token).get('/Users')).status).toBe(401);
    expect((await directoryClient(fresh, 'acme', 'okta', kept).get('/Users')).status).toBe(200);
    await fresh.close();
  });
});

describe('what such a token opens', () => {
  test('T53 its own directory, and no other; every other token is the same 401 at SCIM', async () => {
    const one = await made(here.tenants.acme, 'okta');
    const { access_token: token } = await issued(one);
    const elsewhere = await issued(await made(here.tenants.globex, 'okta'));
    const person = await here.person(here.tenants.acme, 'Admin');
    const api = 'https://api.example/';
    const apiApp = await application(here.world, here.tenants.acme, here.server, {
      // Even an API that is called as the directory is.
      resources: [
        { identifier: baseUrl('acme', 'okta'), scopes: ['scim'] },
        { identifier: api, scopes: ['scim'] },
      ],
    });
    const own = await tokensFor(app, person);
    const jwt = await tokensFor(apiApp, person, browser(), { resource: baseUrl('acme', 'okta'), scope: 'openid scim' });
    expect(await opens(token)).toBe(200);
    const refused: Record<string, string> = {
      'a person’s access token': own.access_token,
      'their ID token': own.id_token ?? '',
      'their refresh token': own.refresh_token ?? '',
      'a person’s token whose audience is the directory': jwt.access_token,
      'another directory’s': elsewhere.access_token,
      'the client’s secret': one.secret,
      'the secret in the form of a token': `dbo_${one.secret}`,
      'the client id': one.clientId,
      'a token with another letter': token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      'a longer one': `${token}A`,
      'what is kept of it': `dbo_${createHash('sha256').update(token).digest('base64url')}`,
    };
    const wrong = await atScim('x');
    expect(wrong).toMatchObject({ status: 401, challenge: 'Bearer realm="scim", error="invalid_token"' });
    const fresh = await scimServer(here.world);
    for (const [what, text] of Object.entries(refused)) {
      expect([what, text.length > 0]).toEqual([what, true]);
      const { status, headers, text: said } = await directoryClient(fresh, 'acme', 'okta', text).get('/Users');
      expect([what, { status, challenge: headers.get('www-authenticate'), text: said }]).toEqual([what, wrong]);
    }
    await fresh.close();
    expect([
      await opens(token, 'acme', 'entra'),
      await opens(token, 'globex', 'okta'),
      await opens(token, 'acme-labs'),
    ]).toEqual([401, 401, 401]);
    expect(await opens(elsewhere.access_token, 'globex')).toBe(200);
  });

  test('T53 it is no token at the provider: not for userinfo, not as a refresh token, not as a code', async () => {
    const { access_token: token } = await issued(await made(here.tenants.acme, 'okta'));
    expect(await refusal(client.fetchUserInfo(app.config, token, client.skipSubjectCheck))).toBe('invalid_token');
    expect(await refusal(app.refresh(token))).toBe('invalid_grant');
    const { checks } = await app.begin();
    const callback = new URL(`https://app.example/callback?code=${token}&state=${String(checks.expectedState)}`);
    callback.searchParams.set('iss', here.server.issuer);
    expect(await refusal(app.redeem(callback, checks))).toBe('invalid_grant');
  });

  test('an ended client’s token is dead at the very next statement, and it gets no other', async () => {
    const one = await made(here.tenants.acme, 'okta');
    const { access_token: token } = await issued(one);
    // The directory of the token is remembered for a second from here on.
    expect(await opens(token)).toBe(200);
    expect((await endScimClient(here.world.context(), here.tenants.acme, one.clientId)).kind).toBe('ended');
    expect(await atScim(token)).toEqual(await atScim('x'));
    expect(await refusal(issued(one))).toBe('invalid_client');
  });

  test.each([
    ['an expired token', `update oidc_artifacts set expires_at = now() where client_id = $1`],
    ['an expired client', `update scim_credentials set expires_at = now() where prefix = $1`],
    ['a client that ended', `update scim_credentials set ended_at = now() where prefix = $1`],
    [
      'a connection that was switched off',
      `update connections set enabled = false where tenant_id = (select tenant_id from scim_credentials where prefix = $1)`,
    ],
    [
      'a tenant that was switched off',
      `update tenants set active = false where tenant_id = (select tenant_id from scim_credentials where prefix = $1)`,
    ],
  ])('T53 %s: the same 401', async (_name, act) => {
    const one = await made(here.tenants.globex, 'okta');
    const { access_token: token } = await issued(one);
    const fresh = await scimServer(here.world);
    const ask = (text: string) => directoryClient(fresh, 'globex', 'okta', text).get('/Users');
    await here.world.sql(act, [one.clientId]);
    const [answer, wrong] = [await ask(token), await ask('x')];
    // Not only by what the request does then.
    const at = { tenant: 'globex', connection: 'okta' };
    expect(await authenticateDirectory(here.world.context(), at, token)).toBeNull();
    await fresh.close();
    await here.world.sql('update connections set enabled = true; update tenants set active = true');
    expect([answer.status, answer.text, answer.headers.get('www-authenticate')]).toEqual([
      401,
      wrong.text,
      wrong.headers.get('www-authenticate'),
    ]);
  });

  test('its use is noted on the client, and costs one statement more as a token does', async () => {
    const one = await made(here.tenants.acme, 'okta');
    const { access_token: token } = await issued(one);
    // On whose clock a second never ends: what is known of the token is known all the while.
    const server = await scimServer(here.world, { contextFor: stillClock(here.world).contextFor });
    const uses = async () => {
      expect((await directoryClient(server, 'acme', 'okta', token).get('/Users')).status).toBe(200);
      return here.world.takeStatements();
    };
    const lastUsed = () =>
      here.world.sql(`select last_used_at from scim_credentials where prefix = $1`, [one.clientId]);
    expect(await lastUsed()).toEqual([{ last_used_at: null }]);
    here.world.takeStatements();
    expect((await uses()).slice(0, 2)).toEqual(['scim_access_token_find', 'scim_credential_used']);
    expect(await lastUsed()).toEqual([{ last_used_at: expect.any(Date) }]);
    here.world.takeStatements();
    const again = await uses();
    await server.close();
    expect(again.length).toBeGreaterThan(0);
    expect(again).not.toContain('scim_access_token_find');
  });
});

describe('what such a client may not do', () => {
  test('ask for anything but a token of its own: no code, no refresh, no other grant', async () => {
    const one = await made(here.tenants.acme, 'okta');
    const tokens = await tokensFor(app, await here.person(here.tenants.acme));
    for (const form of [
      { grant_type: 'authorization_code', code: 'x', redirect_uri: 'https://app.example/callback', code_verifier: 'x' },
      { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' },
    ]) {
      const answer = await post('/token', credentials(one, form));
      expect([form.grant_type, answer.status, answer.body.error]).toEqual([form.grant_type, 400, 'invalid_request']);
    }
    for (const grant_type of ['password', 'implicit', 'urn:ietf:params:oauth:grant-type:token-exchange']) {
      const answer = await post('/token', credentials(one, { grant_type }));
      expect([grant_type, answer.status, answer.body.error]).toEqual([grant_type, 400, 'unsupported_grant_type']);
    }
  });

  test('be known anywhere else: at /auth, for a pushed request and at a logout it is as unknown as nobody’s id', async () => {
    const one = await made(here.tenants.acme, 'okta');
    const nobody = one.clientId.replace(/.{12}$/, '000000000000');
    const visitor = browser();
    const asked = async (clientId: string) => {
      const url = new URL(`${here.server.issuer}/auth`);
      url.search = String(
        new URLSearchParams({
          client_id: clientId,
          response_type: 'code',
          scope: 'openid',
          redirect_uri: 'https://app.example/callback',
        }),
      );
      const { status, body } = await visitor.go(url);
      const logout = await visitor.go(`${here.server.issuer}/session/end?client_id=${clientId}`);
      const secret = { client_id: clientId, client_secret: one.secret };
      const pushed = await post('/request', { ...secret, response_type: 'code', scope: 'openid' });
      return [status, body, logout.status, logout.body, pushed.status, pushed.body];
    };
    const known = await asked(one.clientId);
    expect(known).toEqual(await asked(nobody));
    expect([known[0], known[2], known[4]]).toEqual([400, 400, 401]);
    expect(here.server.failures.at(-1)?.error).toBe('invalid_client');
  });

  test('an application has no client credentials, whatever it shows', async () => {
    const web = await application(here.world, here.tenants.acme, here.server);
    const page = await application(here.world, here.tenants.acme, here.server, { kind: 'browser' });
    expect(await refusal(client.clientCredentialsGrant(web.config))).toBe('invalid_request');
    expect(await refusal(client.clientCredentialsGrant(page.config))).toBe('invalid_request');
    expect(await refusal(client.clientCredentialsGrant(web.config, { scope: 'scim' }))).toBe('invalid_request');
    const resource = { resource: baseUrl('acme', 'okta') };
    expect(await refusal(client.clientCredentialsGrant(web.config, resource))).toBe('invalid_request');
    expect(await here.world.sql(`select 1 from oidc_artifacts where client_id = $1`, [web.clientId])).toEqual([]);
  });
});

describe('secrets', () => {
  test('T89 a wrong secret, an unknown client, an ended one and another’s secret are the same answer', async () => {
    const one = await made(here.tenants.acme, 'okta');
    const other = await made(here.tenants.globex, 'okta');
    const ended = await made(here.tenants.globex, 'okta');
    await endScimClient(here.world.context(), here.tenants.globex, ended.clientId);
    const key = parseScimClientId(one.clientId);
    const nobody = one.clientId.replace(/.{12}$/, '000000000000');
    here.world.takeStatements();
    for (const clientId of [one.clientId, nobody, ended.clientId, one.clientId, nobody]) {
      await post('/token', credentials({ clientId, secret: 'wrong' }, GRANT));
      // The same work, each time: nobody is told by the clock.
      expect([clientId, here.world.takeStatements()]).toEqual([clientId, ['scim_client_find']]);
    }
    const wrong = await post('/token', credentials({ ...one, secret: 'wrong' }, GRANT));
    expect([wrong.status, wrong.body]).toEqual([
      401,
      { error: 'invalid_client', error_description: 'client authentication failed' },
    ]);
    for (const shown of [
      { ...one, secret: other.secret },
      { ...one, secret: '' },
      { ...one, secret: `${one.secret} ` },
      { ...one, clientId: nobody },
      { ...one, clientId: `scim.${here.tenants.globex.tenantId}.${key?.credentialId}` },
      { ...one, clientId: `${one.clientId}x` },
      { ...one, clientId: 'nobody' },
      ended,
    ]) {
      const answer = await post('/token', credentials(shown, GRANT));
      expect([shown, answer.status, answer.text]).toEqual([shown, 401, wrong.text]);
      // As far as a header says something, it says the same.
      const basic = Buffer.from(`${encodeURIComponent(shown.clientId)}:${encodeURIComponent(shown.secret || 'x')}`);
      const headers = { authorization: `Basic ${basic.toString('base64')}` };
      const byHeader = await post('/token', GRANT, headers);
      expect([shown, byHeader.status, byHeader.text]).toEqual([shown, 401, wrong.text]);
      expect(byHeader.headers.get('www-authenticate')).toMatch(/^Basic realm=/);
    }
    expect((await post('/token', credentials(one, GRANT))).status).toBe(200);
  });

  test('RFC 6749 §5.2 six hundred tokens a minute for one client, then 429 with Retry-After; others go on, and so do its tokens', async () => {
    const one = await made(here.tenants.acme, 'okta');
    const other = await made(here.tenants.globex, 'okta');
    const server = await serve(here.world);
    const ask = (shown: Made) => post('/token', credentials(shown, GRANT), {}, server);
    const first = await ask(one);
    for (let count = 1; count < 600; count += 33) {
      const answers = await Promise.all(Array.from({ length: Math.min(33, 600 - count) }, () => ask(one)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    }
    const issued = 'select count(*)::int as n from oidc_artifacts';
    const before = await here.world.sql(issued);
    const refused = await ask(one);
    expect([refused.status, refused.body]).toEqual([
      429,
      {
        error: 'temporarily_unavailable',
        error_description: 'too many tokens were asked for: use one until it expires',
      },
    ]);
    expect(refused.headers.get('cache-control')).toBe('no-store');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect(await here.world.sql(issued)).toEqual(before);
    // Who does not know the secret learns nothing of it, and the others have their own count.
    expect((await ask({ ...one, secret: 'wrong' })).body.error).toBe('invalid_client');
    expect((await ask(other)).status).toBe(200);
    expect(await opens(first.body.access_token)).toBe(200);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
    expect((await ask(one)).status).toBe(200);
    vi.useRealTimers();
    await server.close();
  }, 30_000);

  test('T51 twenty wrong secrets from an address a minute, then 429 with Retry-After, known client or not; others go on', async () => {
    const one = await made(here.tenants.acme, 'okta');
    const other = await made(here.tenants.globex, 'okta');
    const server = await serve(here.world);
    const ask = (shown: Made, address: string, path = '/token') =>
      post(path, credentials(shown, { ...GRANT, token: 'x' }), { 'x-forwarded-for': address }, server);
    const [crowded, calm] = ['10.9.0.1', '10.9.0.2'];
    expect((await ask(one, crowded)).status).toBe(200);
    const nobody = { clientId: one.clientId.replace(/.{12}$/, '000000000000'), secret: 'wrong' };
    for (let tries = 0; tries < 20; tries += 1) {
      const shown =
        tries % 3 === 0 ? nobody : tries % 3 === 1 ? { ...one, secret: 'wrong' } : { ...nobody, clientId: 'app' };
      const answer = await ask(shown, crowded, tries % 2 === 0 ? '/token' : '/token/revocation');
      expect([tries, answer.status, answer.body.error]).toEqual([tries, 401, 'invalid_client']);
    }
    const held = [
      nobody,
      { ...one, secret: 'wrong' },
      { ...nobody, clientId: 'app' },
      { ...one, clientId: app.clientId },
    ];
    here.world.takeStatements();
    const answers = [];
    for (const shown of held) answers.push(await ask(shown, crowded));
    for (const answer of answers) {
      expect([answer.status, answer.text]).toEqual([429, answers[0]?.text]);
      expect(answer.body.error).toBe('temporarily_unavailable');
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(30);
      expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    }
    // Before the client is looked for: so neither the clock nor the database knows a difference.
    expect(here.world.takeStatements()).toEqual([]);
    // Whose secret was right lately goes on; somebody new at this address waits; at another address nothing happened.
    expect((await ask(one, crowded)).status).toBe(200);
    expect((await ask(other, crowded)).status).toBe(429);
    expect((await ask(other, calm)).status).toBe(200);
    expect((await ask({ ...one, secret: 'wrong' }, calm)).status).toBe(401);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
    expect((await ask(other, crowded)).status).toBe(200);
    expect((await ask({ ...one, secret: 'wrong' }, crowded)).status).toBe(401);
    vi.useRealTimers();
    // Not every request of a browser shows a secret.
    const open = await fetch(`${server.address}/oidc/.well-known/openid-configuration`, {
      headers: { 'x-forwarded-for': crowded, authorization: 'Basic eDp4' },
    });
    expect(open.status).toBe(200);
    await server.close();
  });

  test('T53 neither a secret nor a token is in the log or in the database', async () => {
    const one = await made(here.tenants.acme, 'okta');
    const { access_token: token } = await issued(one);
    await post('/token', credentials({ ...one, clientId: `${one.clientId}x` }, GRANT));
    const rows = await here.world.sql(
      `select to_jsonb(a) || jsonb_build_object('text', encode(payload_sealed, 'escape')) as row from oidc_artifacts a
       union all select to_jsonb(e) from audit_events e union all select to_jsonb(k) from scim_credentials k`,
    );
    const everything = JSON.stringify([rows, here.server.logged]);
    expect(everything).toContain(one.clientId);
    for (const secret of [one.secret, token, token.slice(4)]) expect(everything).not.toContain(secret);
  });
});
