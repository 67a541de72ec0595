import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { createDatabase, type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';

const isRoot = process.getuid?.() === 0;
/** Whether root may show how other users fare: not in a checkout that only root can enter. */
const othersGetHere = isRoot && spawnSync(process.execPath, ['-e', ''], { uid: 65534, cwd: '/' }).status === 0;
const userFile = fileURLToPath(new URL('./embedded-postgres-user.ts', import.meta.url));

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function folder(mode = 0o711): string {
  const path = mkdtempSync(join(tmpdir(), 'drawbridge-test-'));
  chmodSync(path, mode);
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function start(dataDir: string, log?: (message: string) => void): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres(log === undefined ? { dataDir } : { dataDir, log });
  cleanups.push(() => server.stop());
  return server;
}

type OtherUser = { readonly child: ChildProcess; readonly said: string };

/** Starts another process that uses the data folder, and waits for its first word. */
async function startElsewhere(dataDir: string, options: { uid?: number; gid?: number } = {}): Promise<OtherUser> {
  const child = spawn(process.execPath, [userFile, dataDir], { stdio: ['pipe', 'pipe', 'inherit'], ...options });
  cleanups.push(() => void child.kill('SIGKILL'));
  const [said] = await once(createInterface({ input: child.stdout }), 'line');
  return { child, said: String(said) };
}

async function query(url: string, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return await client
    .query(text, values)
    .then(({ rows }) => rows)
    .finally(() => client.end());
}

/** As a pool does when the server goes and comes back. */
async function queryUntilBack(url: string, text: string): Promise<Record<string, unknown>[]> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await query(url, text);
    } catch (error) {
      if (tries === 200) throw error;
      await sleep(50);
    }
  }
}

const postmaster = (dataDir: string): number =>
  Number(readFileSync(join(dataDir, 'cluster', 'postmaster.pid'), 'utf8').split('\n')[0]);

const isRunning = (dataDir: string): boolean => existsSync(join(dataDir, 'cluster', 'postmaster.pid'));

/** A process that ended and that nobody asked about yet is still in the list: as a zombie. */
const isAlive = (pid: number) =>
  existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
const kill = (pid: number) => process.kill(pid, 'SIGKILL');

const facts = `select current_setting('fsync') as fsync, pg_encoding_to_char(encoding) as encoding, datlocprovider, datlocale,
  current_setting('max_connections')::int as connections, current_setting('listen_addresses') as listens
  from pg_database where datname = current_database()`;

describe('the embedded PostgreSQL', () => {
  test('writes through to the disk, in UTF-8 and the locale C.UTF-8, and listens on no network', async () => {
    const server = await start(folder());
    const url = await createDatabase(server.url, 'drawbridge');
    expect(await query(url, facts)).toEqual([
      { fsync: 'on', encoding: 'UTF8', datlocprovider: 'b', datlocale: 'C.UTF-8', connections: 100, listens: '' },
    ]);
  });

  test('keeps password, log and socket to its own user, and lets nobody in without the password', async () => {
    const dataDir = folder();
    const server = await start(dataDir);
    expect(statSync(join(dataDir, 'password')).mode & 0o777).toBe(0o600);
    expect(statSync(join(dataDir, 'postgres.log')).mode & 0o777).toBe(0o600);
    expect(statSync(join(dataDir, 'socket')).mode & 0o777).toBe(0o700);
    expect(statSync(join(dataDir, 'cluster')).mode & 0o777).toBe(0o700);
    const wrong = new URL(server.url);
    wrong.password = 'guess';
    await expect(query(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  });

  test('gives the database to a role that is no superuser, under the same address each time', async () => {
    const server = await start(folder());
    const [first, second] = await Promise.all([
      createDatabase(server.url, 'bridge'),
      createDatabase(server.url, 'bridge'),
    ]);
    expect(second).toBe(first);
    expect(await query(first, 'select rolsuper, rolcreaterole from pg_roles where rolname = current_user')).toEqual([
      { rolsuper: false, rolcreaterole: true },
    ]);
  });

  test('starts within two seconds once its folder is made', async () => {
    const dataDir = folder();
    await (await start(dataDir)).stop();
    const begin = performance.now();
    await start(dataDir);
    expect(performance.now() - begin).toBeLessThan(2_000);
  });

  test('is started again under the same address when it is killed, and has lost nothing committed', async () => {
    const dataDir = folder();
    const told: string[] = [];
    const server = await start(dataDir, (message) => told.push(message));
    const url = await createDatabase(server.url, 'bridge');
    await query(url, `create table kept as select 'committed' as value`);
    kill(postmaster(dataDir));
    expect(await queryUntilBack(url, 'select value from kept')).toEqual([{ value: 'committed' }]);
    expect(told.join()).toContain('ended unexpectedly');
  });

  test('outlives a killed server; the next one goes on with it and finds all that was committed', async () => {
    const dataDir = folder();
    const { child, said } = await startElsewhere(dataDir);
    const url = await createDatabase(said.replace('started ', ''), 'bridge');
    await query(url, `create table kept as select 'committed' as value`);
    const before = postmaster(dataDir);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const server = await start(dataDir);
    expect(postmaster(dataDir)).toBe(before);
    expect(await query(await createDatabase(server.url, 'bridge'), 'select value from kept')).toEqual([
      { value: 'committed' },
    ]);
    await server.stop();
    expect(isRunning(dataDir)).toBe(false);
  });

  test('starts after server and PostgreSQL were killed at once', async () => {
    const dataDir = folder();
    const { child, said } = await startElsewhere(dataDir);
    await query(said.replace('started ', ''), `create table kept as select 'committed' as value`);
    child.kill('SIGKILL');
    kill(postmaster(dataDir));
    const server = await start(dataDir);
    expect(await query(server.url, 'select value from kept')).toEqual([{ value: 'committed' }]);
  });

  test('starts where a stale lock names a process that lives and is another', async () => {
    const dataDir = folder();
    await (await start(dataDir)).stop();
    const { uid, gid } = statSync(join(dataDir, 'cluster'));
    const stranger = spawn('sleep', ['600'], isRoot ? { uid, gid, stdio: 'ignore' } : { stdio: 'ignore' });
    cleanups.push(() => void stranger.kill('SIGKILL'));
    const lines = [stranger.pid, join(dataDir, 'cluster'), 1, 5432, join(dataDir, 'socket'), '', '0 0', 'ready'];
    writeFileSync(join(dataDir, 'cluster', 'postmaster.pid'), `${lines.join('\n')}\n`);
    writeFileSync(join(dataDir, 'socket', '.s.PGSQL.5432.lock'), `${lines.join('\n')}\n`);
    const server = await start(dataDir);
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(stranger.exitCode).toBeNull();
  });

  test('two that start on a new folder at once share one server; the last to leave stops it', async () => {
    const dataDir = folder();
    const [first, second, third] = await Promise.all([
      start(dataDir),
      startElsewhere(dataDir),
      startElsewhere(dataDir),
    ]);
    expect([second.said, third.said]).toEqual([`started ${first.url}`, `started ${first.url}`]);
    expect(readdirSync(dataDir).sort()).toEqual(['cluster', 'password', 'postgres.log', 'socket']);
    await first.stop();
    expect(isRunning(dataDir)).toBe(true);
    for (const { child } of [second, third]) child.stdin?.write('stop\n');
    await Promise.all([second, third].map(({ child }) => once(child, 'exit')));
    expect(isRunning(dataDir)).toBe(false);
  });

  test('one that starts while the last user leaves gets a running server', async () => {
    const dataDir = folder();
    let server = await start(dataDir);
    for (let round = 0; round < 5; round += 1) {
      const [, next] = await Promise.all([server.stop(), start(dataDir)]);
      expect(await query(next.url, 'select 1 as one')).toEqual([{ one: 1 }]);
      server = next;
    }
  });

  test('a temporary one leaves nothing behind', async () => {
    const server = await startEmbeddedPostgres({ ephemeral: true });
    const socket = new URL(server.url).searchParams.get('host') ?? '';
    expect(existsSync(socket)).toBe(true);
    await server.stop();
    expect(existsSync(join(socket, '..'))).toBe(false);
  });

  test('a temporary one whose user was killed is stopped and removed by the next', async () => {
    const abandoned = mkdtempSync(join(tmpdir(), 'drawbridge-postgres-'));
    chmodSync(abandoned, 0o711);
    cleanups.push(() => rmSync(abandoned, { recursive: true, force: true }));
    const used = mkdtempSync(join(tmpdir(), 'drawbridge-postgres-'));
    chmodSync(used, 0o711);
    cleanups.push(() => rmSync(used, { recursive: true, force: true }));
    const [{ child }, inUse] = await Promise.all([startElsewhere(abandoned), start(used)]);
    const pid = postmaster(abandoned);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const longAgo = new Date(Date.now() - 120_000);
    for (const path of [abandoned, used]) utimesSync(path, longAgo, longAgo);
    await (await startEmbeddedPostgres({ ephemeral: true })).stop();
    expect(existsSync(abandoned)).toBe(false);
    await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false);
    expect(await query(inUse.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('listens on a loopback port where its folder is too long a path for a socket', async () => {
    const dataDir = join(folder(), 'long'.repeat(25));
    const server = await start(dataDir);
    expect(new URL(server.url).hostname).toBe('127.0.0.1');
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    kill(postmaster(dataDir));
    expect(await queryUntilBack(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test.runIf(process.platform === 'linux')('refuses at once a folder that cannot be made', async () => {
    const since = performance.now();
    await expect(startEmbeddedPostgres({ dataDir: '/proc/drawbridge/postgres' })).rejects.toThrow(
      /^The data folder \/proc\/drawbridge\/postgres cannot be written by this user \(E[A-Z]+\)\. Set DATABASE_URL/,
    );
    expect(performance.now() - since).toBeLessThan(2_000);
  });

  test('refuses data of another PostgreSQL version and leaves them as they are', async () => {
    const dataDir = folder();
    mkdirSync(join(dataDir, 'cluster'));
    writeFileSync(join(dataDir, 'cluster', 'PG_VERSION'), '16\n');
    await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow('made by PostgreSQL 16');
    expect(readdirSync(join(dataDir, 'cluster'))).toEqual(['PG_VERSION']);
  });
});

describe.runIf(isRoot)('the embedded PostgreSQL, started by root', () => {
  test('runs as uid 65534', async () => {
    const dataDir = folder();
    await start(dataDir);
    expect(statSync(`/proc/${postmaster(dataDir)}`).uid).toBe(65534);
  });

  test('keeps the data elsewhere, and says where, when that user cannot enter the folder', async () => {
    const closed = folder(0o700);
    const dataDir = join(closed, 'data');
    const told: string[] = [];
    const first = await start(dataDir, (message) => told.push(message));
    const elsewhere = /\/var\/lib\/drawbridge\/[0-9a-f]{16}/.exec(told.join())?.[0] ?? '';
    cleanups.push(() => rmSync(elsewhere, { recursive: true, force: true }));
    expect(readFileSync(join(dataDir, 'database-is-elsewhere.txt'), 'utf8')).toContain(elsewhere);
    expect(statSync(closed).mode & 0o777).toBe(0o700);
    await query(first.url, `create table kept as select 'committed' as value`);
    await first.stop();
    const second = await start(dataDir);
    expect(await query(second.url, 'select value from kept')).toEqual([{ value: 'committed' }]);
    await second.stop();
  });

  test.runIf(othersGetHere)('runs as the ordinary user who made the data', async () => {
    const dataDir = folder(0o777);
    const { child, said } = await startElsewhere(dataDir, { uid: 1, gid: 1 });
    expect(said).toContain('started');
    child.kill('SIGKILL');
    kill(postmaster(dataDir));
    await once(child, 'exit');
    const server = await start(dataDir);
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(statSync(`/proc/${postmaster(dataDir)}`).uid).toBe(1);
  });

  test.runIf(othersGetHere)('asks a user without a passwd entry for DATABASE_URL', async () => {
    const { said } = await startElsewhere(folder(0o777), { uid: 54_321, gid: 54_321 });
    expect(said).toMatch(/^EmbeddedPostgresError: .*uid 54321.*DATABASE_URL/);
  });

  test.runIf(othersGetHere)('is refused to another user while root uses it, with a plain sentence', async () => {
    const dataDir = folder();
    await start(dataDir);
    const { said } = await startElsewhere(dataDir, { uid: 65534, gid: 65534 });
    expect(said).toMatch(/^EmbeddedPostgresError: .*(another user|cannot be written)/);
  });
});
