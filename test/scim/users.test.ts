import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { type Acme, addUser } from '../support/acme.ts';
import { accessState, personOf } from '../support/people.ts';
import { type Answer, type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import { operator, type TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
let entra: DirectoryClient;
let globex: DirectoryClient;
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta, entra, globex } = stage);
  return stage.close;
});

let serial = 0;
const fresh = (name = 'user') => `${name}${++serial}`;
const stateOf = async (id: string) => accessState(world, await personOf(world, id));
const events = async (userId: string) =>
  (
    await world.sql<{ kind: string; outcome: string }>(
      'select kind, outcome from audit_events where object_id = $1 order by occurred_at, event_id',
      [userId],
    )
  ).map(({ kind, outcome }) => (outcome === 'done' ? kind : `${kind} refused`));
const profileOf = async (userId: string) => (await world.sql('select * from users where user_id = $1', [userId]))[0];
const filter = (client: DirectoryClient, text: string) => client.get(`/Users?filter=${encodeURIComponent(text)}`);
async function made(client: DirectoryClient, body: Body): Promise<Body> {
  const answer = await client.post('/Users', body);
  if (answer.status !== 201) throw new Error(answer.text);
  return answer.body;
}
function expectRefused(answer: Answer, status: number, scimType: string | null): void {
  expect([answer.status, answer.body?.scimType ?? null, answer.text]).toEqual([status, scimType, expect.any(String)]);
}

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
      userBody('x', { userName: user.userName }),
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

describe('T37 an id of another tenant or connection', () => {
  test('is as unknown as a random one, in every method, as member and as manager', async () => {
    const foreign = (await made(globex, userBody(fresh()))).id;
    const sibling = (await made(entra, userBody(fresh()))).id;
    const mine = (await made(okta, userBody(fresh()))).id;
    const group = (await okta.post('/Groups', { displayName: fresh('group') })).body.id;
    const foreignGroup = (await globex.post('/Groups', { displayName: fresh('group') })).body.id;
    const random = randomUUID();
    const probes: ((id: string, groupId: string) => Promise<Answer>)[] = [
      (id) => okta.get(`/Users/${id}`),
      (id) => okta.put(`/Users/${id}`, userBody('probe')),
      (id) => okta.patch(`/Users/${id}`, { op: 'replace', path: 'active', value: false }),
      (id) => okta.delete(`/Users/${id}`),
      (id) => filter(okta, `id eq "${id}"`),
      (id) => okta.patch(`/Groups/${group}`, { op: 'add', path: 'members', value: [{ value: id }] }),
      (id) => okta.patch(`/Groups/${group}`, { op: 'remove', path: `members[value eq "${id}"]` }),
      (id) => okta.put(`/Groups/${group}`, { displayName: 'T37', members: [{ value: mine }, { value: id }] }),
      (id) => okta.post('/Groups', { displayName: 'T37 made', members: [{ value: id }] }),
      (_, groupId) => okta.get(`/Groups/${groupId}`),
      (_, groupId) => okta.put(`/Groups/${groupId}`, { displayName: 'T37' }),
      (_, groupId) => okta.patch(`/Groups/${groupId}`, { op: 'add', path: 'members', value: [{ value: mine }] }),
      (_, groupId) => okta.patch(`/Groups/${groupId}`, { op: 'remove', path: `members[value eq "${mine}"]` }),
      (_, groupId) => okta.delete(`/Groups/${groupId}`),
    ];
    for (const probe of probes) {
      const [unknown, other, beside] = [
        await probe(random, random),
        await probe(foreign, foreignGroup),
        await probe(sibling, foreignGroup),
      ];
      expect([other.status, other.text]).toEqual([unknown.status, unknown.text]);
      expect([beside.status, beside.text]).toEqual([unknown.status, unknown.text]);
    }
    expect((await okta.get(`/Groups/${group}`)).body).toMatchObject({ members: [], meta: { version: 'W/"1"' } });
    expect((await globex.get(`/Users/${foreign}`)).body.active).toBe(true);
    expect((await globex.get(`/Groups/${foreignGroup}`)).status).toBe(200);
    const path = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager';
    const managers = [];
    for (const value of [random, foreign]) {
      const { status, body } = await okta.patch(`/Users/${mine}`, { op: 'add', path, value });
      managers.push([status, Object.keys(body['urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'].manager)]);
    }
    expect(managers[1]).toEqual(managers[0]);
  });
});

describe('a list', () => {
  test('T47 is read page by page without a gap or a repeat, whatever is deleted on the way', async () => {
    const prefix = fresh('page');
    const made10 = [];
    for (let index = 0; index < 10; index += 1)
      made10.push((await made(entra, userBody(`${prefix}-${index}`))).id as string);
    const seen: string[] = [];
    let startIndex = 1;
    for (;;) {
      const { body } = await entra.get(
        `/Users?startIndex=${startIndex}&count=3&filter=${encodeURIComponent(`userName sw "${prefix}-"`)}`,
      );
      expect(body.startIndex).toBe(startIndex);
      seen.push(...body.Resources.map((user: Body) => user.id));
      if (startIndex === 1) expect(body.totalResults).toBe(10);
      if (startIndex === 4) await entra.delete(`/Users/${made10[0]}`);
      if (body.Resources.length < 3) break;
      startIndex += 3;
    }
    expect(seen).toEqual(made10);
  });

  test('T47 counts all, gives 200 at most, and refuses nonsense', async () => {
    const total = (await entra.get('/Users?count=0')).body;
    expect(total).toMatchObject({ itemsPerPage: 0, Resources: [] });
    const whole = (await entra.get('/Users?count=1000000000')).body;
    expect(whole.totalResults).toBe(total.totalResults);
    expect(whole.itemsPerPage).toBe(whole.Resources.length);
    expectRefused(await entra.get('/Users?startIndex=1e308'), 400, 'invalidValue');
    expectRefused(await entra.get('/Users?count=many'), 400, 'invalidCount');
    expect((await entra.get('/Users?startIndex=100000')).body).toMatchObject({
      totalResults: total.totalResults,
      Resources: [],
    });
    const [first, second] = (await entra.get('/Users?count=2')).body.Resources;
    expect((await entra.get('/Users?startIndex=2&count=1')).body.Resources).toEqual([second]);
    expect(first.id < second.id).toBe(true);
  });

  test('T44 T45 filters mean what they say: quotes and wildcards are text, a password is never asked for', async () => {
    const odd = await made(okta, userBody(fresh(), { userName: `o'brien" or 1=1 %_\\ ${fresh()}` }));
    const asked = (text: string) => filter(okta, text).then((answer) => answer.body.totalResults);
    expect(await asked(`userName eq ${JSON.stringify(odd.userName)}`)).toBe(1);
    expect(await asked(`userName co "%_\\\\"`)).toBe(1);
    expect(await asked(`userName co "%'; select pg_sleep(6) --"`)).toBe(0);
    expectRefused(await filter(okta, 'password pr'), 400, 'invalidFilter');
    expectRefused(await filter(okta, 'userName eq'), 400, 'invalidFilter');
    expectRefused(await okta.get('/Users?filter='), 400, 'invalidFilter');
  });

  test('finds by externalId, by an address in any case, by active and by id', async () => {
    const user = await made(okta, userBody(fresh(), { active: false }));
    const one = (text: string) => filter(okta, text).then(({ body }) => body.Resources.map((found: Body) => found.id));
    expect(await one(`externalId eq "${user.externalId}"`)).toEqual([user.id]);
    expect(await one(`emails[type eq "work"].value eq "${user.emails[0].value.toUpperCase()}"`)).toEqual([user.id]);
    expect(await one(`emails.value eq "${user.emails[0].value}" and active eq false`)).toEqual([user.id]);
    expect(await one(`id eq "${user.id}" and meta.created le "${user.meta.created}"`)).toEqual([user.id]);
    expect(await one(`userName eq "${user.userName}" and active eq true`)).toEqual([]);
  });
});
