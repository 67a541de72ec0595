import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { begun } from '../support/begun.ts';
import {
  type Application,
  application,
  type Browser,
  browser,
  pendingAt,
  refusal,
  type Stage,
  signInTo,
  stage,
  type Tokens,
  tokensFor,
  type Visit,
} from './support.ts';

const AFTER = 'https://app.example/goodbye';

let here: Stage;
let app: Application;
let second: Application;
beforeAll(async () => {
  here = await stage();
  app = await application(here.world, here.tenants.acme, here.server, { postLogoutRedirectUris: [AFTER] });
  second = await application(here.world, here.tenants.acme, here.server);
});
afterAll(async () => {
  expect(here.server.logged.filter((line) => line.level === 'error')).toEqual([]);
  await here.close();
});

const refreshed = (tokens: Tokens, one = app) => one.refresh(tokens.refresh_token ?? '');
const field = (page: Visit, name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(page.body)?.[1] ?? '';

async function askToSignOut(visitor: Browser, tokens: Tokens, more: Record<string, string> = {}): Promise<Visit> {
  const hint = { id_token_hint: tokens.id_token ?? '' };
  return visitor.go(
    client.buildEndSessionUrl(app.config, { ...hint, post_logout_redirect_uri: AFTER, state: 's1', ...more }),
  );
}
const press = (visitor: Browser, page: Visit, fields: Record<string, string>) =>
  visitor.go(/action="([^"]+)"/.exec(page.body)?.[1] ?? '', { form: { xsrf: field(page, 'xsrf'), ...fields } });

describe('logout', () => {
  test('asks first, on a page without script that cannot be framed, and then goes back to the application', async () => {
    const visitor = browser();
    const tokens = await tokensFor(app, await here.person(here.tenants.acme), visitor);
    const page = await askToSignOut(visitor, tokens);
    expect(page.status).toBe(200);
    expect(page.body).toContain('<strong>Analytics</strong> asks to sign you out');
    expect(page.body).not.toContain('<script');
    expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none';.*frame-ancestors 'none'/);
    const left = await press(visitor, page, { logout: 'yes' });
    expect(left.url.href).toBe(`${AFTER}?state=s1`);
  });

  test('means logout: the session, and every token that was issued in it, to whichever application, offline ones included', async () => {
    const visitor = browser();
    const person = await here.person(here.tenants.acme);
    await here.map(person, here.tenants.labs);
    const offline = await tokensFor(app, person, visitor, { scope: 'openid offline_access' });
    const labs = await tokensFor(app, null, visitor, { acr_values: 'tenant:acme-labs' });
    const theirs = await tokensFor(second, null, visitor);
    const { visit, checks } = await signInTo(second, null, visitor);
    const elsewhere = await tokensFor(app, person, browser());
    await press(visitor, await askToSignOut(visitor, offline), { logout: 'yes' });
    for (const tokens of [offline, labs]) expect(await refusal(refreshed(tokens))).toBe('invalid_grant');
    expect(await refusal(refreshed(theirs, second))).toBe('invalid_grant');
    expect(await refusal(second.redeem(visit.url, checks))).toBe('invalid_grant');
    const info = client.fetchUserInfo(app.config, offline.access_token, client.skipSubjectCheck);
    expect(await refusal(info)).toBe('invalid_token');
    expect(pendingAt((await signInTo(app, null, visitor)).visit)).toMatchObject({ prompt: 'login' });
    // Another browser of the same person is another session.
    expect((await refreshed(elsewhere)).access_token).toBeTruthy();
  });

  test('an old cookie is worth nothing afterwards', async () => {
    const visitor = browser();
    const tokens = await tokensFor(app, await here.person(here.tenants.acme), visitor);
    const kept = new Map(visitor.cookies);
    await press(visitor, await askToSignOut(visitor, tokens), { logout: 'yes' });
    for (const [name, cookie] of kept) visitor.cookies.set(name, cookie);
    expect(pendingAt((await signInTo(app, null, visitor)).visit)).toMatchObject({ prompt: 'login' });
  });

  test('whoever stays signed in is logged out of the application that asked, and of no other', async () => {
    const visitor = browser();
    const tokens = await tokensFor(app, await here.person(here.tenants.acme), visitor, {
      scope: 'openid offline_access',
    });
    const theirs = await tokensFor(second, null, visitor);
    const stayed = await press(visitor, await askToSignOut(visitor, tokens), {});
    expect(stayed.url.href).toBe(`${AFTER}?state=s1`);
    expect(await refusal(refreshed(tokens))).toBe('invalid_grant');
    expect((await refreshed(theirs, second)).access_token).toBeTruthy();
    expect((await signInTo(second, null, visitor)).visit.url.searchParams.get('code')).toBeTruthy();
    expect((await signInTo(app, null, visitor)).visit.url.searchParams.get('code')).toBeTruthy();
  });

  test('T15 a form of another page does not log anybody out', async () => {
    const visitor = browser();
    const tokens = await tokensFor(app, await here.person(here.tenants.acme), visitor);
    await askToSignOut(visitor, tokens);
    const forged = await visitor.go(`${here.server.issuer}/session/end/confirm`, {
      form: { xsrf: 'guess', logout: 'yes' },
    });
    expect(forged.status).toBe(400);
    expect((await refreshed(tokens)).access_token).toBeTruthy();
  });

  test('T16 goes back to a registered address only', async () => {
    const visitor = browser();
    const tokens = await tokensFor(app, await here.person(here.tenants.acme), visitor);
    for (const uri of ['https://evil.example/', `${AFTER}/..`, `${AFTER}?x`, 'javascript:alert(1)', '//evil.example']) {
      expect((await askToSignOut(visitor, tokens, { post_logout_redirect_uri: uri })).status).toBe(400);
    }
    const url = new URL(`${here.server.issuer}/session/end`);
    url.searchParams.set('post_logout_redirect_uri', 'https://evil.example/');
    const left = await press(visitor, await visitor.go(url), { logout: 'yes' });
    expect(left.url.hostname).toBe('127.0.0.1');
    expect(left.body).toContain('You are signed out');
  });

  test('a request that was under way does not bring the session back', async () => {
    const visitor = browser();
    const person = await here.person(here.tenants.acme);
    const tokens = await tokensFor(app, person, visitor);
    const page = await askToSignOut(visitor, tokens);
    const late = browser();
    for (const [name, cookie] of visitor.cookies) late.cookies.set(name, cookie);
    const during = begun(Promise.all(Array.from({ length: 6 }, () => signInTo(second, null, late))));
    const left = await press(visitor, page, { logout: 'yes' });
    expect(left.url.href).toBe(`${AFTER}?state=s1`);
    const visits = await during;
    const sessions = `select 1 from oidc_artifacts where model = 'Session' and account_user_id = $1`;
    expect(await here.world.sql(sessions, [person.userId])).toEqual([]);
    for (const { visit, checks } of visits) {
      if (visit.status === 0) expect(await refusal(second.redeem(visit.url, checks))).toBe('invalid_grant');
    }
  });
});

test('a session ends twelve hours after its sign-in, however often it is used', async () => {
  const visitor = browser();
  const person = await here.person(here.tenants.acme);
  await tokensFor(app, person, visitor);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await signInTo(app, null, visitor);
  const [row] = await here.world.sql<{ left: number }>(
    `select extract(epoch from expires_at - now())::int as left from oidc_artifacts where model = 'Session' and account_user_id = $1`,
    [person.userId],
  );
  expect(row?.left).toBeLessThan(12 * 60 * 60);
  expect(row?.left).toBeGreaterThan(12 * 60 * 60 - 60);
});
