import { describe, expect, test } from 'vitest';
import type { ExtensionAttribute } from '../../src/core/directory-settings.ts';
import { directorySchemas } from '../../src/scim/directory-schemas.ts';
import type { JsonObject } from '../../src/scim/json.ts';
import { compileProjection, project, wants } from '../../src/scim/projection.ts';
import { enterpriseUserUrn, userSchema } from '../../src/scim/schema.ts';
import { userSchemaUrn } from '../support/urns.ts';
import { refusal } from './payload.ts';

const urn = 'urn:example:params:scim:schemas:extension:acme:2.0:User';
const attribute = (name: string, more: Partial<ExtensionAttribute> = {}): ExtensionAttribute => ({
  name,
  type: 'string',
  multiValued: false,
  description: '',
  required: false,
  caseExact: false,
  mutability: 'readWrite',
  returned: 'default',
  canonicalValues: [],
  subAttributes: [],
  ...more,
});
const { user: schema } = directorySchemas([
  {
    urn,
    resource: 'User',
    name: 'Acme',
    description: '',
    attributes: [
      attribute('badge', { returned: 'always' }),
      attribute('floor'),
      attribute('secret', { returned: 'request' }),
      attribute('seat', {
        type: 'complex',
        subAttributes: [
          attribute('id', { returned: 'always' }),
          attribute('room'),
          attribute('lock', { returned: 'request' }),
        ],
      }),
    ],
  },
]);

const user: JsonObject = {
  schemas: [userSchemaUrn, enterpriseUserUrn, urn],
  id: '1',
  userName: 'a',
  name: { givenName: 'g', familyName: 'f' },
  emails: [
    { value: 'a@b.c', type: 'work' },
    { value: 'd@e.f', type: 'home' },
  ],
  [enterpriseUserUrn]: { department: 'd', manager: { value: '2' } },
  [urn]: { badge: 'b', floor: 'f', secret: 's', seat: { id: 'i', room: 'r', lock: 'l' } },
  meta: { resourceType: 'User' },
};
const asked = (attributes: string | null, excluded: string | null, written?: () => boolean): JsonObject => {
  const projection = compileProjection(attributes?.split(',') ?? null, excluded?.split(',') ?? null, schema, written);
  return projection === null ? user : project(projection, user);
};
const always = { schemas: user.schemas, id: '1' };
const own = { badge: 'b' };

describe('RFC 7644 §3.9 attributes', () => {
  test.each([
    ['userName', { userName: 'a' }],
    ['USERNAME', { userName: 'a' }],
    [`${userSchemaUrn}:userName`, { userName: 'a' }],
    ['name.familyName', { name: { familyName: 'f' } }],
    ['emails.type', { emails: [{ type: 'work' }, { type: 'home' }] }],
    [`${enterpriseUserUrn}:department`, { [enterpriseUserUrn]: { department: 'd' } }],
    ['department', { [enterpriseUserUrn]: { department: 'd' } }],
    [`${enterpriseUserUrn}:manager.value`, { [enterpriseUserUrn]: { manager: { value: '2' } } }],
    [enterpriseUserUrn, { [enterpriseUserUrn]: user[enterpriseUserUrn] }],
    // What is unknown is nobody’s, and asks for nothing more.
    ['nothing', {}],
    ['password', {}],
    ['emails.nothing', {}],
  ])('%s are returned, with what is returned always, and nothing else', (names, expected) =>
    expect(asked(names, null)).toEqual({ ...always, [urn]: own, ...expected }),
  );
});

describe('RFC 7644 §3.9 excludedAttributes', () => {
  const without = (...names: string[]) =>
    Object.fromEntries(Object.entries(user).filter(([name]) => !names.includes(name)));
  const shown = { badge: 'b', floor: 'f', seat: { id: 'i', room: 'r' } };

  test.each([
    ['emails', { ...without('emails'), [urn]: shown }],
    ['name.givenName', { ...user, name: { familyName: 'f' }, [urn]: shown }],
    // No effect on what is returned always.
    ['id,schemas', { ...user, [urn]: shown }],
    [`${urn}:badge`, { ...user, [urn]: shown }],
    [urn, { ...user, [urn]: { badge: 'b', seat: { id: 'i' } } }],
    [`${urn}:seat`, { ...user, [urn]: { badge: 'b', floor: 'f', seat: { id: 'i' } } }],
    ['nothing', { ...user, [urn]: shown }],
  ])('%s are left out, and nothing else', (names, expected) => expect(asked(null, names)).toEqual(expected));
});

describe('RFC 7643 §7 what is returned on request', () => {
  test('is in no answer that does not ask for it by its name', () => {
    const shown = { badge: 'b', floor: 'f', seat: { id: 'i', room: 'r' } };
    expect(asked(null, null)).toEqual({ ...user, [urn]: shown });
    expect(asked(urn, null)).toEqual({ ...always, [urn]: shown });
    expect(asked(`${urn}:seat`, null)).toEqual({ ...always, [urn]: { badge: 'b', seat: { id: 'i', room: 'r' } } });
  });

  test('comes where attributes names it, sub-attributes with what is always beside them', () => {
    expect(asked(`${urn}:secret`, null)).toEqual({ ...always, [urn]: { badge: 'b', secret: 's' } });
    expect(asked('secret,userName', null)).toEqual({ ...always, userName: 'a', [urn]: { badge: 'b', secret: 's' } });
    expect(asked(`${urn}:seat.lock`, null)).toEqual({ ...always, [urn]: { badge: 'b', seat: { id: 'i', lock: 'l' } } });
  });

  test('comes in the answer to a write that speaks of it', () => expect(asked(null, null, () => true)).toEqual(user));
});

test('RFC 7644 §3.9 both lists at once exclude each other: 400 invalidValue', () =>
  expect(refusal(() => asked('userName', 'emails'))).toEqual([400, 'invalidValue']));

test('without a list, and without an attribute of its own kind, nothing is taken apart', () => {
  expect(compileProjection(null, null, userSchema)).toBeNull();
  expect(wants(null, 'groups')).toBe(true);
  expect(wants(compileProjection(['userName'], null, schema), 'groups')).toBe(false);
  expect(wants(compileProjection(null, ['groups'], schema), 'groups')).toBe(false);
  expect(wants(compileProjection(null, ['groups.display'], schema), 'groups')).toBe(true);
});
