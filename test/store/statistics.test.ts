// Without statistics the planner takes any index that begins with tenant and connection for a look-up by name.

import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Context, Statement, TenantTx } from '../../src/context.ts';
import type { TenantId } from '../../src/core/ids.ts';
import { analyzeGrown, keepStatistics } from '../../src/store/statistics.ts';
import { type Acme, acme } from '../support/acme.ts';
import { bulk, create, statuses } from '../support/bulk.ts';
import { type DirectoryClient, directory, type ScimServer, scimServer, userBody } from '../support/scim.ts';
import { silent, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
let okta: DirectoryClient;
const sent: Statement[] = [];
beforeEach(async () => {
  serial = 0;
  world = await testWorld();
  tenants = await acme(world);
  // What autovacuum would do in its minute is not to be taken for what the server does.
  for (const table of ['directory_users', 'directory_groups', 'users', 'subjects', 'email_directory'])
    await world.sql(`alter table ${table} set (autovacuum_enabled = off)`);
  server = await scimServer(world, { contextFor: listening });
  okta = await directory(world, server, tenants.acme, 'okta');
});
afterEach(async () => {
  await server?.close();
  await world?.close();
});

function listening({ actor }: Context['caller']): Context {
  const ctx = world.context(actor);
  const hot = (tenantId: TenantId): TenantTx => {
    const tx = ctx.hot(tenantId);
    const run: TenantTx['run'] = (statement, values) => {
      sent.push(statement);
      return tx.run<never>(statement, values);
    };
    return { ...tx, run };
  };
  return { ...ctx, hot };
}

let serial: number;
const push = async (count: number): Promise<void> => {
  const users = Array.from({ length: count }, (_, index) => create(`b${index}`, userBody(`grown${++serial}`)));
  expect(new Set(statuses(await bulk(okta, users)))).toEqual(new Set(['201']));
};
const columnsKnown = async (table: string): Promise<number> =>
  (await world.sql<{ n: number }>('select count(*)::int as n from pg_stats where tablename = $1', [table]))[0]?.n ?? 0;

/** Indexes by which the last statement of a request looks into the directory's users, whatever values it is given. */
async function indexesOf(request: () => Promise<unknown>, name: RegExp): Promise<readonly string[]> {
  await request();
  const statement = sent.findLast((one) => name.test(one.name ?? ''));
  const client = new pg.Client({ connectionString: world.url });
  await client.connect();
  try {
    await client.query('set plan_cache_mode = force_generic_plan');
    await client.query(`prepare looked as ${statement?.text}`);
    const [, values = ''] =
      /\{(.*)\}/.exec(
        (await client.query(`select parameter_types::text from pg_prepared_statements where name = 'looked'`)).rows[0]
          .parameter_types,
      ) ?? [];
    const nulls = values.split(',').map(() => 'null');
    const { rows } = await client.query(`explain (format json) execute looked (${nulls.join(', ')})`);
    const plan = JSON.stringify(rows[0]);
    return [...plan.matchAll(/"Index Name":\s*"(directory_users_[a-z_]+)"/g)].map(([, index]) => index as string);
  } finally {
    await client.end();
  }
}

test('who left a directory is looked for by the index of that look-up, however little is known of the tables', async () => {
  const newcomer = await indexesOf(() => okta.post('/Users', userBody('the-first')), /^directory_newcomer$/);
  expect(newcomer.filter((index) => index.includes('former'))).toEqual([
    'directory_users_former',
    'directory_users_former_user_name',
  ]);
});

test('a directory of a thousand users has statistics without autovacuum, and its look-ups go by the indexes of names', async () => {
  await push(100);
  expect(await analyzeGrown(world.database.global)).toBe(0);
  await push(1_000);
  expect(await columnsKnown('directory_users')).toBe(0);
  const stop = keepStatistics(world.database.global, silent);
  await expect.poll(() => columnsKnown('directory_users'), { timeout: 40_000 }).toBeGreaterThan(0);
  await stop();

  const filter = (text: string) => () => okta.get(`/Users?filter=${encodeURIComponent(text)}`);
  const page = /^directory_page_/;
  expect(await indexesOf(filter('userName eq "x"'), page)).toEqual(['directory_users_open_user_name']);
  expect(await indexesOf(filter('externalId eq "x"'), page)).toEqual(['directory_users_open_external_id']);
  expect(await indexesOf(filter('emails.value eq "x@y.example"'), page)).toEqual(['directory_users_emails']);
  const newcomer = await indexesOf(() => okta.post('/Users', userBody('one-more')), /^directory_newcomer$/);
  expect(newcomer.slice(0, 2)).toEqual(['directory_users_open_user_name', 'directory_users_open_external_id']);
  expect(newcomer.filter((index) => /page|created|modified|display/.test(index))).toEqual([]);
});

test('what has grown by little is left alone, and what has doubled is analyzed again', async () => {
  const rows = async () =>
    (
      await world.sql<{ rows: number }>(`select reltuples::int as rows from pg_class where relname = 'directory_users'`)
    )[0]?.rows;
  await push(1_000);
  expect(await analyzeGrown(world.database.global)).toBeGreaterThan(0);
  const before = await rows();
  expect(before).toBe(serial);
  await push(200);
  await analyzeGrown(world.database.global);
  expect(await rows()).toBe(before);
  await push(1_000);
  await push(200);
  expect(await analyzeGrown(world.database.global)).toBeGreaterThan(0);
  expect(await rows()).toBe(serial);
});
