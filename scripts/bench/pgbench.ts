// The limit: what PostgreSQL does with the same rows when nothing stands before it.

import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { runIsOver } from './ending.ts';
import { say } from './progress.ts';
import { SpoiledShot } from './spoiled-shot.ts';

const run = promisify(execFile);

/** Clients at once: as many as a server has connections. */
const CLIENTS = 8;

export type Limit = {
  /** A script of the folder pgbench/. */
  readonly script: 'create' | 'get' | 'get-id' | 'list' | 'member-add' | 'patch-user';
  readonly variables: Readonly<Record<string, string | number>>;
  /** Where each transaction needs a row of its own: how many there are. Then that many are run, not a number of seconds. */
  readonly transactions?: number;
};

export type Pgbench = {
  readonly version: string;
  /** Transactions per second. */
  measure(databaseUrl: string, limit: Limit, seconds: number): Promise<number>;
};

/** Finds pgbench, or installs it where this user may. Throws a sentence that says what to do where there is none. */
export function openPgbench(): Pgbench {
  if (find() === undefined) installIt();
  const program = find();
  if (program === undefined)
    throw new Error(
      'pgbench is not here. Install it (Debian: apt-get install postgresql-contrib) and put it on the PATH.',
    );
  const version = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout.trim();
  return {
    version,
    async measure(databaseUrl, { script, variables, transactions }, seconds) {
      const file = fileURLToPath(new URL(`./pgbench/${script}.sql`, import.meta.url));
      const given = { ...variables, clients: CLIENTS, i: 0 };
      const length =
        transactions === undefined ? ['-T', String(seconds)] : ['-t', String(Math.floor(transactions / CLIENTS))];
      const args = [
        ...['-n', '-M', 'prepared', '-c', String(CLIENTS), '-j', '1', ...length, '-f', file],
        ...Object.entries(given).flatMap(([name, value]) => ['-D', `${name}=${value}`]),
        databaseUrl,
      ];
      const env = { ...process.env, PGOPTIONS: '-c role=drawbridge_app' };
      const { stdout, stderr } = await run(program, args, { env, timeout: (seconds + 120) * 1000, signal: runIsOver });
      if (/^number of transactions actually processed: 0\b/m.test(stdout))
        throw new SpoiledShot(`pgbench did nothing in ${seconds} s of ${script}.sql`);
      const tps = /^tps = ([\d.]+)/m.exec(stdout)?.[1];
      if (tps === undefined || /^number of failed transactions: [1-9]/m.test(stdout))
        throw new Error(`pgbench failed on ${script}.sql:\n${stdout}${stderr}`);
      return Number(tps);
    },
  };
}

function find(): string | undefined {
  if (spawnSync('pgbench', ['--version']).error === undefined) return 'pgbench';
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(debian, version, 'bin', 'pgbench')).find((path) => existsSync(path));
}

function installIt(): void {
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) return;
  say('installing pgbench');
  spawnSync('apt-get', ['install', '-y', '--no-install-recommends', 'postgresql-contrib'], {
    stdio: 'ignore',
    timeout: 300_000,
  });
}
