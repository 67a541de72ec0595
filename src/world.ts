// What the server and the command line both stand on: the database, migrated; the secrets; contexts for callers.

import { randomUUIDv7 } from 'node:crypto';
import { join } from 'node:path';
import type { Caller, Context, Log } from './context.ts';
import type { Instant } from './core/ids.ts';
import { readOrMakeMasterKey } from './master-key.ts';
import { deriveSecrets, type Secrets } from './secrets.ts';
import type { ServerSettings } from './settings.ts';
import { type Database, openDatabase } from './store/database.ts';
import { createDatabase, startEmbeddedPostgres } from './store/embedded-postgres.ts';
import { sameInstallation } from './store/installation.ts';
import { migrate } from './store/migrate.ts';

export type World = {
  readonly settings: ServerSettings;
  readonly database: Database;
  /** The owner's address: for migrations and the job queue, never for requests. */
  readonly ownerUrl: string;
  readonly secrets: Secrets;
  readonly log: Log;
  contextFor(caller: Caller): Context;
  close(): Promise<void>;
};

/**
 * Opens the database of the settings (the embedded one where none is named), brings it to this version's schema, and reads the
 * master key. Throws an error whose message says what to do.
 */
export async function openWorld(
  settings: ServerSettings,
  log: Log,
  options: { readonly onStatement?: (statement: string) => void } = {},
): Promise<World> {
  const secrets = deriveSecrets(await readOrMakeMasterKey(settings));
  const embedded =
    settings.databaseUrl === null
      ? await startEmbeddedPostgres({
          dataDir: join(settings.dataFolder, 'postgres'),
          log: (message) => log.info({}, message),
        })
      : null;
  try {
    const ownerUrl = settings.databaseUrl ?? (await createDatabase(embedded?.url ?? '', 'drawbridge'));
    await migrate(ownerUrl).catch((error: Error) => {
      throw settings.databaseUrl === null ? error : new Error(unreachable(error) ?? error.message);
    });
    const database = openDatabase({ url: ownerUrl, poolSize: settings.databasePoolSize, ...options });
    if (!(await sameInstallation(database.global, secrets.subkey('key-check').toString('base64url')))) {
      await database.close();
      throw new Error(
        'The master key is not the one that this database was set up with. Give the right one (DRAWBRIDGE_MASTER_KEY, or master.key in the data folder).',
      );
    }
    return {
      settings,
      database,
      ownerUrl,
      secrets,
      log,
      contextFor: (caller) => contextOf({ database, secrets, log }, caller),
      async close() {
        await database.close();
        await embedded?.stop();
      },
    };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}

/** What to say where the database of the settings does not answer; null for an error of another kind. */
function unreachable(error: Error): string | null {
  const code = 'code' in error ? String(error.code) : '';
  if (!/^(ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|28|3D000)/.test(code)) return null;
  return `The database that DATABASE_URL names cannot be used: ${error.message || code}.`;
}

/** The real context of one caller. Tests make theirs with it too, over a database of their own. */
export function contextOf(world: Pick<World, 'database' | 'secrets' | 'log'>, caller: Caller): Context {
  const { database, secrets, log } = world;
  return {
    transaction: database.transaction,
    hot: database.hot,
    inTurn: database.inTurn,
    together: database.together,
    global: database.global,
    now: () => Date.now() as Instant,
    newId: <Id extends string>() => randomUUIDv7() as string as Id,
    keyHash: secrets.keyHash,
    vault: secrets.vault,
    caller,
    log,
  };
}
