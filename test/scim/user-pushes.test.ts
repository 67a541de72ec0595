// Pushes of users whom the directory has: what changes, what does not, and what their end and their return are.

import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import type { Acme } from '../support/acme.ts';
import { personOf } from '../support/people.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { expectRefused, filter, made, type UsersStage, usersStage } from '../support/users-stage.ts';
import { operator, type TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
let fresh: UsersStage['fresh'];
let stateOf: UsersStage['stateOf'];
let events: UsersStage['events'];
let profileOf: UsersStage['profileOf'];
beforeAll(async () => {
  const stage = await usersStage();
  ({ world, tenants, okta, fresh, stateOf, events, profileOf } = stage);
  return stage.close;
});

async function grant(userId: UserId, role: 'Viewer' | 'Editor' | 'Admin'): Promise<void> {
  const subject = { subjectId: userId, kind: 'user', person: { tenantId: tenants.acme.tenantId, userId } } as const;
  const outcome = await assignRole(world.context(operator), tenants.acme, subject, role, operator);
  if (outcome.kind === 'refused') throw new Error(outcome.message);
}

describe('a push of a known user', () => {
  test('I6 that changes nothing writes nothing: no version, no lastModified, no audit row', async () => {
    const body = userBody(fresh());
    const user = await made(okta, body);
    const { userId } = await personOf(world, user.id);
    const put = await okta.put(`/Users/${user.id}`, { ...body, id: user.id, meta: user.meta, groups: [] });
    const patched = await okta.patch(
      `/Users/${user.id}`,
      { op: 'replace', value: { active: true, 'name.givenName': body.name.givenName } },
      { op: 'add', path: 'emails', value: body.emails },
    );
    for (const answer of [put, patched]) {
      expect(answer.status).toBe(200);
      expect(answer.body.meta).toEqual(user.meta);
    }
    expect(await events(userId)).toEqual(['user.created']);
  });

  test('I19 raises the version by one, and the person’s profile follows', async () => {
    const user = await made(okta, userBody(fresh()));
    const answer = await okta.patch(`/Users/${user.id}`, { op: 'replace', value: { displayName: 'New Name' } });
    expect([answer.status, answer.headers.get('etag'), answer.body.meta.version]).toEqual([200, 'W/"2"', 'W/"2"']);
    expect(answer.body.meta.created).toBe(user.meta.created);
    const { userId } = await personOf(world, user.id);
    expect(await profileOf(userId)).toMatchObject({ display_name: 'New Name' });
    expect((await okta.get(`/Users/${user.id}`)).body).toEqual(answer.body);
    const [row] = await world.sql<{ detail: object }>(
      `select detail from audit_events where object_id = $1 and kind = 'user.updated'`,
      [userId],
    );
    expect(row?.detail).toEqual({ directoryUserId: user.id, changed: ['displayName'] });
  });

  test('T58 PUT without active leaves the switch where it is', async () => {
    const body = userBody(fresh(), { active: false });
    const user = await made(okta, body);
    const { active: _, ...silent } = body;
    expect((await okta.put(`/Users/${user.id}`, silent)).body.active).toBe(false);
    await okta.patch(`/Users/${user.id}`, { op: 'replace', path: 'active', value: true });
    expect((await okta.put(`/Users/${user.id}`, silent)).body.active).toBe(true);
    expect((await okta.patch(`/Users/${user.id}`, { op: 'replace', path: 'active', value: 'no' })).status).toBe(400);
  });

  test('I12 into another’s userName or externalId is 409 and changes nothing', async () => {
    const other = userBody(fresh());
    await made(okta, other);
    const user = await made(okta, userBody(fresh()));
    const { userName, externalId } = other;
    for (const value of [{ userName: userName.toUpperCase() }, { externalId }]) {
      expectRefused(await okta.patch(`/Users/${user.id}`, { op: 'replace', value }), 409, 'uniqueness');
    }
    expect((await okta.get(`/Users/${user.id}`)).body).toEqual(user);
  });

  test('T59 goes by If-Match: of two writers with one version one wins, the other is 412; * is any', async () => {
    const name = fresh();
    const user = await made(okta, userBody(name));
    const put = (displayName: string, tag: string) =>
      okta.put(`/Users/${user.id}`, userBody(name, { displayName }), { 'If-Match': tag });
    const statuses = await Promise.all(['A', 'B', 'C'].map(async (one) => (await put(one, 'W/"1"')).status));
    expect(statuses.sort()).toEqual([200, 412, 412]);
    expect((await put('D', 'W/"1"')).status).toBe(412);
    expect((await put('D', '"nothing of ours"')).status).toBe(412);
    expect((await put('E', '*')).status).toBe(200);
    expect((await okta.call('DELETE', `/Users/${user.id}`, undefined, { 'If-Match': 'W/"1"' })).status).toBe(412);
    expect((await okta.get(`/Users/${user.id}`, { 'If-None-Match': 'W/"3"' })).status).toBe(304);
    expect((await okta.get(`/Users/${user.id}`, { 'If-None-Match': 'W/"2"' })).status).toBe(200);
  });

  test('loses nothing when ten come at once', async () => {
    const user = await made(okta, userBody(fresh()));
    const paths = ['title', 'nickName', 'profileUrl', 'userType', 'preferredLanguage', 'displayName', 'locale'];
    const answers = await Promise.all(
      paths.map((path) => okta.patch(`/Users/${user.id}`, { op: 'replace', path, value: `https://${path}` })),
    );
    expect(answers.map((answer) => answer.status)).toEqual(paths.map(() => 200));
    const { body } = await okta.get(`/Users/${user.id}`);
    expect(paths.map((path) => body[path])).toEqual(paths.map((path) => `https://${path}`));
    expect(body.meta.version).toBe(`W/"${1 + paths.length}"`);
  });

  test('T40 with another address moves a plain person’s, and keeps that of one with a password, audited', async () => {
    const move = (id: string, email: string) =>
      okta.patch(`/Users/${id}`, { op: 'replace', path: 'emails', value: [{ value: email }] });
    const plain = await made(okta, userBody(fresh()));
    const person = await personOf(world, plain.id);
    const next = `${fresh('next')}@acme.example`;
    expect((await move(plain.id, next)).status).toBe(200);
    expect(await profileOf(person.userId)).toMatchObject({ email: next });
    expect(await world.sql('select email from email_directory where user_id = $1', [person.userId])).toEqual([
      { email: next },
    ]);

    const guarded = await made(okta, userBody(fresh()));
    const { userId, tenantId } = await personOf(world, guarded.id);
    const before = (await profileOf(userId)) as { email: string };
    await world.sql(`insert into passwords (tenant_id, user_id, hash) values ($1, $2, 'x')`, [tenantId, userId]);
    const pushed = `${fresh('evil')}@acme.example`;
    expect((await move(guarded.id, pushed)).body.emails).toEqual([{ value: pushed }]);
    expect(await profileOf(userId)).toMatchObject({ email: before.email });
    expect(await events(userId)).toEqual(['user.created', 'user.updated', 'user.email_kept']);
    expect(
      await world.sql(`select payload from graphile_worker._private_jobs where payload ->> 'to' = $1`, [before.email]),
    ).toEqual([{ payload: { template: 'address_kept', to: before.email, tenant: 'acme', connection: 'okta' } }]);

    const taken = await made(okta, userBody(fresh()));
    const takenPerson = await personOf(world, taken.id);
    expect((await move(taken.id, next)).status).toBe(200);
    expect(await profileOf(takenPerson.userId)).toMatchObject({ email: taken.emails[0].value });
    expect(await events(takenPerson.userId)).toContain('user.email_kept');
  });

  test('T62 that deactivates ends what was issued to the person, at once', async () => {
    const user = await made(okta, userBody(fresh()));
    const { userId, tenantId } = await personOf(world, user.id);
    const [before] = await world.sql<{ access_epoch: string }>(
      'select access_epoch from subjects where subject_id = $1',
      [userId],
    );
    await world.sql(
      `insert into oidc_artifacts (model, id_hash, payload_sealed, account_tenant_id, account_user_id, account_epoch, expires_at)
       values ('Session', $1, '', $2, $3, $4, now() + interval '1 hour')`,
      [Buffer.from(randomUUID()), tenantId, userId, before?.access_epoch],
    );
    expect((await okta.patch(`/Users/${user.id}`, { op: 'Replace', path: 'active', value: 'False' })).body.active).toBe(
      false,
    );
    expect(await stateOf(user.id)).toBe('deactivated');
    expect(await world.sql('select 1 from oidc_artifacts where account_user_id = $1', [userId])).toEqual([]);
    const [after] = await world.sql<{ access_epoch: string }>(
      'select access_epoch from subjects where subject_id = $1',
      [userId],
    );
    expect(Number(after?.access_epoch)).toBe(Number(before?.access_epoch) + 1);
    expect((await okta.get(`/Users/${user.id}`)).body.active).toBe(false);
    expect((await filter(okta, `userName eq "${user.userName}"`)).body.totalResults).toBe(1);
  });

  test('asks for the attributes that it wants back', async () => {
    const user = await made(okta, userBody(fresh()));
    const only = await okta.get(`/Users/${user.id}?attributes=userName`);
    expect(Object.keys(only.body).sort()).toEqual(['id', 'schemas', 'userName']);
    const without = await okta.call(
      'PUT',
      `/Users/${user.id}?excludedAttributes=emails,name`,
      userBody(fresh(), { userName: user.userName }),
    );
    expect(without.body).not.toHaveProperty('emails');
    expect(without.body).toHaveProperty('userName');
  });
});

describe('DELETE', () => {
  test('C3 R74 is 204, then 404 and gone from every list; the person, their grants and their history stay', async () => {
    const name = fresh();
    const user = await made(okta, userBody(name));
    const person = await personOf(world, user.id);
    await grant(person.userId, 'Editor');
    const group = (await okta.post('/Groups', { displayName: fresh('group'), members: [{ value: user.id }] })).body;
    const before = (await okta.get('/Users?count=0')).body.totalResults;
    const answer = await okta.delete(`/Users/${user.id}`);
    expect([answer.status, answer.text]).toEqual([204, '']);
    expectRefused(await okta.get(`/Users/${user.id}`), 404, null);
    expectRefused(await okta.delete(`/Users/${user.id}`), 404, null);
    expectRefused(await okta.patch(`/Users/${user.id}`, { op: 'replace', path: 'active', value: true }), 404, null);
    expect((await filter(okta, `userName eq "${user.userName}"`)).body).toMatchObject({
      totalResults: 0,
      Resources: [],
    });
    expect((await okta.get('/Users?count=0')).body.totalResults).toBe(before - 1);
    expect((await okta.get(`/Groups/${group.id}`)).body).toMatchObject({ members: [], meta: { version: 'W/"2"' } });
    expect((await readAccess(world.context(), person, null))?.access.state).toBe('deactivated');
    expect(
      await world.sql('select 1 from role_grants where subject_id = $1 and ended_at is null', [person.userId]),
    ).toHaveLength(1);
    expect(await events(person.userId)).toEqual(['user.created', 'role.assigned', 'user.removed']);
  });

  test('C3 then POST with the same externalId is the same person under a fresh id, with the grants they had', async () => {
    const name = fresh();
    const user = await made(okta, userBody(name));
    const person = await personOf(world, user.id);
    await grant(person.userId, 'Editor');
    await okta.delete(`/Users/${user.id}`);
    const again = await made(okta, userBody(name));
    expect(again.id).not.toBe(user.id);
    expect(await personOf(world, again.id)).toEqual(person);
    expect(await stateOf(again.id)).toBe('active');
    expect(await events(person.userId)).toContain('user.returned');
  });

  test('C3 T35 then POST with only the same userName and address is somebody new, without the old grants', async () => {
    const name = fresh();
    const user = await made(okta, userBody(name));
    const person = await personOf(world, user.id);
    await grant(person.userId, 'Editor');
    await okta.delete(`/Users/${user.id}`);
    const next = await made(okta, userBody(name, { externalId: `other-${name}` }));
    const successor = await personOf(world, next.id);
    expect(successor.userId).not.toBe(person.userId);
    expect(await stateOf(next.id)).toBe('no_access');
    expect(await profileOf(person.userId)).toMatchObject({ email: null });
    expect(await profileOf(successor.userId)).toMatchObject({ email: `${name}@acme.example` });
    expect(await world.sql('select 1 from held_keys where subject_id = $1', [person.userId])).toHaveLength(1);
    expect(await events(person.userId)).toContain('user.email_given_up');
  });
});
