// A whole directory pushed through the API, and then the same again: the second time nothing is written.

import pg from 'pg';
import { type Client, each, openClient } from './client.ts';
import type { Drawbridge } from './drawbridge.ts';
import type { Options } from './options.ts';
import { say } from './progress.ts';
import { judged, type Row, rate } from './report.ts';
import { type BulkOperation, bulk, group, user } from './scim-messages.ts';

const DOMAIN = 'd10.example';
const WIDTH = 16;

export type FullSync = {
  readonly users: number;
  readonly groups: number;
  readonly largest: number;
  readonly byBulk: boolean;
  readonly first: { readonly seconds: number; readonly usersPerSecond: number };
  readonly again: { readonly seconds: number; readonly requestsPerSecond: number };
  /** Rows of people, groups and audit that the second push wrote or took away, by table. */
  readonly written: Readonly<Record<string, number>>;
};

export async function measureFullSync(
  drawbridge: Drawbridge,
  options: Options,
  bulkOperations: number,
): Promise<FullSync> {
  const { syncUsers: users, syncGroups: groups, syncLargestGroup: largest } = options;
  const target = await drawbridge.directory('d10');
  const client = openClient(target.baseUrl, target.token, WIDTH);
  const db = new pg.Client({ connectionString: drawbridge.superuserUrl });
  await db.connect();
  try {
    say(`full sync: ${users} users, ${groups} groups, one of ${largest}${bulkOperations > 0 ? ', by bulk' : ''}`);
    const begun = performance.now();
    const ids = bulkOperations > 0 ? await pushBulk(client, users, bulkOperations) : await pushOneByOne(client, users);
    const usersDone = performance.now();
    const groupIds = await pushGroups(client, ids, groups, largest);
    const firstDone = performance.now();
    say('full sync: the same again');
    const before = await state(db);
    const againBegun = performance.now();
    await repeat(client, ids, groupIds, largest);
    const seconds = (performance.now() - againBegun) / 1000;
    return {
      users,
      groups,
      largest,
      byBulk: bulkOperations > 0,
      first: {
        seconds: (firstDone - begun) / 1000,
        usersPerSecond: (users / (usersDone - begun)) * 1000,
      },
      again: { seconds, requestsPerSecond: (users + groups) / seconds },
      written: await writtenSince(db, before),
    };
  } finally {
    client.close();
    await db.end();
  }
}

async function must(client: Client, method: string, path: string, body: object, status: number): Promise<string> {
  const answer = await client.send(method, path, body);
  if (answer.status !== status)
    throw new Error(`full sync: ${method} ${path} was answered with ${answer.status}: ${answer.body.slice(0, 500)}`);
  return answer.body;
}

const told = (done: number, of: number) => {
  if (done % 20_000 === 0) say(`full sync: ${done} of ${of}`);
};

async function pushOneByOne(client: Client, users: number): Promise<readonly string[]> {
  const ids = new Array<string>(users);
  let done = 0;
  await each(users, WIDTH, async (index) => {
    const made = await must(client, 'POST', '/Users', user(`sync${index}`, DOMAIN), 201);
    ids[index] = (JSON.parse(made) as { id: string }).id;
    done += 1;
    told(done, users);
  });
  return ids;
}

async function pushBulk(client: Client, users: number, perRequest: number): Promise<readonly string[]> {
  const ids = new Array<string>(users);
  let done = 0;
  await each(Math.ceil(users / perRequest), 4, async (request) => {
    const from = request * perRequest;
    const operations = Array.from(
      { length: Math.min(perRequest, users - from) },
      (_, index): BulkOperation => ({
        method: 'POST',
        path: '/Users',
        bulkId: String(from + index),
        data: user(`sync${from + index}`, DOMAIN),
      }),
    );
    const answer = JSON.parse(await must(client, 'POST', '/Bulk', bulk(operations), 200)) as {
      Operations: { bulkId: string; status: string | number; location?: string }[];
    };
    for (const one of answer.Operations) {
      if (String(one.status) !== '201') throw new Error(`full sync: a bulk operation failed: ${JSON.stringify(one)}`);
      ids[Number(one.bulkId)] = one.location?.split('/').at(-1) ?? '';
    }
    done += operations.length;
    told(done, users);
  });
  return ids;
}

/** The first group is the large one; the others have twenty members each, spread over the directory. */
const membersOf = (index: number, ids: readonly string[], largest: number): readonly string[] =>
  index === 0
    ? ids.slice(0, largest)
    : Array.from({ length: 20 }, (_, n) => ids[(index * 37 + n * 101) % ids.length] ?? '');

async function pushGroups(
  client: Client,
  ids: readonly string[],
  groups: number,
  largest: number,
): Promise<readonly string[]> {
  const made = new Array<string>(groups);
  await each(groups, WIDTH, async (index) => {
    const members = [...new Set(membersOf(index, ids, largest))];
    const body = await must(client, 'POST', '/Groups', group(`Sync ${index}`, members), 201);
    made[index] = (JSON.parse(body) as { id: string }).id;
  });
  return made;
}

/** As a provider that lost its memory: every user and every group put whole. */
async function repeat(
  client: Client,
  ids: readonly string[],
  groupIds: readonly string[],
  largest: number,
): Promise<void> {
  let done = 0;
  await each(ids.length, WIDTH, async (index) => {
    await must(client, 'PUT', `/Users/${ids[index]}`, user(`sync${index}`, DOMAIN), 200);
    done += 1;
    told(done, ids.length);
  });
  await each(groupIds.length, WIDTH, async (index) => {
    const members = [...new Set(membersOf(index, ids, largest))];
    await must(client, 'PUT', `/Groups/${groupIds[index]}`, group(`Sync ${index}`, members), 200);
  });
}

const TABLES = [
  'subjects',
  'users',
  'email_directory',
  'directory_users',
  'directory_groups',
  'group_members',
  'directory_counters',
  'held_keys',
  'audit_events',
] as const;

type State = { readonly transaction: number; readonly rows: Readonly<Record<string, number>> };

async function state(db: pg.Client): Promise<State> {
  const rows: Record<string, number> = {};
  for (const table of TABLES) rows[table] = (await db.query(`select count(*)::int as n from ${table}`)).rows[0].n;
  const { rows: now } = await db.query(`select pg_current_xact_id()::text::numeric % 4294967296 as id`);
  return { transaction: Number(now[0].id), rows };
}

/** Rows that a transaction since then wrote, and rows that are gone. */
async function writtenSince(db: pg.Client, before: State): Promise<Record<string, number>> {
  const after = await state(db);
  const written: Record<string, number> = {};
  for (const table of TABLES) {
    const { rows } = await db.query(`select count(*)::int as n from ${table} where xmin::text::numeric > $1`, [
      before.transaction,
    ]);
    const gone = Math.max(0, (before.rows[table] ?? 0) + rows[0].n - (after.rows[table] ?? 0));
    if (rows[0].n + gone > 0) written[table] = rows[0].n + gone;
  }
  return written;
}

export function fullSyncRows({ users, groups, largest, byBulk, first, again, written }: FullSync): readonly Row[] {
  const none = { times: null, cpu: null, limit: null };
  const total = Object.values(written).reduce((sum, n) => sum + n, 0);
  const where = Object.entries(written).map(([table, n]) => `${table} ${n}`);
  return [
    {
      ...none,
      job: `full sync of ${users} users (${byBulk ? 'bulk' : 'one by one'}), ${groups} groups, one of ${largest}: ${first.seconds.toFixed(0)} s`,
      ours: rate(first.usersPerSecond),
      ...judged(first.usersPerSecond, { least: 50 }, '/s'),
    },
    {
      ...none,
      job: `the same again, ${again.seconds.toFixed(0)} s: rows written${where.length > 0 ? ` (${where.join(', ')})` : ''}`,
      ours: rate(again.requestsPerSecond),
      ...judged(total, { most: 0 }),
    },
  ];
}
