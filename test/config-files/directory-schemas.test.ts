// Schemas of a directory's own, as a tenant's file declares them.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { formatProblem } from '../../src/config-files/problem.ts';
import { readTenantFolder } from '../../src/config-files/tenant-folder.ts';
import { standardNames } from '../../src/core/directory-settings.ts';
import { groupSchema, type ResourceSchema, userSchema } from '../../src/scim/schema.ts';

const root = mkdtempSync(join(tmpdir(), 'drawbridge-schemas-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;
function read(schemas: string) {
  const folder = join(root, String(++folders));
  mkdirSync(join(folder, 'tenants'), { recursive: true });
  const indented = schemas.replaceAll(/^/gm, '        ');
  const text = `tenant: acme\nname: Acme\nconnections:\n  okta:\n    scim: true\n    directory:\n      schemas:\n${indented}\n`;
  writeFileSync(join(folder, 'tenants', 'acme.yaml'), text);
  return readTenantFolder(folder);
}
async function problems(schemas: string): Promise<readonly string[]> {
  const result = await read(schemas);
  return result.kind === 'refused' ? result.problems.map(formatProblem) : [];
}
const at = 'connections.okta.directory.schemas';
const many = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

test('a schema is read with every default of the standard filled in (RFC 7643 §2.2)', async () => {
  const result = await read(`urn:example:acme:1.0:User:
  name: Acme
  attributes:
    badge: {}
    desk: { type: complex, multiValued: true, subAttributes: { $ref: { type: reference }, floor: { type: integer } } }`);
  const [tenant] = result.kind === 'read' ? result.tenants : [];
  const [schema] = tenant?.connections[0]?.directory.schemas ?? [];
  expect(schema).toMatchObject({ urn: 'urn:example:acme:1.0:User', resource: 'User', name: 'Acme', description: '' });
  expect(schema?.attributes[0]).toEqual({
    name: 'badge',
    type: 'string',
    multiValued: false,
    description: '',
    required: false,
    caseExact: false,
    mutability: 'readWrite',
    returned: 'default',
    canonicalValues: [],
    subAttributes: [],
  });
  expect(schema?.attributes[1]?.subAttributes.map(({ name, type }) => [name, type])).toEqual([
    ['$ref', 'reference'],
    ['floor', 'integer'],
  ]);
});

test.each([
  [
    'a URN in another case',
    'urn:example:a: { name: A, attributes: { x: {} } }\nurn:EXAMPLE:A: { name: B, attributes: { y: {} } }',
    [`9:24: ${at}["urn:EXAMPLE:A"] is there twice, apart from upper and lower case; expected each URN once.`],
  ],
  [
    'the name of a core attribute, in any case',
    'urn:example:a: { name: A, attributes: { USERNAME: {}, externalId: {}, members: {} } }',
    [
      `8:59: ${at}["urn:example:a"].attributes.USERNAME is the name of an attribute that every User has; expected a name of its own.`,
      `8:75: ${at}["urn:example:a"].attributes.externalId is the name of an attribute that every User has; expected a name of its own.`,
    ],
  ],
  [
    'the name of an attribute that a group has',
    'urn:example:a: { resource: Group, name: A, attributes: { members: {}, userName: {} } }',
    [
      `8:75: ${at}["urn:example:a"].attributes.members is the name of an attribute that every Group has; expected a name of its own.`,
    ],
  ],
  [
    'an attribute and a sub-attribute in another case',
    'urn:example:a: { name: A, attributes: { x: {}, X: {}, y: { type: complex, subAttributes: { z: {}, Z: {} } } } }',
    [
      `8:59: ${at}["urn:example:a"].attributes.X is there twice, apart from upper and lower case; expected each attribute once.`,
      `8:110: ${at}["urn:example:a"].attributes.y.subAttributes.Z is there twice, apart from upper and lower case; expected each attribute once.`,
    ],
  ],
  [
    'a URN that is the address of an attribute of another',
    'urn:example:a: { name: A, attributes: { x: {} } }\nurn:Example:a:X.y: { name: B, attributes: { z: {} } }',
    [`9:28: ${at}["urn:Example:a:X.y"] is also the address of an attribute of urn:example:a; expected another URN.`],
  ],
  [
    'a URN of the standard',
    'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User: { name: A, attributes: { x: {} } }',
    [
      `8:9: ${at}["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] is not a good name; expected a URN of its own, such as urn:example:params:scim:schemas:extension:acme:2.0:User.`,
    ],
  ],
  [
    'more schemas than there may be',
    many(21, (index) => `urn:example:s${index}: { name: A, attributes: { x: {} } }`),
    [`8:9: ${at} is a mapping; expected at most 20 schemas.`],
  ],
  [
    'more attributes than there may be',
    `urn:example:a:\n  name: A\n  attributes:\n${many(201, (index) => `    a${index}: {}`)}`,
    [`11:13: ${at}["urn:example:a"].attributes is a mapping; expected at most 200 attributes.`],
  ],
  [
    'a name that is none',
    'urn:example:a: { name: A, attributes: { a.b: {} } }',
    [
      `8:49: ${at}["urn:example:a"].attributes["a.b"] is not a good name; expected an attribute name: a letter, then letters, digits, "-" and "_", at most 100.`,
    ],
  ],
  [
    'a name that every object has',
    'urn:example:a: { name: A, attributes: { toString: {}, x: { type: complex, subAttributes: { valueOf: {} } } } }',
    [
      `8:49: ${at}["urn:example:a"].attributes.toString is not a good name; expected an attribute name: a letter, then letters, digits, "-" and "_", at most 100.`,
      `8:100: ${at}["urn:example:a"].attributes.x.subAttributes.valueOf is not a good name; expected an attribute name, or $ref.`,
    ],
  ],
  [
    'a complex attribute inside a complex one',
    'urn:example:a: { name: A, attributes: { x: { type: complex, subAttributes: { y: { type: complex } } } } }',
    [
      `8:97: ${at}["urn:example:a"].attributes.x.subAttributes.y.type is "complex"; expected one of string, boolean, decimal, integer, dateTime, reference, binary.`,
    ],
  ],
  [
    'a part of a complex attribute that is no mapping, or stands in the wrong place',
    'urn:example:a: { name: A, attributes: { desk: { type: complex, subAttributes: { floor: integer } } } }\nurn:example:b: { name: B, attributes: { desk: { floor: {} } } }',
    [
      `8:96: ${at}["urn:example:a"].attributes.desk.subAttributes.floor is "integer"; expected a mapping with type, multiValued, description, required, caseExact, mutability, returned, canonicalValues.`,
      `9:57: ${at}["urn:example:b"].attributes.desk.floor is not known; expected one of type, multiValued, description, required, caseExact, mutability, returned, canonicalValues, subAttributes.`,
    ],
  ],
])('%s is refused with its place (RFC 7643 §2.1, §10)', async (_, schemas, expected) => {
  expect(await problems(schemas)).toEqual(expected.map((problem) => `tenants/acme.yaml:${problem}`));
});

test('attributes may be named as in another schema, and as in a core schema of the other resource', async () => {
  const schemas =
    'urn:example:a: { name: A, attributes: { x: {}, members: {} } }\nurn:example:a:b: { name: B, attributes: { x: {} } }';
  expect(await problems(schemas)).toEqual([]);
});

test('the names that a file may not take are those that resources have', () => {
  const namesOf = ({ core, common }: ResourceSchema) => new Set([...common.keys(), ...core.attributes.keys()]);
  expect(standardNames.User).toEqual(namesOf(userSchema));
  expect(standardNames.Group).toEqual(namesOf(groupSchema));
});
