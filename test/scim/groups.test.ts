// Groups: new ones, their names, and how they are found.

import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { readAccess } from '../../src/operations/read-access.ts';
import { type Acme, addRule } from '../support/acme.ts';
import { type GroupsStage, groupsStage, refs } from '../support/groups-stage.ts';
import { personOf } from '../support/people.ts';
import { type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
let globex: DirectoryClient;
let fresh: GroupsStage['fresh'];
let user: GroupsStage['user'];
let users: GroupsStage['users'];
let group: GroupsStage['group'];
let events: GroupsStage['events'];
beforeAll(async () => {
  const stage = await groupsStage();
  ({ world, tenants, okta, globex, fresh, user, users, group, events } = stage);
  return stage.close;
});

const rolesOf = async (id: string) =>
  (await readAccess(world.context(), await personOf(world, id), null))?.access.roles.map((role) => role.role);

describe('a new group', () => {
  test('is 201 with its address, version and members; its name or externalId again is 409 in any spelling', async () => {
    const [ann, bob] = await users(2);
    const displayName = fresh('Réseau ');
    const answer = await okta.post('/Groups', { displayName, externalId: displayName, members: refs([ann, bob]) });
    const { id } = answer.body;
    expect([answer.status, answer.headers.get('location'), answer.headers.get('etag')]).toEqual([
      201,
      `${okta.base}/Groups/${id}`,
      'W/"1"',
    ]);
    expect(answer.body.members.map((member: Body) => member.value).sort()).toEqual([ann.id, bob.id].sort());
    expect(answer.body.members[0].$ref).toBe(`${okta.base}/Users/${answer.body.members[0].value}`);
    for (const again of [displayName, `${displayName.toUpperCase()} `]) {
      const refused = await okta.post('/Groups', { displayName: again });
      expect([refused.status, refused.body.scimType]).toEqual([409, 'uniqueness']);
    }
    expect((await okta.post('/Groups', { displayName: fresh(), externalId: displayName })).status).toBe(409);
    expect(await events(id)).toMatchObject([{ kind: 'group.created', detail: { displayName, added: 2 } }]);
    expect((await okta.get(`/Users/${ann.id}`)).body.groups).toMatchObject([{ value: id, display: displayName }]);
  });

  test('T55 with a member that is unknown, foreign or a group is 400, and there is no group', async () => {
    const ann = await user();
    const foreign = (await globex.post('/Users', userBody(fresh('foreign')))).body;
    const nested = await group();
    for (const value of [randomUUID(), foreign.id, nested.id, 'no id at all']) {
      const displayName = fresh();
      const answer = await okta.post('/Groups', { displayName, members: [{ value: ann.id }, { value }] });
      expect([answer.status, answer.body.scimType]).toEqual([400, 'invalidValue']);
      const found = await okta.get(`/Groups?filter=${encodeURIComponent(`displayName eq "${displayName}"`)}`);
      expect(found.body.totalResults).toBe(0);
    }
    const typed = await okta.post('/Groups', { displayName: fresh(), members: [{ value: nested.id, type: 'Group' }] });
    expect(typed.status).toBe(400);
  });

  test('I12 created ten times at once is created once', async () => {
    const displayName = fresh();
    const statuses = await Promise.all(
      Array.from({ length: 10 }, async () => (await okta.post('/Groups', { displayName })).status),
    );
    expect(statuses.sort()).toEqual([201, ...Array(9).fill(409)]);
  });
});

describe('names', () => {
  test('a rename keeps the members; into another group’s name it is 409', async () => {
    const [ann] = await users(1);
    const taken = await group();
    const made = await group({ members: refs([ann]) });
    const displayName = fresh();
    expect(
      (await okta.patch(`/Groups/${made.id}`, { op: 'replace', path: 'displayName', value: displayName })).status,
    ).toBe(204);
    expect((await okta.get(`/Groups/${made.id}`)).body).toMatchObject({
      displayName,
      members: [{ value: ann.id }],
      meta: { version: 'W/"2"' },
    });
    const refused = await okta.patch(`/Groups/${made.id}`, {
      op: 'replace',
      path: 'displayName',
      value: taken.displayName,
    });
    expect([refused.status, refused.body.scimType]).toEqual([409, 'uniqueness']);
    const answered = await okta.call('PATCH', `/Groups/${made.id}?attributes=displayName`, {
      schemas: [],
      Operations: [{ op: 'replace', path: 'displayName', value: fresh() }],
    });
    expect([answered.status, Object.keys(answered.body).sort()]).toEqual([200, ['displayName', 'id', 'schemas']]);
  });

  test('T57 another’s id in a PATCH is refused, the group’s own is not', async () => {
    const [one, two] = [await group(), await group()];
    const rename = (id: string) =>
      okta.patch(`/Groups/${one.id}`, { op: 'replace', value: { id, displayName: one.displayName } });
    expect((await rename(one.id)).status).toBe(204);
    const refused = await rename(two.id);
    expect([refused.status, refused.body.scimType]).toEqual([400, 'mutability']);
  });

  test('T56 T126 R29 the first group of a mapped name gives its role; one that takes the name later is held, and raises an alert', async () => {
    const [ann, name] = [await user(), `Analysts ${fresh()}`];
    const rule = {
      connection: tenants.okta,
      kind: 'name',
      value: name,
      role: tenants.role(tenants.acme, 'Viewer'),
    } as const;
    const ruleId = await addRule(world, tenants.acme, rule);
    const first = await group({ displayName: `${name.toLowerCase()} `, members: refs([ann]) });
    expect(await rolesOf(ann.id)).toEqual(['Analytics: Viewer']);
    // Renamed away, the group keeps what it gives; the name is free, and whoever takes it gets nothing.
    await okta.patch(`/Groups/${first.id}`, { op: 'replace', path: 'displayName', value: fresh() });
    expect(await rolesOf(ann.id)).toEqual(['Analytics: Viewer']);
    const bob = await user();
    const thief = await group({ displayName: name, members: refs([bob]) });
    const late = await group({ members: refs([bob]) });
    await okta.delete(`/Groups/${thief.id}`);
    expect(
      (await okta.patch(`/Groups/${late.id}`, { op: 'replace', path: 'displayName', value: name.toUpperCase() }))
        .status,
    ).toBe(204);
    expect(await rolesOf(bob.id)).toEqual([]);
    const bindings = await world.sql<{ group_id: string; state: string }>(
      'select group_id, state from rule_bindings where rule_id = $1 order by created_at',
      [ruleId],
    );
    expect(bindings).toEqual([
      { group_id: first.id, state: 'bound' },
      { group_id: thief.id, state: 'held' },
      { group_id: late.id, state: 'held' },
    ]);
    expect(await events(thief.id)).toMatchObject([
      { kind: 'group.created' },
      { kind: 'group.mapping_held', reason: 'alert' },
      { kind: 'group.members_changed' },
      { kind: 'group.removed' },
    ]);
  });

  test('R29 an Okta group that is deleted, its role goes; made again under the name, it waits for an administrator', async () => {
    const [ann, name] = [await user(), `Auditors ${fresh()}`];
    const rule = {
      connection: tenants.okta,
      kind: 'name',
      value: name,
      role: tenants.role(tenants.acme, 'Editor'),
    } as const;
    await addRule(world, tenants.acme, rule);
    const first = await group({ displayName: name, members: refs([ann]) });
    expect(await rolesOf(ann.id)).toEqual(['Analytics: Editor']);
    expect((await okta.delete(`/Groups/${first.id}`)).status).toBe(204);
    expect(await rolesOf(ann.id)).toEqual([]);
    expect((await okta.get(`/Groups/${first.id}`)).status).toBe(404);
    await group({ displayName: name, members: refs([ann]) });
    expect(await rolesOf(ann.id)).toEqual([]);
  });
});

test('groups are found as Entra ID asks for them', async () => {
  const [ann, bob] = await users(2);
  const made = await group({ members: refs([ann]), externalId: fresh('ext') });
  const asked = async (text: string) => {
    const { body } = await okta.get(`/Groups?excludedAttributes=members&filter=${encodeURIComponent(text)}`);
    return [body.totalResults, body.Resources.map((one: Body) => one.id)];
  };
  expect(await asked(`displayName eq "${made.displayName.toUpperCase()}"`)).toEqual([1, [made.id]]);
  expect(await asked(`externalId eq "${made.externalId}"`)).toEqual([1, [made.id]]);
  expect(await asked(`id eq "${made.id}" and members eq "${ann.id}"`)).toEqual([1, [made.id]]);
  expect(await asked(`id eq "${made.id}" and members.value eq "${bob.id}"`)).toEqual([0, []]);
  expect(await asked('displayName eq "nothing"')).toEqual([0, []]);
});
