// Bulks and single requests about the same users and groups, all at once and on two servers: nothing is lost, and nothing is done twice.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { bulkBody, create, patch } from '../support/bulk.ts';
import {
  type Body,
  type DirectoryClient,
  directoryClient,
  type ScimServer,
  scimServer,
  userBody,
} from '../support/scim.ts';
import { type ScimStage, scimStage } from '../support/scim-stage.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let stage: ScimStage;
let second: TestWorld;
let beside: ScimServer;
let clients: readonly DirectoryClient[];
beforeAll(async () => {
  stage = await scimStage();
  second = await testWorld({ url: stage.world.url, masterKey: stage.world.masterKey });
  beside = await scimServer(second);
  clients = [stage.okta, directoryClient(beside, 'acme', 'okta', stage.okta.token)];
});
afterAll(async () => {
  await beside?.close();
  await second?.close();
  await stage?.close();
});

/** Numbers below `most`, the same in every run. */
function dice(seed: number): (most: number) => number {
  let state = seed;
  return (most) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >> 8) % most;
  };
}

const groups: string[] = [];
const users: string[] = [];

/** One operation on few names, users and groups. */
function operation(roll: (most: number) => number, bulkId: string): Body {
  const recent = users[Math.max(0, users.length - 1 - roll(20))] ?? crypto.randomUUID();
  const user = `/Users/${recent}`;
  const group = `/Groups/${groups[roll(groups.length)]}`;
  const name = () => userBody(`beside${roll(25)}`, { title: `${roll(1_000_000)}` });
  const add = { op: 'add', path: 'members', value: [{ value: recent }] };
  switch (roll(8)) {
    case 0:
    case 1:
      return create(bulkId, name());
    case 2:
      return patch(user, { op: 'replace', path: 'title', value: `${roll(1_000_000)}` });
    case 3:
      return { method: 'PUT', path: user, data: name() };
    case 4:
      return { method: 'DELETE', path: user };
    case 5:
      return patch(group, add);
    case 6:
      return patch(group, { op: 'remove', path: `members[value eq "${recent}"]` });
    default:
      return patch(group, { op: 'replace', path: 'displayName', value: `beside${roll(1_000_000)}` }, add);
  }
}

/** The answers to some rounds of bulks and single requests: their statuses, and the users that they created. */
async function push(client: DirectoryClient, roll: (most: number) => number): Promise<readonly number[]> {
  const statuses: number[] = [];
  for (let round = 0; round < 15; round += 1) {
    const operations = Array.from({ length: 1 + roll(12) }, (_, index) => operation(roll, `op${index}`));
    const [single] = operations;
    if (round % 3 === 0) {
      const { status, body } = await client.post('/Bulk', bulkBody(operations));
      expect(status).toBe(200);
      for (const result of body.Operations) {
        statuses.push(Number(result.status));
        if (result.status === '201') users.push(result.location.split('/').at(-1));
      }
    } else {
      const { status, body } = await client.call(single.method, single.path, single.data);
      statuses.push(status);
      if (status === 201) users.push(body.id);
    }
  }
  return statuses;
}

test('T59 I15 every acknowledged change is one version and one audit row, and no membership is left of anybody who is gone', async () => {
  for (const name of ['one', 'two', 'three'])
    groups.push((await stage.okta.post('/Groups', { displayName: name })).body.id);
  const pushing = Array.from({ length: 10 }, (_, index) =>
    push(clients[index % 2] as DirectoryClient, dice(index + 1)),
  );
  const statuses = (await Promise.all(pushing)).flat();
  // Who has to wait too long on a busy machine is told so; nothing else of a server's own making.
  expect(statuses.filter((status) => status >= 500 && status !== 503)).toEqual([]);
  const { sql } = stage.world;
  const rows = await sql<{ id: string }>('select directory_user_id as id from directory_users order by 1');
  expect(rows.map(({ id }) => id)).toEqual(users.toSorted());
  const changesOf = `(select count(*) from audit_events a where a.kind = 'user.updated' and a.detail ->> 'directoryUserId' = d.directory_user_id::text)`;
  expect(
    await sql(`select d.version, ${changesOf} from directory_users d where d.version <> 1 + ${changesOf}`),
  ).toEqual([]);
  const ended = `select ((select count(*) from directory_users where ended_at is not null) - (select count(*) from audit_events where kind = 'user.removed'))::int as lost`;
  expect(await sql(ended)).toEqual([{ lost: 0 }]);
  const counted = `select ((select sum(count) from directory_counters where connection_id = $1 and resource = 'users')
    - (select count(*) from directory_users where connection_id = $1 and ended_at is null))::int as lost`;
  expect(await sql(counted, [stage.tenants.okta])).toEqual([{ lost: 0 }]);
  const outlived =
    'select 1 from group_members m join directory_users d using (tenant_id, directory_user_id) where d.ended_at is not null';
  expect(await sql(outlived)).toEqual([]);
});
