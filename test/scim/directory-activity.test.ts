import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { doctorAgent } from '../../src/core/directory-doctor.ts';
import type { CredentialId, Instant } from '../../src/core/ids.ts';
import type { DirectoryTick, PageSeen } from '../../src/core/scim-request.ts';
import { requestKeeper } from '../../src/operations/keep-scim-requests.ts';
import { showDirectory } from '../../src/operations/read-directories.ts';
import { type Answered, seenRequest } from '../../src/scim/request-entry.ts';
import { type RequestLog, requestLog } from '../../src/scim/request-log.ts';
import { type Acme, acme } from '../support/acme.ts';
import { type NewServers, newServers, setDirectory } from '../support/directory-settings.ts';
import { type DirectoryClient, directory, type ScimServer, userBody } from '../support/scim.ts';
import { silent, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let log: RequestLog;
let servers: NewServers;
let server: ScimServer;
let okta: DirectoryClient;
const USERS = 5;

beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  log = requestLog({ write: requestKeeper(world.context()), log: silent, flushMs: 10 });
  servers = newServers(world, { requestLog: log });
  server = await servers.server();
  okta = await directory(world, server, tenants.acme, 'okta');
  for (let index = 0; index < USERS; index += 1) await okta.post('/Users', userBody(`user${index}`));
  await log.close();
});
afterAll(async () => {
  await servers?.close();
  await log?.close();
  await world?.close();
});
beforeEach(() =>
  world.sql(
    'update directory_activity set profile = null, profile_by = null, profile_since = null, last_cycle_at = null, last_cycle_began_at = null, last_cycle_kind = null, run_at = null, run_began_at = null, run_look_ups = 0, run_total = null, run_by_cursor = 0, run_cursor_ended = false, run_covered = default',
  ),
);

async function shown(key = 'okta') {
  await log.close();
  const view = await showDirectory(world.context(), tenants.acme, key);
  if ('code' in view) throw new Error(view.message);
  return view;
}
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

describe('the profile', () => {
  afterEach(() => setDirectory(world, tenants.okta, {}));
  const captured = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');

  test('is recognised from captured requests and remembered', async () => {
    const entra = await directory(world, server, tenants.acme, 'entra');
    await entra.call('POST', '/Groups', captured('entra/create-group.json'));
    expect((await shown('entra')).profile).toMatchObject({ profile: 'entra', by: 'shape' });
    const { id } = (await entra.post('/Users', userBody('legacy'))).body;
    await entra.call('PATCH', `/Users/${id}`, captured('entra/patch-active-false-string.json'));
    expect((await shown('entra')).profile).toMatchObject({
      profile: 'entra-legacy',
      by: 'shape',
      since: expect.any(Number),
    });
  });

  test('that the file sets is shown, beside what the requests look like, and changes no answer to a new user', async () => {
    const ask = (client: DirectoryClient) =>
      client.call('POST', '/Users', captured('entra/create-user-string-booleans.json'), {
        'User-Agent': 'Okta SCIM Client 1.0.0',
      });
    const first = await ask(okta);
    await okta.delete(`/Users/${first.body.id}`);
    await setDirectory(world, tenants.okta, { profile: 'generic' });
    const second = await ask(await servers.of('okta', okta.token));
    const same = ({ status, body }: typeof first) => [status, { ...body, id: '', meta: '', groups: '' }];
    expect(same(second)).toEqual(same(first));
    expect((await shown()).profile).toMatchObject({ profile: 'generic', by: 'file', recognised: 'okta', since: null });
  });
});

test('counters are exact: active are those who are not inactive, memberships those of open groups', async () => {
  const { id } = (await okta.post('/Users', userBody('off', { active: false }))).body;
  const group = await okta.post('/Groups', { displayName: 'Counted', members: [{ value: id }] });
  const { counters } = await shown();
  const [counted] = await world.sql<Record<string, number>>(
    `select count(*)::int as users, count(*) filter (where active)::int as "activeUsers" from directory_users
     where connection_id = $1 and ended_at is null`,
    [tenants.okta],
  );
  expect(counters).toEqual({ ...counted, groups: 1, memberships: 1 });
  await okta.delete(`/Groups/${group.body.id}`);
  await okta.delete(`/Users/${id}`);
  expect((await shown()).counters).toMatchObject({
    groups: 0,
    memberships: 0,
    users: counters.users - 1,
    activeUsers: counters.activeUsers,
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
