import { describe, expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/scim/json.ts';
import { MAX_OPERATIONS } from '../../src/scim/patch-message.ts';
import { enterpriseUserUrn } from '../../src/scim/schema.ts';
import { pushedUser } from '../../src/scim/user-codec.ts';
import { patchUrn, userSchemaUrn } from '../support/urns.ts';
import { bob, home, one, operations, patch, patchRefusal, work } from './patching.ts';
import { refusal } from './payload.ts';

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

  test('that a change makes the same as another in type and value is one with it, and stays primary (RFC 7643 §2.4)', () => {
    const emails = [work, { ...home, display: 'B' }];
    const same = { op: 'replace', path: 'emails.value', value: home.value };
    expect(one({ ...bob, emails }, same).emails).toEqual([
      { ...work, value: home.value },
      { ...home, display: 'B' },
    ]);
    const homely = { op: 'replace', path: 'emails[type eq "work"]', value: { ...home, primary: true } };
    expect(one({ ...bob, emails: [{ ...home, primary: false, display: 'B' }, work] }, homely).emails).toEqual([
      { ...home, primary: true, display: 'B' },
    ]);
    expect(one({ ...bob, emails: [work, { ...home, primary: false }] }, homely).emails).toEqual([
      { ...home, primary: true },
    ]);
    const untyped = operations(same, { op: 'remove', path: 'emails.type' });
    expect(patch({ ...bob, emails }, untyped).attributes.emails).toEqual([
      { value: home.value, primary: true, display: 'B' },
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
