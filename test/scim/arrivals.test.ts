// New users whom many requests push at once are written together, and each request is answered for its own.

import { beforeEach, expect, test } from 'vitest';
import { suspend } from '../../src/operations/suspend.ts';
import { accessState, personOf } from '../support/people.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { type ScimStage, scimStage } from '../support/scim-stage.ts';
import type { TestWorld } from '../support/world.ts';

let stage: ScimStage;
let world: TestWorld;
let okta: DirectoryClient;
beforeEach(async () => {
  stage = await scimStage();
  ({ world, okta } = stage);
  return stage.close;
});

const push = (names: readonly string[]) => Promise.all(names.map((name) => okta.post('/Users', userBody(name))));
const named = (prefix: string, many: number) => Array.from({ length: many }, (_, index) => `${prefix}${index}`);

test('many at the same moment are few statements, each with its answer and its audit row under its own request', async () => {
  await push(['first']);
  world.takeStatements();
  const names = named('crowd', 20);
  const answers = await push(names);
  const sent = world.takeStatements().filter((statement) => !statement.startsWith('scim_credential'));
  expect(sent.length).toBeLessThan(names.length);
  expect(answers.map(({ status }) => status)).toEqual(names.map(() => 201));
  expect(answers.map(({ body }) => body.userName)).toEqual(names.map((name) => `${name}@acme.example`));
  for (const { body } of answers) expect((await okta.get(`/Users/${body.id}`)).body).toEqual(body);
  const rows = await world.sql<{ request_id: string; detail: { directoryUserId: string } }>(
    `select request_id, detail from audit_events where kind = 'user.created' and detail ->> 'directoryUserId' = any ($1)`,
    [answers.map(({ body }) => body.id)],
  );
  expect(rows).toHaveLength(names.length);
  expect(new Set(rows.map((row) => row.request_id)).size).toBe(names.length);
  const [{ count } = { count: 0 }] = await world.sql<{ count: number }>(
    `select sum(count)::int as count from directory_counters where connection_id = $1 and resource = 'users'`,
    [stage.tenants.okta],
  );
  expect((await okta.get('/Users?count=0')).body.totalResults).toBe(count);
});

test('FT18 the largest go by themselves: of many at the same moment no one statement is made', async () => {
  const long = (name: string) => userBody(name, { title: 'x'.repeat(20_000) });
  world.takeStatements();
  const answers = await Promise.all([...named('large', 6)].map((name) => okta.post('/Users', long(name))));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
  const written = world.takeStatements().filter((statement) => /^directory_users?_create$/.test(statement));
  expect(written).toEqual(answers.map(() => 'directory_user_create'));
});

test('I12 of those who share a name one is made, and the others are 409 among all the rest', async () => {
  const names = named('double', 12);
  const answers = await push([...names, ...names, 'DOUBLE3']);
  const made = answers.filter(({ status }) => status === 201);
  expect(new Set(made.map(({ body }) => body.userName)).size).toBe(12);
  expect(answers.filter(({ status }) => status === 409)).toHaveLength(13);
  expect(made).toHaveLength(12);
});

test('R22 a suspended person who comes back among many is suspended still, and nobody else is', async () => {
  const [gone] = await push(['leaver']);
  const person = await personOf(world, gone?.body.id);
  const subject = { subjectId: person.userId, kind: 'user', person } as const;
  expect((await suspend(world.context(), stage.tenants.acme, subject, 'left')).kind).toBe('suspended');
  await okta.delete(`/Users/${gone?.body.id}`);
  const names = [...named('beside', 6), 'leaver', ...named('behind', 6)];
  const answers = await push(names);
  expect(answers.map(({ status }) => status)).toEqual(names.map(() => 201));
  for (const [index, name] of names.entries()) {
    const state = await accessState(world, await personOf(world, answers[index]?.body.id));
    expect([name, state === 'suspended']).toEqual([name, name === 'leaver']);
  }
});

test('T53 whose token was ended a moment ago is 401, each of them', async () => {
  await world.sql('update scim_credentials set ended_at = now() where connection_id = $1', [stage.tenants.okta]);
  const answers = await push(named('late', 5));
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
});
