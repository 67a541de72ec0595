import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setClientEnabled } from '../../../src/operations/set-client-enabled.ts';
import { type Ask, formOf, send } from '../http.ts';
import { expectRefusals, type Form } from '../refusal.ts';
import { newApplication } from '../visitor.ts';
import { LONG, NUL, type Stage, startStage } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage?.flow.close());

describe('the OpenID provider', () => {
  const form = (fields: Record<string, string> | [string, string][]): Ask => ({
    ...formOf({}),
    body: new URLSearchParams(fields).toString(),
  });
  const own = () => ({ client_id: stage.app.clientId, client_secret: stage.app.secret });

  test('T60 T65 the token endpoint refuses every wrong grant, client and body in OAuth’s form', async () => {
    const far = await newApplication(stage.flow, 'globex');
    const off = await newApplication(stage.flow, 'acme');
    await setClientEnabled(stage.flow.world.context(), await stage.flow.tenant('acme'), off.clientId, false);
    const grants: readonly (readonly [string, Ask])[] = [
      ['no body', { method: 'POST' }],
      ['json', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(own()) }],
      ['json that is none', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' }],
      ['xml', { method: 'POST', headers: { 'content-type': 'application/xml' }, body: '<a/>' }],
      [
        'gzip',
        {
          ...form(own()),
          headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-encoding': 'gzip' },
        },
      ],
      ['no client', form({ grant_type: 'refresh_token', refresh_token: stage.refreshToken })],
      ['no grant', form(own())],
      [
        'two grants',
        form([...Object.entries(own()), ['grant_type', 'refresh_token'], ['grant_type', 'authorization_code']]),
      ],
      [
        'two tokens',
        form([
          ...Object.entries(own()),
          ['grant_type', 'refresh_token'],
          ['refresh_token', 'a'],
          ['refresh_token', 'b'],
        ]),
      ],
      ...[
        'password',
        'client_credentials',
        'implicit',
        '__proto__',
        'constructor',
        '',
        'urn:ietf:params:oauth:grant-type:device_code',
        LONG,
      ].map(
        (grant_type) =>
          [`grant ${grant_type.slice(0, 40)}`, form({ ...own(), grant_type, username: 'a', password: 'b' })] as const,
      ),
      ...[
        `x${stage.refreshToken.slice(1)}`,
        stage.refreshToken.split('.')[1] ?? '',
        '',
        '.',
        'a.b',
        NUL,
        LONG,
        '\u{1f600}',
        "' or 1=1 --",
        '[object Object]',
      ].map(
        (refresh_token) =>
          [
            `token ${refresh_token.slice(0, 20)}`,
            form({ ...own(), grant_type: 'refresh_token', refresh_token }),
          ] as const,
      ),
      ...['x', '', NUL, LONG, stage.refreshToken].map(
        (code) =>
          [
            `code ${code.slice(0, 20)}`,
            form({
              ...own(),
              grant_type: 'authorization_code',
              code,
              code_verifier: 'x'.repeat(43),
              redirect_uri: stage.app.redirectUri,
            }),
          ] as const,
      ),
      ...[
        ['wrong secret', stage.app.clientId, 'x'],
        ['no such client', 'nobody', 'x'],
        ['foreign secret', stage.app.clientId, far.secret],
        ['NUL', `${stage.app.clientId}${NUL}`, stage.app.secret],
      ].map(
        ([name = '', client_id = '', client_secret = '']) =>
          [
            name,
            form({ client_id, client_secret, grant_type: 'refresh_token', refresh_token: stage.refreshToken }),
          ] as const,
      ),
      ...[far, off].map(
        (one) =>
          [
            'another application',
            form({
              client_id: one.clientId,
              client_secret: one.secret,
              grant_type: 'refresh_token',
              refresh_token: stage.refreshToken,
            }),
          ] as const,
      ),
      ...[
        'Basic',
        'Basic x',
        'Basic Og==',
        `Basic ${Buffer.from(`${stage.app.clientId}:x`).toString('base64')}`,
        'Basic %%%',
        'Digest x',
        'Bearer x',
      ].map(
        (authorization) =>
          [
            authorization,
            {
              ...form({ grant_type: 'refresh_token', refresh_token: 'x' }),
              headers: { ...formOf({}).headers, authorization },
            },
          ] as const,
      ),
      ['a large body', form({ ...own(), grant_type: 'refresh_token', refresh_token: 'x'.repeat(200_000) })],
      [
        'DPoP',
        {
          ...form({ ...own(), grant_type: 'refresh_token', refresh_token: stage.refreshToken }),
          headers: { ...formOf({}).headers, dpop: 'x.y.z' },
        },
      ],
      [
        'resource',
        form({
          ...own(),
          grant_type: 'refresh_token',
          refresh_token: stage.refreshToken,
          resource: 'https://evil.example',
        }),
      ],
    ];
    const tries = grants.map(([name, ask]) => ({
      name,
      form: 'oauth' as const,
      send: () => stage.page('/oidc/token', ask),
    }));
    await expectRefusals(stage.flow, tries);
  });

  test('T60 the authorization endpoint sends nobody to an address that is not registered, and says the rest to the application', async () => {
    const good: Record<string, string> = {
      client_id: stage.app.clientId,
      response_type: 'code',
      redirect_uri: stage.app.redirectUri,
      scope: 'openid',
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
      state: 's',
    };
    const ask = (more: Record<string, string>, extra = '') =>
      `/oidc/auth?${new URLSearchParams({ ...good, ...more })}${extra}`;
    const without = (name: string) =>
      `/oidc/auth?${new URLSearchParams(Object.entries(good).filter(([key]) => key !== name))}`;
    const pages = [
      '/oidc/auth',
      without('client_id'),
      without('redirect_uri'),
      ...['nobody', '', NUL, LONG.slice(0, 4_000), '__proto__', "' or 1=1"].map((client_id) => ask({ client_id })),
      ...[
        'https://evil.example/callback',
        'https://stage.app.example/callback/',
        'https://stage.app.example/callback?x=1',
        'https://stage.app.example.evil.example/callback',
        'javascript:alert(1)',
        '//evil.example',
        'x',
        NUL,
      ].map((redirect_uri) => ask({ redirect_uri })),
      ask({}, '&redirect_uri=https://evil.example/'),
      ask({}, `&client_id=${stage.app.clientId}`),
      '/oidc/auth?%',
      '/oidc/auth?%ff=%ff',
      '/oidc/auth/unknown',
      '/oidc/auth/%00',
      '/oidc/auth/%ff',
    ];
    const toApplication = [
      without('response_type'),
      without('code_challenge'),
      ...['token', 'id_token', 'none', 'code token', 'x'].map((response_type) => ask({ response_type })),
      ...['', 'short', `${'x'.repeat(42)}!`, 'x'.repeat(200)].map((code_challenge) => ask({ code_challenge })),
      ask({ code_challenge_method: 'plain' }),
      ...[
        'tenant:acme tenant:globex',
        'tenant:',
        'tenant:ACME',
        'tenant:../x',
        `tenant:${NUL}`,
        'tenant:__proto__',
      ].map((acr_values) => ask({ acr_values })),
      ask({ resource: 'https://evil.example' }),
      ask({ prompt: 'none' }),
      ask({ prompt: 'none login' }),
      ask({ max_age: 'x' }),
      ask({ response_mode: 'x' }),
      ask({ request: 'x.y.z' }),
      ask({ request_uri: 'https://evil.example/' }),
      ask({ id_token_hint: 'x.y.z' }),
    ];
    const tries = [
      ...pages.map((path) => ({ name: path.slice(0, 200), form: 'page' as const, send: () => stage.page(path) })),
      ...toApplication.map((path) => ({
        name: path.slice(0, 300),
        form: 'application' as const,
        send: () => stage.page(path),
      })),
    ];
    await expectRefusals(stage.flow, tries);
    for (const path of pages) expect((await stage.page(path)).headers.location, path).toBeUndefined();
  });

  test('T60 T64 the other endpoints refuse in their form: userinfo, revocation, pushed requests, logout, keys', async () => {
    const idToken = 'eyJhbGciOiJub25lIn0.e30.';
    const tries: readonly (readonly [Form, string, Ask?])[] = [
      ['oauth', '/oidc/userinfo'],
      ...[
        'Bearer',
        'Bearer x',
        `Bearer ${stage.refreshToken}`,
        `Bearer ${idToken}`,
        'Basic x',
        'DPoP x',
        `Bearer ${LONG.slice(0, 8_000)}`,
      ].map((authorization) => ['oauth', '/oidc/userinfo', { headers: { authorization } }] as const),
      ['oauth', '/oidc/userinfo?access_token=x&access_token=y'],
      ['oauth', '/oidc/token'],
      ['oauth', '/oidc/token/revocation', form({ token: stage.refreshToken })],
      ['oauth', '/oidc/token/revocation', form({ ...own(), client_secret: 'x', token: stage.refreshToken })],
      ['oauth', '/oidc/request', form({ ...own(), client_secret: 'x' })],
      ['oauth', '/oidc/request', form({ ...own(), redirect_uri: 'https://evil.example/', response_type: 'code' })],
      ['page', '/oidc/session/end?id_token_hint=x.y.z'],
      ['page', `/oidc/session/end?client_id=${stage.app.clientId}&post_logout_redirect_uri=https://evil.example/`],
      ['page', '/oidc/session/end/confirm', form({ xsrf: 'x', logout: 'yes' })],
      ['page', '/oidc/session/end/confirm', { method: 'POST' }],
      ...[
        '/oidc',
        '/oidc/',
        '/oidc/unknown',
        '/oidc//auth',
        '/oidc/..%2f',
        '/oidc/%00',
        '/oidc/%',
        '/oidc/%ff',
        `/oidc/${LONG}`,
        '/oidc/introspection',
        '/oidc/reg',
        '/oidc/device',
      ].flatMap((path) => [['page', path] as const, ['oauth', path, { headers: { accept: '*/*' } }] as const]),
      ...['POST', 'PUT', 'DELETE', 'TRACE', 'PATCH'].map((method) => ['oauth', '/oidc/jwks', { method }] as const),
      ...['PUT', 'DELETE', 'PATCH'].map((method) => ['oauth', '/oidc/token', { method }] as const),
      ['oauth', '/oidc/.well-known/unknown'],
      ['page', '/.well-known/unknown'],
      ['page', '/.well-known/openid-configuration/x'],
    ];
    await expectRefusals(
      stage.flow,
      tries.map(([expected, path, ask]) => ({
        name: `${ask?.method ?? 'GET'} ${path.slice(0, 80)} ${JSON.stringify(ask?.headers ?? {}).slice(0, 90)}`,
        form: expected,
        send: () => stage.page(path, ask),
      })),
    );
  });
});

test('T60 and the server never ended, and logged no failure of its own', async () => {
  expect((await send(stage.port, '/readyz')).status).toBe(200);
  expect(stage.failures()).toEqual([]);
});
