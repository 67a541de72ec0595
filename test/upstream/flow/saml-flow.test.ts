import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Person, TenantSlug } from '../../../src/core/ids.ts';
import { assignRole } from '../../../src/operations/assign-role.ts';
import { mapGuest } from '../../../src/operations/map-guest.ts';
import { suspend } from '../../../src/operations/suspend.ts';
import { application, onward, type Site, testSite, tokenIn, wordsOf } from '../../pages/site.ts';
import { type Acme, acme, addUser, changeSettings, touchConfig } from '../../support/acme.ts';
import { testIdp } from '../../support/saml-idp.ts';
import { operator, type TestWorld, testWorld } from '../../support/world.ts';
import {
  acs,
  begin,
  connectProviders,
  type Providers,
  postAcross,
  samlAnswer,
  samlRequest,
  samlSignIn,
  saveSaml,
} from './providers.ts';

let world: TestWorld;
let tenants: Acme;
let site: Site;
let providers: Providers;
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  providers = await connectProviders(world, tenants);
  site = await testSite(world);
});
afterAll(async () => {
  await site?.close();
  await providers?.close();
  await world?.close();
});

let serial = 0;
const newEmail = () => `person${++serial}@acme.example`;
async function person(role: 'Viewer' | null = null): Promise<{ email: string; who: Person }> {
  const email = newEmail();
  const userId = await addUser(world, tenants.acme, email);
  const who = { tenantId: tenants.acme.tenantId, userId };
  if (role !== null) await give(who);
  return { email, who };
}
const subject = (who: Person) => ({ subjectId: who.userId, kind: 'user', person: who }) as const;
async function give(who: Person) {
  const outcome = await assignRole(world.context(), tenants.acme, subject(who), 'Analytics: Viewer', operator);
  if (outcome.kind === 'refused') throw new Error(outcome.message);
}
const rows = (table: string) => world.sql<{ count: number }>(`select count(*)::integer as count from ${table}`);
const refusals = (reason: string) =>
  world.sql(`select 1 from audit_events where kind = 'sign_in.refused' and outcome = 'refused' and reason = $1`, [
    reason,
  ]);

describe('a sign-in by SAML', () => {
  test('R4 R7 a person with a role goes through to the application, though the answer came without cookies', async () => {
    const { email, who } = await person('Viewer');
    const browser = site.browser({ tenant: 'acme' as TenantSlug });
    const answer = await samlSignIn(site, browser, providers.saml, email);
    expect(answer.status).toBe(303);
    expect(answer.location).toBe(`${application}/callback`);
    expect(site.told.at(-1)).toEqual({ kind: 'signed_in', person: who, method: 'saml' });
  });

  test('the flow and the handle are kept as hashes only, and neither the interaction’s id nor theirs is in the database', async () => {
    const { email } = await person('Viewer');
    const browser = site.browser();
    const request = samlRequest(await begin(browser, email, 'entra'));
    const posted = await postAcross(site, acs, samlAnswer(site, providers.saml, email, request));
    const handle = new URL(posted.location ?? '', site.origin).searchParams.get('handle') ?? '';
    const kept = JSON.stringify([
      await world.sql(`select * from login_flows`),
      await world.sql(`select * from sign_in_handles`),
    ]);
    for (const secret of [browser.uid, request.relayState, handle, handle.split('.')[1] ?? handle]) {
      expect(secret.length).toBeGreaterThan(20);
      expect(kept).not.toContain(secret);
    }
  });

  test('T9 I13 the same answer twice gives one session: the flow is used once', async () => {
    const { email } = await person('Viewer');
    const browser = site.browser();
    const form = samlAnswer(site, providers.saml, email, samlRequest(await begin(browser, email, 'entra')));
    const answers = await Promise.all([1, 2, 3].map(() => postAcross(site, acs, form)));
    expect(answers.map((answer) => answer.status).sort()).toEqual([303, 400, 400]);
    expect(await refusals('flow_unknown')).not.toEqual([]);
  });

  test('a handle begins one session, and only in the interaction that it was made for (login CSRF)', async () => {
    const { email } = await person('Viewer');
    const browser = site.browser();
    const form = samlAnswer(site, providers.saml, email, samlRequest(await begin(browser, email, 'entra')));
    const back = (await postAcross(site, acs, form)).location ?? '';
    const victim = site.browser();
    const told = site.told.length;
    expect((await victim.get(back)).status).toBe(400);
    expect((await victim.get(back.replace(browser.uid, victim.uid))).status).toBe(400);
    expect(site.told).toHaveLength(told);
    expect((await browser.get(back)).status).toBe(303);
    expect((await browser.get(back)).status).toBe(400);
    expect(site.told).toHaveLength(told + 1);
  });

  test('T10 an answer to the request of another browser is refused', async () => {
    const { email } = await person('Viewer');
    const [mine, theirs] = [site.browser(), site.browser()];
    const request = samlRequest(await begin(mine, email, 'entra'));
    const other = samlRequest(await begin(theirs, email, 'entra'));
    const form = samlAnswer(site, providers.saml, email, { ...other, requestId: request.requestId });
    const answer = await theirs.get((await postAcross(site, acs, form)).location ?? '');
    expect(answer.status).toBe(400);
    expect(wordsOf(answer)).toContain('was not accepted');
    expect(await refusals('assertion_rejected')).not.toEqual([]);
  });

  test('T10 an expired flow is refused', async () => {
    const { email } = await person('Viewer');
    const browser = site.browser();
    const request = samlRequest(await begin(browser, email, 'entra'));
    await world.sql(`update login_flows set expires_at = now() - interval '1 second'`);
    const answer = await postAcross(site, acs, samlAnswer(site, providers.saml, email, request));
    expect(answer.status).toBe(400);
    expect(wordsOf(answer)).toContain('This sign-in has expired');
  });

  test('T8 T12 an answer signed by another key says nothing but a reference, which the log explains', async () => {
    const { email } = await person('Viewer');
    const browser = site.browser();
    const answer = await samlSignIn(site, browser, testIdp(providers.saml.entityId), email);
    expect(answer.status).toBe(400);
    const reference = /Reference (\S+)/.exec(wordsOf(answer))?.[1];
    expect(reference).toMatch(/^[0-9A-F]{4}-[0-9A-F]{4}$/);
    const entry = site.logged.find((line) => (line.facts as { reference?: string }).reference === reference);
    expect(JSON.stringify(entry?.facts)).toMatch(/signature|key/i);
    expect(answer.text).not.toMatch(/signature|certificate/i);
  });

  test.each([
    '//evil.example',
    'javascript:alert(1)',
    `x${'y'.repeat(10_000)}`,
    'a\r\nSet-Cookie: x=y',
    `${'A'.repeat(36)}.//evil.example`,
  ])('T16 RelayState %.40s leads nowhere', async (relayState) => {
    const form = { ...samlAnswer(site, providers.saml, 'x@acme.example', null), RelayState: relayState };
    const answer = await postAcross(site, acs, form);
    expect(answer.status).toBe(400);
    expect(answer.location).toBeNull();
    expect(answer.text).not.toContain('evil.example');
  });

  test('T13 a connection that is disabled meanwhile refuses the flow that began before', async () => {
    const { email } = await person('Viewer');
    const browser = site.browser();
    const request = samlRequest(await begin(browser, email, 'entra'));
    await world.sql(`update connections set enabled = false where connection_id = $1`, [tenants.entra]);
    await touchConfig(world);
    const posted = await postAcross(site, acs, samlAnswer(site, providers.saml, email, request));
    const answer = await browser.get(posted.location ?? '');
    await world.sql(`update connections set enabled = true where connection_id = $1`, [tenants.entra]);
    await touchConfig(world);
    expect(answer.status).toBe(403);
    expect(await refusals('connection_disabled')).not.toEqual([]);
  });

  test('T10 an answer that nobody asked for is refused', async () => {
    const { email } = await person('Viewer');
    expect((await postAcross(site, acs, samlAnswer(site, providers.saml, email, null))).status).toBe(400);
  });

  test('T10 where the connection allows it, it ends at a plain page, follows no RelayState and gives no session', async () => {
    const { email } = await person('Viewer');
    await saveSaml(world, tenants, providers.saml, { insecureAllowUnsolicited: true });
    const told = site.told.length;
    const form = { ...samlAnswer(site, providers.saml, email, null), RelayState: 'https://evil.example/' };
    const answer = await postAcross(site, acs, form);
    const again = await postAcross(site, acs, form);
    await saveSaml(world, tenants, providers.saml, {});
    expect(answer.status).toBe(200);
    expect(wordsOf(answer)).toContain('Open your application now');
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(site.told).toHaveLength(told);
    // T9: the assertion itself is used once too.
    expect(again.status).toBe(400);
    expect(await refusals('replayed')).not.toEqual([]);
  });

  test('unknown tenants and connections, other protocols’ connections and large posts are refused alike', async () => {
    const form = samlAnswer(site, providers.saml, 'x@acme.example', null);
    for (const path of [
      '/t/nowhere/saml/entra/acs',
      '/t/acme/saml/nothing/acs',
      '/t/acme/saml/okta/acs',
      '/t/A..B/saml/entra/acs',
    ]) {
      expect((await postAcross(site, path, form)).status).toBe(404);
    }
    expect((await postAcross(site, acs, { SAMLResponse: 'A'.repeat(600_000) })).status).toBe(413);
  });

  test('the metadata of a connection names where it answers', async () => {
    const browser = site.browser();
    const answer = await browser.get('/t/acme/saml/entra/metadata');
    expect(answer.status).toBe(200);
    expect(answer.text).toContain(`Location="${site.origin}${acs}"`);
    expect((await browser.get('/t/acme/saml/okta/metadata')).status).toBe(404);
  });
});

describe('whom nobody let in', () => {
  test('R3 D1 invite-only refuses a stranger: neutral words, a reference, the contact if there is one, no account', async () => {
    const email = newEmail();
    const users = await rows('users');
    const browser = site.browser({ tenant: 'acme' as TenantSlug });
    const answer = await samlSignIn(site, browser, providers.saml, email);
    expect(answer.status).toBe(403);
    expect(wordsOf(answer)).toContain('This sign-in was not accepted.');
    expect(wordsOf(answer)).toMatch(/Reference [0-9A-F]{4}-[0-9A-F]{4}/);
    expect(wordsOf(answer)).not.toContain('Administrator contact');
    expect(await rows('users')).toEqual(users);
    await changeSettings(world, tenants.acme, { adminContact: 'it-help@acme.example' });
    const contacted = await samlSignIn(site, site.browser(), providers.saml, email);
    await changeSettings(world, tenants.acme, { adminContact: null });
    expect(wordsOf(contacted)).toContain('Administrator contact: it-help@acme.example');
  });

  test('D1 a deactivated person reads the same as a stranger', async () => {
    const { email, who } = await person('Viewer');
    await world.sql(`update users set admin_active = false where user_id = $1`, [who.userId]);
    const mask = (text: string) => text.replace(/[0-9A-F]{4}-[0-9A-F]{4}/, '').replace(/\/interaction\/[\w-]+/g, '');
    const known = await samlSignIn(site, site.browser(), providers.saml, email);
    const stranger = await samlSignIn(site, site.browser(), providers.saml, newEmail());
    expect(known.status).toBe(stranger.status);
    expect(mask(known.text)).toBe(mask(stranger.text));
  });

  test('R60 a sign-in that may not link is told to add SSO', async () => {
    const { email } = await person();
    await changeSettings(world, tenants.acme, { linking: 'signed_in_only' });
    const answer = await samlSignIn(site, site.browser(), providers.saml, email);
    await changeSettings(world, tenants.acme, { linking: 'verified_domain' });
    expect(wordsOf(answer)).toContain('Add SSO');
  });

  test('R63 R64 a registered person waits for approval and is told so', async () => {
    await changeSettings(world, tenants.acme, { registrationAllowed: true });
    const answer = await samlSignIn(site, site.browser({ tenant: 'acme' as TenantSlug }), providers.saml, newEmail());
    await changeSettings(world, tenants.acme, { registrationAllowed: false });
    expect(wordsOf(answer)).toMatch(/account awaiting administrator approval/i);
    expect(wordsOf(answer)).toContain('Access requested on');
    expect(answer.text).not.toContain('Request access');
  });
});

describe('the landing page', () => {
  const tenant = 'acme' as TenantSlug;

  test('R5 R8 R23 R24 R25 a person without a role sees why and whom to ask, gets no session, and may ask', async () => {
    await changeSettings(world, tenants.acme, { provisioningMode: 'jit', adminContact: 'it-help@acme.example' });
    const told = site.told.length;
    const answer = await samlSignIn(site, site.browser({ tenant }), providers.saml, newEmail());
    await changeSettings(world, tenants.acme, { provisioningMode: 'invite_only', adminContact: null });
    expect(answer.status).toBe(200);
    const words = wordsOf(answer);
    expect(words).toContain('You need access');
    expect(words).toContain('you have no access to acme at the moment');
    expect(words).toContain('Administrator contact: it-help@acme.example');
    expect(words).toContain('Request access');
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(site.told).toHaveLength(told);
  });

  test('R19 R20 a suspended person reads the very words of one without a role', async () => {
    const [none, suspended] = [await person(), await person('Viewer')];
    const outcome = await suspend(world.context(), tenants.acme, subject(suspended.who), 'left');
    expect(outcome.kind).toBe('suspended');
    const told = site.told.length;
    const mask = (text: string) =>
      text
        .replace(/person\d+@acme\.example/g, '')
        .replace(/\/interaction\/[\w-]+/g, '')
        .replace(/value="[^"]+"/g, '')
        .replace(/token=\w+/g, '');
    const a = await samlSignIn(site, site.browser({ tenant }), providers.saml, none.email);
    const b = await samlSignIn(site, site.browser({ tenant }), providers.saml, suspended.email);
    expect(mask(b.text)).toBe(mask(a.text));
    expect(site.told).toHaveLength(told);
  });

  test('R26 R40 asking is recorded with its date and message; asking again replaces the message', async () => {
    const { email, who } = await person();
    const browser = site.browser({ tenant });
    const landing = await samlSignIn(site, browser, providers.saml, email);
    const handle = /name="handle" value="([^"]+)"/.exec(landing.text)?.[1] ?? '';
    const ask = (message: string) =>
      browser.post(`${browser.start}/request`, { token: tokenIn(landing), handle, message });
    const first = await ask('Please, <b>let me in</b>');
    expect(wordsOf(first)).toContain('Your request was recorded.');
    expect(wordsOf(first)).toMatch(/Access requested on \d{1,2} \w+ \d{4}/);
    expect(wordsOf(await ask('Second thoughts'))).toContain('Your message was replaced.');
    const requests = await world.sql(`select kind, email, message from access_requests where subject_id = $1`, [
      who.userId,
    ]);
    expect(requests).toEqual([{ kind: 'in_app', email, message: 'Second thoughts' }]);
  });

  test('T101 asking needs the form’s token and the handle of this interaction', async () => {
    const { email, who } = await person();
    const browser = site.browser({ tenant });
    const landing = await samlSignIn(site, browser, providers.saml, email);
    const handle = /name="handle" value="([^"]+)"/.exec(landing.text)?.[1] ?? '';
    const other = site.browser({ tenant });
    expect((await browser.post(`${browser.start}/request`, { handle })).status).toBe(403);
    expect((await browser.post(`${browser.start}/request`, { token: tokenIn(landing) })).status).toBe(400);
    expect((await other.post(`${other.start}/request`, { token: await other.token(), handle })).status).toBe(400);
    expect(await world.sql(`select 1 from access_requests where subject_id = $1`, [who.userId])).toEqual([]);
  });

  test('the page tells what holds now: with a role given meanwhile a reload goes through', async () => {
    const { email, who } = await person();
    const browser = site.browser({ tenant });
    const request = samlRequest(await begin(browser, email, 'entra'));
    const back = (await postAcross(site, acs, samlAnswer(site, providers.saml, email, request))).location ?? '';
    expect(wordsOf(await browser.get(back))).toContain('You need access');
    expect(wordsOf(await browser.get(back))).toContain('You need access');
    await give(who);
    expect((await browser.get(back)).location).toBe(`${application}/callback`);
    expect(site.told.at(-1)).toEqual({ kind: 'signed_in', person: who, method: 'saml' });
  });

  test('a request sent after the role came goes on by itself, not out of the form', async () => {
    const { email, who } = await person();
    const browser = site.browser({ tenant });
    const landing = await samlSignIn(site, browser, providers.saml, email);
    const handle = /name="handle" value="([^"]+)"/.exec(landing.text)?.[1] ?? '';
    await give(who);
    const answer = await browser.post(`${browser.start}/request`, { token: tokenIn(landing), handle, message: '' });
    expect(answer.status).toBe(200);
    expect((await browser.get(onward(answer))).location).toBe(`${application}/callback`);
  });

  test('who has access elsewhere is signed in, and chooses the tenant on the page of the access prompt', async () => {
    const { email, who } = await person();
    // A first sign-in links the account; who is mapped across tenants is never linked by address alone.
    await samlSignIn(site, site.browser({ tenant }), providers.saml, email);
    const gift = { roles: ['Analytics: Viewer'], groups: [] };
    const mapped = await mapGuest(world.context(), tenants.labs, who, gift, operator);
    expect(mapped.kind).toBe('mapped');
    const answer = await samlSignIn(site, site.browser({ tenant }), providers.saml, email);
    expect(answer.location).toBe(`${application}/callback`);
    const browser = site.browser({ prompt: 'access', person: who, tenant });
    const landing = await browser.get(browser.start);
    expect(wordsOf(landing)).toContain('Continue with another tenant acme-labs');
    const link = /href="(\/interaction\/[^"]+\/tenant\?[^"]+)"/.exec(landing.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    expect((await browser.get(link.replace(/token=\w+/, 'token=x'))).status).toBe(403);
    expect((await browser.get(link.replace('acme-labs', 'globex'))).status).toBe(400);
    expect((await browser.get(link)).status).toBe(303);
    expect(site.told.at(-1)).toEqual({ kind: 'tenant', tenant: 'acme-labs' });
  });

  test('of a tenant that a person has nothing to do with they learn nothing but the name that they asked for', async () => {
    const { who } = await person('Viewer');
    await changeSettings(world, tenants.globex, { adminContact: 'secret@globex.example' });
    const browser = site.browser({ prompt: 'access', person: who, tenant: 'globex' as TenantSlug });
    const words = wordsOf(await browser.get(browser.start));
    expect(words).toContain('you have no access to globex');
    expect(words).not.toContain('secret@globex.example');
    expect(words).not.toContain('Request access');
    expect(words).toContain('Continue with another tenant acme');
  });
});
