import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { testDatabase } from './database.ts';

const database = await testDatabase();
afterAll(() => database.close());

test('a test database belongs to a role that is no superuser and may make roles', async () => {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query(`
    select rolsuper, rolcreaterole, pg_get_userbyid(datdba) = current_user as owns
    from pg_roles, pg_database where rolname = current_user and datname = current_database()`);
  await client.end();
  expect(rows).toEqual([{ rolsuper: false, rolcreaterole: true, owns: true }]);
});
