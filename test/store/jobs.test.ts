// The job queue where its database fails it.

import pg from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startJobs } from '../../src/store/jobs.ts';
import { begun } from '../support/begun.ts';
import { testDatabase } from '../support/database.ts';
import { silent } from '../support/world.ts';

let fresh: Awaited<ReturnType<typeof testDatabase>>;
let client: pg.Client;
beforeEach(async () => {
  fresh = await testDatabase();
  client = new pg.Client({ connectionString: fresh.url });
  await client.connect();
});
afterEach(async () => {
  await client?.end();
  await fresh?.close();
});

/** What each connection of the queue waits for. */
async function connections(): Promise<readonly (string | null)[]> {
  // Read once a transaction otherwise.
  await client.query('select pg_stat_clear_snapshot()');
  const { rows } = await client.query<{ waits: string | null }>(
    `select wait_event_type as waits from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
  );
  return rows.map(({ waits }) => waits);
}
const addJob = () => client.query(`select graphile_worker.add_job('note', '{}')`);
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 20_000; waited += 50) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not in 20 s: ${what}`);
}

test('FT2 a queue that is stopped while it starts again, after its database failed it, does no job afterwards', async () => {
  // The queue says there what its worker died of.
  vi.spyOn(console, 'trace').mockReturnValue();
  let done = 0;
  // Struck off nowhere, the first job ends the queue.
  const note = async () => {
    done += 1;
    await client.query('alter table graphile_worker._private_jobs rename to away');
  };
  const stop = await startJobs({ url: fresh.url, tasks: { note }, log: silent, pollSeconds: 0.05 });
  await addJob();
  await until('the queue has given up', async () => done === 1 && (await connections()).length === 0);
  await client.query('alter table graphile_worker.away rename to _private_jobs');
  // What the queue looks at first: it is held here, half started.
  await client.query('begin');
  await client.query('lock table graphile_worker.migrations');
  await until('it starts again', async () => (await connections()).includes('Lock'));
  const stopped = begun(stop());
  await client.query('rollback');
  await stopped;
  await addJob();
  await until('its connections are gone', async () => (await connections()).length === 0);
  expect(done).toBe(1);
});
