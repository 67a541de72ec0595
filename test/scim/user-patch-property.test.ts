import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ScimError } from '../../src/scim/errors.ts';
import type { JsonObject, JsonValue } from '../../src/scim/json.ts';
import { MAX_OPERATIONS, readPatch } from '../../src/scim/patch-message.ts';
import { enterpriseUserUrn, userSchema } from '../../src/scim/schema.ts';
import { decodeUser, pushedUser } from '../../src/scim/user-codec.ts';
import { applyUserPatch } from '../../src/scim/user-patch.ts';
import { userSchemaUrn } from '../support/urns.ts';
import { bob, home, operations, patch, work } from './patching.ts';
import { refusal } from './payload.ts';

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
