/** The server process of an embedded PostgreSQL: reached, started, joined, left. */
import { spawn } from 'node:child_process';
import { closeSync, fstatSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Binaries, command, EmbeddedPostgresError, useDatabaseUrl } from './embedded-binaries.ts';
import { lockLines, openLog, type Place, password, pidFile } from './embedded-cluster.ts';

export type Server = { readonly binaries: Binaries; readonly place: Place; readonly host: string; port: number };

/** Whoever uses the server holds this shared; whoever stops it, alone. */
const usersLock = 4_021_730_001;

const MB = 1024 * 1024;

/** A sixteenth of the memory that there is, within bounds. Pages are taken as they are used: a small database takes little. */
function sharedBuffers(): string {
  const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return `${Math.min(512, Math.max(64, Math.floor(memory / 16 / MB)))}MB`;
}

const settings = {
  max_connections: '100',
  shared_buffers: sharedBuffers(),
  fsync: 'on',
  huge_pages: 'off',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  unix_socket_permissions: '0700',
  // The log must not become a second copy of people's data: the server's own events, no statement's error with its values.
  log_min_messages: 'log',
  log_checkpoints: 'off',
};

/** A socket in the server's own folder, or a loopback port where its path would be longer than the system allows. */
export async function addressFor(place: Place): Promise<{ host: string; port: number }> {
  const fits = Buffer.byteLength(join(place.socket, '.s.PGSQL.5432')) <= 103;
  if (fits && process.platform !== 'win32') return { host: place.socket, port: 5432 };
  return { host: '127.0.0.1', port: runningPort(place) ?? (await freePort()) };
}

const usesSocket = ({ host }: Server): boolean => host !== '127.0.0.1';

/** The port of a server that runs already: the fourth line of its lock file. */
const runningPort = (place: Place): number | undefined => Number(lockLines(pidFile(place))[3]) || undefined;

const freePort = (): Promise<number> =>
  new Promise((done, failed) => {
    const probe = createServer();
    probe.once('error', failed);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });

export function urlOf(server: Server, database: string, user: string, secret: string): string {
  if (!usesSocket(server)) return `postgres://${user}:${secret}@127.0.0.1:${server.port}/${database}`;
  // The name before the slash is ignored; it is there because an address without one is no valid URL.
  return `postgres://${user}:${secret}@localhost/${database}?host=${encodeURIComponent(server.host)}`;
}

/** Starts the server unless it runs, waits until it answers, and takes a share in it. */
export async function joinServer(server: Server): Promise<pg.Client> {
  // Recovery after a crash may take minutes, and the server says so meanwhile; silence may not.
  let deadline = Date.now() + 60_000;
  let launched: Launched | undefined;
  for (let failures = 0; ; ) {
    const answer = await knock(server);
    if (typeof answer === 'object') return answer;
    if (answer === 'busy') deadline = Date.now() + 60_000;
    const problem = launched?.problem();
    if (answer === 'absent' && problem !== undefined) {
      if (!(await makeWay(server, problem))) failures += 1;
      if (failures === 3)
        throw new EmbeddedPostgresError(`The embedded PostgreSQL does not start: ${problem}. ${useDatabaseUrl}`);
      await sleep(100);
    }
    if (answer === 'absent' && (launched === undefined || problem !== undefined)) launched = launch(server);
    if (Date.now() > deadline) {
      throw new EmbeddedPostgresError(
        `The embedded PostgreSQL did not answer within a minute; see ${server.place.logFile}.`,
      );
    }
    await sleep(20);
  }
}

/** Tries to join: the session that holds the share, `busy` if the server comes or goes, `absent` if none answers. */
export async function knock({ host, port, place }: Server): Promise<pg.Client | 'busy' | 'absent'> {
  const login = {
    user: 'postgres',
    database: 'postgres',
    password: password(place),
    application_name: 'drawbridge launcher',
  };
  const client = new pg.Client({ host, port, ...login, keepAlive: true, connectionTimeoutMillis: 10_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ held: boolean }>('select pg_try_advisory_lock_shared($1) as held', [
      usersLock,
    ]);
    if (rows[0]?.held === true) return client;
    // The last one is about to stop it.
    await client.end();
    return 'busy';
  } catch (error) {
    client.end().catch(() => {});
    const { code, message } = error as { code?: string; message: string };
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return 'absent';
    if (code === '28P01') {
      throw new EmbeddedPostgresError(
        `The password in ${place.base} is not the one of the PostgreSQL that runs there.`,
      );
    }
    // 57P01-57P03: ending, crashed or not ready yet; 53300: all connections taken. A cut connection has no such code.
    if (code === undefined || code.startsWith('57P') || code === '53300' || code === 'ECONNRESET' || code === 'EPIPE')
      return 'busy';
    throw new EmbeddedPostgresError(`The embedded PostgreSQL in ${place.base} refuses connections: ${message}`);
  }
}

/** Gives the share back; true if it was the last one, and then nobody can join any more. */
export async function isLast(client: pg.Client): Promise<boolean> {
  try {
    // In this order: of two who leave at once at least one finds the lock free.
    await client.query('select pg_advisory_unlock_shared($1)', [usersLock]);
    const { rows } = await client.query<{ last: boolean }>('select pg_try_advisory_lock($1) as last', [usersLock]);
    return rows[0]?.last === true;
  } catch {
    return false;
  }
}

/** A started server: undefined while it runs, else why it ended. */
type Launched = { problem(): string | undefined };

function launch(server: Server): Launched {
  const { place, binaries, host, port } = server;
  const { path, options } = command(binaries, 'postgres');
  const listen = usesSocket(server)
    ? { listen_addresses: '', unix_socket_directories: host }
    : { listen_addresses: host, unix_socket_directories: '' };
  const flags = Object.entries({ ...settings, ...listen, port: String(port) }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  const log = openLog(place);
  const before = fstatSync(log).size;
  // A session of its own: Ctrl-C in the terminal is for us, and we stop it when the last request is answered.
  const child = spawn(path, ['-D', place.cluster, ...flags], {
    ...options,
    ...place.runAs,
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  let ended: string | undefined;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code, signal) => {
    ended = `it ended with ${signal ?? `code ${code}`}`;
  });
  // The log may be gone with its folder by the time an abandoned server ends: it is read only by who waits for this one.
  return { problem: () => ended && (fatalLine(place, before) ?? ended) };
}

/** What the server wrote before it gave up. */
function fatalLine(place: Place, offset: number): string | undefined {
  const written = readFileSync(place.logFile).subarray(offset).toString('utf8').trim();
  return written === ''
    ? undefined
    : (written.split('\n').find((line) => line.includes('FATAL')) ?? written.split('\n').at(-1));
}

/** Removes what a dead server left in the way; true if trying again is to be expected to help. */
async function makeWay(server: Server, problem: string): Promise<boolean> {
  const { place } = server;
  if (problem.includes('lock file')) {
    for (const file of [pidFile(place), join(place.socket, '.s.PGSQL.5432.lock')]) removeStaleLock(file, place);
    return true;
  }
  // Backends of a killed server still hold its memory; they notice and end.
  if (problem.includes('shared memory block')) return true;
  if (!usesSocket(server)) server.port = runningPort(place) ?? (await freePort());
  return false;
}

/**
 * PostgreSQL takes a lock file for valid while any process has its number, and after a container's restart some process does.
 * Should this ever remove the lock of a living server, its shared memory still keeps a second one away from the data.
 */
function removeStaleLock(file: string, place: Place): void {
  const lines = lockLines(file);
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0 || isServerOf(pid, place)) return;
  if (lockLines(file).join() === lines.join()) rmSync(file, { force: true });
}

function isServerOf(pid: number, { cluster }: Place): boolean {
  if (process.platform !== 'linux') return true;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(cluster);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}
