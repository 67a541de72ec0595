// What a paused directory takes back of what it asked for: the last word of the identity provider counts, though it is refused as well.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { planResume, type ResumePlan } from '../../src/operations/plan-resume.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { resumeDirectory } from '../../src/operations/resume-directory.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, acme, addRule } from '../support/acme.ts';
import { bulk, patch, statuses } from '../support/bulk.ts';
import { forgetGuards } from '../support/guard-stage.ts';
import { personOf } from '../support/people.ts';
import { type Body, type DirectoryClient, directory, type ScimServer, scimServer, userBody } from '../support/scim.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
let okta: DirectoryClient;
let editors: Body;
let viewers: Body;
/** That no rule speaks of. */
let others: Body;
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  await world.sql(
    `update connections set directory = '{"guard":{"people":1,"percent":100,"minutes":60}}' where connection_id = $1`,
    [tenants.okta],
  );
  server = await scimServer(world);
  okta = await directory(world, server, tenants.acme, 'okta');
  for (const [value, name] of [
    ['Editors', 'Editor'],
    ['Viewers', 'Viewer'],
  ] as const) {
    const role = tenants.role(tenants.acme, name);
    await addRule(world, tenants.acme, { connection: tenants.okta, kind: 'name', value, role });
  }
  editors = (await okta.post('/Groups', { displayName: 'Editors' })).body;
  viewers = (await okta.post('/Groups', { displayName: 'Viewers' })).body;
  others = (await okta.post('/Groups', { displayName: 'Others' })).body;
});
afterAll(async () => {
  await server?.close();
  await world?.close();
});
beforeEach(async () => {
  await forgetGuards(world);
});

let serial = 0;
type Made = { readonly id: string; readonly name: string; readonly userId: UserId };
async function member(): Promise<Made> {
  const name = `word${++serial}`;
  const { id } = (await okta.post('/Users', userBody(name))).body;
  for (const group of [editors, viewers])
    expect((await okta.patch(`/Groups/${group.id}`, adding(id))).status).toBe(204);
  return { id, name, userId: (await personOf(world, id)).userId };
}
const values = (ids: readonly string[]) => ids.map((value) => ({ value }));
const adding = (...ids: readonly string[]) => ({ op: 'add', path: 'members', value: values(ids) });
const taking = (...ids: readonly string[]) => ({ op: 'remove', path: 'members', value: values(ids) });
const off = { op: 'replace', path: 'active', value: false };
const on = { op: 'replace', path: 'active', value: true };

/** Refused, as everything is while the directory is paused. */
async function refused(answer: Promise<{ readonly status: number }>): Promise<void> {
  expect((await answer).status).toBe(503);
}
async function paused(): Promise<void> {
  expect((await okta.patch(`/Users/${(await member()).id}`, off)).status).toBe(200);
  const last = await member();
  await refused(okta.patch(`/Users/${last.id}`, off));
  await world.sql('delete from directory_guard_acts');
}
const acts = async () =>
  (
    await world.sql<{ act: string; object_id: string; member_id: string }>(
      'select act, object_id, member_id from directory_guard_acts order by act, object_id, member_id',
    )
  ).map(({ act, object_id, member_id }) => (act === 'leave_group' ? [act, object_id, member_id] : [act, object_id]));
async function planned(): Promise<ResumePlan> {
  const plan = await planResume(world.context(), tenants.acme, 'okta');
  if (plan.kind !== 'paused') throw new Error(plan.kind);
  return plan;
}
const resume = (digest: string) => resumeDirectory(world.context(), tenants.acme, 'okta', digest);
const rolesOf = async ({ userId }: Made) => {
  const read = await readAccess(world.context(), { tenantId: tenants.acme.tenantId, userId }, null);
  return [read?.access.state, ...(read?.access.roles.map(({ role }) => role) ?? [])];
};
const both = ['active', 'Analytics: Editor', 'Analytics: Viewer'];

describe('T58 a user whom the identity provider switched on again', () => {
  test.each<[string, (made: Made) => Promise<void>]>([
    ['PATCH', ({ id }) => refused(okta.patch(`/Users/${id}`, on))],
    [
      'PATCH without a path',
      ({ id }) => refused(okta.patch(`/Users/${id}`, { op: 'replace', value: { active: true } })),
    ],
    ['PUT', ({ id, name }) => refused(okta.put(`/Users/${id}`, userBody(name)))],
    ['POST, as if new', ({ name }) => refused(okta.post('/Users', userBody(name)))],
    [
      'POST of the same externalId',
      ({ name }) => refused(okta.post('/Users', userBody(name, { userName: `${name}-new` }))),
    ],
    [
      'POST in a bulk',
      async ({ name }) => {
        const data = [userBody(name), userBody(`word${++serial}`)];
        const posts = data.map((one, at) => ({ method: 'POST', path: '/Users', bulkId: `b${at}`, data: one }));
        expect(statuses(await bulk(okta, posts))).toEqual(['503', '503']);
      },
    ],
    ['PUT of other names', ({ id }) => refused(okta.put(`/Users/${id}`, userBody(`word${++serial}`)))],
    [
      'a bulk',
      async ({ id }) => {
        const other = await okta.get('/Users?count=1');
        const title = { op: 'replace', path: 'title', value: 'x' };
        const results = await bulk(okta, [
          patch(`/Users/${other.body.Resources[0].id}`, title),
          patch(`/Users/${id}`, on),
        ]);
        expect(statuses(results)).toEqual(['503', '503']);
      },
    ],
  ])(
    'by %s stays in when the directory is resumed, and the plan that did not know it is stale',
    async (_, restores) => {
      const [one, other] = [await member(), await member()];
      await paused();
      for (const { id } of [one, other]) await refused(okta.patch(`/Users/${id}`, off));
      const { digest } = await planned();
      await restores(one);
      expect(await acts()).toEqual([['deactivate_user', other.id]]);
      expect(await resume(digest)).toMatchObject({ kind: 'refused', code: 'stale_plan' });
      expect(await resume((await planned()).digest)).toMatchObject({ kind: 'resumed', deactivated: 1 });
      expect([await rolesOf(one), await rolesOf(other)]).toEqual([both, ['deactivated']]);
    },
  );

  test('is to be removed no more either; and switched off again, the last word is that', async () => {
    const one = await member();
    await paused();
    await refused(okta.delete(`/Users/${one.id}`));
    await refused(okta.put(`/Users/${one.id}`, userBody(one.name)));
    expect(await acts()).toEqual([]);
    for (const op of [off, on, off]) await refused(okta.patch(`/Users/${one.id}`, op));
    expect(await acts()).toEqual([['deactivate_user', one.id]]);
  });

  test('the failing twins: pushed as if new as inactive, or by names of nobody there', async () => {
    const one = await member();
    await paused();
    await refused(okta.delete(`/Users/${one.id}`));
    const before = await acts();
    await refused(okta.post('/Users', userBody(one.name, { active: false })));
    await refused(okta.post('/Users', userBody(`word${++serial}`)));
    expect(await acts()).toEqual(before);
  });

  test('the failing twins: a push that does not say so, one for another version, and one of somebody else', async () => {
    const [one, other] = [await member(), await member()];
    await paused();
    await refused(okta.patch(`/Users/${one.id}`, off));
    const before = await acts();
    await refused(okta.patch(`/Users/${one.id}`, { op: 'replace', path: 'title', value: 'x' }));
    await refused(okta.put(`/Users/${one.id}`, userBody(one.name, { active: undefined })));
    await refused(okta.patch(`/Users/${other.id}`, on));
    expect((await okta.put(`/Users/${one.id}`, userBody(one.name), { 'If-Match': 'W/"77"' })).status).toBe(412);
    expect(await acts()).toEqual(before);
    expect(await resume((await planned()).digest)).toMatchObject({ deactivated: 1 });
    expect([await rolesOf(one), await rolesOf(other)]).toEqual([['deactivated'], both]);
  });

  test('I1 R22 and is suspended meanwhile, stays suspended', async () => {
    const one = await member();
    await paused();
    await refused(okta.patch(`/Users/${one.id}`, off));
    const person = { tenantId: tenants.acme.tenantId, userId: one.userId };
    await suspend(world.context(), tenants.acme, { subjectId: one.userId, kind: 'user', person }, null);
    await refused(okta.patch(`/Users/${one.id}`, on));
    await resume((await planned()).digest);
    expect(await rolesOf(one)).toEqual(['suspended']);
  });
});

describe('T58 a member whom the identity provider put back', () => {
  const remain = (leaving: readonly Made[]) => leaving.map(({ id }) => ['leave_group', editors.id, id]).sort();
  test.each<[string, (made: Made) => Promise<void>]>([
    ['PATCH add', ({ id }) => refused(okta.patch(`/Groups/${editors.id}`, adding(id)))],
    [
      'PATCH add, many at the same moment',
      async ({ id }) => {
        await Promise.all([1, 2, 3].map(() => refused(okta.patch(`/Groups/${editors.id}`, adding(id)))));
      },
    ],
    [
      'a bulk that adds to several groups',
      async ({ id }) => {
        const results = await bulk(
          okta,
          [editors, viewers].map((group) => patch(`/Groups/${group.id}`, adding(id))),
        );
        expect(statuses(results)).toEqual(['503', '503']);
      },
    ],
  ])('by %s stays in it when the directory is resumed; others leave, and it leaves others', async (_, restores) => {
    const [one, two] = [await member(), await member()];
    await paused();
    await refused(okta.patch(`/Groups/${editors.id}`, taking(one.id, two.id)));
    await restores(one);
    expect(await acts()).toEqual(remain([two]));
    expect(await resume((await planned()).digest)).toMatchObject({ kind: 'resumed', left: 1 });
    expect([await rolesOf(one), await rolesOf(two)]).toEqual([both, ['active', 'Analytics: Viewer']]);
  });

  test.each<[string, (ids: readonly string[]) => Promise<void>]>([
    ['PUT', (ids) => refused(okta.put(`/Groups/${editors.id}`, { displayName: 'Editors', members: values(ids) }))],
    [
      'PATCH replace',
      (ids) => refused(okta.patch(`/Groups/${editors.id}`, { op: 'replace', path: 'members', value: values(ids) })),
    ],
  ])('by %s of all members stays in it; those who are left out leave', async (_, replace) => {
    const [one, two, three] = [await member(), await member(), await member()];
    await paused();
    await refused(okta.patch(`/Groups/${editors.id}`, taking(one.id, two.id)));
    const everybody = (await okta.get(`/Groups/${editors.id}`)).body.members.map(({ value }: Body) => value);
    await replace(everybody.filter((id: string) => id !== two.id && id !== three.id));
    expect(await acts()).toEqual(remain([two, three]));
  });

  test('keeps the group that was to end; that takes nobody else back in', async () => {
    const [one, two] = [await member(), await member()];
    await paused();
    await refused(okta.patch(`/Groups/${editors.id}`, taking(two.id)));
    await refused(okta.delete(`/Groups/${editors.id}`));
    await refused(okta.patch(`/Groups/${editors.id}`, adding(one.id)));
    expect(await acts()).toEqual(remain([two]));
  });

  test.each<[string, (made: Made) => Promise<void>]>([
    ['a POST', ({ id }) => refused(okta.post('/Groups', { displayName: ' editors ', members: values([id]) }))],
    [
      'a POST in a bulk',
      async ({ id }) => {
        const data = { displayName: 'Editors', members: values([id]) };
        expect(statuses(await bulk(okta, [{ method: 'POST', path: '/Groups', bulkId: 'g', data }]))).toEqual(['503']);
      },
    ],
  ])('keeps the group that was to end and is pushed as if new by %s, and those who are in it', async (_, push) => {
    const [one, two] = [await member(), await member()];
    await paused();
    await refused(okta.patch(`/Groups/${editors.id}`, taking(one.id, two.id)));
    await refused(okta.delete(`/Groups/${editors.id}`));
    await push(one);
    expect(await acts()).toEqual(remain([two]));
  });

  test.each<[string, (group: Body) => Promise<void>]>([
    ['PATCH', ({ id }) => refused(okta.patch(`/Groups/${id}`, { op: 'replace', path: 'externalId', value: 'by-id' }))],
    ['PUT', ({ id }) => refused(okta.put(`/Groups/${id}`, { displayName: 'By id', externalId: 'by-id' }))],
    ['POST, as if new', () => refused(okta.post('/Groups', { displayName: 'Called', externalId: 'by-id' }))],
  ])('T50 has the rule by its externalId, given back by %s: nobody is approved to lose it', async (_, giveBack) => {
    const role = tenants.role(tenants.acme, 'Viewer');
    await addRule(world, tenants.acme, { connection: tenants.okta, kind: 'id', value: 'by-id', role });
    const members = values([(await member()).id, (await member()).id]);
    const group = (await okta.post('/Groups', { displayName: 'By id', externalId: 'by-id', members })).body;
    await paused();
    await refused(okta.patch(`/Groups/${group.id}`, { op: 'replace', path: 'externalId', value: 'other' }));
    await refused(okta.patch(`/Groups/${group.id}`, { op: 'replace', path: 'displayName', value: 'Called' }));
    expect(await acts()).toEqual([['unmap_group', group.id]]);
    await giveBack(group);
    expect((await acts()).filter(([act]) => act === 'unmap_group')).toEqual([]);
    await world.sql('delete from mapping_rules where key = $1', ['id:by-id']);
    await world.sql('update directory_groups set ended_at = now() where group_id = $1', [group.id]);
  });

  test('the failing twins: another group, another member, a new name, and a removal', async () => {
    const [one, two] = [await member(), await member()];
    await paused();
    await refused(okta.patch(`/Groups/${editors.id}`, taking(one.id)));
    await refused(okta.delete(`/Groups/${viewers.id}`));
    const before = await acts();
    await refused(okta.patch(`/Groups/${others.id}`, adding(one.id)));
    await refused(okta.patch(`/Groups/${editors.id}`, adding(two.id)));
    await refused(okta.patch(`/Groups/${editors.id}`, { op: 'replace', path: 'displayName', value: 'Other' }));
    await refused(okta.post('/Groups', { displayName: 'Others', members: values([one.id]) }));
    await refused(okta.post('/Groups', { displayName: 'Nobody has this', members: values([one.id]) }));
    await refused(okta.patch(`/Groups/${editors.id}`, taking(one.id)));
    await refused(okta.patch(`/Groups/${viewers.id}`, { op: 'replace', path: 'displayName', value: 'Other' }));
    expect(await acts()).toEqual(before);
  });
});

test('nothing of a refused push is done: a pause gives nobody anything', async () => {
  const out = await member();
  expect((await okta.patch(`/Users/${out.id}`, off)).status).toBe(200);
  await refused(okta.patch(`/Users/${(await member()).id}`, off));
  await refused(okta.patch(`/Users/${out.id}`, on));
  await refused(okta.put(`/Users/${out.id}`, userBody(out.name)));
  expect(await rolesOf(out)).toEqual(['deactivated']);
  expect((await okta.get(`/Users/${out.id}`)).body.active).toBe(false);
});
