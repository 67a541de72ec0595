import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { browser, type Page } from '../../../scripts/browser.ts';
import { startUpstreamIdps, type UpstreamIdps, type UpstreamIdpsConfig } from '../../../scripts/upstream-idps.ts';
import type { LoginStart } from '../../../src/upstream/connector.ts';
import { oidcConnector } from '../../../src/upstream/oidc.ts';
import { connectionTo, refusalOf, testWorld, urls } from './tampering-idp.ts';

const config: UpstreamIdpsConfig = {
  people: [
    {
      login: 'jane',
      password: 'correct horse',
      oidc: {
        sub: '00u1jane',
        claims: {
          email: 'jane@acme.example',
          email_verified: true,
          given_name: 'Jane',
          family_name: 'Doe',
          name: 'Jane Doe',
          groups: ['Editors', 'Staff'],
          oid: '11111111-2222-4333-8444-555555555555',
          preferred_username: 'admin@acme.example',
        },
      },
    },
    {
      login: 'many',
      password: 'correct horse',
      oidc: {
        sub: '00u2many',
        claims: {
          email: 'many@acme.example',
          _claim_names: { groups: 'src1' },
          _claim_sources: { src1: { endpoint: 'http://127.0.0.1:1/groups' } },
        },
      },
    },
    { login: 'saml-only', password: 'correct horse', saml: { nameId: 'x', attributes: {} } },
  ],
  oidc: { redirectUris: [urls.callback] },
};

const settings = {
  clientSecret: { env: 'OKTA_SECRET' },
  scopes: ['email', 'profile', 'groups'],
  groupsClaim: 'groups',
  directoryIdClaim: 'oid',
} as const;

function at(idps: UpstreamIdps) {
  const readSecret = async () => idps.oidc.clientSecret;
  const connector = oidcConnector(testWorld({ readSecret }));
  const connection = connectionTo(idps.oidc.issuer, settings);
  let flows = 0;
  return {
    connector,
    connection,
    begin: async (options: { loginHint?: string; forceLogin?: boolean } = {}) => {
      flows += 1;
      const flow = {
        id: `flow-${flows}`,
        loginHint: options.loginHint ?? null,
        forceLogin: options.forceLogin ?? false,
      };
      return { ...(await connector.begin(connection, urls, flow)), id: flow.id };
    },
    finish: (start: LoginStart & { id: string }, page: Page) => {
      const query = page.redirect?.searchParams ?? expect.fail(`stays at ${page.url}: ${page.text}`);
      return connector.finish(connection, urls, start, { query, form: {} });
    },
    person: () => browser({ stopAt: (url) => url.href.startsWith(urls.callback) }),
  };
}

const credentials = { login: 'jane', password: 'correct horse' };

describe('sign-in through a real provider', () => {
  let idps: UpstreamIdps;
  let idp: ReturnType<typeof at>;
  beforeAll(async () => {
    idps = await startUpstreamIdps(config);
    idp = at(idps);
  });
  afterAll(() => idps.stop());

  test('a person signs in with their password, and is who the provider says', async () => {
    const person = idp.person();
    const start = await idp.begin({ loginHint: 'jane' });
    const form = await person.open(start.redirectTo);
    expect(form.forms[0]?.fields[0]).toMatchObject({ name: 'login', value: 'jane' });
    const wrong = await person.submit(form, { password: 'wrong' });
    expect(wrong.status).toBe(401);
    const { assertion, expiresAt } = await idp.finish(start, await person.submit(wrong, credentials));
    expect(assertion).toEqual({
      connectionId: idp.connection.connectionId,
      method: 'oidc',
      issuer: idps.oidc.issuer,
      subject: '00u1jane',
      directoryIds: ['00u1jane', '11111111-2222-4333-8444-555555555555'],
      directoryUserName: null,
      email: 'jane@acme.example',
      emailVerified: true,
      givenName: 'Jane',
      familyName: 'Doe',
      displayName: 'Jane Doe',
      groups: { kind: 'named', values: ['Editors', 'Staff'] },
      authenticatedAt: expect.any(Number),
    });
    expect(Date.now() - assertion.authenticatedAt).toBeLessThan(10_000);
    expect(expiresAt).toBeGreaterThan(Date.now());
    expect(person.refusedCookies).toEqual([]);
  });

  test('a person whom the provider knows already comes through at once; a fresh login asks again, and is proven', async () => {
    const person = idp.person();
    const first = await idp.begin();
    await person.submit(await person.open(first.redirectTo), credentials);
    const second = await idp.begin();
    const { assertion } = await idp.finish(second, await person.open(second.redirectTo));
    expect(assertion.subject).toBe('00u1jane');

    const fresh = await idp.begin({ forceLogin: true });
    const form = await person.open(fresh.redirectTo);
    expect(form.forms).toHaveLength(1);
    const proven = await idp.finish(fresh, await person.submit(form, credentials));
    expect(proven.assertion.subject).toBe('00u1jane');
  });

  test('the code is good once (T19), and only for the verifier and the callback of its flow (T21)', async () => {
    const person = idp.person();
    const signedIn = async () => {
      const start = await idp.begin();
      const opened = await person.open(start.redirectTo);
      return { start, back: opened.redirect === null ? await person.submit(opened, credentials) : opened };
    };
    const { start, back } = await signedIn();
    await idp.finish(start, back);
    expect(await refusalOf(idp.finish(start, back))).toMatchObject({
      code: 'upstream_refused',
      detail: expect.stringContaining('invalid_grant'),
    });

    const other = await signedIn();
    const verifier = 'v'.repeat(43);
    const swapped = { ...other.start, secrets: { ...other.start.secrets, verifier } };
    expect((await refusalOf(idp.finish(swapped, other.back))).code).toBe('upstream_refused');

    const third = await signedIn();
    const query = third.back.redirect?.searchParams ?? new URLSearchParams();
    const elsewhere = { ...urls, callback: 'https://bridge.example/t/globex/oidc/okta/callback' };
    const finish = idp.connector.finish(idp.connection, elsewhere, third.start, { query, form: {} });
    expect((await refusalOf(finish)).code).toBe('upstream_refused');
  });

  test('a wrong client secret is the refusal of the provider', async () => {
    const person = idp.person();
    const start = await idp.begin();
    const back = await person.submit(await person.open(start.redirectTo), credentials);
    const wrong = oidcConnector(testWorld({ readSecret: async () => 'wrong' }));
    const query = back.redirect?.searchParams ?? new URLSearchParams();
    const refusal = await refusalOf(wrong.finish(idp.connection, urls, start, { query, form: {} }));
    expect(refusal).toMatchObject({
      code: 'upstream_refused',
      detail: expect.not.stringContaining(idps.oidc.clientSecret),
    });
  });

  test('somebody who cancels is told apart from somebody who is rejected', async () => {
    const person = idp.person();
    const start = await idp.begin();
    const back = await person.submit(await person.open(start.redirectTo), {}, { button: 'Cancel' });
    expect(await refusalOf(idp.finish(start, back))).toMatchObject({
      code: 'upstream_refused',
      detail: expect.stringContaining('access_denied'),
    });
  });

  test('groups that are too many for the token are unknown, and nobody calls their address', async () => {
    const person = idp.person();
    const start = await idp.begin();
    const back = await person.submit(await person.open(start.redirectTo), { ...credentials, login: 'many' });
    const { assertion } = await idp.finish(start, back);
    expect(assertion).toMatchObject({ groups: { kind: 'overage' }, emailVerified: false });
  });

  test('people of the other provider have no account here, and one who is added has one', async () => {
    const person = idp.person();
    const start = await idp.begin();
    const refused = await person.submit(await person.open(start.redirectTo), { ...credentials, login: 'saml-only' });
    expect(refused.status).toBe(401);
    await idps.addUser({
      login: 'late',
      password: 'x',
      oidc: { sub: '00u9late', claims: { email: 'late@acme.example' } },
    });
    const back = await person.submit(refused, { login: 'late', password: 'x' });
    const { assertion } = await idp.finish(start, back);
    expect(assertion).toMatchObject({ subject: '00u9late', email: 'late@acme.example', groups: { kind: 'absent' } });
  });

  test('a callback that is not registered is answered by the provider, not by us', async () => {
    const callback = `https://late-${randomUUID()}.example/callback`;
    const start = await idp.connector.begin(
      idp.connection,
      { ...urls, callback },
      { id: 'f', loginHint: null, forceLogin: false },
    );
    expect((await idp.person().open(start.redirectTo)).status).toBe(400);
    await idps.addRedirectUri(callback);
    expect((await idp.person().open(start.redirectTo)).status).toBe(200);
  });
});

describe('a real provider that tells people at userinfo only', () => {
  let idps: UpstreamIdps;
  beforeAll(async () => {
    idps = await startUpstreamIdps({ ...config, oidc: { ...config.oidc, claimsIn: 'userinfo' } });
  });
  afterAll(() => idps.stop());

  test('address, names and groups are read there', async () => {
    const idp = at(idps);
    const person = idp.person();
    const start = await idp.begin();
    const back = await person.submit(await person.open(start.redirectTo), credentials);
    const { assertion } = await idp.finish(start, back);
    expect(assertion).toMatchObject({
      subject: '00u1jane',
      email: 'jane@acme.example',
      emailVerified: true,
      displayName: 'Jane Doe',
      groups: { kind: 'named', values: ['Editors', 'Staff'] },
    });
  });
});
