// A connection that the database ends while it is at work.

import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TenantId } from '../../src/core/ids.ts';
import { openDatabase } from '../../src/store/database.ts';
import { testDatabase } from '../support/database.ts';

const tenantId = '00000000-0000-7000-8000-000000000001' as TenantId;
let fresh: Awaited<ReturnType<typeof testDatabase>>;
beforeAll(async () => {
  fresh = await testDatabase();
});
afterAll(() => fresh?.close());

const END_OTHERS = `
import pg from 'pg';
const client = new pg.Client({ connectionString: process.argv[1] });
await client.connect();
await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()');
await client.end();`;

test.each(['begin', 'commit'])(
  'FT2 a connection that ends at the %s of a transaction is "unavailable", never anything else',
  async (moment) => {
    let armed = false;
    const onStatement = (statement: string) => {
      // In one go: the pool has no time to see that its connection is gone.
      if (armed && statement === moment)
        execFileSync(process.execPath, ['--input-type=module', '-e', END_OTHERS, fresh.url]);
    };
    const database = openDatabase({ url: fresh.url, poolSize: 1, onStatement });
    const act = () => database.transaction(tenantId, (tx) => tx.run({ name: null, text: 'select 1' }, []));
    await act();
    armed = true;
    await expect(act()).rejects.toMatchObject({ name: 'BridgeError', code: 'unavailable' });
    armed = false;
    await act();
    await database.close();
  },
);
