import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrate, QUEUE } from '../../src/store/migrate.ts';
import { testDatabase } from '../support/database.ts';

let database: Awaited<ReturnType<typeof testDatabase>>;
let client: pg.Client;
beforeAll(async () => {
  database = await testDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client?.end();
  await database?.close();
});

describe('migrations', () => {
  test('several servers may bring one database up to date at once, and again', async () => {
    await client.query(`comment on schema graphile_worker is 'older'`);
    await Promise.all([migrate(database.url), migrate(database.url), migrate(database.url)]);
    await migrate(database.url);
    const { rows } = await client.query(
      `select obj_description('graphile_worker'::regnamespace, 'pg_namespace') as version`,
    );
    expect(rows).toEqual([{ version: QUEUE }]);
  });

  test('the queue’s schema is the one of the installed queue', () => {
    const installed = JSON.parse(
      readFileSync(new URL('../../node_modules/graphile-worker/package.json', import.meta.url), 'utf8'),
    );
    expect(installed.version).toBe(QUEUE);
  });
});

describe('the schema', () => {
  // Found without knowing the tenant: the tree itself, who owns a domain, who knows an address, and what has a random id.
  const exceptions = new Set([
    'tenants',
    'tenant_ancestors',
    'domain_owners',
    'email_directory',
    'clients',
    'oidc_artifacts',
    'signing_keys',
    'installation',
    'knex_migrations',
    'knex_migrations_lock',
  ]);

  test('every primary, unique and foreign key of tenant data begins with tenant_id', async () => {
    const { rows } = await client.query<{ table: string; name: string; kind: string; first: string }>(`
      select c.conrelid::regclass::text as table, c.conname as name, c.contype as kind, a.attname as first
      from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
      where c.connamespace = 'public'::regnamespace and c.contype in ('p', 'u', 'f')
      union all
      select i.indrelid::regclass::text, i.indexrelid::regclass::text, 'index', a.attname
      from pg_index i join pg_class t on t.oid = i.indrelid and t.relnamespace = 'public'::regnamespace
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      where i.indisunique`);
    const broken = rows.filter((row) => row.first !== 'tenant_id' && !exceptions.has(row.table));
    expect(broken).toEqual([]);
    expect(rows.length).toBeGreaterThan(60);
  });

  test('the twin: a key that begins otherwise is found', async () => {
    const { rows } = await client.query<{ first: string }>(`
      select a.attname as first from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
      where c.conrelid = 'tenants'::regclass and c.contype = 'u'`);
    expect(rows).toContainEqual({ first: 'slug' });
  });

  test('every exception still exists', async () => {
    const { rows } = await client.query<{ name: string }>(
      `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`,
    );
    const tables = new Set(rows.map((row) => row.name));
    expect([...exceptions].filter((name) => !tables.has(name))).toEqual([]);
  });
});
