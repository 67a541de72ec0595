// What a directory is seen to do: its full cycles, its rates, and both where several processes serve it.

import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { doctorAgent } from '../../src/core/directory-doctor.ts';
import type { CredentialId, Instant } from '../../src/core/ids.ts';
import type { DirectoryTick, PageSeen } from '../../src/core/scim-request.ts';
import { requestKeeper } from '../../src/operations/keep-scim-requests.ts';
import { type Answered, seenRequest } from '../../src/scim/request-entry.ts';
import type { RequestLog } from '../../src/scim/request-log.ts';
import type { Acme } from '../support/acme.ts';
import { type ActivityStage, activityStage, USERS } from '../support/activity-stage.ts';
import { forgetGuards } from '../support/guard-stage.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import type { TestWorld } from '../support/world.ts';

let stage: ActivityStage;
let world: TestWorld;
let tenants: Acme;
let log: RequestLog;
let okta: DirectoryClient;
beforeAll(async () => {
  stage = await activityStage();
  ({ world, tenants, log, okta } = stage);
  return stage.close;
});
beforeEach(() => stage.forget());

const shown = () => stage.shown();
const asked = async (...paths: string[]) => {
  for (const path of paths) expect((await okta.get(path)).status).toBe(200);
};
const lookUp = (name: string) => `/Users?filter=${encodeURIComponent(`userName eq "${name}@acme.example"`)}`;

describe('the last full cycle', () => {
  test('is seen when all pages were read, from the first to the last', async () => {
    await asked('/Users?startIndex=1&count=2', '/Users?startIndex=3&count=2');
    expect((await shown()).lastCycle).toBeNull();
    await asked('/Users?startIndex=5&count=2');
    expect((await shown()).lastCycle).toMatchObject({ kind: 'walk' });
  });

  test('is seen when all were read by cursor', async () => {
    let cursor: string | undefined = '';
    for (let pages = 0; cursor !== undefined && pages < 9; pages += 1) {
      expect((await shown()).lastCycle).toBeNull();
      cursor = (await okta.get(`/Users?count=2&cursor=${cursor}`)).body.nextCursor;
    }
    expect((await shown()).lastCycle).toMatchObject({ kind: 'walk' });
  });

  test('is seen when as many questions about people were asked as there are people', async () => {
    await asked(...Array.from({ length: USERS - 1 }, (_, index) => lookUp(`user${index}`)));
    const again = lookUp('user0');
    await Promise.all(Array.from({ length: 20 }, () => okta.get(again)));
    await asked(lookUp('user4'));
    expect((await shown()).lastCycle).toMatchObject({ kind: 'look_ups' });
  });

  test('is not seen in pages with a gap, in filtered ones, in refused ones or in a test of the connection', async () => {
    await asked('/Users?startIndex=1&count=2', '/Users?startIndex=4&count=2', '/Users?startIndex=1&count=2');
    await asked(`/Users?filter=${encodeURIComponent('active eq true')}`, '/Groups', '/Users?count=0');
    await okta.get('/Users?startIndex=x');
    expect((await shown()).lastCycle).toBeNull();
  });
});

describe('the rates', () => {
  const ask = async (...[method, path, body, headers]: Parameters<DirectoryClient['call']>) =>
    (await okta.call(method, path, body, headers)).status;

  test('tell what is refused from what fails: nothing of this has failed', async () => {
    await log.close();
    await world.sql('delete from scim_request_counts');
    onTestFinished(() => forgetGuards(world));
    expect(await ask('GET', '/Me')).toBe(501);
    expect(await ask('GET', '/Users/nobody')).toBe(404);
    expect(await ask('GET', '/Users/nobody', undefined, { 'User-Agent': doctorAgent })).toBe(404);
    await world.sql(
      `insert into directory_guards (tenant_id, connection_id, paused_at, crossed, people) values ($1, $2, now(), 'people', 1)
       on conflict (tenant_id, connection_id) do update set paused_at = now(), crossed = 'people'`,
      [tenants.acme.tenantId, tenants.okta],
    );
    expect(await ask('POST', '/Users', userBody('paused'))).toBe(503);
    await world.sql('update directory_guards set paused_at = null, crossed = null');
    expect((await shown()).lastHour).toMatchObject({ requests: 4, refused: 3, limited: 0, failed: 0 });
  });

  test('the failing twin: a database that is away has failed, for whoever asks', () => {
    const ended = (status: number, agent: string) =>
      seenRequest({
        ...({ at: 0, path: ['Users'], query: new URLSearchParams(), notes: [] } as unknown as Answered),
        request: { method: 'GET', headers: { 'user-agent': agent } } as never,
        reply: { status, body: JSON.stringify({ detail: 'The server is busy. Try again.' }) },
      }).end;
    expect([ended(503, 'Okta'), ended(500, 'Okta'), ended(503, doctorAgent)]).toEqual(['failed', 'failed', 'failed']);
  });
});

describe('several processes', () => {
  const begin = Date.parse('2026-03-01T10:00:00Z');
  const tick = (seconds: number, more: Partial<DirectoryTick>): DirectoryTick => ({
    tenantId: tenants.acme.tenantId,
    connectionId: tenants.okta,
    requests: 1,
    refused: 0,
    limited: 0,
    failed: 0,
    notKept: 0,
    firstAt: (begin + seconds * 1000) as Instant,
    lastAt: (begin + seconds * 1000) as Instant,
    lastWriteAt: null,
    lookUps: 0,
    pages: [],
    userAgents: [],
    signs: [],
    ...more,
  });
  const page = (from: number, items: number): PageSeen => ({ from, items, total: 100, last: false });
  const keepers = () => [1, 2, 3].map(() => requestKeeper(world.context()));

  test('that tell of the pages of one walk in any order see it whole, once', async () => {
    const [one, two, three] = keepers();
    await two?.({ requests: [], ticks: [tick(2, { pages: [page(41, 40)] })] });
    await one?.({ requests: [], ticks: [tick(3, { pages: [page(81, 20)] })] });
    expect((await shown()).lastCycle).toBeNull();
    await three?.({ requests: [], ticks: [tick(1, { pages: [page(1, 40)] })] });
    expect((await shown()).lastCycle).toEqual({ kind: 'walk', beganAt: begin + 1_000, at: begin + 3_000 });
    await one?.({ requests: [], ticks: [tick(4, { pages: [page(1, 40)] })] });
    expect((await shown()).lastCycle?.at).toBe(begin + 3_000);
  });

  test('a pause of more than a quarter of an hour begins anew', async () => {
    const [one] = keepers();
    await one?.({ requests: [], ticks: [tick(10, { pages: [page(1, 60)] })] });
    await one?.({ requests: [], ticks: [tick(10 + 16 * 60, { pages: [page(61, 40)] })] });
    expect((await shown()).lastCycle).toBeNull();
  });

  test('one that knows less does not overrule what another has recognised', async () => {
    const [one, two] = keepers();
    await two?.({ requests: [], ticks: [tick(1, {})] });
    expect((await shown()).profile).toMatchObject({ profile: 'generic', by: 'nothing' });
    await one?.({ requests: [], ticks: [tick(2, { userAgents: ['Okta SCIM Client 1.0.0'] })] });
    await two?.({ requests: [], ticks: [tick(3, { signs: ['capitalised_ops'] })] });
    await two?.({ requests: [], ticks: [tick(4, {})] });
    expect((await shown()).profile).toMatchObject({ profile: 'okta', by: 'user_agent', since: begin + 2_000 });
  });

  test('counts are right whoever counts, and the log’s rows are not counted for them', async () => {
    await world.sql('delete from scim_request_counts');
    const now = Date.now();
    const writers = keepers();
    const one = tick(0, {
      firstAt: now as Instant,
      lastAt: now as Instant,
      requests: 4,
      refused: 1,
      limited: 1,
      failed: 1,
      notKept: 2,
    });
    await Promise.all(Array.from({ length: 30 }, (_, index) => writers[index % 3]?.({ requests: [], ticks: [one] })));
    expect((await shown()).lastHour).toEqual({
      requests: 120,
      refused: 30,
      limited: 30,
      failed: 30,
      notKept: 60,
      errorRate: 0.75,
    });
  });
});

test('a credential that has been used is known by its id in the log', async () => {
  await okta.get('/Users?count=0');
  const { tokens } = await shown();
  const [row] = await world.sql<{ credential_id: CredentialId }>(
    'select credential_id from scim_requests order by occurred_at desc limit 1',
  );
  expect(tokens.map((one) => one.credentialId)).toContain(row?.credential_id);
});
