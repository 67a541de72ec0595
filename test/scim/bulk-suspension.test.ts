// A bulk is no way around a suspension: new users who are written together meet the same wall as those who come alone.

import { beforeAll, expect, test } from 'vitest';
import type { Context, TenantTx } from '../../src/context.ts';
import type { Person, TenantId } from '../../src/core/ids.ts';
import { suspend } from '../../src/operations/suspend.ts';
import type { Acme } from '../support/acme.ts';
import { bulk, create, group, idOf, statuses } from '../support/bulk.ts';
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
const fresh = () => `wall${++serial}`;

const suspendNow = ({ tenantId, userId }: Person) =>
  suspend(
    world.context(operator),
    tenants.acme,
    { subjectId: userId, kind: 'user', person: { tenantId, userId } },
    null,
  );
const stateOf = async (result: Body) => accessState(world, await personOf(world, idOf(result)));
const pushed = async (body: Body): Promise<Person> => personOf(world, (await okta.post('/Users', body)).body.id);
/** New users who become editors, in one bulk. */
const asEditors = (bodies: readonly Body[]) => [
  ...bodies.map((body, index) => create(`u${index}`, body)),
  {
    method: 'PATCH',
    path: `/Groups/${editors.id}`,
    data: {
      Operations: [{ op: 'add', path: 'members', value: bodies.map((_, index) => ({ value: `bulkId:u${index}` })) }],
    },
  },
];

test('I3 whoever has a key of a suspended person begins suspended in the middle of a run of new users', async () => {
  const name = fresh();
  const person = await pushed(userBody(name));
  await okta.delete(
    `/Users/${(await okta.get(`/Users?filter=${encodeURIComponent(`externalId eq "ext-${name}"`)}`)).body.Resources[0].id}`,
  );
  await suspendNow(person);
  const others = Array.from({ length: 6 }, () => userBody(fresh()));
  const address = userBody(fresh(), { emails: [{ value: `${name}@acme.example` }] });
  const tagged = userBody(fresh(), {
    emails: [{ value: `x${serial}@acme.example`, primary: true }, { value: `${name}+tag@acme.example` }],
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
  const states = await Promise.all(results.slice(0, -1).map(stateOf));
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
  const made = (await okta.post('/Users', userBody(name))).body;
  const person = await personOf(world, made.id);
  await suspendNow(person);
  await okta.delete(`/Users/${made.id}`);
  const results = await bulk(okta, asEditors([userBody(fresh()), userBody(name), userBody(fresh())]));
  expect(await personOf(world, idOf(results[1]))).toEqual(person);
  expect(await Promise.all(results.slice(0, 3).map(stateOf))).toEqual(['active', 'suspended', 'active']);
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
  expect(await Promise.all(results.slice(0, 4).map(stateOf))).toEqual(['active', 'suspended', 'active', 'suspended']);
});

/** A server on which something happens between the look at new users and their writing. */
async function interrupted(statement: string, act: () => Promise<unknown>): Promise<ScimServer> {
  let acted = false;
  const contextFor = ({ actor }: Context['caller']): Context => {
    const ctx = world.context(actor);
    const hot = (tenantId: TenantId): TenantTx => {
      const tx = ctx.hot(tenantId);
      const run: TenantTx['run'] = async (asked, values) => {
        const rows = await tx.run<never>(asked, values);
        if (asked.name === statement && !acted) {
          acted = true;
          await act();
        }
        return rows;
      };
      return { ...tx, run };
    };
    return { ...ctx, hot };
  };
  return scimServer(world, { contextFor });
}

test('T130 a suspension between the look at many and their writing is met by the one whom it concerns, and by nobody else', async () => {
  const name = fresh();
  const person = await pushed(userBody(name));
  const heir = userBody(fresh(), {
    emails: [{ value: `heir-${name}@acme.example`, primary: true }, { value: `${name}@acme.example` }],
  });
  const between = await interrupted('directory_newcomers', () => suspendNow(person));
  try {
    const client = directoryClient(between, 'acme', 'okta', okta.token);
    world.takeStatements();
    const results = await bulk(client, asEditors([userBody(fresh()), heir, userBody(fresh())]));
    expect(statuses(results)).toEqual(['201', '201', '201', '204']);
    // Written together but for the one, who was looked at again alone.
    const sent = world
      .takeStatements()
      .filter((statement) => statement.startsWith('directory_') && statement.includes('user'));
    expect(sent).toContain('directory_users_create');
    expect(sent).not.toContain('directory_user_create');
    expect(await Promise.all(results.slice(0, 3).map(stateOf))).toEqual(['active', 'suspended', 'active']);
  } finally {
    await between.close();
  }
});

test('I12 a name that somebody else takes between the look and the writing is 409, and the others are written', async () => {
  const taken = userBody(fresh());
  const between = await interrupted('directory_newcomers', () => okta.post('/Users', taken));
  try {
    const client = directoryClient(between, 'acme', 'okta', okta.token);
    const results = await bulk(client, [
      create('a', userBody(fresh())),
      create('b', taken),
      create('c', userBody(fresh())),
    ]);
    expect(statuses(results)).toEqual(['201', '409', '201']);
  } finally {
    await between.close();
  }
});

test('a token that is ended between the look and the next is 401 for what is left, and nothing of it is done', async () => {
  const token = await directory(world, server, tenants.acme, 'entra');
  const end = () => world.sql(`update scim_credentials set ended_at = now() where connection_id = $1`, [tenants.entra]);
  const between = await interrupted('directory_users_create', end);
  try {
    const client = directoryClient(between, 'acme', 'entra', token.token);
    const [left, none] = [userBody(fresh(), { emails: [] }), userBody(fresh(), { emails: [] })];
    const results = await bulk(client, [
      create('a', userBody(fresh(), { emails: [] })),
      group('g', fresh()),
      create('b', left),
    ]);
    expect(statuses(results)).toEqual(['201', '401', '401']);
    expect(results[2].response.status).toBe('401');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect((await client.post('/Bulk', { Operations: [create('c', none)] })).status).toBe(401);
    const rows = await world.sql('select 1 from directory_users where user_name = any ($1)', [
      [left.userName, none.userName],
    ]);
    expect(rows).toEqual([]);
  } finally {
    await between.close();
  }
});
