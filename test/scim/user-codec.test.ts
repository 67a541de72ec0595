import fc from 'fast-check';
import SCIMMY from 'scimmy';
import { describe, expect, test } from 'vitest';
import type { Instant } from '../../src/core/ids.ts';
import { isObject, type JsonObject, type JsonValue } from '../../src/scim/json.ts';
import { compileProjection } from '../../src/scim/projection.ts';
import { enterpriseUserUrn, userSchema } from '../../src/scim/schema.ts';
import { MAX_STORED_JSON } from '../../src/scim/stored-size.ts';
import { decodeUser, pushedUser, type UserRow, userEncoder } from '../../src/scim/user-codec.ts';
import { userSchemaUrn } from '../support/urns.ts';
import { payload, refusal } from './payload.ts';

const decode = (body: JsonValue, notes: string[] = [], active = true) =>
  decodeUser(body, { notes, schema: userSchema, held: { userName: 'x', active } });
const person = (more: JsonObject = {}): JsonObject => ({
  schemas: [userSchemaUrn],
  userName: 'b@acme.example',
  ...more,
});
const userRefusal = (more: JsonObject) => refusal(() => decode(person(more)));

describe('a pushed user', () => {
  test('of Okta is read whole, without its password and groups (T41)', () => {
    const notes: string[] = [];
    const user = decode(payload('okta/create-user.json'), notes);
    const { json, ...read } = user;
    expect(JSON.parse(json)).toEqual(user.attributes);
    expect(read).toEqual({
      externalId: '00ujl29u0le5T6Aj10h7',
      userName: 'barbara.jensen@acme.example',
      active: true,
      email: 'barbara.jensen@acme.example',
      profile: {
        userName: 'barbara.jensen@acme.example',
        email: 'barbara.jensen@acme.example',
        givenName: 'Barbara',
        familyName: 'Jensen',
        displayName: 'Barbara Jensen',
        department: null,
        locale: 'en-US',
        timeZone: null,
      },
      attributes: {
        userName: 'barbara.jensen@acme.example',
        name: { givenName: 'Barbara', familyName: 'Jensen' },
        emails: [{ primary: true, value: 'barbara.jensen@acme.example', type: 'work' }],
        displayName: 'Barbara Jensen',
        locale: 'en-US',
        externalId: '00ujl29u0le5T6Aj10h7',
        active: true,
      },
    });
    expect(JSON.stringify(user) + notes.join()).not.toContain('1mz050nq');
    expect(notes).toEqual(['password ignored']);
  });

  test('of Entra ID is read, an extension without data and empty roles included', () => {
    const user = decode(payload('entra/create-user.json'));
    expect(user).toMatchObject({
      externalId: '0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef',
      active: true,
      profile: { givenName: 'givenName', displayName: 'givenName familyName' },
    });
    expect(Object.keys(user.attributes)).not.toContain('roles');
    expect(Object.keys(user.attributes)).not.toContain(enterpriseUserUrn);
  });

  test('of Entra ID may have nulls at the top and a misspelled URN', () => {
    const notes: string[] = [];
    const user = decode(payload('entra/create-user-nulls.json'), notes);
    expect(user).toMatchObject({ userName: 'UserName123', profile: { department: null, displayName: 'BobIsAmazing' } });
    expect(notes).toContain(`misspelled URN read as ${enterpriseUserUrn}`);
    expect(JSON.stringify(user)).not.toContain('addresses');
  });

  test('of Entra ID may have booleans as text and the manager as plain text (T57)', () => {
    const user = decode(payload('entra/create-user-string-booleans.json'));
    expect(user.active).toBe(true);
    expect(user.profile.department).toBe('Sales');
    expect(user.attributes.roles).toEqual([
      { primary: true, type: 'WindowsAzureActiveDirectoryRole', display: 'Administrator', value: 'Administrator' },
    ]);
    expect(user.attributes[enterpriseUserUrn]).toMatchObject({
      manager: { value: '26118915-6090-4610-87e4-49d8ca9f808d' },
    });
  });

  test('keeps its text exactly as sent', () => {
    const name = { formatted: '  Ǆ  ﬁ ', familyName: 'O\u2019Brien\u200b' };
    expect(decode(person({ userName: 'ＢＯＢ@Acme.Example ', name, title: 'é vs é' })).attributes).toEqual({
      userName: 'ＢＯＢ@Acme.Example ',
      name,
      title: 'é vs é',
      active: true,
    });
  });

  test('may spell names in any case, and they are stored as the schema spells them (RFC 7643 §2.1)', () => {
    const body = {
      SCHEMAS: [userSchemaUrn.toUpperCase()],
      USERNAME: 'x',
      Emails: [{ VALUE: 'x@y.z', Type: 'work' }],
      [enterpriseUserUrn.toUpperCase()]: { DEPARTMENT: 'D' },
    };
    expect(decode(body).attributes).toEqual({
      userName: 'x',
      emails: [{ value: 'x@y.z', type: 'work' }],
      [enterpriseUserUrn]: { department: 'D' },
      active: true,
    });
  });

  test('grants itself nothing: what is read-only or unknown is passed over, roles stay facts (T42)', () => {
    const notes: string[] = [];
    const { attributes } = decode(
      person({
        id: 'mine',
        meta: { version: 'W/"9"' },
        groups: [{ value: 'admins' }],
        tenant_id: 'x',
        allowed_tenants: ['x'],
        isAdmin: true,
        suspended: false,
        roles: [{ value: 'owner' }],
        entitlements: [{ value: 'all' }],
        'urn:example:unknown:1.0': { isAdmin: true },
        [enterpriseUserUrn]: { manager: { value: 'm', displayName: 'read-only' }, superuser: true },
      }),
      notes,
    );
    expect(attributes).toEqual({
      userName: 'b@acme.example',
      active: true,
      roles: [{ value: 'owner' }],
      entitlements: [{ value: 'all' }],
      [enterpriseUserUrn]: { manager: { value: 'm' } },
    });
    expect(notes).toEqual(['an attribute that no schema has was ignored']);
  });

  test('has externalId as opaque text, whatever it looks like (T39)', () => {
    expect(decode(person({ externalId: '1' })).externalId).toBe('1');
    expect(userRefusal({ externalId: 1 })).toEqual([400, 'invalidValue']);
  });

  test.each([
    [{ userName: null }],
    [{ userName: '' }],
    [{ userName: '   ' }],
    [{ userName: 5 }],
    [{ userName: ['a'] }],
    [{ userName: 'x'.repeat(321) }],
    [{ userName: '\ufdfa'.repeat(300) }],
    [{ externalId: '\u{1f600}'.repeat(501) }],
    [{ externalId: 'x'.repeat(1001) }],
    [{ active: 'yes' }],
    [{ active: 1 }],
    [{ active: 'False ' }],
    [{ emails: [{ value: ['a@b.c', 'd@e.f'] }] }],
    [{ emails: [[{ value: 'a@b.c' }]] }],
    [{ emails: [5] }],
    [{ name: 'Barbara' }],
    [{ name: [{ givenName: 'a' }, { givenName: 'b' }] }],
    [{ displayName: { a: 1 } }],
    [{ x509Certificates: [{ value: 'not base64!' }] }],
    [{ [enterpriseUserUrn]: 'text' }],
    [{ photos: Array.from({ length: 1001 }, (_, index) => ({ value: `https://p.example/${index}` })) }],
  ] as [JsonObject][])('with values of the wrong type or length is 400 invalidValue: %j (T49, T90)', (more) =>
    expect(userRefusal(more)).toEqual([400, 'invalidValue']),
  );

  test('with a value that is sent ten thousand times over is refused before they are compared (T49)', () => {
    const photos = Array.from({ length: 10_001 }, () => ({ value: 'https://p.example/' }));
    expect(userRefusal({ photos })).toEqual([400, 'invalidValue']);
  });

  test.each([
    ['a list', []],
    ['text', 'x'],
    ['null', null],
    ['a group', { schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group'], userName: 'x' }],
    ['schemas that are no list of text', { schemas: [1], userName: 'x' }],
    ['an attribute in two cases', { userName: 'x', active: false, Active: true }],
    ['a sub-attribute in two cases', { userName: 'x', name: { givenName: 'a', GivenName: 'b' } }],
  ] as [string, JsonValue][])('that is %s is 400 invalidSyntax', (_, body) =>
    expect(refusal(() => decode(body))).toEqual([400, 'invalidSyntax']),
  );

  test('over 256 KiB is 413', () => {
    expect(userRefusal({ title: 'x'.repeat(MAX_STORED_JSON) })).toEqual([413, null]);
  });

  test('without active is active when new, and as it was in a PUT', () => {
    expect(decode(person()).active).toBe(true);
    expect(decode(person(), [], false).active).toBe(false);
    expect(decode(person({ active: null }), [], false).active).toBe(false);
    expect(decode(payload('okta/put-user-deactivate.json')).active).toBe(false);
  });

  test('has at most one primary element: the last that says so (RFC 7643 §2.4)', () => {
    const emails = [{ value: 'a@x.yz', primary: true }, { value: 'b@x.yz' }, { value: 'c@x.yz', primary: 'true' }];
    const user = decode(person({ emails }));
    expect(user.attributes.emails).toEqual([
      { value: 'a@x.yz', primary: false },
      { value: 'b@x.yz' },
      { value: 'c@x.yz', primary: true },
    ]);
    expect(user.email).toBe('c@x.yz');
  });

  test.each([
    [[{ value: 'a@x.yz' }, { value: 'b@x.yz', type: 'WORK' }], 'b@x.yz'],
    [[{ value: 'a@x.yz', type: 'home' }, { value: 'b@x.yz' }], 'a@x.yz'],
    [[{ type: 'work', primary: true }, { value: 'b@x.yz' }], 'b@x.yz'],
    [['plain@x.yz'], 'plain@x.yz'],
    [[{ value: 'B@X.Yz' }], 'b@x.yz'],
    [[{ value: 'a@x.yz,b@x.yz', primary: true }, { value: 'c@x.yz' }], null],
    [[], null],
  ] as [JsonValue, string | null][])('with emails %j is reached at %s (T90)', (emails, email) =>
    expect(decode(person({ emails })).email).toBe(email),
  );

  test('is stored the same when read again from what was stored (I6)', () => {
    for (const file of ['okta/create-user.json', 'entra/create-user.json', 'entra/create-user-string-booleans.json']) {
      const first = decode(payload(file));
      expect(decode(first.attributes)).toEqual(first);
      expect(pushedUser(first.attributes)).toEqual(first);
    }
  });
});

/** A valid body of every kind of attribute. */
const text = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((value) => value.isWellFormed() && value.trim() !== '');
const multi = (value: fc.Arbitrary<string>) =>
  fc.uniqueArray(
    fc.record({ value, display: text, type: fc.constantFrom('work', 'home', 'other') }, { requiredKeys: ['value'] }),
    { minLength: 1, maxLength: 3, selector: byValue },
  );
// Values of one list are told apart: of twins one is made (RFC 7643 §2.4), which scimmy does not do.
const byValue = (element: { readonly value: string }): string => element.value;
const validBody = fc
  .record(
    {
      userName: text,
      externalId: text,
      name: fc.record({ formatted: text, familyName: text, givenName: text }, { requiredKeys: ['givenName'] }),
      displayName: text,
      title: text,
      active: fc.boolean(),
      emails: multi(text),
      roles: fc.uniqueArray(fc.record({ value: text }), { minLength: 1, maxLength: 2, selector: byValue }),
      photos: fc.uniqueArray(fc.record({ value: fc.webUrl(), type: fc.constantFrom('photo', 'thumbnail') }), {
        minLength: 1,
        maxLength: 2,
        selector: byValue,
      }),
      x509Certificates: fc.array(fc.record({ value: fc.base64String({ minLength: 4 }) }), {
        minLength: 1,
        maxLength: 1,
      }),
      addresses: fc.array(fc.record({ streetAddress: text, country: text }), { minLength: 1, maxLength: 2 }),
    },
    { requiredKeys: ['userName', 'active'] },
  )
  .map((body) => ({ schemas: [userSchemaUrn], ...body }) as JsonObject);

test('a valid body is read as scimmy reads it', () => {
  fc.assert(
    fc.property(validBody, (body) => {
      const reference = JSON.parse(JSON.stringify(new SCIMMY.Schemas.User(body as never, 'in')));
      const { schemas, meta, ...attributes } = reference;
      expect(decode(body).attributes).toEqual(attributes);
    }),
    { numRuns: 200 },
  );
});

const row = (user: { attributes: JsonObject }, more: Partial<UserRow> = {}): UserRow => ({
  id: '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e01',
  attributes: JSON.stringify(user.attributes),
  version: 3,
  createdAt: Date.parse('2025-11-01T10:00:00Z') as Instant,
  lastModifiedAt: Date.parse('2025-11-02T10:00:00.5Z') as Instant,
  ...more,
});
const baseUrl = 'https://id.example/scim/v2/acme/okta';
const encode = (
  user: { attributes: JsonObject },
  more: Partial<UserRow> = {},
  only: string[] | null = null,
  without: string[] | null = null,
) =>
  JSON.parse(
    userEncoder({ baseUrl, schema: userSchema, projection: compileProjection(only, without, userSchema) })(
      row(user, more),
    ),
  );

describe('an answer with a user', () => {
  const user = decode(payload('entra/create-user-string-booleans.json'));

  test('has what was stored, the schemas that have data, and meta (RFC 7643 §3)', () => {
    expect(encode(user)).toEqual({
      schemas: [userSchemaUrn, enterpriseUserUrn],
      id: '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e01',
      ...user.attributes,
      meta: {
        resourceType: 'User',
        created: '2025-11-01T10:00:00.000Z',
        lastModified: '2025-11-02T10:00:00.500Z',
        location: `${baseUrl}/Users/0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e01`,
        version: 'W/"3"',
      },
    });
    expect(encode(decode(payload('okta/create-user.json'))).schemas).toEqual([userSchemaUrn]);
  });

  test('names the extension for its member alone, never for a value that spells its URN', () => {
    const sly = decode(person({ title: `"${enterpriseUserUrn}": {`, nickName: `${enterpriseUserUrn}":{"` }));
    expect(encode(sly).schemas).toEqual([userSchemaUrn]);
  });

  test('is the same from the text that PostgreSQL prints', () => {
    const printed = JSON.stringify(user.attributes)
      .replaceAll(':{', ': {')
      .replaceAll(',"', ', "')
      .replaceAll('":[', '": [');
    expect(encode(user, { attributes: printed })).toEqual(encode(user));
  });

  test('has groups where they were loaded', () => {
    const groups = [{ id: 'g1', displayName: 'A "quoted" group' }];
    expect(encode(user, { groups }).groups).toEqual([
      { value: 'g1', $ref: `${baseUrl}/Groups/g1`, display: 'A "quoted" group', type: 'direct' },
    ]);
    expect(encode(user, { groups: [] })).not.toHaveProperty('groups');
  });

  test('of a user without any attribute is JSON', () => {
    expect(encode({ attributes: {} })).toMatchObject({ schemas: [userSchemaUrn], meta: { version: 'W/"3"' } });
  });

  test.each([
    [['userName'], null, ['schemas', 'id', 'userName']],
    [['USERNAME', 'nothing'], null, ['schemas', 'id', 'userName']],
    [['id'], null, ['schemas', 'id']],
    [['meta.location'], null, ['schemas', 'id', 'meta']],
    [['nothing'], null, ['schemas', 'id']],
    [['password'], null, ['schemas', 'id']],
    [['__proto__', 'constructor'], null, ['schemas', 'id']],
    [[enterpriseUserUrn], null, ['schemas', 'id', enterpriseUserUrn]],
    [[`${userSchemaUrn}:displayName`, 'manager'], null, ['schemas', 'id', enterpriseUserUrn]],
    [
      null,
      ['emails', 'roles', 'meta', 'id', 'schemas'],
      ['schemas', 'id', 'externalId', 'userName', 'active', enterpriseUserUrn],
    ],
  ] as const)('asked for %j without %j has %j (RFC 7644 §3.9)', (only, without, names) => {
    const answer = encode(user, {}, only && [...only], without && [...without]);
    expect(Object.keys(answer).sort()).toEqual([...names].sort());
  });

  test('is projected inside complex and multi-valued attributes', () => {
    expect(encode(user, {}, ['emails.value', `${enterpriseUserUrn}:manager.value`, 'meta.version'])).toEqual({
      schemas: [userSchemaUrn, enterpriseUserUrn],
      id: '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e01',
      emails: [{ value: 'strings@acme.example' }],
      [enterpriseUserUrn]: { manager: { value: '26118915-6090-4610-87e4-49d8ca9f808d' } },
      meta: { version: 'W/"3"' },
    });
    expect(encode(user, {}, null, ['emails.type', 'emails.primary', 'roles.value']).emails).toEqual([
      { value: 'strings@acme.example' },
    ]);
  });

  test('may name 200 attributes and no more (T47)', () => {
    const names = (count: number) => Array.from({ length: count }, (_, index) => `a${index}`);
    expect(compileProjection(names(200), null, userSchema)).not.toBeNull();
    expect(refusal(() => compileProjection(names(201), null, userSchema))).toEqual([400, 'invalidValue']);
  });
});

test('any user that is read can be written, and comes back the same', () => {
  fc.assert(
    fc.property(validBody, (body) => {
      const user = decode(body);
      const answer = encode(user) as JsonObject;
      expect(isObject(answer)).toBe(true);
      expect(decode(answer).attributes).toEqual(user.attributes);
    }),
    { numRuns: 100 },
  );
});
