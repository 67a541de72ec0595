// Users whom a bulk changes, removes, links and takes back are looked at and written together; that changes nothing but the time it takes.

import { beforeAll, describe, expect, test } from 'vitest';
import type { Context, TenantTx } from '../../src/context.ts';
import type { Person, TenantId, UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, addUser } from '../support/acme.ts';
import { bulk, create, idOf, patch, statuses } from '../support/bulk.ts';
import { accessState, personOf } from '../support/people.ts';
import {
  type Body,
  type DirectoryClient,
  directory,
  directoryClient,
  type ScimServer,
  scimServer,
  userBody,
} from '../support/scim.ts';
import { editorsOf, scimStage } from '../support/scim-stage.ts';
import { operator, type TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
let okta: DirectoryClient;
let editors: Body;
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, tenants, server, okta } = stage);
  editors = await editorsOf(stage);
  return stage.close;
});

let serial = 0;
const fresh = () => `joint${++serial}`;
const range = (count: number) => Array.from({ length: count }, (_, index) => index);
const title = (value: string) => ({ op: 'replace', path: 'title', value });

type Made = { readonly id: string; readonly name: string };
async function made(count: number): Promise<readonly Made[]> {
  const names = range(count).map(fresh);
  const results = await bulk(
    okta,
    names.map((name) => create(name, userBody(name))),
  );
  return results.map((result, index) => ({ id: idOf(result), name: names[index] as string }));
}
const put = ({ id }: Made, data: Body): Body => ({ method: 'PUT', path: `/Users/${id}`, data });
const remove = ({ id }: Made): Body => ({ method: 'DELETE', path: `/Users/${id}` });
const titleOf = async ({ id }: Made): Promise<unknown> => (await okta.get(`/Users/${id}`)).body.title;
const all = (status: string, count: number) => range(count).map(() => status);

const suspendNow = ({ tenantId, userId }: Person) =>
  suspend(
    world.context(operator),
    tenants.acme,
    { subjectId: userId, kind: 'user', person: { tenantId, userId } },
    null,
  );
const stateOf = async (id: string) => accessState(world, await personOf(world, id));
const join = (ids: readonly string[]) =>
  okta.patch(`/Groups/${editors.id}`, { op: 'add', path: 'members', value: ids.map((value) => ({ value })) });

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
    const { tenantId, userId } = await personOf(world, users[1]?.id ?? '');
    await world.sql(
      `insert into local_group_members (tenant_id, membership_id, local_group_id, subject_id)
       select tenant_id, gen_random_uuid(), local_group_id, $2 from local_groups where tenant_id = $1 and name = 'TenantOwners'`,
      [tenantId, userId],
    );
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

describe('I3 a suspension is no less sticky among many', () => {
  test('who is reactivated, replaced, removed and pushed again stays suspended, and the others are as they were', async () => {
    const users = await made(6);
    await join(users.map(({ id }) => id));
    const held = users.slice(2, 4);
    for (const { id } of held) await suspendNow(await personOf(world, id));
    const states = async (ids: readonly string[]) => Promise.all(ids.map(stateOf));
    const expected = [...all('active', 2), ...all('suspended', 2), ...all('active', 2)];
    for (const value of [false, true])
      await bulk(
        okta,
        users.map(({ id }) => patch(`/Users/${id}`, { op: 'replace', path: 'active', value })),
      );
    expect(await states(users.map(({ id }) => id))).toEqual(expected);
    await bulk(
      okta,
      users.map((user) => put(user, userBody(`${user.name}x`, { externalId: `ext-${user.name}` }))),
    );
    expect(await states(users.map(({ id }) => id))).toEqual(expected);
    expect(statuses(await bulk(okta, users.map(remove)))).toEqual(all('204', 6));
    const back = await bulk(
      okta,
      users.map(({ name }) => create(name, userBody(`${name}y`, { externalId: `ext-${name}` }))),
    );
    expect(statuses(back)).toEqual(all('201', 6));
    await join(back.map(idOf));
    expect(await states(back.map(idOf))).toEqual(expected);
  });

  test('T118 who is given a suspended person’s address in the middle of many is suspended, and passes it on to the next', async () => {
    const users = await made(5);
    await join(users.map(({ id }) => id));
    const [held] = (await made(1)) as [Made];
    await suspendNow(await personOf(world, held.id));
    const address = (value: string) => ({ value: `${value}@acme.example` });
    const shared = fresh();
    const results = await bulk(
      okta,
      users.map((user, index) => {
        const more =
          index === 1 ? [address(`${held.name}+tag`), address(shared)] : index === 3 ? [address(shared)] : [];
        return put(user, userBody(user.name, { emails: [{ ...address(user.name), primary: true }, ...more] }));
      }),
    );
    expect(statuses(results)).toEqual(all('200', 5));
    const states = await Promise.all(users.map(({ id }) => stateOf(id)));
    expect(states).toEqual(['active', 'suspended', 'active', 'suspended', 'active']);
  });
});

test('I3 T118 who comes back under a suspended person’s keys passes it on to the next, by what they were ever known by', async () => {
  const [held, returning] = (await made(2)) as [Made, Made];
  const old = { value: `${returning.name}@acme.example` };
  const moved = userBody(fresh(), { externalId: `ext-${returning.name}` });
  await okta.put(`/Users/${returning.id}`, moved);
  await okta.delete(`/Users/${returning.id}`);
  await suspendNow(await personOf(world, held.id));
  const results = await bulk(okta, [
    create('before', userBody(fresh())),
    create('returns', { ...moved, emails: [...moved.emails, { value: `${held.name}+x@acme.example` }] }),
    create('next', userBody(fresh(), { emails: [{ value: `${fresh()}@acme.example`, primary: true }, old] })),
    create('after', userBody(fresh())),
  ]);
  expect(statuses(results)).toEqual(all('201', 4));
  await join(results.map(idOf));
  const states = await Promise.all(results.map((result) => stateOf(idOf(result))));
  expect(states).toEqual(['active', 'suspended', 'suspended', 'active']);
});

test('I3 who is given the userName under which a suspended person left is suspended, in the middle of many', async () => {
  const users = await made(3);
  await join(users.map(({ id }) => id));
  const [name, left] = [fresh(), fresh()];
  const named = (user: Made, userName: string) => put(user, { ...userBody(user.name), userName });
  const held = (await okta.post('/Users', { ...userBody(left), userName: name })).body.id;
  await suspendNow(await personOf(world, held));
  await okta.delete(`/Users/${held}`);
  const names = [fresh(), name, fresh()];
  const results = await bulk(
    okta,
    users.map((user, index) => named(user, names[index] as string)),
  );
  expect(statuses(results)).toEqual(all('200', 3));
  expect(await Promise.all(users.map(({ id }) => stateOf(id)))).toEqual(['active', 'suspended', 'active']);
});

/** A server on which something happens once, right after a statement of a bulk was answered for the `nth` time. */
async function interrupted(name: string, nth: number, act: () => Promise<unknown>): Promise<ScimServer> {
  let left = nth;
  const watched = (tx: TenantTx): TenantTx => {
    const run: TenantTx['run'] = async (asked, values) => {
      const rows = await tx.run<never>(asked, values);
      if (asked.name === name) left -= 1;
      if (asked.name === name && left === 0) await act();
      return rows;
    };
    return { ...tx, run };
  };
  const contextFor = ({ actor }: Context['caller']): Context => {
    const ctx = world.context(actor);
    return {
      ...ctx,
      hot: (tenantId: TenantId) => watched(ctx.hot(tenantId)),
      transaction: (tenantId, work) => ctx.transaction(tenantId, (tx) => work(watched(tx))),
    };
  };
  return scimServer(world, { contextFor });
}

describe('what happens between the look at many and their writing', () => {
  test('a change by somebody else is lost on nobody', async () => {
    const users = await made(4);
    const second = users[1] as Made;
    const nick = { op: 'replace', path: 'nickName', value: 'Nick' };
    const between = await interrupted('directory_users_facts', 1, () => okta.patch(`/Users/${second.id}`, nick));
    try {
      const client = directoryClient(between, 'acme', 'okta', okta.token);
      const results = await bulk(
        client,
        users.map(({ id }) => patch(`/Users/${id}`, title('x'))),
      );
      expect(results.map(({ version }) => version)).toEqual(['W/"2"', 'W/"3"', 'W/"2"', 'W/"2"']);
      expect((await okta.get(`/Users/${second.id}`)).body).toMatchObject({ nickName: 'Nick', title: 'x' });
    } finally {
      await between.close();
    }
  });

  test('I3 a suspension is met by who is given the suspended person’s key, by a PUT and by a POST', async () => {
    const users = await made(3);
    await join(users.map(({ id }) => id));
    const [held, account] = [(await made(1))[0] as Made, fresh()];
    await addUser(world, tenants.acme, `${account}@acme.example`);
    const person = await personOf(world, held.id);
    const key = { value: `${held.name}+x@acme.example` };
    const putKey = await interrupted('directory_users_clashes', 1, () => suspendNow(person));
    try {
      const client = directoryClient(putKey, 'acme', 'okta', okta.token);
      const results = await bulk(
        client,
        users.map((user, index) =>
          put(
            user,
            userBody(user.name, {
              emails: [{ value: `${user.name}@acme.example`, primary: true }, ...(index === 1 ? [key] : [])],
              title: 'x',
            }),
          ),
        ),
      );
      expect(statuses(results)).toEqual(all('200', 3));
      expect(await Promise.all(users.map(({ id }) => stateOf(id)))).toEqual(['active', 'suspended', 'active']);
    } finally {
      await putKey.close();
    }
    const other = (await made(1))[0] as Made;
    const linking = userBody(account, {
      emails: [{ value: `${account}@acme.example`, primary: true }, { value: `${other.name}+x@acme.example` }],
    });
    const postKey = await interrupted('directory_users_create_facts', 2, async () =>
      suspendNow(await personOf(world, other.id)),
    );
    try {
      const client = directoryClient(postKey, 'acme', 'okta', okta.token);
      // An account is not linked to a suspended person's keys.
      expect(statuses(await bulk(client, [create('a', linking), create('b', userBody(fresh()))]))).toEqual([
        '409',
        '201',
      ]);
    } finally {
      await postKey.close();
    }
  });

  test('a token that is ended is 401 for all of them, and nothing of them is done', async () => {
    const entra = await directory(world, server, tenants.acme, 'entra');
    const ids = (
      await bulk(
        entra,
        range(3).map((index) => create(`e${index}`, userBody(fresh(), { emails: [] }))),
      )
    ).map(idOf);
    const end = () =>
      world.sql(`update scim_credentials set ended_at = now() where connection_id = $1`, [tenants.entra]);
    const between = await interrupted('directory_users_facts', 1, end);
    try {
      const client = directoryClient(between, 'acme', 'entra', entra.token);
      const answer = await client.post('/Bulk', { Operations: ids.map((id) => patch(`/Users/${id}`, title('x'))) });
      expect(answer.status).toBe(401);
      const rows = await world.sql('select distinct version from directory_users where directory_user_id = any ($1)', [
        ids,
      ]);
      expect(rows).toEqual([{ version: 1 }]);
    } finally {
      await between.close();
    }
  });
});

test('the guard counts them one by one: those before the line are deactivated, all others wait for an administrator', async () => {
  const users = await made(6);
  const connection = [tenants.okta];
  await world.sql(
    `update connections set directory = '{"guard": {"people": 3, "percent": 100, "minutes": 60}}' where connection_id = $1`,
    connection,
  );
  const guarded = await scimServer(world);
  try {
    const client = directoryClient(guarded, 'acme', 'okta', okta.token);
    const off = users.map(({ id }) => patch(`/Users/${id}`, { op: 'replace', path: 'active', value: false }));
    const results = await bulk(client, [...off, patch(`/Users/${users[0]?.id}`, title('x'))]);
    expect(statuses(results)).toEqual([...all('200', 3), ...all('503', 4)]);
    const active = await world.sql<{ id: UserId }>(
      'select 1 from directory_users where directory_user_id = any ($1) and active',
      [users.map(({ id }) => id)],
    );
    expect(active).toHaveLength(3);
  } finally {
    await guarded.close();
    await world.sql(`update connections set directory = '{}' where connection_id = $1`, connection);
    for (const table of ['directory_guard_acts', 'directory_guard_people', 'directory_guards'])
      await world.sql(`delete from ${table} where connection_id = $1`, connection);
  }
});
