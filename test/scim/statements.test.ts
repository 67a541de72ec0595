// What the hot acts cost the database: a round trip is what a directory of a million people notices.

import { beforeAll, beforeEach, expect, test } from 'vitest';
import { stillClock } from '../support/clock.ts';
import {
  type Answer,
  type Body,
  type DirectoryClient,
  directoryClient,
  scimServer,
  userBody,
} from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let okta: DirectoryClient;
let user: Body;
let group: Body;
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, okta } = stage);
  user = (await okta.post('/Users', userBody('known'))).body;
  group = (await okta.post('/Groups', { displayName: 'Known' })).body;
  return stage.close;
});
// The tenant's configuration is in memory after the first group.
beforeEach(async () => {
  await okta.post('/Groups', { displayName: fresh() });
});

let serial = 0;
const fresh = () => `count${++serial}`;
/** Without the lookup of the token, which a slow machine may have to repeat: the last tests count that. */
async function statementsOf(act: () => Promise<Answer>, status: number): Promise<readonly string[]> {
  world.takeStatements();
  const answer = await act();
  expect([answer.status, answer.text]).toEqual([status, expect.any(String)]);
  return world.takeStatements().filter((statement) => !statement.startsWith('scim_credential'));
}
const patch =
  (...operations: object[]) =>
  () =>
    okta.patch(`/Users/${user.id}`, ...operations);
const patchGroup =
  (...operations: object[]) =>
  () =>
    okta.patch(`/Groups/${group.id}`, ...operations);

test('a user is created by one statement that reads and one that writes', async () => {
  const sent = await statementsOf(() => okta.post('/Users', userBody(fresh())), 201);
  expect(sent).toEqual(['directory_newcomer', 'directory_user_create']);
});

test('a user is read, found and listed by one statement', async () => {
  expect(await statementsOf(() => okta.get(`/Users/${user.id}`), 200)).toEqual(['directory_user_read']);
  expect(await statementsOf(() => okta.get('/Users?count=100'), 200)).toHaveLength(1);
  const filter = encodeURIComponent(`userName eq "${user.userName}"`);
  expect(await statementsOf(() => okta.get(`/Users?filter=${filter}&startIndex=1&count=100`), 200)).toEqual([
    expect.stringMatching(/^directory_page_\d+$/),
  ]);
});

test('a user is changed, deactivated and reactivated by two statements, and by one where nothing changes', async () => {
  const rename = patch({ op: 'replace', path: 'displayName', value: fresh() });
  expect(await statementsOf(rename, 200)).toEqual(['directory_user_facts', 'directory_user_update']);
  expect(await statementsOf(rename, 200)).toEqual(['directory_user_facts']);
  const off = patch({ op: 'Replace', path: 'active', value: 'False' });
  expect(await statementsOf(off, 200)).toEqual(['directory_user_facts', 'directory_user_bar']);
  const on = patch({ op: 'Replace', path: 'active', value: 'True' });
  expect(await statementsOf(on, 200)).toEqual(['directory_user_facts', 'directory_user_update']);
  const put = () => okta.put(`/Users/${user.id}`, userBody('known', { title: fresh() }));
  expect(await statementsOf(put, 200)).toEqual(['directory_user_facts', 'directory_user_update']);
});

test('members are added by one statement, removed or replaced by two, whatever their number', async () => {
  const value = [{ value: user.id }];
  expect(await statementsOf(patchGroup({ op: 'add', path: 'members', value }), 204)).toEqual([
    'group_members_add_together',
  ]);
  const remove = patchGroup({ op: 'remove', path: `members[value eq "${user.id}"]` });
  expect(await statementsOf(remove, 204)).toEqual(['directory_group_facts', 'group_members_change']);
  const replace = patchGroup({ op: 'replace', path: 'members', value });
  expect(await statementsOf(replace, 204)).toEqual(['directory_group_facts', 'group_members_replace']);
});

test('Okta’s rename to the same name is one statement; a new group is two', async () => {
  const rename = patchGroup({ op: 'replace', value: { id: group.id, displayName: group.displayName } });
  expect(await statementsOf(rename, 204)).toEqual(['directory_group_facts']);
  const create = () => okta.post('/Groups', { displayName: fresh(), members: [{ value: user.id }] });
  const sent = await statementsOf(create, 201);
  // The members that the answer carries are read for it.
  expect(sent).toEqual(['directory_group_facts', 'directory_group_create', 'group_members_page']);
});

/** By a server that has not seen the token, on a clock that goes on when it is told to. */
async function withClock(test: (client: DirectoryClient, goOn: (ms: number) => void) => Promise<void>): Promise<void> {
  const { contextFor, goOn } = stillClock(world);
  const server = await scimServer(world, { contextFor });
  await test(directoryClient(server, 'acme', 'okta', okta.token), goOn).finally(() => server.close());
}

test('a token that was not seen for a second costs one statement more; its use is noted once a minute', () =>
  withClock(async (client, goOn) => {
    const read = async (later: number) => {
      goOn(later);
      world.takeStatements();
      await client.get(`/Users/${user.id}`);
      return world.takeStatements();
    };
    await world.sql('update scim_credentials set last_used_at = null');
    await read(0);
    expect(await read(1_000)).toEqual(['scim_credential_find', 'directory_user_read']);
    expect(await read(999)).toEqual(['directory_user_read']);
    expect(await world.sql('select 1 from scim_credentials where last_used_at is not null')).toHaveLength(1);
    await world.sql(`update scim_credentials set last_used_at = now() - interval '2 minutes'`);
    expect(await read(1_000)).toEqual(['scim_credential_find', 'scim_credential_used', 'directory_user_read']);
  }));

test('FT20 a hundred requests at once ask for their token together', () =>
  withClock(async (client) => {
    world.takeStatements();
    const answers = await Promise.all(Array.from({ length: 100 }, () => client.get(`/Users/${user.id}`)));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
    const asked = world.takeStatements().filter((statement) => statement === 'scim_credential_find');
    expect(asked).toHaveLength(1);
  }));
