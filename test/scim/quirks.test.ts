import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeGroup } from '../../src/scim/group-codec.ts';
import { decodeGroupPatch } from '../../src/scim/group-patch.ts';
import { isObject } from '../../src/scim/json.ts';
import { atOnce } from '../../src/scim/pace.ts';
import { readPatch } from '../../src/scim/patch-message.ts';
import { note, quirks, readBoolean, readOp } from '../../src/scim/quirks.ts';
import { groupSchema, userSchema } from '../../src/scim/schema.ts';
import { decodeUser } from '../../src/scim/user-codec.ts';
import { applyUserPatch } from '../../src/scim/user-patch.ts';
import { payload } from './payload.ts';

/** Notes of a captured body, read as the endpoint that it was sent to reads it. */
function notesOf(file: string): readonly string[] {
  const notes: string[] = [];
  const body = payload(file);
  const ofGroup = /group|member/.test(file);
  if (!isObject(body) || !('Operations' in body)) {
    ofGroup
      ? atOnce(decodeGroup(body, { notes, schema: groupSchema }))
      : decodeUser(body, { notes, schema: userSchema });
  } else if (ofGroup) {
    atOnce(decodeGroupPatch(readPatch(body, notes), { notes, schema: groupSchema }));
  } else {
    applyUserPatch({ userName: 'x', active: true }, readPatch(body, notes), {
      notes,
      schema: userSchema,
      readOnly: {},
    });
  }
  return notes;
}

/** A pattern of the quirk's line, whatever it is about. */
const lineOf = (says: (what: string, as: string) => string): RegExp =>
  new RegExp(
    `^${says('\u0001', '\u0001')
      .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      .replaceAll('\u0001', '.*')}$`,
  );

describe('a quirk', () => {
  test.each(quirks.map((quirk) => [quirk.key, quirk] as const))(
    '%s is noted where its captured payload has it',
    (_, quirk) => {
      expect(notesOf(quirk.payload)).toContainEqual(expect.stringMatching(lineOf(quirk.says)));
    },
  );

  test('has a key of its own and says who sends it', () => {
    expect(new Set(quirks.map(({ key }) => key)).size).toBe(quirks.length);
    for (const quirk of quirks) expect(quirk.sentBy).not.toBe('');
  });
});

test('every captured payload is accepted', () => {
  for (const idp of ['okta', 'entra']) {
    for (const file of readdirSync(new URL(idp, import.meta.url)))
      expect(() => notesOf(`${idp}/${file}`), file).not.toThrow();
  }
});

test('a body by the standard has nothing noted', () => {
  expect(notesOf('okta/patch-deactivate.json')).toEqual([]);
  expect(notesOf('okta/patch-members.json')).toEqual([]);
  expect(notesOf('okta/create-group.json')).toEqual([]);
  expect(notesOf('entra/patch-flagged-deactivate.json')).toEqual([]);
});

test('a line is written once, and no more than twenty of them', () => {
  const notes: string[] = [];
  for (let index = 0; index < 60; index++)
    note(notes, { key: '', sentBy: '', payload: '', says: (what) => what }, String(index % 30));
  expect(notes).toHaveLength(20);
});

test.each([
  ['true', true],
  ['True', true],
  ['TRUE', true],
  ['false', false],
  ['False', false],
  ['yes', undefined],
  ['1', undefined],
  ['', undefined],
  [' true', undefined],
  [1, undefined],
  [null, undefined],
  [['True'], undefined],
])('%j as a boolean is %j (T57)', (value, meant) => expect(readBoolean(value, 'active', [])).toBe(meant));

test.each([
  ['add', 'add'],
  ['Add', 'add'],
  ['REPLACE', 'replace'],
  ['Remove', 'remove'],
  ['test', undefined],
  ['', undefined],
  [5, undefined],
])('%j as an op is %j (T57)', (value, meant) => expect(readOp(value, [])).toBe(meant));
