// T48 a bulk that runs out of time: what was begun is brought to its end and told, and nothing else is begun.

import { beforeAll, describe, expect, test } from 'vitest';
import { bulk, create, failure, group, managed, patch, statuses } from '../support/bulk.ts';
import { type BulkStage, bulkStage } from '../support/bulk-stage.ts';
import { type Body, type DirectoryClient, directory, directoryClient, userBody } from '../support/scim.ts';
import { enterpriseUrn } from '../support/urns.ts';
import { muchLater, watchedServer } from '../support/watched-server.ts';
import type { TestWorld } from '../support/world.ts';

let stage: BulkStage;
let world: TestWorld;
let okta: DirectoryClient;
beforeAll(async () => {
  stage = await bulkStage('late');
  ({ world, okta } = stage);
  return stage.close;
});

const fresh = () => stage.fresh();
const title = { op: 'replace', path: 'title', value: 'late' };
const push = (operations: readonly unknown[], more?: object) => bulk(okta, operations, more);

/** A bulk for which time is up when a statement was answered; `first`: what happens on the way, when another was. */
async function late(
  operations: readonly unknown[],
  last: string,
  first: { readonly when: string; readonly act: () => Promise<unknown> } | null = null,
): Promise<readonly Body[]> {
  let clock: (() => void) | null = null;
  let acted = false;
  const server = await watchedServer(world, async (statement) => {
    if (statement === first?.when && !acted) {
      acted = true;
      await first?.act();
    }
    if (statement === last) clock ??= muchLater();
  });
  try {
    return await bulk(directoryClient(server, 'acme', 'okta', okta.token), operations);
  } finally {
    (clock as (() => void) | null)?.();
    await server.close();
  }
}

test('T48 what was done stays done and is told, the rest is 503 and was not tried', async () => {
  const operations = Array.from({ length: 6 }, fresh).map((name) => create(name, userBody(name)));
  const results = await late(
    [...operations.slice(0, 3), group('g', fresh()), ...operations.slice(3)],
    'directory_group_create',
  );
  expect(statuses(results)).toEqual(['201', '201', '201', '201', '503', '503', '503']);
  expect(results[4]).toEqual(failure('503'));
  expect(statuses(await push(operations))).toEqual(['409', '409', '409', '201', '201', '201']);
});

describe('T48 whoever has to be tried alone is not begun when time is up:', () => {
  test('new users among whom somebody else took a name', async () => {
    const bodies = Array.from({ length: 4 }, () => userBody(fresh()));
    const operations = bodies.map((body, index) => create(`u${index}`, body));
    const results = await late(operations, 'directory_user_create', {
      when: 'directory_newcomers',
      act: () => okta.post('/Users', bodies[1]),
    });
    expect(statuses(results)).toEqual(['201', '503', '503', '503']);
    expect(statuses(await push(operations))).toEqual(['409', '409', '201', '201']);
  });

  test('users one of whom somebody else changed', async () => {
    const users = await stage.made(3);
    const operations = users.map(({ id }) => patch(`/Users/${id}`, title));
    const results = await late(operations, 'directory_users_facts_again', {
      when: 'directory_users_facts',
      act: () => okta.patch(`/Users/${users[0]?.id}`, { op: 'replace', path: 'nickName', value: 'Nick' }),
    });
    expect(statuses(results)).toEqual(['503', '503', '503']);
    const read = await Promise.all(users.map(async ({ id }) => (await okta.get(`/Users/${id}`)).body.title));
    expect(read).toEqual([undefined, undefined, undefined]);
    expect(statuses(await push(operations))).toEqual(['200', '200', '200']);
  });
});

describe('RFC 7644 §3.7.1 who was created before the manager that they refer to is told with their address', () => {
  const circle = (first: string, second: Body) => [
    create('a', managed(first, 'bulkId:b')),
    create('b', { ...second, [enterpriseUrn]: { manager: { value: 'bulkId:a' } } }),
  ];
  const isThere = async ({ location, response }: Body) => {
    expect(response.detail).toMatch(/was created/);
    const { status, body } = await okta.get(location.slice(okta.base.length));
    expect([status, body[enterpriseUrn]?.manager]).toEqual([200, undefined]);
  };

  test('where time is up before the manager can be given', async () => {
    const [one, other] = await late(circle(fresh(), userBody(fresh())), 'directory_users_create');
    await isThere(one);
    expect([one.status, other]).toEqual(['503', failure('503')]);
    expect(other.location).toBeUndefined();
  });

  test('where failOnErrors ends the bulk before', async () => {
    const taken = userBody(fresh());
    await okta.post('/Users', taken);
    const [one, other] = await push(circle(fresh(), taken), { failOnErrors: 1 });
    expect([one.status, other]).toEqual(['503', failure('409', 'uniqueness')]);
    await isThere(one);
  });

  test('T53 where the token is ended before', async () => {
    const { tenants } = stage;
    const token = await directory(world, stage.server, tenants.acme, 'entra');
    const end = () =>
      world.sql('update scim_credentials set ended_at = now() where connection_id = $1', [tenants.entra]);
    const server = await watchedServer(world, (statement) => (statement === 'directory_users_create' ? end() : null));
    try {
      const client = directoryClient(server, 'acme', 'entra', token.token);
      const [one, other] = await bulk(client, circle(fresh(), userBody(fresh())));
      expect([one.status, other]).toEqual(['503', failure('401')]);
      const made = await world.sql('select 1 from directory_users where directory_user_id = $1', [
        one.location.split('/').at(-1),
      ]);
      expect(made).toHaveLength(1);
    } finally {
      await server.close();
    }
  });
});
