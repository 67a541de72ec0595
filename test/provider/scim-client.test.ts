import { createHash } from 'node:crypto';
import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Instant } from '../../src/core/ids.ts';
import { authenticateDirectory } from '../../src/operations/authenticate-directory.ts';
import { endScimClient } from '../../src/operations/end-scim-client.ts';
import { stillClock } from '../support/clock.ts';
import { directoryClient, type ScimServer, scimServer } from '../support/scim.ts';
import { credentials, GRANT, type ScimClients, scimClients } from './scim-clients.ts';
import { type Application, application, browser, refusal, type Stage, stage, tokensFor } from './support.ts';

let here: Stage;
let scim: ScimServer;
let app: Application;
let on: ScimClients;
beforeAll(async () => {
  here = await stage();
  scim = await scimServer(here.world);
  app = await application(here.world, here.tenants.acme, here.server);
  on = scimClients(here, scim);
});
afterAll(async () => {
  await scim?.close();
  await here?.close();
});

describe('RFC 6749 §4.4 client credentials', () => {
  test.each([
    ['client_secret_post', client.ClientSecretPost],
    ['client_secret_basic', client.ClientSecretBasic],
  ])(
    'a directory’s client gets a token by %s, for an hour, without a refresh token, and SCIM takes it',
    async (_name, auth) => {
      const one = await on.made(here.tenants.acme, 'okta');
      const tokens = await client.clientCredentialsGrant(await on.discovered(one, auth));
      expect({ ...tokens }).toEqual({
        access_token: expect.stringMatching(/^dbo_[A-Za-z0-9_-]{43}$/),
        token_type: 'bearer',
        expires_in: 3600,
        scope: 'scim',
      });
      expect(await on.opens(tokens.access_token)).toBe(200);
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
      const answer = await on.post(
        '/token',
        credentials(await on.made(here.tenants.acme, 'okta'), { ...GRANT, ...more }),
      );
      expect([answer.status, answer.body.scope, Object.keys(answer.body).sort()]).toEqual([
        200,
        'scim',
        ['access_token', 'expires_in', 'scope', 'token_type'],
      ]);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(await on.opens(answer.body.access_token)).toBe(200);
    },
  );

  test('RFC 8707 its own directory may be named as the resource; any other is invalid_target', async () => {
    const one = await on.made(here.tenants.acme, 'okta');
    const tokens = await on.issued(one, { resource: on.baseUrl('acme', 'okta') });
    expect(await on.opens(tokens.access_token)).toBe(200);
    for (const resource of [
      on.baseUrl('acme', 'entra'),
      on.baseUrl('globex', 'okta'),
      `${on.baseUrl('acme', 'okta')}/`,
      here.server.issuer,
      'https://api.example/',
    ]) {
      expect([resource, await refusal(on.issued(one, { resource }))]).toEqual([resource, 'invalid_target']);
    }
    const form = new URLSearchParams(credentials(one, GRANT));
    for (const resource of [on.baseUrl('acme', 'okta'), 'https://api.example/']) form.append('resource', resource);
    const both = await fetch(`${here.server.address}/oidc/token`, { method: 'POST', body: form });
    expect([both.status, await both.json()]).toMatchObject([400, { error: 'invalid_target' }]);
  });

  test('a token of a client that ends sooner than in an hour ends with it', async () => {
    const one = await on.made(here.tenants.acme, 'okta', (Date.now() + 90_000) as Instant);
    const tokens = await on.issued(one);
    expect(tokens.expires_in).toBeGreaterThan(60);
    expect(tokens.expires_in).toBeLessThanOrEqual(90);
  });

  test('RFC 9449 §7.1 a token that is bound to a key is not issued, since SCIM would take it as a bearer’s', async () => {
    const config = await on.discovered(await on.made(here.tenants.acme, 'okta'));
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
    const one = await on.made(here.tenants.acme, 'okta');
    const other = await on.made(here.tenants.globex, 'okta');
    const { access_token: token } = await on.issued(one);
    const { access_token: kept } = await on.issued(one);
    await client.tokenRevocation(await on.discovered(other), token);
    expect(await on.opens(token)).toBe(200);
    await client.tokenRevocation(app.config, token);
    await client.tokenRevocation(await on.discovered(one), token, { token_type_hint: 'access_token' });
    const fresh = await scimServer(here.world);
    expect((await directoryClient(fresh, 'acme', 'okta', token).get('/Users')).status).toBe(401);
    expect((await directoryClient(fresh, 'acme', 'okta', kept).get('/Users')).status).toBe(200);
    await fresh.close();
  });
});

describe('what such a token opens', () => {
  test('T53 its own directory, and no other; every other token is the same 401 at SCIM', async () => {
    const one = await on.made(here.tenants.acme, 'okta');
    const { access_token: token } = await on.issued(one);
    const elsewhere = await on.issued(await on.made(here.tenants.globex, 'okta'));
    const person = await here.person(here.tenants.acme, 'Admin');
    const api = 'https://api.example/';
    const apiApp = await application(here.world, here.tenants.acme, here.server, {
      // Even an API that is called as the directory is.
      resources: [
        { identifier: on.baseUrl('acme', 'okta'), scopes: ['scim'] },
        { identifier: api, scopes: ['scim'] },
      ],
    });
    const own = await tokensFor(app, person);
    const jwt = await tokensFor(apiApp, person, browser(), {
      resource: on.baseUrl('acme', 'okta'),
      scope: 'openid scim',
    });
    expect(await on.opens(token)).toBe(200);
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
    const wrong = await on.atScim('x');
    expect(wrong).toMatchObject({ status: 401, challenge: 'Bearer realm="scim", error="invalid_token"' });
    const fresh = await scimServer(here.world);
    for (const [what, text] of Object.entries(refused)) {
      expect([what, text.length > 0]).toEqual([what, true]);
      const { status, headers, text: said } = await directoryClient(fresh, 'acme', 'okta', text).get('/Users');
      expect([what, { status, challenge: headers.get('www-authenticate'), text: said }]).toEqual([what, wrong]);
    }
    await fresh.close();
    expect([
      await on.opens(token, 'acme', 'entra'),
      await on.opens(token, 'globex', 'okta'),
      await on.opens(token, 'acme-labs'),
    ]).toEqual([401, 401, 401]);
    expect(await on.opens(elsewhere.access_token, 'globex')).toBe(200);
  });

  test('T53 it is no token at the provider: not for userinfo, not as a refresh token, not as a code', async () => {
    const { access_token: token } = await on.issued(await on.made(here.tenants.acme, 'okta'));
    expect(await refusal(client.fetchUserInfo(app.config, token, client.skipSubjectCheck))).toBe('invalid_token');
    expect(await refusal(app.refresh(token))).toBe('invalid_grant');
    const { checks } = await app.begin();
    const callback = new URL(`https://app.example/callback?code=${token}&state=${String(checks.expectedState)}`);
    callback.searchParams.set('iss', here.server.issuer);
    expect(await refusal(app.redeem(callback, checks))).toBe('invalid_grant');
  });

  test('an ended client’s token is dead at the very next statement, and it gets no other', async () => {
    const one = await on.made(here.tenants.acme, 'okta');
    const { access_token: token } = await on.issued(one);
    // The directory of the token is remembered for a second from here on.
    expect(await on.opens(token)).toBe(200);
    expect((await endScimClient(here.world.context(), here.tenants.acme, one.clientId)).kind).toBe('ended');
    expect(await on.atScim(token)).toEqual(await on.atScim('x'));
    expect(await refusal(on.issued(one))).toBe('invalid_client');
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
    const one = await on.made(here.tenants.globex, 'okta');
    const { access_token: token } = await on.issued(one);
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
    const one = await on.made(here.tenants.acme, 'okta');
    const { access_token: token } = await on.issued(one);
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
    const one = await on.made(here.tenants.acme, 'okta');
    const tokens = await tokensFor(app, await here.person(here.tenants.acme));
    for (const form of [
      { grant_type: 'authorization_code', code: 'x', redirect_uri: 'https://app.example/callback', code_verifier: 'x' },
      { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' },
    ]) {
      const answer = await on.post('/token', credentials(one, form));
      expect([form.grant_type, answer.status, answer.body.error]).toEqual([form.grant_type, 400, 'invalid_request']);
    }
    for (const grant_type of ['password', 'implicit', 'urn:ietf:params:oauth:grant-type:token-exchange']) {
      const answer = await on.post('/token', credentials(one, { grant_type }));
      expect([grant_type, answer.status, answer.body.error]).toEqual([grant_type, 400, 'unsupported_grant_type']);
    }
  });

  test('be known anywhere else: at /auth, for a pushed request and at a logout it is as unknown as nobody’s id', async () => {
    const one = await on.made(here.tenants.acme, 'okta');
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
      const pushed = await on.post('/request', { ...secret, response_type: 'code', scope: 'openid' });
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
    const resource = { resource: on.baseUrl('acme', 'okta') };
    expect(await refusal(client.clientCredentialsGrant(web.config, resource))).toBe('invalid_request');
    expect(await here.world.sql(`select 1 from oidc_artifacts where client_id = $1`, [web.clientId])).toEqual([]);
  });
});
