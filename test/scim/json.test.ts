import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sameJson } from '../../src/core/canonical.ts';
import { ScimError } from '../../src/scim/errors.ts';
import { type JsonObject, type JsonValue, parseJson, readMembers, userLimits } from '../../src/scim/json.ts';
import { cpuTime } from '../support/cpu-time.ts';
import { refusal } from './payload.ts';

const parse = (text: string): JsonValue => parseJson(Buffer.from(text), userLimits);

describe('a request body', () => {
  test('is the value that JSON.parse gives, whatever valid JSON it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value);
        try {
          expect(parse(text)).toEqual(JSON.parse(text));
        } catch (error) {
          // fast-check makes such keys and halves of pairs on purpose.
          if (!(error instanceof ScimError)) throw error;
          expect(text).toMatch(/__proto__|constructor|prototype|\\u/);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('is parsed or refused as a SCIM error, whatever bytes it is (T49)', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .string({
          unit: fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '\\', 'u0000', 'a', '1', ' '),
          maxLength: 60,
        })
        .map((s) => Buffer.from(s)),
    );
    fc.assert(
      fc.property(bytes, (body) => {
        try {
          parseJson(body, userLimits);
        } catch (error) {
          expect(error).toBeInstanceOf(ScimError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('of 100,000 nested lists is refused at once and without overflowing the stack (T49)', () => {
    const worked = cpuTime();
    expect(refusal(() => parse('['.repeat(100_000) + ']'.repeat(100_000)))).toEqual([400, 'invalidSyntax']);
    expect(refusal(() => parse('{"a":'.repeat(100_000)))).toEqual([400, 'invalidSyntax']);
    expect(worked()).toBeLessThan(2000);
  });

  test('may be nested 50 levels and not 51 (T49)', () => {
    expect(parse('['.repeat(50) + ']'.repeat(50))).toBeInstanceOf(Array);
    expect(refusal(() => parse('['.repeat(51) + ']'.repeat(51)))).toEqual([400, 'invalidSyntax']);
  });

  test('with brackets inside strings is not nested', () => {
    expect(parse(JSON.stringify('['.repeat(1000)))).toBe('['.repeat(1000));
    expect(parse('{"a":"\\\\","b":"[\\"{"}')).toEqual({ a: '\\', b: '["{' });
  });

  test('with 20,000 keys in one object is refused, 20,000 list items are not (T49)', () => {
    const keys = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, 1]));
    expect(refusal(() => parse(JSON.stringify(keys)))).toEqual([400, 'invalidSyntax']);
    expect(parse(JSON.stringify(Array.from({ length: 20_000 }, () => ({ value: 'x' }))))).toHaveLength(20_000);
  });

  test('over its limit in bytes is 413 (T49)', () => {
    expect(refusal(() => parseJson(Buffer.alloc(11, ' '), { ...userLimits, bytes: 10 }))).toEqual([413, null]);
  });

  test.each([
    ['a lone continuation byte', [0x22, 0x80, 0x22]],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]],
    ['half a surrogate pair in UTF-8', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['UTF-16', [0xff, 0xfe, 0x22, 0x00]],
  ])('in bad UTF-8 is refused: %s (T49)', (_, bytes) => {
    expect(refusal(() => parseJson(Uint8Array.from(bytes), userLimits))).toEqual([400, 'invalidSyntax']);
  });

  test.each(['"\\u0000"', '{"a":["x\\u0000y"]}', '"\\ud800"', '"\\udc00\\ud800"', '[1e999]'])(
    'with a value that PostgreSQL cannot store is refused as invalidValue: %s (T49)',
    (text) => expect(refusal(() => parse(text))).toEqual([400, 'invalidValue']),
  );

  test('with a whole surrogate pair, an escaped NUL name and a byte order mark is read', () => {
    expect(parse('"\\ud83d\\ude00"')).toBe('😀');
    expect(parse('"\\\\u0000"')).toBe('\\u0000');
    expect(parse('\ufeff{"a":1}')).toEqual({ a: 1 });
  });

  test.each(['{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', '[{"x":1,"\\u0078":2}]'])(
    'that names a member twice is refused: %s (T49)',
    (text) => expect(refusal(() => parse(text))).toEqual([400, 'invalidSyntax']),
  );

  test.each(['__proto__', 'constructor', 'prototype', '\\u005f_proto__'])(
    'with a member named %s is refused at any depth, and no prototype changes (T43)',
    (name) => {
      const before = Object.getOwnPropertyNames(Object.prototype).join();
      for (const text of [`{"${name}":{"polluted":1}}`, `{"a":[{"${name}":1}]}`]) {
        expect(refusal(() => parse(text))).toEqual([400, 'invalidSyntax']);
      }
      expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before);
    },
  );

  test('with 10,000 members of a group is read within 100 ms (T50)', () => {
    const members = Array.from({ length: 10_000 }, (_, index) => ({
      value: `0192f0c4-7b1e-7c3a-9d2f-${String(index).padStart(12, '0')}`,
      display: `person${index}@acme.example`,
      type: 'User',
    }));
    const body = Buffer.from(JSON.stringify({ displayName: 'All', members }));
    const worked = cpuTime();
    parseJson(body, { ...userLimits, bytes: 1e7 });
    expect(worked()).toBeLessThan(2000);
  });

  test('of backslashes and quotes is scanned in linear time (T49)', () => {
    const time = (length: number): number => {
      const body = Buffer.from(JSON.stringify('\\"'.repeat(length)));
      const worked = cpuTime();
      parseJson(body, { ...userLimits, bytes: 1e8 });
      return worked();
    };
    time(1000);
    expect(time(400_000)).toBeLessThan(3000);
  });
});

test('members are found in any case, and a name in two cases is refused (RFC 7643 §2.1)', () => {
  expect(readMembers(parse('{"UserName":"a"}') as JsonObject).get('username')).toBe('a');
  expect(refusal(() => readMembers(parse('{"active":false,"Active":true}') as JsonObject))).toEqual([
    400,
    'invalidSyntax',
  ]);
});

test('JSON values are the same whatever the order of members, and not whatever the order of items', () => {
  expect(sameJson({ a: 1, b: [1, 2] }, { b: [1, 2], a: 1 })).toBe(true);
  expect(sameJson({ a: [1, 2] }, { a: [2, 1] })).toBe(false);
  expect(sameJson({ a: undefined as never }, { b: 1 })).toBe(false);
  expect(sameJson([], {})).toBe(false);
});
