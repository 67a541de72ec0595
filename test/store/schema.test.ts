import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import { dumpSchema } from '../../scripts/schema/dump.ts';
import { testDatabase } from '../support/database.ts';

test('db/schema.sql is what the migrations make; npm run schema writes it', async () => {
  const database = await testDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const dumped = await dumpSchema(client);
  await client.end();
  await database.close();
  expect(await readFile(new URL('../../db/schema.sql', import.meta.url), 'utf8')).toBe(dumped);
});
