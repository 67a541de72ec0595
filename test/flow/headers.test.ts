import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { userBody } from '../support/scim.ts';
import { type Stage, startStage } from './bad-input/stage.ts';
import { type Answer, type Ask, formOf, send, strangeAddress } from './http.ts';
import { startServer } from './servers.ts';
import { pathOf, refreshRequest, tokenIn } from './visitor.ts';

let stage: Stage;
let link: string;
beforeAll(async () => {
  stage = await startStage();
  link = /\/t\/system\/invitation\/[\w-]{43}/.exec(stage.flow.servers[0]?.output() ?? '')?.[0] ?? '';
});
afterAll(() => stage?.flow.close());

/** One request to each kind of address, good ones and refused ones, by what it is. */
function everyKind(): Record<
  string,
  { readonly path: string; readonly ask?: Ask; readonly is: 'page' | 'json' | 'other' }
> {
  const { app, ids, tokens, refreshToken } = stage;
  const scim = { headers: { authorization: `Bearer ${tokens.okta}`, 'content-type': 'application/scim+json' } };
  const authorization = new URLSearchParams({
    client_id: app.clientId,
    response_type: 'code',
    redirect_uri: app.redirectUri,
    scope: 'openid',
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
  });
  const user = `/scim/v2/acme/okta/Users/${ids.user}`;
  const page = (path: string, ask: Ask = {}) => ({ path, ask, is: 'page' as const });
  const json = (path: string, ask: Ask = {}) => ({ path, ask, is: 'json' as const });
  const other = (path: string, ask: Ask = {}) => ({ path, ask, is: 'other' as const });
  return {
    'the start page': page('/'),
    'nothing there': page('/nothing'),
    'a stale interaction': page('/interaction/nobody'),
    'a form of another site': page('/interaction/nobody/email', {
      ...formOf({}),
      headers: { ...formOf({}).headers, origin: 'https://evil.example' },
    }),
    'a one-time link': page(link),
    'a wrong one-time link': page('/t/system/invitation/x'),
    'a callback that nobody began': page('/t/acme/oidc/okta/callback?state=x'),
    'an ACS that nobody asked': page('/t/acme/saml/entra/acs', formOf({ SAMLResponse: 'x', RelayState: 'y' })),
    'metadata of nobody': page('/t/acme/saml/nobody/metadata'),
    'an authorization of nobody': page('/oidc/auth?client_id=nobody'),
    'a logout': page(`/oidc/session/end?client_id=${app.clientId}`),
    'a logged-out page': page('/oidc/session/end/success'),
    'nothing of the provider': page('/oidc/nothing'),
    'a logout with a wrong form': page('/oidc/session/end/confirm', formOf({ xsrf: 'x' })),
    'an authorization': other(`/oidc/auth?${authorization}`),
    'a silent authorization': other(`/oidc/auth?${authorization}&prompt=none`),
    discovery: json('/oidc/.well-known/openid-configuration'),
    'discovery by OAuth': json('/.well-known/oauth-authorization-server/oidc'),
    keys: json('/oidc/jwks'),
    'a wrong token request': json('/oidc/token', refreshRequest(app, 'x')),
    'userinfo without a token': json('/oidc/userinfo'),
    'a right token request': json('/oidc/token', refreshRequest(app, refreshToken)),
    'a user': json(user, scim),
    users: json('/scim/v2/acme/okta/Users?count=2', scim),
    'a group': json(`/scim/v2/acme/okta/Groups/${ids.group}`, scim),
    'a new user': json('/scim/v2/acme/okta/Users', {
      ...scim,
      method: 'POST',
      body: JSON.stringify(userBody(`new-${strangeAddress()}`)),
    }),
    'what SCIM offers': json('/scim/v2/acme/okta/ServiceProviderConfig', scim),
    'types of SCIM': json('/scim/v2/acme/okta/ResourceTypes', scim),
    'a SCIM refusal': json('/scim/v2/acme/okta/Users/x', scim),
    'SCIM without a token': json('/scim/v2/acme/okta/Users'),
    'SAML metadata': other('/t/acme/saml/entra/metadata'),
    'the stylesheet': other('/style.css'),
    liveness: other('/livez'),
    readiness: other('/readyz'),
  };
}

async function askAll(headers: Record<string, string> = {}): Promise<Map<string, Answer & { is: string }>> {
  const answers = new Map<string, Answer & { is: string }>();
  for (const [name, { path, ask = {}, is }] of Object.entries(everyKind())) {
    const all = { accept: 'text/html', 'x-forwarded-for': strangeAddress(), ...headers, ...ask.headers };
    answers.set(name, { ...(await send(stage.port, path, { ...ask, headers: all })), is });
  }
  return answers;
}

describe('headers', () => {
  test('T102 T103 pages are not cached, framed, sniffed or scripted, and tell nobody where somebody came from', async () => {
    for (const [name, { headers, is, text }] of await askAll()) {
      if (is !== 'page') continue;
      expect(headers['content-type'], name).toBe('text/html; charset=utf-8');
      expect(headers, name).toMatchObject({
        'cache-control': expect.stringContaining('no-store'),
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'same-origin',
        'permissions-policy': expect.stringContaining('camera=()'),
      });
      const policy = String(headers['content-security-policy']);
      expect(policy, name).toContain("default-src 'none'");
      expect(policy, name).toContain("frame-ancestors 'none'");
      expect(policy, name).toContain("base-uri 'none'");
      expect(policy, name).not.toMatch(/unsafe|\*|script-src (?!'none'|'sha256-)/);
      // The library's own page posts a form by a script, whose hash is all that its policy lets run.
      if (name !== 'a logout') expect(text, name).not.toMatch(/<script|\son\w+=|javascript:|style="/i);
    }
  });

  test('T103 nothing says what the server is made of; whatever it sends is not sniffed, and what is secret not kept', async () => {
    for (const [name, { headers, is, status }] of await askAll()) {
      expect(Object.keys(headers), name).not.toContain('x-powered-by');
      expect(Object.keys(headers), name).not.toContain('server');
      if (is === 'json' || name === 'the stylesheet' || name === 'SAML metadata')
        expect([name, headers['x-content-type-options']]).toEqual([name, 'nosniff']);
      if (name.includes('token') || name.includes('user') || name === 'a group')
        expect([name, headers['cache-control']]).toEqual([name, expect.stringContaining('no-store')]);
      for (const cookie of headers['set-cookie'] ?? []) {
        expect(cookie, name).toMatch(/; httponly/i);
        expect(cookie, name).toMatch(/; samesite=lax/i);
        expect(cookie, name).not.toMatch(/; domain=/i);
      }
      expect(status, name).toBeLessThan(500);
    }
  });

  test('behind https every cookie is Secure, the session’s belongs to this host alone, and browsers come by https only', async () => {
    const env = await stage.flow.envOfAnother({ DRAWBRIDGE_PUBLIC_URL: 'https://login.acme.example' });
    const server = await startServer(env);
    try {
      const { path } = everyKind()['an authorization'] ?? { path: '' };
      const { headers, status } = await send(server.port, path);
      expect(status).toBe(303);
      expect(headers.location).toMatch(/^https:\/\/login\.acme\.example\/interaction\//);
      const cookies = headers['set-cookie'] ?? [];
      expect(cookies.length).toBeGreaterThan(1);
      for (const cookie of cookies) expect(cookie).toMatch(/^__(Secure|Host)-.*; secure/i);
      expect(headers['strict-transport-security']).toBe('max-age=31536000');
      expect((await send(stage.port, path)).headers['strict-transport-security']).toBeUndefined();
      const said = await send(server.port, '/oidc/.well-known/openid-configuration');
      expect(JSON.parse(said.text).token_endpoint).toBe('https://login.acme.example/oidc/token');
    } finally {
      await server.stop('SIGINT');
    }
  });
});

describe('T61 T88 whatever a request calls this server', () => {
  const evil = 'evil.example';
  const spoofs: Record<string, Record<string, string>> = {
    Host: { host: evil },
    'Host with a port': { host: `${evil}:8443` },
    'X-Forwarded-Host': { 'x-forwarded-host': evil, 'x-forwarded-proto': 'https', 'x-forwarded-port': '8443' },
    Forwarded: { forwarded: `for=1.2.3.4;host=${evil};proto=https` },
    'addresses in headers': {
      'x-original-url': `https://${evil}/admin`,
      'x-rewrite-url': '/admin',
      'x-forwarded-prefix': `//${evil}`,
      'x-forwarded-server': evil,
      'x-host': evil,
      'x-original-host': evil,
      'x-forwarded-path': '/admin',
      referer: `https://${evil}/`,
    },
  };
  // What is new in every answer: ids, tokens, times, and the form's own fields.
  const steady = ({ status, headers, text }: Answer) => {
    const { date: _, 'x-request-id': _id, 'set-cookie': cookies, ...others } = headers;
    const plain = JSON.stringify({ status, others, cookies: cookies?.map((one) => one.replace(/=[^;]*/, '=…')), text });
    return plain
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '…')
      .replace(/20\d\d-\d\d-\d\dT[\d:.]+Z/g, '…')
      .replace(/new-10\.\d+\.\d+\.\d+/g, '…')
      .replace(/[0-9A-F]{4}-[0-9A-F]{4}/g, '…')
      .replace(/expires=[^;"]*/gi, '…')
      .replace(/[A-Za-z0-9_-]{20,}(\.[A-Za-z0-9_-]{20,})*/g, '…')
      .replace(/\d+/g, '0');
  };

  test.each(Object.entries(spoofs))('it answers by the name of its settings: %s', async (_name, headers) => {
    const plain = await askAll();
    const spoofed = await askAll(headers);
    for (const [name, answer] of spoofed) {
      expect(JSON.stringify([answer.headers, answer.text]), name).not.toContain(evil);
      if (name === 'a right token request') continue;
      expect(steady(answer), name).toBe(steady(plain.get(name) as Answer));
    }
  });

  test.each(Object.entries(spoofs))(
    'it sends people to their provider and back by that name: %s',
    async (_name, headers) => {
      const ann = stage.ann.again();
      const { answer } = await ann.authorize(stage.port, {}, headers);
      expect(answer.headers.location).toMatch(new RegExp(`^${stage.flow.publicUrl}/interaction/`));
      const at = pathOf(answer);
      const token = tokenIn(await ann.ask(stage.port, at, { headers }));
      for (const connection of ['okta', 'entra']) {
        const form = formOf({ token, email: 'ann@acme.example', tenant: 'acme', connection });
        const page = await ann.ask(stage.port, `${at}/connection`, {
          ...form,
          headers: { ...form.headers, ...headers },
        });
        expect(page.status).toBe(200);
        expect(page.text).toContain('http-equiv="refresh"');
        expect(page.text).not.toContain(evil);
        if (connection === 'okta')
          expect(page.text).toContain(encodeURIComponent(`${stage.flow.publicUrl}/t/acme/oidc/okta/callback`));
      }
    },
  );
});

test('T61 a method is what the request line says: no header, query or field overrides it', async () => {
  const { tokens, ids, port, flow } = stage;
  const user = `/scim/v2/acme/okta/Users/${ids.user}`;
  const authorization = `Bearer ${tokens.okta}`;
  const names = ['x-http-method-override', 'x-http-method', 'x-method-override', 'x-original-method'];
  const there = () =>
    flow.world.sql(`select ended_at, active from directory_users where directory_user_id = $1`, [ids.user]);
  const before = await there();
  for (const name of names) {
    expect((await send(port, user, { headers: { authorization, [name]: 'DELETE' } })).status).toBe(200);
    const posted = {
      method: 'POST',
      body: '{}',
      headers: { authorization, 'content-type': 'application/json', [name]: 'DELETE' },
    };
    expect((await send(port, user, posted)).status).toBe(405);
    expect((await send(port, '/oidc/token', { headers: { [name]: 'POST' } })).status).toBe(404);
    expect((await send(port, link, { headers: { [name]: 'POST', 'x-forwarded-for': strangeAddress() } })).status).toBe(
      200,
    );
  }
  expect((await send(port, `${user}?_method=DELETE`, { headers: { authorization } })).status).toBe(200);
  const field = { ...formOf({ _method: 'DELETE' }), headers: { ...formOf({}).headers, authorization } };
  expect((await send(port, user, field)).status).toBe(405);
  expect(await there()).toEqual(before);
});
