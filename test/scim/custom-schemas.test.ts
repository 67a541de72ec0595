// Schemas that a directory's settings declare (RFC 7643 §3.3, §7), from the tenant's file to the answer.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { directoryFields, directoryOf } from '../../src/config-files/directory-fields.ts';
import type { ConnectionId } from '../../src/core/ids.ts';
import { type Acme, acme } from '../support/acme.ts';
import {
  type Answer,
  type Body,
  type DirectoryClient,
  directory,
  directoryClient,
  newScimToken,
  type ScimServer,
  scimServer,
  userBody,
} from '../support/scim.ts';
import { enterpriseUrn, groupSchemaUrn, patchUrn, userSchemaUrn } from '../support/urns.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

const urn = 'urn:example:params:scim:schemas:extension:acme:2.0:User';
const groupUrn = 'urn:example:acme:1.0:Group';

const declared = {
  [urn]: {
    name: 'Acme',
    description: 'What Acme knows of people',
    attributes: {
      badge: { required: true },
      'cost-center_2': { caseExact: true, canonicalValues: ['A1', 'B2'] },
      remote: { type: 'boolean' },
      weight: { type: 'decimal' },
      floor: { type: 'integer' },
      hiredAt: { type: 'dateTime' },
      homepage: { type: 'reference' },
      key: { type: 'binary' },
      number: { mutability: 'immutable' },
      secret: { returned: 'request' },
      always: { returned: 'always' },
      tags: { multiValued: true },
      desk: {
        type: 'complex',
        subAttributes: {
          room: { required: true },
          seat: { type: 'integer' },
          serial: { mutability: 'immutable' },
          $ref: { type: 'reference' },
        },
      },
      cars: {
        type: 'complex',
        multiValued: true,
        subAttributes: { value: {}, type: {}, primary: { type: 'boolean' }, plate: { mutability: 'immutable' } },
      },
    },
  },
  [groupUrn]: {
    resource: 'Group',
    name: 'AcmeGroup',
    attributes: {
      owner: { caseExact: true },
      level: { type: 'integer' },
      labels: { multiValued: true },
      origin: { mutability: 'immutable' },
    },
  },
};
type Declared = Record<string, unknown>;
const settings = (schemas: Declared) => directoryOf(directoryFields.parse({ schemas }));

let world: TestWorld;
let tenants: Acme;
const servers: ScimServer[] = [];
let token: string;
let okta: DirectoryClient;
let entra: DirectoryClient;

/** The directory with other settings, by a server that has never seen the old ones. */
async function withSchemas(schemas: Declared, connection: ConnectionId = tenants.okta): Promise<DirectoryClient> {
  await world.sql('update connections set directory = $2 where connection_id = $1', [
    connection,
    JSON.stringify(settings(schemas)),
  ]);
  const server = await scimServer(world);
  servers.push(server);
  return directoryClient(server, tenants.acme.slug, 'okta', token);
}

beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  token = await newScimToken(world, tenants.acme, 'okta');
  okta = await withSchemas(declared);
  entra = await directory(world, servers[0] as ScimServer, tenants.acme, 'entra');
});
afterAll(async () => {
  for (const server of servers) await server.close();
  await world?.close();
});

let serial = 0;
const fresh = () => `person${++serial}`;
const full = {
  badge: 'B-7',
  'cost-center_2': 'A1',
  remote: true,
  weight: 71.5,
  floor: 3,
  hiredAt: '2020-02-29T08:00:00+01:00',
  homepage: 'https://acme.example/~b',
  key: 'AQID',
  number: 'n-1',
  always: 'here',
  tags: ['a', 'b'],
  desk: { room: 'R1', seat: 4, serial: 's-1', $ref: 'https://acme.example/desks/4' },
  cars: [{ value: 'VW', type: 'work', primary: true, plate: 'AC-1' }],
};
async function made(client: DirectoryClient, extension: Body = full): Promise<Body> {
  const answer = await client.post('/Users', userBody(fresh(), { schemas: [userSchemaUrn, urn], [urn]: extension }));
  if (answer.status !== 201) throw new Error(answer.text);
  return answer.body;
}
const refusedAs = (answer: Answer) => [answer.status, answer.body?.scimType ?? null];
const found = async (filter: string, resource = 'Users') =>
  (await okta.get(`/${resource}?filter=${encodeURIComponent(filter)}`)).body.Resources.map(({ id }: Body) => id);

describe('a user with an extension of the directory (RFC 7643 §3.3)', () => {
  test('is stored and given back value by value, and schemas names it', async () => {
    const user = await made(okta);
    expect(user.schemas).toEqual([userSchemaUrn, urn]);
    expect(user[urn]).toEqual(full);
    expect((await okta.get(`/Users/${user.id}`)).body).toEqual(user);
    expect((await okta.get('/Users')).body.Resources).toContainEqual(user);
  });

  test('may be without it, and then schemas does not name it (RFC 7643 §3)', async () => {
    const { body } = await okta.post('/Users', userBody(fresh(), { schemas: [userSchemaUrn, urn] }));
    expect(body.schemas).toEqual([userSchemaUrn]);
    expect(body[urn]).toBeUndefined();
  });

  test('stands beside the enterprise extension', async () => {
    const { body } = await okta.post(
      '/Users',
      userBody(fresh(), { [urn]: { badge: 'x' }, [enterpriseUrn]: { department: 'D' } }),
    );
    expect([...body.schemas].sort()).toEqual([userSchemaUrn, urn, enterpriseUrn].sort());
    expect([body[urn], body[enterpriseUrn]]).toEqual([{ badge: 'x' }, { department: 'D' }]);
  });

  test('is unknown to another directory of the tenant', async () => {
    const { status, body } = await entra.post(
      '/Users',
      userBody(fresh(), { externalId: fresh(), [urn]: full, emails: [] }),
    );
    expect([status, body[urn], body.schemas]).toEqual([201, undefined, [userSchemaUrn]]);
    expect((await entra.get('/Schemas')).text).not.toContain(urn);
    expect((await entra.get(`/Schemas/${urn}`)).status).toBe(404);
    expect((await entra.get('/ResourceTypes/User')).text).not.toContain(urn);
    expect((await entra.get(`/Users?filter=${encodeURIComponent(`${urn}:badge pr`)}`)).body.scimType).toBe(
      'invalidFilter',
    );
  });

  test.each([
    ['POST', { floor: 'three' }, 'floor', 'an integer, a whole number'],
    ['POST', { remote: 'perhaps' }, 'remote', 'a boolean, true or false'],
    ['POST', { tags: ['a', 5] }, 'tags', 'a string'],
    ['POST', { desk: 'there' }, 'desk', 'a complex value, an object'],
    ['POST', { desk: { room: 'A', seat: 'front' } }, 'desk.seat', 'an integer, a whole number'],
    ['POST', { cars: [{ primary: 3 }] }, 'cars.primary', 'a boolean, true or false'],
    ['PATCH', { op: 'replace', path: `${urn}:desk.seat`, value: 'front' }, 'desk.seat', 'an integer, a whole number'],
    ['PATCH', { op: 'add', path: `${urn}:desk`, value: { seat: 1.5 } }, 'desk.seat', 'an integer, a whole number'],
    ['PATCH', { op: 'add', path: `${urn}:cars.primary`, value: 3 }, 'cars.primary', 'a boolean, true or false'],
  ] as const)(
    '%s %j names the attribute by its path, and the type that is expected (RFC 7644 §3.12)',
    async (method, sent, path, type) => {
      const pushed = (extension: object) => okta.post('/Users', userBody(fresh(), { [urn]: extension }));
      const answer =
        method === 'POST'
          ? await pushed({ badge: 'x', ...sent })
          : await okta.patch(`/Users/${(await pushed(full)).body.id}`, sent);
      expect(refusedAs(answer)).toEqual([400, 'invalidValue']);
      expect(answer.body.detail).toBe(`${path} has a value of the wrong type; expected ${type}.`);
    },
  );

  test.each([
    [{ remote: 'maybe' }],
    [{ weight: '1.5' }],
    [{ floor: 1.5 }],
    [{ floor: '3' }],
    [{ hiredAt: '2020-02-30T00:00:00Z' }],
    [{ hiredAt: '2020-02-28' }],
    [{ homepage: 5 }],
    [{ key: 'not base64' }],
    [{ key: 'AQIDA' }],
    [{ key: 'AQ=' }],
    [{ tags: [{ value: 'a' }] }],
    [{ desk: 'R1' }],
    [{ desk: { room: 'R1', seat: 'four' } }],
    [{ desk: { seat: 4 } }],
    [{ badge: null, floor: 1 }],
    [{ badge: '', floor: 1 }],
  ])(
    'with a value of another type, or without what is required, is 400 invalidValue: %j (RFC 7643 §2.2, §2.3)',
    async (wrong) => {
      const body = userBody(fresh(), { [urn]: { badge: 'x', ...wrong } });
      expect(refusedAs(await okta.post('/Users', body))).toEqual([400, 'invalidValue']);
    },
  );

  test('takes any value beside the canonical ones, and names in any case (RFC 7643 §2.1, §7)', async () => {
    const body = userBody(fresh(), { [urn.toLowerCase()]: { BADGE: 'x', 'COST-center_2': 'zz' } });
    expect((await okta.post('/Users', body)).body[urn]).toEqual({ badge: 'x', 'cost-center_2': 'zz' });
  });

  test('is described by /Schemas and /ResourceTypes, by what its settings say (RFC 7643 §6, §7)', async () => {
    const schema = (await okta.get(`/Schemas/${urn}`)).body;
    expect(schema).toMatchObject({ id: urn, name: 'Acme', description: 'What Acme knows of people' });
    const attribute = (name: string) => schema.attributes.find((one: Body) => one.name === name);
    expect(attribute('badge')).toEqual({
      name: 'badge',
      type: 'string',
      multiValued: false,
      description: '',
      required: true,
      caseExact: false,
      mutability: 'readWrite',
      returned: 'default',
      uniqueness: 'none',
    });
    expect(attribute('cost-center_2')).toMatchObject({ caseExact: true, canonicalValues: ['A1', 'B2'] });
    expect(attribute('number').mutability).toBe('immutable');
    expect(attribute('secret').returned).toBe('request');
    expect(attribute('homepage')).toMatchObject({ caseExact: true, referenceTypes: ['external'] });
    expect(attribute('desk').subAttributes.map(({ name }: Body) => name)).toEqual(['room', 'seat', 'serial', '$ref']);
    expect((await okta.get('/Schemas')).body.Resources).toContainEqual(schema);
    expect((await okta.get('/ResourceTypes/User')).body.schemaExtensions).toEqual([
      { schema: enterpriseUrn, required: false },
      { schema: urn, required: false },
    ]);
    expect((await okta.get('/ResourceTypes/Group')).body.schemaExtensions).toEqual([
      { schema: groupUrn, required: false },
    ]);
  });
});

describe('is found by filters (RFC 7644 §3.4.2.2)', () => {
  let id: string;
  const only = (value: string) => `${urn}:badge eq "only" and ${value}`;
  beforeAll(async () => {
    ({ id } = await made(okta, { ...full, badge: 'only' }));
  });

  test.each([
    `${urn}:cost-center_2 eq "A1"`,
    `${urn.toUpperCase()}:COST-CENTER_2 sw "A"`,
    `${urn}:remote eq true`,
    `${urn}:weight gt 71`,
    `${urn}:floor le 3`,
    `${urn}:hiredAt eq "2020-02-29T07:00:00Z"`,
    `${urn}:homepage co "acme"`,
    `${urn}:key eq "AQID"`,
    `${urn}:tags eq "b"`,
    `${urn}:tags[value eq "B"]`,
    `${urn}:tags[value sw "b" and not (value eq "a")]`,
    `schemas[value eq "${urn}"]`,
    `${urn}:desk.$ref ew "/4"`,
    `${urn}:desk[room eq "r1" and seat eq 4]`,
    `${urn}:cars[type eq "work" and primary eq true].value eq "vw"`,
    `schemas eq "${urn}"`,
    'remote eq true',
  ])('%s', async (filter) => expect(await found(only(filter))).toEqual([id]));

  test.each([
    `${urn}:cost-center_2 eq "a1"`,
    `${urn}:remote eq false`,
    `${urn}:tags eq "c"`,
    `${urn}:tags[value eq "a" and value eq "b"]`,
    `not (schemas eq "${urn}")`,
  ])('not by %s', async (filter) => expect(await found(only(filter))).toEqual([]));
});

test('is sorted by (RFC 7644 §3.4.2.3)', async () => {
  const sorted = fresh();
  const filter = encodeURIComponent(`${urn}:badge sw "${sorted}-"`);
  for (const [badge, floor] of [
    ['b', 2],
    ['c', 10],
    ['a', 1],
  ] as const)
    await made(okta, { badge: `${sorted}-${badge}`, floor });
  const { body } = await okta.get(`/Users?filter=${filter}&sortBy=${urn}:floor&sortOrder=descending`);
  expect(body.Resources.map((user: Body) => user[urn].floor)).toEqual([10, 2, 1]);
});

describe('is returned as its settings say (RFC 7643 §7, RFC 7644 §3.9)', () => {
  test('request: where attributes names it, and in the answer to a write that speaks of it', async () => {
    const user = await made(okta, { badge: 'x', secret: 's' });
    expect(user[urn]).toEqual({ badge: 'x', secret: 's' });
    const at = `/Users/${user.id}`;
    expect((await okta.get(at)).body[urn]).toEqual({ badge: 'x' });
    expect((await okta.get('/Users')).text).not.toContain('"secret"');
    expect((await okta.get(`${at}?attributes=${urn}:secret`)).body[urn]).toEqual({ secret: 's' });
    expect((await okta.get(`${at}?excludedAttributes=${urn}:badge`)).body[urn]).toBeUndefined();
    const silent = await okta.patch(at, { op: 'replace', path: 'title', value: 'T' });
    expect(silent.body[urn]).toEqual({ badge: 'x' });
    const spoken = await okta.patch(at, { op: 'replace', path: `${urn}:secret`, value: 't' });
    expect(spoken.body[urn]).toEqual({ badge: 'x', secret: 't' });
  });

  test('always: whatever the lists say', async () => {
    const { id } = await made(okta, { badge: 'x', always: 'here' });
    expect((await okta.get(`/Users/${id}?attributes=userName`)).body[urn]).toEqual({ always: 'here' });
    expect((await okta.get(`/Users/${id}?excludedAttributes=${urn}`)).body[urn]).toEqual({ always: 'here' });
  });

  test('in part, by a path', async () => {
    const { id } = await made(okta);
    expect((await okta.get(`/Users/${id}?attributes=${urn}:desk.room`)).body[urn]).toEqual({
      always: 'here',
      desk: { room: 'R1' },
    });
  });
});

describe('is changed', () => {
  const at = ({ id }: Body) => `/Users/${id}`;
  const put = (user: Body, extension: Body | undefined) => okta.put(at(user), { ...user, [urn]: extension });

  test('by PUT: what the body leaves out is gone, what is immutable stays (RFC 7644 §3.5.1)', async () => {
    const user = await made(okta);
    const { body } = await put(user, { badge: 'new' });
    expect(body[urn]).toEqual({ badge: 'new', number: 'n-1', desk: full.desk });
    expect((await put(user, undefined)).body[urn]).toEqual({ number: 'n-1', desk: full.desk });
  });

  test('by PUT: another value of what is immutable is 400 mutability, the same one is fine, a first one is taken (RFC 7644 §3.5.1)', async () => {
    const user = await made(okta);
    expect(refusedAs(await put(user, { ...full, number: 'n-2' }))).toEqual([400, 'mutability']);
    expect(refusedAs(await put(user, { ...full, desk: { room: 'R2', serial: 's-2' } }))).toEqual([400, 'mutability']);
    expect((await put(user, { ...full, desk: { room: 'R2', serial: 's-1' } })).status).toBe(200);
    const bare = await made(okta, { badge: 'x' });
    expect((await put(bare, { badge: 'x', number: 'first' })).body[urn].number).toBe('first');
  });

  test('by PUT without what is required: 400 invalidValue (RFC 7644 §3.5.1)', async () => {
    const user = await made(okta);
    expect(refusedAs(await put(user, { remote: false }))).toEqual([400, 'invalidValue']);
  });

  test.each([
    ['a path with the URN', { op: 'replace', path: `${urn}:badge`, value: 'n' }],
    ['a path with the URN in another case', { op: 'Replace', path: `${urn.toUpperCase()}:BADGE`, value: 'n' }],
    ['the URN as path', { op: 'add', path: urn, value: { badge: 'n' } }],
    ['no path and the URN as key', { op: 'replace', value: { [urn]: { badge: 'n' } } }],
    ['no path and the URN with the attribute as key', { op: 'replace', value: { [`${urn}:badge`]: 'n' } }],
    ['a path without URN', { op: 'replace', path: 'badge', value: 'n' }],
  ])('by PATCH with %s (RFC 7644 §3.5.2)', async (_, operation) => {
    const user = await made(okta);
    const { status, body } = await okta.patch(at(user), operation);
    expect([status, body[urn]]).toEqual([200, { ...full, badge: 'n' }]);
  });

  test('by PATCH of parts: dotted keys, sub-attributes, value filters', async () => {
    const user = await made(okta);
    const { body } = await okta.patch(
      at(user),
      { op: 'replace', value: { [`${urn}:desk.seat`]: 5, 'desk.room': 'R9' } },
      { op: 'replace', path: `${urn}:cars[type eq "work"].value`, value: 'BMW' },
      { op: 'add', path: `${urn}:cars`, value: [{ value: 'Bike', type: 'home', primary: true }] },
      { op: 'remove', path: `${urn}:tags`, value: ['a'] },
    );
    expect(body[urn]).toEqual({
      ...full,
      desk: { ...full.desk, seat: 5, room: 'R9' },
      cars: [
        { value: 'BMW', type: 'work', primary: false, plate: 'AC-1' },
        { value: 'Bike', type: 'home', primary: true },
      ],
      tags: ['b'],
    });
  });

  test('by PATCH of one of several plain values, which a filter calls value (RFC 7643 §2.4, RFC 7644 §3.5.2)', async () => {
    const user = await made(okta, { ...full, tags: ['a', 'b', 'c'] });
    const tags = async (...operations: Body[]) => (await okta.patch(at(user), ...operations)).body[urn].tags;
    expect(await tags({ op: 'remove', path: `${urn}:tags[value eq "B"]` })).toEqual(['a', 'c']);
    expect(await tags({ op: 'replace', path: `${urn}:tags[value eq "c"]`, value: 'd' })).toEqual(['a', 'd']);
    expect(await tags({ op: 'add', path: 'tags[value sw "d"]', value: 'e' })).toEqual(['a', 'e']);
    expect(await tags({ op: 'remove', path: `${urn}:tags[value eq "none"]` })).toEqual(['a', 'e']);
    expect(await tags({ op: 'remove', path: `${urn}:tags[value pr]` })).toBeUndefined();
    for (const op of ['add', 'replace']) {
      const missed = await okta.patch(at(user), { op, path: `${urn}:tags[value eq "z"]`, value: 'y' });
      expect(refusedAs(missed)).toEqual([400, 'noTarget']);
    }
    for (const path of [`${urn}:tags[type eq "a"]`, `${urn}:floor[value eq 3]`]) {
      expect(refusedAs(await okta.patch(at(user), { op: 'remove', path }))).toEqual([400, 'invalidFilter']);
    }
    const [valued, schemas] = [`${urn}:tags[value eq "a"].value`, 'schemas[value pr]'];
    expect(refusedAs(await okta.patch(at(user), { op: 'remove', path: valued }))).toEqual([400, 'invalidPath']);
    expect(refusedAs(await okta.patch(at(user), { op: 'remove', path: schemas }))).toEqual([400, 'mutability']);
  });

  test('never in what is immutable and set: 400 mutability, whatever the path (RFC 7644 §3.5.2)', async () => {
    const user = await made(okta);
    for (const operation of [
      { op: 'replace', path: `${urn}:number`, value: 'n-2' },
      { op: 'add', path: `${urn}:number`, value: 'n-2' },
      { op: 'remove', path: `${urn}:number` },
      { op: 'remove', path: urn },
      { op: 'replace', value: { [urn]: { number: null } } },
      { op: 'replace', path: `${urn}:desk.serial`, value: 's-2' },
      { op: 'replace', path: `${urn}:desk`, value: { serial: 's-2' } },
      { op: 'remove', path: `${urn}:desk` },
      { op: 'replace', path: `${urn}:cars[type eq "work"].plate`, value: 'AC-2' },
      { op: 'remove', path: `${urn}:cars[type eq "work"].plate` },
      { op: 'add', path: `${urn}:cars`, value: [{ value: 'VW', type: 'work', plate: 'AC-2' }] },
      { op: 'replace', path: `${urn}:cars.plate`, value: 'AC-2' },
    ]) {
      expect([operation, ...refusedAs(await okta.patch(at(user), operation))]).toEqual([operation, 400, 'mutability']);
    }
    expect((await okta.get(at(user))).body).toEqual(user);
    const same = await okta.patch(at(user), { op: 'replace', path: `${urn}:number`, value: 'n-1' });
    expect([same.status, same.headers.get('etag')]).toEqual([200, 'W/"1"']);
  });

  test('in what is immutable once, and an element that has such a part may go whole', async () => {
    const user = await made(okta, { badge: 'x', desk: { room: 'R' }, cars: full.cars });
    const { body } = await okta.patch(
      at(user),
      { op: 'add', path: `${urn}:number`, value: 'n-9' },
      { op: 'add', path: `${urn}:desk.serial`, value: 's-9' },
      { op: 'remove', path: `${urn}:cars[type eq "work"]` },
    );
    expect(body[urn]).toEqual({ badge: 'x', number: 'n-9', desk: { room: 'R', serial: 's-9' } });
  });

  test('never so that what is required is gone: 400 (RFC 7644 §3.5.2.2)', async () => {
    const user = await made(okta);
    for (const [operation, scimType] of [
      [{ op: 'remove', path: `${urn}:badge` }, 'mutability'],
      [{ op: 'remove', path: `${urn}:desk.room` }, 'mutability'],
      [{ op: 'replace', path: `${urn}:badge`, value: '' }, 'invalidValue'],
      [{ op: 'replace', path: `${urn}:desk.room`, value: null }, 'invalidValue'],
    ] as const) {
      expect([operation, ...refusedAs(await okta.patch(at(user), operation))]).toEqual([operation, 400, scimType]);
    }
    const bare = (await okta.post('/Users', userBody(fresh()))).body;
    expect(refusedAs(await okta.patch(at(bare), { op: 'add', path: `${urn}:floor`, value: 1 }))).toEqual([
      400,
      'invalidValue',
    ]);
  });

  test('and taken away whole by its URN, with what it requires', async () => {
    const user = await made(okta, { badge: 'x', floor: 1 });
    const { body } = await okta.patch(at(user), { op: 'remove', path: urn });
    expect([body[urn], body.schemas]).toEqual([undefined, [userSchemaUrn]]);
  });

  test('in nothing by a PATCH that says what is so: version and time stay (RFC 7644 §3.5.2.1, I6)', async () => {
    const user = await made(okta);
    const { body } = await okta.patch(at(user), { op: 'add', path: urn, value: full });
    expect(body).toEqual(user);
  });
});

describe('of a schema that changed', () => {
  const { attributes, ...rest } = declared[urn];
  const at = ({ id }: Body) => `/Users/${id}`;

  test('what is no longer declared is not served, stays through writes, and is there again once declared again', async () => {
    const user = await made(okta);
    const without = await withSchemas({});
    const bare = (await without.get(at(user))).body;
    expect([bare[urn], bare.schemas]).toEqual([undefined, [userSchemaUrn]]);
    expect((await without.get('/Users')).text).not.toContain(urn);
    expect((await without.put(at(user), { ...bare, title: 'T' })).body[urn]).toBeUndefined();
    expect((await without.patch(at(user), { op: 'replace', path: 'title', value: 'U' })).body[urn]).toBeUndefined();
    expect(refusedAs(await without.patch(at(user), { op: 'remove', path: `${urn}:badge` }))).toEqual([
      400,
      'invalidPath',
    ]);
    const again = await withSchemas(declared);
    expect((await again.get(at(user))).body).toMatchObject({ title: 'U', [urn]: full });
  });

  test('the same for one attribute, one part, and a value of another type than is declared now', async () => {
    const user = await made(okta);
    const { badge: _, ...others } = attributes;
    const changed = await withSchemas({
      [urn]: {
        ...rest,
        attributes: {
          ...others,
          floor: { type: 'dateTime' },
          tags: {},
          desk: { type: 'complex', subAttributes: { room: {} } },
        },
      },
    });
    const { badge, floor, tags, ...kept } = full;
    expect((await changed.get(at(user))).body[urn]).toEqual({ ...kept, desk: { room: 'R1' } });
    const listed = await changed.get(`/Users?filter=${encodeURIComponent(`${urn}:floor gt "2020-01-01T00:00:00Z"`)}`);
    expect([listed.status, listed.body.totalResults]).toEqual([200, 0]);
    const put = await changed.put(at(user), { ...user, [urn]: { ...kept, desk: { room: 'R1' } } });
    expect([put.status, put.body[urn]]).toEqual([200, { ...kept, desk: { room: 'R1' } }]);
    const again = await withSchemas(declared);
    expect((await again.get(at(user))).body[urn].badge).toBe(badge);
  });

  test('a newly required value that is not there holds no PATCH up: nobody stays active for want of it (T58)', async () => {
    const user = await made(okta, { badge: 'x', remote: true });
    const strict = await withSchemas({
      [urn]: { ...rest, attributes: { ...attributes, floor: { type: 'integer', required: true } } },
    });
    const off = await strict.patch(at(user), { op: 'replace', value: { active: false } });
    expect([off.status, off.body.active]).toEqual([200, false]);
    await withSchemas(declared);
  });
});

describe('a group with an extension of the directory (RFC 7643 §3.3)', () => {
  const values = { owner: 'o-1', level: 2, labels: ['x', 'y'], origin: 'ad' };
  const at = ({ id }: Body) => `/Groups/${id}`;
  async function group(extension: Body = values): Promise<Body> {
    const schemas = [groupSchemaUrn, groupUrn];
    const answer = await okta.post('/Groups', { schemas, displayName: fresh(), [groupUrn]: extension });
    if (answer.status !== 201) throw new Error(answer.text);
    return answer.body;
  }
  const versionOf = (answer: Answer) => answer.headers.get('etag');

  test('is stored and given back, in lists as well, and schemas names it', async () => {
    const made = await group();
    expect([made.schemas, made[groupUrn]]).toEqual([[groupSchemaUrn, groupUrn], values]);
    expect((await okta.get(at(made))).body).toEqual({ ...made, members: [] });
    expect((await okta.get('/Groups?excludedAttributes=members')).body.Resources).toContainEqual(made);
    expect((await okta.get(`${at(made)}?attributes=${groupUrn}:level`)).body[groupUrn]).toEqual({ level: 2 });
    expect((await group(null)).schemas).toEqual([groupSchemaUrn]);
  });

  test('is found by its values', async () => {
    const { id } = await group({ owner: 'Sought', level: 77 });
    expect(await found(`${groupUrn}:owner eq "Sought" and ${groupUrn}:level gt 76`, 'Groups')).toEqual([id]);
    expect(await found(`${groupUrn}:owner eq "sought"`, 'Groups')).toEqual([]);
  });

  test.each([[{ level: 'two' }], [{ labels: [1] }], ['text']])(
    'with a value of another type is 400: %j',
    async (wrong) => {
      const body = { displayName: fresh(), [groupUrn]: wrong };
      expect(refusedAs(await okta.post('/Groups', body))).toEqual([400, 'invalidValue']);
    },
  );

  test('over 256 KiB is 413', async () => {
    const labels = Array.from({ length: 1000 }, (_, index) => `${index} ${'x'.repeat(300)}`);
    expect((await okta.post('/Groups', { displayName: fresh(), [groupUrn]: { labels } })).status).toBe(413);
    const made = await group({});
    const operation = { op: 'add', path: `${groupUrn}:labels`, value: labels };
    expect((await okta.patch(at(made), operation)).status).toBe(413);
  });

  test('gets a new version by a change of it alone, by PUT and PATCH, and none by the same again (RFC 7644 §3.14, I6)', async () => {
    const made = await group();
    const patch = { op: 'replace', path: `${groupUrn}:level`, value: 3 };
    expect((await okta.patch(at(made), patch)).status).toBe(204);
    const patched = await okta.get(at(made));
    expect([versionOf(patched), patched.body[groupUrn].level]).toEqual(['W/"2"', 3]);
    await okta.patch(at(made), patch);
    const put = { ...made, [groupUrn]: { owner: 'o-2', origin: 'ad' } };
    expect(versionOf(await okta.put(at(made), put))).toBe('W/"3"');
    expect(versionOf(await okta.put(at(made), put))).toBe('W/"3"');
    const [event] = await world.sql(
      `select kind, detail from audit_events where object_id = $1 order by occurred_at desc, event_id desc limit 1`,
      [made.id],
    );
    expect(event).toMatchObject({ kind: 'group.updated', detail: { changed: [groupUrn] } });
  });

  test('is changed together with its name and members, or not at all (RFC 7644 §3.5.2)', async () => {
    const made = await group();
    const user = (await okta.post('/Users', userBody(fresh()))).body;
    const name = fresh();
    const all = [
      { op: 'replace', path: 'displayName', value: name },
      { op: 'add', path: 'members', value: [{ value: user.id }] },
      { op: 'replace', value: { [groupUrn]: { level: 9 }, [`${groupUrn}:owner`]: 'o-9' } },
      { op: 'add', path: `${groupUrn}:labels`, value: ['z'] },
    ];
    const wrong = await okta.patch(at(made), ...all, { op: 'replace', path: `${groupUrn}:level`, value: 'nine' });
    expect(refusedAs(wrong)).toEqual([400, 'invalidValue']);
    expect((await okta.get(at(made))).body).toEqual({ ...made, members: [] });
    const answer = await okta.call('PATCH', `${at(made)}?attributes=displayName,members.value,${groupUrn}`, {
      schemas: [patchUrn],
      Operations: all,
    });
    expect(answer.body).toMatchObject({
      displayName: name,
      members: [{ value: user.id }],
      [groupUrn]: { owner: 'o-9', level: 9, labels: ['x', 'y', 'z'], origin: 'ad' },
    });
  });

  test('keeps what is immutable: 400 mutability (RFC 7644 §3.5.1, §3.5.2)', async () => {
    const made = await group();
    const origin = `${groupUrn}:origin`;
    expect(refusedAs(await okta.patch(at(made), { op: 'replace', path: origin, value: 'x' }))).toEqual([
      400,
      'mutability',
    ]);
    expect(refusedAs(await okta.put(at(made), { ...made, [groupUrn]: { origin: 'x' } }))).toEqual([400, 'mutability']);
    expect((await okta.put(at(made), { displayName: made.displayName })).body[groupUrn]).toEqual({ origin: 'ad' });
  });

  test('loses nothing while its schema is not declared', async () => {
    const made = await group();
    const without = await withSchemas({});
    expect((await without.get(at(made))).body[groupUrn]).toBeUndefined();
    expect((await without.put(at(made), { displayName: fresh() })).status).toBe(200);
    const again = await withSchemas(declared);
    expect((await again.get(at(made))).body[groupUrn]).toEqual(values);
  });
});
