import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { groupNameKey, userNameKey } from '../../src/core/profile.ts';
import type { Source } from '../../src/scim/attribute-sql.ts';
import { parseFilter, parsePath } from '../../src/scim/filter.ts';
import { matchesElement } from '../../src/scim/filter-match.ts';
import { filterSql } from '../../src/scim/filter-sql.ts';
import type { JsonObject, JsonValue } from '../../src/scim/json.ts';
import { enterpriseUserUrn, groupSchema, userSchema } from '../../src/scim/schema.ts';
import { decodeUser } from '../../src/scim/user-codec.ts';
import { testDatabase } from '../support/database.ts';

const id = (kind: number, index: number): string => `0192f0c4-7b1e-7c3a-9d2f-${kind}${String(index).padStart(11, '0')}`;
const tenantId = id(0, 1);
const connectionId = id(0, 2);
const USER = 1;
const GROUP = 2;

const work = (value: string, more: JsonObject = {}): JsonObject => ({ type: 'work', value, ...more });
/** Users by their place in this list; what a filter finds is told by places. */
const users: readonly JsonObject[] = [
  {
    userName: 'alice@acme.example',
    externalId: 'A-1',
    displayName: 'Alice Liddell',
    title: '100% fun',
    emails: [work('Alice@Acme.Example', { primary: true })],
  },
  {
    userName: 'Bob@acme.example',
    externalId: 'a-1',
    active: false,
    displayName: 'bob',
    name: { givenName: 'Bob', familyName: 'O\'Brien"\\' },
    emails: [work('bob@acme.example'), { type: 'home', value: 'bob@home.example', primary: true }],
  },
  {
    userName: 'carol_x',
    title: 'under_score',
    emails: [{ type: 'home', value: 'alice@acme.example' }],
    [enterpriseUserUrn]: { department: 'Sales', manager: { value: id(USER, 0) } },
  },
  {
    userName: 'carolyx',
    title: 'back\\slash',
    roles: [{ value: 'owner', primary: true }, { value: 'guest' }],
    [enterpriseUserUrn]: { employeeNumber: '7', department: 'sales ops' },
  },
  { userName: '１００％', nickName: 'É', phoneNumbers: [{ type: 'mobile', value: '+1' }] },
];
const groups = ['Admins', 'admins-ops', 'Empty'];
/** Members of each group, by place. */
const memberships: readonly (readonly number[])[] = [[0, 1], [1], []];

const baseUrl = 'https://id.example/scim/v2/acme/okta';
const sourceOf = (resource: 'User' | 'Group'): Source => ({
  schema: resource === 'User' ? userSchema : groupSchema,
  baseUrl,
});

const database = await testDatabase();
const client = new pg.Client({ connectionString: database.url });

beforeAll(async () => {
  await client.connect();
  const run = (text: string, values: readonly unknown[]) => client.query(text, [...values]);
  await run(`insert into tenants (tenant_id, slug, display_name) values ($1, 'system', 'System')`, [id(0, 9)]);
  await run(`insert into tenants (tenant_id, slug, parent_id, display_name) values ($1, 'acme', $2, 'Acme')`, [
    tenantId,
    id(0, 9),
  ]);
  await run(`insert into connections (tenant_id, connection_id, key, display_name) values ($1, $2, 'okta', 'Okta')`, [
    tenantId,
    connectionId,
  ]);
  for (const [index, body] of users.entries()) {
    const user = decodeUser(body, { notes: [], schema: userSchema });
    const userId = id(3, index);
    await run(`insert into subjects (tenant_id, subject_id, kind) values ($1, $2, 'user')`, [tenantId, userId]);
    await run(`insert into users (tenant_id, user_id, user_name, origin) values ($1, $2, $3, 'scim')`, [
      tenantId,
      userId,
      user.userName,
    ]);
    await run(
      `insert into directory_users (tenant_id, directory_user_id, connection_id, user_id, external_id, user_name, user_name_key, email, active,
         attributes, created_at, last_modified_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)`,
      [
        tenantId,
        id(USER, index),
        connectionId,
        userId,
        user.externalId,
        user.userName,
        userNameKey(user.userName),
        user.email,
        user.active,
        JSON.stringify(user.attributes),
        `2025-01-0${index + 1}T00:00:00.123456Z`,
      ],
    );
  }
  for (const [index, displayName] of groups.entries()) {
    await run(
      `insert into directory_groups (tenant_id, group_id, connection_id, external_id, display_name, display_name_key) values ($1, $2, $3, $4, $5, $6)`,
      [tenantId, id(GROUP, index), connectionId, `ext-${index}`, displayName, groupNameKey(displayName)],
    );
    for (const member of memberships[index] ?? []) {
      await run('insert into group_members (tenant_id, group_id, directory_user_id) values ($1, $2, $3)', [
        tenantId,
        id(GROUP, index),
        id(USER, member),
      ]);
    }
  }
});
afterAll(async () => {
  await client.end();
  await database.close();
});

async function find(filter: string, resource: 'User' | 'Group'): Promise<readonly number[]> {
  const isUser = resource === 'User';
  const source = sourceOf(resource);
  const { sql, params } = filterSql(parseFilter(filter, source.schema), source, 3);
  const [table, key] = isUser ? ['directory_users', 'directory_user_id'] : ['directory_groups', 'group_id'];
  const text = `select d.${key} as id from ${table} d where d.tenant_id = $1 and d.connection_id = $2 and ${sql} order by 1`;
  const { rows } = await client.query<{ id: string }>(text, [tenantId, connectionId, ...params]);
  return rows.map((row) => Number(row.id.slice(-3)));
}
const findUsers = (filter: string) => find(filter, 'User');
const findGroups = (filter: string) => find(filter, 'Group');

describe('a filter on users finds, in PostgreSQL,', () => {
  test.each([
    // What providers match by.
    ['userName eq "ALICE@ACME.EXAMPLE"', [0]],
    ['userName eq "alice@acme.example" and active eq true', [0]],
    ['userName eq "8c3ce3b2-3a33-4d8c-a6c5-ba2c5ae9b1c2"', []],
    ['externalId eq "A-1"', [0]],
    ['externalId eq "a-1"', [1]],
    [`id eq "${id(USER, 2)}"`, [2]],
    [`id eq "${id(USER, 2)}" and manager eq "${id(USER, 0)}"`, [2]],
    [`id eq "${id(USER, 2)}" and manager eq "${id(USER, 1)}"`, []],
    ['emails[type eq "work"].value eq "alice@acme.example"', [0]],
    ['emails.value eq "alice@acme.example"', [0, 2]],
    ['emails eq "ALICE@acme.example"', [0, 2]],
    // Case, and everything that LIKE would take for more than itself (T44).
    ['nickName eq "é"', [4]],
    ['externalId ne "A-1"', [1, 2, 3, 4]],
    ['userName co "L_X"', [2]],
    ['userName co "%"', [4]],
    ['userName co "％"', [4]],
    ['userName sw "100"', [4]],
    ['title co "%"', [0]],
    ['title sw "100%"', [0]],
    ['title co "_"', [2]],
    ['title co "\\\\"', [3]],
    ['title ew "\\\\slash"', [3]],
    ['title ew "FUN"', [0]],
    ['name.familyName eq "o\'brien\\"\\\\"', [1]],
    ['userName eq "\' or 1=1 --"', []],
    ['displayName eq "$1"', []],
    // Absence.
    ['title pr', [0, 2, 3]],
    ['not (title pr)', [1, 4]],
    ['title eq null', [1, 4]],
    ['title ne null', [0, 2, 3]],
    ['title ne "100% fun"', [1, 2, 3, 4]],
    ['not (title co "x")', [0, 1, 2, 3, 4]],
    ['name pr', [1]],
    ['emails pr', [0, 1, 2]],
    ['not (emails pr)', [3, 4]],
    ['emails.primary pr', [0, 1]],
    ['manager pr', [2]],
    ['meta pr and id pr and schemas pr and active pr', [0, 1, 2, 3, 4]],
    // Elements: one has to satisfy all.
    ['emails[type eq "work" and primary eq true]', [0]],
    ['emails.type eq "work" and emails.primary eq true', [0, 1]],
    ['emails[type eq "work" and value co "bob"]', [1]],
    ['emails[type eq "home" and value co "alice"] or roles[value eq "owner"]', [2, 3]],
    ['emails[not (type eq "work")]', [1, 2]],
    ['emails.type ne "work"', [1, 2]],
    ['not (emails[type eq "work"])', [2, 3, 4]],
    ['roles[primary eq false].value eq "guest"', [3]],
    ['roles[primary eq "True"].value eq "owner"', [3]],
    ['roles[primary eq "True"].value eq "guest"', []],
    ['name[givenName eq "BOB"]', [1]],
    // Extensions, in three spellings.
    [`${enterpriseUserUrn}:department sw "sales"`, [2, 3]],
    ['department eq "SALES"', [2]],
    ['employeeNumber ge "7"', [3]],
    [`${enterpriseUserUrn}:manager.value eq "${id(USER, 0)}"`, [2]],
    [`schemas eq "${enterpriseUserUrn}"`, [2, 3]],
    ['schemas eq "urn:ietf:params:scim:schemas:core:2.0:USER"', [0, 1, 2, 3, 4]],
    // Order, times, ids that are none.
    ['userName lt "bob@acme.example"', [0, 4]],
    ['userName ge "carol_x"', [2, 3]],
    ['active eq false', [1]],
    ['active ne false', [0, 2, 3, 4]],
    ['meta.created gt "2025-01-03T00:00:00Z"', [2, 3, 4]],
    ['meta.lastModified le "2025-01-02T01:00:00.123+01:00"', [0, 1]],
    ['meta.lastModified eq "2025-01-02T00:00:00.123Z"', [1]],
    ['meta.resourceType eq "User"', [0, 1, 2, 3, 4]],
    ['meta.version eq "W/\\"1\\""', [0, 1, 2, 3, 4]],
    ['id eq "1"', []],
    ['id eq "\' or true --"', []],
    ['id ne "1"', [0, 1, 2, 3, 4]],
    ['id sw "0192" and id ew "004"', [4]],
    // Groups of a user.
    [`groups eq "${id(GROUP, 0)}"`, [0, 1]],
    [`groups[value eq "${id(GROUP, 1)}" and type eq "direct"]`, [1]],
    ['groups pr', [0, 1]],
    ['groups eq "x"', []],
    ['groups.display eq "ADMINS"', [0, 1]],
    ['groups[display sw "admins-" and type eq "direct"]', [1]],
    [`groups.$ref eq "${baseUrl}/Groups/${id(GROUP, 1)}"`, [1]],
    [`groups.$ref eq "https://elsewhere.example/Groups/${id(GROUP, 1)}"`, []],
    // Addresses, and the only complex attribute without elements of its own.
    [`meta.location eq "${baseUrl}/Users/${id(USER, 2)}"`, [2]],
    [`meta.location ne "${baseUrl}/Users/${id(USER, 2)}"`, [0, 1, 3, 4]],
    ['meta.location eq "x"', []],
    [`meta.location sw "https://id.example/" and meta.location ew "/Users/${id(USER, 3)}"`, [3]],
    ['meta[resourceType eq "User" and created lt "2025-01-02T00:00:00Z"]', [0]],
    ['meta[not (resourceType eq "User")]', []],
    // What has no value, said of a whole attribute.
    ['name eq null', [0, 2, 3, 4]],
    ['name ne null', [1]],
    ['emails eq null and addresses eq null', [3, 4]],
  ])('by %s the users %j (RFC 7644 §3.4.2.2)', async (filter, found) => expect(await findUsers(filter)).toEqual(found));
});

describe('a filter on groups finds, in PostgreSQL,', () => {
  test.each([
    ['displayName eq "ADMINS"', [0]],
    ['displayName eq "admins "', [0]],
    ['displayName sw "admins"', [0, 1]],
    ['displayName co "s-"', [1]],
    ['externalId eq "ext-2"', [2]],
    [`id eq "${id(GROUP, 0)}" and members eq "${id(USER, 1)}"`, [0]],
    [`id eq "${id(GROUP, 1)}" and members eq "${id(USER, 0)}"`, []],
    [`members.value eq "${id(USER, 1)}"`, [0, 1]],
    [`members[value eq "${id(USER, 0)}" and type eq "User"]`, [0]],
    ['members[type eq "Group"]', []],
    ['members eq "not a uuid"', []],
    ['members pr', [0, 1]],
    ['not (members pr)', [2]],
    ['meta.resourceType eq "Group"', [0, 1, 2]],
    ['members.display eq "alice LIDDELL"', [0]],
    ['members[display co "o" and type eq "User"]', [0, 1]],
    [`members.$ref eq "${baseUrl}/Users/${id(USER, 1)}"`, [0, 1]],
    [`members[$ref ew "${id(USER, 0)}"]`, [0]],
    [`meta.location eq "${baseUrl}/Groups/${id(GROUP, 2)}"`, [2]],
    ['members eq null', [2]],
  ])('by %s the groups %j', async (filter, found) => expect(await findGroups(filter)).toEqual(found));
});

describe('the text of a condition', () => {
  test('never holds a word of the client, and is the same for filters of one shape (T44)', () => {
    const sqlOf = (filter: string) => filterSql(parseFilter(filter, userSchema), sourceOf('User'), 3).sql;
    const values = ['x', "'; drop table directory_users; --", 'pg_sleep(6)', '$9', '%'];
    for (const shape of [
      'userName eq V',
      'title co V',
      'emails[type eq V].value eq V',
      'manager sw V',
      'not (displayName gt V)',
    ]) {
      const texts = values.map((value) => sqlOf(shape.replaceAll('V', JSON.stringify(value))));
      expect(new Set(texts).size, shape).toBe(1);
      expect(texts[0]).not.toMatch(/drop table|pg_sleep|\$9/);
    }
  });

  test('numbers its parameters from the first that is free', () => {
    const { sql, params } = filterSql(
      parseFilter('userName eq "A" and externalId eq "b"', userSchema),
      sourceOf('User'),
      7,
    );
    expect(sql).toBe('(d.user_name_key = $7::text and d.external_id = $8::text)');
    expect(params).toEqual(['a', 'b']);
  });

  test.each([
    ['User', 'userName eq "x"', 'directory_users_open_user_name'],
    ['User', 'externalId eq "x"', 'directory_users_open_external_id'],
    ['User', 'emails[type eq "work"].value eq "P7@acme.example"', 'directory_users_emails'],
    ['User', 'emails.value eq "p7@acme.example"', 'directory_users_emails'],
    ['User', 'meta.lastModified gt "2035-01-01T00:00:00Z"', 'directory_users_by_last_modified'],
    ['User', 'meta.created eq "2035-01-01T00:00:00Z"', 'directory_users_by_created'],
    ['User', `id eq "${id(USER, 1)}" and manager eq "x"`, /Index Cond: .*directory_user_id = /],
    ['Group', 'displayName eq "x"', 'directory_groups_open_name'],
    ['Group', `id eq "${id(GROUP, 1)}" and members eq "${id(USER, 1)}"`, 'group_members_pkey'],
  ] as const)('lets PostgreSQL answer by an index among many: %s by %s', async (resource, filter, index) => {
    const isUser = resource === 'User';
    const source = sourceOf(resource);
    const { sql, params } = filterSql(parseFilter(filter, source.schema), source, 3);
    const table = isUser ? 'directory_users' : 'directory_groups';
    await client.query('begin');
    onTestFinished(async () => void (await client.query('rollback')));
    await client.query(
      `insert into directory_users (tenant_id, directory_user_id, connection_id, user_id, user_name, user_name_key, external_id, attributes)
       select $1, gen_random_uuid(), $2, $3, 'p' || n, 'p' || n, 'p' || n,
         jsonb_build_object('emails', jsonb_build_array(jsonb_build_object('type', 'work', 'value', 'p' || n || '@acme.example')))
       from generate_series(1, 3000) n`,
      [tenantId, connectionId, id(3, 0)],
    );
    await client.query(
      `insert into directory_groups (tenant_id, group_id, connection_id, display_name, display_name_key)
       select $1, gen_random_uuid(), $2, 'g' || n, 'g' || n from generate_series(1, 3000) n`,
      [tenantId, connectionId],
    );
    await client.query(
      'insert into group_members select tenant_id, group_id, $1 from directory_groups on conflict do nothing',
      [id(USER, 2)],
    );
    await client.query('analyze directory_users, directory_groups, group_members');
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(
      `explain select 1 from ${table} d where d.tenant_id = $1 and d.connection_id = $2 and d.ended_at is null and ${sql}`,
      [tenantId, connectionId, ...params],
    );
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toMatch(index);
  });
});

/** The same question answered slowly over the resources themselves, as the standard says it. */
type Term = { readonly text: string; readonly holds: (user: JsonObject) => boolean };

function valuesAt(user: JsonObject, path: string): readonly JsonValue[] {
  const [name = '', sub] = path.split('.');
  const held = user[name] ?? (user[enterpriseUserUrn] as JsonObject | undefined)?.[name];
  const all = held === undefined ? [] : Array.isArray(held) ? held : [held];
  return sub === undefined ? all : all.map((value) => (value as JsonObject)[sub] ?? null);
}

const words = ['a', 'A', 'alice', '%', '_', '\\', '100%', 'sales', 'work', 'home', 'b', 'é', 'x', 'owner', "'"];
const singlePaths = ['title', 'displayName', 'name.familyName', 'department', 'nickName', 'employeeNumber'];
const multiPaths = ['emails.value', 'emails.type', 'roles.value', 'phoneNumbers.value'];
const comparisons: Readonly<Record<string, (a: string, b: string) => boolean>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  co: (a, b) => a.includes(b),
  sw: (a, b) => a.startsWith(b),
  ew: (a, b) => a.endsWith(b),
  gt: (a, b) => a > b,
  le: (a, b) => a <= b,
};

const leaf: fc.Arbitrary<Term> = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(...singlePaths, ...multiPaths),
      fc.constantFrom(...Object.keys(comparisons)),
      fc.constantFrom(...words),
    )
    .map(([path, op, word]) => ({
      text: `${path} ${op} ${JSON.stringify(word)}`,
      holds: (user: JsonObject) => {
        const values = valuesAt(user, path);
        if (values.length === 0) return op === 'ne' && singlePaths.includes(path);
        return values.some((value) =>
          value === null ? op === 'ne' : comparisons[op]?.(String(value).toLowerCase(), word.toLowerCase()) === true,
        );
      },
    })),
  fc.constantFrom(...singlePaths, ...multiPaths).map((path) => ({
    text: `${path} pr`,
    holds: (user: JsonObject) => valuesAt(user, path).some((value) => value !== null && value !== ''),
  })),
);
const { term } = fc.letrec<{ term: Term }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.tuple(tie('term'), tie('term')).map(([a, b]) => ({
      text: `(${a.text}) and (${b.text})`,
      holds: (user: JsonObject) => a.holds(user) && b.holds(user),
    })),
    fc.tuple(tie('term'), tie('term')).map(([a, b]) => ({
      text: `(${a.text}) or (${b.text})`,
      holds: (user: JsonObject) => a.holds(user) || b.holds(user),
    })),
    tie('term').map((a) => ({ text: `not (${a.text})`, holds: (user: JsonObject) => !a.holds(user) })),
  ),
}));

test('any filter finds in PostgreSQL what it finds in the resources one by one', async () => {
  const stored = users.map((body) => decodeUser(body, { notes: [], schema: userSchema }).attributes);
  await fc.assert(
    fc.asyncProperty(term, async ({ text, holds }) => {
      const expected = stored.flatMap((user, index) => (holds(user) ? [index] : []));
      expect(await findUsers(text)).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});

test('a value filter chooses the same elements in a PATCH as in a query', async () => {
  const word = fc.constantFrom('work', 'HOME', 'bob@acme.example', 'alice', '@', '%');
  const comparison = fc
    .tuple(fc.constantFrom('type', 'value', 'display'), fc.constantFrom(...Object.keys(comparisons)), word)
    .map(([name, op, value]) => `${name} ${op} ${JSON.stringify(value)}`);
  const primary = fc.tuple(fc.constantFrom('eq', 'ne'), fc.boolean()).map(([op, value]) => `primary ${op} ${value}`);
  const { filter } = fc.letrec<{ filter: string }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 2 },
      comparison,
      primary,
      fc.constantFrom('primary pr', 'display pr', 'value pr', 'type eq null', 'display ne null'),
      fc
        .tuple(tie('filter'), fc.constantFrom('and', 'or'), tie('filter'))
        .map(([a, joint, b]) => `(${a}) ${joint} (${b})`),
      tie('filter').map((a) => `not (${a})`),
    ),
  }));
  const stored = users.map((body) =>
    valuesAt(decodeUser(body, { notes: [], schema: userSchema }).attributes, 'emails'),
  );
  await fc.assert(
    fc.asyncProperty(filter, async (text) => {
      const target = parsePath(`emails[${text}]`, userSchema);
      const node = target.kind === 'attribute' ? target.filter : null;
      const expected = stored.flatMap((emails, index) =>
        emails.some((email) => node !== null && matchesElement(node, email)) ? [index] : [],
      );
      expect(await findUsers(`emails[${text}]`)).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});
