// Where a run of the bench lives: a temporary folder and a PostgreSQL, gone when the run ends.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createDatabase, startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';
import { atEnd } from './ending.ts';
import { say } from './progress.ts';

export type Place = {
  readonly folder: string;
  readonly postgres: { readonly version: string; readonly fsync: string; readonly sharedBuffers: string };
  /** Makes a database and returns the address under which its owner connects. */
  database(name: string): Promise<string>;
  /** The same database as a user who may switch off foreign key checks while seeding; null where there is none. */
  superuser(name: string): string | null;
};

/**
 * With DATABASE_URL the databases are made in that server (its user needs the right to create databases) and dropped afterwards;
 * without it they are in an embedded PostgreSQL of their own, fsync on.
 */
export async function openPlace(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'drawbridge-bench-'));
  // Started by root, the database runs as another user, who has to pass through here.
  chmodSync(folder, 0o711);
  atEnd(async () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  const given = process.env.DATABASE_URL;
  return { folder, ...(await (given === undefined || given === '' ? openEmbedded() : openGiven(given))) };
}

async function openEmbedded(): Promise<Omit<Place, 'folder'>> {
  say('starting a PostgreSQL (fsync on)');
  // A temporary one: should this process be killed outright, the next that starts one stops and removes it.
  const starting = startEmbeddedPostgres({ ephemeral: true });
  atEnd(async () => (await starting).stop());
  const embedded = await starting;
  return {
    postgres: await facts(embedded.url),
    database: (name) => createDatabase(embedded.url, name),
    superuser: (name) => withDatabase(embedded.url, name),
  };
}

async function openGiven(url: string): Promise<Omit<Place, 'folder'>> {
  const made: string[] = [];
  const nameOf = (name: string) => `bench_${name}_${process.pid}`;
  atEnd(async () => {
    for (const name of made) await sql(url, `drop database if exists ${name} with (force)`);
  });
  return {
    postgres: await facts(url),
    async database(name) {
      made.push(nameOf(name));
      await sql(url, `create database ${nameOf(name)}`);
      return withDatabase(url, nameOf(name));
    },
    superuser: () => null,
  };
}

function withDatabase(url: string, name: string): string {
  const address = new URL(url);
  address.pathname = `/${name}`;
  return address.href;
}

async function facts(url: string): Promise<Place['postgres']> {
  const [row] = await sql(
    url,
    `select current_setting('server_version') as version, current_setting('fsync') as fsync, current_setting('shared_buffers') as "sharedBuffers"`,
  );
  return row as Place['postgres'];
}

/** Statements over a connection of their own. */
export async function sql(url: string, text: string, values: readonly unknown[] = []): Promise<pg.QueryResultRow[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text, [...values])).rows ?? [];
  } finally {
    await client.end();
  }
}
