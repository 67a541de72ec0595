import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeDemoConfig } from '../../scripts/demo-config.ts';
import { startUpstreamIdps, type UpstreamIdps } from '../../scripts/upstream-idps.ts';
import type { TenantSlug } from '../../src/core/ids.ts';
import { namedTenant } from '../../src/operations/name-tenant.ts';
import { readSettings } from '../../src/settings.ts';
import { openWorld } from '../../src/world.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { groupSchemaUrn } from '../support/urns.ts';
import { silent, type TestWorld, testWorld } from '../support/world.ts';
import { send } from './http.ts';
import { type Directory, newDirectory } from './scim.ts';
import { freePorts, type ServerProcess, samlServiceProvider, spawnServer, startServer } from './servers.ts';
import { type Application, claimsOf, codeRequest, newApplication, type Tokens, visitor } from './visitor.ts';

// As `npm start` runs it: no settings of a database, everything in one folder.
const folder = mkdtempSync(join(tmpdir(), 'drawbridge-crash-'));
const data = join(folder, 'data');
let env: Record<string, string>;
let upstream: UpstreamIdps;
let server: ServerProcess;
let directory: Directory;
let groupId: string;
let app: Application;

beforeAll(async () => {
  // The database runs as another user where this is root, who has to get there.
  chmodSync(folder, 0o711);
  const [port] = await freePorts(1);
  const publicUrl = `http://localhost:${port}`;
  upstream = await startUpstreamIdps({
    people: [
      {
        login: 'ann',
        password: 'horse',
        oidc: { sub: 'ext-ann', claims: { email: 'ann@acme.example', email_verified: true } },
      },
    ],
    oidc: { redirectUris: [`${publicUrl}/t/acme/oidc/okta/callback`] },
    saml: { serviceProviders: [samlServiceProvider(publicUrl)] },
  });
  writeDemoConfig(join(folder, 'config'), upstream);
  env = {
    PORT: String(port),
    DRAWBRIDGE_PUBLIC_URL: publicUrl,
    DRAWBRIDGE_HOST: '127.0.0.1',
    DRAWBRIDGE_CONFIG: join(folder, 'config'),
    DRAWBRIDGE_DATA: data,
    DRAWBRIDGE_DANGEROUSLY_ALLOW_PRIVATE_NETWORK: 'true',
  };
  server = await startServer(env);
  await withRows(async (world) => {
    const tenant = async (slug: string) => {
      const found = await namedTenant(world.context(), slug as TenantSlug);
      if ('code' in found) throw new Error(found.message);
      return found;
    };
    directory = await newDirectory({ world, tenant }, 'acme', 'okta');
    app = await newApplication({ world, tenant }, 'acme');
  });
  const scim = directory.at(server.port);
  const ann = await scim.post('/Users', userBody('ann'));
  const group = { schemas: [groupSchemaUrn], displayName: 'Acme Viewers', members: [{ value: ann.body.id }] };
  groupId = (await scim.post('/Groups', group)).body.id;
});
afterAll(async () => {
  await server?.stop('SIGINT');
  await upstream?.stop();
  endDatabase(data);
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

/** The database's process. Never 0 or less, which would name a whole group of processes. */
function postmaster(at: string): number {
  const pid = Number(readFileSync(join(at, 'postgres/cluster/postmaster.pid'), 'utf8').split('\n')[0]);
  if (!(pid > 1)) throw new Error(`no process runs the database of ${at}`);
  return pid;
}

/** Where a test failed, the database that its killed server left behind. */
function endDatabase(at: string): void {
  try {
    process.kill(postmaster(at), 'SIGQUIT');
  } catch {}
}

/** A look into the database of the folder, whose server is left running for the others who use it. */
async function withRows<T>(look: (world: TestWorld) => Promise<T>): Promise<T> {
  const read = readSettings(env);
  if (read.kind === 'refused') throw new Error(read.problems.join());
  const opened = await openWorld({ ...read.settings, databasePoolSize: 2 }, silent);
  const masterKey = Buffer.from(readFileSync(join(data, 'master.key'), 'utf8'), 'base64');
  const world = await testWorld({ url: opened.ownerUrl, masterKey });
  try {
    return await look(world);
  } finally {
    await world.close();
    await opened.close();
  }
}

type Known = {
  /** As the last acknowledged write left them. */
  state: { readonly displayName: string; readonly active: boolean; readonly member: boolean } | 'gone';
  /** What a write that was never answered would have made of them. */
  doubt: Known['state'] | null;
};
const ledger = { users: new Map<string, Known>(), doubtfulNames: new Set<string>(), requests: [] as string[] };

/** Writes until the server is gone, and keeps the ledger. */
async function writeOn(scim: DirectoryClient, worker: string): Promise<void> {
  for (let turn = 0; ; turn += 1) {
    const name = `${worker}-${turn}`;
    ledger.doubtfulNames.add(`${name}@acme.example`);
    const made = await scim.post('/Users', userBody(name)).catch(() => null);
    if (made === null) return;
    if (saysLater(made)) continue;
    acknowledged(made, 201);
    ledger.doubtfulNames.delete(`${name}@acme.example`);
    const id: string = made.body.id;
    const known: Known = { state: { displayName: `${name} Example`, active: true, member: false }, doubt: null };
    ledger.users.set(id, known);
    const before = known.state as Exclude<Known['state'], 'gone'>;
    const steps = [
      {
        to: { ...before, displayName: 'Renamed', active: false },
        act: () => scim.patch(`/Users/${id}`, { op: 'replace', value: { displayName: 'Renamed', active: false } }),
      },
      {
        to: { displayName: 'Renamed', active: false, member: true },
        act: () => scim.patch(`/Groups/${groupId}`, { op: 'add', path: 'members', value: [{ value: id }] }),
      },
      ...(turn % 3 === 0 ? [{ to: 'gone' as const, act: () => scim.delete(`/Users/${id}`) }] : []),
    ];
    for (const { to, act } of steps) {
      known.doubt = to;
      const answer = await act().catch(() => null);
      if (answer === null) return;
      if (saysLater(answer)) break;
      acknowledged(answer, to === 'gone' ? 204 : 200);
      known.state = to;
      known.doubt = null;
    }
  }
}

/** As where the machine stands still for longer than the server waits. Whether it was done is as open as without an answer. */
const saysLater = ({ status, headers }: Awaited<ReturnType<DirectoryClient['get']>>) =>
  status === 503 && Number(headers.get('retry-after')) > 0;

function acknowledged(answer: Awaited<ReturnType<DirectoryClient['get']>>, status: number): void {
  if (answer.status !== status && !(status === 200 && answer.status === 204))
    throw new Error(`${answer.status} ${answer.text}`);
  ledger.requests.push(answer.headers.get('x-request-id') ?? '');
}

async function everybody(scim: DirectoryClient): Promise<ReadonlyMap<string, Known['state']>> {
  const group = await scim.get(`/Groups/${groupId}`);
  const members = new Set((group.body.members as { value: string }[]).map(({ value }) => value));
  const found = new Map<string, Known['state']>();
  for (let startIndex = 1, total = 1; startIndex <= total; ) {
    const page = await scim.get(`/Users?startIndex=${startIndex}&count=100`);
    total = page.body.totalResults;
    for (const { id, displayName, active } of page.body.Resources)
      found.set(id, { displayName, active, member: members.has(id) });
    startIndex += page.body.itemsPerPage;
    if (page.body.itemsPerPage === 0) throw new Error(`a page of nobody at ${startIndex} of ${total}`);
  }
  return found;
}

const halves = {
  'a user without the directory user that made them': `select user_id as id from users u where origin = 'scim'
    and not exists (select from directory_users d where d.tenant_id = u.tenant_id and d.user_id = u.user_id)`,
  'a user whose creation is not in the audit trail': `select user_id as id from users u where not exists
    (select from audit_events e where e.tenant_id = u.tenant_id and e.object_id = u.user_id and e.kind = 'user.created')`,
  'a subject who is nobody': `select subject_id as id from subjects s where kind = 'user'
    and not exists (select from users u where u.tenant_id = s.tenant_id and u.user_id = s.subject_id)`,
  'an address that cannot sign in': `select user_id as id from users u where email is not null
    and not exists (select from email_directory e where e.email = u.email and e.tenant_id = u.tenant_id and e.user_id = u.user_id)`,
  'a member who is gone': `select directory_user_id as id from group_members m join directory_users d using (tenant_id, directory_user_id)
    where d.ended_at is not null`,
  'a count of users that is not true': `select c.sum as id from (select sum(count) from directory_counters where resource = 'users') c
    where c.sum <> (select count(*) from directory_users where ended_at is null)`,
};

let tries = 0;
const kills = ['server', 'server and database', 'server'] as const;
test('I20 FT1 FT2 kill -9 at any moment under SCIM writes loses nothing that was acknowledged, and leaves nothing half done', {
  timeout: 120_000,
}, async () => {
  tries += 1;
  for (const [round, kill] of kills.entries()) {
    const workers = Array.from({ length: 5 }, (_, index) =>
      writeOn(directory.at(server.port), `w${tries}-${round}-${index}`),
    );
    const all = Promise.all(workers);
    all.catch(() => {});
    await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 250 + Math.random() * 700))]);
    const database = postmaster(data);
    server.signal('SIGKILL');
    if (kill === 'server and database') process.kill(database, 'SIGKILL');
    await server.exited;
    await all;

    const began = performance.now();
    server = await startServer(env);
    expect(performance.now() - began, 'time until ready').toBeLessThan(20_000);
    const found = await everybody(directory.at(server.port));
    for (const [id, known] of ledger.users) {
      const is = found.get(id) ?? 'gone';
      const may = known.doubt === null ? [known.state] : [known.state, known.doubt];
      expect(may, `user ${id} after kill ${round} of ${kill}`).toContainEqual(is);
      known.state = is;
      known.doubt = null;
    }
    await withRows(async ({ sql }) => {
      for (const [what, query] of Object.entries(halves)) expect(await sql(query), what).toEqual([]);
      const unwritten = await sql(
        `select r from unnest($1::text[]) r where not exists (select from audit_events where request_id = r)`,
        [ledger.requests],
      );
      expect(unwritten, 'acknowledged writes without an audit row').toEqual([]);
      // Nobody is there whom the ledger does not know, except where an answer was never given.
      const rows = await sql<{ id: string; user_name: string }>(
        `select directory_user_id as id, user_name from directory_users where user_name <> 'ann@acme.example'`,
      );
      const unknown = rows.filter(({ id, user_name }) => !ledger.users.has(id) && !ledger.doubtfulNames.has(user_name));
      expect(unknown, 'nobody asked for them').toEqual([]);
    });
  }
  expect(ledger.requests.length, 'acknowledged writes').toBeGreaterThan(40);
});

test('and people sign in as before, with the roles of their groups', async () => {
  const ann = visitor({ publicUrl: env.DRAWBRIDGE_PUBLIC_URL ?? '' }, app, {
    email: 'ann@acme.example',
    login: 'ann',
    password: 'horse',
  });
  const code = await ann.signIn(server.port);
  const answer = await send(server.port, '/oidc/token', codeRequest(app, code));
  expect(answer.status).toBe(200);
  const { id_token } = JSON.parse(answer.text) as Tokens;
  expect(claimsOf(id_token).roles).toEqual(['Analytics: Viewer']);
});

test('I20 FT1 a first start that is killed again and again, wherever it was, is taken up by the next', {
  timeout: 120_000,
}, async () => {
  const place = mkdtempSync(join(folder, 'fresh-'));
  chmodSync(place, 0o711);
  const fresh = join(place, 'data');
  const [port] = await freePorts(1);
  const settings = { ...env, PORT: String(port), DRAWBRIDGE_DATA: fresh };
  for (const after of [200, 600, 1_100, 1_600]) {
    const child = spawnServer(settings);
    await new Promise((resolve) => setTimeout(resolve, after + Math.random() * 300));
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  const started = await startServer(settings);
  try {
    expect(started.output()).toMatch(/\/t\/system\/invitation\/[A-Za-z0-9_-]{43}\n/);
    const metadata = await send(started.port, '/t/acme/saml/entra/metadata');
    expect([metadata.status, metadata.headers['content-type']]).toEqual([
      200,
      'application/samlmetadata+xml; charset=utf-8',
    ]);
  } finally {
    await started.stop('SIGINT');
    endDatabase(fresh);
  }
});
