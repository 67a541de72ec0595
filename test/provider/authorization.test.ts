import { request as httpRequest } from 'node:http';
import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Application,
  application,
  browser,
  CALLBACK,
  pendingAt,
  refusal,
  type Stage,
  serve,
  signInTo,
  stage,
  tokensFor,
} from './support.ts';

let here: Stage;
let app: Application;
let product: Application;
beforeAll(async () => {
  here = await stage();
  app = await application(here.world, here.tenants.acme, here.server);
  product = await application(here.world, here.tenants.system, here.server);
});
afterAll(() => here?.close());

const at = (url: URL, name: string) => url.searchParams.get(name);

describe('an authorization', () => {
  test('asks who is there first, and tells the pages what they may know', async () => {
    const { url } = await app.begin({ acr_values: 'urn:other tenant:acme-labs', login_hint: 'ann@acme.example' });
    const visit = await browser().go(url);
    expect(visit.url.pathname).toMatch(/^\/interaction\/[\w-]{20,}$/);
    expect(pendingAt(visit)).toEqual({
      uid: visit.url.pathname.split('/')[2],
      prompt: 'login',
      client: { clientId: app.clientId, name: 'Analytics' },
      tenant: 'acme-labs',
      loginHint: 'ann@acme.example',
      forceLogin: false,
      person: null,
    });
  });

  test('belongs to the browser that began it: another one finds nothing waiting', async () => {
    const mine = browser();
    const visit = await mine.go((await app.begin()).url);
    const person = await here.person(here.tenants.acme);
    const theirs = browser();
    expect(pendingAt(await theirs.go(visit.url))).toBeNull();
    expect((await theirs.go(`${visit.url}?sub=${person.tenantId}.${person.userId}`)).status).toBe(409);
    // With the other browser's cookie but without its signature it is nothing either.
    for (const key of [...mine.cookies.keys()].filter((name) => name.includes('.sig'))) mine.cookies.delete(key);
    expect(pendingAt(await mine.go(visit.url))).toBeNull();
  });

  test('a second one in the same browser signs in silently', async () => {
    const visitor = browser();
    const person = await here.person(here.tenants.acme);
    await tokensFor(app, person, visitor);
    const { visit } = await signInTo(app, null, visitor);
    expect(visit.url.origin + visit.url.pathname).toBe(CALLBACK);
    expect(at(visit.url, 'code')).toBeTruthy();
    expect(at(visit.url, 'iss')).toBe(here.server.issuer);
  });

  test('T19 going back to the application ends it with access_denied and its state', async () => {
    const visitor = browser();
    const { url, checks } = await app.begin();
    const page = await visitor.go(url);
    const visit = await visitor.go(`${page.url}?deny=1`);
    expect(at(visit.url, 'error')).toBe('access_denied');
    expect(at(visit.url, 'state')).toBe(checks.expectedState);
    expect(at(visit.url, 'code')).toBeNull();
  });

  test('prompt=login asks again, and somebody else may answer: their session takes the place of the first', async () => {
    const visitor = browser();
    const [ann, bob] = [await here.person(here.tenants.acme), await here.person(here.tenants.acme)];
    const first = await tokensFor(app, ann, visitor);
    const { url, checks } = await app.begin({ prompt: 'login' });
    const page = await visitor.go(url);
    expect(pendingAt(page)).toMatchObject({ prompt: 'login' });
    const between = await visitor.go(`${page.url}?sub=${bob.tenantId}.${bob.userId}`);
    // The library ends Ann's session by a form that posts itself.
    const [, action = ''] = /action="([^"]+)"/.exec(between.body) ?? [];
    const fields = [...between.body.matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]);
    expect(between.headers.get('content-security-policy')).toMatch(/script-src 'none' 'sha256-/);
    const visit = await visitor.go(action, { form: Object.fromEntries(fields) });
    const tokens = await app.redeem(visit.url, checks);
    expect(tokens.claims()?.sub).toBe(`${bob.tenantId}.${bob.userId}`);
    expect(await refusal(app.refresh(first.refresh_token ?? ''))).toBe('invalid_grant');
  });
});

describe('T21 PKCE', () => {
  test.each([
    ['without a challenge', { code_challenge: '', code_challenge_method: '' }],
    ['with the plain method', { code_challenge: 'a'.repeat(43), code_challenge_method: 'plain' }],
    ['with a challenge that names no method', { code_challenge: 'a'.repeat(43), code_challenge_method: '' }],
  ])('an authorization %s is refused', async (_how, parameters) => {
    const { url } = await app.begin(parameters);
    for (const [name, value] of Object.entries(parameters)) if (value === '') url.searchParams.delete(name);
    const visit = await browser().go(url);
    expect(at(visit.url, 'error')).toBe('invalid_request');
  });

  test('a code is worth nothing with another verifier, or without one', async () => {
    for (const verifier of [client.randomPKCECodeVerifier(), '']) {
      const { visit, checks } = await signInTo(app, await here.person(here.tenants.acme), browser());
      expect(await refusal(app.redeem(visit.url, { ...checks, pkceCodeVerifier: verifier }))).toMatch(
        /invalid_(grant|request)/,
      );
    }
  });
});

describe('T70 redirect URIs are compared as exact strings', () => {
  test.each([
    `${CALLBACK}/`,
    `${CALLBACK}/../other`,
    `${CALLBACK}?x=1`,
    `${CALLBACK}#x`,
    'https://app.example:444/callback',
    'https://app.example@evil.example/callback',
    'https://APP.example/callback',
    'https://appxexample/callback',
    'http://app.example/callback',
    'javascript:alert(1)//callback',
  ])('%s stays here, with an error page', async (uri) => {
    const { url } = await app.begin({ redirect_uri: uri });
    const visit = await browser().go(url);
    expect(visit.url.hostname).toBe('127.0.0.1');
    expect(visit.status).toBe(400);
    expect(visit.body).toBe('<p>invalid_redirect_uri</p>');
  });

  test('a native app may listen on whatever port of this machine, and nothing else may', async () => {
    const native = await application(here.world, here.tenants.acme, here.server, {
      kind: 'native',
      redirectUris: ['http://127.0.0.1/cb'],
    });
    const web = await application(here.world, here.tenants.acme, here.server, {
      redirectUris: ['http://127.0.0.1/cb'],
    });
    const tried = async (one: Application) =>
      (await browser().go((await one.begin({ redirect_uri: 'http://127.0.0.1:5001/cb' })).url)).status;
    expect(await tried(native)).toBe(200);
    expect(await tried(web)).toBe(400);
  });
});

describe('the tenant of an authorization', () => {
  test('R123 acr_values chooses it among those the person may choose, and the tokens are for it', async () => {
    const person = await here.person(here.tenants.acme);
    await here.map(person, here.tenants.labs);
    const tokens = await tokensFor(app, person, browser(), { acr_values: 'tenant:acme-labs' });
    expect(tokens.claims()).toMatchObject({
      tenant_id: 'acme-labs',
      home_tenant_id: 'acme',
      roles: ['Analytics: Editor'],
      allowed_tenants: ['acme', 'acme-labs'],
    });
    expect(tokens.claims()?.acr).toBeUndefined();
  });

  test.each(['acme-labs', 'globex', 'no-such-tenant', 'system'])(
    'T72 T78 tenant:%s that is not theirs leads to the access page, and never to a code',
    async (slug) => {
      const person = await here.person(here.tenants.acme);
      const { visit } = await signInTo(product, person, browser(), { acr_values: `tenant:${slug}` });
      expect(visit.url.pathname).toMatch(/^\/interaction\//);
      expect(pendingAt(visit)).toMatchObject({ prompt: 'access', tenant: slug, person });
      expect(visit.hops.join()).not.toContain('code=');
    },
  );

  test.each([
    'tenant:',
    'tenant:ACME',
    'tenant:acme.',
    'tenant:../acme',
    "tenant:'or'1",
    `tenant:${'a'.repeat(300)}`,
    'tenant:acme tenant:acme-labs',
  ])('T77 %s is no Tenant ID: invalid_request', async (acrValues) => {
    const { url } = await app.begin({ acr_values: acrValues });
    expect(at((await browser().go(url)).url, 'error')).toBe('invalid_request');
  });

  test('without a home role the person may choose another tenant on the access page', async () => {
    const person = await here.person(here.tenants.acme, null);
    await here.map(person, here.tenants.labs);
    const visitor = browser();
    const { visit, checks } = await signInTo(app, person, visitor);
    expect(pendingAt(visit)).toMatchObject({ prompt: 'access', tenant: null, person });
    const chosen = await visitor.go(`${visit.url}?tenant=acme-labs`);
    expect((await app.redeem(chosen.url, checks)).claims()).toMatchObject({ tenant_id: 'acme-labs' });
  });

  test('a choice of a tenant that is not theirs leads back to the access page', async () => {
    const person = await here.person(here.tenants.acme, null);
    await here.map(person, here.tenants.labs);
    const visitor = browser();
    const { visit } = await signInTo(product, person, visitor);
    const again = await visitor.go(`${visit.url}?tenant=globex`);
    expect(again.url.pathname).not.toBe(visit.url.pathname);
    expect(pendingAt(again)).toMatchObject({ prompt: 'access', tenant: 'globex' });
  });

  test('R72 nobody without a role anywhere has a sign-in finished, nor a session', async () => {
    const person = await here.person(here.tenants.acme, null);
    const visitor = browser();
    const { visit } = await signInTo(app, person, visitor);
    expect(visit.status).toBe(409);
    expect(await here.world.sql(`select 1 from oidc_artifacts where account_user_id = $1`, [person.userId])).toEqual(
      [],
    );
    expect(pendingAt(await visitor.go(visit.url.origin + visit.url.pathname))).toMatchObject({ prompt: 'login' });
  });

  test('a person who lost every role meanwhile meets the access page, with a session and without a code', async () => {
    const person = await here.person(here.tenants.acme);
    const visitor = browser();
    await tokensFor(app, person, visitor);
    await here.world.sql(`update role_grants set ended_at = now() where subject_id = $1`, [person.userId]);
    const { visit } = await signInTo(app, null, visitor);
    expect(pendingAt(visit)).toMatchObject({ prompt: 'access', person });
  });
});

describe('an application serves its own tenant and those below', () => {
  test('T80 nobody else’s people get a code for it: they would not be asked', async () => {
    const outsider = await here.person(here.tenants.globex);
    const visitor = browser();
    await tokensFor(product, outsider, visitor);
    for (const parameters of [{}, { acr_values: 'tenant:globex' }, { prompt: 'none' }]) {
      const { visit } = await signInTo(app, null, visitor, parameters);
      // Back to the application: a page that asked which tenant would come again and again.
      expect(at(visit.url, 'error')).toBe('access_denied');
      expect(at(visit.url, 'code')).toBeNull();
    }
    const { visit } = await signInTo(app, null, visitor, { acr_values: 'tenant:acme' });
    expect(pendingAt(visit)).toMatchObject({ prompt: 'access', tenant: 'acme', person: outsider });
    expect(at((await visitor.go(`${visit.url}?tenant=globex`)).url, 'error')).toBe('access_denied');
  });

  test('one of a child is for that child where the person’s home is not served', async () => {
    const labsApp = await application(here.world, here.tenants.labs, here.server);
    const person = await here.person(here.tenants.acme);
    await here.map(person, here.tenants.labs);
    expect((await tokensFor(labsApp, person)).claims()).toMatchObject({ tenant_id: 'acme-labs' });
  });
});

describe('prompt=none', () => {
  const silently = async (visitor = browser(), parameters = {}) =>
    (await signInTo(product, null, visitor, { prompt: 'none', ...parameters })).visit.url;

  test('without a session is login_required', async () => {
    expect(at(await silently(), 'error')).toBe('login_required');
  });

  test('with a session and access gives a code', async () => {
    const visitor = browser();
    await tokensFor(product, await here.person(here.tenants.acme), visitor);
    expect(at(await silently(visitor), 'code')).toBeTruthy();
    expect(at(await silently(visitor, { prompt: 'none login' }), 'error')).toBe('invalid_request');
  });

  test('with a session and no access is interaction_required, without a loop', async () => {
    const visitor = browser();
    await tokensFor(product, await here.person(here.tenants.acme), visitor);
    expect(at(await silently(visitor, { acr_values: 'tenant:globex' }), 'error')).toBe('interaction_required');
  });

  test('with the session of somebody who was barred is login_required, and never a 500', async () => {
    const visitor = browser();
    const person = await here.person(here.tenants.acme);
    await tokensFor(product, person, visitor);
    await here.world.sql(`update subjects set access_epoch = access_epoch + 1 where subject_id = $1`, [person.userId]);
    expect(at(await silently(visitor), 'error')).toBe('login_required');
  });

  test('with the session of somebody who does not exist any more is login_required, and never a 500', async () => {
    const visitor = browser();
    const person = await here.person(here.tenants.acme);
    await tokensFor(product, person, visitor);
    await here.world.sql(`update users set ended_at = now() where user_id = $1`, [person.userId]);
    expect(at(await silently(visitor), 'error')).toBe('login_required');
  });
});

describe('names of this server', () => {
  /** fetch sets Host by itself. */
  const raw = (path: string, headers: Record<string, string>) =>
    new Promise<{ status: number; headers: Record<string, unknown>; body: string }>((resolve, reject) => {
      const { hostname, port } = new URL(here.server.origin);
      httpRequest({ hostname, port, path, headers }, (response) => {
        let body = '';
        response.on('data', (part) => (body += part));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      })
        .on('error', reject)
        .end();
    });
  const spoofed = {
    host: 'evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '1',
    'x-forwarded-prefix': '/evil',
    forwarded: 'host=evil.example;proto=https',
  };

  test.each([
    '/oidc/.well-known/openid-configuration',
    '/oidc/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
    '/.well-known/openid-configuration/oidc',
    '/.well-known/oauth-authorization-server',
    '/.well-known/oauth-authorization-server/oidc',
  ])('T61 T88 discovery at %s says the public URL whatever the request calls it', async (path) => {
    for (const target of [path, `http://evil.example${path}`, `//evil.example${path}`]) {
      const answer = await raw(target, spoofed);
      if (target.startsWith('//')) expect(answer.status).toBe(404);
      else expect(answer.status).toBe(200);
      if (answer.status === 404) continue;
      expect(answer.body).not.toContain('evil.example');
      const document = JSON.parse(answer.body);
      expect(document.issuer).toBe(here.server.issuer);
      for (const [name, value] of Object.entries(document)) {
        if (/_endpoint$|_uri$/.test(name)) expect(value).toMatch(new RegExp(`^${here.server.issuer}/`));
      }
    }
  });

  test('T61 T88 nor do redirects and cookies follow it', async () => {
    const { url } = await app.begin();
    const answer = await raw(url.pathname + url.search, spoofed);
    expect(String(answer.headers.location)).toMatch(new RegExp(`^${here.server.origin}/interaction/`));
    expect(JSON.stringify(answer.headers)).not.toContain('evil');
    const [row] = await here.world.sql<{ count: number }>(
      `select count(*)::int as count from oidc_artifacts where model = 'Interaction'`,
    );
    expect(row?.count).toBeGreaterThan(0);
  });

  test('behind https the cookies are for this host, over https, and out of reach of scripts', async () => {
    const secure = await serve(here.world, { origin: 'https://login.example' });
    const { url } = await app.begin();
    const address = secure.address;
    const response = await fetch(`${address}${url.pathname}${url.search}`, { redirect: 'manual', headers: spoofed });
    expect(response.headers.get('location')).toMatch(/^https:\/\/login\.example\/interaction\//);
    const cookies = response.headers.getSetCookie();
    // Whatever stands before this server, and whatever it says about itself.
    for (const headers of [{}, { 'x-forwarded-proto': 'http' }]) {
      const plain = await fetch(`${secure.address}${url.pathname}${url.search}`, { redirect: 'manual', headers });
      expect(plain.headers.getSetCookie().every((cookie) => /; secure; httponly/i.test(cookie))).toBe(true);
      expect(plain.headers.getSetCookie()).toHaveLength(cookies.length);
    }
    expect(cookies.length).toBeGreaterThanOrEqual(4);
    for (const cookie of cookies) expect(cookie).toMatch(/^__(Host|Secure)-.*; secure; httponly/i);
    for (const cookie of cookies.filter((one) => one.startsWith('__Host-'))) expect(cookie).toMatch(/; path=\/;/);
    expect(cookies.join()).toMatch(/samesite=lax/i);
    await secure.close();
  });
});

describe('what is refused is refused in the protocol’s own form', () => {
  const nowhere = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(here.server.issuer + path, { redirect: 'manual', ...init });
    return { status: response.status, body: await response.text(), location: response.headers.get('location') };
  };
  const form = (fields: Record<string, string> | string) => ({
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: typeof fields === 'string' ? fields : new URLSearchParams(fields).toString(),
  });
  const token = (fields: Record<string, string>) =>
    form({ client_id: app.clientId, client_secret: app.secret ?? '', ...fields });

  test.each([
    ['/auth', {}, 400],
    ['/auth?client_id=nobody', {}, 400],
    ['/auth?client_id=%00', {}, 400],
    ["/auth?client_id='%20or%201=1--", {}, 400],
    ['/auth?client_id=constructor', {}, 400],
    ['/auth?client_id=__proto__', {}, 400],
    ['/auth?client_id=a&client_id=b', {}, 400],
    ['/auth/no-such-interaction', {}, 400],
    ['/nothing', {}, 404],
    ['/token', { method: 'GET' }, 404],
    ['/token', form(''), 400],
    ['/token', form('grant_type=%ff%00&client_id=%00'), 401],
    ['/token', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"grant_type":' }, 400],
    ['/token', form('a'.repeat(100_000)), 400],
    ['/token/introspection', form({ token: 'x' }), 404],
    ['/userinfo', {}, 401],
    ['/userinfo', { headers: { authorization: 'Bearer nonsense' } }, 401],
    ['/userinfo', { headers: { authorization: 'Bearer \u00ff' } }, 401],
    ['/userinfo?access_token=x', {}, 400],
    ['/session/end?id_token_hint=nonsense', {}, 400],
    ['/session/end?client_id=nobody', {}, 400],
    ['/reg', form('{}'), 404],
    ['/device/auth', form({ client_id: 'x' }), 404],
    ['/backchannel', form({ client_id: 'x' }), 404],
  ] as const)('T53 T60 %s %o answers %i, without a stack, SQL or a name of ours', async (path, init, status) => {
    const answer = await nowhere(path, init as RequestInit);
    expect(answer.status).toBe(status);
    expect(answer.body).not.toMatch(/\bat .*\.[jt]s:|select |oidc_artifacts|node_modules|drawbridge/i);
  });

  test.each([
    ['no grant type', {}, 'invalid_request'],
    ['a grant type that is off', { grant_type: 'urn:openid:params:grant-type:ciba' }, 'unsupported_grant_type'],
    ['a grant type that is for directories', { grant_type: 'client_credentials' }, 'invalid_request'],
    ['the password grant', { grant_type: 'password', username: 'a', password: 'b' }, 'unsupported_grant_type'],
    ['no code', { grant_type: 'authorization_code' }, 'invalid_request'],
    [
      'an unknown code',
      { grant_type: 'authorization_code', code: 'x', redirect_uri: CALLBACK, code_verifier: 'a'.repeat(43) },
      'invalid_grant',
    ],
    ['an unknown refresh token', { grant_type: 'refresh_token', refresh_token: 'x.y' }, 'invalid_grant'],
    ['a refresh token with NUL', { grant_type: 'refresh_token', refresh_token: '\u0000.\u0000' }, 'invalid_grant'],
    ['an endless refresh token', { grant_type: 'refresh_token', refresh_token: 'x'.repeat(40_000) }, 'invalid_grant'],
  ])('T69 the token endpoint says what it thinks of %s', async (_what, fields, error) => {
    const answer = await nowhere('/token', token(fields));
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body).error).toBe(error);
  });

  test('T54 a wrong secret, another client’s, and the stored hash itself are invalid_client', async () => {
    const [row] = await here.world.sql<{ hash: string }>(
      `select encode(secret_hash, 'hex') as hash from clients where client_id = $1`,
      [app.clientId],
    );
    for (const secret of ['wrong', product.secret ?? '', row?.hash ?? '', '']) {
      const fields = {
        client_id: app.clientId,
        client_secret: secret,
        grant_type: 'refresh_token',
        refresh_token: 'x',
      };
      const answer = await nowhere('/token', form(fields));
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.body).error).toBe('invalid_client');
    }
  });

  test('an error page is rendered from outside, and the log says what it does not', async () => {
    const visit = await browser().go(`${here.server.issuer}/auth?client_id=nobody`);
    expect(visit.body).toBe('<p>invalid_client</p>');
    expect(here.server.failures.at(-1)).toMatchObject({
      status: 400,
      error: 'invalid_client',
      requestId: expect.stringMatching(/./),
    });
    expect(here.server.logged.at(-1)).toMatchObject({ level: 'info', facts: { error: 'invalid_client' } });
    expect(here.server.logged.filter((line) => line.level === 'error')).toEqual([]);
  });

  test('an answer of the authorization endpoint that the client cannot be told is no redirect', async () => {
    const { url } = await app.begin();
    url.searchParams.set('client_id', product.clientId);
    url.searchParams.set('redirect_uri', 'https://evil.example/');
    const visit = await browser().go(url);
    expect(visit.status).toBe(400);
  });
});
