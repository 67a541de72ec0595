import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CliError } from '../../src/cli/command.ts';
import { colourOf } from '../../src/cli/doctor-report.ts';
import type { Context } from '../../src/context.ts';
import { beginDoctorVisit, endDoctorVisit } from '../../src/operations/doctor-visit.ts';
import { requestKeeper } from '../../src/operations/keep-scim-requests.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type RequestLog, requestLog } from '../../src/scim/request-log.ts';
import { contextOf } from '../../src/world.ts';
import { type Acme, acme, touchConfig } from '../support/acme.ts';
import { callCommand, processEnv, startCommand } from '../support/command-line.ts';
import {
  directory,
  directoryClient,
  newScimToken,
  publicUrl,
  type ScimServer,
  scimServer,
  userBody,
} from '../support/scim.ts';
import { silent, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let log: RequestLog;
let server: ScimServer;
let ann: string;

beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  log = requestLog({ write: requestKeeper(world.context()), log: silent });
  const { database, secrets } = world;
  const contextFor = (caller: Context['caller']) => contextOf({ database, secrets, log: silent }, caller);
  server = await scimServer(world, { requestLog: log, contextFor });
  const okta = await directory(world, server, tenants.acme, 'okta');
  await newScimToken(world, tenants.acme, 'okta');
  const agent = { 'User-Agent': 'Okta SCIM Client 1.0.0' };
  ann = (await okta.call('POST', '/Users', userBody('ann'), agent)).body.id;
  await okta.call('POST', '/Groups', { displayName: 'Staff', members: [{ value: ann }] }, agent);
});
afterAll(async () => {
  await server?.close();
  await log?.close();
  await world?.close();
});

async function doctor(...args: string[]) {
  try {
    const which = ['--tenant', 'acme', '--directory', 'okta'];
    const told = await callCommand(world, { publicUrl }, ['scim', 'doctor', ...which, ...args]);
    return { error: '', exitCode: 0, ...told };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return { error: error.message, exitCode: 1, text: '', json: null };
  }
}

type Change = (
  request: { method: string; url: string },
  count: number,
) => { status?: number; answer?: [number, string, string] } | null;
/** A server in front of the real one that changes some of the answers, or gives its own. */
async function proxy(change: Change, upstream = server.url): Promise<{ url: string; close(): Promise<void> }> {
  let count = 0;
  const http = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    count += 1;
    const changed = change({ method, url }, count) ?? {};
    if (changed.answer !== undefined) {
      const [status, type, text] = changed.answer;
      response.writeHead(status, { 'content-type': type }).end(text);
      return;
    }
    const body = chunks.length === 0 ? {} : { body: Buffer.concat(chunks).toString() };
    const sent = {
      authorization: String(headers.authorization),
      'user-agent': String(headers['user-agent']),
      'content-type': String(headers['content-type'] ?? ''),
    };
    const answer = await fetch(`${upstream}${url}`, { method, headers: sent, ...body });
    const text = await answer.text();
    const given = Object.fromEntries(
      ['content-type', 'location', 'etag'].flatMap((name) => {
        const value = answer.headers.get(name);
        return value === null ? [] : [[name, value]];
      }),
    );
    response.writeHead(changed.status ?? answer.status, given).end(text);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}
type Front = { readonly method: string; readonly url: string; readonly headers: Record<string, string> };
/** A server of one's own in front; null: it says nothing and hangs up. */
async function proxyWith(answer: (request: Front, body: string | null) => Promise<[number, string, string] | null>) {
  const http = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const headers = {
      authorization: String(request.headers.authorization),
      'content-type': String(request.headers['content-type'] ?? ''),
    };
    const { method = '', url = '' } = request;
    const given = await answer({ method, url, headers }, chunks.length === 0 ? null : Buffer.concat(chunks).toString());
    if (given === null) request.socket.destroy();
    else response.writeHead(given[0], { 'content-type': given[1] }).end(given[2]);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}
async function through(change: Change, ...args: string[]) {
  const front = await proxy(change);
  try {
    return await doctor('--url', front.url, ...args);
  } finally {
    await front.close();
  }
}

/** What is open in the tenant, by kinds of rows: a visit leaves it as it was. */
async function open() {
  const [row] = await world.sql(
    `select
       (select count(*) from users where tenant_id = $1 and ended_at is null) as users,
       (select count(*) from directory_users where tenant_id = $1 and ended_at is null) as directory_users,
       (select count(*) from directory_groups where tenant_id = $1 and ended_at is null) as groups,
       (select count(*) from scim_credentials where tenant_id = $1 and ended_at is null) as credentials,
       (select count(*) from email_directory where tenant_id = $1) as addresses,
       (select count(*) from directory_guard_people where tenant_id = $1) as counted,
       (select count(*) from directory_guard_acts where tenant_id = $1) as acts,
       (select count(*) from rule_bindings where tenant_id = $1) as bindings,
       (select count(*) from role_grants where tenant_id = $1) as grants,
       (select json_agg(d order by d.directory_user_id) from directory_users d where tenant_id = $1 and user_name not like '%@doctor.invalid')::text as others,
       (select json_agg(g order by g.group_id) from directory_groups g where tenant_id = $1 and display_name not like '% doctor%')::text as other_groups`,
    [tenants.acme.tenantId],
  );
  return row;
}
const settings = (given: object) =>
  world.sql(`update connections set directory = $2 where connection_id = $1`, [tenants.okta, JSON.stringify(given)]);
type Json = {
  ok: boolean;
  calls: {
    verdict: string;
    idp: string;
    method: string;
    target: string;
    name: string;
    status: number;
    why: string | null;
    expected: { what: string; says: string }[];
  }[];
  notes: string[];
  putAway: { leftBehind: string[] };
};
const wrong = (json: unknown) => (json as Json).calls.filter(({ verdict }) => verdict === 'wrong');

describe('scim doctor', () => {
  test('makes the calls of Okta and Entra ID, finds nothing wrong here, and leaves the directory as it was', async () => {
    const before = await open();
    const { text, json, exitCode } = await doctor('--url', server.url);
    expect(wrong(json)).toEqual([]);
    expect(exitCode).toBe(0);
    const calls = (json as Json).calls.length;
    expect(text).toContain(`${calls} calls: ${calls} ok, 0 wrong, 0 skipped.\n`);
    expect(text).toMatch(/^VERDICT +IDP +STATUS +WHAT +REQUEST$/m);
    expect(text).toMatch(/^ok +okta +200 +test of the credentials +GET {4}\/Users\?startIndex=1&count=2$/m);
    expect(text).toMatch(/^ok +entra +200 +soft-delete, "False" as text +PATCH {2}\/Users\/\S+$/m);
    expect(await open()).toEqual(before);
  });

  test('runs beside two tokens of the directory, and one identity provider alone', async () => {
    const { json, exitCode } = await doctor('--url', `${server.url}/scim/v2/acme/okta/`, '--idp', 'okta');
    expect([exitCode, new Set((json as Json).calls.map(({ idp }) => idp))]).toEqual([0, new Set(['okta'])]);
    expect((await doctor('--url', server.url, '--idp', 'google')).error).toBe('--idp is okta, entra or all.');
    const tokens = await world.sql(`select 1 from scim_credentials where ended_at is null and tenant_id = $1`, [
      tenants.acme.tenantId,
    ]);
    expect(tokens).toHaveLength(2);
  });

  test('its token is ended, and opened this directory only', async () => {
    const rows = await world.sql<{ prefix: string; days: number; ended: boolean }>(
      `select prefix, ended_at is not null as ended, extract(epoch from expires_at - created_at)::int as lives from scim_credentials where prefix like 'doctor9%'`,
    );
    expect(rows.length).toBeGreaterThan(1);
    for (const row of rows) expect(row).toMatchObject({ ended: true, lives: 900 });
  });

  test('says nothing of whose directory it is, though it speaks as several do, and its reads are no cycle', async () => {
    expect((await doctor('--url', server.url, '--directory', 'entra')).exitCode).toBe(0);
    await log.close();
    const rows = await world.sql(
      `select c.key, a.profile, a.profile_by, a.last_write_at, a.last_cycle_at
       from directory_activity a join connections c using (tenant_id, connection_id) order by 1`,
    );
    expect(rows).toEqual([
      { key: 'entra', profile: 'generic', profile_by: 'nothing', last_write_at: null, last_cycle_at: null },
      {
        key: 'okta',
        profile: 'okta',
        profile_by: 'user_agent',
        last_write_at: expect.any(Date),
        last_cycle_at: null,
      },
    ]);
    const lines = await world.sql(`select 1 from scim_requests where user_agent = 'drawbridge-doctor'`);
    expect(lines.length).toBeGreaterThan(50);
  });

  test('--verbose shows what was sent and answered', async () => {
    const { text } = await doctor('--url', server.url, '--idp', 'entra', '--verbose');
    expect(text).toContain(
      '> {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}',
    );
    expect(text).toMatch(/< \{"schemas":\["urn:ietf:params:scim:api:messages:2.0:Error"\],"status":"409"/);
    expect(text).not.toMatch(/dbs_/);
  });

  test('colours a line by its verdict, which no client’s text can begin', () => {
    const lines = [
      'ok       okta',
      'WRONG    okta',
      'skipped  okta',
      'LEFT BEHIND: x',
      '         expected: ok',
      'okta at https://…',
    ];
    expect(lines.map(colourOf)).toEqual(['green', 'red', 'yellow', 'red', null, null]);
  });
});

describe('a server that answers otherwise', () => {
  test('a status that is not the right one is told with what was expected, and who says so', async () => {
    const { text, json, exitCode } = await through(({ method, url }, _count) =>
      method === 'GET' && url.includes('/Users/') && !url.includes('?') ? { status: 200 } : null,
    );
    expect(exitCode).toBe(1);
    expect(wrong(json).map(({ name }) => name)).toEqual(['somebody who is not there', 'gone']);
    expect(text).toMatch(
      /^WRONG +okta +200 +somebody who is not there +GET {4}\/Users\/\S+\n {9}expected: status 404 \(Okta, SCIM 2\.0 reference\)$/m,
    );
    expect(text).toMatch(/^\d+ calls: \d+ ok, 2 wrong, 0 skipped\.$/m);
  });

  test('what was made behind an answer that says otherwise is found and put away; what needs it is skipped', async () => {
    const before = await open();
    let creates = 0;
    const { json, exitCode } = await through(
      ({ method, url }) => {
        if (method !== 'POST' || !url.endsWith('/Users')) return null;
        creates += 1;
        // Somebody in between swallows the answer to the first one.
        return creates === 1 ? { answer: [502, 'text/html', '<html>Bad gateway</html>'] } : null;
      },
      '--idp',
      'okta',
    );
    expect(exitCode).toBe(1);
    expect(wrong(json)[0]).toMatchObject({ name: 'create', status: 502 });
    expect(await open()).toEqual(before);

    const hidden = await proxyThatHides();
    const again = await doctor('--url', hidden.url, '--idp', 'okta');
    await hidden.close();
    expect(again.exitCode).toBe(1);
    expect((again.json as Json).calls.filter(({ verdict }) => verdict === 'skipped').length).toBeGreaterThan(10);
    expect(await open()).toEqual(before);
  });

  /** Every creation is done, and nobody hears of it. */
  async function proxyThatHides() {
    return proxyWith(async (request, body) => {
      const answer = await fetch(`${server.url}${request.url}`, {
        method: request.method,
        headers: request.headers,
        ...(body === null ? {} : { body }),
      });
      const text = await answer.text();
      return request.method === 'POST' ? [500, 'text/plain', 'oops'] : [answer.status, 'application/scim+json', text];
    });
  }

  test('an answer that holds somebody else is nobody of the visit’s: that one is never changed', async () => {
    const before = await open();
    const asked: string[] = [];
    const front = await proxyWith(async (request, body) => {
      asked.push(`${request.method} ${request.url}`);
      const answer = await fetch(`${server.url}${request.url}`, { ...request, ...(body === null ? {} : { body }) });
      const text = await answer.text();
      const other = JSON.stringify(userBody('ann', { id: ann }));
      return [answer.status, 'application/scim+json', answer.status === 201 ? other : text];
    });
    const { json, exitCode } = await doctor('--url', front.url, '--idp', 'okta');
    await front.close();
    expect(exitCode).toBe(1);
    expect(wrong(json)[0]).toMatchObject({ name: 'create' });
    expect(asked.filter((line) => line.includes(ann))).toEqual([]);
    expect(await open()).toEqual(before);
  });

  test('where nothing can be put away over that way, it is put away at the database', async () => {
    const before = await open();
    const { exitCode, json } = await through(({ method }) =>
      method === 'DELETE' ? { answer: [403, 'text/html', 'no'] } : null,
    );
    expect(exitCode).toBe(1);
    expect((json as Json).putAway.leftBehind).toEqual([]);
    expect(await open()).toEqual(before);
  });

  test('where the server goes away in the middle', async () => {
    const before = await open();
    const front = await proxyWith(async (request, body) => {
      if (++served > 12) return null;
      const answer = await fetch(`${server.url}${request.url}`, {
        method: request.method,
        headers: request.headers,
        ...(body === null ? {} : { body }),
      });
      return [answer.status, 'application/scim+json', await answer.text()];
    });
    let served = 0;
    const { json, exitCode } = await doctor('--url', front.url);
    await front.close();
    expect(exitCode).toBe(1);
    expect((json as Json).calls.at(-1)).toMatchObject({ verdict: 'skipped', why: 'nobody answers any more' });
    expect(await open()).toEqual(before);
  });

  test('stopped by Ctrl-C it puts everything away, and says that it was stopped', async () => {
    const before = await open();
    let child: ChildProcess | null = null;
    const front = await proxy((_request, count) => {
      if (count === 12) child?.kill('SIGINT');
      return null;
    });
    const env = { ...processEnv(world), DRAWBRIDGE_PUBLIC_URL: publicUrl };
    const which = ['--tenant', 'acme', '--directory', 'okta', '--url', front.url];
    const running = startCommand(env, ['scim', 'doctor', ...which]);
    child = running.child;
    const { code, stdout: out } = await running.ended;
    await front.close();
    expect(code).toBe(1);
    expect(out).toContain('It was stopped before its end.\n');
    expect(out).toMatch(/^ok +- +204 +put away/m);
    expect(out).not.toContain('\u001b');
    expect(await open()).toEqual(before);
  }, 30_000);

  test.each([
    [
      'http://127.0.0.1:1',
      /^The server cannot be reached at http:\/\/127\.0\.0\.1:1\/scim\/v2\/acme\/okta: connect ECONNREFUSED.*Give the address at which it answers with --url\.$/,
    ],
    ['http://login.example.com', /^A token is not sent to login\.example\.com without https\.$/],
    ['ftp://x', /^--url is the address of the server/],
    [
      'http://127.0.0.1:1/scim/v2/acme/entra/',
      /^--url is the address of another directory: this one is at \/scim\/v2\/acme\/okta\.$/,
    ],
  ])('%s is told in a sentence', async (url, sentence) => {
    const before = await open();
    const { error } = await doctor('--url', url);
    expect(error).toMatch(sentence);
    expect(await open()).toEqual(before);
  });

  test('another server, or one of another database, is told before anything is made', async () => {
    const html = await through(() => ({ answer: [200, 'text/html', '<html></html>'] }));
    expect(html.error).toMatch(/^What answers at http:\S+ is no SCIM server: status 200, text\/html\./);
    const error = JSON.stringify({ schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'], status: '401' });
    const other = await through(() => ({ answer: [401, 'application/scim+json', error] }));
    expect(other.error).toMatch(
      /does not know the token that was just made: it works with another database than this command\.$/,
    );
  });
});

describe('a directory that is to be handled with care', () => {
  afterEach(() => settings({}));

  test('held: it is told, and nothing is wrong', async () => {
    await world.sql(`update connections set scim_held = true where connection_id = $1`, [tenants.okta]);
    const { json, exitCode } = await doctor('--url', server.url, '--idp', 'okta');
    await world.sql(`update connections set scim_held = false where connection_id = $1`, [tenants.okta]);
    expect(exitCode).toBe(0);
    expect((json as Json).notes).toContain('The directory is held: what it pushes lands, and gives nobody a role.');
  });

  test('switched off, or unknown: a sentence', async () => {
    await world.sql(`update connections set enabled = false where connection_id = $1`, [tenants.okta]);
    expect((await doctor('--url', server.url)).error).toBe(
      'The connection okta of acme is switched off: its directory answers nobody.',
    );
    await world.sql(`update connections set enabled = true where connection_id = $1`, [tenants.okta]);
    expect((await doctor('--url', server.url, '--directory', 'nothing')).error).toBe(
      'There is no connection "nothing" with SCIM in acme.',
    );
  });

  test('a guard with room counts the visit’s people while it lasts, and not afterwards', async () => {
    await settings({ guard: { people: 5, percent: 100, minutes: 60 } });
    const before = await open();
    const { exitCode } = await doctor('--url', server.url);
    expect(exitCode).toBe(0);
    expect(await open()).toEqual(before);
  });

  test('a guard without room: nothing is changed, so that no visit pauses a directory', async () => {
    await settings({ guard: { people: 4, percent: 100, minutes: 60 } });
    const before = await open();
    const { json, exitCode, text } = await doctor('--url', server.url);
    expect(exitCode).toBe(1);
    expect(text).toContain(
      'The calls touch 5 people, and by as many more the guard (4 people or 100 % within 60 minutes) would pause the directory: only reading calls are made. For all of them, raise the guard for the visit.',
    );
    const made = (json as Json).calls.filter(({ verdict }) => verdict !== 'skipped');
    expect(new Set(made.map(({ method, verdict }) => `${method} ${verdict}`))).toEqual(new Set(['GET ok']));
    expect(made.length).toBeGreaterThan(5);
    expect(await world.sql(`select 1 from directory_guards where paused_at is not null`)).toEqual([]);
    expect(await open()).toEqual(before);
  });

  test('paused: it is told since when, and only read', async () => {
    await world.sql(
      `insert into directory_guards (tenant_id, connection_id, paused_at, crossed) values ($1, $2, '2026-11-22T05:00:00Z', 'people')
      on conflict (tenant_id, connection_id) do update set paused_at = excluded.paused_at, crossed = excluded.crossed`,
      [tenants.acme.tenantId, tenants.okta],
    );
    const { json, exitCode, text } = await doctor('--url', server.url);
    await world.sql(`update directory_guards set paused_at = null, crossed = null`);
    expect(exitCode).toBe(1);
    expect(text).toContain(
      'The directory is paused since 2026-11-22T05:00:00.000Z and refuses every change: only reading calls are made. See: drawbridge directory plan --tenant acme --connection okta',
    );
    // One line for all that was not done, not one each.
    expect(text.match(/^skipped .*$/gm)).toEqual([
      expect.stringMatching(/^skipped {2}\d\d calls: the directory is paused \(--verbose lists them\)$/),
    ]);
    expect((json as Json).calls.filter(({ method, verdict }) => method !== 'GET' && verdict !== 'skipped')).toEqual([]);
  });

  test('a limit of requests is kept to by half of it', async () => {
    await settings({ requestsPerSecond: 50 });
    const began = performance.now();
    const { json, exitCode } = await doctor('--url', server.url, '--idp', 'okta');
    expect(exitCode).toBe(0);
    expect(performance.now() - began).toBeGreaterThan(((json as Json).calls.length - 1) * 40);
  });

  test('rules that speak of any name: no group is made', async () => {
    const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
    for (const letter of letters)
      await world.sql(
        `insert into mapping_rules (tenant_id, rule_id, key, connection_id, match_kind, match_value, allow_new_groups, role_id) values ($1, $2, $3, $4, 'prefix', $5, true, $6)`,
        [
          tenants.acme.tenantId,
          randomUUID(),
          `p-${letter}`,
          tenants.okta,
          letter.toUpperCase(),
          tenants.role(tenants.acme, 'Admin'),
        ],
      );
    await touchConfig(world);
    const { json, exitCode } = await doctor('--url', server.url);
    expect([
      exitCode,
      (json as Json).calls.filter(({ method, target }) => method === 'POST' && target === '/Groups'),
    ]).toEqual([0, []]);
    expect((json as Json).notes).toContain(
      'Whatever a group is called, a rule speaks of it: no call is made that needs a group.',
    );
    // One letter is free again: every group of the visit begins with it.
    await world.sql(`update mapping_rules set ended_at = now() where key = any ($1)`, [
      letters.slice(0, 20).map((letter) => `p-${letter}`),
    ]);
    await touchConfig(world);
    const some = await doctor('--url', server.url, '--idp', 'okta', '--verbose');
    const created = (some.json as { calls: { name: string; body: string }[] }).calls.find(
      ({ name }) => name === 'push a group',
    );
    expect(JSON.parse(created?.body ?? '{}').displayName).toMatch(/^[a-t]/);
    expect(await world.sql(`select 1 from rule_bindings`)).toEqual([]);
  });
});

test('a visit’s token is none of the two that a directory may have; a third visit at once is refused', async () => {
  const ctx = world.context();
  const begin = () => beginDoctorVisit(ctx, tenants.globex, 'okta', 1);
  const first = await begin();
  await newScimToken(world, tenants.globex, 'okta');
  await newScimToken(world, tenants.globex, 'okta');
  await expect(newScimToken(world, tenants.globex, 'okta')).rejects.toThrow('Two tokens');
  const second = await begin();
  expect(await begin()).toMatchObject({ kind: 'refused', code: 'invalid' });
  for (const visit of [first, second]) {
    if (visit.kind === 'refused') throw new Error(visit.message);
    await endDoctorVisit(ctx, tenants.globex, visit, []);
  }
  expect((await begin()).kind).toBe('begun');
});

test('the end of a visit ends nobody whom the visit did not make, whatever ids it is told', async () => {
  const ctx = world.context();
  const earlier = await beginDoctorVisit(ctx, tenants.acme, 'okta', 1);
  if (earlier.kind === 'refused') throw new Error(earlier.message);
  const other = directoryClient(server, 'acme', 'okta', earlier.token);
  const like = userBody('before', { userName: 'before@doctor.invalid', emails: [] });
  const gone = (await other.post('/Users', like)).body.id as string;
  await other.delete(`/Users/${gone}`);
  const visit = await beginDoctorVisit(ctx, tenants.acme, 'okta', 1);
  if (visit.kind === 'refused') throw new Error(visit.message);
  const client = directoryClient(server, 'acme', 'okta', visit.token);
  const late = (await client.post('/Users', userBody('late', { userName: 'late@doctor.invalid', emails: [] }))).body
    .id as string;
  const kept = (await client.post('/Users', userBody('kept', { userName: 'kept@doctor.invalid', emails: [] }))).body
    .id as string;
  await client.delete(`/Users/${kept}`);
  const [person] = await world.sql<{ user_id: string }>(
    `select user_id from directory_users where directory_user_id = $1`,
    [kept],
  );
  await suspend(
    ctx,
    tenants.acme,
    {
      subjectId: person?.user_id as never,
      kind: 'user',
      person: { tenantId: tenants.acme.tenantId, userId: person?.user_id as never },
    },
    null,
  );
  const before = await open();
  // Two were there before, one of them like a visitor; one is in the directory still; one is suspended, and a suspension is never lost.
  expect(await endDoctorVisit(ctx, tenants.acme, visit, [ann, gone, late, kept, 'nonsense'])).toEqual({ people: 0 });
  expect({ ...(await open()), credentials: 0 }).toEqual({ ...before, credentials: 0 });
  expect(await world.sql(`select 1 from suspensions where lifted_at is null`)).toHaveLength(1);
});
