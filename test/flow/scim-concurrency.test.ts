// Identity providers that send everything at once, to two server processes on one database.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { explainAccess } from '../../src/operations/explain-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Answer, type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import { bulkRequestUrn, enterpriseUrn, patchUrn } from '../support/urns.ts';
import { randomOf } from './random.ts';
import { newDirectory } from './scim.ts';
import { type Flow, startFlow } from './servers.ts';

let flow: Flow;
/** The same directory through either process. */
let either: readonly [DirectoryClient, DirectoryClient];
beforeAll(async () => {
  flow = await startFlow({ servers: 2, env: { DRAWBRIDGE_LOG_LEVEL: 'warn' } });
  const okta = await newDirectory(flow, 'acme', 'okta');
  const [one, two] = flow.servers.map(({ port }) => okta.at(port));
  if (one === undefined || two === undefined) throw new Error('two servers were asked for');
  either = [one, two];
});
afterAll(() => flow?.close());

let serial = 0;
/** A name that nobody has. */
const fresh = (name: string) => `${name}${++serial}`;

const WRITERS = 50;
/** Within seconds, on a machine that others use too. */
const PATIENCE_MS = 10_000;

/** One act for each writer, all at once, every other through the other process. */
function atOnce<T>(count: number, act: (client: DirectoryClient, index: number) => Promise<T>): Promise<readonly T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => act(either[index % 2 === 0 ? 0 : 1], index)));
}

async function timed<T>(act: () => Promise<T>): Promise<{ readonly ms: number; readonly done: T }> {
  const begun = performance.now();
  const done = await act();
  return { ms: performance.now() - begun, done };
}

/** How many answers had each status; with the text of those that are the server's fault. */
function statuses(answers: readonly Answer[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { status, text } of answers) {
    const key = status < 500 ? String(status) : `${status} ${text}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

async function created(name: string, more: object = {}): Promise<Body> {
  const { status, body } = await either[0].post('/Users', userBody(name, more));
  expect(status).toBe(201);
  return body;
}

/** As clients are told to: whoever hears that the server is busy asks again a moment later, for this is not about time. */
async function untilTold(act: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 0; ; tries += 1) {
    const answer = await act();
    if (answer.status !== 503 || tries === 5) return answer;
    await new Promise((resolve) => setTimeout(resolve, 1_000 * Number(answer.headers.get('retry-after'))));
  }
}

const versionOf = (answer: Answer): number => Number(/^W\/"(\d+)"$/.exec(answer.headers.get('etag') ?? '')?.[1]);

/** Fifty attributes that do not touch each other, and where each is found. */
const attributes: readonly { readonly path: string; readonly at: (user: Body) => unknown }[] = [
  ...['title', 'nickName', 'userType', 'preferredLanguage'].map((path) => ({
    path,
    at: (user: Body) => user[path],
  })),
  ...['employeeNumber', 'costCenter', 'organization', 'division', 'department'].map((name) => ({
    path: `${enterpriseUrn}:${name}`,
    at: (user: Body) => user[enterpriseUrn]?.[name],
  })),
  { path: 'name.middleName', at: (user) => user.name.middleName },
  ...Array.from({ length: 40 }, (_, index) => ({
    path: `phoneNumbers[type eq "t${index}"].value`,
    at: (user: Body) => user.phoneNumbers.find((one: Body) => one.type === `t${index}`)?.value,
  })),
];

test.each(['title', 'keys'] as const)(
  'T59 RFC 7644 §3.5.2 fifty writers to one user all get their turn within seconds, lose nothing, and no version comes twice (%s)',
  async (what) => {
    const { id } = await created(fresh(`many-${what}`));
    expect(attributes.length).toBe(WRITERS);
    const { ms, done } = await timed(() =>
      atOnce(WRITERS, (client, index) =>
        client.patch(
          `/Users/${id}`,
          { op: 'replace', path: attributes[index]?.path, value: `v${index}` },
          // What people are known by is written under their lock, everything else is not: both ways have to be fair.
          ...(what === 'keys' ? [{ op: 'replace', path: 'externalId', value: `${id}-${index}` }] : []),
        ),
      ),
    );
    expect(statuses(done)).toEqual({ 200: WRITERS });
    const versions = done.map(versionOf).sort((a, b) => a - b);
    expect(versions).toEqual(Array.from({ length: WRITERS }, (_, index) => index + 2));
    const user = (await either[1].get(`/Users/${id}`)).body;
    expect(attributes.map(({ at }) => at(user))).toEqual(attributes.map((_, index) => `v${index}`));
    expect(user.meta.version).toBe(`W/"${WRITERS + 1}"`);
    expect(ms).toBeLessThan(PATIENCE_MS);
  },
);

const add = (...ids: readonly string[]) => ({ op: 'add', path: 'members', value: ids.map((value) => ({ value })) });
const removals = [
  (id: string) => ({ op: 'remove', path: `members[value eq "${id}"]` }),
  (id: string) => ({ op: 'remove', path: 'members', value: [{ value: id }] }),
] as const;

test('T59 RFC 7644 §3.5.2.1 §3.5.2.2 members who come and go all at once, one by one, end exactly as was asked', async () => {
  const made = await atOnce(WRITERS, (client) => client.post('/Users', userBody(fresh('member'))));
  const ids = made.map(({ body }) => body.id as string);
  const leaving = ids.slice(0, WRITERS / 2);
  const coming = ids.slice(WRITERS / 2);
  const members = leaving.map((value) => ({ value }));
  const { id } = (await either[0].post('/Groups', { displayName: fresh('Members'), members })).body;
  const name = fresh('Renamed');
  const { ms, done } = await timed(() =>
    atOnce(WRITERS + 2, (client, index) => {
      if (index >= WRITERS) return client.patch(`/Groups/${id}`, { op: 'replace', value: { displayName: name } });
      const who = (index % 2 === 0 ? leaving : coming)[index >> 1] as string;
      return client.patch(`/Groups/${id}`, index % 2 === 0 ? removals[index % 4 === 0 ? 0 : 1](who) : add(who));
    }),
  );
  expect(statuses(done)).toEqual({ 204: WRITERS + 2 });
  const group = (await either[1].get(`/Groups/${id}`)).body;
  expect(group.members.map(({ value }: Body) => value).sort()).toEqual([...coming].sort());
  // One for each who went, one for the name, which only the first of the two changed, and one for those who came together.
  const version = Number(/^W\/"(\d+)"$/.exec(group.meta.version)?.[1]);
  expect([group.displayName, version >= WRITERS / 2 + 3, version <= WRITERS + 2]).toEqual([name, true, true]);
  for (const [index, who] of ids.entries()) {
    const { groups = [] } = (await either[index % 2 === 0 ? 0 : 1].get(`/Users/${who}?attributes=groups`)).body;
    expect([who, groups.map((one: Body) => one.value)]).toEqual([who, coming.includes(who) ? [id] : []]);
  }
  expect(ms).toBeLessThan(PATIENCE_MS);
});

const CONTENDERS = 20;

test('T59 RFC 7644 §3.14 of many writers who name one version exactly one wins, and the others are told 412', async () => {
  const contended = fresh('contended');
  const user = await created(contended);
  const group = (await either[0].post('/Groups', { displayName: contended })).body;
  const acts: readonly [string, (client: DirectoryClient, index: number, version: string) => Promise<Answer>][] = [
    [
      'PATCH of a user',
      (client, index, version) =>
        client.call(
          'PATCH',
          `/Users/${user.id}`,
          patch({ op: 'replace', path: 'title', value: `t${index}` }),
          match(version),
        ),
    ],
    [
      'PUT of a user',
      (client, index, version) =>
        client.put(`/Users/${user.id}`, userBody(contended, { title: `p${index}` }), match(version)),
    ],
    [
      'PATCH of a user’s keys',
      (client, index, version) =>
        client.call(
          'PATCH',
          `/Users/${user.id}`,
          patch({ op: 'replace', path: 'externalId', value: `${contended}-${index}` }),
          match(version),
        ),
    ],
    [
      'PATCH of a group’s members and name',
      (client, index, version) =>
        client.call(
          'PATCH',
          `/Groups/${group.id}`,
          patch({ op: 'replace', path: 'displayName', value: `${contended} ${index}` }, add(user.id)),
          match(version),
        ),
    ],
    [
      'PUT of a group',
      (client, index, version) =>
        client.put(`/Groups/${group.id}`, { displayName: `${contended} put ${index}` }, match(version)),
    ],
    [
      'DELETE of a group',
      (client, _, version) => client.call('DELETE', `/Groups/${group.id}`, undefined, match(version)),
    ],
    ['DELETE of a user', (client, _, version) => client.call('DELETE', `/Users/${user.id}`, undefined, match(version))],
  ];
  for (const [name, act] of acts) {
    const path = name.endsWith('user') || name.includes('user’s') ? `/Users/${user.id}` : `/Groups/${group.id}`;
    const { version } = (await either[0].get(path)).body.meta;
    const answers = await atOnce(CONTENDERS, (client, index) => untilTold(() => act(client, index, version)));
    const won = answers.filter(({ status }) => status < 300);
    expect([name, won.length]).toEqual([name, 1]);
    // Whoever comes after a DELETE finds nobody; before it, somebody.
    const others = answers.filter((answer) => !won.includes(answer)).map(({ status }) => status);
    expect([name, [...new Set(others)]]).toEqual([name, name.startsWith('DELETE') ? [404] : [412]]);
    if (!name.startsWith('DELETE')) {
      const after = versionOf(await either[1].get(path));
      expect([name, after > Number(version.slice(3, -1))]).toEqual([name, true]);
    }
  }
});

const patch = (...Operations: readonly object[]) => ({
  schemas: [patchUrn],
  Operations,
});
const match = (version: string) => ({ 'If-Match': version });

const total = async (path: string): Promise<number> => (await either[1].get(`${path}?count=0`)).body.totalResults;

test('I12 RFC 7644 §3.3 of many who create one resource exactly one does, and the others are told 409', async () => {
  const [usersBefore, groupsBefore] = [await total('/Users'), await total('/Groups')];
  const mark = fresh('x');
  const creations: readonly [string, (client: DirectoryClient, index: number) => Promise<Answer>][] = [
    ['the same user', (client) => client.post('/Users', userBody(`one-${mark}`))],
    [
      'one userName, in any case, of many people',
      (client, index) =>
        client.post('/Users', {
          ...userBody(`person${index}-${mark}`),
          userName: index % 2 === 0 ? `Shared-${mark}@acme.example` : `SHARED-${mark}@acme.example`,
        }),
    ],
    [
      'one externalId of many people',
      (client, index) => client.post('/Users', userBody(`other${index}-${mark}`, { externalId: mark })),
    ],
    [
      'one group',
      (client, index) =>
        client.post('/Groups', { displayName: `${index % 2 === 0 ? 'One Group' : 'ONE GROUP'} ${mark}` }),
    ],
    [
      'one externalId of many groups',
      (client, index) => client.post('/Groups', { displayName: `G${index}-${mark}`, externalId: mark }),
    ],
  ];
  for (const [name, create] of creations) {
    const answers = await atOnce(CONTENDERS, (client, index) => untilTold(() => create(client, index)));
    expect([name, statuses(answers)]).toEqual([name, { 201: 1, 409: CONTENDERS - 1 }]);
    for (const { status, body } of answers) if (status === 409) expect(body.scimType).toBe('uniqueness');
  }
  expect([await total('/Users'), await total('/Groups')]).toEqual([usersBefore + 3, groupsBefore + 2]);
  await expectExactCounters();
});

/** What lists say is how many there are: the counters are not read from the rows. */
async function expectExactCounters(): Promise<void> {
  for (const [path, table] of [
    ['/Users', 'directory_users'],
    ['/Groups', 'directory_groups'],
  ] as const) {
    const { tenantId } = await flow.tenant('acme');
    const [row] = await flow.world.sql<{ count: number }>(
      `select count(*)::int as count from ${table} t join connections c using (tenant_id, connection_id)
       where t.tenant_id = $1 and c.key = 'okta' and t.ended_at is null`,
      [tenantId],
    );
    expect([path, await total(path)]).toEqual([path, row?.count]);
  }
}

test.each([1, 2, 3])(
  'I1 I3 I12 I19 T59 a person who is changed, removed and created again all at once stays one person, suspended as before (seed %i)',
  async (seed) => {
    const random = randomOf(seed);
    const name = fresh(`storm${seed}-`);
    const body = () => userBody(name, { title: `t${random(1000)}`, active: random(2) === 0 });
    let { id } = await created(name);
    const acme = await flow.tenant('acme');
    const [row] = await flow.world.sql<{ userId: UserId }>(
      'select user_id as "userId" from directory_users where tenant_id = $1 and directory_user_id = $2',
      [acme.tenantId, id],
    );
    if (row === undefined) throw new Error('nobody was created');
    const { userId } = row;
    const subject = { subjectId: userId, kind: 'user', person: { tenantId: acme.tenantId, userId } } as const;
    expect((await suspend(flow.world.context(), acme, subject, null)).kind).toBe('suspended');

    const versions = new Map<string, number>();
    const acts: readonly ((client: DirectoryClient) => Promise<Answer>)[] = [
      (client) => client.put(`/Users/${id}`, body()),
      (client) => client.patch(`/Users/${id}`, { op: 'replace', path: 'active', value: random(2) === 0 }),
      (client) => client.patch(`/Users/${id}`, { op: 'replace', path: 'externalId', value: `ext-${name}` }),
      (client) => client.delete(`/Users/${id}`),
      (client) => client.post('/Users', body()),
    ];
    for (let wave = 0; wave < 6; wave += 1) {
      const answers = await atOnce(25, (client) => {
        const act = acts[random(acts.length)] as (typeof acts)[number];
        return untilTold(() => act(client));
      });
      for (const answer of answers) {
        expect([200, 201, 204, 404, 409]).toContain(answer.status);
        if (answer.status === 201) id = answer.body.id;
        if (answer.status > 201) continue;
        // Whoever asked for what was so already is told the version that it has.
        versions.set(answer.body.id, Math.max(versionOf(answer), versions.get(answer.body.id) ?? 0));
      }
    }
    const found = await either[0].get(`/Users?filter=${encodeURIComponent(`externalId eq "ext-${name}"`)}`);
    expect(found.body.totalResults).toBeLessThanOrEqual(1);
    id = found.body.totalResults === 0 ? (await created(name)).id : found.body.Resources[0].id;
    const rows = await flow.world.sql<{ id: string; userId: UserId; open: boolean; version: number }>(
      `select directory_user_id as id, user_id as "userId", ended_at is null as open, version::int from directory_users
       where tenant_id = $1 and external_id = $2`,
      [acme.tenantId, `ext-${name}`],
    );
    expect([...new Set(rows.map((one) => one.userId))]).toEqual([userId]);
    expect(rows.filter(({ open }) => open).map((one) => one.id)).toEqual([id]);
    for (const one of rows) expect(versions.get(one.id) ?? 0).toBeLessThanOrEqual(one.version);
    await either[1].patch(`/Users/${id}`, { op: 'replace', path: 'active', value: true });
    const explained = await explainAccess(flow.world.context(), acme, subject, null);
    expect(explained).toMatchObject({ kind: 'explained', access: { state: 'suspended', roles: [] } });
    await expectExactCounters();
  },
);

test('I12 RFC 7644 §3.7 of many bulks that create the same people and fill the same group each person is created once, and nobody is lost', async () => {
  const bulk = (...Operations: readonly object[]) => ({
    schemas: [bulkRequestUrn],
    Operations,
  });
  const random = randomOf(9);
  const names = Array.from({ length: 60 }, () => fresh('bulked'));
  const before = await total('/Users');
  const group = (await either[0].post('/Groups', { displayName: fresh('Bulked') })).body;
  const shuffled = () => names.map((name) => [random(2 ** 30), name] as const).sort(([a], [b]) => a - b);
  const answers = await atOnce(6, (client) =>
    client.post(
      '/Bulk',
      bulk(
        ...shuffled().flatMap(([, name]) => [
          { method: 'POST', path: '/Users', bulkId: name, data: userBody(name) },
          { method: 'PATCH', path: `/Groups/${group.id}`, data: patch(add(`bulkId:${name}`)) },
        ]),
      ),
    ),
  );
  expect(statuses(answers)).toEqual({ 200: 6 });
  const results: readonly Body[] = answers.flatMap(({ body }) => body.Operations);
  const made = results.filter(({ method }) => method === 'POST').map(({ bulkId, status }) => `${status} ${bulkId}`);
  expect(made.filter((one) => one.startsWith('201')).sort()).toEqual(names.map((name) => `201 ${name}`).sort());
  expect(made.filter((one) => one.startsWith('409')).length).toBe(5 * names.length);
  // Whoever was created by another bulk is not there to be referred to.
  const added = results.filter(({ method, status }) => method === 'PATCH' && Number(status) < 300);
  expect(results.filter(({ status }) => Number(status) >= 500)).toEqual([]);
  expect(added.length).toBe(names.length);
  expect((await either[1].get(`/Groups/${group.id}`)).body.members.length).toBe(names.length);
  expect(await total('/Users')).toBe(before + names.length);
  await expectExactCounters();
});
