/** The folder of an embedded PostgreSQL: whose it is, where it lies, its password, and the first initialisation. */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Binaries,
  command,
  EmbeddedPostgresError,
  isWritableBy,
  type RunAs,
  useDatabaseUrl,
} from './embedded-binaries.ts';
import { makeFolder } from './make-folder.ts';

/** What root runs PostgreSQL as; it refuses to run as root itself. */
const nobody = { uid: 65534, gid: 65534 };

/**
 * One cluster on disk. `base` belongs to the user of this process and holds the password and the server's log; the folders
 * below it belong to the server's user: `cluster` (PostgreSQL's data folder) and `socket`.
 */
export type Place = {
  readonly base: string;
  readonly cluster: string;
  readonly socket: string;
  readonly logFile: string;
  readonly runAs: RunAs;
};

const isRoot = (): boolean => process.getuid?.() === 0;

const placeAt = (base: string, runAs: RunAs): Place => ({
  base,
  cluster: join(base, 'cluster'),
  socket: join(base, 'socket'),
  logFile: join(base, 'postgres.log'),
  runAs,
});

/** Where root keeps the data that the server's user could not reach in the folder that was asked for. */
const relocated = (folder: string): string =>
  join('/var/lib/drawbridge', createHash('sha256').update(folder).digest('hex').slice(0, 16));

/** Makes a folder of the server's user, if it is missing. */
function ownFolder(folder: string, runAs: RunAs): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw error;
  }
  if (runAs.uid !== undefined && runAs.gid !== undefined) chownSync(folder, runAs.uid, runAs.gid);
}

/** Data that an ordinary user made stays that user's, even when root starts the server. */
function ownerOf(cluster: string): RunAs {
  const owner = lstatSync(cluster, { throwIfNoEntry: false });
  return owner === undefined || owner.uid === 0 ? nobody : { uid: owner.uid, gid: owner.gid };
}

/** The place in a folder that has been one; undefined if it has not. */
export function placeFound(base: string): Place | undefined {
  const socket = lstatSync(join(base, 'socket'), { throwIfNoEntry: false });
  if (socket === undefined) return undefined;
  return placeAt(base, isRoot() ? { uid: socket.uid, gid: socket.gid } : {});
}

const noteName = 'database-is-elsewhere.txt';
/** The last two: /proc and its like, and a file in a folder's place. */
const CANNOT_WRITE: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR']);

/**
 * The place for the data folder that was asked for; its folders exist afterwards.
 *
 * Root's server runs as another user. Where that user cannot enter the folder (a checkout in root's home), the data lie in
 * `/var/lib/drawbridge` and a note in the folder says so: permissions of folders that are not ours are left as they are.
 */
export function openPlace(dataDir: string, log: (message: string) => void): Place {
  const asked = resolve(dataDir);
  const isNew = !existsSync(asked);
  try {
    makeFolder(asked);
    // Root's server, another user, must pass through; whoever else does finds nothing readable.
    if (isNew) chmodSync(asked, isRoot() ? 0o711 : 0o700);
    const base = realpathSync(asked);
    return makeFolders(isRoot() ? placeForRoot(base, log) : placeForUser(base));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (!CANNOT_WRITE.has(code ?? '')) throw error;
    throw new EmbeddedPostgresError(
      `The data folder ${asked} cannot be written by this user (${code}). ${useDatabaseUrl}`,
    );
  }
}

function placeForUser(base: string): Place {
  if (!existsSync(join(base, noteName))) return placeAt(base, {});
  throw new EmbeddedPostgresError(
    `The database of ${base} was made by root and lies elsewhere (see ${noteName} there). Start as root, or choose another data folder.`,
  );
}

function placeForRoot(base: string, log: (message: string) => void): Place {
  const here = placeAt(base, ownerOf(join(base, 'cluster')));
  if (existsSync(here.cluster)) return here;
  const elsewhere = relocated(base);
  if (!existsSync(elsewhere)) {
    // Only a folder of the server's own user can tell whether that user gets there.
    ownFolder(here.socket, here.runAs);
    if (isWritableBy(here.socket, here.runAs)) return here;
    rmSync(here.socket, { recursive: true, force: true });
    mkdirSync(elsewhere, { recursive: true });
    for (const made of [dirname(elsewhere), elsewhere]) chmodSync(made, 0o711);
  }
  const note = `The database of ${base} lies in ${elsewhere}: its user (uid ${nobody.uid}) cannot enter the former.`;
  writeFileSync(join(base, noteName), `${note}\n`);
  log(note);
  return placeAt(elsewhere, ownerOf(join(elsewhere, 'cluster')));
}

const belongsToOther = (base: string) =>
  new EmbeddedPostgresError(
    `The data folder ${base} belongs to another user. Start as that user or as root. ${useDatabaseUrl}`,
  );

function makeFolders(place: Place): Place {
  ownFolder(place.socket, place.runAs);
  const { uid } = lstatSync(place.socket);
  if (uid === (place.runAs.uid ?? process.getuid?.() ?? 0)) return place;
  throw belongsToOther(place.base);
}

export const temporaryPrefix = 'drawbridge-postgres-';

/** A place in the temporary folder, for as long as this process lives, and the folder to remove in the end. */
export function temporaryPlace(log: (message: string) => void): { place: Place; remove: () => void } {
  const asked = mkdtempSync(join(tmpdir(), temporaryPrefix));
  chmodSync(asked, isRoot() ? 0o711 : 0o700);
  const place = openPlace(asked, log);
  const remove = () => {
    for (const folder of new Set([asked, place.base])) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  return { place, remove };
}

/** The superuser's password: made once, readable by the user of this process alone. */
export function password({ base }: Place): string {
  const file = join(base, 'password');
  if (!existsSync(file)) {
    const fresh = join(base, `.password-${randomBytes(6).toString('hex')}`);
    writeFileSync(fresh, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx', flush: true });
    try {
      // Of two first starts one wins, and both read the winner's.
      linkSync(fresh, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    rmSync(fresh);
  }
  try {
    return readFileSync(file, { encoding: 'utf8', flag: constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') throw belongsToOther(base);
    throw error;
  }
}

/** Opens the server's log for appending; starts it anew when it has grown past 10 MB. */
export function openLog({ logFile }: Place): number {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
  const descriptor = openSync(logFile, flags, 0o600);
  if (fstatSync(descriptor).size < 10_000_000) return descriptor;
  closeSync(descriptor);
  renameSync(logFile, `${logFile}.old`);
  return openSync(logFile, flags, 0o600);
}

const run = (
  path: string,
  args: readonly string[],
  options: object,
): Promise<{ code: number | null; output: string }> =>
  new Promise((done, failed) => {
    const child = spawn(path, args, { cwd: '/', ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.once('error', failed);
    child.once('close', (code) => done({ code, output: output.trim() }));
  });

/** The lines of a server's lock file; the first is its process id. None if there is no such file. */
export function lockLines(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}

export const pidFile = ({ cluster }: Place): string => join(cluster, 'postmaster.pid');

/** Stops the server the fast way, and waits for its end: sessions are cut, nothing committed is lost. */
export async function stopCluster(binaries: Binaries, place: Place): Promise<void> {
  const { cluster, runAs } = place;
  const { path, options } = command(binaries, 'pg_ctl');
  const [pid] = lockLines(pidFile(place));
  // Not pg_ctl's own waiting: it would wait for the end of the next server, too, if that one starts quickly enough.
  const { code, output } = await run(path, ['stop', '-D', cluster, '-m', 'fast', '-W'], { ...options, ...runAs });
  for (let waited = 0; pid !== undefined && lockLines(pidFile(place))[0] === pid; waited += 20) {
    if (code !== 0 || waited > 60_000) throw new EmbeddedPostgresError(`PostgreSQL did not stop: ${output}`);
    await sleep(20);
  }
}

/** Makes the cluster if there is none. Of two that try at once one wins; a half-made cluster is never seen. */
export async function ensureCluster(binaries: Binaries, place: Place): Promise<void> {
  const { base, cluster, runAs } = place;
  const major = binaries.version.split('.')[0] ?? '';
  if (existsSync(cluster)) {
    const found = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim();
    if (found === major) return;
    throw new EmbeddedPostgresError(
      `The data in ${base} were made by PostgreSQL ${found}, and this is ${major}. Dump them with the version that made them.`,
    );
  }
  for (const name of readdirSync(base).filter((entry) => entry.startsWith('cluster-'))) {
    const abandoned = Date.now() - lstatSync(join(base, name)).mtimeMs > 600_000;
    if (abandoned) rmSync(join(base, name), { recursive: true, force: true });
  }
  const fresh = join(base, `cluster-${randomBytes(6).toString('hex')}`);
  const passwordFile = join(base, `.initdb-${randomBytes(6).toString('hex')}`);
  ownFolder(fresh, runAs);
  try {
    writeFileSync(passwordFile, password(place), { mode: 0o600, flag: 'wx' });
    if (runAs.uid !== undefined && runAs.gid !== undefined) chownSync(passwordFile, runAs.uid, runAs.gid);
    const { path, options } = command(binaries, 'initdb');
    const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-locale'];
    const login = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
    const { code, output } = await run(path, ['-D', fresh, ...locale, ...login, '--no-instructions'], {
      ...options,
      ...runAs,
    });
    if (code !== 0) throw new EmbeddedPostgresError(explainInitdb(output, runAs));
    renameSync(fresh, cluster);
    syncFolder(base);
  } catch (error) {
    if (!existsSync(cluster)) throw error;
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(fresh, { recursive: true, force: true });
  }
}

function explainInitdb(output: string, runAs: RunAs): string {
  const uid = runAs.uid ?? process.getuid?.();
  return output.includes('could not look up effective user ID')
    ? `The embedded PostgreSQL cannot be set up by uid ${uid}: that user has no entry in /etc/passwd. ${useDatabaseUrl}`
    : `The embedded PostgreSQL could not be set up: ${output.split('\n').slice(-3).join(' ')}. ${useDatabaseUrl}`;
}

function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(folder, constants.O_RDONLY);
  fsyncSync(descriptor);
  closeSync(descriptor);
}
