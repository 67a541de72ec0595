// New users: whose person they are, and who is not to be touched by them.

import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { type Acme, addUser } from '../support/acme.ts';
import { personOf } from '../support/people.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { expectRefused, filter, made, type UsersStage, usersStage } from '../support/users-stage.ts';
import { operator, type TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
let entra: DirectoryClient;
let globex: DirectoryClient;
let fresh: UsersStage['fresh'];
let stateOf: UsersStage['stateOf'];
let events: UsersStage['events'];
let profileOf: UsersStage['profileOf'];
beforeAll(async () => {
  const stage = await usersStage();
  ({ world, tenants, okta, entra, globex, fresh, stateOf, events, profileOf } = stage);
  return stage.close;
});

describe('a new user', () => {
  test('T63 I12 is 201 with its address and version; the same again is 409, and the filter that follows finds it', async () => {
    const body = userBody(fresh());
    const answer = await okta.post('/Users', body);
    const { id } = answer.body;
    expect([answer.status, answer.headers.get('location'), answer.headers.get('etag')]).toEqual([
      201,
      `${okta.base}/Users/${id}`,
      'W/"1"',
    ]);
    expect(answer.body).toMatchObject({ userName: body.userName, externalId: body.externalId, emails: body.emails });
    expectRefused(await okta.post('/Users', body), 409, 'uniqueness');
    expectRefused(
      await okta.post('/Users', { ...body, userName: body.userName.toUpperCase(), externalId: 'other' }),
      409,
      'uniqueness',
    );
    expectRefused(await okta.post('/Users', { ...userBody(fresh()), externalId: body.externalId }), 409, 'uniqueness');
    const found = await filter(okta, `userName eq "${body.userName.toUpperCase()}"`);
    expect(found.body).toMatchObject({ totalResults: 1, Resources: [{ id }] });
  });

  test('I12 created twenty times at once is created once', async () => {
    const body = userBody(fresh());
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async () => (await okta.post('/Users', body)).status),
    );
    expect(statuses.sort()).toEqual([201, ...Array(19).fill(409)]);
    const [row] = await world.sql<{ count: number }>('select count(*) from users where user_name = $1', [
      body.userName,
    ]);
    expect(Number(row?.count)).toBe(1);
  });

  test('T38 T27 whose address lives in another tenant is that tenant’s no more than before', async () => {
    const email = `${fresh()}@globex.example`;
    const other = await addUser(world, tenants.globex, email);
    const before = JSON.stringify(await profileOf(other));
    const body = userBody(fresh(), { emails: [{ value: email, primary: true }] });
    const person = await personOf(world, (await made(okta, body)).id);
    expect(person.tenantId).toBe(tenants.acme.tenantId);
    expect(await profileOf(person.userId)).toMatchObject({ email, email_verified_at: null });
    expect(JSON.stringify(await profileOf(other))).toBe(before);
  });

  test('T41 T42 brings no password, no id, no role and no right', async () => {
    const body = userBody(fresh(), {
      id: randomUUID(),
      password: 'Str0ng!pass',
      roles: [{ value: 'Administration: Administrator', primary: 'True' }],
      entitlements: [{ value: 'everything' }],
      groups: [{ value: randomUUID() }],
      meta: { location: 'https://evil.example' },
      tenant_id: tenants.globex.tenantId,
      allowed_tenants: ['globex'],
      isAdmin: true,
      suspended: false,
    });
    const user = await made(okta, body);
    expect(user.id).not.toBe(body.id);
    expect(user.roles).toEqual([{ value: 'Administration: Administrator', primary: true }]);
    expect(user.entitlements).toEqual([{ value: 'everything' }]);
    expect(JSON.stringify(user)).not.toMatch(/Str0ng|evil|isAdmin|allowed_tenants/);
    const person = await personOf(world, user.id);
    expect(person.tenantId).toBe(tenants.acme.tenantId);
    expect(await stateOf(user.id)).toBe('no_access');
    for (const table of ['passwords', 'role_grants', 'local_group_members']) {
      const column = table === 'passwords' ? 'user_id' : 'subject_id';
      expect(await world.sql(`select 1 from ${table} where ${column} = $1`, [person.userId])).toEqual([]);
    }
  });

  test('T39 whose externalId is somebody’s id or name is still somebody new', async () => {
    const victim = await made(okta, userBody(fresh()));
    const { userId } = await personOf(world, victim.id);
    for (const externalId of [victim.id, userId, 'operator', '1']) {
      const user = await made(okta, userBody(fresh(), { externalId }));
      expect((await personOf(world, user.id)).userId).not.toBe(userId);
      expect((await okta.get(`/Users/${externalId}`)).status).toBe(externalId === victim.id ? 200 : 404);
      expect((await okta.delete(`/Users/${user.id}`)).status).toBe(204);
    }
  });

  test('is made in one statement with its subject, its address and its place in the count', async () => {
    const before = (await okta.get('/Users?count=0')).body.totalResults;
    const name = fresh();
    const { userId } = await personOf(world, (await made(okta, userBody(name))).id);
    expect(await profileOf(userId)).toMatchObject({
      user_name: `${name}@acme.example`,
      email: `${name}@acme.example`,
      given_name: name,
      origin: 'scim',
      approval: 'approved',
      email_verified_at: expect.any(Date),
    });
    expect(await world.sql('select email from email_directory where user_id = $1', [userId])).toHaveLength(1);
    expect((await okta.get('/Users?count=0')).body.totalResults).toBe(before + 1);
    expect(await events(userId)).toEqual(['user.created']);
  });
});

describe('a user whose address a person of the tenant has', () => {
  test('is that person from now on, audited, with everything they held', async () => {
    const name = fresh();
    const userId = await addUser(world, tenants.acme, `${name}@acme.example`);
    await grant(userId, 'Editor');
    const before = await profileOf(userId);
    const user = await made(okta, userBody(name));
    expect((await personOf(world, user.id)).userId).toBe(userId);
    expect(await profileOf(userId)).toEqual(before);
    expect(await stateOf(user.id)).toBe('active');
    expect(await events(userId)).toEqual(['role.assigned', 'user.adopted']);
  });

  test('pushed by two directories is one person, deactivated only when both have them so', async () => {
    const name = fresh();
    const one = await made(okta, userBody(name));
    const two = await made(entra, userBody(name));
    expect(await personOf(world, one.id)).toEqual(await personOf(world, two.id));
    await okta.patch(`/Users/${one.id}`, { op: 'replace', value: { active: false } });
    expect(await stateOf(one.id)).toBe('no_access');
    await entra.patch(`/Users/${two.id}`, { op: 'Replace', path: 'active', value: 'False' });
    expect(await stateOf(one.id)).toBe('deactivated');
  });

  test('I11 is 409 where the connection does not own the domain, and says what to do without naming anybody', async () => {
    const email = `${fresh()}@elsewhere.example`;
    const userId = await addUser(world, tenants.acme, email);
    const answer = await okta.post('/Users', userBody(fresh(), { emails: [{ value: email }] }));
    expectRefused(answer, 409, 'uniqueness');
    expect(answer.body.detail).toContain('administrator');
    expect(answer.text).not.toContain(email);
    expect(await events(userId)).toEqual([]);
  });

  test('T105 is 403, audited, where they administer the tenant', async () => {
    const name = fresh();
    const userId = await addUser(world, tenants.acme, `${name}@acme.example`);
    await grant(userId, 'Admin');
    expectRefused(await okta.post('/Users', userBody(name)), 403, null);
    expect(await events(userId)).toEqual(['role.assigned', 'user.adopt refused']);
    expect(await world.sql('select 1 from directory_users where user_id = $1', [userId])).toEqual([]);
  });
});

describe('an administrator whom the directory did not make', () => {
  test('T105 D12 is neither deactivated, renamed nor removed by it; memberships are recorded all the same', async () => {
    const name = fresh();
    const userId = await addUser(world, tenants.acme, `${name}@acme.example`);
    const { id } = await made(okta, userBody(name));
    await grant(userId, 'Admin');
    expectRefused(await okta.patch(`/Users/${id}`, { op: 'replace', value: { active: false } }), 403, null);
    expectRefused(await okta.put(`/Users/${id}`, userBody(name, { userName: 'renamed' })), 403, null);
    expectRefused(await okta.delete(`/Users/${id}`), 403, null);
    expect((await okta.get(`/Users/${id}`)).body).toMatchObject({ active: true, userName: `${name}@acme.example` });
    expect((await events(userId)).slice(-3)).toEqual([
      'user.update refused',
      'user.update refused',
      'user.remove refused',
    ]);
    expect((await okta.put(`/Users/${id}`, userBody(name))).status).toBe(200);
    const group = await okta.post('/Groups', { displayName: fresh('group'), members: [{ value: id }] });
    expect(group.status).toBe(201);
  });

  test('D12 the last owner stays, even if the directory made them', async () => {
    const { id } = await made(globex, userBody(fresh()));
    const { userId, tenantId } = await personOf(world, id);
    await world.sql('delete from local_group_members where tenant_id = $1', [tenantId]);
    await world.sql(
      `insert into local_group_members (tenant_id, membership_id, local_group_id, subject_id)
       select tenant_id, gen_random_uuid(), local_group_id, $2 from local_groups where tenant_id = $1`,
      [tenantId, userId],
    );
    expectRefused(await globex.patch(`/Users/${id}`, { op: 'replace', path: 'active', value: false }), 403, null);
    expectRefused(await globex.delete(`/Users/${id}`), 403, null);
    expect((await globex.patch(`/Users/${id}`, { op: 'replace', path: 'title', value: 'Owner' })).status).toBe(200);
    expect((await globex.get(`/Users/${id}`)).body).toMatchObject({ active: true, title: 'Owner' });
  });
});

async function grant(userId: UserId, role: 'Viewer' | 'Editor' | 'Admin'): Promise<void> {
  const subject = { subjectId: userId, kind: 'user', person: { tenantId: tenants.acme.tenantId, userId } } as const;
  const outcome = await assignRole(world.context(operator), tenants.acme, subject, role, operator);
  if (outcome.kind === 'refused') throw new Error(outcome.message);
}
