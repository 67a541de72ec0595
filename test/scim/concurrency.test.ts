// Two servers on one database, and identity providers that never wait.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Acme, acme } from '../support/acme.ts';
import {
  type Answer,
  type Body,
  type DirectoryClient,
  directory,
  directoryClient,
  type ScimServer,
  scimServer,
  userBody,
} from '../support/scim.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let worlds: TestWorld[];
let servers: ScimServer[];
let tenants: Acme;
/** The same directory through either server. */
let okta: readonly [DirectoryClient, DirectoryClient];
beforeEach(async () => {
  const masterKey = Buffer.alloc(32, 7);
  const first = await testWorld({ masterKey });
  tenants = await acme(first);
  worlds = [first, await testWorld({ url: first.url, masterKey })];
  servers = await Promise.all(worlds.map((world) => scimServer(world)));
  const [one, two] = servers as [ScimServer, ScimServer];
  const client = await directory(first, one, tenants.acme, 'okta');
  okta = [client, directoryClient(two, 'acme', 'okta', client.token)];
});
afterEach(async () => {
  for (const server of servers ?? []) await server.close();
  for (const world of [...(worlds ?? [])].reverse()) await world.close();
});

/** Always the same sequence, so that a failure comes back. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test.each([1, 2, 3])(
  'FT8 T59 a storm of pushes over few users and groups ends whole: no 5xx, and every count is right (seed %i)',
  async (seed) => {
    const random = seeded(seed);
    const name = (index: number) => `storm${seed}-${index}`;
    const users: Body[] = [];
    for (let index = 0; index < 8; index += 1) users.push((await okta[0].post('/Users', userBody(name(index)))).body);
    const groups: Body[] = [];
    for (let index = 0; index < 3; index += 1)
      groups.push((await okta[0].post('/Groups', { displayName: name(index) })).body);
    const one = <T>(list: readonly T[]): T => list[random(list.length)] as T;
    const refs = () => users.filter(() => random(2) === 0).map(({ id }) => ({ value: id }));
    const acts: ((client: DirectoryClient) => Promise<Answer>)[] = [
      (client) => client.patch(`/Groups/${one(groups).id}`, { op: 'add', path: 'members', value: refs() }),
      (client) =>
        client.patch(`/Groups/${one(groups).id}`, { op: 'remove', path: 'members', value: [{ value: one(users).id }] }),
      (client) => client.patch(`/Groups/${one(groups).id}`, { op: 'replace', path: 'members', value: refs() }),
      (client) => client.put(`/Groups/${one(groups).id}`, { displayName: name(random(6)), members: refs() }),
      (client) => client.patch(`/Users/${one(users).id}`, { op: 'replace', path: 'active', value: random(2) === 0 }),
      (client) =>
        client.patch(`/Users/${one(users).id}`, { op: 'replace', path: 'displayName', value: `n${random(1000)}` }),
      (client) => client.put(`/Users/${one(users).id}`, userBody(name(random(10)), { title: `t${random(1000)}` })),
      (client) => client.delete(`/Users/${one(users).id}`),
      (client) => client.post('/Users', userBody(name(random(10)))),
      (client) => client.post('/Groups', { displayName: name(random(6)) }),
    ];
    for (let wave = 0; wave < 12; wave += 1) {
      const answers = await Promise.all(Array.from({ length: 12 }, () => one(acts)(one(okta))));
      for (const answer of answers)
        expect([answer.status, answer.status < 500 ? '' : answer.text]).toEqual([answer.status, '']);
    }
    const [world] = worlds as [TestWorld];
    for (const [resource, table] of [
      ['users', 'directory_users'],
      ['groups', 'directory_groups'],
    ] as const) {
      const [row] = await world.sql<{ counted: string; there: string }>(
        `select (select sum(count) from directory_counters where connection_id = $1 and resource = $2) as counted,
         (select count(*) from ${table} where connection_id = $1 and ended_at is null) as there`,
        [tenants.okta, resource],
      );
      expect([resource, Number(row?.counted)]).toEqual([resource, Number(row?.there)]);
    }
    for (const { id } of groups) {
      const members: Body[] = (await okta[1].get(`/Groups/${id}`)).body.members;
      for (const { value } of members)
        expect([value, (await okta[0].get(`/Users/${value}`)).status]).toEqual([value, 200]);
    }
  },
);

test('I12 T59 two servers never both create, and never both win with one version', async () => {
  const both = (act: (client: DirectoryClient) => Promise<Answer>) =>
    Promise.all(okta.map(act)).then((answers) => answers.map((answer) => answer.status).sort());
  for (let round = 0; round < 10; round += 1) {
    const body = userBody(`twice${round}`);
    expect(await both((client) => client.post('/Users', body))).toEqual([201, 409]);
    const { id } = (await okta[0].get(`/Users?filter=${encodeURIComponent(`userName eq "${body.userName}"`)}`)).body
      .Resources[0];
    let writer = 0;
    const put = (client: DirectoryClient) =>
      client.put(`/Users/${id}`, { ...body, title: `${++writer}` }, { 'If-Match': 'W/"1"' });
    expect(await both(put)).toEqual([200, 412]);
  }
});
