// Many who want one row that somebody else does not let go of.

import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { acme } from '../support/acme.ts';
import { accessState, personOf } from '../support/people.ts';
import { type DirectoryClient, directory, type ScimServer, scimServer, userBody } from '../support/scim.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let server: ScimServer;
let okta: DirectoryClient;
beforeAll(async () => {
  world = await testWorld({ waits: 'as served' });
  server = await scimServer(world);
  okta = await directory(world, server, (await acme(world)).acme, 'okta');
});
afterAll(async () => {
  await server?.close();
  await world?.close();
});

test('FT6 each is told within five seconds that the server is busy, and goes through when the row is free', async () => {
  const { body } = await okta.post('/Users', userBody('wanted'));
  const other = new pg.Client({ connectionString: world.url });
  await other.connect();
  await other.query('begin');
  await other.query('select from directory_users where directory_user_id = $1 for update', [body.id]);
  const asked = performance.now();
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, at) => {
      const { status } = await okta.patch(`/Users/${body.id}`, { op: 'replace', path: 'nickName', value: `n${at}` });
      return { status, seconds: (performance.now() - asked) / 1000 };
    }),
  );
  await other.query('rollback');
  await other.end();
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503));
  // The waits alone are four and a half; what is over is a machine that is busy with other tests.
  expect(Math.max(...answers.map(({ seconds }) => seconds))).toBeLessThan(6);
  expect((await okta.patch(`/Users/${body.id}`, { op: 'replace', path: 'nickName', value: 'free' })).status).toBe(200);
});

test('FT6 new users whom nobody can write meanwhile are told so at once, and wait no second time one by one', async () => {
  const other = new pg.Client({ connectionString: world.url });
  await other.connect();
  await other.query('begin');
  await other.query('lock table subjects in share mode');
  world.takeStatements();
  const names = Array.from({ length: 20 }, (_, at) => `newcomer${at}`);
  const push = () => Promise.all(names.map(async (name) => (await okta.post('/Users', userBody(name))).status));
  expect(await push()).toEqual(names.map(() => 503));
  const written = world.takeStatements().filter((statement) => /^directory_users?_create$/.test(statement));
  expect(written.length).toBeLessThan(4);
  await other.query('rollback');
  await other.end();
  expect(await push()).toEqual(names.map(() => 201));
});

test('T130 whom a push deactivates, while somebody else writes what only refers to them, is out at once', async () => {
  const { body } = await okta.post('/Users', userBody('referred'));
  const person = await personOf(world, body.id);
  const other = new pg.Client({ connectionString: world.url });
  await other.connect();
  await other.query('begin');
  const key = `insert into held_keys (tenant_id, key_hash, subject_id) values ($1, '\\x00', $2)`;
  await other.query(key, [person.tenantId, person.userId]);
  const { status } = await okta.patch(`/Users/${body.id}`, { op: 'replace', path: 'active', value: false });
  await other.query('rollback');
  await other.end();
  expect([status, await accessState(world, person)]).toEqual([200, 'deactivated']);
});
