// A directory filled without the server: one user is pushed through it, and its rows are copied with other ids and names, so that
// the tables hold what they would hold if everybody had been pushed.

import pg from 'pg';
import { type Client, openClient } from './client.ts';
import type { Drawbridge, Target } from './drawbridge.ts';
import { say } from './progress.ts';
import { group, user } from './scim-messages.ts';

/** Ids of what is seeded come before all that the server makes. */
export const personPrefix = '01900000-0000-7001-8000-';
export const userPrefix = '01900000-0000-7002-8000-';
/** Ids of what is made afterwards, by the limit and by the server. */
const SEEDED_BELOW = '01900000-0001-0000-0000-000000000000';
const TEMPLATE = 'benchtemplate';
const BATCH = 50_000;
const id = (prefix: string, n = 'n') => `('${prefix}' || lpad(to_hex(${n}), 12, '0'))::uuid`;

export type Seed = {
  /** Adds users until there are so many: `bench1@d0.example`, `bench2@d0.example` … */
  growTo(users: number): Promise<void>;
  readonly users: number;
  /** The group of so many members, the first so many users. */
  group(size: number): Promise<string>;
  /** Puts every group of {@link Seed.group} back to its size; how many members were too many. */
  resetGroup(size: number): Promise<number>;
  /** Has PostgreSQL do now what it would do beside whatever is measured next. */
  settle(): Promise<void>;
  /** Users beyond the seeded ones. */
  strangers(): Promise<number>;
  /** Takes out the users beyond the seeded ones, so that the next job meets the same tables. False: this user may not. */
  removeStrangers(): Promise<boolean>;
  close(): Promise<void>;
};

export async function openSeed(drawbridge: Drawbridge, target: Target): Promise<Seed> {
  const db = new pg.Client({ connectionString: drawbridge.superuserUrl });
  await db.connect();
  const mayCutCorners = drawbridge.superuserUrl !== drawbridge.databaseUrl;
  // Foreign keys of copied rows hold by construction, and checking them takes longer than the copying.
  if (mayCutCorners) await db.query('set session_replication_role = replica');
  const client = openClient(target.baseUrl, target.token, 1);
  const { tenantId } = drawbridge;
  const { connectionId } = target;
  const template = await pushTemplate(client, db, tenantId);
  const groups = new Map<number, string>();
  let users = 0;

  const setCounter = (resource: 'users' | 'groups', total: number) =>
    db.query(
      `insert into directory_counters (tenant_id, connection_id, resource, slot, count)
       select $1, $2, $3, s, $4::bigint / 64 + (s < $4::bigint % 64)::int from generate_series(0, 63) s
       on conflict (tenant_id, connection_id, resource, slot) do update set count = excluded.count`,
      [tenantId, connectionId, resource, total],
    );

  const settle = async (): Promise<void> => {
    await db.query('vacuum (analyze)');
    await db.query('checkpoint').catch(() => {});
  };

  return {
    get users() {
      return users;
    },
    async growTo(wanted) {
      for (let from = users + 1; from <= wanted; from += BATCH) {
        const to = Math.min(wanted, from + BATCH - 1);
        for (const table of ['subjects', 'users', 'directory_users', 'email_directory', 'audit_events'])
          await copy(db, table, template, from, to);
        if (to % (BATCH * 4) === 0) say(`seeded ${to} of ${wanted} users`);
      }
      await suspend(db, tenantId, users + 1, wanted);
      users = wanted;
      // The template is one of them.
      await setCounter('users', users + 1);
      await settle();
      await expectTotal(client, users + 1);
      say(`the directory has ${users} users`);
    },
    settle,
    async group(size) {
      const known = groups.get(size);
      if (known !== undefined) return known;
      const made = await client.send('POST', '/Groups', group(`Group of ${size}`));
      if (made.status !== 201) throw new Error(`a group was not created: ${made.status} ${made.body}`);
      const groupId = (JSON.parse(made.body) as { id: string }).id;
      await db.query(
        `insert into group_members (tenant_id, group_id, directory_user_id) select $1, $2, ${id(userPrefix)} from generate_series(1, $3::int) n`,
        [tenantId, groupId, size],
      );
      await db.query('vacuum (analyze) group_members');
      groups.set(size, groupId);
      return groupId;
    },
    async resetGroup(size) {
      const { rowCount } = await db.query(
        `delete from group_members where tenant_id = $1 and group_id = $2 and directory_user_id > ${id(userPrefix, '$3::int')}`,
        [tenantId, groups.get(size), size],
      );
      await db.query('vacuum (analyze) group_members');
      return rowCount ?? 0;
    },
    async strangers() {
      const { rows } = await db.query(
        'select count(*)::int as n from directory_users where tenant_id = $1 and connection_id = $2 and directory_user_id >= $3',
        [tenantId, connectionId, SEEDED_BELOW],
      );
      return rows[0].n - 1;
    },
    async removeStrangers() {
      if (!mayCutCorners) return false;
      const strangers = `select user_id from directory_users where tenant_id = $1 and connection_id = $2 and directory_user_id >= $3 and user_id <> $4`;
      const values = [tenantId, connectionId, SEEDED_BELOW, template.personId];
      await db.query('create temporary table strangers (user_id uuid primary key)');
      await db.query(`insert into strangers ${strangers}`, values);
      for (const [table, column] of [
        ['audit_events', 'object_id'],
        ['email_directory', 'user_id'],
        ['directory_users', 'user_id'],
        ['users', 'user_id'],
        ['subjects', 'subject_id'],
      ] as const) {
        await db.query(`delete from ${table} t using strangers s where t.tenant_id = $1 and t.${column} = s.user_id`, [
          tenantId,
        ]);
        await db.query(`vacuum (analyze) ${table}`);
      }
      await db.query('drop table strangers');
      await setCounter('users', users + 1);
      return true;
    },
    async close() {
      client.close();
      await db.end();
    },
  };
}

type Template = { readonly tenantId: string; readonly personId: string; readonly resourceId: string };

async function pushTemplate(client: Client, db: pg.Client, tenantId: string): Promise<Template> {
  const made = await client.send('POST', '/Users', user(TEMPLATE, 'd0.example'));
  if (made.status !== 201) throw new Error(`the first user was not created: ${made.status} ${made.body}`);
  const { id: resourceId } = JSON.parse(made.body) as { id: string };
  const { rows } = await db.query(
    'select user_id from directory_users where tenant_id = $1 and directory_user_id = $2',
    [tenantId, resourceId],
  );
  return { tenantId, personId: rows[0].user_id, resourceId };
}

/** Copies the template's row of one table, whatever columns it has. */
async function copy(db: pg.Client, table: string, template: Template, from: number, to: number): Promise<void> {
  const { tenantId, personId, resourceId } = template;
  const { rows: columns } = await db.query<{ name: string; type: string }>(
    `select attname as name, format_type(atttypid, null) as type from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''`,
    [table],
  );
  const own = { subjects: 'subject_id', users: 'user_id', audit_events: 'object_id', email_directory: 'user_id' };
  const key = own[table as keyof typeof own] ?? 'directory_user_id';
  const where = `t.tenant_id = '${tenantId}' and t.${key} = '${key === 'directory_user_id' ? resourceId : personId}'`;
  const { rows } = await db.query(`select to_jsonb(t) as row from ${table} t where ${where} limit 1`);
  if (rows.length === 0)
    throw new Error(`${table} holds nothing of a user that was pushed; scripts/bench/seed.ts has to learn why.`);
  const values = columns.map(({ name, type }) => {
    const held = JSON.stringify(rows[0].row[name]);
    if (name === 'event_id') return 'gen_random_uuid()';
    if (name === 'transaction_id') return 'pg_current_xact_id()';
    if (name === 'occurred_at') return 'clock_timestamp()';
    if (held === `"${personId}"`) return id(personPrefix);
    if (held === `"${resourceId}"`) return id(userPrefix);
    let value = `t.${name}::text`;
    if (held.includes(TEMPLATE)) value = `replace(${value}, '${TEMPLATE}', 'bench' || n)`;
    if (held.includes(personId)) value = `replace(${value}, '${personId}', ${id(personPrefix)}::text)`;
    if (held.includes(resourceId)) value = `replace(${value}, '${resourceId}', ${id(userPrefix)}::text)`;
    return value === `t.${name}::text` ? `t.${name}` : `${value}::${type}`;
  });
  await db.query(
    `insert into ${table} (${columns.map(({ name }) => name).join(', ')})
     select ${values.join(', ')} from ${table} t, generate_series(${from}, ${to}) n where ${where}`,
  );
}

/** One person in a thousand is suspended, with the keys that make it stick: a tenant without any is quicker than a real one. */
async function suspend(db: pg.Client, tenantId: string, from: number, to: number): Promise<void> {
  const everyThousandth = 'from generate_series($2::int, $3::int) n where n % 1000 = 0';
  const values = [tenantId, from, to];
  await db.query(
    `insert into suspensions (tenant_id, suspension_id, subject_id, suspended_by)
     select $1, gen_random_uuid(), ${id(personPrefix)}, '{"kind": "operator", "name": "bench"}' ${everyThousandth}`,
    values,
  );
  await db.query(
    `insert into held_keys (tenant_id, key_hash, subject_id)
     select $1, sha256(convert_to(n || key, 'UTF8')), ${id(personPrefix)}
     from (select n ${everyThousandth}) suspended, unnest(array['address', 'external id']) key`,
    values,
  );
}

async function expectTotal(client: Client, wanted: number): Promise<void> {
  const { body } = await client.send('GET', '/Users?count=1');
  const found = (JSON.parse(body) as { totalResults?: number }).totalResults;
  if (found !== wanted) throw new Error(`the server counts ${found} users where ${wanted} were seeded`);
}
