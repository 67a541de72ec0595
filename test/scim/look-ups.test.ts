// Many who ask for one resource at once are answered together, and nobody with what another asked for.

import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { begun } from '../support/begun.ts';
import { type Body, type DirectoryClient, directory, directoryClient, userBody } from '../support/scim.ts';
import { type ScimStage, scimStage } from '../support/scim-stage.ts';
import { watchedServer } from '../support/watched-server.ts';
import type { TestWorld } from '../support/world.ts';

let stage: ScimStage;
let world: TestWorld;
let okta: DirectoryClient;
let entra: DirectoryClient;
let globex: DirectoryClient;
let users: Body[];
const PATIENCE = { timeout: 20_000, interval: 20 };
const SHARED = 'desk@elsewhere.example';
beforeAll(async () => {
  stage = await scimStage();
  ({ world, okta, entra, globex } = stage);
  users = await Promise.all(
    Array.from({ length: 12 }, async (_, index) => {
      const body = userBody(`person${index}`);
      const emails = [...body.emails, { value: SHARED, type: 'other' }];
      return (await okta.post('/Users', { ...body, emails })).body;
    }),
  );
  await globex.post('/Users', userBody('person0'));
  return stage.close;
});

const byName = (name: string) => `/Users?filter=${encodeURIComponent(`userName eq "${name}"`)}`;
const byEmail = (email: string) => `/Users?filter=${encodeURIComponent(`emails.value eq "${email}"`)}`;
const foundBy = async (client: DirectoryClient, path: string): Promise<readonly string[]> => {
  const { status, body } = await client.get(path);
  expect(status).toBe(200);
  expect(body.totalResults).toBe((body.Resources ?? []).length);
  return (body.Resources ?? []).map(({ id }: Body) => id);
};

/** Whose a token is: asked once a second, on a slow machine more often. */
const asksWhose = (statement: string) => statement.startsWith('scim_credential');
/** Statements since they were last taken. */
const lookUps = () => world.takeStatements().filter((statement) => !asksWhose(statement)).length;

describe('look-ups at the same moment', () => {
  test('by a filter are few statements, and each is answered with its own', async () => {
    const names = users.map(({ userName }) => userName as string);
    const asked = [...names, 'nobody@acme.example', names[0]?.toUpperCase() ?? '', `${names[0]}"`.slice(0, -1)];
    await foundBy(okta, byName(names[0] ?? ''));
    world.takeStatements();
    const answers = await Promise.all(asked.map((name) => foundBy(okta, byName(name))));
    const [first] = users;
    expect(answers).toEqual([...users.map(({ id }) => [id]), [], [first?.id], [first?.id]]);
    expect(lookUps()).toBeLessThan(asked.length / 2);
  });

  test('by id are few statements, and an id that is nobody’s here is 404 among them', async () => {
    const { body } = await entra.post('/Users', userBody('elsewhere'));
    const ids = [...users.map(({ id }) => id as string), randomUUID(), body.id, 'no-uuid'];
    world.takeStatements();
    const answers = await Promise.all(ids.map((id) => okta.get(`/Users/${id}`)));
    expect(answers.map(({ status }) => status)).toEqual([...users.map(() => 200), 404, 404, 404]);
    expect(answers.slice(0, users.length).map((answer) => answer.body.id)).toEqual(users.map(({ id }) => id));
    expect(lookUps()).toBeLessThan(ids.length / 2);
  });

  test('find all of many, whoever asks for a few at their side', async () => {
    const asked = [byEmail(SHARED), byEmail('nobody@elsewhere.example'), byEmail(SHARED)];
    const [all, none, again] = await Promise.all(asked.map((path) => foundBy(okta, path)));
    expect(all?.toSorted()).toEqual(users.map(({ id }) => id).sort());
    expect([none, again]).toEqual([[], all]);
  });

  test('FT20 of whom many are found keep nobody waiting who asks for one', async () => {
    const [asked, opened, read] = [0, 1, 2].map(() => Promise.withResolvers<void>());
    let statements = 0;
    let joined = 0;
    const watch = async (statement: string | null) => {
      if (asksWhose(statement ?? '')) return;
      statements += 1;
      if (statements === 1) {
        asked?.resolve();
        await opened?.promise;
      }
      // The first was for somebody else, the second for both at once; then each is asked by itself.
      if (statements === 3 || statements === 4) await read?.promise;
    };
    const server = await watchedServer(world, watch, () => (joined += 1));
    try {
      const client = directoryClient(server, 'acme', 'okta', okta.token);
      const before = begun(foundBy(client, byName('nobody')));
      await asked?.promise;
      const many = begun(Promise.all([1, 2].map(() => foundBy(client, byEmail(SHARED)))));
      await vi.waitFor(() => expect(joined).toBe(3), PATIENCE);
      opened?.resolve();
      await vi.waitFor(() => expect(statements).toBe(4), PATIENCE);
      const [user] = users;
      const one = client.get(`/Users/${user?.id}`).then(({ body }) => body.id);
      const late = new Promise((resolve) => setTimeout(resolve, PATIENCE.timeout, 'waits for the others'));
      expect(await Promise.race([one, late])).toBe(user?.id);
      read?.resolve();
      expect(await before).toEqual([]);
      for (const found of await many) expect(found).toHaveLength(users.length);
    } finally {
      for (const gate of [opened, read]) gate?.resolve();
      await server.close();
    }
  });

  test('T37 I10 of one tenant, or of one of its directories, are never answered with another’s', async () => {
    const name = users[0]?.userName as string;
    const [here, beside, there] = await Promise.all(
      [okta, entra, globex].map((client) => foundBy(client, byName(name))),
    );
    expect(here).toEqual([users[0]?.id]);
    expect(beside).toEqual([]);
    expect(there).toHaveLength(1);
    expect(there).not.toEqual(here);
  });

  test('T53 of a token that was ended a moment ago are all 401, and those of another token of the directory are not', async () => {
    const ending = await directory(world, stage.server, stage.tenants.acme, 'okta');
    expect((await ending.get(byName('nobody'))).status).toBe(200);
    const newest = 'select credential_id from scim_credentials order by created_at desc limit 1';
    await world.sql(`update scim_credentials set ended_at = now() where credential_id = (${newest})`);
    const answers = await Promise.all(
      [1, 2, 3].flatMap(() => [ending, okta].map((client) => client.get(byName('nobody')))),
    );
    expect(answers.map(({ status }) => status)).toEqual([401, 200, 401, 200, 401, 200]);
  });
});
