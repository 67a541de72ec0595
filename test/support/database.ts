/** A database of its own for each test file, as the migrations leave it. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

/** Holds the other workers back while one migrates the template. */
const templateLock = 4_021_730_101;

async function onServer<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: inject('testServer').url });
  await client.connect();
  return await work(client).finally(() => client.end());
}

/** Runs the migrations on the template, once in a run: a comment on the database says that it was done. */
async function prepareTemplate(client: pg.Client, template: string): Promise<void> {
  await client.query('select pg_advisory_lock($1)', [templateLock]);
  const { rows } = await client.query<{ state: string | null }>(
    `select shobj_description(oid, 'pg_database') as state from pg_database where datname = $1`,
    [template],
  );
  if (rows[0]?.state !== 'migrated') {
    const { migrate } = await import('../../src/store/migrate.ts');
    await migrate(inject('testServer').templateUrl);
    await client.query(`comment on database ${client.escapeIdentifier(template)} is 'migrated'`);
  }
  await client.query('select pg_advisory_unlock($1)', [templateLock]);
}

/**
 * A fresh database with the whole schema and no rows, under the role that owns it, as the server connects.
 *
 * Call `close` when the file is done: it drops the database, whoever is still connected.
 */
export async function testDatabase(): Promise<{ readonly url: string; close(): Promise<void> }> {
  if (inject('testServer') === undefined) {
    throw new Error('There is no database server: run vitest with --config test/vitest.config.ts.');
  }
  const url = new URL(inject('testServer').templateUrl);
  const template = decodeURIComponent(url.pathname.slice(1));
  const name = `test_${randomBytes(6).toString('hex')}`;
  await onServer(async (client) => {
    await prepareTemplate(client, template);
    const owner = url.username === '' ? 'current_user' : client.escapeIdentifier(decodeURIComponent(url.username));
    await client.query(`create database ${name} template ${client.escapeIdentifier(template)} owner ${owner}`);
  });
  url.pathname = `/${name}`;
  return {
    url: url.href,
    close: () => onServer(async (client) => void (await client.query(`drop database if exists ${name} with (force)`))),
  };
}
