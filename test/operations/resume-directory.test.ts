// A paused directory before an administrator who looked at its plan: what resuming and discarding do.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { beginDoctorVisit, endDoctorVisit } from '../../src/operations/doctor-visit.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { discardPaused } from '../../src/operations/resume-directory.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, addRule, addUser } from '../support/acme.ts';
import { forgetGuards } from '../support/guard-stage.ts';
import { type Made, off, type PausedStage, pausedStage } from '../support/paused-stage.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { operator, type TestWorld } from '../support/world.ts';

let stage: PausedStage;
let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
beforeAll(async () => {
  stage = await pausedStage();
  ({ world, tenants, okta } = stage);
  return stage.close;
});
beforeEach(() => forgetGuards(world));

const fresh = (prefix: string) => stage.fresh(prefix);
const editor = () => stage.editor();
const deactivate = (made: Made) => stage.deactivate(made);
const leave = (...made: readonly Made[]) => stage.leave(...made);
const paused = () => stage.paused();
const planned = () => stage.planned();
const resume = (digest: string) => stage.resume(digest);
const subjectOf = (userId: UserId) => stage.subjectOf(userId);
const accessOf = (made: Made) => stage.accessOf(made);
const stateOf = (made: Made) => stage.stateOf(made);
const counters = () =>
  world.sql(
    `select resource, sum(count)::int as count, (select count(*)::int from directory_users where connection_id = $1 and ended_at is null) as users,
       (select count(*)::int from directory_groups where connection_id = $1 and ended_at is null) as groups
     from directory_counters where connection_id = $1 group by resource order by resource`,
    [tenants.okta],
  );
describe('resuming', () => {
  test('leaves a doctor the room that the guard has: whom an administrator approved is counted for neither', async () => {
    const [first] = await paused();
    // As one who was pushed under a suspended person's names: that has to be sent again.
    await world.sql(
      `insert into directory_guard_acts (tenant_id, connection_id, act, object_id) values ($1, $2, 'touch_user', $3)`,
      [tenants.acme.tenantId, tenants.okta, first.userId],
    );
    await resume((await planned()).digest);
    expect(await world.sql('select 1 from directory_guard_people where approved')).toHaveLength(1);
    const visit = async () => {
      const begun = await beginDoctorVisit(world.context(), tenants.acme, 'okta', 1);
      if (begun.kind === 'begun') await endDoctorVisit(world.context(), tenants.acme, begun, []);
      return begun;
    };
    expect(await visit()).toMatchObject({ kind: 'begun', guardInTheWay: null });
    expect((await deactivate(await editor())).status).toBe(200);
    expect(await visit()).toMatchObject({ kind: 'begun', guardInTheWay: { people: 1 } });
  });

  test('T58 does everything that was recorded, set by set, audited with who approved it; then pushes are taken and counted anew', async () => {
    const [a, b, c, d] = [await editor(), await editor(), await editor(), await editor()];
    const [first] = await paused();
    expect((await deactivate(a)).status).toBe(503);
    expect((await okta.delete(`/Users/${b.id}`)).status).toBe(503);
    expect((await leave(c, d)).status).toBe(503);
    await world.sql(
      `insert into oidc_artifacts (model, id_hash, payload_sealed, account_tenant_id, account_user_id, account_epoch, expires_at)
       select 'Session', decode(md5(user_id::text), 'hex'), '', tenant_id, user_id, 0, now() + interval '1 hour' from users where user_id = any ($1::uuid[])`,
      [[a.userId, b.userId]],
    );
    const plan = await planned();
    const fates = { removed: 1, deactivated: 2, kept: 0, loses_roles: 2, loses_none: 0 };
    expect(plan.counts).toEqual({ people: 5, losing: 5, fates });
    expect(plan.people.find((one) => one.id === b.userId)?.fate).toBe('removed');
    expect(await resume(plan.digest)).toEqual({
      kind: 'resumed',
      deactivated: 2,
      removed: 1,
      left: 2,
      groupsEnded: 0,
      kept: 0,
    });
    expect(await Promise.all([first, a, b, c, d].map(stateOf))).toEqual([
      'deactivated',
      'deactivated',
      'deactivated',
      'no_access',
      'no_access',
    ]);
    expect(
      await world.sql('select 1 from oidc_artifacts where account_user_id = any ($1::uuid[])', [[a.userId, b.userId]]),
    ).toEqual([]);
    expect((await okta.get(`/Users/${a.id}`)).body.active).toBe(false);
    expect((await okta.get(`/Users/${b.id}`)).status).toBe(404);
    const [users, groups] = [(await counters())[1], (await counters())[0]];
    expect([users?.count, groups?.count]).toEqual([users?.users, users?.groups]);
    const events = await world.sql<{ kind: string; actor: { kind: string } }>(
      `select kind, actor from audit_events where detail ->> 'digest' = $1 order by kind`,
      [plan.digest],
    );
    expect(events.map((event) => event.kind)).toEqual([
      'directory.resumed',
      'group.members_changed',
      'user.directory_deactivated',
      'user.directory_deactivated',
      'user.removed',
    ]);
    expect(new Set(events.map((event) => event.actor.kind))).toEqual(new Set(['operator']));
    // What the identity provider repeats finds it done, and the guard begins again.
    expect((await deactivate(a)).status).toBe(200);
    expect((await okta.delete(`/Users/${b.id}`)).status).toBe(404);
    expect((await leave(c, d)).status).toBe(204);
    expect(await world.sql('select 1 from directory_guard_people where not approved')).toEqual([]);
    expect(await world.sql('select 1 from directory_guard_acts')).toEqual([]);
    const [e, f] = [await editor(), await editor()];
    expect([(await deactivate(e)).status, (await deactivate(f)).status]).toEqual([200, 503]);
  });

  test('ends a group whose end was asked for', async () => {
    const [a, b] = [await editor(), await editor()];
    const [name, role] = [fresh('Viewers '), tenants.role(tenants.acme, 'Viewer')];
    await addRule(world, tenants.acme, { connection: tenants.okta, kind: 'name', value: name, role });
    const viewers = (await okta.post('/Groups', { displayName: name, members: [{ value: a.id }, { value: b.id }] }))
      .body;
    expect((await okta.delete(`/Groups/${viewers.id}`)).status).toBe(503);
    const plan = await planned();
    expect(plan.groupsEnding).toEqual([name]);
    expect(plan.people.map((one) => [one.name, one.leaves, one.loses.map((lost) => lost.role), one.after])).toEqual([
      [a.name, [name], ['Analytics: Viewer'], 'active'],
      [b.name, [name], ['Analytics: Viewer'], 'active'],
    ]);
    expect(await resume(plan.digest)).toMatchObject({ groupsEnded: 1, deactivated: 0 });
    expect((await okta.get(`/Groups/${viewers.id}`)).status).toBe(404);
    const rows = await counters();
    expect(rows[0]?.count).toBe(rows[0]?.groups);
  });

  /** A group of three, by whose externalId a rule goes. */
  async function externally(): Promise<{
    readonly id: string;
    readonly externalId: string;
    readonly members: readonly Made[];
  }> {
    const externalId = fresh('external-');
    const members = [await editor(), await editor(), await editor()];
    const role = tenants.role(tenants.acme, 'Viewer');
    await addRule(world, tenants.acme, { connection: tenants.okta, kind: 'id', value: externalId, role });
    const group = { displayName: externalId, externalId, members: members.map(({ id }) => ({ value: id })) };
    return { id: (await okta.post('/Groups', group)).body.id, externalId, members };
  }
  const called = (externalId: string) => ({ op: 'replace', path: 'externalId', value: externalId });
  const viewersOf = (members: readonly Made[]) =>
    Promise.all(
      members.map(async (one) => (await accessOf(one))?.roles.some(({ role }) => role === 'Analytics: Viewer')),
    );

  test('T50 a group that leaves its rule: the plan names whom that touches, and when it is sent again it is done', async () => {
    const { id, externalId, members } = await externally();
    const otherId = called(`${externalId}-other`);
    expect((await okta.patch(`/Groups/${id}`, otherId)).status).toBe(503);
    const plan = await planned();
    expect(plan.acts).toMatchObject({ unmap_group: 1, leave_group: 0 });
    expect(
      plan.people.map(({ name, unmapped, leaves, loses }) => [name, unmapped, leaves, loses.map((lost) => lost.role)]),
    ).toEqual(members.map(({ name }) => [name, [externalId], [], ['Analytics: Viewer']]));
    expect(await resume(plan.digest)).toMatchObject({ kind: 'resumed', left: 0 });
    // Not yet: how the group is called from now on the push says.
    expect(await viewersOf(members)).toEqual([true, true, true]);
    expect(
      await world.sql(`select 1 from audit_events where kind = 'access.changed' and object_id = $1`, [
        members[0]?.userId,
      ]),
    ).toEqual([]);
    expect((await okta.patch(`/Groups/${id}`, otherId)).status).toBe(204);
    expect(await viewersOf(members)).toEqual([false, false, false]);
  });

  test('T50 the failing twin: an approval is for those whom the plan named, and discarding approves nobody', async () => {
    const { id } = await externally();
    const { id: other } = await externally();
    expect((await okta.patch(`/Groups/${id}`, called('second'))).status).toBe(503);
    expect(await resume((await planned()).digest)).toMatchObject({ kind: 'resumed' });
    expect((await okta.patch(`/Groups/${other}`, called('third'))).status).toBe(503);
    await discardPaused(world.context(), tenants.acme, 'okta');
    expect((await okta.patch(`/Groups/${other}`, called('third'))).status).toBe(503);
  });

  test('T50 T58 the failing twin: whose group was approved to leave its rule is counted when they are to be deactivated', async () => {
    const { id, externalId, members } = await externally();
    const otherId = called(`${externalId}-other`);
    expect((await okta.patch(`/Groups/${id}`, otherId)).status).toBe(503);
    expect(await resume((await planned()).digest)).toMatchObject({ kind: 'resumed' });
    const statuses: number[] = [];
    for (const one of members) statuses.push((await deactivate(one)).status);
    expect(statuses).toEqual([200, 503, 503]);
  });

  test('T50 the failing twin: nor is it approved that they are suspended by names, or that another group of theirs leaves its rule', async () => {
    const { id, externalId, members } = await externally();
    const { id: other, externalId: otherName } = await externally();
    const [first] = members;
    const add = { op: 'add', path: 'members', value: members.map((one) => ({ value: one.id })) };
    expect((await okta.patch(`/Groups/${other}`, add)).status).toBe(204);
    const suspended = await editor();
    expect(await suspend(world.context(), tenants.acme, subjectOf(suspended.userId), null)).toMatchObject({
      kind: 'suspended',
    });
    const unmapped = called(`${externalId}-other`);
    const named = { op: 'add', path: 'emails', value: [{ type: 'other', value: suspended.name }] };
    expect((await okta.patch(`/Groups/${id}`, unmapped)).status).toBe(503);
    expect(await resume((await planned()).digest)).toMatchObject({ kind: 'resumed' });
    expect((await okta.patch(`/Groups/${other}`, called(`${otherName}-other`))).status).toBe(503);
    expect(await resume((await planned()).digest)).toMatchObject({ kind: 'resumed' });
    const statuses: number[] = [];
    for (const one of members) statuses.push((await okta.patch(`/Users/${one.id}`, named)).status);
    expect(statuses).toEqual([200, 503, 503]);
    expect(first && (await stateOf(first))).toBe('suspended');
  });

  test('T50 T58 the failing twin: whom resuming took out of a group is counted when they are to be deactivated next', async () => {
    const made = [await editor(), await editor(), await editor()];
    expect((await leave(...made)).status).toBe(503);
    expect(await resume((await planned()).digest)).toMatchObject({ kind: 'resumed', left: 3 });
    // Sent again, it takes nothing any more.
    expect((await leave(...made)).status).toBe(204);
    const statuses: number[] = [];
    for (const one of made) statuses.push((await deactivate(one)).status);
    expect(statuses).toEqual([200, 503, 503]);
  });

  test('does only what was looked at: one act more, and the digest is stale and nothing is done', async () => {
    const late = await editor();
    const [, second] = await paused();
    const { digest } = await planned();
    expect((await deactivate(late)).status).toBe(503);
    expect(await resume(digest)).toMatchObject({ kind: 'refused', code: 'stale_plan' });
    expect([await stateOf(second), await stateOf(late)]).toEqual(['active', 'active']);
    expect((await deactivate(late)).status).toBe(503);
    // The same acts again are the same plan.
    const again = (await planned()).digest;
    await deactivate(late);
    expect(await resume(again)).toMatchObject({ kind: 'resumed', deactivated: 2 });
  });

  test('T105 D12 leaves in who administers and was not made by the directory, and one of the last two owners', async () => {
    const [x, y, other] = [await editor(), await editor(), await editor()];
    const name = fresh('known');
    const known = await addUser(world, tenants.acme, `${name}@acme.example`);
    const { id } = (await okta.post('/Users', userBody(name))).body;
    await world.sql('delete from local_group_members');
    await paused();
    for (const made of [x, y, other]) expect((await deactivate(made)).status).toBe(503);
    expect((await okta.patch(`/Users/${id}`, off)).status).toBe(503);
    // Rights that were given since.
    await assignRole(world.context(), tenants.acme, subjectOf(known), 'Admin', operator);
    await world.sql(
      `insert into local_group_members (tenant_id, membership_id, local_group_id, subject_id)
       select tenant_id, gen_random_uuid(), local_group_id, u from local_groups, unnest($2::uuid[]) u where tenant_id = $1`,
      [tenants.acme.tenantId, [x.userId, y.userId]],
    );
    const plan = await planned();
    expect(plan.counts.fates).toMatchObject({ kept: 2, deactivated: 3 });
    const keptOf = (userId: UserId) => plan.people.find((one) => one.id === userId)?.kept;
    expect([keptOf(known), keptOf(x.userId), keptOf(y.userId), keptOf(other.userId)]).toEqual([
      'protected_user',
      null,
      'last_owner',
      null,
    ]);
    expect(await resume(plan.digest)).toMatchObject({ kind: 'resumed', deactivated: 3, kept: 2 });
    expect(await Promise.all([x, y, other].map(stateOf))).toEqual(['deactivated', 'active', 'deactivated']);
    expect((await readAccess(world.context(), subjectOf(known).person, null))?.access.state).toBe('active');
  });

  test('T105 D12 leaves in who came to administer a tenant below, and one of its last two owners', async () => {
    const [x, y, viewer] = [await editor(), await editor(), await editor()];
    const name = fresh('known');
    const known = await addUser(world, tenants.acme, `${name}@acme.example`);
    const { id } = (await okta.post('/Users', userBody(name))).body;
    await world.sql('delete from local_group_members');
    await paused();
    for (const made of [x, y, viewer]) expect((await deactivate(made)).status).toBe(503);
    expect((await okta.patch(`/Users/${id}`, off)).status).toBe(503);
    const map = (userId: UserId, roles: readonly string[], groups: readonly string[]) =>
      mapGuest(world.context(), tenants.labs, subjectOf(userId).person, { roles, groups }, operator);
    await map(known, ['Operations: Admin'], []);
    await map(viewer.userId, ['Viewer'], []);
    for (const made of [x, y]) await map(made.userId, ['Viewer'], ['TenantOwners']);
    const plan = await planned();
    const people = [known, x.userId, y.userId, viewer.userId];
    const keptOf = (userId: UserId) => plan.people.find((one) => one.id === userId)?.kept;
    expect(people.map(keptOf)).toEqual(['protected_user', null, 'last_owner', null]);
    expect(await resume(plan.digest)).toMatchObject({ kind: 'resumed', deactivated: 3, kept: 2 });
    const below = async (userId: UserId) =>
      (await readAccess(world.context(), subjectOf(userId).person, tenants.labs.slug))?.access.state;
    expect(await Promise.all(people.map(below))).toEqual(['active', 'deactivated', 'active', 'deactivated']);
  });
});

describe('discarding', () => {
  test('forgets what was recorded, takes pushes again and counts anew; nobody’s access changes', async () => {
    const discards = async () =>
      (await world.sql(`select 1 from audit_events where kind = 'directory.discarded'`)).length;
    const discardsBefore = await discards();
    const [first, second] = await paused();
    expect(await discardPaused(world.context(), tenants.acme, 'okta')).toMatchObject({
      kind: 'discarded',
      acts: { deactivate_user: 1 },
    });
    expect([await stateOf(first), await stateOf(second)]).toEqual(['deactivated', 'active']);
    expect(await world.sql('select 1 from directory_guard_acts')).toEqual([]);
    expect((await deactivate(second)).status).toBe(200);
    expect(await stateOf(second)).toBe('deactivated');
    expect(await discards()).toBe(discardsBefore + 1);
  });
});

test('I1 R22 a suspended person stays so through a pause, a plan, a discard and a resume', async () => {
  const [, second] = await paused();
  await suspend(world.context(), tenants.acme, subjectOf(second.userId), null);
  await planned();
  await discardPaused(world.context(), tenants.acme, 'okta');
  expect(await stateOf(second)).toBe('suspended');
  expect((await deactivate(await editor())).status).toBe(200);
  expect((await deactivate(second)).status).toBe(503);
  expect(await resume((await planned()).digest)).toMatchObject({ kind: 'resumed', deactivated: 1 });
  expect((await okta.patch(`/Users/${second.id}`, { op: 'replace', path: 'active', value: true })).status).toBe(200);
  expect(await accessOf(second)).toEqual({ state: 'suspended', roles: [] });
});

test('T58 an approval and pushes that race it end whole: nobody is half resumed, and nothing is lost that was acknowledged', async () => {
  const others = await Promise.all(Array.from({ length: 6 }, () => editor()));
  await paused();
  for (const one of others.slice(0, 3)) await deactivate(one);
  const { digest } = await planned();
  const [outcome, ...answers] = await Promise.all([resume(digest), ...others.map(deactivate)]);
  for (const [index, answer] of answers.entries()) {
    const done = (await stateOf(others[index] as Made)) === 'deactivated';
    if (answer.status === 200) expect(done).toBe(true);
    else expect(answer.status).toBe(503);
  }
  if (outcome.kind === 'refused') expect(outcome.code).toBe('stale_plan');
  else
    expect(await Promise.all(others.slice(0, 3).map(stateOf))).toEqual(['deactivated', 'deactivated', 'deactivated']);
});
