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
