// A directory that would take access from too many people at once, over two servers on one database.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BlastGuard } from '../../src/core/directory-settings.ts';
import type { UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { setActive } from '../../src/operations/set-active.ts';
import { type Acme, acme, addRule, addUser } from '../support/acme.ts';
import { forgetGuards } from '../support/guard-stage.ts';
import { personOf } from '../support/people.ts';
import {
  type Answer,
  type Body,
  type DirectoryClient,
  directoryClient,
  newScimToken,
  type ScimServer,
  scimServer,
  userBody,
} from '../support/scim.ts';
import { operator, type TestWorld, testWorld } from '../support/world.ts';

let worlds: readonly [TestWorld, TestWorld];
let world: TestWorld;
let tenants: Acme;
let servers: readonly [ScimServer, ScimServer];
let token: string;
/** The same directory through either server. */
let okta: readonly [DirectoryClient, DirectoryClient];
let editors: Body;
let admin: UserId;
beforeAll(async () => {
  const masterKey = Buffer.alloc(32, 9);
  world = await testWorld({ masterKey });
  tenants = await acme(world);
  worlds = [world, await testWorld({ url: world.url, masterKey })];
  token = await newScimToken(world, tenants.acme, 'okta');
  admin = await addUser(world, tenants.acme, 'admin@acme.example');
  const subject = {
    subjectId: admin,
    kind: 'user',
    person: { tenantId: tenants.acme.tenantId, userId: admin },
  } as const;
  await assignRole(world.context(), tenants.acme, subject, 'Admin', operator);
  await serve(null);
  const role = tenants.role(tenants.acme, 'Editor');
  await addRule(world, tenants.acme, { connection: tenants.okta, kind: 'name', value: 'Editors', role });
  editors = (await okta[0].post('/Groups', { displayName: 'Editors' })).body;
});
afterAll(async () => {
  for (const server of servers ?? []) await server.close();
  for (const one of [...(worlds ?? [])].reverse()) await one.close();
});
beforeEach(async () => {
  await forgetGuards(world);
  await world.sql('delete from graphile_worker._private_jobs');
});

/** New servers, which have not seen the token yet and so read the directory's settings anew. */
async function serve(guard: BlastGuard | null): Promise<void> {
  for (const server of servers ?? []) await server.close();
  await world.sql(`update connections set directory = $2 where connection_id = $1`, [
    tenants.okta,
    JSON.stringify({ guard }),
  ]);
  servers = [await scimServer(worlds[0]), await scimServer(worlds[1])];
  okta = [directoryClient(servers[0], 'acme', 'okta', token), directoryClient(servers[1], 'acme', 'okta', token)];
}

let serial = 0;
async function people(count: number): Promise<readonly string[]> {
  const made: string[] = [];
  for (let left = count; left > 0; left -= 1) {
    const answer = await okta[0].post('/Users', userBody(`guard${++serial}`));
    if (answer.status !== 201) throw new Error(answer.text);
    made.push(answer.body.id);
  }
  return made;
}
const off = { op: 'replace', path: 'active', value: false };
const on = { op: 'replace', path: 'active', value: true };
const deactivate = (id: string, client = okta[0]) => client.patch(`/Users/${id}`, off);
const members = (ids: readonly string[]) => ids.map((value) => ({ value }));
const join = (ids: readonly string[]) =>
  okta[0].patch(`/Groups/${editors.id}`, { op: 'add', path: 'members', value: members(ids) });
const acts = async () =>
  (
    await world.sql<{ act: string; object_id: string; member_id: string }>(
      'select act, object_id, member_id from directory_guard_acts order by act, object_id, member_id',
    )
  ).map((row) => [row.act, row.object_id, row.member_id]);
const NOBODY = '00000000-0000-0000-0000-000000000000';
const mails = () =>
  world.sql(`select payload -> 'to' as to, payload -> 'template' as template from graphile_worker._private_jobs`);
const activeOf = async (ids: readonly string[]) =>
  (
    await world.sql(
      'select 1 from directory_users where directory_user_id = any ($1::uuid[]) and active and ended_at is null',
      [ids],
    )
  ).length;
async function accessOf(id: string) {
  const person = await personOf(world, id);
  return (await readAccess(world.context(), person, null))?.access;
}
function expectPaused(answer: Answer): void {
  expect([answer.status, answer.body?.status, answer.headers.get('retry-after')]).toEqual([503, '503', '300']);
  expect(answer.body.schemas).toEqual(['urn:ietf:params:scim:api:messages:2.0:Error']);
  expect(answer.body.detail).toMatch(/^This directory is paused/);
}

describe('a directory with a guard', () => {
  test('T58 is paused by the request that would cross the line: it changes nothing, is answered 503, recorded, and told once', async () => {
    await serve({ people: 2, percent: 100, minutes: 60 });
    const ids = await people(5);
    expect((await deactivate(ids[0] as string)).status).toBe(200);
    expect((await okta[0].delete(`/Users/${ids[1]}`)).status).toBe(204);
    expectPaused(await deactivate(ids[2] as string));
    expect(await activeOf(ids)).toBe(3);
    expect(await mails()).toEqual([{ to: 'admin@acme.example', template: 'directory_paused' }]);

    // Everything is refused now, over either server; what takes something is recorded, once.
    expectPaused(await deactivate(ids[2] as string, okta[1]));
    expectPaused(await okta[1].delete(`/Users/${ids[3]}`));
    expectPaused(await okta[0].patch(`/Users/${ids[4]}`, { op: 'replace', path: 'title', value: 'x' }));
    expectPaused(await okta[0].put(`/Users/${ids[4]}`, userBody(`guard${serial}`)));
    expectPaused(await okta[1].post('/Users', userBody('late')));
    expectPaused(await okta[1].post('/Groups', { displayName: 'Late' }));
    expectPaused(await join([ids[4] as string]));
    expectPaused(await okta[0].patch(`/Groups/${editors.id}`, { op: 'replace', value: { displayName: 'Other' } }));
    expectPaused(await okta[0].put(`/Groups/${editors.id}`, { displayName: 'Editors', members: [] }));
    expect((await okta[1].get(`/Users/${ids[2]}`)).body.active).toBe(true);
    expect((await okta[0].get('/Users?count=1')).status).toBe(200);
    expect(await acts()).toEqual([
      ['deactivate_user', ids[2], NOBODY],
      ['remove_user', ids[3], NOBODY],
    ]);
    expect(await mails()).toHaveLength(1);
    expect(
      await world.sql(`select outcome, kind from audit_events where connection_id = $1 and kind like 'directory.%'`, [
        tenants.okta,
      ]),
    ).toEqual(
      expect.arrayContaining([
        { outcome: 'refused', kind: 'directory.write' },
        { outcome: 'done', kind: 'directory.paused' },
      ]),
    );
  });

  test('counts a person once, however often they are touched, and nobody whom an administrator touches', async () => {
    await serve({ people: 1, percent: 100, minutes: 60 });
    const [one, two] = (await people(2)) as [string, string];
    for (let round = 0; round < 3; round += 1) {
      expect((await deactivate(one)).status).toBe(200);
      expect((await okta[0].patch(`/Users/${one}`, on)).status).toBe(200);
    }
    const person = { tenantId: tenants.acme.tenantId, userId: admin };
    const subject = { subjectId: admin, kind: 'user', person } as const;
    await setActive(world.context(), tenants.acme, subject, false, null);
    await setActive(world.context(), tenants.acme, subject, true, null);
    expect(await world.sql('select 1 from directory_guard_people')).toHaveLength(1);
    expectPaused(await deactivate(two));
  });

  test('counts those who lose a mapped group: by a removal, a replacement, PUT, the group’s end; others may leave any group', async () => {
    await serve({ people: 2, percent: 100, minutes: 60 });
    const ids = await people(4);
    const [a, b, c, d] = ids as [string, string, string, string];
    expect((await join(ids)).status).toBe(204);
    const plain = (await okta[0].post('/Groups', { displayName: 'Plain', members: members(ids) })).body;
    expect((await okta[0].patch(`/Groups/${plain.id}`, { op: 'remove', path: 'members' })).status).toBe(204);
    expect((await okta[0].delete(`/Groups/${plain.id}`)).status).toBe(204);
    const remove = (id: string) =>
      okta[0].patch(`/Groups/${editors.id}`, { op: 'remove', path: `members[value eq "${id}"]` });
    expect((await remove(a)).status).toBe(204);
    const edits: (() => Promise<Answer>)[] = [
      () => okta[0].patch(`/Groups/${editors.id}`, { op: 'remove', path: 'members', value: members([b, c]) }),
      () => okta[0].patch(`/Groups/${editors.id}`, { op: 'replace', path: 'members', value: members([a, d]) }),
      () => okta[1].put(`/Groups/${editors.id}`, { displayName: 'Editors', members: members([d]) }),
      () => okta[1].put(`/Groups/${editors.id}`, { displayName: 'Editors' }),
      () => okta[1].delete(`/Groups/${editors.id}`),
    ];
    for (const edit of edits) {
      await world.sql('update directory_guards set paused_at = null, crossed = null');
      expectPaused(await edit());
    }
    for (const id of [b, c, d]) expect((await accessOf(id))?.state).toBe('active');
    expect(await acts()).toEqual([['remove_group', editors.id, NOBODY]]);
    await world.sql('update directory_guards set paused_at = null, crossed = null');
    expect((await remove(b)).status).toBe(204);
    expect((await accessOf(c))?.state).toBe('active');
    expectPaused(await remove(c));
    expect(await acts()).toEqual([['leave_group', editors.id, c]]);
  });

  test('forgets whom it touched before the window', async () => {
    await serve({ people: 1, percent: 100, minutes: 60 });
    const [one, two, three] = (await people(3)) as [string, string, string];
    expect((await deactivate(one)).status).toBe(200);
    await world.sql(`update directory_guard_people set touched_at = now() - interval '61 minutes'`);
    expect((await deactivate(two)).status).toBe(200);
    expectPaused(await deactivate(three));
  });

  test('goes by the share of those who were active before it began', async () => {
    await serve({ people: 1_000, percent: 10, minutes: 60 });
    await world.sql(
      `update directory_users set ended_at = now(), ended_by = 'admin' where connection_id = $1 and ended_at is null`,
      [tenants.okta],
    );
    const ids = await people(30);
    for (const id of ids.slice(0, 3)) expect((await deactivate(id)).status).toBe(200);
    expectPaused(await deactivate(ids[3] as string));
    expect(await activeOf(ids)).toBe(27);
  });

  test('lets no two parallel deactivations slip through together, over two servers', async () => {
    await serve({ people: 5, percent: 100, minutes: 60 });
    const ids = await people(24);
    const answers = await Promise.all(ids.map((id, index) => deactivate(id, okta[index % 2])));
    expect(answers.map((answer) => answer.status).filter((status) => status === 200)).toHaveLength(5);
    for (const answer of answers) if (answer.status !== 200) expectPaused(answer);
    expect(await activeOf(ids)).toBe(19);
    expect(await acts()).toHaveLength(19);
    expect(await mails()).toHaveLength(1);
  });

  test('is paused by an adoption as inactive, too', async () => {
    await serve({ people: 1, percent: 100, minutes: 60 });
    const [one] = (await people(1)) as [string];
    expect((await deactivate(one)).status).toBe(200);
    const name = `guard${++serial}`;
    const known = await addUser(world, tenants.acme, `${name}@acme.example`);
    expectPaused(await okta[0].post('/Users', userBody(name, { active: false })));
    expect(await world.sql('select 1 from directory_users where user_id = $1', [known])).toEqual([]);
  });
});

test('a guard costs a write that takes nothing from anybody no statement', async () => {
  await serve({ people: 5, percent: 100, minutes: 60 });
  const [one] = (await people(1)) as [string];
  // The token is known, and the tenant's configuration in memory.
  await join([one]);
  const statements = async (act: () => Promise<Answer>) => {
    world.takeStatements();
    expect((await act()).status).toBeLessThan(300);
    return world.takeStatements().filter((statement) => !statement.startsWith('scim_'));
  };
  const title = (value: string) => okta[0].patch(`/Users/${one}`, { op: 'replace', path: 'title', value });
  expect(await statements(() => title('x'))).toEqual(['directory_user_facts', 'directory_user_update']);
  expect(await statements(() => join([one]))).toEqual(['group_members_add_together']);
  expect(await statements(() => okta[0].post('/Users', userBody(`guard${++serial}`)))).toEqual([
    'directory_newcomer',
    'directory_user_create',
  ]);
});

test('the failing twin: a directory without a guard deactivates as many as it likes', async () => {
  await serve(null);
  const ids = await people(24);
  const answers = await Promise.all(ids.map((id, index) => deactivate(id, okta[index % 2])));
  expect(answers.map((answer) => answer.status)).toEqual(ids.map(() => 200));
  expect(await world.sql('select 1 from directory_guards')).toEqual([]);
});
