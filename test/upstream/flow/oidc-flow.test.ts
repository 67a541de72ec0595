import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Person, TenantSlug } from '../../../src/core/ids.ts';
import { assignRole } from '../../../src/operations/assign-role.ts';
import { application, type Browser, type Site, testSite, wordsOf } from '../../pages/site.ts';
import { type Acme, acme, addUser, changeSettings } from '../../support/acme.ts';
import { operator, type TestWorld, testWorld } from '../../support/world.ts';
import { begin, connectProviders, type Providers } from './providers.ts';

let world: TestWorld;
let tenants: Acme;
let site: Site;
let providers: Providers;
let who: Person;
const email = 'john@acme.example';
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  providers = await connectProviders(world, tenants);
  site = await testSite(world);
  who = { tenantId: tenants.acme.tenantId, userId: await addUser(world, tenants.acme, email) };
  const subject = { subjectId: who.userId, kind: 'user', person: who } as const;
  await assignRole(world.context(), tenants.acme, subject, 'Analytics: Viewer', operator);
});
afterAll(async () => {
  await site?.close();
  await providers?.close();
  await world?.close();
});
beforeEach(() => {
  providers.oidc.tampering = {};
});

/** To the provider and back to our callback, which is not called yet. */
async function comeBack(browser: Browser): Promise<URL> {
  const answer = await fetch(await begin(browser, email, 'okta'), { redirect: 'manual' });
  return new URL(answer.headers.get('location') ?? '');
}
const pathOf = (url: URL) => url.pathname + url.search;

test('a person signs in through a provider that somebody else wrote, and goes on to the application', async () => {
  const browser = site.browser({ tenant: 'acme' as TenantSlug });
  const callback = await browser.get(pathOf(await comeBack(browser)));
  expect(callback.status).toBe(303);
  expect(callback.headers.get('cache-control')).toBe('no-store');
  const answer = await browser.get(callback.location ?? '');
  expect(answer.location).toBe(`${application}/callback`);
  expect(site.told.at(-1)).toEqual({ kind: 'signed_in', person: who, method: 'oidc' });
});

test('T19 state that is missing, changed, doubled, another browser’s or used is refused', async () => {
  const browser = site.browser();
  const told = site.told.length;
  const back = await comeBack(browser);
  const state = back.searchParams.get('state') ?? '';
  const twisted = (change: (query: URLSearchParams) => void) => {
    const url = new URL(back);
    change(url.searchParams);
    return pathOf(url);
  };
  expect((await browser.get(twisted((query) => query.delete('state')))).status).toBe(400);
  expect(
    (await browser.get(twisted((query) => query.set('state', `${state.startsWith('x') ? 'y' : 'x'}${state.slice(1)}`))))
      .status,
  ).toBe(400);
  expect((await browser.get(twisted((query) => query.append('state', state)))).status).toBe(400);
  // Another browser may bring the answer, as a provider's cross-site post does; the session stays with the browser that asked.
  const thief = site.browser();
  const resumed = await thief.get(pathOf(back));
  expect((await thief.get(resumed.location ?? '')).status).toBe(400);
  expect((await browser.get(pathOf(back))).status).toBe(400);
  expect(site.told).toHaveLength(told);
});

test('T20 an answer at another connection’s callback is refused, and the flow stays whole', async () => {
  const browser = site.browser();
  const back = await comeBack(browser);
  const elsewhere = pathOf(back).replace('/t/acme/oidc/okta/', '/t/globex/oidc/okta/');
  await world.sql(
    `update connections set issuer = $2, settings = (select settings from connections where connection_id = $3) where connection_id = $1`,
    [tenants.globexOkta, providers.oidc.issuer, tenants.okta],
  );
  await changeSettings(world, tenants.globex, {});
  expect((await browser.get(elsewhere)).status).toBe(400);
  expect((await browser.get(pathOf(back))).status).toBe(303);
});

test('a provider that refuses leads to a page of ours that says so', async () => {
  providers.oidc.tampering.redirect = (location) => {
    location.searchParams.delete('code');
    location.searchParams.set('error', 'access_denied');
    location.searchParams.set('error_description', '<script>alert(1)</script>');
  };
  const browser = site.browser();
  const callback = await browser.get(pathOf(await comeBack(browser)));
  const answer = await browser.get(callback.location ?? '');
  expect(answer.status).toBe(403);
  expect(wordsOf(answer)).toContain('Your identity provider did not sign you in.');
  expect(answer.text).not.toContain('script');
});

test('a provider that cannot be reached is a page with a way back, not a failure of ours', async () => {
  await world.sql(`update connections set issuer = 'http://127.0.0.1:1' where connection_id = $1`, [tenants.okta]);
  await changeSettings(world, tenants.acme, {});
  const browser = site.browser();
  const token = await browser.token();
  const form = { token, email, tenant: 'acme', connection: 'okta' };
  const answer = await browser.post(`${browser.start}/connection`, form);
  await world.sql(`update connections set issuer = $2 where connection_id = $1`, [tenants.okta, providers.oidc.issuer]);
  await changeSettings(world, tenants.acme, {});
  expect(answer.status).toBe(502);
  expect(wordsOf(answer)).toContain('cannot be reached');
  expect(wordsOf(answer)).toMatch(/Reference [0-9A-F]{4}-[0-9A-F]{4}/);
});

test('R35 a domain outside the scope is told so in the words of the product, and nobody is created', async () => {
  providers.oidc.tampering.idToken = (payload) =>
    Object.assign(payload, { sub: 'stranger', email: 'x@partner.example' });
  await changeSettings(world, tenants.acme, { provisioningMode: 'jit' });
  const browser = site.browser({ tenant: 'acme' as TenantSlug });
  const callback = await browser.get(pathOf(await comeBack(browser)));
  const answer = await browser.get(callback.location ?? '');
  await changeSettings(world, tenants.acme, { provisioningMode: 'invite_only' });
  expect(wordsOf(answer)).toContain('this email domain is not approved — contact your administrator');
  expect(await world.sql(`select 1 from users where email = 'x@partner.example'`)).toEqual([]);
});

test('T113 neither codes, tokens, state nor handles are logged', async () => {
  const browser = site.browser();
  const back = await comeBack(browser);
  const callback = await browser.get(pathOf(back));
  await browser.get(callback.location ?? '');
  await browser.get(callback.location ?? '');
  const log = JSON.stringify(site.logged);
  for (const secret of [
    back.searchParams.get('code'),
    back.searchParams.get('state'),
    callback.location?.split('handle=')[1],
  ]) {
    expect(secret?.length).toBeGreaterThan(10);
    expect(log).not.toContain(secret);
  }
});
