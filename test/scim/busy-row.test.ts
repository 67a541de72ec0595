// Many who want one row that somebody else does not let go of.

import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { acme } from '../support/acme.ts';
import { accessState, personOf } from '../support/people.ts';
import { type DirectoryClient, directory, type ScimServer, scimServer, userBody } from '../support/scim.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let server: ScimServer;
let okta: DirectoryClient;
beforeEach(async () => {
  world = await testWorld({ waits: 'as served' });
  server = await scimServer(world);
  okta = await directory(world, server, (await acme(world)).acme, 'okta');
});
afterEach(async () => {
  await server?.close();
  await world?.close();
});

/** Something happens while a transaction of somebody else is where the statement leaves it. */
async function beside<T>(statement: string, values: readonly unknown[], act: () => Promise<T>): Promise<T> {
  const other = new pg.Client({ connectionString: world.url });
  await other.connect();
  try {
    await other.query('begin');
    await other.query(statement, [...values]);
    return await act();
  } finally {
    await other.query('rollback');
    await other.end();
  }
}

test('FT6 each is told within five seconds that the server is busy, and goes through when the row is free', async () => {
  const { body } = await okta.post('/Users', userBody('wanted'));
  const lock = 'select from directory_users where directory_user_id = $1 for update';
  const answers = await beside(lock, [body.id], () => {
    const asked = performance.now();
    return Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        const { status } = await okta.patch(`/Users/${body.id}`, { op: 'replace', path: 'nickName', value: `n${at}` });
        return { status, seconds: (performance.now() - asked) / 1000 };
      }),
    );
  });
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503));
  // The waits alone are four and a half; what is over is a machine that is busy with other tests.
  expect(Math.max(...answers.map(({ seconds }) => seconds))).toBeLessThan(6);
  expect((await okta.patch(`/Users/${body.id}`, { op: 'replace', path: 'nickName', value: 'free' })).status).toBe(200);
});

test('FT6 new users whom nobody can write meanwhile are told so at once, and wait no second time one by one', async () => {
  const names = Array.from({ length: 20 }, (_, at) => `newcomer${at}`);
  const push = () => Promise.all(names.map(async (name) => (await okta.post('/Users', userBody(name))).status));
  await beside('lock table subjects in share mode', [], async () => {
    world.takeStatements();
    expect(await push()).toEqual(names.map(() => 503));
    const written = world.takeStatements().filter((statement) => /^directory_users?_create$/.test(statement));
    expect(written.length).toBeLessThan(4);
  });
  expect(await push()).toEqual(names.map(() => 201));
});

test('T130 whom a push deactivates, while somebody else writes what only refers to them, is out at once', async () => {
  const { body } = await okta.post('/Users', userBody('referred'));
  const person = await personOf(world, body.id);
  const key = `insert into held_keys (tenant_id, key_hash, subject_id) values ($1, '\\x00', $2)`;
  const { status } = await beside(key, [person.tenantId, person.userId], () =>
    okta.patch(`/Users/${body.id}`, { op: 'replace', path: 'active', value: false }),
  );
  expect([status, await accessState(world, person)]).toEqual([200, 'deactivated']);
});
