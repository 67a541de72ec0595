import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DirectoryUserId, Instant } from '../../src/core/ids.ts';
import { ScimError, unknownMember } from '../../src/scim/errors.ts';
import { decodeGroup, type GroupMemberRow, type GroupRow, groupEncoder } from '../../src/scim/group-codec.ts';
import { decodeGroupPatch } from '../../src/scim/group-patch.ts';
import type { JsonObject, JsonValue } from '../../src/scim/json.ts';
import { atOnce } from '../../src/scim/pace.ts';
import { readPatch } from '../../src/scim/patch-message.ts';
import { compileProjection } from '../../src/scim/projection.ts';
import { groupSchema } from '../../src/scim/schema.ts';
import { groupSchemaUrn, patchUrn } from '../support/urns.ts';
import { payload, refusal } from './payload.ts';

const uuid = (index: number) => `0192f0c4-7b1e-7c3a-9d2f-${String(index).padStart(12, '0')}` as DirectoryUserId;
const a = '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e01' as DirectoryUserId;
const b = '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e02' as DirectoryUserId;
const groupId = '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5eff';

const decode = (body: JsonValue, notes: string[] = []) => atOnce(decodeGroup(body, { notes, schema: groupSchema }));
const plan = (body: JsonValue, notes: string[] = []) =>
  atOnce(decodeGroupPatch(readPatch(body, notes), { notes, schema: groupSchema }));
const operations = (...list: JsonValue[]): JsonObject => ({
  schemas: [patchUrn],
  Operations: list,
});
const one = (operation: JsonObject) => plan(operations(operation));
const none = { kind: 'change', add: [], remove: [] };
const add = (...ids: string[]) => ({ kind: 'change', add: ids, remove: [] });
const remove = (...ids: string[]) => ({ kind: 'change', add: [], remove: ids });
const replace = (...ids: string[]) => ({ kind: 'replace', to: ids });

describe('a pushed group', () => {
  test('of Okta has no members at first, and all of them in a PUT', () => {
    expect(decode(payload('okta/create-group.json'))).toEqual({
      displayName: 'Engineering',
      externalId: null,
      attributes: {},
      members: [],
    });
    expect(decode(payload('okta/put-group.json'))).toEqual({
      displayName: 'Engineering',
      externalId: null,
      attributes: {},
      members: [a, b],
    });
  });

  test('of Entra ID has a schema of its own beside the standard one', () => {
    const notes: string[] = [];
    expect(decode(payload('entra/create-group.json'), notes)).toEqual({
      displayName: 'displayName',
      externalId: '8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159',
      attributes: {},
      members: null,
    });
    expect(notes).toEqual(['a schema that this server does not have was ignored']);
  });

  test('has its members in canonical form, whatever else stands beside them', () => {
    const members = [
      { value: a.toUpperCase(), displayName: 'x', nothing: {} },
      { Value: b, type: 'User', $ref: `https://x/Users/${b}` },
      a,
    ];
    expect(decode({ displayName: 'x', members }).members).toEqual([a, b, a]);
    expect(decode({ displayName: 'x', members: { value: a } }).members).toEqual([a]);
    expect(decode({ displayName: 'x', members: null }).members).toEqual([]);
  });

  test.each([
    [{ displayName: '' }],
    [{ displayName: null }],
    [{ displayName: ' \u3000 ' }],
    [{ displayName: 5 }],
    [{ displayName: 'x'.repeat(1001) }],
    [{ displayName: '\ufdfa'.repeat(900) }],
    [{ externalId: 'x'.repeat(1001) }],
    [{ members: [{}] }],
    [{ members: [{ value: '' }] }],
    [{ members: [{ value: 5 }] }],
    [{ members: [5] }],
    [{ members: [[a]] }],
    [{ members: [{ value: a, type: 'Group' }] }],
    [{ members: [{ value: a, TYPE: 'group' }] }],
    [{ members: [{ value: a, $ref: `https://x/scim/v2/t/c/Groups/${a}` }] }],
  ] as [JsonObject][])('with %j is 400 invalidValue (T49, T55)', (more) =>
    expect(refusal(() => decode({ displayName: 'x', ...more }))).toEqual([400, 'invalidValue']),
  );

  test('with a member that cannot be one is refused in the words for an unknown one (T37, T55)', () => {
    for (const value of ['1', "a' or 1=1", 'ffffffff', `${a} `]) {
      expect(() => decode({ displayName: 'x', members: [{ value }] })).toThrow(unknownMember().detail);
      expect(() => one({ op: 'add', path: 'members', value: [{ value }] })).toThrow(unknownMember().detail);
    }
  });

  test('with a member named by two ids is 400 invalidSyntax', () => {
    expect(refusal(() => decode({ displayName: 'x', members: [{ value: a, Value: b }] }))).toEqual([
      400,
      'invalidSyntax',
    ]);
  });

  test('with 10,000 members is read without a stall (T50)', () => {
    const members = Array.from({ length: 10_000 }, (_, index) => ({
      value: uuid(index),
      display: `p${index}`,
      type: 'User',
    }));
    const times = Array.from({ length: 3 }, () => {
      const started = performance.now();
      expect(decode({ displayName: 'x', members }).members).toHaveLength(10_000);
      return performance.now() - started;
    });
    // Generous: what takes the square of its length takes minutes.
    expect(Math.min(...times)).toBeLessThan(2000);
  });
});

describe('PATCH of a group', () => {
  test.each([
    ['okta/patch-members.json', { kind: 'change', add: [b], remove: [a] }],
    ['okta/patch-members-full.json', replace(a, b)],
    ['okta/patch-members-pathless.json', replace(a)],
    ['entra/patch-add-members.json', add(a)],
    ['entra/patch-remove-members.json', remove(a)],
    ['entra/patch-remove-members-flagged.json', remove(a)],
    ['entra/patch-many-members.json', { kind: 'change', add: [b], remove: [a] }],
  ])('%s comes to %j', (file, members) =>
    expect(plan(payload(file))).toEqual({ members, names: {}, attributes: null, claimedId: null }),
  );

  test('as Okta renames leaves the members alone and says which id was repeated', () => {
    const notes: string[] = [];
    expect(plan(payload('okta/patch-rename-group.json'), notes)).toEqual({
      members: none,
      names: { displayName: 'Engineering' },
      attributes: null,
      claimedId: groupId,
    });
    expect(notes).toEqual(['id with its own value ignored']);
  });

  test('as Entra ID sets names', () => {
    expect(plan(payload('entra/patch-group-rename.json')).names).toEqual({
      displayName: '1879db59-3bdf-4490-ad68-ab880a269474updatedDisplayName',
    });
    expect(plan(payload('entra/patch-group-external-id.json')).names).toEqual({ externalId: 'f3a4' });
    expect(one({ op: 'remove', path: 'externalId' }).names).toEqual({ externalId: null });
    expect(one({ op: 'Replace', path: 'externalId', value: '' }).names).toEqual({ externalId: null });
  });

  test.each([
    [{ op: 'remove', path: 'members' }, replace()],
    [{ op: 'remove', path: 'members', value: null }, replace()],
    [{ op: 'remove', path: 'members', value: [] }, none],
    [{ op: 'remove', path: 'members', value: { value: a } }, remove(a)],
    [{ op: 'remove', path: 'members', value: [{ value: 'no uuid' }] }, none],
    [{ op: 'remove', path: `members[value eq "${a}" or value eq "${b}"]` }, remove(a, b)],
    [{ op: 'remove', path: `members[value eq "${a}" and type eq "User"]` }, remove(a)],
    [{ op: 'remove', path: `members[value eq "${a.toUpperCase()}"]` }, remove(a)],
    [{ op: 'remove', path: 'members[value eq "a\\"b"]' }, none],
    [{ op: 'remove', path: `${groupSchemaUrn}:members[value eq "${a}"]` }, remove(a)],
    [{ op: 'replace', path: 'members', value: [] }, replace()],
    [{ op: 'replace', path: 'members', value: null }, replace()],
    [{ op: 'add', path: 'members', value: [] }, none],
    [{ op: 'add', path: 'members', value: a }, add(a)],
    [{ op: 'add', value: { members: [{ value: a }], nothing: 1 } }, add(a)],
    [{ op: 'add', path: groupSchemaUrn, value: { members: [{ value: a }] } }, add(a)],
  ] as [JsonObject, object][])('%j comes to %j (T58)', (operation, members) =>
    expect(one(operation).members).toEqual(members),
  );

  test.each([
    [{ op: 'remove', path: 'members[value eq "' }, 'invalidFilter'],
    [{ op: 'remove', path: 'members[type eq "User"]' }, 'invalidFilter'],
    [{ op: 'remove', path: 'members[value ne "x"]' }, 'invalidFilter'],
    [{ op: 'remove', path: 'members[not (value eq "x")]' }, 'invalidFilter'],
    [{ op: 'remove', path: `members[value eq "${a}" or type eq "User"]` }, 'invalidFilter'],
    [{ op: 'remove', path: `members[value eq "${a}" and value eq "${b}"]` }, 'invalidFilter'],
    [{ op: 'remove', path: 'members.value' }, 'mutability'],
    [{ op: 'replace', path: `members[value eq "${a}"].display`, value: 'x' }, 'mutability'],
    [{ op: 'replace', path: `members[value eq "${a}"]`, value: { value: b } }, 'invalidPath'],
    [{ op: 'remove', path: 'members', value: [{}] }, 'invalidValue'],
    [{ op: 'add', path: 'members', value: [{ value: a, type: 'Group' }] }, 'invalidValue'],
    [{ op: 'remove' }, 'noTarget'],
    [{ op: 'remove', path: 'displayName' }, 'mutability'],
    [{ op: 'replace', path: 'displayName', value: '' }, 'invalidValue'],
    [{ op: 'replace', path: 'meta', value: {} }, 'mutability'],
    [{ op: 'replace', path: 'meta.version', value: 'W/"9"' }, 'mutability'],
    [{ op: 'replace', path: 'schemas', value: ['urn:x'] }, 'mutability'],
    [{ op: 'remove', path: 'id' }, 'mutability'],
    [{ op: 'replace', path: 'id', value: 5 }, 'mutability'],
    [{ op: 'replace', path: 'name', value: 'x' }, 'invalidPath'],
    [{ op: 'replace', path: '__proto__', value: 'x' }, 'invalidPath'],
    [{ op: 'replace', value: ['x'] }, 'invalidValue'],
  ] as [JsonObject, string][])('%j is 400 %s (T55, T57, T58, RFC 7644 §3.12)', (operation, scimType) =>
    expect(refusal(() => one(operation))).toEqual([400, scimType]),
  );

  test('that repeats two different ids is 400 mutability', () => {
    const body = operations({ op: 'replace', value: { id: groupId } }, { op: 'replace', value: { id: a } });
    expect(refusal(() => plan(body))).toEqual([400, 'mutability']);
  });

  test('of any operations comes to what they do one by one, with no id in two sets', () => {
    const ids = fc.array(fc.integer({ min: 0, max: 5 }).map(uuid), { maxLength: 4 });
    const members = (list: readonly string[]) => list.map((value) => ({ value }));
    const step = fc.oneof(
      ids.map((list) => ({ op: 'add', path: 'members', value: members(list) })),
      ids.map((list) => ({ op: 'Remove', path: 'members', value: members(list) })),
      ids.map((list) => ({ op: 'replace', path: 'members', value: members(list) })),
      fc.constant({ op: 'remove', path: 'members' }),
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 5 }).map(uuid)),
        fc.array(step, { minLength: 1, maxLength: 6 }),
        (held, steps) => {
          const expected = new Set<string>(held);
          for (const { op, value } of steps as { op: string; value?: { value: string }[] }[]) {
            if (op === 'replace' || value === undefined) expected.clear();
            for (const member of value ?? [])
              op === 'Remove' ? expected.delete(member.value) : expected.add(member.value);
          }
          const edit = plan(operations(...(steps as JsonValue[]))).members;
          const result = new Set<string>(edit.kind === 'replace' ? edit.to : held);
          if (edit.kind === 'change') {
            expect(edit.add.some((id) => edit.remove.includes(id))).toBe(false);
            for (const id of edit.remove) result.delete(id);
            for (const id of edit.add) result.add(id);
          }
          expect([...result].sort()).toEqual([...expected].sort());
        },
      ),
      { numRuns: 500 },
    );
  });

  test('of 5,000 operations of one member each is one set, without a stall', () => {
    const list = Array.from({ length: 5000 }, (_, index) => ({
      op: 'Add',
      path: 'members',
      value: [{ $ref: null, value: uuid(index) }],
    }));
    const times = Array.from({ length: 3 }, () => {
      const started = performance.now();
      const { members } = plan(operations(...list));
      expect(members.kind === 'change' && members.add).toHaveLength(5000);
      return performance.now() - started;
    });
    // Generous: what takes the square of its length takes minutes.
    expect(Math.min(...times)).toBeLessThan(2000);
  });

  test('whatever it asks ends in a plan or a SCIM error', () => {
    const path = fc.constantFrom(
      'members',
      `members[value eq "${a}"]`,
      'members[type pr]',
      'displayName',
      'externalId',
      'id',
      'meta',
      groupSchemaUrn,
      'x',
      '',
    );
    const value = fc.oneof(
      fc.constantFrom<JsonValue>(null, '', a, [a], [{ value: a }], { members: [a] }),
      fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>,
    );
    fc.assert(
      fc.property(
        fc.record({ op: fc.constantFrom('add', 'Remove', 'replace'), path, value }, { requiredKeys: ['op'] }),
        (operation) => {
          try {
            plan(operations(operation as JsonValue));
          } catch (error) {
            expect(error).toBeInstanceOf(ScimError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('an answer with a group', () => {
  const baseUrl = 'https://id.example/scim/v2/acme/okta';
  const row: GroupRow = {
    id: groupId,
    displayName: 'A "quoted" group',
    externalId: 'x1',
    attributes: '{}',
    version: '7',
    createdAt: Date.parse('2025-11-01T10:00:00Z') as Instant,
    lastModifiedAt: Date.parse('2025-11-01T10:00:00Z') as Instant,
  };
  const members: GroupMemberRow[] = [{ id: a, display: 'a@acme.example' }, { id: b }];
  const encoder = (only: string[] | null = null, without: string[] | null = null) =>
    groupEncoder({ baseUrl, schema: groupSchema, projection: compileProjection(only, without, groupSchema) });

  test('has its names, meta and members (RFC 7643 §4.2)', () => {
    expect(JSON.parse(encoder().encode(row, members))).toEqual({
      schemas: [groupSchemaUrn],
      id: groupId,
      externalId: 'x1',
      displayName: 'A "quoted" group',
      meta: {
        resourceType: 'Group',
        created: '2025-11-01T10:00:00.000Z',
        lastModified: '2025-11-01T10:00:00.000Z',
        location: `${baseUrl}/Groups/${groupId}`,
        version: 'W/"7"',
      },
      members: [
        { value: a, $ref: `${baseUrl}/Users/${a}`, display: 'a@acme.example', type: 'User' },
        { value: b, $ref: `${baseUrl}/Users/${b}`, type: 'User' },
      ],
    });
    expect(JSON.parse(encoder().encode({ ...row, externalId: null }, []))).toMatchObject({ members: [] });
  });

  test('without members says nothing of them, and need not load them (Entra ID)', () => {
    const without = encoder(null, ['members']);
    expect(without.wantsMembers).toBe(false);
    expect(JSON.parse(without.encode(row, members))).not.toHaveProperty('members');
    expect(JSON.parse(encoder().encode(row, null))).not.toHaveProperty('members');
    expect(encoder(['displayName']).wantsMembers).toBe(false);
    expect(encoder(['members.value']).wantsMembers).toBe(true);
  });

  test('has only the parts of members that were asked for', () => {
    expect(JSON.parse(encoder(['members.value']).encode(row, members))).toEqual({
      schemas: [groupSchemaUrn],
      id: groupId,
      members: [{ value: a }, { value: b }],
    });
    expect(JSON.parse(encoder(null, ['members.$ref', 'members.type', 'meta']).encode(row, members)).members).toEqual([
      { value: a, display: 'a@acme.example' },
      { value: b },
    ]);
  });

  test('can be written in batches', () => {
    const { around, members: write, encode } = encoder();
    const { head, tail } = around(row);
    expect(head + [write(members.slice(0, 1)), write(members.slice(1))].join(',') + tail).toBe(encode(row, members));
    expect(head + tail).toBe(encode(row, []));
  });
});
