// What nobody means to send: texts, numbers and JSON values of every wrong kind.

import type { Random } from './random.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export const NUL = '\u0000';
export const UNKNOWN_ID = '01900000-0000-7000-8000-000000000000';

/** Names that an object of JavaScript has without having been given them. */
export const prototypeNames = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  '__defineGetter__',
  '__lookupSetter__',
  'isPrototypeOf',
] as const;

const sql = [
  "' or 1=1 --",
  "'; drop table users; --",
  '"; select pg_sleep(6); --',
  "x') or pg_sleep(6) is null or ('",
  "\\'; select 1; --",
  '$1',
  '$10::jsonb',
  '%',
  '_',
  '%%%_%',
  '\\',
  '\\%',
  '\\\\',
  "E'\\x27'",
  '$.** ? (@ == 1)',
  '{}',
  '{"a":',
  'null::uuid',
];

const unicode = [
  '\u{1f600}',
  '\u202etxt',
  '\u0130stanbul',
  'straße',
  'ſ',
  'K',
  'e\u0301',
  '\u00e9',
  '\ufb01',
  '\u200b',
  '\ufeff',
  '\uffff',
  '\u2028',
  '\u0085',
  '\u001f',
  '\u007f',
  '\u{10ffff}',
  'ａｄｍｉｎ',
  'admin\u200d',
  '١٢٣',
  'A'.repeat(300),
  '\u0301'.repeat(200),
];

const numbers = [
  '0',
  '-0',
  '-1',
  '1.5',
  '1e308',
  '1e309',
  '-1e999',
  '9007199254740993',
  '99999999999999999999',
  '0x10',
  '1_0',
  '+1',
];

const shapes = [
  '',
  ' ',
  '\t\n',
  'null',
  'undefined',
  'true',
  'True',
  'FALSE',
  'NaN',
  'Infinity',
  '[]',
  '[object Object]',
  '2026-13-45T99:99:99Z',
  '2026-01-01T00:00:00Z',
  '0000-00-00T00:00:00Z',
  '+275761-01-01T00:00:00Z',
  '2026-01-01',
  UNKNOWN_ID,
  `${UNKNOWN_ID}x`,
  UNKNOWN_ID.toUpperCase(),
  `{${UNKNOWN_ID}}`,
  'W/"1"',
  '*',
];

const markup = [
  '<script>alert(1)</script>',
  '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a template of somebody's, not of ours
  '${7*7}',
  '{{7*7}}',
  '../../../etc/passwd',
  '..\\..\\windows',
  'file:///etc/passwd',
  'http://169.254.169.254/latest/meta-data/',
  'javascript:alert(1)',
  '\r\nX-Injected: yes',
  '\u001b[31mred',
];

/** Texts that UTF-8 can carry and PostgreSQL can store, none of which belongs anywhere. */
export const junkTexts: readonly string[] = [...sql, ...unicode, ...numbers, ...shapes, ...markup, ...prototypeNames];

/** Those that no store takes: they must be refused, never tried. */
export const poison: readonly string[] = [NUL, `a${NUL}b`, '\ud800', '\udc00x', 'x\ud83d', '\udfff\ud800'];

export function junkText(random: Random): string {
  if (random.oneIn(12)) return random.pick(poison);
  if (random.oneIn(25))
    return random.pick(['a', '%', '(', '"', '\\', 'ß', '\u{1f600}']).repeat(10 ** (1 + random.below(4)));
  return random.pick(junkTexts);
}

const names = [
  'value',
  'type',
  'primary',
  'display',
  '$ref',
  'op',
  'path',
  'id',
  'meta',
  'schemas',
  'active',
  'userName',
  'members',
];

export function junkName(random: Random): string {
  return random.oneIn(3) ? junkText(random) : random.oneIn(4) ? random.pick(prototypeNames) : random.pick(names);
}

export function junkJson(random: Random, depth = 0): Json {
  switch (random.below(depth > 4 ? 4 : 7)) {
    case 0:
    case 1:
      return junkText(random);
    case 2:
      return random.pick([0, -0, -1, 1.5, 1e308, 2 ** 53, -(2 ** 31) - 1]);
    case 3:
      return random.pick([true, false, null]);
    case 4:
      return random.some(4, () => junkJson(random, depth + 1));
    default:
      return objectOf(random.some(4, () => [junkName(random), junkJson(random, depth + 1)] as const));
  }
}

/** An object with these members as its own, `__proto__` too. */
export function objectOf(members: readonly (readonly [string, Json])[]): Json {
  const made: Record<string, Json> = Object.create(null);
  for (const [name, value] of members) {
    Object.defineProperty(made, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return made;
}
