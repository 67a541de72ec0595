import { randomUUID } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TenantSlug } from '../../src/core/ids.ts';
import { type Acme, acme, addUser, changeSettings, touchConfig } from '../support/acme.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { browserOf, onward, type Site, testSite, tokenIn, wordsOf } from './site.ts';

let world: TestWorld;
let tenants: Acme;
let site: Site;
const idp = 'http://127.0.0.1:1';
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  // SAML begins without asking the provider, so the way out can be seen without one.
  await world.sql(`update connections set protocol = 'saml', display_name = initcap(key), settings = $1`, [
    {
      signOnUrl: `${idp}/sso`,
      certificates: [],
      nameIdFormat: null,
      insecureAllowUnsolicited: false,
      insecureAllowSha1: false,
      clockSkewSeconds: 60,
    },
  ]);
  await world.sql(`update connections set issuer = 'https://entra.acme.example' where connection_id = $1`, [
    tenants.entra,
  ]);
  await touchConfig(world);
  site = await testSite(world);
});
afterAll(async () => {
  await site?.close();
  await world?.close();
});

const only = (connection: string) =>
  world.sql(`update connections set enabled = (connection_id = $1) where tenant_id = $2`, [
    connection,
    tenants.acme.tenantId,
  ]);
const all = () => world.sql(`update connections set enabled = true`);
async function submitEmail(email: string, pending: Parameters<Site['browser']>[0] = {}) {
  const browser = site.browser(pending);
  return { browser, answer: await browser.post(`${browser.start}/email`, { token: await browser.token(), email }) };
}

describe('the address comes first', () => {
  test('R32 the page asks for the address and names the application and its tenant', async () => {
    const browser = site.browser({ tenant: 'acme' as TenantSlug });
    const answer = await browser.get(browser.start);
    expect(answer.status).toBe(200);
    expect(wordsOf(answer)).toMatch(/^Drawbridge Sign in to continue to Acme Wiki for acme Email address/);
    expect(answer.text).toContain('autocomplete="username"');
    expect(answer.text).not.toContain('type="password"');
  });

  test('an address whose domain one connection owns goes straight to that provider, without a redirect out of the form', async () => {
    await only(tenants.okta);
    const { answer } = await submitEmail('Jane.Doe@ACME.example');
    await all();
    expect(answer.status).toBe(200);
    expect(answer.location).toBeNull();
    const to = new URL(onward(answer));
    expect(to.href).toMatch(`${idp}/sso?`);
    expect(to.searchParams.get('login_hint')).toBe('jane.doe@acme.example');
    expect(to.searchParams.get('RelayState')?.length).toBeLessThanOrEqual(80);
  });

  test('where several connections own the domain the person chooses', async () => {
    const { browser, answer } = await submitEmail('jane@acme.example');
    expect(wordsOf(answer)).toContain('Continue with Entra');
    expect(wordsOf(answer)).toContain('Continue with Okta');
    const form = { token: tokenIn(answer), email: 'jane@acme.example', tenant: 'acme', connection: 'entra' };
    expect(onward(await browser.post(`${browser.start}/connection`, form))).toMatch(`${idp}/sso?`);
  });

  test('a connection that was not offered for the address cannot be begun', async () => {
    const { browser, answer } = await submitEmail('jane@acme.example');
    const form = { token: tokenIn(answer), email: 'jane@acme.example', tenant: 'globex', connection: 'okta' };
    expect((await browser.post(`${browser.start}/connection`, form)).status).toBe(400);
  });

  test('a login hint skips the page, and choose=1 shows it with the hint filled in', async () => {
    await only(tenants.okta);
    const browser = site.browser({ loginHint: 'jane@acme.example' });
    const answer = await browser.get(browser.start);
    await all();
    expect(answer.status).toBe(303);
    expect(answer.location).toMatch(`${idp}/sso?`);
    const page = await browser.get(`${browser.start}?choose=1`);
    expect(page.text).toContain('value="jane@acme.example"');
  });

  test('T107 an application that wants a fresh proof has the provider ask again', async () => {
    await only(tenants.okta);
    const forced = site.browser({ loginHint: 'jane@acme.example', forceLogin: true });
    const plain = site.browser({ loginHint: 'jane@acme.example' });
    const [a, b] = [await forced.get(forced.start), await plain.get(plain.start)];
    await all();
    const xml = (location: string | null) =>
      inflateRawSync(Buffer.from(new URL(location ?? '').searchParams.get('SAMLRequest') ?? '', 'base64')).toString();
    expect(xml(a.location)).toContain('ForceAuthn="true"');
    expect(xml(b.location)).not.toContain('ForceAuthn="true"');
  });

  test('T102 a hostile login hint is shown as text', async () => {
    const browser = site.browser({
      loginHint: '"><script>alert(1)</script>',
      client: { clientId: 'x', name: '<b>Wiki' },
    });
    const answer = await browser.get(browser.start);
    expect(answer.text).not.toMatch(/<script|<b>/);
  });

  test('with a tenant asked for, its ancestors’ connections know their own domains, and the nearest are offered otherwise', async () => {
    const owned = await submitEmail('jane@acme.example', { tenant: 'acme-labs' as TenantSlug });
    expect(wordsOf(owned.answer)).toContain('Continue with Okta');
    const foreign = await submitEmail('guest@partner.example', { tenant: 'acme-labs' as TenantSlug });
    expect(wordsOf(foreign.answer)).toContain('Continue with Okta');
    expect(foreign.answer.text).toContain('type="password"');
  });

  test('T12 a domain of another tenant names no connection of the one asked for by its owner', async () => {
    const { answer } = await submitEmail('jane@globex.example', { tenant: 'acme' as TenantSlug });
    expect(answer.text).not.toContain('value="globex"');
  });

  test('C18 where the tenant allows passwords the field stands beside the connections', async () => {
    await changeSettings(world, tenants.acme, { passwordSignIn: true });
    const { answer } = await submitEmail('jane@acme.example');
    await changeSettings(world, tenants.acme, { passwordSignIn: false });
    expect(answer.text).toContain('autocomplete="current-password"');
    expect(wordsOf(answer)).toContain('Continue with Okta');
  });

  test.each([
    ['two addresses', 'a@acme.example,b@evil.example'],
    ['a display name', 'Jane <jane@acme.example>'],
    ['a quoted local part', '"jane x"@acme.example'],
    ['nothing', ''],
    ['a header break', 'jane@acme.example\r\nBcc: x@evil.example'],
  ])('T90 T95 %s is refused beside the field', async (_what, email) => {
    const { answer } = await submitEmail(email);
    expect(answer.status).toBe(422);
    expect(answer.text).toContain('href="#email"');
    expect(answer.text).toContain('aria-invalid="true"');
    expect(answer.text).toContain('aria-describedby="email-fault"');
  });
});

describe('nobody learns who has an account (T89, D7)', () => {
  test.each(['acme.example', 'nobody-owns-this.example'])(
    'known and unknown addresses at %s are answered alike',
    async (domain) => {
      const known = `known-${randomUUID()}@${domain}`;
      await addUser(world, tenants.acme, known);
      const strip = (text: string, browser: { uid: string }, email: string) =>
        text
          .replaceAll(browser.uid, 'UID')
          .replaceAll(email, 'EMAIL')
          .replace(/value="[0-9a-f]{43}"/g, '')
          .replace(/token=[0-9a-f]{43}/g, '');
      const a = await submitEmail(known);
      const b = await submitEmail(`stranger@${domain}`);
      expect(a.answer.status).toBe(b.answer.status);
      expect(strip(a.answer.text, a.browser, known)).toBe(strip(b.answer.text, b.browser, `stranger@${domain}`));
    },
  );
});

describe('whose page it is', () => {
  test('an interaction of another browser, or of none, is not shown', async () => {
    const browser = site.browser();
    for (const other of [browserOf(site.origin, 'x'.repeat(21)), site.browser()]) {
      const answer = await other.get(browser.start);
      expect(answer.status).toBe(400);
      expect(wordsOf(answer)).toContain('This sign-in has expired');
    }
  });

  test('T101 a form without its token, with another page’s, or posted from elsewhere changes nothing', async () => {
    const browser = site.browser();
    const [own, foreign] = [await browser.token(), await site.browser().token()];
    const email = 'jane@acme.example';
    const path = `${browser.start}/email`;
    expect((await browser.post(path, { email })).status).toBe(403);
    expect((await browser.post(path, { email, token: foreign })).status).toBe(403);
    expect((await browser.post(path, { email, token: own }, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await browser.post(path, { email, token: own }, { origin: 'null' })).status).toBe(403);
    expect((await browser.post(path, { email, token: own }, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect(
      (await browser.post(path, JSON.stringify({ email, token: own }), { 'content-type': 'text/plain' })).status,
    ).toBe(403);
    // The twin: the same form from its own page.
    expect((await browser.post(path, { email, token: own })).status).toBe(200);
  });

  test('T101 links that go back to the application need the token too', async () => {
    const browser = site.browser();
    expect((await browser.get(`${browser.start}/leave`)).status).toBe(403);
    const answer = await browser.get(`${browser.start}/leave?token=${await browser.token()}`);
    expect(answer.status).toBe(303);
    expect(site.told.at(-1)).toEqual({ kind: 'denied' });
  });

  test('T90 T116 repeated fields, large forms, compressed forms and odd types are refused without a trace of a stack', async () => {
    const browser = site.browser();
    const token = await browser.token();
    const path = `${browser.start}/email`;
    const cases: [number, string, Record<string, string>?][] = [
      [400, `token=${token}&email=a%40acme.example&email=b%40acme.example`],
      [413, `token=${token}&email=${'a'.repeat(17_000)}`],
      [413, `token=${token}&${Array.from({ length: 30 }, (_, index) => `f${index}=1`).join('&')}`],
      [400, `token=${token}&email=a`, { 'content-encoding': 'gzip' }],
      [400, `token=${token}&email=%00`],
      [403, 'not a form', { 'content-type': 'application/json' }],
    ];
    for (const [status, body, headers] of cases) {
      const answer = await browser.post(path, body, headers);
      expect([answer.status, body.slice(0, 20)]).toEqual([status, body.slice(0, 20)]);
      expect(answer.text).not.toMatch(/at .*\.ts:|Error:/);
    }
  });

  test('T103 no page may be framed, cached, sniffed or scripted', async () => {
    const browser = site.browser();
    for (const path of [
      browser.start,
      '/interaction/nothing',
      `${browser.start}/resume?handle=x`,
      '/t/acme/invitation/unknown-unknown-unknown',
    ]) {
      const { headers, text } = await browser.get(path);
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('same-origin');
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
      );
      expect(text).not.toMatch(/<script|<style| style=| on\w+=/i);
      expect(text).toContain('<html lang="en">');
    }
  });

  test('I13 HEAD does nothing here', async () => {
    const browser = site.browser({ prompt: 'consent' });
    const told = site.told.length;
    for (const path of [
      browser.start,
      `${browser.start}/resume?handle=x`,
      `${browser.start}/leave?token=x`,
      '/t/acme/oidc/okta/callback',
    ]) {
      const answer = await fetch(new URL(path, site.origin), {
        method: 'HEAD',
        headers: { cookie: `interaction=${browser.uid}` },
      });
      expect(answer.status).toBe(405);
    }
    expect(site.told).toHaveLength(told);
  });

  test('the stylesheet is asked for by its ETag', async () => {
    const browser = site.browser();
    const first = await browser.get('/style.css');
    expect(first.headers.get('content-type')).toMatch(/^text\/css/);
    const again = await browser.get('/style.css', {
      'if-none-match': first.headers.get('etag') ?? '',
      'cache-control': 'max-age=0',
    });
    expect(again.status).toBe(304);
  });

  test('an application that needs consent is told no, instead of going round', async () => {
    const browser = site.browser({ prompt: 'consent' });
    await browser.get(browser.start);
    expect(site.told.at(-1)).toEqual({ kind: 'denied' });
  });

  test('too many forms from one address wait, before anything is read', async () => {
    const strict = await testSite(world, { limit: () => 42.2 });
    const browser = strict.browser();
    const answer = await browser.post(`${browser.start}/email`, { email: 'jane@acme.example' });
    await strict.close();
    expect(answer.status).toBe(429);
    expect(answer.headers.get('retry-after')).toBe('43');
    expect(wordsOf(answer)).toContain('Too many tries');
  });
});
