// Users whom a bulk changes, removes, links and takes back are looked at and written together; that changes nothing but the time it takes.

import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { type Acme, addUser } from '../support/acme.ts';
import { all, bulk, create, patch, put, range, remove, statuses, title } from '../support/bulk.ts';
import { type BulkStage, bulkStage, type Made } from '../support/bulk-stage.ts';
import { makeOwner, personOf } from '../support/people.ts';
import { type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import { operator, type TestWorld } from '../support/world.ts';

let stage: BulkStage;
let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
beforeAll(async () => {
  stage = await bulkStage('joint');
  ({ world, tenants, okta } = stage);
  return stage.close;
});

const fresh = () => stage.fresh();
const made = (count: number) => stage.made(count);
const titleOf = async ({ id }: Made): Promise<unknown> => (await okta.get(`/Users/${id}`)).body.title;

/** What was sent to the database, but for what the request asks once. */
async function statementsOf(operations: readonly Body[], status: string): Promise<readonly string[]> {
  world.takeStatements();
  expect(statuses(await bulk(okta, operations))).toEqual(all(status, operations.length));
  return world.takeStatements().filter((statement) => !/^scim_credential|^begin$|^commit$/.test(statement));
}

describe('a hundred operations on different users cost a few statements', () => {
  const look = ['directory_users_facts', 'directory_users_lock', 'directory_users_facts_again'];

  test('PATCH and PUT; and one where nothing changes', async () => {
    const users = await made(100);
    const named = users.map(({ id }) => patch(`/Users/${id}`, title(id)));
    expect(await statementsOf(named, '200')).toEqual([...look, 'directory_users_update', 'audit_record']);
    expect(await statementsOf(named, '200')).toEqual(['directory_users_facts']);
    const renamed = users.map((user) => put(user, userBody(fresh())));
    expect(await statementsOf(renamed, '200')).toEqual([
      ...look,
      'directory_users_clashes',
      'directory_users_update',
      'users_follow',
      'held_keys_hold',
      'audit_record',
      'held_keys_suspended_of_many',
      'guests_below',
    ]);
    const off = users.map(({ id }) => patch(`/Users/${id}`, { op: 'replace', path: 'active', value: false }));
    expect(await statementsOf(off, '200')).toEqual([
      ...look,
      'directory_users_update',
      'users_end_sessions',
      'audit_record',
    ]);
  });

  test('PUTs whose names or addresses somebody has', async () => {
    const [users, others] = [await made(20), await made(20)];
    const to = (more: (other: Made) => object) =>
      users.map((user, index) => put(user, userBody(user.name, more(others[index] as Made))));
    const named = to(({ name }) => ({ userName: `${name}@acme.example`, emails: [] }));
    expect((await statementsOf(named, '409')).length).toBeLessThan(8);
    const addressed = to(({ name }) => ({ emails: [{ value: `${name}@acme.example` }] }));
    expect((await statementsOf(addressed, '200')).length).toBeLessThan(11);
    const kept = await world.sql<{ email: string }>(
      `select u.email from directory_users d join users u using (tenant_id, user_id) where d.directory_user_id = any ($1)`,
      [users.map(({ id }) => id)],
    );
    expect(kept.map(({ email }) => email).sort()).toEqual(users.map(({ name }) => `${name}@acme.example`).sort());
  });

  test('DELETE, and POSTs of those who come back', async () => {
    const users = await made(100);
    expect(await statementsOf(users.map(remove), '204')).toEqual([
      ...look,
      'directory_users_leaving',
      'directory_users_end',
      'users_end_sessions',
      'audit_record',
    ]);
    const back = users.map(({ name }) => create(name, userBody(name)));
    expect((await statementsOf(back, '201')).length).toBeLessThan(10);
  });

  test('POSTs that link to accounts, or whose address somebody has', async () => {
    const names = range(50).map(fresh);
    for (const name of names) await addUser(world, tenants.acme, `${name}@acme.example`);
    const linked = await statementsOf(
      names.map((name) => create(name, userBody(name))),
      '201',
    );
    expect(linked.length).toBeLessThan(14);
    const others = names.map((name) =>
      create(name, userBody(fresh(), { emails: [{ value: `${name}@acme.example` }] })),
    );
    expect((await statementsOf(others, '409')).length).toBeLessThan(8);
  });
});

describe('RFC 7644 §3.7 what order means holds among them', () => {
  test('a userName that one gives up is there for the next, and not for the one before', async () => {
    const [first, second, third] = (await made(3)) as [Made, Made, Made];
    const names = [fresh(), fresh()] as const;
    const body = (userName: string, { name }: Made) => ({ ...userBody(name), userName, emails: [] });
    const results = await bulk(okta, [
      put(third, body(`${first.name}@acme.example`, third)),
      put(first, body(names[0], first)),
      put(second, body(`${first.name}@acme.example`, second)),
      put(third, body(`${second.name}@acme.example`, third)),
      remove(first),
      put(third, body(names[0], third)),
    ]);
    expect(statuses(results)).toEqual(['409', '200', '200', '200', '204', '200']);
    expect(results[0]?.response.scimType).toBe('uniqueness');
    expect((await okta.get(`/Users/${third.id}`)).body.userName).toBe(names[0]);
  });

  test('of one user each sees what the one before it made; the others go on beside', async () => {
    const [user, other] = (await made(2)) as [Made, Made];
    const at = (version: string) => ({ ...patch(`/Users/${user.id}`, title(version)), version: `W/"${version}"` });
    const results = await bulk(okta, [at('1'), patch(`/Users/${other.id}`, title('x')), at('2'), at('2'), at('3')]);
    expect(statuses(results)).toEqual(['200', '200', '200', '412', '200']);
    expect(results.map(({ version }) => version)).toEqual(['W/"2"', 'W/"2"', 'W/"3"', undefined, 'W/"4"']);
  });

  test('failOnErrors ends them at the first error: what comes after is not tried and not answered', async () => {
    const users = await made(6);
    const nobody = patch(`/Users/${crypto.randomUUID()}`, title('x'));
    const operations = users.map(({ id }) => patch(`/Users/${id}`, title('after')));
    const results = await bulk(okta, [...operations.slice(0, 3), nobody, ...operations.slice(3)], { failOnErrors: 1 });
    expect(statuses(results)).toEqual(['200', '200', '200', '404']);
    expect(await Promise.all(users.map(titleOf))).toEqual([...all('after', 3), ...range(3).map(() => undefined)]);
  });

  test('failOnErrors ends them at a name that is taken', async () => {
    const users = await made(5);
    const [other] = (await made(1)) as [Made];
    const bodies = users.map(({ name }, index) =>
      userBody(name, index === 2 ? { userName: `${other.name}@acme.example` } : { title: 'after' }),
    );
    const operations = users.map((user, index) => put(user, bodies[index]));
    expect(statuses(await bulk(okta, operations, { failOnErrors: 1 }))).toEqual(['200', '200', '409']);
    expect(await Promise.all(users.map(titleOf))).toEqual(['after', 'after', undefined, undefined, undefined]);
  });

  test('a group has a new version for each member who is removed', async () => {
    const users = await made(3);
    const team = (await okta.post('/Groups', { displayName: fresh() })).body;
    const value = users.map(({ id }) => ({ value: id }));
    await okta.patch(`/Groups/${team.id}`, { op: 'add', path: 'members', value });
    expect(statuses(await bulk(okta, users.map(remove)))).toEqual(all('204', 3));
    const { members, meta } = (await okta.get(`/Groups/${team.id}`)).body;
    expect([members, meta.version]).toEqual([[], 'W/"5"']);
  });

  test('the last owner of the tenant is found among them', async () => {
    const users = await made(3);
    await world.sql('delete from local_group_members');
    await makeOwner(world, await personOf(world, users[1]?.id ?? ''));
    expect(statuses(await bulk(okta, users.map(remove)))).toEqual(['204', '403', '204']);
  });

  test('failOnErrors holds among those who link to accounts too', async () => {
    const names = range(4).map(fresh);
    for (const name of names) await addUser(world, tenants.acme, `${name}@acme.example`);
    const [held] = (await made(1)) as [Made];
    const taken = create('taken', userBody(fresh(), { emails: [{ value: `${held.name}@acme.example` }] }));
    const operations = names.map((name) => create(name, userBody(name)));
    const results = await bulk(okta, [...operations.slice(0, 2), taken, ...operations.slice(2)], { failOnErrors: 1 });
    expect(statuses(results)).toEqual(['201', '201', '409']);
    const users = await world.sql('select 1 from directory_users where user_name = any ($1)', [
      names.map((name) => `${name}@acme.example`),
    ]);
    expect(users).toHaveLength(2);
  });

  test('each leaves the audit rows of the single request, refused ones too', async () => {
    const [first, second] = (await made(2)) as [Made, Made];
    const owner = await made(1);
    const { tenantId, userId } = await personOf(world, owner[0]?.id ?? '');
    await world.sql(`update users set origin = 'admin' where user_id = $1`, [userId]);
    const subject = { subjectId: userId, kind: 'user', person: { tenantId, userId } } as const;
    await assignRole(world.context(), tenants.acme, subject, 'Admin', operator);
    const results = await bulk(okta, [
      patch(`/Users/${first.id}`, title('x')),
      patch(`/Users/${owner[0]?.id}`, title('x')),
      { method: 'DELETE', path: `/Users/${second.id}` },
    ]);
    expect(statuses(results)).toEqual(['200', '403', '204']);
    const rows = await world.sql(
      `select kind, outcome, reason, detail ->> 'directoryUserId' as id from audit_events
       where request_id = (select request_id from audit_events where detail ->> 'directoryUserId' = $1 and kind = 'user.removed')
       order by kind, outcome`,
      [second.id],
    );
    expect(rows).toEqual([
      { kind: 'user.removed', outcome: 'done', reason: null, id: second.id },
      { kind: 'user.update', outcome: 'refused', reason: 'protected_user', id: null },
      { kind: 'user.updated', outcome: 'done', reason: null, id: first.id },
    ]);
  });
});

test('the guard counts them one by one: those before the line are deactivated, all others wait for an administrator', async () => {
  const users = await made(6);
  onTestFinished(() => stage.unguard());
  const client = await stage.withGuard(3);
  const off = users.map(({ id }) => patch(`/Users/${id}`, { op: 'replace', path: 'active', value: false }));
  const results = await bulk(client, [...off, patch(`/Users/${users[0]?.id}`, title('x'))]);
  expect(statuses(results)).toEqual([...all('200', 3), ...all('503', 4)]);
  const active = await world.sql<{ id: UserId }>(
    'select 1 from directory_users where directory_user_id = any ($1) and active',
    [users.map(({ id }) => id)],
  );
  expect(active).toHaveLength(3);
});
