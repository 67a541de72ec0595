// The key that every other secret at rest hangs from, where the operator did not bring one.

import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerSettings } from './settings.ts';
import { makeFolder } from './store/make-folder.ts';

/**
 * The installation's master key, 32 bytes: the one from the settings, else the one in `<data>/master.key`, made there (mode 0600)
 * by whoever comes first.
 *
 * Throws a plain sentence where the folder cannot be made or written, or the file is damaged or readable by others. Does not derive keys
 * for any use.
 */
export async function readOrMakeMasterKey(
  settings: Pick<ServerSettings, 'masterKey' | 'dataFolder'>,
): Promise<Uint8Array> {
  if (settings.masterKey !== null) return settings.masterKey;
  const { dataFolder } = settings;
  const file = join(dataFolder, 'master.key');
  const cannot = (what: string) => (error: NodeJS.ErrnoException) =>
    new Error(
      `The data folder ${dataFolder} cannot be ${what} (${error.code}). Set DRAWBRIDGE_DATA to a folder that this user may write.`,
    );
  try {
    // Entered, not listed: root's embedded database runs as another user and lives below.
    makeFolder(dataFolder, 0o711);
  } catch (error) {
    throw cannot('made')(error as NodeJS.ErrnoException);
  }
  return (await readKey(file)) ?? (await makeKey(file, cannot('written')));
}

async function readKey(file: string): Promise<Uint8Array | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new Error(`The master key in ${file} cannot be read; expected a file that this user may read.`);
  }
  if (process.platform !== 'win32' && ((await stat(file)).mode & 0o077) !== 0) {
    throw new Error(`The master key in ${file} can be read by others; set its mode to 0600 and start again.`);
  }
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== 32)
    throw new Error(`The master key in ${file} is damaged; expected 32 bytes as base64. Restore it from a backup.`);
  return key;
}

async function makeKey(file: string, cannot: (error: NodeJS.ErrnoException) => Error): Promise<Uint8Array> {
  const fresh = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await open(fresh, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw cannot(error);
  });
  try {
    await handle.writeFile(`${randomBytes(32).toString('base64')}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  // A link is refused where the name is taken: of two processes that start at once, both use the first one's key.
  await link(fresh, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(fresh, { force: true });
  const key = await readKey(file);
  if (key === undefined) throw new Error(`The master key in ${file} vanished while it was made.`);
  return key;
}
