import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { CliError } from '../../src/cli/command.ts';
import { requestKeeper } from '../../src/operations/keep-scim-requests.ts';
import { type RequestLog, requestLog } from '../../src/scim/request-log.ts';
import { type Acme, acme } from '../support/acme.ts';
import { callCommand, processEnv, runCommand } from '../support/command-line.ts';
import { type DirectoryClient, directory, publicUrl, type ScimServer, scimServer, userBody } from '../support/scim.ts';
import { silent, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let log: RequestLog;
let server: ScimServer;
let okta: DirectoryClient;
const agent = { 'User-Agent': 'Okta SCIM Client 1.0.0', 'X-Forwarded-For': '192.0.2.7' };

beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  const given = { requestLog: { days: 30, bodyHours: 2 }, requestsPerSecond: 500 };
  await world.sql(`update connections set directory = $2 where connection_id = $1`, [
    tenants.okta,
    JSON.stringify(given),
  ]);
  log = requestLog({ write: requestKeeper(world.context()), log: silent });
  server = await scimServer(world, { requestLog: log });
  okta = await directory(world, server, tenants.acme, 'okta');
  const users: string[] = [];
  for (const name of ['ann', 'bob', 'cid'])
    users.push((await okta.call('POST', '/Users', userBody(name, { password: 'Correct-Horse-9' }), agent)).body.id);
  await okta.call(
    'PATCH',
    `/Users/${users[2]}`,
    {
      schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
      Operations: [{ op: 'Replace', path: 'active', value: 'False' }],
    },
    agent,
  );
  await okta.call(
    'POST',
    '/Groups',
    { displayName: 'Staff', members: users.slice(0, 2).map((value) => ({ value })) },
    agent,
  );
  await okta.call('POST', '/Users', userBody('ann'), agent);
  await okta.call('POST', '/Users', userBody('\u001b[31mred', { userName: '' }), agent);
  await okta.get('/Users/%1b[2J', agent);
  await okta.get('/Users?startIndex=1&count=100', agent);
  await log.close();
});
afterAll(async () => {
  await server?.close();
  await log?.close();
  await world?.close();
});

const cli = (...args: string[]) => runCommand(processEnv(world), args);
/** What a command tells a program, without the start of a process. */
async function json(...args: string[]) {
  return JSON.parse(JSON.stringify((await callCommand(world, { publicUrl }, args)).json));
}
const which = ['--tenant', 'acme', '--connection', 'okta'];

test('directory list names the directories of the tenant, whose they are and when they last asked', async () => {
  const { stdout } = await cli('directory', 'list', '--tenant', 'acme');
  const [head, entra, first] = stdout.split('\n');
  expect(head).toMatch(/^CONNECTION +STATE +PROFILE +USERS +GROUPS +CREDENTIALS +LAST REQUEST +LAST CYCLE$/);
  expect(entra).toMatch(/^entra +on +- +0 +0 +0 +- +-$/);
  expect(first).toMatch(/^okta +on +okta +3 +1 +1 +\d{4}-\S+ +\d{4}-\S+$/);
  expect(await json('directory', 'list', '--tenant', 'globex')).toMatchObject([
    { key: 'okta', users: 0, lastRequestAt: null },
  ]);
});

test('directory show tells settings, profile, exact counters, credentials, error rate and the last cycle', async () => {
  const view = await json('directory', 'show', ...which);
  expect(view).toMatchObject({
    key: 'okta',
    url: `${publicUrl}/scim/v2/acme/okta`,
    enabled: true,
    held: false,
    pausedAt: null,
    settings: { requestsPerSecond: 500, requestLog: { days: 30, bodyHours: 2 }, guard: null },
    profile: { profile: 'okta', by: 'user_agent', name: 'Okta', since: expect.stringMatching(/^\d{4}-/) },
    counters: { users: 3, activeUsers: 2, groups: 1, memberships: 2 },
    lastHour: { requests: 9, refused: 3, limited: 0, failed: 0, notKept: 0, errorRate: 1 / 3 },
    lastDay: { requests: 9 },
    lastCycle: { kind: 'walk' },
    tokens: [{ name: okta.token.slice(4, 16), live: true, lastUsedFrom: '192.0.2.7', expiresAt: null }],
    clients: [],
  });
  const { stdout } = await cli('directory', 'show', ...which);
  for (const line of [
    /^scim url +https?:\S+\/scim\/v2\/acme\/okta$/m,
    /^profile +okta \(Okta\), by its user agent since \d{4}-/m,
    /^users +3, 2 of them active$/m,
    /^groups +1 with 2 memberships$/m,
    /^last hour +9 requests, 33\.3 % errors \(3 refused, 0 over the limit, 0 failed\)$/m,
    /^last cycle +\S+, all pages read in \d+ s$/m,
    /^requests\/s +500$/m,
    /^token +[a-z0-9]{12} +\S+ +\S+ +192\.0\.2\.7 +-$/m,
    /^- Switch off Sync Password/m,
  ])
    expect(stdout).toMatch(line);
});

test('directory list and directory show give the command to type for a directory that is held or paused, and none for another', async () => {
  const id = tenants.okta;
  const command = 'drawbridge directory plan --tenant acme --connection okta';
  const textOf = async (...args: string[]) => (await callCommand(world, { publicUrl }, args)).text;
  const both = async () => [
    await textOf('directory', 'list', '--tenant', 'acme'),
    await textOf('directory', 'show', ...which),
  ];
  const nexts = async () => [
    (await json('directory', 'list', '--tenant', 'acme')).map((one: { next: unknown }) => one.next),
    (await json('directory', 'show', ...which)).next,
  ];
  for (const text of await both()) expect(text).not.toContain('Next');
  expect(await nexts()).toEqual([[null, null], null]);

  onTestFinished(async () => {
    await world.sql('delete from directory_guards');
    await world.sql('update connections set scim_held = false where connection_id = $1', [id]);
  });
  await world.sql('update connections set scim_held = true where connection_id = $1', [id]);
  const held = `The directory okta is held. Next, to see who gains what if it is activated, and how:\n  ${command}`;
  for (const text of await both()) expect(text).toContain(`\n\n${held}`);
  expect(await nexts()).toEqual([[null, command], command]);

  await world.sql(
    `insert into directory_guards (tenant_id, connection_id, paused_at, crossed, people) values ($1, $2, now(), 'people', 9)`,
    [tenants.acme.tenantId, id],
  );
  const paused = `The directory okta is paused. Next, to see who loses what if it is resumed, and how to resume it or forget what it asked for:\n  ${command}`;
  for (const text of await both()) expect(text).toContain(`\n\n${paused}`);

  // What is said is what works.
  const [, ...typed] = command.split(' ');
  expect(await textOf(...typed)).toContain('drawbridge directory resume --tenant acme --connection okta --digest');
});

test('directory show gives the command that makes a token where there is none', async () => {
  const shown = async () =>
    (await callCommand(world, { publicUrl }, ['directory', 'show', '--tenant', 'acme', '--connection', 'entra'])).text;
  const command = 'drawbridge scim-token create --tenant acme --connection entra';
  expect(await shown()).toContain(`\n\nIt has no token. Next, to make one:\n  ${command}`);
  const [, ...typed] = command.split(' ');
  const { id } = await json(...typed);
  expect(await shown()).not.toContain('no token');
  await json('scim-token', 'end', '--tenant', 'acme', '--id', id);
});

describe('directory requests', () => {
  test('shows what was asked, the newest first, and what was read otherwise', async () => {
    const { stdout } = await cli('directory', 'requests', ...which);
    const heads = stdout
      .split('\n')
      .filter((line) => /^\d{4}-/.test(line))
      .map((line) => line.split('  ').slice(1, 3).join(' '));
    expect(heads.map((line) => line.replace(/[0-9a-f-]{36}/, 'ID'))).toEqual([
      '200 GET /Users?startIndex=1&count=100',
      '404 GET /Users/\ufffd[2J',
      '400 invalidValue POST /Users',
      '409 uniqueness POST /Users',
      '201 POST /Groups',
      '200 PATCH /Users/ID',
      '201 POST /Users',
      '201 POST /Users',
      '201 POST /Users',
    ]);
    expect(stdout).toContain("~ op 'Replace' read as 'replace' (sent by Entra ID)");
    expect(stdout).toContain('from 192.0.2.7 by Okta SCIM Client 1.0.0');
    expect(stdout).not.toContain('"userName"');
  });

  test('T114 what a client wrote acts on no terminal', async () => {
    const { stdout } = await cli('directory', 'requests', ...which, '--bodies');
    expect(stdout).toContain('\ufffd[2J');
    expect(stdout).not.toContain('\u001b');
  });

  test('by status, by age, so many, and with bodies where they are kept; a password is in none', async () => {
    const refused = await json('directory', 'requests', ...which, '--status', '4xx', '--bodies');
    expect(refused.map((one: { status: number }) => one.status)).toEqual([404, 400, 409]);
    expect(refused[2]).toMatchObject({
      scimType: 'uniqueness',
      kept: { body: expect.stringContaining('"userName":"ann@acme.example"'), refusal: expect.any(String) },
    });
    expect(await json('directory', 'requests', ...which, '--status', '409')).toHaveLength(1);
    expect(await json('directory', 'requests', ...which, '--since', '1h', '--limit', '3')).toHaveLength(3);
    const [first, , third] = await json('directory', 'requests', ...which, '--limit', '3');
    const before = await json('directory', 'requests', ...which, '--until', first.at);
    expect(before.map(({ at }: { at: string }) => at)).toContain(third.at);
    expect(before.every(({ at }: { at: string }) => at < first.at)).toBe(true);
    const { stdout: some } = await cli('directory', 'requests', ...which, '--limit', '3');
    expect(some.trimEnd().split('\n').at(-1)).toBe(`There may be older ones: --limit 1000, or --until ${third.at}.`);
    expect((await cli('directory', 'requests', ...which)).stdout).not.toContain('There may be older ones');
    const age = (hours: number) =>
      world.sql(`update scim_requests set occurred_at = occurred_at - make_interval(hours => $1) where status = 409`, [
        hours,
      ]);
    await age(2);
    onTestFinished(async () => void (await age(-2)));
    expect(await json('directory', 'requests', ...which, '--since', '1h', '--status', '409')).toEqual([]);
    expect(JSON.stringify(await json('directory', 'requests', ...which, '--bodies'))).not.toContain('Correct-Horse-9');
    expect((await json('directory', 'requests', ...which))[0]).not.toHaveProperty('kept');
  });

  test('by path: at it or below it, and nothing that only begins so', async () => {
    const pathsOf = async (...args: string[]) => {
      const found: { method: string; path: string }[] = await json('directory', 'requests', ...which, ...args);
      return found.map(({ method, path }) => `${method} ${path.replace(/[0-9a-f-]{36}/, 'ID')}`);
    };
    const users = ['GET /Users', 'GET /Users/\ufffd[2J', 'PATCH /Users/ID'];
    expect((await pathsOf('--path', '/Users')).filter((one) => !one.startsWith('POST'))).toEqual(users);
    expect(await pathsOf('--path', '/Groups')).toEqual(['POST /Groups']);
    expect(await pathsOf('--path', 'Groups/')).toEqual(['POST /Groups']);
    const [patched] = (await json('directory', 'requests', ...which, '--status', '200')).slice(1);
    expect(await pathsOf('--path', patched.path)).toEqual(['PATCH /Users/ID']);
    expect(await pathsOf('--path', '/Users', '--status', '404')).toEqual(['GET /Users/\ufffd[2J']);
    expect(await pathsOf('--path', '/User')).toEqual([]);
    // Characters that mean something to a pattern mean themselves.
    expect(await pathsOf('--path', '/%')).toEqual([]);
  });

  test('what it cannot do it says in a sentence', async () => {
    for (const [args, sentence] of [
      [['--status', '9xx'], '--status is a status such as 404, or 4xx for all of its kind.'],
      [['--since', 'yesterday'], '--since is a time such as 30m, 12h or 2026-11-22T05:00Z.'],
      [['--path', '/Users?count=1'], '--path is a path such as /Users or /Groups/ID, without a query.'],
      [['--path', '/'], '--path is a path such as /Users or /Groups/ID, without a query.'],
      [['--limit', '0'], '--limit is a whole number from 1 to 1000.'],
    ] as const)
      await expect(json('directory', 'requests', ...which, ...args)).rejects.toThrow(new CliError(sentence));
    const unknown = await cli('directory', 'requests', '--tenant', 'acme', '--connection', 'nothing');
    expect(unknown.stderr).toBe('There is no connection "nothing" with SCIM in acme.\n');
  });
});

test('T37 a directory of the same name in another tenant shows nothing of this one', async () => {
  const globex = ['--tenant', 'globex', '--connection', 'okta'];
  expect((await json('directory', 'show', ...globex)).counters).toEqual({
    users: 0,
    activeUsers: 0,
    groups: 0,
    memberships: 0,
  });
  expect(await json('directory', 'requests', ...globex)).toEqual([]);
});

test('a token lives as long as --expires says; the list tells from where it was last used; both acts are audited', async () => {
  const made = await json('scim-token', 'create', '--tenant', 'acme', '--connection', 'entra', '--expires', '90d');
  expect(Math.abs(new Date(made.expiresAt).getTime() - Date.now() - 90 * 86_400_000)).toBeLessThan(120_000);
  const { stdout } = await cli('scim-token', 'list', '--tenant', 'acme');
  expect(stdout).toMatch(/^ID +CONNECTION +PREFIX +MADE +LAST USED +FROM +UNTIL$/m);
  expect(stdout).toMatch(/ okta +[a-z0-9]{12} +\S+ +\S+ +192\.0\.2\.7 +-$/m);
  for (const wrong of [
    ['--expires', '4000d'],
    ['--expires', '0d'],
    ['--expires', '9d', '--days', '9'],
  ])
    await expect(json('scim-token', 'create', '--tenant', 'acme', '--connection', 'entra', ...wrong)).rejects.toThrow(
      CliError,
    );
  await json('scim-token', 'end', '--tenant', 'acme', '--id', made.id);
  const events = await world.sql(
    `select kind from audit_events where detail ->> 'credentialId' = $1 order by occurred_at`,
    [made.id],
  );
  expect(events).toEqual([{ kind: 'scim_credential.created' }, { kind: 'scim_credential.ended' }]);
});
