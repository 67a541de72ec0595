import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ScimError } from '../../src/scim/errors.ts';
import { defaultLimits, type JsonValue, parseJson } from '../../src/scim/json.ts';
import { parseJsonInPieces } from '../../src/scim/json-pieces.ts';
import { pace } from '../../src/scim/pace.ts';

const limits = { ...defaultLimits, depth: 6, keys: 12 };
const inPieces = (text: string | Uint8Array, piece?: number, of = limits): Promise<JsonValue> =>
  parseJsonInPieces(Buffer.from(text as string), of, pace(), piece);

/** The value, or that it is refused. */
async function outcome(act: () => JsonValue | Promise<JsonValue>): Promise<unknown> {
  try {
    return { value: await act() };
  } catch (error) {
    if (error instanceof ScimError) return error.status;
    throw error;
  }
}

async function refusal(text: string, piece?: number): Promise<unknown> {
  const error = await inPieces(text, piece).catch((refused: unknown) => refused);
  return error instanceof ScimError ? [error.status, error.scimType] : error;
}

describe('a long request body', () => {
  const sizes = fc.integer({ min: 1, max: 60 });

  test('is what it is when parsed at once, wherever it is cut (T49)', async () => {
    const json = fc
      .json({ maxDepth: 7, noUnicodeString: false })
      .chain((text) => fc.constantFrom(text, `\uFEFF ${text}\n`));
    await fc.assert(
      fc.asyncProperty(json, sizes, async (text, piece) => {
        expect(await outcome(() => inPieces(text, piece))).toEqual(
          await outcome(() => parseJson(Buffer.from(text), limits)),
        );
      }),
      { numRuns: 1500 },
    );
  });

  test('that is broken anywhere is refused as it is when parsed at once, wherever it is cut (T43, T49)', async () => {
    const part = fc.constantFrom(
      ...['{', '}', '[', ']', ',', ':', '"', '\\', ' '],
      ...['"a":', '"a"', '"b":[', '[1,2,3]', '{"a":1,"b":2}', 'null', '"\\u0000"', '"__proto__":1', '1e999', '-1'],
    );
    const soup = fc.array(part, { maxLength: 14 }).map((parts) => parts.join(''));
    const dented = fc
      .tuple(fc.json({ maxDepth: 4 }), fc.nat(), part)
      .map(([text, at, more]) => text.slice(0, at % (text.length + 1)) + more + text.slice(at % (text.length + 1)));
    await fc.assert(
      fc.asyncProperty(fc.oneof(soup, dented), sizes, async (text, piece) => {
        expect(await outcome(() => inPieces(text, piece))).toEqual(
          await outcome(() => parseJson(Buffer.from(text), limits)),
        );
      }),
      { numRuns: 4000 },
    );
  });

  test.each([
    ['two commas in a row', '[11111111,,22222222]'],
    ['a comma at the end', '[11111111,]'],
    ['a comma at the end behind a long item', '[[11111111,2],]'],
    ['a comma at the beginning, before a long item', '[,[11111111,2]]'],
    ['two long items with nothing between them', '[[11111111,2][11111111,2]]'],
    ['an item beside a long one with nothing between them', '[1[11111111,2]]'],
    ['a long value without a name', '{"a":1,[11111111,2]}'],
    ['a long name', '{[11111111,2]:1}'],
    ['brackets of different kinds', '[11111111,2}'],
    ['brackets of different kinds around members', '{"a":11111111]'],
    ['brackets of different kinds, one inside the other', '[{"a":11111111],2}'],
    ['brackets of different kinds in a short item', '[11111111,[2},3]'],
    ['something behind its end', '[11111111,2]1'],
    ['another body behind its end', '[11111111,2] [1]'],
    ['no end', '[11111111,[2,3]'],
    ['a text without end', '[11111111,"2]'],
    ['nothing but space', '          '],
    ['a member that is named in two pieces', '{"a":11111111,"b":2,"a":3}'],
    ['a member that is named twice in one piece', '{"a":1,"a":3}'],
    ['a member with a name that is not allowed', '{"a":11111111,"__proto__":{"b":1}}'],
    ['a member with a name that is not allowed and a long value', '{"a":1,"__proto__":{"b":11111111}}'],
  ])('with %s is refused (T43, T49)', async (_, text) => {
    expect(await refusal(text, 5)).toEqual([400, 'invalidSyntax']);
    expect(await refusal(text)).toEqual([400, 'invalidSyntax']);
  });

  test('has no more members in one object than a short one, however they are cut (T49)', async () => {
    const members = (count: number) => `{${Array.from({ length: count }, (_, index) => `"k${index}":1`).join(',')}}`;
    expect(await inPieces(members(12), 10)).toEqual(JSON.parse(members(12)));
    expect(await refusal(members(13), 10)).toEqual([400, 'invalidSyntax']);
  });

  test('of 600,000 values is 413 before any of them is made, 100,000 members with all their parts are not (T49, T50)', async () => {
    const lists = `{"members":[${'[],'.repeat(600_000)}[]]}`;
    expect(await refusal(lists)).toEqual([413, null]);
    const member = '{"value":"0","display":"","type":"User","$ref":""}';
    const members = `{"members":[${`${member},`.repeat(99_999)}${member}]}`;
    expect(await inPieces(members)).toHaveProperty('members.length', 100_000);
  });

  test('with a text of more than a megabyte is 413 (T49)', async () => {
    expect(await refusal(JSON.stringify(['\\'.repeat(600_000)]))).toEqual([413, null]);
    expect(await inPieces(JSON.stringify(['\\'.repeat(500_000)]))).toEqual(['\\'.repeat(500_000)]);
  });

  test('gives others their turn (T49, T50)', async () => {
    const text = JSON.stringify({ members: Array.from({ length: 150_000 }, (_, index) => ({ value: `${index}` })) });
    let turns = 0;
    const clock = setInterval(() => turns++, 1);
    await inPieces(text);
    clearInterval(clock);
    expect(turns).toBeGreaterThan(2);
  });

  test('that is too long, or no UTF-8, is refused before it is looked at', async () => {
    await expect(inPieces('[1]', 5, { ...limits, bytes: 2 })).rejects.toMatchObject({ status: 413 });
    await expect(inPieces(Uint8Array.of(0x22, 0x80, 0x22))).rejects.toMatchObject({ scimType: 'invalidSyntax' });
  });
});
