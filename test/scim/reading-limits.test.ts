// What a list costs, and what is done where it would cost too much.

import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Acme, acme } from '../support/acme.ts';
import { type Body, type DirectoryClient, directory, type ScimServer, scimServer } from '../support/scim.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
let okta: DirectoryClient;
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  server = await scimServer(world);
  okta = await directory(world, server, tenants.acme, 'okta');
  await plantUsers(3_000);
});
afterAll(async () => {
  await server?.close();
  await world?.close();
});

/** Users by the thousand, as rows: what is tested is how they are found. */
async function plantUsers(count: number): Promise<void> {
  const { tenantId } = tenants.acme;
  const [person] = await world.sql<{ id: string }>(
    `with s as (insert into subjects (tenant_id, subject_id, kind) values ($1, gen_random_uuid(), 'user') returning subject_id)
     insert into users (tenant_id, user_id, user_name, origin) select $1, s.subject_id, 'many', 'scim' from s returning user_id as id`,
    [tenantId],
  );
  await world.sql(
    `insert into directory_users (tenant_id, directory_user_id, connection_id, user_id, user_name, user_name_key, attributes, created_at, last_modified_at)
     select $1, gen_random_uuid(), $2, $3, 'p' || n, 'p' || n, jsonb_build_object('userName', 'p' || n, 'displayName', 'Person ' || n),
       now() - n * interval '1 second', now() - n * interval '1 second' from generate_series(1, $4::int) n`,
    [tenantId, tenants.okta, person?.id, count],
  );
  await world.sql(
    `insert into directory_counters (tenant_id, connection_id, resource, slot, count) values ($1, $2, 'users', 0, $3)`,
    [tenantId, tenants.okta, count],
  );
  await world.sql('analyze directory_users');
}

/** The plans of what a request sends, by the texts and values that reach the database. */
async function plansOf(path: string): Promise<string> {
  const plans: string[] = [];
  const explaining = await scimServer(world, {
    contextFor: (caller) => {
      const ctx = world.context(caller.actor);
      return {
        ...ctx,
        hot: (tenantId) => {
          const tx = ctx.hot(tenantId);
          const run: typeof tx.run = async (statement, values) => {
            if (/from directory_(users|groups) d/.test(statement.text)) {
              const rows = await world.sql<{ 'QUERY PLAN': string }>(`explain ${statement.text}`, values);
              plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
            }
            return tx.run(statement, values);
          };
          return { ...tx, run };
        },
      };
    },
  });
  const response = await fetch(`${explaining.url}/scim/v2/acme/okta${path}`, {
    headers: { Authorization: `Bearer ${okta.token}` },
  });
  expect([response.status, await response.text()]).toEqual([200, expect.any(String)]);
  await explaining.close();
  return plans.join('\n');
}

describe('T47 a page of many users in an order that an index has', () => {
  test.each([
    ['', 'directory_users_p'],
    ['sortBy=id&', 'directory_users_p'],
    ['sortBy=userName&', 'directory_users_open_user_name'],
    ['sortBy=displayName&', 'directory_users_by_display_name'],
    ['sortBy=meta.created&', 'directory_users_by_created'],
    ['sortBy=meta.lastModified&', 'directory_users_by_last_modified'],
  ])('is read from it, both ways, the first and the next: %s', async (sort, index) => {
    for (const order of ['ascending', 'descending']) {
      const query = `${sort}sortOrder=${order}&count=50&cursor=`;
      const first = (await okta.get(`/Users?${query}`)).body;
      expect(first.itemsPerPage).toBe(50);
      for (const cursor of ['', first.nextCursor]) {
        const plan = await plansOf(`/Users?${query}${cursor}`);
        expect(plan).toContain(index);
        expect(plan).not.toContain('Seq Scan on directory_users');
      }
    }
  });

  test('is one statement, whatever the order; a query without an index is one in a transaction of its own', async () => {
    const statementsOf = async (path: string) => {
      await okta.get('/Users?count=0');
      world.takeStatements();
      expect((await okta.get(path)).status).toBe(200);
      return world.takeStatements().filter((name) => !name.startsWith('scim_credential'));
    };
    expect(await statementsOf('/Users?sortBy=userName')).toEqual([expect.stringMatching(/^directory_page_/)]);
    expect(await statementsOf('/Users?filter=userName%20eq%20%22p7%22&sortBy=title')).toEqual([
      expect.stringMatching(/^directory_page_/),
    ]);
    expect(await statementsOf('/Users?filter=title%20pr')).toEqual([
      'begin',
      expect.stringMatching(/statement_timeout/),
      expect.stringMatching(/string_agg/),
      'commit',
    ]);
  });
});

test('RFC 7644 §3.12 a query that takes too long is 400 tooMany and never a 5xx; what an index serves waits and is 503', async () => {
  const owner = new pg.Client({ connectionString: world.url });
  await owner.connect();
  await owner.query('begin; lock table directory_users in access exclusive mode');
  const started = performance.now();
  const asked = [
    '/Users?filter=title%20co%20%22x%22',
    '/Users?sortBy=title',
    '/Users?filter=title%20pr&cursor=',
    '/Users',
  ];
  const answers = await Promise.all(asked.map((path) => okta.get(path)));
  expect(performance.now() - started).toBeLessThan(5_000);
  await owner.query('rollback');
  await owner.end();
  for (const answer of answers.slice(0, -1)) {
    expect([answer.status, answer.body.scimType, answer.body.detail]).toEqual([
      400,
      'tooMany',
      expect.stringMatching(/^The query takes too long/),
    ]);
  }
  expect(answers.at(-1)?.status).toBe(503);
});

test('groups in another order than that of their ids come each with its own members, however many', async () => {
  const { tenantId } = tenants.acme;
  const made: Body[] = [];
  for (const name of ['c', 'a', 'b', 'd']) made.push((await okta.post('/Groups', { displayName: name })).body);
  const sizes = [2_600, 0, 2_700, 3];
  for (const [index, group] of made.entries()) {
    await world.sql(
      `insert into group_members (tenant_id, group_id, directory_user_id)
       select tenant_id, $2, directory_user_id from directory_users where tenant_id = $1 order by directory_user_id limit $3`,
      [tenantId, group.id, sizes[index]],
    );
  }
  for (const [order, expected] of [
    [
      'ascending',
      [
        ['a', 0],
        ['b', 2_700],
        ['c', 2_600],
        ['d', 3],
      ],
    ],
    [
      'descending',
      [
        ['d', 3],
        ['c', 2_600],
        ['b', 2_700],
        ['a', 0],
      ],
    ],
  ] as const) {
    const { body } = await okta.get(`/Groups?sortBy=displayName&sortOrder=${order}`);
    expect(body.Resources.map((group: Body) => [group.displayName, group.members.length])).toEqual(expected);
    for (const group of body.Resources)
      expect(new Set(group.members.map((member: Body) => member.value)).size).toBe(group.members.length);
  }
});
