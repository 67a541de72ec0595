import SCIMMY from 'scimmy';
import { expect, test } from 'vitest';
import {
  type AttributeDefinition,
  enterpriseUserUrn,
  findAttribute,
  findSchema,
  groupSchema,
  nameKey,
  pathName,
  userSchema,
} from '../../src/scim/schema.ts';
import { userSchemaUrn } from '../support/urns.ts';

const found = (path: string): string | undefined => {
  const attribute = findAttribute(userSchema, path);
  return attribute && pathName(attribute);
};

test.each([
  ['userName', 'userName'],
  ['USERNAME', 'userName'],
  ['name.GivenName', 'name.givenName'],
  ['meta.lastModified', 'meta.lastModified'],
  ['externalid', 'externalId'],
  [`${userSchemaUrn}:userName`, 'userName'],
  [`${userSchemaUrn.toUpperCase()}:NAME.FAMILYNAME`, 'name.familyName'],
  [`${enterpriseUserUrn}:manager.value`, `${enterpriseUserUrn}:manager.value`],
  [`${enterpriseUserUrn.toLowerCase()}:department`, `${enterpriseUserUrn}:department`],
  ['manager', `${enterpriseUserUrn}:manager`],
  ['emails.$ref', undefined],
  ['a..b', undefined],
  ['name.', undefined],
  ['.name', undefined],
  ['name.givenName.x', undefined],
  [enterpriseUserUrn, undefined],
  [`${enterpriseUserUrn}:userName`, undefined],
  ['', undefined],
])('the path %s is the attribute %s (RFC 7643 §2.1, RFC 7644 §3.10)', (path, name) => expect(found(path)).toBe(name));

test.each([
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'name.__proto__',
  'name.constructor',
])('no attribute is found by the name of a prototype member: %s (T43)', (name) => {
  expect(found(name)).toBeUndefined();
  expect(findSchema(userSchema, name)).toBeUndefined();
});

test('a name with a letter that only folds to ASCII is another name (T36)', () => {
  expect(nameKey('nic\u212aName')).not.toBe('nickname');
  expect(found('nic\u212aName')).toBeUndefined();
});

test('definitions cannot be changed once they are built', () => {
  const userName = userSchema.core.attributes.get('username');
  expect(userName).toMatchObject({ required: true, uniqueness: 'server', caseExact: false, mutability: 'readWrite' });
  expect(() => Object.assign(userName as object, { required: false })).toThrow(TypeError);
  expect(() => Object.assign(userSchema, { core: null })).toThrow(TypeError);
});

test('every attribute of the standard is there with the characteristics that scimmy gives it', () => {
  const definitions = [
    [SCIMMY.Schemas.User.definition, userSchema.core],
    [SCIMMY.Schemas.Group.definition, groupSchema.core],
    [SCIMMY.Schemas.EnterpriseUser.definition, findSchema(userSchema, enterpriseUserUrn)],
  ] as const;
  for (const [reference, schema] of definitions) {
    const listed = JSON.parse(JSON.stringify(reference.describe(''))).attributes as AttributeDefinition[];
    expect([...(schema?.attributes.values() ?? [])].map(({ name }) => name)).toEqual(listed.map(({ name }) => name));
    for (const { name, type, multiValued, required, mutability, returned } of listed) {
      expect(schema?.attributes.get(nameKey(name))).toMatchObject({
        name,
        type,
        multiValued,
        required,
        mutability,
        returned,
      });
    }
  }
});

test('a group says that its members are users and that its name is unique, since that is so', () => {
  const members = groupSchema.core.attributes.get('members');
  expect(members?.subAttributes.get('type')?.canonicalValues).toEqual(['User']);
  expect(groupSchema.core.attributes.get('displayname')?.uniqueness).toBe('server');
});

test('the display of a member is read-only, since it is the member’s own name whatever was sent (RFC 7643 §7)', () => {
  const { subAttributes } = groupSchema.core.attributes.get('members') ?? {};
  expect(subAttributes?.get('display')?.mutability).toBe('readOnly');
  expect(subAttributes?.get('value')?.mutability).toBe('immutable');
});
