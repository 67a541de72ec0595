// Brings a database to this version's schema: plain SQL files, forward only.

import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { runMigrations } from 'graphile-worker';
import knex, { type Knex } from 'knex';
import pg from 'pg';

const FOLDER = fileURLToPath(new URL('../../db/migrations/', import.meta.url));
// Any number, as long as it is the same for ever: one migration of a database at a time.
const LOCK = 0x64726177;

/**
 * Applies every migration that the database does not have yet. Safe to call from several servers at once: the others wait.
 * The connection must belong to the owner of the schema; it also installs the job queue's schema and, where it may create roles,
 * the server's own role.
 */
export async function migrate(connectionString: string): Promise<void> {
  const lock = new pg.Client({ connectionString });
  await lock.connect();
  try {
    await lock.query('select pg_advisory_lock($1)', [LOCK]);
    await runMigrations({ connectionString, schema: 'graphile_worker' });
    const database = knex({ client: 'pg', connection: connectionString, pool: { min: 0, max: 2 } });
    try {
      // A server that was killed while migrating leaves knex's lock row behind; the advisory lock above is the real one.
      await database.migrate.forceFreeMigrationsLock({ migrationSource });
      await database.migrate.latest({ migrationSource });
    } finally {
      await database.destroy();
    }
  } finally {
    await lock.end();
  }
}

const migrationSource: Knex.MigrationSource<string> = {
  getMigrations: async () => (await readdir(FOLDER)).filter((file) => file.endsWith('.sql')).sort(),
  getMigrationName: (file) => file,
  getMigration: async (file) => {
    const sql = await readFile(`${FOLDER}/${file}`, 'utf8');
    if (!/^-- (compatible|breaking)\n/.test(sql)) throw new Error(`${file}: the first line must say -- compatible or -- breaking`);
    return { up: (transaction: Knex) => transaction.raw(sql.replaceAll('?', '\\?')), down: async () => {} };
  },
};
