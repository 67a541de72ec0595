// What a list costs, and what is done where it would cost too much.

import pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Acme } from '../support/acme.ts';
import { type Body, type DirectoryClient, scimServer } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
/** Has nobody. */
let entra: DirectoryClient;
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta, entra } = stage);
  await plantUsers(3_000);
  return stage.close;
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

/** The plans of what a request sends, by the texts and values that reach the database; `any`: the plan that is made for any values. */
async function plansOf(
  path: string,
  of: { readonly client?: DirectoryClient; readonly any?: true } = {},
): Promise<string> {
  const { client = okta, any = false } = of;
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
              const explain = any ? 'explain (generic_plan)' : 'explain';
              const given = any ? [] : values;
              const rows = await world.sql<{ 'QUERY PLAN': string }>(`${explain} ${statement.text}`, given);
              plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
            }
            return tx.run(statement, values);
          };
          return { ...tx, run };
        },
      };
    },
  });
  const response = await fetch(`${explaining.url}/scim/v2/acme/${client === okta ? 'okta' : 'entra'}${path}`, {
    headers: { Authorization: `Bearer ${client.token}` },
  });
  expect([response.status, await response.text()]).toEqual([200, expect.any(String)]);
  await explaining.close();
  return plans.join('\n');
}

const costOf = (plan: string): number => Number(/cost=[\d.]+\.\.([\d.]+)/.exec(plan)?.[1]);

describe('T47 a page of many users in an order that an index has', () => {
  test.each([
    ['', 'directory_users_page'],
    ['sortBy=id&', 'directory_users_page'],
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

  test.each([
    ['/Users?count=50', null],
    ['/Users?count=50&sortOrder=descending', null],
    ['/Users?count=50&cursor=', 'next'],
    ['/?count=50', null],
  ])('has one plan for every directory, which finds nobody in an empty one at once: %s', async (path, next) => {
    const cursor = next === null ? '' : (await okta.get(path)).body.nextCursor;
    for (const client of [okta, entra]) {
      for (const asked of client === okta ? [path, `${path}${cursor}`] : [path]) {
        const plan = await plansOf(asked, { client, any: true });
        expect(plan).toContain('directory_users_page');
        expect(plan).toMatch(/Index Cond: .*connection_id/);
        expect(plan).not.toContain('Seq Scan on directory_users');
        // A row that was found may be read by its id.
        expect(plan).not.toMatch(/_pkey on directory_users .*\n *Index Cond: (?!.*directory_user_id = )/);
        // The database takes that plan, and plans no more, where one for the values at hand does not promise less work.
        expect(costOf(plan)).toBeLessThanOrEqual(costOf(await plansOf(asked, { client })));
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

describe('a filter that an index serves', () => {
  const shared = (name: string) => ({ emails: [{ type: 'work', value: `${name}@shared.example` }] });
  const filterBy = (name: string) => `filter=${encodeURIComponent(`emails.value eq "${name}@shared.example"`)}`;
  const plant = (name: string, count: number) =>
    world.sql(
      `update directory_users set attributes = attributes || $3::jsonb where tenant_id = $1 and connection_id = $2
         and directory_user_id in (select directory_user_id from directory_users where tenant_id = $1 order by user_name limit $4)`,
      [tenants.acme.tenantId, tenants.okta, JSON.stringify(shared(name)), count],
    );

  test.each([
    ['few', 7],
    ['many', 450],
  ])('is paged and counted alike, both ways, where it leads to %s', async (name, count) => {
    await plant(name, count);
    const all: string[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const { body } = await okta.get(`/Users?${filterBy(name)}&count=3&cursor=${cursor}&attributes=id`);
      expect(body.totalResults).toBe(count);
      all.push(...body.Resources.map(({ id }: Body) => id));
      cursor = body.nextCursor;
    }
    expect(all).toEqual([...new Set(all)].sort());
    expect(all).toHaveLength(count);
    const page = async (parameters: string) => {
      const { body } = await okta.get(`/Users?${filterBy(name)}&attributes=id&${parameters}`);
      return [body.totalResults, ...body.Resources.map(({ id }: Body) => id)];
    };
    expect(await page('startIndex=3&count=2')).toEqual([count, all[2], all[3]]);
    expect(await page('startIndex=1&count=1')).toEqual([count, all[0]]);
    expect(await page('count=0')).toEqual([count]);
    expect(await page('startIndex=2&count=2&sortOrder=descending')).toEqual([count, all.at(-2), all.at(-3)]);
    expect(await page(`startIndex=${count}&count=5`)).toEqual([count, all.at(-1)]);
    const second = (await okta.get(`/Users?${filterBy(name)}&count=2&cursor=`)).body.nextCursor;
    const back = (await okta.get(`/Users?${filterBy(name)}&count=2&cursor=${second}`)).body.previousCursor;
    expect(await page(`count=2&cursor=${back}`)).toEqual([count, all[0], all[1]]);
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
  const answers = await Promise.all(asked.map((path) => okta.get(path))).finally(() => owner.end());
  expect(performance.now() - started).toBeLessThan(5_000);
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
  for (const { id } of (await okta.get('/Groups')).body.Resources ?? []) await okta.delete(`/Groups/${id}`);
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
