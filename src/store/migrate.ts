// Brings a database to this version's schema: plain SQL files, forward only.

import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Knex } from 'knex';
import pg from 'pg';

const FOLDER = fileURLToPath(new URL('../../db/migrations/', import.meta.url));
// The version of the job queue whose schema this version needs; a test holds it against what is installed.
export const QUEUE = '0.18.0';
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
    if (await isCurrent(lock)) return;
    await lock.query('select pg_advisory_lock($1)', [LOCK]);
    // Loaded only where there is something to do: they are most of what a command of the command line would wait for.
    const [{ runMigrations }, { default: knex }] = await Promise.all([import('graphile-worker'), import('knex')]);
    await runMigrations({ connectionString, schema: 'graphile_worker' });
    const database = knex({ client: 'pg', connection: connectionString, pool: { min: 0, max: 2 } });
    try {
      // A server that was killed while migrating leaves knex's lock row behind; the advisory lock above is the real one.
      await database.migrate.forceFreeMigrationsLock({ migrationSource });
      await database.migrate.latest({ migrationSource });
    } finally {
      await database.destroy();
    }
    // Last: a schema that says so is whole.
    await lock.query(`comment on schema graphile_worker is '${QUEUE}'`);
  } finally {
    await lock.end();
  }
}

/** Whether every step was taken, this version's job queue among them. */
async function isCurrent(client: pg.Client): Promise<boolean> {
  const last = (await migrationSource.getMigrations([])).at(-1);
  const { rows } = await client.query<{ current: boolean }>(
    `select coalesce(obj_description(to_regnamespace('graphile_worker'), 'pg_namespace') = $1, false)
       and to_regclass('knex_migrations') is not null as current`,
    [QUEUE],
  );
  if (rows[0]?.current !== true) return false;
  return (await client.query('select 1 from knex_migrations where name = $1', [last])).rowCount === 1;
}

const migrationSource: Knex.MigrationSource<string> = {
  getMigrations: async () => (await readdir(FOLDER)).filter((file) => file.endsWith('.sql')).sort(),
  getMigrationName: (file) => file,
  getMigration: async (file) => {
    const sql = await readFile(`${FOLDER}/${file}`, 'utf8');
    if (!/^-- (compatible|breaking)\n/.test(sql))
      throw new Error(`${file}: the first line must say -- compatible or -- breaking`);
    const up = (transaction: Knex) =>
      transaction.raw(sql.replaceAll('?', '\\?')).catch((error: Error) => {
        // knex puts the whole file before the reason.
        throw new Error(`The migration ${file} failed: ${error.message.split(' - ').at(-1)}`);
      });
    return { up, down: async () => {} };
  },
};
