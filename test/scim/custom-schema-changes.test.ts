// Changes of what a directory's own schemas hold, and of the schemas themselves (RFC 7643 §7, RFC 7644 §3.5).

import { beforeAll, describe, expect, test } from 'vitest';
import { declared, full, refusedAs, type SchemasStage, schemasStage, urn } from '../support/schemas-stage.ts';
import { type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import { userSchemaUrn } from '../support/urns.ts';

let okta: DirectoryClient;
let withSchemas: SchemasStage['withSchemas'];
let fresh: SchemasStage['fresh'];
let made: SchemasStage['made'];
beforeAll(async () => {
  const stage = await schemasStage();
  ({ okta, withSchemas, fresh, made } = stage);
  return stage.close;
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
