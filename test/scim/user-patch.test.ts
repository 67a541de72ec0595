import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ScimError } from '../../src/scim/errors.ts';
import type { JsonObject, JsonValue } from '../../src/scim/json.ts';
import { MAX_OPERATIONS, readPatch } from '../../src/scim/patch-message.ts';
import { enterpriseUserUrn, userSchema } from '../../src/scim/schema.ts';
import { decodeUser, pushedUser } from '../../src/scim/user-codec.ts';
import { applyUserPatch } from '../../src/scim/user-patch.ts';
import { patchUrn, userSchemaUrn } from '../support/urns.ts';
import { payload, refusal } from './payload.ts';

const id = '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e01';
const manager = '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e02';

const bob: JsonObject = { userName: 'bob@acme.example', active: true };
const work = { type: 'work', value: 'bob@acme.example', primary: true };
const home = { type: 'home', value: 'bob@home.example' };

function patch(attributes: JsonObject, body: JsonValue, notes: string[] = []) {
  const before = JSON.stringify(attributes);
  const result = applyUserPatch(attributes, readPatch(body, notes), {
    notes,
    schema: userSchema,
    readOnly: { id, meta: { version: 'W/"1"' } },
  });
  expect(JSON.stringify(attributes)).toBe(before);
  return result;
}
const operations = (...list: JsonValue[]): JsonObject => ({ schemas: [patchUrn], Operations: list });
const one = (attributes: JsonObject, operation: JsonObject) => patch(attributes, operations(operation)).attributes;
const patchRefusal = (attributes: JsonObject, operation: JsonObject) => refusal(() => one(attributes, operation));

describe('PATCH as Entra ID sends it', () => {
  const run = (file: string, attributes: JsonObject, notes: string[] = []) =>
    patch(attributes, payload(`entra/${file}.json`), notes);

  test('turns active off by the text "False" (T57, T58)', () => {
    const notes: string[] = [];
    expect(run('patch-active-false-string', bob, notes).attributes.active).toBe(false);
    expect(notes).toEqual(["op 'Replace' read as 'replace'", 'active as text read as false']);
    expect(run('patch-flagged-deactivate', bob).attributes.active).toBe(false);
    expect(run('patch-restore', { ...bob, active: false }).attributes).toMatchObject({
      active: true,
      displayName: 'Back Again',
    });
  });

  test('replaces the address of a type, and makes one of that type where there is none', () => {
    expect(run('patch-replace-email', { ...bob, emails: [work, home] }).attributes.emails).toEqual([
      { ...work, value: 'updated@microsoft.com' },
      home,
    ]);
    const notes: string[] = [];
    expect(run('patch-replace-email', { ...bob, emails: [home] }, notes).attributes.emails).toEqual([
      home,
      { type: 'work', value: 'updated@microsoft.com' },
    ]);
    expect(notes).toContain('emails.value: no element matched, one was made from the filter');
    expect(run('patch-add-phone', bob).attributes.phoneNumbers).toEqual([{ type: 'mobile', value: '1' }]);
    expect(run('patch-add-other-email-capital-value', bob).attributes.emails).toEqual([
      { type: 'other', value: 'o@x.example' },
    ]);
  });

  test('builds one address from several operations', () => {
    expect(run('patch-add-address', bob).attributes.addresses).toEqual([
      { type: 'work', streetAddress: '1 Main St', locality: 'Springfield', postalCode: '12345' },
    ]);
  });

  test('makes a role by a boolean filter in text', () => {
    expect(run('patch-add-role-primary', bob).attributes.roles).toEqual([{ primary: true, value: 'admin' }]);
  });

  test('sets the manager by plain text or a list of one, and empties it by "" in three forms', () => {
    const withManager = run('patch-add-manager-string', bob).attributes;
    expect(withManager[enterpriseUserUrn]).toEqual({ manager: { value: manager } });
    expect(run('patch-add-manager-array', bob).attributes[enterpriseUserUrn]).toEqual({
      manager: { value: manager, $ref: `http://id.example/scim/v2/Users/${manager}` },
    });
    for (const file of ['patch-remove-manager-empty', 'patch-remove-manager-empty-value']) {
      expect(run(file, withManager)).toEqual({ attributes: bob, changed: true });
    }
    expect(one(withManager, { op: 'Remove', path: 'manager' })).toEqual(bob);
    expect(one(withManager, { op: 'Replace', path: `${enterpriseUserUrn}:manager.value`, value: '' })).toEqual(bob);
  });

  test('empties optional attributes by "" and null', () => {
    const full = {
      ...bob,
      displayName: 'Bob',
      title: 'T',
      phoneNumbers: [
        { type: 'mobile', value: '1' },
        { type: 'work', value: '2' },
      ],
    };
    expect(run('patch-null-update', full).attributes).toEqual({ ...bob, phoneNumbers: [{ type: 'work', value: '2' }] });
    expect(run('patch-null-update', bob)).toEqual({ attributes: bob, changed: false });
  });

  test('folds dotted and URN keys into one operation without a path', () => {
    const notes: string[] = [];
    expect(
      run('patch-pathless-dotted', { ...bob, name: { givenName: 'B', middleName: 'M' } }, notes).attributes,
    ).toEqual({
      ...bob,
      displayName: 'Bjfe',
      name: { givenName: 'Kim', middleName: 'M', familyName: 'Upton' },
      [enterpriseUserUrn]: { employeeNumber: 'AHKNFD' },
    });
    expect(notes).toContain('key read as the path name.givenName');
  });

  test('changes nothing the second time (I6)', () => {
    const files = [
      'patch-active-false-string',
      'patch-replace-email',
      'patch-add-phone',
      'patch-add-address',
      'patch-add-other-email-capital-value',
      'patch-add-role-primary',
      'patch-add-manager-string',
      'patch-add-manager-array',
      'patch-remove-manager-empty',
      'patch-null-update',
      'patch-pathless-dotted',
      'patch-restore',
    ];
    for (const file of files) {
      const first = run(file, { ...bob, emails: [work, home] });
      expect(run(file, first.attributes), file).toEqual({ attributes: first.attributes, changed: false });
    }
  });
});

describe('PATCH as Okta sends it', () => {
  test('turns active off and on without a path', () => {
    const off = patch(bob, payload('okta/patch-deactivate.json'));
    expect(off).toEqual({ attributes: { ...bob, active: false }, changed: true });
    expect(patch(off.attributes, payload('okta/patch-reactivate.json')).attributes.active).toBe(true);
  });

  test('has its password ignored and said nowhere (T41)', () => {
    const notes: string[] = [];
    expect(patch(bob, payload('okta/patch-password.json'), notes)).toEqual({ attributes: bob, changed: false });
    expect(notes).toEqual(['password ignored']);
    expect(one(bob, { op: 'replace', path: 'password', value: 'x' })).toEqual(bob);
  });

  test('may repeat what it read: equal read-only values are ignored, others are 400 mutability (T57)', () => {
    const echo = { id, meta: { version: 'W/"1"' }, schemas: [userSchemaUrn], groups: [], title: 'T' };
    expect(one(bob, { op: 'replace', value: echo })).toEqual({ ...bob, title: 'T' });
    for (const [path, value] of [
      ['id', manager],
      ['meta', { version: 'W/"2"' }],
      ['meta.version', 'W/"2"'],
      ['meta.created', '2020-01-01T00:00:00Z'],
      ['groups', [{ value: 'admins' }]],
      ['schemas', ['urn:example:other']],
      [`${enterpriseUserUrn}:manager.displayName`, 'Boss'],
    ] as [string, JsonValue][]) {
      expect(patchRefusal(bob, { op: 'replace', path, value }), path).toEqual([400, 'mutability']);
      expect(patchRefusal(bob, { op: 'remove', path }), path).toEqual([400, 'mutability']);
    }
    expect(one(bob, { op: 'replace', path: 'meta.version', value: 'W/"1"' })).toEqual(bob);
    expect(patchRefusal(bob, { op: 'add', value: { id: manager, title: 'T' } })).toEqual([400, 'mutability']);
  });
});

describe('PATCH add (RFC 7644 §3.5.2.1)', () => {
  test('replaces a single value, merges a complex one, appends to a list', () => {
    expect(one({ ...bob, title: 'a' }, { op: 'add', path: 'title', value: 'b' }).title).toBe('b');
    expect(
      one({ ...bob, name: { givenName: 'a' } }, { op: 'add', path: 'name', value: { familyName: 'b' } }).name,
    ).toEqual({
      givenName: 'a',
      familyName: 'b',
    });
    expect(one({ ...bob, emails: [work] }, { op: 'add', path: 'emails', value: [home] }).emails).toEqual([work, home]);
    expect(one(bob, { op: 'add', value: { emails: [home], nickName: 'B' } })).toEqual({
      ...bob,
      emails: [home],
      nickName: 'B',
    });
  });

  test('of a value that is there changes nothing', () => {
    expect(
      patch({ ...bob, emails: [work, home] }, operations({ op: 'add', path: 'emails', value: [home] })).changed,
    ).toBe(false);
    expect(patch({ ...bob, title: 'a' }, operations({ op: 'add', path: 'title', value: 'a' })).changed).toBe(false);
  });

  test('of a new primary takes it from the old one', () => {
    expect(
      one({ ...bob, emails: [work] }, { op: 'add', path: 'emails', value: [{ ...home, primary: true }] }).emails,
    ).toEqual([
      { ...work, primary: false },
      { ...home, primary: true },
    ]);
    expect(
      one({ ...bob, emails: [work, home] }, { op: 'add', path: 'emails[type eq "home"].primary', value: 'True' })
        .emails,
    ).toEqual([
      { ...work, primary: false },
      { ...home, primary: true },
    ]);
  });

  test('of the same type and value gives its sub-attributes to the element that is there (RFC 7643 §2.4)', () => {
    const value = [{ type: 'home', value: 'bob@home.example', display: 'Bob' }];
    expect(one({ ...bob, emails: [work, home] }, { op: 'add', path: 'emails', value }).emails).toEqual([
      work,
      { ...home, display: 'Bob' },
    ]);
  });

  test('to an extension URN goes into the extension', () => {
    expect(one(bob, { op: 'add', path: enterpriseUserUrn, value: { Department: 'D', nothing: 1 } })).toEqual({
      ...bob,
      [enterpriseUserUrn]: { department: 'D' },
    });
    expect(one(bob, { op: 'add', value: { [enterpriseUserUrn]: { department: 'D' } } })[enterpriseUserUrn]).toEqual({
      department: 'D',
    });
    expect(one(bob, { op: 'add', path: `${userSchemaUrn}:title`, value: 'T' }).title).toBe('T');
  });
});

describe('PATCH replace (RFC 7644 §3.5.2.3)', () => {
  test('of a list without a filter replaces all of it', () => {
    expect(one({ ...bob, emails: [work] }, { op: 'replace', path: 'emails', value: [home] }).emails).toEqual([home]);
    expect(one({ ...bob, emails: [work] }, { op: 'replace', path: 'emails', value: [] })).toEqual(bob);
  });

  test('of a complex attribute leaves the sub-attributes that it does not name', () => {
    const name = { givenName: 'a', familyName: 'b', middleName: 'c' };
    expect(
      one({ ...bob, name }, { op: 'replace', path: 'name', value: { givenName: 'x', middleName: '' } }).name,
    ).toEqual({
      givenName: 'x',
      familyName: 'b',
    });
  });

  test('of matching elements replaces them whole, of one sub-attribute only that', () => {
    const emails = [work, home];
    expect(
      one({ ...bob, emails }, { op: 'replace', path: 'emails[type eq "home"]', value: { value: 'n@x.yz' } }).emails,
    ).toEqual([work, { value: 'n@x.yz' }]);
    expect(
      one({ ...bob, emails }, { op: 'replace', path: 'emails[type eq "home"].display', value: 'd' }).emails,
    ).toEqual([work, { ...home, display: 'd' }]);
    expect(one({ ...bob, emails }, { op: 'replace', path: 'emails.display', value: 'd' }).emails).toEqual([
      { ...work, display: 'd' },
      { ...home, display: 'd' },
    ]);
  });

  test('where the filter matches nothing makes the element of equal terms, and is 400 noTarget for any other filter', () => {
    const value = 'x@y.zz';
    const make = (filter: string) =>
      one({ ...bob, emails: [work] }, { op: 'replace', path: `emails[${filter}].value`, value }).emails;
    expect(make('type eq "other" and primary eq false')).toEqual([work, { type: 'other', primary: false, value }]);
    for (const filter of [
      'type ne "work"',
      'type eq "a" or type eq "b"',
      'not (type pr)',
      'type eq "a" and type eq "b"',
      'type co "x"',
      'type eq null',
    ]) {
      expect(
        refusal(() => make(filter)),
        filter,
      ).toEqual([400, 'noTarget']);
    }
  });

  test('of a manager drops the address of the one before', () => {
    const held = { ...bob, [enterpriseUserUrn]: { manager: { value: 'a', $ref: 'https://x/a' } } };
    expect(one(held, { op: 'replace', path: 'manager', value: 'b' })[enterpriseUserUrn]).toEqual({
      manager: { value: 'b' },
    });
    expect(one(held, { op: 'replace', path: 'manager', value: 'a' })).toEqual(held);
  });

  test('of userName changes it, and cannot empty it', () => {
    expect(pushedUser(one(bob, { op: 'replace', path: 'userName', value: 'new' })).userName).toBe('new');
    expect(patchRefusal(bob, { op: 'replace', path: 'userName', value: '' })).toEqual([400, 'invalidValue']);
    expect(patchRefusal(bob, { op: 'replace', value: { userName: null } })).toEqual([400, 'invalidValue']);
    expect(refusal(() => pushedUser(one(bob, { op: 'replace', path: 'userName', value: ' ' })))).toEqual([
      400,
      'invalidValue',
    ]);
  });
});

describe('PATCH remove (RFC 7644 §3.5.2.2)', () => {
  const full: JsonObject = {
    ...bob,
    title: 'T',
    name: { givenName: 'a' },
    emails: [work, home],
    [enterpriseUserUrn]: { department: 'D' },
  };

  test('takes the attribute, the sub-attribute, the matching elements, the extension', () => {
    expect(one(full, { op: 'remove', path: 'title' })).not.toHaveProperty('title');
    expect(one(full, { op: 'remove', path: 'name.givenName' })).not.toHaveProperty('name');
    expect(one(full, { op: 'remove', path: 'emails[type eq "home"]' }).emails).toEqual([work]);
    expect(one(full, { op: 'remove', path: 'emails[type eq "work"].primary' }).emails).toEqual([
      { type: 'work', value: work.value },
      home,
    ]);
    expect(one(full, { op: 'remove', path: 'emails' })).not.toHaveProperty('emails');
    expect(one(full, { op: 'remove', path: `${enterpriseUserUrn}:department` })).not.toHaveProperty(enterpriseUserUrn);
    expect(one(full, { op: 'remove', path: enterpriseUserUrn })).not.toHaveProperty(enterpriseUserUrn);
  });

  test('with values takes only those', () => {
    expect(one(full, { op: 'Remove', path: 'emails', value: [{ value: home.value }] }).emails).toEqual([work]);
    expect(one(full, { op: 'Remove', path: 'emails', value: [] })).toEqual(full);
    expect(one(full, { op: 'Remove', path: 'emails', value: [{ value: 'nobody' }] })).toEqual(full);
  });

  test('of what is not there changes nothing', () => {
    expect(patch(bob, operations({ op: 'remove', path: 'title' })).changed).toBe(false);
    expect(patch(full, operations({ op: 'remove', path: 'emails[type eq "other"]' })).changed).toBe(false);
  });

  test('without a path is 400 noTarget, of what is required 400 mutability', () => {
    expect(patchRefusal(full, { op: 'remove' })).toEqual([400, 'noTarget']);
    expect(patchRefusal(full, { op: 'remove', path: 'userName' })).toEqual([400, 'mutability']);
  });

  test('of active never lets a deactivated person back in (T58)', () => {
    const off = { ...bob, active: false };
    for (const operation of [
      { op: 'remove', path: 'active' },
      { op: 'replace', path: 'active', value: null },
      { op: 'replace', path: 'active', value: '' },
      { op: 'replace', value: { active: null } },
    ]) {
      expect(pushedUser(one(off, operation)).active).toBe(false);
    }
  });
});

describe('a PATCH that is refused', () => {
  test.each([
    [{ op: 'replace', path: 'active', value: 'yes' }, 'invalidValue'],
    [{ op: 'replace', path: 'active', value: 1 }, 'invalidValue'],
    [{ op: 'replace', path: 'active', value: ['False'] }, 'invalidValue'],
    [{ op: 'replace', path: 'active', value: { value: false } }, 'invalidValue'],
    [{ op: 'replace', path: '', value: 'x' }, 'invalidPath'],
    [{ op: 'replace', path: 5, value: 'x' }, 'invalidPath'],
    [{ op: 'replace', path: 'a..b', value: 'x' }, 'invalidPath'],
    [{ op: 'replace', path: '__proto__.polluted', value: 'x' }, 'invalidPath'],
    [{ op: 'replace', path: 'constructor', value: 'x' }, 'invalidPath'],
    [{ op: 'replace', path: 'emails[type eq "work"', value: 'x' }, 'invalidFilter'],
    [
      { op: 'replace', path: 'urn:ietf:params:scim:schemas:extension:entreprise:2.0:User:manager', value: 'x' },
      'invalidPath',
    ],
    [{ op: 'replace', value: 'x' }, 'invalidValue'],
    [{ op: 'replace', path: 'title' }, 'invalidValue'],
    [{ op: 'replace', value: { 'emails[type eq': 'x' } }, 'invalidFilter'],
    [{ op: 'replace', value: { active: false, Active: true } }, 'invalidSyntax'],
    [{ op: 'move', path: 'title', value: 'x' }, 'invalidSyntax'],
    [{ path: 'title', value: 'x' }, 'invalidSyntax'],
    [{ op: 'add', path: 'name', value: 'x' }, 'invalidValue'],
    [{ op: 'add', path: 'emails', value: 5 }, 'invalidValue'],
    [{ op: 'replace', path: enterpriseUserUrn, value: 'x' }, 'invalidValue'],
    [{ op: 'replace', path: userSchemaUrn, value: 'x' }, 'noTarget'],
  ] as [JsonObject, string][])('is %j: 400 %s, and nothing has changed (T57)', (operation, scimType) => {
    const before = Object.getOwnPropertyNames(Object.prototype).join();
    expect(patchRefusal(bob, operation)).toEqual([400, scimType]);
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before);
  });

  test.each([
    ['no object', []],
    ['no Operations', { schemas: [patchUrn] }],
    ['empty Operations', { schemas: [patchUrn], Operations: [] }],
    ['an operation that is no object', { schemas: [patchUrn], Operations: ['x'] }],
    ['the schemas of a user', { schemas: [userSchemaUrn], Operations: [{ op: 'remove', path: 'title' }] }],
  ] as [string, JsonValue][])('is a body with %s: 400 invalidSyntax', (_, body) =>
    expect(refusal(() => patch(bob, body))).toEqual([400, 'invalidSyntax']),
  );

  test('is refused as a whole: no operation before the bad one stays', () => {
    const body = operations({ op: 'replace', path: 'title', value: 'T' }, { op: 'replace', path: 'nothing', value: 1 });
    expect(refusal(() => patch(bob, body))).toEqual([400, 'invalidPath']);
  });

  test('has more than 5,000 operations: 413', () => {
    const many = (count: number) =>
      operations(...Array.from({ length: count }, () => ({ op: 'replace', path: 'title', value: 'x' })));
    expect(patch(bob, many(MAX_OPERATIONS)).attributes.title).toBe('x');
    expect(refusal(() => patch(bob, many(MAX_OPERATIONS + 1)))).toEqual([413, null]);
  });
});

test('unknown keys of an operation without a path are passed over, with a note', () => {
  const notes: string[] = [];
  expect(
    patch(
      bob,
      operations({ op: 'replace', value: { shoeSize: 42, 'urn:x:y:z': { a: 1 }, title: 'T', members: [] } }),
      notes,
    ).attributes,
  ).toEqual({
    ...bob,
    title: 'T',
  });
  expect(notes).toEqual(['an attribute that no schema has was ignored']);
});

test('a PATCH of the greatest size is answered or refused within 100 ms (T46)', () => {
  const photos = Array.from({ length: 1000 }, (_, index) => ({ value: `https://p.example/${index}`, type: 'photo' }));
  const filter = Array.from({ length: 40 }, (_, index) => `value eq "${index}"`).join(' or ');
  const hostile: readonly JsonObject[] = [
    { op: 'remove', path: `photos[${filter}]` },
    { op: 'replace', path: 'photos.display', value: 'x' },
    { op: 'replace', path: 'photos[type eq "photo"].display', value: 'x' },
    { op: 'replace', path: 'photos[value eq "https://p.example/3"].primary', value: true },
    { op: 'add', path: 'photos', value: photos },
    { op: 'remove', path: 'photos', value: photos.slice(0, 3) },
  ];
  const context = { notes: [], schema: userSchema, readOnly: {} };
  const run = (operation: JsonObject): number => {
    const list = readPatch(operations(...Array.from({ length: MAX_OPERATIONS }, () => operation)), []);
    const started = performance.now();
    expect(refusal(() => applyUserPatch({ ...bob, photos }, list, context))).toEqual([413, null]);
    return performance.now() - started;
  };
  for (const operation of hostile) {
    const times = Array.from({ length: 5 }, () => run(operation));
    expect(Math.min(...times), JSON.stringify(operation)).toBeLessThan(2000);
  }
});

test('no PATCH, whatever it asks, ends in anything but attributes that a PUT would store or a SCIM error', () => {
  const path = fc.constantFrom(
    'userName',
    'active',
    'emails',
    'emails.value',
    'emails[type eq "work"]',
    'emails[type eq "work"].value',
    'emails[not (primary eq true)]',
    'name',
    'name.givenName',
    'manager',
    `${enterpriseUserUrn}:department`,
    enterpriseUserUrn,
    userSchemaUrn,
    'id',
    'meta',
    'schemas',
    'password',
    'roles[primary eq "True"].value',
    'x509Certificates',
    'nothing',
    '',
  );
  const value = fc.oneof(
    fc.constantFrom<JsonValue>(
      '',
      null,
      'x',
      'True',
      'False',
      true,
      5,
      [],
      {},
      [{}],
      { value: 'x' },
      [{ value: 'x', primary: true }],
      { givenName: '' },
      [['x']],
    ),
    fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>,
  );
  const operation = fc.oneof(
    fc.record({ op: fc.constantFrom('add', 'Replace', 'remove'), path, value }, { requiredKeys: ['op', 'path'] }),
    fc.record({ op: fc.constantFrom('add', 'replace'), value: fc.dictionary(path, value) }),
  );
  fc.assert(
    fc.property(fc.array(operation, { minLength: 1, maxLength: 6 }), (list) => {
      try {
        const { attributes, changed } = patch({ ...bob, emails: [work, home] }, operations(...(list as JsonValue[])));
        const stored = pushedUser(attributes);
        // What came out is what a PUT of it would store, but for the primary that a PUT would settle: there is at most one already.
        expect(decodeUser(attributes, { notes: [], schema: userSchema }).attributes).toEqual(stored.attributes);
        expect(changed).toBe(
          JSON.stringify(sorted(attributes)) !== JSON.stringify(sorted({ ...bob, emails: [work, home] })),
        );
      } catch (error) {
        expect(error).toBeInstanceOf(ScimError);
      }
    }),
    { numRuns: 2000 },
  );
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}
