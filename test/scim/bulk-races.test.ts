// What happens between the look at many users of a bulk and their writing: whatever comes between, each answer says what was done.

import { beforeAll, describe, expect, test } from 'vitest';
import type { Acme } from '../support/acme.ts';
import { bulk, create, group, idOf, patch, range, statuses, title } from '../support/bulk.ts';
import { type BulkStage, bulkStage, type Made } from '../support/bulk-stage.ts';
import { type DirectoryClient, directory, directoryClient, userBody } from '../support/scim.ts';
import { watchedServer } from '../support/watched-server.ts';
import type { TestWorld } from '../support/world.ts';

let stage: BulkStage;
let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
beforeAll(async () => {
  stage = await bulkStage('between');
  ({ world, tenants, okta } = stage);
  return stage.close;
});

const fresh = () => stage.fresh();
const made = (count: number) => stage.made(count);

describe('what happens between the look at many and their writing', () => {
  test('a change by somebody else is lost on nobody', async () => {
    const users = await made(4);
    const second = users[1] as Made;
    const nick = { op: 'replace', path: 'nickName', value: 'Nick' };
    await stage.between(
      'directory_users_facts',
      () => okta.patch(`/Users/${second.id}`, nick),
      async (client) => {
        const results = await bulk(
          client,
          users.map(({ id }) => patch(`/Users/${id}`, title('x'))),
        );
        expect(results.map(({ version }) => version)).toEqual(['W/"2"', 'W/"3"', 'W/"2"', 'W/"2"']);
        expect((await okta.get(`/Users/${second.id}`)).body).toMatchObject({ nickName: 'Nick', title: 'x' });
      },
    );
  });

  test('a token that is ended is 401 for all of them, and nothing of them is done', async () => {
    const entra = await directory(world, stage.server, tenants.acme, 'entra');
    const ids = (
      await bulk(
        entra,
        range(3).map((index) => create(`e${index}`, userBody(fresh(), { emails: [] }))),
      )
    ).map(idOf);
    const end = () =>
      world.sql(`update scim_credentials set ended_at = now() where connection_id = $1`, [tenants.entra]);
    await stage.between(
      'directory_users_facts',
      end,
      async (client) => {
        const answer = await client.post('/Bulk', { Operations: ids.map((id) => patch(`/Users/${id}`, title('x'))) });
        expect(answer.status).toBe(401);
        const rows = await world.sql(
          'select distinct version from directory_users where directory_user_id = any ($1)',
          [ids],
        );
        expect(rows).toEqual([{ version: 1 }]);
      },
      { client: entra },
    );
  });
});

test('I12 a name that somebody else takes between the look and the writing is 409, and the others are written', async () => {
  const taken = userBody(fresh());
  await stage.between(
    'directory_newcomers',
    () => okta.post('/Users', taken),
    async (client) => {
      const results = await bulk(client, [
        create('a', userBody(fresh())),
        create('b', taken),
        create('c', userBody(fresh())),
      ]);
      expect(statuses(results)).toEqual(['201', '409', '201']);
    },
  );
});

test('a token that is ended between the look and the next is 401 for what is left, and nothing of it is done', async () => {
  const token = await directory(world, stage.server, tenants.acme, 'entra');
  const end = () => world.sql(`update scim_credentials set ended_at = now() where connection_id = $1`, [tenants.entra]);
  await stage.between(
    'directory_users_create',
    end,
    async (client) => {
      const [left, none] = [userBody(fresh(), { emails: [] }), userBody(fresh(), { emails: [] })];
      const results = await bulk(client, [
        create('a', userBody(fresh(), { emails: [] })),
        group('g', fresh()),
        create('b', left),
      ]);
      expect(statuses(results)).toEqual(['201', '401', '401']);
      expect(results[2].response.status).toBe('401');
      // Whoever remembers the directory of the token says so, and whoever has to ask for it.
      const late = directoryClient(stage.server, 'acme', 'entra', token.token);
      for (const one of [client, late])
        expect((await one.post('/Bulk', { Operations: [create('c', none)] })).status).toBe(401);
      const rows = await world.sql('select 1 from directory_users where user_name = any ($1)', [
        [left.userName, none.userName],
      ]);
      expect(rows).toEqual([]);
    },
    { client: token },
  );
});

describe('RFC 7644 §3.7.3 failOnErrors, where somebody else takes a name between the look and the writing,', () => {
  test('ends the bulk there: who comes after is not created', async () => {
    const bodies = range(4).map(() => userBody(fresh()));
    const operations = bodies.map((body, index) => create(`u${index}`, body));
    await stage.between(
      'directory_newcomers',
      () => okta.post('/Users', bodies[1]),
      async (client) => {
        expect(statuses(await bulk(client, operations, { failOnErrors: 1 }))).toEqual(['201', '409']);
      },
    );
    expect(statuses(await bulk(okta, operations))).toEqual(['409', '409', '201', '201']);
  });

  test('tells whoever was created all the same, where a suspension came between as well', async () => {
    // The second one is the only one who has to be looked at again, when the third is written already; then the address is taken.
    const [held] = (await made(1)) as [Made];
    const bodies = range(3).map(() => userBody(fresh()));
    bodies[1].emails.push({ value: `${held.name}+x@acme.example` });
    const operations = bodies.map((body, index) => create(`u${index}`, body));
    let [looked, written] = [false, false];
    const between = await watchedServer(world, async (statement) => {
      if (statement === 'directory_newcomers' && !looked) {
        looked = true;
        await stage.suspendNow(held.id);
      }
      if (statement === 'directory_users_create' && !written) {
        written = true;
        await okta.post('/Users', { ...userBody(fresh()), userName: bodies[1].userName });
      }
    });
    try {
      const client = directoryClient(between, 'acme', 'okta', okta.token);
      const results = await bulk(client, operations, { failOnErrors: 1 });
      expect(statuses(results)).toEqual(['201', '409', '201']);
    } finally {
      await between.close();
    }
  });
});
