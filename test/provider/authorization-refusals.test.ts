// What an authorization never gives away, whatever is asked: the names of this server, and its refusals.

import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Application, application, browser, CALLBACK, type Stage, serve, stage } from './support.ts';

let here: Stage;
let app: Application;
let product: Application;
beforeAll(async () => {
  here = await stage();
  app = await application(here.world, here.tenants.acme, here.server);
  product = await application(here.world, here.tenants.system, here.server);
});
afterAll(() => here?.close());

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
