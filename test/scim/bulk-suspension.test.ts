// A bulk is no way around a suspension: users who are looked at and written together meet the same wall as those who come alone.

import { beforeAll, describe, expect, test } from 'vitest';
import { addUser } from '../support/acme.ts';
import { all, bulk, create, idOf, patch, put, remove, statuses } from '../support/bulk.ts';
import { type BulkStage, bulkStage, type Made } from '../support/bulk-stage.ts';
import { personOf } from '../support/people.ts';
import { type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import type { TestWorld } from '../support/world.ts';

let stage: BulkStage;
let world: TestWorld;
let okta: DirectoryClient;
beforeAll(async () => {
  stage = await bulkStage('wall');
  ({ world, okta } = stage);
  return stage.close;
});

const fresh = () => stage.fresh();
const made = (count: number) => stage.made(count);
const join = (ids: readonly string[]) => stage.join(ids);
const suspendNow = (id: string) => stage.suspendNow(id);
const stateOf = (id: string) => stage.stateOf(id);
const stateOfResult = (result: Body) => stage.stateOf(idOf(result));
const pushed = async (body: Body): Promise<string> => (await okta.post('/Users', body)).body.id;

/** New users who become editors, in one bulk. */
const asEditors = (bodies: readonly Body[]) => [
  ...bodies.map((body, index) => create(`u${index}`, body)),
  patch(`/Groups/${stage.editors.id}`, {
    op: 'add',
    path: 'members',
    value: bodies.map((_, index) => ({ value: `bulkId:u${index}` })),
  }),
];

test('I3 whoever has a key of a suspended person begins suspended in the middle of a run of new users', async () => {
  const name = fresh();
  const id = await pushed(userBody(name));
  await okta.delete(`/Users/${id}`);
  await suspendNow(id);
  const others = Array.from({ length: 6 }, () => userBody(fresh()));
  const address = userBody(fresh(), { emails: [{ value: `${name}@acme.example` }] });
  const tagged = userBody(fresh(), {
    emails: [{ value: `x-${name}@acme.example`, primary: true }, { value: `${name}+tag@acme.example` }],
  });
  const namesake = userBody(fresh(), { userName: `${name}@acme.example` });
  const results = await bulk(
    okta,
    asEditors([...others.slice(0, 2), address, tagged, ...others.slice(2, 4), namesake, ...others.slice(4)]),
  );
  expect(
    statuses(results)
      .slice(0, -1)
      .every((status) => status === '201'),
  ).toBe(true);
  const states = await Promise.all(results.slice(0, -1).map(stateOfResult));
  expect(states).toEqual([
    ...['active', 'active'],
    ...['suspended', 'suspended'],
    ...['active', 'active'],
    'suspended',
    ...['active', 'active'],
  ]);
});

test('I3 the same externalId is the same person again, suspended as they were', async () => {
  const name = fresh();
  const id = await pushed(userBody(name));
  await suspendNow(id);
  await okta.delete(`/Users/${id}`);
  const results = await bulk(okta, asEditors([userBody(fresh()), userBody(name), userBody(fresh())]));
  expect(await personOf(world, idOf(results[1]))).toEqual(await personOf(world, id));
  expect(await Promise.all(results.slice(0, 3).map(stateOfResult))).toEqual(['active', 'suspended', 'active']);
});

test('T118 I3 who begins suspended in a bulk passes it on to who shares a key with them later in it', async () => {
  const name = fresh();
  await suspendNow(await pushed(userBody(name)));
  const shared = { value: `shared-${name}@acme.example` };
  const heir = userBody(fresh(), {
    emails: [{ value: `heir-${name}@acme.example`, primary: true }, { value: `${name}+x@acme.example` }, shared],
  });
  const next = userBody(fresh(), { emails: [{ value: `next-${name}@acme.example`, primary: true }, shared] });
  const before = userBody(fresh());
  const results = await bulk(okta, asEditors([before, heir, userBody(fresh()), next]));
  expect(await Promise.all(results.slice(0, 4).map(stateOfResult))).toEqual([
    'active',
    'suspended',
    'active',
    'suspended',
  ]);
});

describe('I3 a suspension is no less sticky among many', () => {
  test('who is reactivated, replaced, removed and pushed again stays suspended, and the others are as they were', async () => {
    const users = await made(6);
    await join(users.map(({ id }) => id));
    const held = users.slice(2, 4);
    for (const { id } of held) await suspendNow(id);
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
    await suspendNow(held.id);
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
  await suspendNow(held.id);
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
  await suspendNow(held);
  await okta.delete(`/Users/${held}`);
  const names = [fresh(), name, fresh()];
  const results = await bulk(
    okta,
    users.map((user, index) => named(user, names[index] as string)),
  );
  expect(statuses(results)).toEqual(all('200', 3));
  expect(await Promise.all(users.map(({ id }) => stateOf(id)))).toEqual(['active', 'suspended', 'active']);
});

test('T130 a suspension between the look at many and their writing is met by the one whom it concerns, and by nobody else', async () => {
  const name = fresh();
  const id = await pushed(userBody(name));
  const heir = userBody(fresh(), {
    emails: [{ value: `heir-${name}@acme.example`, primary: true }, { value: `${name}@acme.example` }],
  });
  await stage.between(
    'directory_newcomers',
    () => suspendNow(id),
    async (client) => {
      world.takeStatements();
      const results = await bulk(client, asEditors([userBody(fresh()), heir, userBody(fresh())]));
      expect(statuses(results)).toEqual(['201', '201', '201', '204']);
      // Written together but for the one, who was looked at again alone.
      const sent = world
        .takeStatements()
        .filter((statement) => statement.startsWith('directory_') && statement.includes('user'));
      expect(sent).toContain('directory_users_create');
      expect(sent).not.toContain('directory_user_create');
      expect(await Promise.all(results.slice(0, 3).map(stateOfResult))).toEqual(['active', 'suspended', 'active']);
    },
  );
});

test('I3 a suspension is met by who is given the suspended person’s key, by a PUT and by a POST', async () => {
  const users = await made(3);
  await join(users.map(({ id }) => id));
  const [held, account] = [(await made(1))[0] as Made, fresh()];
  await addUser(world, stage.tenants.acme, `${account}@acme.example`);
  const key = { value: `${held.name}+x@acme.example` };
  await stage.between(
    'directory_users_clashes',
    () => suspendNow(held.id),
    async (client) => {
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
    },
  );
  const other = (await made(1))[0] as Made;
  const linking = userBody(account, {
    emails: [{ value: `${account}@acme.example`, primary: true }, { value: `${other.name}+x@acme.example` }],
  });
  await stage.between(
    'directory_users_create_facts',
    () => suspendNow(other.id),
    async (client) => {
      // An account is not linked to a suspended person's keys.
      expect(statuses(await bulk(client, [create('a', linking), create('b', userBody(fresh()))]))).toEqual([
        '409',
        '201',
      ]);
    },
    { nth: 2 },
  );
});
