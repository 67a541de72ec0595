import { createRemoteJWKSet, decodeProtectedHeader, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setClientEnabled } from '../../src/operations/set-client-enabled.ts';
import { API, apiApplication, OTHER_API } from './api-application.ts';
import {
  type Application,
  application,
  browser,
  CALLBACK,
  refusal,
  type Stage,
  signInTo,
  stage,
  type Tokens,
  tokensFor,
} from './support.ts';

let here: Stage;
let app: Application;
let apiApp: Application;
beforeAll(async () => {
  here = await stage();
  app = await application(here.world, here.tenants.acme, here.server);
  apiApp = await apiApplication(here);
});
afterAll(() => here?.close());

/** As an API that takes our tokens reads them. */
async function verifyAtApi(token: string, audience = API) {
  const keys = createRemoteJWKSet(new URL(`${here.server.issuer}/jwks`));
  return jwtVerify(token, keys, { issuer: here.server.issuer, audience, typ: 'at+jwt', algorithms: ['ES256'] });
}
const refreshed = (one: Application, tokens: Tokens, more = {}) => one.refresh(tokens.refresh_token ?? '', more);

describe('tokens of a sign-in', () => {
  test('D11 a simple application that asks for openid gets all that decides access in its ID token, and a working userinfo', async () => {
    const person = await here.person(here.tenants.acme);
    const tokens = await tokensFor(app, person);
    const claims = {
      tenant_id: 'acme',
      home_tenant_id: 'acme',
      roles: ['Analytics: Viewer'],
      allowed_tenants: ['acme'],
    };
    const sub = `${person.tenantId}.${person.userId}`;
    expect(tokens.claims()).toMatchObject({ sub, ...claims, iss: here.server.issuer, aud: app.clientId });
    expect((tokens.claims()?.exp ?? 0) - (tokens.claims()?.iat ?? 0)).toBe(300);
    expect(await client.fetchUserInfo(app.config, tokens.access_token, sub)).toEqual({ sub, ...claims });
    expect(tokens.token_type).toBe('bearer');
    expect(tokens.expires_in).toBe(300);
  });

  test('profile and email come at userinfo where they are asked for, and only then', async () => {
    const person = await here.person(here.tenants.acme);
    await here.world.sql(`update users set given_name = 'Ann', family_name = 'Lee' where user_id = $1`, [
      person.userId,
    ]);
    const tokens = await tokensFor(app, person, browser(), { scope: 'openid email profile' });
    const info = await client.fetchUserInfo(app.config, tokens.access_token, client.skipSubjectCheck);
    expect(info).toMatchObject({ email_verified: true, given_name: 'Ann', family_name: 'Lee', name: 'Ann Lee' });
    expect(info.email).toMatch(/@acme\.example$/);
  });

  test('an application may have a JWT access token for an API of its registration, which the API can check by itself', async () => {
    const person = await here.person(here.tenants.acme);
    await here.map(person, here.tenants.labs);
    const tokens = await tokensFor(apiApp, person, browser(), { resource: API, scope: 'openid reports:read' });
    const { payload, protectedHeader } = await verifyAtApi(tokens.access_token);
    expect(protectedHeader).toMatchObject({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) });
    expect(payload).toMatchObject({
      sub: `${person.tenantId}.${person.userId}`,
      client_id: apiApp.clientId,
      scope: 'reports:read',
      tenant_id: 'acme',
      home_tenant_id: 'acme',
      roles: ['Analytics: Viewer'],
      allowed_tenants: ['acme', 'acme-labs'],
    });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(300);
    expect(tokens.claims()).toMatchObject({ roles: ['Analytics: Viewer'] });
  });

  test('RFC 8707: what was asked for at the authorization holds for its code and its refreshes', async () => {
    const { visit, checks } = await signInTo(apiApp, await here.person(here.tenants.acme), browser(), {
      resource: API,
    });
    const tokens = await apiApp.redeem(visit.url, checks);
    await verifyAtApi(tokens.access_token);
    await verifyAtApi((await refreshed(apiApp, tokens)).access_token);
  });

  test('a default resource is the client’s own choice', async () => {
    const resources = [{ identifier: API, scopes: ['reports:read'] }];
    const eager = await application(here.world, here.tenants.acme, here.server, { resources, defaultResource: API });
    const tokens = await tokensFor(eager, await here.person(here.tenants.acme), browser(), {
      scope: 'openid reports:read',
    });
    expect((await verifyAtApi(tokens.access_token)).payload.scope).toBe('reports:read');
    expect(await refusal(client.fetchUserInfo(eager.config, tokens.access_token, client.skipSubjectCheck))).toBe(
      'invalid_token',
    );
  });

  test('T65 a token for one API is none for another, and neither is an ID token', async () => {
    const tokens = await tokensFor(apiApp, await here.person(here.tenants.acme), browser(), { resource: API });
    await expect(verifyAtApi(tokens.access_token, OTHER_API)).rejects.toThrow('aud');
    await expect(verifyAtApi(tokens.id_token ?? '')).rejects.toThrow();
    const userinfo = client.fetchUserInfo(apiApp.config, tokens.access_token, client.skipSubjectCheck);
    expect(await refusal(userinfo)).toBe('invalid_token');
    const withIdToken = client.fetchUserInfo(apiApp.config, tokens.id_token ?? '', client.skipSubjectCheck);
    expect(await refusal(withIdToken)).toBe('invalid_token');
  });

  test.each(['https://unregistered.example/', 'not a uri', `${API}#x`, `${API}/`])(
    'T65 a resource %s outside the registration is invalid_target',
    async (resource) => {
      const { visit } = await signInTo(apiApp, null, browser(), { resource });
      expect(visit.url.searchParams.get('error')).toBe('invalid_target');
    },
  );

  test('scopes of an API are given only with it, and only those that it has', async () => {
    const person = await here.person(here.tenants.acme);
    const plain = await tokensFor(apiApp, person, browser(), { scope: 'openid reports:read' });
    expect(plain.scope).toBe('openid');
    const tokens = await tokensFor(apiApp, person, browser(), {
      resource: API,
      scope: 'openid reports:read other admin',
    });
    expect((await verifyAtApi(tokens.access_token)).payload.scope).toBe('reports:read');
  });

  test('a client that asks for RS256 gets RS256 ID tokens; access tokens stay ES256', async () => {
    const resources = [{ identifier: API, scopes: [] }];
    const old = await application(here.world, here.tenants.acme, here.server, { signingAlgorithm: 'RS256', resources });
    const tokens = await tokensFor(old, await here.person(here.tenants.acme), browser(), { resource: API });
    expect(decodeProtectedHeader(tokens.id_token ?? '').alg).toBe('RS256');
    expect(decodeProtectedHeader(tokens.access_token).alg).toBe('ES256');
  });
});

describe('how a client shows who it is', () => {
  test('by its secret in a header or in the body, as its library likes', async () => {
    for (const auth of [client.ClientSecretBasic, client.ClientSecretPost]) {
      const one = await application(here.world, here.tenants.acme, here.server, {}, auth);
      const tokens = await tokensFor(one, await here.person(here.tenants.acme));
      expect((await refreshed(one, tokens)).access_token).toBeTruthy();
    }
  });

  test('T22 by a key, once for each assertion', async () => {
    const pair = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256' };
    const one = await application(here.world, here.tenants.acme, here.server, { publicKeys: [jwk] });
    const as = { issuer: here.server.issuer, token_endpoint: `${here.server.issuer}/token` };
    let assertion: string | undefined;
    const sendAgain: oauth.ClientAuth = (_as, them, body) => {
      body.set('client_id', them.client_id);
      body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
      body.set('client_assertion', assertion ?? '');
    };
    const signed = oauth.PrivateKeyJwt({ key: pair.privateKey, kid: 'k1' });
    const remember: oauth.ClientAuth = async (...args) => {
      await signed(...args);
      assertion = args[2].get('client_assertion') ?? undefined;
    };
    const { visit, checks } = await signInTo(one, await here.person(here.tenants.acme), browser());
    const me = { client_id: one.clientId };
    const parameters = oauth.validateAuthResponse(as, me, visit.url, checks.expectedState);
    const options = { [oauth.allowInsecureRequests]: true };
    const redeem = (auth: oauth.ClientAuth) =>
      oauth.authorizationCodeGrantRequest(as, me, auth, parameters, CALLBACK, checks.pkceCodeVerifier ?? '', options);
    expect((await redeem(remember)).status).toBe(200);
    expect((await redeem(sendAgain)).status).toBe(401);
    assertion = undefined;
    expect((await redeem(sendAgain)).status).toBe(401);
  });

  test('not at all, where it cannot keep a secret: PKCE alone', async () => {
    const spa = await application(here.world, here.tenants.acme, here.server, { kind: 'browser' });
    const tokens = await tokensFor(spa, await here.person(here.tenants.acme));
    expect((await refreshed(spa, tokens)).access_token).toBeTruthy();
  });

  test('a page’s script may ask from the origin of its redirect URI, and from no other', async () => {
    const spa = await application(here.world, here.tenants.acme, here.server, { kind: 'browser' });
    const ask = (origin: string) =>
      fetch(`${here.server.issuer}/token`, {
        method: 'POST',
        headers: { origin, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ client_id: spa.clientId, grant_type: 'refresh_token', refresh_token: 'x' }),
      });
    expect((await ask('https://app.example')).headers.get('access-control-allow-origin')).toBe('https://app.example');
    const evil = await ask('https://evil.example');
    expect(evil.headers.get('access-control-allow-origin')).toBeNull();
    expect(await evil.json()).toMatchObject({ error: 'invalid_request' });
  });

  test('T71 nobody redeems another client’s code or refresh token', async () => {
    const person = await here.person(here.tenants.acme);
    const { visit, checks } = await signInTo(app, person, browser());
    expect(await refusal(apiApp.redeem(visit.url, checks))).toBe('invalid_grant');
    const tokens = await app.redeem(visit.url, checks);
    expect(await refusal(refreshed(apiApp, tokens))).toBe('invalid_grant');
    expect((await refreshed(app, tokens)).access_token).toBeTruthy();
  });

  test('T67 a client that is switched off is unknown, on every server within a second, and its tokens are dead at once', async () => {
    const one = await application(here.world, here.tenants.acme, here.server);
    const tokens = await tokensFor(one, await here.person(here.tenants.acme));
    await setClientEnabled(here.world.context(), here.tenants.acme, one.clientId, false);
    expect(await refusal(refreshed(one, tokens))).toBe('invalid_grant');
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    expect(await refusal(refreshed(one, tokens))).toBe('invalid_client');
  });
});

describe('pushed requests and bound tokens', () => {
  test('a pushed authorization request works once', async () => {
    const person = await here.person(here.tenants.acme);
    const { url, checks } = await app.begin();
    const pushed = await client.buildAuthorizationUrlWithPAR(app.config, url.searchParams);
    const visitor = browser();
    const page = await visitor.go(pushed);
    const visit = await visitor.go(`${page.url}?sub=${person.tenantId}.${person.userId}`);
    expect((await app.redeem(visit.url, checks)).claims()).toMatchObject({ tenant_id: 'acme' });
    const again = await visitor.go(pushed);
    expect(again.url.searchParams.get('code')).toBeNull();
  });

  test('a DPoP-bound token needs its key, and each proof counts once', async () => {
    const spa = await application(here.world, here.tenants.acme, here.server, { kind: 'browser' });
    const { visit, checks } = await signInTo(spa, await here.person(here.tenants.acme), browser());
    const DPoP = client.getDPoPHandle(spa.config, await client.randomDPoPKeyPair('ES256'));
    const tokens = await client.authorizationCodeGrant(spa.config, visit.url, checks, {}, { DPoP });
    expect(tokens.token_type).toBe('dpop');
    const info = await client.fetchUserInfo(spa.config, tokens.access_token, client.skipSubjectCheck, { DPoP });
    expect(info.tenant_id).toBe('acme');
    expect(await refusal(refreshed(spa, tokens))).toBe('invalid_grant');
    const thief = client.getDPoPHandle(spa.config, await client.randomDPoPKeyPair('ES256'));
    expect(await refusal(client.refreshTokenGrant(spa.config, tokens.refresh_token ?? '', {}, { DPoP: thief }))).toBe(
      'invalid_grant',
    );

    // A proof that nobody has seen yet, sent eight times at once.
    let proven: RequestInit | undefined;
    spa.config[client.customFetch] = (_url, init) => {
      proven = init as RequestInit;
      throw new Error('kept');
    };
    await client.fetchUserInfo(spa.config, tokens.access_token, client.skipSubjectCheck, { DPoP }).catch(() => {});
    const answers = await Promise.all(Array.from({ length: 8 }, () => fetch(`${here.server.issuer}/userinfo`, proven)));
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    for (const answer of answers.filter((one) => one.status !== 200)) expect([400, 401]).toContain(answer.status);
  });
});
