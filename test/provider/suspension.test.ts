import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Person } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { setActive } from '../../src/operations/set-active.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { begun } from '../support/begun.ts';
import { operator, type TestWorld, testWorld } from '../support/world.ts';
import {
  type Application,
  application,
  browser,
  pendingAt,
  refusal,
  type Stage,
  serve,
  signInTo,
  stage,
  type TestServer,
  type Tokens,
  tokensFor,
} from './support.ts';

let here: Stage;
let app: Application;
/** A second server over the same database. */
let otherWorld: TestWorld;
let other: TestServer;
/** The same client, as it talks to the second server. */
let appThere: client.Configuration;
beforeAll(async () => {
  here = await stage();
  app = await application(here.world, here.tenants.acme, here.server);
  otherWorld = await testWorld({ url: here.world.url, masterKey: here.masterKey });
  other = await serve(otherWorld, { origin: here.server.origin });
  appThere = new client.Configuration(
    {
      issuer: here.server.issuer,
      jwks_uri: `${here.server.issuer}/jwks`,
      token_endpoint: `${other.address}/oidc/token`,
    },
    app.clientId,
    { id_token_signed_response_alg: 'ES256' },
    client.ClientSecretPost(app.secret ?? ''),
  );
  client.allowInsecureRequests(appThere);
});
afterAll(async () => {
  await other?.close();
  await otherWorld?.close();
  await here?.close();
});

const refreshed = (tokens: Tokens, config = app.config) => client.refreshTokenGrant(config, tokens.refresh_token ?? '');
const userinfo = (tokens: Tokens) => client.fetchUserInfo(app.config, tokens.access_token, client.skipSubjectCheck);
const subjectOf = (person: Person) => ({ subjectId: person.userId, kind: 'user', person }) as const;
const suspendNow = (person: Person) => suspend(here.world.context(), here.tenants.acme, subjectOf(person), null);
/** What remains where a bar raised the epoch and nothing else happened. */
const raiseEpoch = (person: Person) =>
  here.world.sql(`update subjects set access_epoch = access_epoch + 1 where subject_id = $1`, [person.userId]);

describe('T67 T69 T129 what was issued before a bar is dead by its epoch alone, with every row still there', () => {
  test('a refresh token, and the access token that came with it', async () => {
    const person = await here.person(here.tenants.acme);
    const tokens = await tokensFor(app, person);
    await raiseEpoch(person);
    expect(await refusal(refreshed(tokens))).toBe('invalid_grant');
    expect(await refusal(userinfo(tokens))).toBe('invalid_token');
    expect(
      await here.world.sql(`select 1 from oidc_artifacts where account_user_id = $1`, [person.userId]),
    ).not.toEqual([]);
  });

  test('a code', async () => {
    const person = await here.person(here.tenants.acme);
    const { visit, checks } = await signInTo(app, person, browser());
    await raiseEpoch(person);
    expect(await refusal(app.redeem(visit.url, checks))).toBe('invalid_grant');
  });

  test('a session: the next authorization asks who is there', async () => {
    const visitor = browser();
    const person = await here.person(here.tenants.acme);
    await tokensFor(app, person, visitor);
    await raiseEpoch(person);
    expect(pendingAt((await signInTo(app, null, visitor)).visit)).toMatchObject({ prompt: 'login', person: null });
  });

  test('a sign-in that was finished and has not come back yet', async () => {
    const visitor = browser();
    const person = await here.person(here.tenants.acme);
    const page = await visitor.go((await app.begin()).url);
    const sub = `${person.tenantId}.${person.userId}`;
    const cookie = [...visitor.cookies].map(([key, one]) => `${key.split(' ')[0]}=${one.value}`).join('; ');
    const finished = await fetch(`${page.url}?sub=${sub}`, { redirect: 'manual', headers: { cookie } });
    await raiseEpoch(person);
    const back = await visitor.go(finished.headers.get('location') ?? '');
    expect(back.status).toBe(400);
    expect(back.hops.join()).not.toContain('code=');
  });

  test('T130 a sign-in whose end meets a bar under way is refused, in words that the pages know', async () => {
    const visitor = browser();
    const person = await here.person(here.tenants.acme);
    const page = await visitor.go((await app.begin()).url);
    let ending: ReturnType<typeof visitor.go> | undefined;
    await here.world.context().transaction(person.tenantId, async (tx) => {
      const run = (text: string) => tx.run({ name: null, text }, [person.userId]);
      await run('select 1 from subjects where subject_id = $1 for update');
      ending = begun(visitor.go(`${page.url}?sub=${person.tenantId}.${person.userId}`));
      const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%insert into oidc_artifacts%'`;
      await expect.poll(() => here.world.sql(waiting)).toHaveLength(1);
      await run('update subjects set access_epoch = access_epoch + 1 where subject_id = $1');
    });
    expect(await ending).toMatchObject({ status: 409, body: 'You have no access.' });
  });

  test('an access page that waits for a choice of tenant', async () => {
    const visitor = browser();
    const person = await here.person(here.tenants.acme, null);
    await here.map(person, here.tenants.labs);
    const { visit } = await signInTo(app, person, visitor);
    await raiseEpoch(person);
    expect(pendingAt(await visitor.go(visit.url.origin + visit.url.pathname))).toBeNull();
    expect((await visitor.go(`${visit.url.origin}${visit.url.pathname}?tenant=acme-labs`)).status).toBe(409);
  });

  test('and stays dead when the person is let in again: only a new sign-in gives new tokens', async () => {
    const visitor = browser();
    const person = await here.person(here.tenants.acme);
    const tokens = await tokensFor(app, person, visitor);
    await suspendNow(person);
    await assignRole(here.world.context(), here.tenants.acme, subjectOf(person), 'Editor', operator);
    expect(await refusal(refreshed(tokens))).toBe('invalid_grant');
    const { visit, checks } = await signInTo(app, person, visitor);
    expect((await app.redeem(visit.url, checks)).claims()?.roles).toEqual(['Analytics: Editor']);
  });
});

describe('suspension and deactivation', () => {
  test.each([
    ['suspended', suspendNow],
    [
      'deactivated',
      (person: Person) => setActive(here.world.context(), here.tenants.acme, subjectOf(person), false, null),
    ],
  ])('T67 D10 whoever is %s has no session and no token left when that is acknowledged', async (_what, bar) => {
    const visitor = browser();
    const person = await here.person(here.tenants.acme);
    const tokens = await tokensFor(app, person, visitor);
    await bar(person);
    expect(await here.world.sql(`select 1 from oidc_artifacts where account_user_id = $1`, [person.userId])).toEqual(
      [],
    );
    expect(await refusal(refreshed(tokens))).toBe('invalid_grant');
    expect(await refusal(refreshed(tokens, appThere))).toBe('invalid_grant');
    // Their sign-in is not finished either, however often it is proven.
    expect((await signInTo(app, person, visitor)).visit.status).toBe(409);
  });

  test('T130 refreshes and sign-ins beside a suspension, on two servers: none that starts after it is issued anything', async () => {
    for (let round = 0; round < 12; round += 1) {
      const person = await here.person(here.tenants.acme);
      const visitor = browser();
      let tokens = await tokensFor(app, person, visitor);
      let acknowledged = false;
      const issuedAfter: string[] = [];
      const refresher = (async () => {
        for (let turn = 0; turn < 40; turn += 1) {
          const startedAfter = acknowledged;
          const config = turn % 2 === 0 ? app.config : appThere;
          const next = await refreshed(tokens, config).catch(() => null);
          if (next === null) return;
          if (startedAfter) issuedAfter.push('refresh');
          tokens = next;
        }
      })();
      const visits = (async () => {
        for (let turn = 0; turn < 40; turn += 1) {
          const startedAfter = acknowledged;
          const { visit, checks } = await signInTo(app, null, visitor);
          if (visit.status !== 0) return;
          if (startedAfter) issuedAfter.push('code');
          const redeemedAfter = acknowledged;
          const redeemed = await app.redeem(visit.url, checks).catch(() => null);
          if (redeemed !== null && redeemedAfter) issuedAfter.push('tokens');
        }
      })();
      const both = begun(Promise.all([refresher, visits]));
      await new Promise((resolve) => setTimeout(resolve, round * 6));
      await suspendNow(person);
      acknowledged = true;
      await both;
      expect(issuedAfter).toEqual([]);
      expect(await refusal(refreshed(tokens))).toBe('invalid_grant');
      expect(await refusal(userinfo(tokens))).toBe('invalid_token');
      expect(pendingAt((await signInTo(app, null, visitor)).visit)).toMatchObject({ prompt: 'login' });
    }
  });
});

describe('races for one token', () => {
  /**
   * Sends eight at once, half to each server, and holds them at the statement that spends, so that all of them have begun before
   * one is answered, however slow this machine is.
   */
  async function eightAtOnce(
    person: Person,
    statement: string,
    send: (config: client.Configuration) => Promise<Tokens>,
  ) {
    let all: Promise<PromiseSettledResult<Tokens>[]> | undefined;
    await here.world.context().transaction(person.tenantId, async (tx) => {
      await tx.run({ name: null, text: 'select 1 from subjects where subject_id = $1 for update' }, [person.userId]);
      all = Promise.allSettled(Array.from({ length: 8 }, (_, index) => send(index % 2 === 0 ? app.config : appThere)));
      const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like $1`;
      await expect.poll(() => here.world.sql(waiting, [statement])).toHaveLength(8);
    });
    return (await all)?.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])) ?? [];
  }

  test('I13 T66 of eight refreshes at once, on two servers, one wins, and its family lives on', async () => {
    for (let round = 0; round < 3; round += 1) {
      const person = await here.person(here.tenants.acme);
      const tokens = await tokensFor(app, person);
      const won = await eightAtOnce(person, '%rotated_at = clock%', (config) => refreshed(tokens, config));
      expect(won).toHaveLength(1);
      for (const winner of won) expect((await refreshed(winner)).access_token).toBeTruthy();
    }
  });

  test('I13 T71 of a code sent eight times at once, on two servers, one is answered, and its tokens do not last', async () => {
    const person = await here.person(here.tenants.acme);
    const { visit, checks } = await signInTo(app, person, browser());
    const redeem = (config: client.Configuration) => client.authorizationCodeGrant(config, visit.url, checks);
    const won = await eightAtOnce(person, '%set consumed_at = clock%', redeem);
    expect(won.length).toBeLessThanOrEqual(1);
    for (const tokens of won) expect(await refusal(refreshed(tokens))).toBe('invalid_grant');
  });

  test('T66 a refresh that reaches this server before the winner was answered is refused, and no sign of theft', async () => {
    const tokens = await tokensFor(app, await here.person(here.tenants.acme));
    const slowly = `create or replace function slowly() returns trigger language plpgsql as $$ begin perform pg_sleep(0.5); return new; end $$`;
    await here.world.sql(slowly);
    await here.world.sql(
      `create trigger slowly before insert on oidc_artifacts for each row when (new.model = 'AccessToken') execute function slowly()`,
    );
    try {
      const winner = begun(refreshed(tokens));
      const rotated = `select 1 from oidc_artifacts where rotated_at > now() - interval '0.3 s' and model = 'RefreshToken'`;
      await expect.poll(() => here.world.sql(rotated), { interval: 5 }).toHaveLength(1);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await refusal(refreshed(tokens))).toBe('invalid_grant');
      expect((await refreshed(await winner)).access_token).toBeTruthy();
    } finally {
      await here.world.sql(`drop trigger slowly on oidc_artifacts`);
    }
  });

  test('I14 the old token, sent to the other server once the new one was answered, ends the family on both', async () => {
    const tokens = await tokensFor(app, await here.person(here.tenants.acme));
    const second = await refreshed(tokens);
    expect(await refusal(refreshed(tokens, appThere))).toBe('invalid_grant');
    expect(await refusal(refreshed(second))).toBe('invalid_grant');
  });

  test('T71 a code used twice: the second fails, and the tokens of the first are revoked', async () => {
    const { visit, checks } = await signInTo(app, await here.person(here.tenants.acme), browser());
    const tokens = await app.redeem(visit.url, checks);
    expect(await refusal(app.redeem(visit.url, checks))).toBe('invalid_grant');
    expect(await refusal(refreshed(tokens))).toBe('invalid_grant');
    expect(await refusal(userinfo(tokens))).toBe('invalid_token');
  });

  test('T71 a code is dead after its minute', async () => {
    const { visit, checks } = await signInTo(app, await here.person(here.tenants.acme), browser());
    const [row] = await here.world.sql<{ seconds: number }>(
      `select extract(epoch from expires_at - now())::int as seconds from oidc_artifacts where model = 'AuthorizationCode' order by created_at desc limit 1`,
    );
    expect(row?.seconds).toBeLessThanOrEqual(60);
    await here.world.sql(`update oidc_artifacts set expires_at = now() where model = 'AuthorizationCode'`);
    expect(await refusal(app.redeem(visit.url, checks))).toBe('invalid_grant');
  });
});

describe('a database that is away', () => {
  test('is 503 at the token endpoint, and no invalid_grant that would end the application’s session', async () => {
    const tokens = await tokensFor(app, await here.person(here.tenants.acme));
    await here.world.sql(`alter table oidc_artifacts rename to away`);
    await here.world.sql(`create view oidc_artifacts as select * from away where pg_sleep(6) is null`);
    await here.world.sql(`grant select on oidc_artifacts to drawbridge_app`);
    try {
      const answer = await fetch(`${here.server.issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          client_id: app.clientId,
          client_secret: app.secret ?? '',
          grant_type: 'refresh_token',
          refresh_token: tokens.refresh_token ?? '',
        }),
      });
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('2');
      expect(await answer.json()).toMatchObject({ error: 'temporarily_unavailable' });
    } finally {
      await here.world.sql(`drop view oidc_artifacts`);
      await here.world.sql(`alter table away rename to oidc_artifacts`);
    }
    expect((await refreshed(tokens)).access_token).toBeTruthy();
  });
});
