// Schemas that a directory's settings declare (RFC 7643 §3.3, §7), from the tenant's file to the answer.

import { beforeAll, describe, expect, test } from 'vitest';
import { full, groupUrn, refusedAs, type SchemasStage, schemasStage, urn } from '../support/schemas-stage.ts';
import { type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import { enterpriseUrn, userSchemaUrn } from '../support/urns.ts';

let okta: DirectoryClient;
let entra: DirectoryClient;
let fresh: SchemasStage['fresh'];
let made: SchemasStage['made'];
let found: SchemasStage['found'];
beforeAll(async () => {
  const stage = await schemasStage();
  ({ okta, entra, fresh, made, found } = stage);
  return stage.close;
});

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
