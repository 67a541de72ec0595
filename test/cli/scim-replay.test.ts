import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CliError } from '../../src/cli/command.ts';
import type { Context } from '../../src/context.ts';
import { requestKeeper } from '../../src/operations/keep-scim-requests.ts';
import { type RequestLog, requestLog } from '../../src/scim/request-log.ts';
import { contextOf } from '../../src/world.ts';
import { type Acme, acme, addRule } from '../support/acme.ts';
import { type CommandRun, callCommand, processEnv, runCommand } from '../support/command-line.ts';
import { type ConfigFolder, configFolder } from '../support/config.ts';
import { type DirectoryClient, directory, publicUrl, type ScimServer, scimServer, userBody } from '../support/scim.ts';
import { bulkRequestUrn, enterpriseUrn } from '../support/urns.ts';
import { silent, type TestWorld, testWorld } from '../support/world.ts';

const agent = { 'User-Agent': 'Okta SCIM Client 1.0.0' };
let world: TestWorld;
let tenants: Acme;
let log: RequestLog;
let server: ScimServer;
let okta: DirectoryClient;
let folder: ConfigFolder;
const ids: Record<string, string> = {};

beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  folder = configFolder();
  await world.sql(`update connections set directory = $2 where connection_id = $1`, [
    tenants.okta,
    JSON.stringify({ requestLog: { days: 30, bodyHours: 24 }, guard: { people: 2, percent: 100, minutes: 60 } }),
  ]);
  await addRule(world, tenants.acme, {
    connection: tenants.okta,
    kind: 'name',
    value: 'Staff',
    role: tenants.role(tenants.acme, 'Viewer'),
  });
  log = requestLog({ write: requestKeeper(world.context()), log: silent });
  const { database, secrets } = world;
  // As in the server: the audit trail has the ids of the requests.
  const contextFor = (caller: Context['caller']) => contextOf({ database, secrets, log: silent }, caller);
  server = await scimServer(world, { requestLog: log, contextFor });
  okta = await directory(world, server, tenants.acme, 'okta');
  await happens();
  await log.close();
  // What was there before is older than what is played.
  for (const table of ['scim_requests', 'scim_request_bodies'])
    await world.sql(
      `update ${table} set occurred_at = occurred_at - interval '2 hours'
       where occurred_at <= (select max(occurred_at) from scim_requests where path = '/Groups' and method = 'POST')`,
    );
});
afterAll(async () => {
  await server?.close();
  await world?.close();
  folder?.remove();
});

/** Ann and the group of staff are there; then an hour of pushes begins. */
async function happens(): Promise<void> {
  const post = async (path: string, body: unknown) => (await okta.call('POST', path, body, agent)).body.id as string;
  ids.ann = await post('/Users', userBody('ann'));
  ids.eve = await post('/Users', userBody('eve'));
  ids.staff = await post('/Groups', { displayName: 'Staff', externalId: 'g-1', members: [{ value: ids.ann }] });
  await new Promise((resolve) => setTimeout(resolve, 50));
  ids.bob = await post('/Users', userBody('bob', { [enterpriseUrn]: { manager: { value: ids.ann } } }));
  // Whoever is only named by what they are called: a replay must know that eve was there.
  await okta.post('/Users', userBody('eve'));
  // Whoever was made a moment ago was not.
  await okta.post('/Users', userBody('bob'));
  await okta.call('POST', '/Users', userBody('of.a.doctor'), { ...agent, 'User-Agent': 'drawbridge-doctor' });
  await okta.patch(`/Groups/${ids.staff}`, { op: 'add', path: 'members', value: [{ value: ids.bob }] });
  await okta.get(`/Users?filter=${encodeURIComponent(`id eq "${ids.bob}" and manager eq "${ids.ann}"`)}&attributes=id`);
  const bulk = {
    schemas: [bulkRequestUrn],
    Operations: [
      { method: 'POST', path: '/Users', bulkId: 'c', data: userBody('cid') },
      { method: 'POST', path: '/Users', bulkId: 'd', data: userBody('dan') },
    ],
  };
  const made = await okta.post('/Bulk', bulk);
  [ids.cid, ids.dan] = made.body.Operations.map((one: { location: string }) => one.location.split('/').at(-1));
  await okta.patch(`/Users/${ids.dan}`, { op: 'replace', path: 'displayName', value: 'Daniel' });
  await okta.put(`/Groups/${ids.staff}`, {
    displayName: 'Staff',
    externalId: 'g-1',
    members: [ids.ann, ids.bob, ids.cid].map((value) => ({ value })),
  });
  await okta.patch(`/Groups/${ids.staff}`, { op: 'remove', path: `members[value eq "${ids.ann}"]` });
  await okta.delete(`/Users/${ids.dan}`);
  await okta.get(`/Users/${ids.dan}`);
  await okta.get('/Users/0198c0de-0000-7000-8000-000000000000');
  await okta.get('/Groups?startIndex=1&count=100');
  await okta.patch(`/Users/${ids.bob}`, { op: 'replace', path: 'nonsense[', value: 1 });
  await okta.call('POST', '/Users', '{ no JSON');
  // One too many for the guard: everything else that changes is refused from here on.
  await okta.patch(`/Users/${ids.bob}`, { op: 'replace', path: 'active', value: false });
}

const asProcess = (...args: string[]) => runCommand({ ...processEnv(world), DRAWBRIDGE_CONFIG: folder.path }, args);
/** The same without the start of a process. */
async function cli(...args: string[]): Promise<CommandRun> {
  try {
    const settings = { publicUrl, configFolder: folder.path };
    const { text, json, asJson, exitCode = 0 } = await callCommand(world, settings, args);
    const stdout = `${asJson ? JSON.stringify(json, null, 2) : text}\n`;
    return { code: exitCode, stdout, stderr: '' };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return { code: 1, stdout: '', stderr: `${error.message}\n` };
  }
}
const replayArgs = ['scim', 'replay', '--tenant', 'acme', '--connection', 'okta', '--since', '1h'];
const replay = (...more: string[]) => cli(...replayArgs, ...more);

type Line = {
  verdict: string;
  method: string;
  target: string;
  recorded: object;
  replayed: object | null;
  why: string | null;
};
type Replayed = {
  same: boolean;
  counts: Record<string, number>;
  thereBefore: object;
  notPutThere: string[];
  requests: Line[];
  people: { userName: string; state: string; roles: string[] }[];
  remarks: string[];
};
const json = async (...more: string[]): Promise<Replayed & { code: number | null }> => {
  const { stdout, stderr, code } = await replay(...more, '--json');
  if (stdout === '') throw new Error(stderr);
  return { code, ...JSON.parse(stdout) };
};
const rolesOf = ({ people }: Replayed) =>
  Object.fromEntries(people.map(({ userName, state, roles }) => [userName.split('@')[0], [state, ...roles]]));
/** Everything that the real tenant holds; what a replay must not touch. */
const snapshot = async () =>
  JSON.stringify(
    await Promise.all(
      [
        'users',
        'directory_users',
        'directory_groups',
        'group_members',
        'role_grants',
        'mapping_rules',
        'roles',
        'scim_credentials',
      ]
        .map(
          (table) =>
            `select to_jsonb(x) - 'last_used_at' - 'last_used_from' as row from ${table} x where tenant_id = $1 order by 1`,
        )
        .concat(
          `select count(*) from audit_events where tenant_id = $1`,
          `select count(*) from scim_requests where tenant_id = $1`,
        )
        .map((text) => world.sql(text, [tenants.acme.tenantId])),
    ),
  );

describe('scim replay', () => {
  test('answers as it was answered then, with the ids of the scratch tenant in paths, members, managers, filters and bulks', async () => {
    const before = await snapshot();
    const played = await json('--into', 'acme-try');
    expect(played.requests.filter(({ verdict }) => verdict === 'different')).toEqual([]);
    expect(played.counts).toEqual({ same: 14, different: 0, notPlayed: 1, uncompared: 0, leftOut: 2 });
    // Whom the requests speak of: ann and the group by id, eve by the name that was taken.
    expect(played.thereBefore).toEqual({ users: 2, groups: 1 });
    expect(played.notPutThere).toEqual([]);
    expect(rolesOf(played)).toEqual({
      ann: ['no_access'],
      eve: ['no_access'],
      bob: ['active', 'Analytics: Viewer'],
      cid: ['active', 'Analytics: Viewer'],
      dan: ['deactivated'],
    });
    // The real ones, one and all, stayed as they were.
    expect(await snapshot()).toBe(before);
    // Not all could be compared.
    expect([played.same, played.code]).toEqual([false, 1]);
    expect(played.requests.filter(({ verdict }) => verdict === 'not played')).toMatchObject([
      { method: 'POST', target: '/Users', why: 'its body was no JSON and was not kept' },
    ]);
    expect(played.requests.at(-1)).toMatchObject({ verdict: 'left out', method: 'PATCH', recorded: { status: 503 } });
  });

  test('a manager and the members are those of the scratch tenant, never the real ones', async () => {
    const [row] = await world.sql<{ manager: string; members: string[] }>(
      `select d.attributes -> $1 -> 'manager' ->> 'value' as manager,
         array(select u.directory_user_id::text from directory_users u where u.tenant_id = d.tenant_id) as members
       from directory_users d join tenants t using (tenant_id) where t.slug = 'acme-try' and d.user_name = 'bob@acme.example'`,
      [enterpriseUrn],
    );
    expect(row?.members).toContain(row?.manager);
    expect(Object.values(ids)).not.toContain(row?.manager);
  });

  test('exit code 0 where everything that is played is answered as it was', async () => {
    const [late] = await world.sql<{ at: string }>(
      `select to_char(min(occurred_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at
       from scim_request_bodies where omitted = 'not_json'`,
    );
    const { code, stdout } = await asProcess(...replayArgs, '--into', 'acme-try', '--until', late?.at ?? '');
    expect(stdout).toContain('\n15 requests: 14 the same, 1 left out.\n  1 left out: made by a doctor\n');
    expect(code).toBe(0);
  });

  test('under the rules of other files it says who would have which role by them', async () => {
    folder.write({
      acme: `
tenant: acme
name: Acme
workspaces: { Analytics: { roles: { Editor: {} } } }
connections: { okta: { scim: true, domains: [acme.example] } }
rules:
  - { connection: okta, group: { id: g-1 }, role: "Analytics: Editor" }
`,
    });
    const { stdout } = await replay('--into', 'acme-other', '--config', folder.path);
    expect(stdout).toContain(`into acme-other under the rules of ${folder.path}.`);
    expect(stdout).toMatch(/^USER +STATE +ROLE +BECAUSE$/m);
    expect(stdout).toMatch(
      /^bob@acme\.example +active +Analytics: Editor +rule "okta:id:g-1 -> Analytics: Editor" maps group "Staff"$/m,
    );
    expect(stdout).not.toContain('Viewer');
  });

  test('differences come first, with what was said then and now', async () => {
    await world.sql(`update scim_requests set status = 204, scim_type = null where status = 409 and path = $1`, [
      `/Groups/${ids.staff}`,
    ]);
    await world.sql(
      `update scim_requests set status = 409, scim_type = 'uniqueness' where request_id = (
         select request_id from scim_requests where method = 'PATCH' and path = $1 and status = 204 order by occurred_at limit 1)`,
      [`/Groups/${ids.staff}`],
    );
    const { code, stdout } = await replay('--into', 'acme-try');
    const lines = stdout.split('\n');
    const head = lines.findIndex((line) => line.startsWith('VERDICT'));
    expect(lines[head + 1]).toMatch(/^different +\S+ \S+ +409 uniqueness +204 +PATCH +\/Groups\/\S+$/);
    expect(lines[head + 2]).toMatch(/^not played /);
    expect(lines[head + 3]).toBe('            its body was no JSON and was not kept');
    expect(lines[head + 4]).toMatch(/^same /);
    expect(code).toBe(1);
  });

  test('where a body was not kept, what it made is put there, so that those who speak of it go on', async () => {
    await world.sql(
      `delete from scim_request_bodies where (occurred_at, request_id) in (
         select occurred_at, request_id from scim_requests where method = 'POST' and path = '/Users' and status = 201)`,
    );
    const played = await json('--into', 'acme-try');
    expect(played.requests[0]).toMatchObject({ verdict: 'not played', why: 'its body was not kept' });
    expect(played.requests.filter(({ why }) => why?.startsWith('it names'))).toEqual([]);
    expect(played.thereBefore).toEqual({ users: 3, groups: 1 });
    expect(rolesOf(played).bob).toEqual(['active', 'Analytics: Viewer']);
    expect(played.remarks[0]).toBe('Bodies are kept for 24 hours: of what is older nothing is left to be sent.');
  });

  test('what was left out is told by its reasons, twenty lines of it, and in full with --all', async () => {
    await world.sql(
      `insert into scim_requests (tenant_id, connection_id, occurred_at, request_id, credential_id, method, path, status, duration_ms,
         user_agent, bytes_in, bytes_out)
       select tenant_id, connection_id, now() - interval '1 minute', gen_random_uuid(), credential_id, 'GET', '/Schemas', 200, 1, user_agent, 0, 0
       from scim_requests, generate_series(1, 30) where user_agent = 'drawbridge-doctor'`,
    );
    try {
      const linesOf = (stdout: string) => stdout.split('\n').filter((line) => /^left out /.test(line)).length;
      const { stdout } = await replay('--into', 'acme-try');
      expect(linesOf(stdout)).toBe(20);
      expect(stdout).toContain('\n… and 12 more left out: --all shows them\n\n47 requests: ');
      expect(stdout).toContain(
        ', 32 left out.\n  31 left out: made by a doctor\n  1 left out: answered "later" then; nothing of it was done\n\nWho',
      );
      expect(stdout).toContain(
        '\nWhat was 503 then is left out, also where an administrator has resumed the directory',
      );
      const { stdout: whole } = await replay('--into', 'acme-try', '--all');
      expect(linesOf(whole)).toBe(32);
      expect(whole).not.toContain('--all');
      expect((await json('--into', 'acme-try')).counts.leftOut).toBe(32);
    } finally {
      await world.sql(`delete from scim_requests where path = '/Schemas'`);
    }
  });

  test('what was made then and is not made now is told once, and what speaks of it is not played', async () => {
    // A name longer than can be stored.
    await world.sql(
      `update scim_request_bodies set body = jsonb_set(body::jsonb, '{Operations,0,data,userName}', to_jsonb(repeat('x', 400)))::text
       where body like '%bulkId%'`,
    );
    const played = await json('--into', 'acme-try');
    const blocked = played.requests.filter(({ why }) => why === 'it names a user or group that is not there');
    expect(blocked).toMatchObject([{ method: 'PUT', target: `/Groups/${ids.staff}` }]);
    expect(rolesOf(played).cid).toBeUndefined();
  });

  test('afterwards nobody is in the scratch tenant, nothing opens it, and no sign-in knows its people', async () => {
    const [tenant] = await world.sql<{ active: boolean; managed_by: string; settings: object }>(
      `select active, managed_by, settings from tenants where slug = 'acme-try'`,
    );
    expect(tenant).toMatchObject({
      active: false,
      managed_by: 'api',
      settings: { passwordSignIn: false, linking: 'off' },
    });
    const left = await world.sql<{ n: number }>(
      `select (select count(*) from users u where u.tenant_id = t.tenant_id and ended_at is null)
         + (select count(*) from directory_users u where u.tenant_id = t.tenant_id and ended_at is null)
         + (select count(*) from scim_credentials u where u.tenant_id = t.tenant_id and ended_at is null)
         + (select count(*) from connections u where u.tenant_id = t.tenant_id and ended_at is null)
         + (select count(*) from email_directory u where u.tenant_id = t.tenant_id)
         + (select count(*) from domain_owners u where u.tenant_id = t.tenant_id)
         + (select count(*) from connections u where u.tenant_id = t.tenant_id and protocol is not null) as n
       from tenants t where slug in ('acme-try', 'acme-other')`,
    );
    expect(left).toEqual([{ n: 0 }, { n: 0 }]);
    expect(await world.sql(`select 1 from graphile_worker.jobs`)).toEqual([]);
  });

  test('--keep leaves it open to look around, without a token; replay-end closes it', async () => {
    const { stdout } = await replay('--into', 'acme-kept', '--keep');
    expect(stdout).toContain('acme-kept stays open. To close it: drawbridge scim replay-end --into acme-kept\n');
    expect((await cli('user', 'list', '--tenant', 'acme-kept')).stdout).toMatch(/^bob@acme\.example +user +active/m);
    const open = await world.sql(
      `select 1 from scim_credentials k join tenants t using (tenant_id) where t.slug = 'acme-kept' and k.ended_at is null`,
    );
    expect(open).toEqual([]);
    expect((await cli('scim', 'replay-end', '--into', 'acme-kept')).stdout).toBe(
      'acme-kept is closed; people ended: 4.\n',
    );
    expect((await cli('user', 'list', '--tenant', 'acme-kept')).stderr).toBe('There is no tenant acme-kept.\n');
  });

  test('what it made and closed is in the list of tenants with --all alone; what is open, or somebody else closed, always', async () => {
    await replay('--into', 'acme-open', '--keep');
    await replay('--into', 'acme-closed');
    await cli('tenant', 'create', '--tenant', 'own-closed');
    await world.sql(`update tenants set active = false where slug = 'own-closed'`);
    const listed = async (...more: string[]) =>
      JSON.parse((await cli('tenant', 'list', '--json', ...more)).stdout).map((one: { id: string }) => one.id);
    expect(await listed()).toEqual(['acme', 'acme-labs', 'acme-open', 'globex', 'own-closed', 'system']);
    expect(await listed('--all')).toEqual(expect.arrayContaining([...(await listed()), 'acme-closed']));
    const spent = (await listed('--all')).length - (await listed()).length;
    expect((await cli('tenant', 'list')).stdout).toMatch(
      new RegExp(`\\n\\nClosed tenants of replays that are left out: ${spent}; --all shows them\\.\\n$`),
    );
    expect((await cli('tenant', 'list', '--all')).stdout).not.toContain('left out');
    await cli('scim', 'replay-end', '--into', 'acme-open');
  });
});

describe('T37 replay writes into no tenant but one that it made', () => {
  const refused = (slug: string) =>
    `${slug} was not made by replay, or is managed by a file now. Replay writes into a tenant of its own alone: name one that does not exist.\n`;

  test.each(['globex', 'acme', 'acme-labs'])('not into %s, which stays as it is', async (slug) => {
    const before = await world.sql(`select * from tenants where slug = $1`, [slug]);
    expect(await replay('--into', slug)).toEqual({ code: 1, stdout: '', stderr: refused(slug) });
    expect(await cli('scim', 'replay-end', '--into', slug)).toMatchObject({ code: 1, stderr: refused(slug) });
    expect(await world.sql(`select * from tenants where slug = $1`, [slug])).toEqual(before);
  });

  test('nor into the system tenant, nor under a name that is none', async () => {
    expect((await replay('--into', 'system')).stderr).toBe('system is a reserved word and names no tenant.\n');
    expect((await cli('scim', 'replay-end', '--into', 'system')).stderr).toBe(refused('system'));
    expect((await replay('--into', 'Not_A_Slug')).stderr).toBe(
      '"Not_A_Slug" is no Tenant ID: those are 2 to 63 of a-z, 0-9 and single hyphens.\n',
    );
  });

  test('nor into an empty tenant that somebody else made, closed or not', async () => {
    await cli('tenant', 'create', '--tenant', 'empty');
    expect((await replay('--into', 'empty')).stderr).toBe(refused('empty'));
    await world.sql(`update tenants set active = false where slug = 'empty'`);
    expect((await replay('--into', 'empty')).stderr).toBe(refused('empty'));
  });

  test('nor into its own one once a file manages it, or somebody has given it what no replay makes', async () => {
    await replay('--into', 'taken', '--keep');
    await world.sql(`update tenants set managed_by = 'config' where slug = 'taken'`);
    expect((await replay('--into', 'taken')).stderr).toBe(refused('taken'));
    await world.sql(`update tenants set managed_by = 'api' where slug = 'taken'`);
    await cli('user', 'suspend', '--tenant', 'taken', '--user', 'bob@acme.example');
    expect((await replay('--into', 'taken')).stderr).toBe(
      'taken was made by replay, and somebody has given it something since that no replay makes. Name another one.\n',
    );
    // What somebody decided there stays, also when it is closed.
    expect((await cli('scim', 'replay-end', '--into', 'taken')).stdout).toBe('taken is closed; people ended: 0.\n');
    expect(await world.sql(`select 1 from suspensions where lifted_at is null`)).toHaveLength(1);
  });

  test('and says what it cannot do', async () => {
    const one = ['scim', 'replay', '--tenant', 'acme', '--into', 'acme-try'];
    for (const [args, sentence] of [
      [['--connection', 'nothing'], 'There is no connection "nothing" with SCIM in acme.'],
      [['--connection', 'entra'], 'No request of that time is in the log of this directory.'],
      [['--connection', 'okta', '--since', 'monday'], '--since is a time such as 30m, 12h or 2026-11-22T05:00Z.'],
      [
        ['--connection', 'okta', '--since', '1m', '--until', '5m'],
        '--since is to be before --until: 1h is an hour ago.',
      ],
      [
        ['--connection', 'okta', '--until', '2026-99-01T00:00Z'],
        '--until is a time such as 30m, 12h or 2026-11-22T05:00Z.',
      ],
      [['--connection', 'okta', '--config', '/nowhere'], 'There is no file of acme in /nowhere.'],
    ] as const)
      expect(await cli(...one, ...args)).toEqual({ code: 1, stdout: '', stderr: `${sentence}\n` });
  });
});
