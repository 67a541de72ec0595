// Somebody is added to a group at the moment in which their directory removes them: they are a member and leave with the rest, or are
// no user any more, and no membership outlives its user.

import pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { begun } from '../support/begun.ts';
import { type Answer, type DirectoryClient, userBody } from '../support/scim.ts';
import { type ScimStage, scimStage } from '../support/scim-stage.ts';
import type { TestWorld } from '../support/world.ts';

let stage: ScimStage;
let world: TestWorld;
let okta: DirectoryClient;
beforeAll(async () => {
  stage = await scimStage();
  ({ world, okta } = stage);
  return stage.close;
});

let serial = 0;
const fresh = () => `leaving${++serial}`;
const made = async (path: string, body: object): Promise<string> => (await okta.post(path, body)).body.id;
const user = () => made('/Users', userBody(fresh()));
const team = (members: readonly string[] = []) =>
  made('/Groups', { displayName: fresh(), members: members.map((value) => ({ value })) });

const ways: readonly (readonly [string, (group: string, ids: readonly string[]) => Promise<Answer>])[] = [
  ['PATCH', (group, ids) => okta.patch(`/Groups/${group}`, add(ids))],
  [
    'PATCH with a version',
    (group, ids) => okta.call('PATCH', `/Groups/${group}`, { Operations: [add(ids)] }, { 'If-Match': 'W/"1"' }),
  ],
  ['PATCH with a name', (group, ids) => okta.patch(`/Groups/${group}`, add(ids), rename(fresh()))],
  [
    'PUT',
    (group, ids) => okta.put(`/Groups/${group}`, { displayName: group, members: ids.map((value) => ({ value })) }),
  ],
];
const add = (ids: readonly string[]) => ({ op: 'add', path: 'members', value: ids.map((value) => ({ value })) });
const rename = (value: string) => ({ op: 'replace', path: 'displayName', value });

/** Something that waits for a group, and something that comes meanwhile. */
async function whileGroupIsHeld(
  group: string,
  waits: () => Promise<Answer>,
  comes: () => Promise<Answer>,
): Promise<readonly [number, number]> {
  const holder = new pg.Client({ connectionString: world.url });
  await holder.connect();
  try {
    await holder.query('begin');
    await holder.query('select 1 from directory_groups where group_id = $1 for update', [group]);
    const first = begun(waits());
    await waiting(1);
    let through = false;
    const second = begun(comes().finally(() => (through = true)));
    // Whether it waits as well, or is through already.
    await waiting(2, () => through);
    await holder.query('rollback');
    return [(await first).status, (await second).status];
  } finally {
    await holder.end();
  }
}

/** Until so many wait for a row, or there is no need for it any more. */
async function waiting(many: number, isOver = () => false): Promise<void> {
  while (!isOver()) {
    const [row] = await world.sql<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    if ((row?.count ?? 0) >= many) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const outlived = (id: string) =>
  world.sql(
    `select m.group_id from group_members m join directory_users d using (tenant_id, directory_user_id)
     where d.ended_at is not null and d.directory_user_id = $1`,
    [id],
  );

describe.each(ways)('a member who is added by %s', (_, send) => {
  test('and removed while that waits for the group leaves it with the rest', async () => {
    const [leaver, other, group] = [await user(), await user(), await team()];
    const statuses = await whileGroupIsHeld(
      group,
      () => send(group, [leaver, other]),
      () => okta.delete(`/Users/${leaver}`),
    );
    expect(await outlived(leaver)).toEqual([]);
    expect([200, 204, 400]).toContain(statuses[0]);
    expect(statuses[1]).toBe(204);
    const { members = [] } = (await okta.get(`/Groups/${group}`)).body;
    expect(members.map(({ value }: { value: string }) => value)).toEqual(statuses[0] === 400 ? [] : [other]);
  });

  test('while their removal waits for another group of theirs is no user any more', async () => {
    const [leaver, other, group] = [await user(), await user(), await team()];
    const before = await team([leaver]);
    const statuses = await whileGroupIsHeld(
      before,
      () => okta.delete(`/Users/${leaver}`),
      () => send(group, [leaver, other]),
    );
    expect(await outlived(leaver)).toEqual([]);
    expect(statuses).toEqual([204, 400]);
    expect((await okta.get(`/Groups/${group}`)).body.members ?? []).toEqual([]);
  });
});

test('a new group of somebody whose removal is under way is refused', async () => {
  const leaver = await user();
  const before = await team([leaver]);
  const statuses = await whileGroupIsHeld(
    before,
    () => okta.delete(`/Users/${leaver}`),
    () => okta.post('/Groups', { displayName: fresh(), members: [{ value: leaver }] }),
  );
  expect([await outlived(leaver), statuses]).toEqual([[], [204, 400]]);
});

test('who is there already and is added again while their removal is under way is no member afterwards', async () => {
  const leaver = await user();
  const [group, before] = [await team([leaver]), await team([leaver])];
  const statuses = await whileGroupIsHeld(
    before,
    () => okta.delete(`/Users/${leaver}`),
    () => okta.patch(`/Groups/${group}`, add([leaver])),
  );
  expect(await outlived(leaver)).toEqual([]);
  expect(statuses[0]).toBe(204);
});

test('of many who are removed by a bulk as well', async () => {
  const leavers = [await user(), await user()];
  const [group, before] = [await team(), await team(leavers)];
  const operations = leavers.map((id) => ({ method: 'DELETE', path: `/Users/${id}` }));
  const statuses = await whileGroupIsHeld(
    before,
    () => okta.post('/Bulk', { Operations: operations }),
    () => okta.patch(`/Groups/${group}`, add(leavers.toReversed())),
  );
  expect([await Promise.all(leavers.map(outlived)), statuses]).toEqual([
    [[], []],
    [200, 400],
  ]);
});
