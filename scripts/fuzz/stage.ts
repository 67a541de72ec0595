// The server under attack: a process as in production, two tenants that own the same names, and a person who was suspended.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { cli, cliText, freePort, type Installation, installationIn } from '../demo/processes.ts';
import { CUSTOM } from './filters.ts';
import type { Facts } from './inside-facts.ts';
import type { Known } from './known.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const inside = new URL('./inside.ts', import.meta.url).href;
const READY_WITHIN_MS = 60_000;

export type Stage = {
  readonly port: number;
  readonly known: Known;
  /** Null while it lives; then how it ended. */
  ended(): string | null;
  facts(): Promise<Facts>;
  /** What the server's log says of failures of its own, each line once. */
  takeFailures(): readonly string[];
  /** Rows of the other tenant, and what the attacked one's people may do: equal texts are an untouched authority. */
  authority(): Promise<string>;
  /** Makes sure that there are people and groups to attack. */
  replenish(): Promise<void>;
  close(): Promise<void>;
};

const tenantFile = (slug: string) => `tenant: ${slug}
name: ${slug}
workspaces:
  Analytics:
    roles:
      Viewer: {}
connections:
  okta:
    name: Okta
    scim: true
    domains: [${slug}.example]
    directory:
      schemas:
        ${CUSTOM}:
          name: Fuzz
          attributes:
            badge: { caseExact: true }
            grade: { type: integer }
            since: { type: dateTime }
            desks: { type: complex, multiValued: true, subAttributes: { floor: { type: integer }, room: {} } }
  entra:
    name: Entra ID
    scim: true
rules:
  - { connection: okta, group: { name: Viewers }, role: "Analytics: Viewer" }
`;

/** A stage over an empty database, with its files in `folder`. */
export async function openStage(databaseUrl: string, folder: string): Promise<Stage> {
  mkdirSync(join(folder, 'config/tenants'), { recursive: true });
  for (const slug of ['target', 'other']) writeFileSync(join(folder, `config/tenants/${slug}.yaml`), tenantFile(slug));
  const plain = await installationIn(folder);
  const installation: Installation = {
    ...plain,
    env: {
      ...plain.env,
      DATABASE_URL: databaseUrl,
      DRAWBRIDGE_MASTER_KEY: randomBytes(32).toString('base64'),
      DRAWBRIDGE_HOST: '127.0.0.1',
      DRAWBRIDGE_LOG_LEVEL: 'warn',
      DRAWBRIDGE_METRICS_PORT: String(await freePort()),
      // Wrong tokens come from many addresses, so that right ones are tried as well.
      DRAWBRIDGE_TRUST_PROXY_HOPS: '1',
    },
  };
  mkdirSync(join(folder, 'data'), { recursive: true });
  const server = await startServer(installation);
  const database = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  // A connection that ends as its database is dropped says so to nobody.
  database.on('error', () => {});
  const known = await populate(installation);
  return {
    port: Number(installation.env.PORT),
    known,
    ended: server.ended,
    facts: server.facts,
    takeFailures: server.takeFailures,
    authority: () => readAuthority(database, known.suspended.id),
    replenish: () => replenish(installation, known),
    async close() {
      await server.stop();
      await database.end();
    },
  };
}

type Process = Pick<Stage, 'ended' | 'facts' | 'takeFailures'> & { stop(): Promise<void> };

async function startServer({ env, publicUrl, logFile }: Installation): Promise<Process> {
  const child = spawn(
    process.execPath,
    ['--disable-proto=delete', '--disable-warning=ExperimentalWarning', '--import', inside, join(root, 'src/main.ts')],
    { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const log = createWriteStream(logFile, { flags: 'a', mode: 0o600 });
  let unread = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log.write(text);
      unread += text;
    });
  }
  const ended = () =>
    child.exitCode === null && child.signalCode === null ? null : `${child.signalCode ?? `code ${child.exitCode}`}`;
  for (const begun = performance.now(); ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const ready = await fetch(`${publicUrl}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ready) break;
    if (ended() === null && performance.now() - begun < READY_WITHIN_MS) continue;
    child.kill('SIGKILL');
    throw new Error(`The server did not start:\n${unread}`);
  }
  return {
    ended,
    facts: asker(child),
    takeFailures() {
      const whole = unread.lastIndexOf('\n') + 1;
      const lines = unread.slice(0, whole).split('\n');
      unread = unread.slice(whole);
      return lines.filter((line) => /"level":[56]0/.test(line) || /^\s+at |^[A-Z]\w*Error/.test(line));
    },
    async stop() {
      child.kill('SIGINT');
      const forced = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(forced);
    },
  };
}

function asker(child: ChildProcess): () => Promise<Facts> {
  let last = 0;
  const waiting = new Map<number, (facts: Facts) => void>();
  child.on('message', ({ id, facts }: { id: number; facts: Facts }) => {
    waiting.get(id)?.(facts);
    waiting.delete(id);
  });
  return () =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, resolve);
      child.send({ id: last }, (error) => error && reject(error));
    });
}

type Client = (method: string, path: string, body?: object) => Promise<{ readonly id: string }>;

function clientOf({ publicUrl }: Installation, base: string, token: string): Client {
  return async (method, path, body) => {
    const answer = await fetch(`${publicUrl}${base}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${base}${path} was answered with ${answer.status}: ${text}`);
    return text === '' ? { id: '' } : JSON.parse(text);
  };
}

const userSchema = 'urn:ietf:params:scim:schemas:core:2.0:User';
const plainUser = (name: string, domain: string) => ({
  schemas: [userSchema],
  userName: `${name}@${domain}`,
  externalId: `ext-${name}`,
  name: { givenName: name, familyName: 'Example' },
  emails: [{ value: `${name}@${domain}`, type: 'work', primary: true }],
  active: true,
});

async function populate(installation: Installation): Promise<Known> {
  const tokenOf = (tenant: string, connection: string) =>
    cliText(installation, 'scim-token', 'create', '--tenant', tenant, '--connection', connection);
  const token = await tokenOf('target', 'okta');
  const sibling = await tokenOf('target', 'entra');
  const other = await tokenOf('other', 'okta');
  const base = '/scim/v2/target/okta';
  const attack = clientOf(installation, base, token);
  const foreign: string[] = [];
  for (const client of [
    clientOf(installation, '/scim/v2/target/entra', sibling),
    clientOf(installation, '/scim/v2/other/okta', other),
  ]) {
    const domain = foreign.length === 0 ? 'elsewhere.example' : 'other.example';
    const { id } = await client('POST', '/Users', plainUser('ann', domain));
    foreign.push(id, (await client('POST', '/Groups', { displayName: 'Viewers', members: [{ value: id }] })).id);
  }
  const barred = plainUser('barred', 'target.example');
  const suspended = {
    id: (await attack('POST', '/Users', barred)).id,
    userName: barred.userName,
    externalId: barred.externalId,
  };
  await cli(installation, 'user', 'suspend', '--tenant', 'target', '--user', barred.userName);
  const known: Known = {
    base,
    token,
    wrongTokens: [sibling, 'x', `${token.slice(0, -1)}x`, 'a'.repeat(5_000)],
    users: [suspended.id],
    groups: [],
    cursors: [],
    suspended,
    foreign,
    names: ['target', 'other', 'okta', 'entra', 'system', '__proto__', 'TARGET'],
    userTemplates: templates(/^(create|put)-user/),
    groupTemplates: templates(/^(create|put)-group/),
    patchTemplates: templates(/^patch/),
  };
  const group = await attack('POST', '/Groups', { displayName: 'Viewers', members: [{ value: suspended.id }] });
  known.groups.push(group.id);
  await replenish(installation, known);
  return known;
}

/** What identity providers were seen to send. */
function templates(names: RegExp): readonly object[] {
  return ['okta', 'entra'].flatMap((provider) => {
    const folder = join(root, 'test/scim', provider);
    const files = readdirSync(folder).filter((file) => names.test(file) && file.endsWith('.json'));
    return files.sort().map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as object);
  });
}

let made = 0;

async function replenish(installation: Installation, known: Known): Promise<void> {
  const attack = clientOf(installation, known.base, known.token);
  for (let count = 0; count < 4; count += 1) {
    known.users.push((await attack('POST', '/Users', plainUser(`fresh${++made}`, 'target.example'))).id);
  }
  const members = known.users.slice(-4).map((value) => ({ value }));
  known.groups.push((await attack('POST', '/Groups', { displayName: `Fresh ${++made}`, members })).id);
}

/** What a directory may not touch, whatever it sends: in its own tenant, and anything at all in the other. */
async function readAuthority(database: pg.Pool, suspendedId: string): Promise<string> {
  const rows = async (text: string, values: readonly unknown[] = []) => (await database.query(text, [...values])).rows;
  const tables = await rows(
    `select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and a.attname = 'tenant_id'
     order by 1`,
  );
  const picture: Record<string, unknown> = {};
  for (const { name } of tables) {
    const [row] = await rows(
      `select count(*)::int as rows, md5(coalesce(string_agg(r, '' order by r), '')) as content
       from (select (to_jsonb(t) - 'last_used_at')::text as r from "${name}" t join tenants o using (tenant_id) where o.slug = 'other') x`,
    );
    picture[name] = row;
  }
  for (const name of ['roles', 'mapping_rules', 'connections', 'role_grants', 'local_groups', 'invitations']) {
    const [row] = await rows(
      `select md5(coalesce(string_agg(to_jsonb(t)::text, '' order by to_jsonb(t)::text), '')) as content
       from "${name}" t join tenants o using (tenant_id) where o.slug = 'target'`,
    );
    picture[`target ${name}`] = row;
  }
  picture.suspended = await rows(
    `select s.suspension_id, s.suspended_at, s.lifted_at from suspensions s
     where (s.tenant_id, s.subject_id) in (select tenant_id, user_id from directory_users where directory_user_id = $1) order by 1`,
    [suspendedId],
  );
  return JSON.stringify(picture, null, 1);
}
