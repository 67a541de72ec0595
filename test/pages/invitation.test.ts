import { randomBytes, randomUUIDv7 } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Person, TenantSlug } from '../../src/core/ids.ts';
import { invitationLink, invitationSecretHash } from '../../src/operations/accept-invitation.ts';
import { bootstrap } from '../../src/operations/bootstrap.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { rateLimit } from '../../src/rate-limit.ts';
import { type Acme, acme, addUser } from '../support/acme.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { type Answer, type Site, testSite, tokenIn, wordsOf } from './site.ts';

let world: TestWorld;
let tenants: Acme;
let site: Site;
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  site = await testSite(world);
});
afterAll(async () => {
  await site?.close();
  await world?.close();
});

const good = 'Correct-Horse7';
const newSecret = () => randomBytes(32).toString('base64url');
const hashOf = (secret: string) => invitationSecretHash(world.context(), secret);
const pathOf = (secret: string, tenant = 'acme') =>
  new URL(invitationLink(site.origin, tenant as TenantSlug, secret)).pathname;

let serial = 0;
type Invited = { readonly who: Person; readonly email: string; readonly secret: string; readonly path: string };
async function invited(purpose: 'invite' | 'reset' = 'invite'): Promise<Invited> {
  const email = `invited${++serial}@acme.example`;
  const userId = await addUser(world, tenants.acme, email);
  await world.sql(`update users set email_verified_at = null where user_id = $1`, [userId]);
  const who = { tenantId: tenants.acme.tenantId, userId };
  return { who, email, ...(await invite(who, email, purpose)) };
}
async function invite(who: Person, email: string | null, purpose: string): Promise<{ secret: string; path: string }> {
  const secret = newSecret();
  await world.sql(
    `insert into invitations (tenant_id, invitation_id, user_id, purpose, secret_hash, email, created_by, expires_at)
     values ($1, $2, $3, $4, decode($5, 'hex'), $6, '{}', now() + interval '7 days')`,
    [who.tenantId, randomUUIDv7(), who.userId, purpose, hashOf(secret), email],
  );
  return { secret, path: pathOf(secret) };
}
const browser = () => site.browser();
async function submit(path: string, fields: Record<string, string> = {}): Promise<Answer> {
  const one = browser();
  const token = tokenIn(await one.get(path));
  return one.post(path, { token, password: good, confirm: good, ...fields });
}
const passwordsOf = (who: Person) => world.sql(`select hash from passwords where user_id = $1`, [who.userId]);
const userOf = async (who: Person) =>
  (
    await world.sql<{ email: string | null; verified: boolean }>(
      `select email, email_verified_at is not null as verified from users where user_id = $1`,
      [who.userId],
    )
  )[0];

describe('an invitation', () => {
  test('R45 R54 R55 setting the password validates the address in the same step, and the person can sign in', async () => {
    const { who, email, path } = await invited();
    expect(await userOf(who)).toEqual({ email, verified: false });
    const answer = await submit(path);
    expect(answer.status).toBe(200);
    expect(wordsOf(answer)).toContain('Your password is set');
    expect(await passwordsOf(who)).toHaveLength(1);
    expect(await userOf(who)).toEqual({ email, verified: true });
    const audit = await world.sql(`select kind from audit_events where object_id = $1 order by kind`, [who.userId]);
    expect(audit).toEqual([{ kind: 'invitation.used' }, { kind: 'password.set' }]);
  });

  test('T84 I13 fifty looks change nothing: only the form of the page uses the link', async () => {
    const { who, path } = await invited();
    const state = () => world.sql(`select * from invitations where user_id = $1`, [who.userId]);
    const before = await state();
    for (let look = 0; look < 50; look += 1) {
      const method = look % 2 === 0 ? 'GET' : 'HEAD';
      const answer = await fetch(new URL(path, site.origin), { method });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('set-cookie')).toBeNull();
    }
    expect(await state()).toEqual(before);
    // Nor does a post without what the page holds.
    expect((await browser().post(path, { password: good, confirm: good })).status).toBe(403);
    const other = tokenIn(await browser().get((await invited()).path));
    expect((await browser().post(path, { token: other, password: good, confirm: good })).status).toBe(403);
    expect(await state()).toEqual(before);
    expect((await submit(path)).status).toBe(200);
  });

  test('T83 it is used once, even by two at once', async () => {
    const { who, path } = await invited();
    const token = tokenIn(await browser().get(path));
    const post = (password: string) => browser().post(path, { token, password, confirm: password });
    const answers = await Promise.all([post('First-Horse1'), post('Second-Horse2'), post('Third-Horse3')]);
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 404, 404]);
    expect(await passwordsOf(who)).toHaveLength(1);
    expect((await browser().get(path)).status).toBe(404);
  });

  test.each([
    ['used', `used_at = now()`],
    ['past its time', `expires_at = now() - interval '1 second'`],
    ['ended by a newer one', `ended_at = now()`],
  ])('T83 a link that is %s reads like one that never was', async (_what, change) => {
    const { who, path } = await invited();
    const token = tokenIn(await browser().get(path));
    await world.sql(`update invitations set ${change} where user_id = $1`, [who.userId]);
    const [dead, never] = [await browser().get(path), await browser().get(pathOf(newSecret()))];
    expect(dead.status).toBe(404);
    expect(dead.text).toBe(never.text);
    expect((await browser().post(path, { token, password: good, confirm: good })).status).toBe(404);
    expect(await passwordsOf(who)).toEqual([]);
  });

  test('T32 an invitation to an address that the person gave up since is void', async () => {
    const { who, path } = await invited();
    await world.sql(`update users set email = 'other-' || email where user_id = $1`, [who.userId]);
    expect((await browser().get(path)).status).toBe(404);
  });

  test('T85 another tenant’s page does not know the link, and the form cannot change whose it is', async () => {
    const { who, email, secret, path } = await invited();
    expect((await browser().get(pathOf(secret, 'globex'))).status).toBe(404);
    await submit(path, { email: 'evil@evil.example', user: 'x', tenant: 'globex' });
    expect(await userOf(who)).toEqual({ email, verified: true });
  });

  test('T30 what was open before is out: other links, the old password, sessions', async () => {
    const { who, email, path } = await invited('reset');
    const older = await invite(who, email, 'invite');
    await world.sql(`insert into passwords (tenant_id, user_id, hash, failures) values ($1, $2, 'old', 100)`, [
      who.tenantId,
      who.userId,
    ]);
    const epoch = () => world.sql(`select access_epoch from subjects where subject_id = $1`, [who.userId]);
    const before = await epoch();
    await submit(path);
    expect((await browser().get(older.path)).status).toBe(404);
    expect(await passwordsOf(who)).not.toEqual([{ hash: 'old' }]);
    expect(await epoch()).not.toEqual(before);
  });

  test('T128 it lifts no suspension and gives no role', async () => {
    const { who, path } = await invited();
    await suspend(world.context(), tenants.acme, { subjectId: who.userId, kind: 'user', person: who }, null);
    expect((await submit(path)).status).toBe(200);
    expect((await readAccess(world.context(), who, null))?.access).toEqual({ state: 'suspended', roles: [] });
  });

  test('R88 the page lists what a password lacks, each with a link to its field, and keeps the link usable', async () => {
    const { who, path } = await invited();
    const answer = await submit(path, { password: 'short', confirm: 'other' });
    expect(answer.status).toBe(422);
    for (const words of [
      'at least 8 characters',
      'an upper-case letter',
      'a digit',
      'one of ! @ # $ % ^ & * _ -',
      'are not the same',
    ]) {
      expect(wordsOf(answer)).toContain(words);
    }
    expect(answer.text).toContain('role="alert"');
    expect(answer.text).toContain('href="#password"');
    expect(answer.text).toContain('href="#confirm"');
    expect(answer.text).toContain('autocomplete="new-password"');
    expect(answer.text).not.toContain('short"');
    expect(await passwordsOf(who)).toEqual([]);
    expect((await submit(path)).status).toBe(200);
  });

  test.each([
    'Aa1!'.padEnd(61, 'x'),
    'NoDigits-here',
    'nolower1!'.toUpperCase(),
    'No-Special1'.replace('-', ''),
    'Tab\tInside-1',
  ])('R88 the password %j is refused', async (password) => {
    expect((await submit((await invited()).path, { password, confirm: password })).status).toBe(422);
  });

  test('T82 made-up links are limited by address, and a real one from the same address still works', async () => {
    const limit = rateLimit({ tries: 3, perSeconds: 3_600 });
    const strict = await testSite(world, { guessLimit: () => limit('one') });
    const statuses = [];
    for (let guess = 0; guess < 5; guess += 1) statuses.push((await strict.browser().get(pathOf(newSecret()))).status);
    expect(statuses).toEqual([404, 404, 404, 429, 429]);
    expect((await strict.browser().get((await invited()).path)).status).toBe(200);
    await strict.close();
  });
});

describe('the first administrator’s link', () => {
  test('one link sets the address and the password of the first administrator, and then is used up', async () => {
    const fresh = await testWorld();
    const made = await bootstrap(fresh.context());
    if (made.kind !== 'link') throw new Error('no link');
    // Every server and every start prints the same one, and only it opens.
    expect(await bootstrap(fresh.context())).toEqual(made);
    const own = await testSite(fresh);
    const link = invitationLink(own.origin, made.tenant, made.secret);
    expect(link).toMatch(/\/t\/system\/invitation\/[\w-]{43}$/);
    const path = new URL(link).pathname;
    const one = own.browser();
    const page = await one.get(path);
    expect(wordsOf(page)).toContain('Welcome, first administrator');
    const form = { token: tokenIn(page), password: good, confirm: good };
    expect((await one.post(path, { ...form, email: 'not an address' })).status).toBe(422);
    expect((await one.post(path, { ...form, email: 'Root@Example.com' })).status).toBe(200);
    expect(await fresh.sql(`select email, user_name, email_verified_at is not null as verified from users`)).toEqual([
      { email: 'root@example.com', user_name: 'root@example.com', verified: true },
    ]);
    expect((await one.get(path)).status).toBe(404);

    const signing = own.browser();
    const answer = await signing.post(`${signing.start}/password`, {
      token: await signing.token(),
      email: 'root@example.com',
      password: good,
    });
    expect(answer.status).toBe(200);
    await own.close();
    await fresh.close();
  });

  test('an address that somebody has already is refused beside the field', async () => {
    const { who } = await invited();
    await world.sql(`update users set email = null where user_id = $1`, [who.userId]);
    const { path } = await invite(who, null, 'bootstrap');
    const taken = await invited();
    const answer = await submit(path, { email: taken.email });
    expect(answer.status).toBe(422);
    expect(answer.text).toContain('href="#email"');
    expect(await passwordsOf(who)).toEqual([]);
    expect((await submit(path, { email: `free-${taken.email}` })).status).toBe(200);
  });
});
