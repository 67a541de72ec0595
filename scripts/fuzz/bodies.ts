// Bodies: what identity providers send, with something wrong in it; and what nobody sends.

import { gzipSync } from 'node:zlib';
import { CUSTOM, ENTERPRISE, misspelled, patchPath } from './filters.ts';
import { type Json, junkJson, junkName, junkText, objectOf, prototypeNames, UNKNOWN_ID } from './junk.ts';
import { type Known, recent } from './known.ts';
import type { Random } from './random.ts';

export type Body = { readonly bytes: Uint8Array; readonly encoding?: string };

const utf8 = (text: string): Body => ({ bytes: Buffer.from(text) });

/** As JSON text, halves of surrogate pairs and NUL as escapes. */
export const jsonText = (value: Json | object): string => JSON.stringify(value);

const sizes = [1, 10, 201, 1_001, 5_001, 20_000];

/** Whatever a filter names that a person of the directory, of another or of none has. */
export function anyId(random: Random, known: Known): string {
  switch (random.below(8)) {
    case 0:
      return random.pick(known.foreign);
    case 1:
      return random.oneIn(2) ? UNKNOWN_ID : junkText(random);
    case 2:
      return known.suspended.id;
    default:
      return recent(random, random.oneIn(3) ? known.groups : known.users);
  }
}

let names = 0;

/** A user as a directory might push them; their names are seldom taken. */
export function user(random: Random, known: Known): Json {
  const name = random.oneIn(10) ? known.suspended.userName : `fuzz${++names}.${random.below(10_000)}@target.example`;
  const more: (readonly [string, Json])[] = [
    ['userName', name],
    [
      'externalId',
      random.oneIn(10) ? known.suspended.externalId : random.oneIn(8) ? random.pick(known.foreign) : `ext-${name}`,
    ],
    ...(random.oneIn(5)
      ? []
      : [
          [
            'emails',
            [
              objectOf([
                ['value', name],
                ['type', 'work'],
                ['primary', true],
              ]),
            ],
          ] as const,
        ]),
    ['active', random.pick<Json>([true, true, true, false, 'True', 'False'])],
  ];
  if (random.oneIn(3)) more.push([ENTERPRISE, objectOf([['manager', objectOf([['value', anyId(random, known)]])]])]);
  if (random.oneIn(3)) {
    more.push([
      CUSTOM,
      objectOf([
        ['badge', `b${random.below(100)}`],
        ['grade', random.below(9)],
        ['desks', [objectOf([['floor', 3]])]],
      ]),
    ]);
  }
  return { ...(random.pick(known.userTemplates) as object), ...Object.fromEntries(more) } as Json;
}

export function group(random: Random, known: Known): Json {
  const members = random.some(4, () =>
    objectOf([
      ['value', anyId(random, known)],
      ['$ref', junkText(random)],
    ]),
  );
  const displayName = `Fuzz ${++names}`;
  return {
    ...(random.pick(known.groupTemplates) as object),
    displayName,
    ...(random.oneIn(2) ? { members } : {}),
  } as Json;
}

export function patch(random: Random, known: Known): Json {
  if (random.oneIn(3)) return random.pick(known.patchTemplates) as Json;
  const ids = [anyId(random, known), anyId(random, known)];
  const operation = (): Json =>
    objectOf([
      [
        'op',
        random.pick([
          'add',
          'replace',
          'remove',
          'Add',
          'Replace',
          'Remove',
          random.oneIn(6) ? junkText(random) : 'add',
        ]),
      ],
      ...(random.oneIn(6) ? [] : [['path', patchPath(random, ids)] as const]),
      ...(random.oneIn(6) ? [] : [['value', patchValue(random, known)] as const]),
    ]);
  const Operations = random.oneIn(15)
    ? Array.from({ length: random.pick([0, 500, 4_999, 5_001]) }, operation)
    : [operation(), ...random.some(3, operation)];
  return { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations };
}

function patchValue(random: Random, known: Known): Json {
  return random.pick<() => Json>([
    () => junkText(random),
    () => junkJson(random),
    () => random.pick([true, false, 'True', 'False', null, '', 0]),
    () => [objectOf([['value', anyId(random, known)]])],
    () => user(random, known),
    () => objectOf([[patchPath(random, [anyId(random, known)]), junkJson(random)]]),
    () =>
      random.some(6, () =>
        objectOf([
          ['value', junkText(random)],
          ['type', random.pick(['work', 'home', 'x'])],
          ['primary', random.pick<Json>([true, 'True', 1])],
        ]),
      ),
  ])();
}

export function search(random: Random, parameters: readonly (readonly [string, string])[]): Json {
  const value = (name: string, text: string): Json => {
    if (random.oneIn(8)) return junkJson(random);
    if (name === 'count' || name === 'startIndex') return random.oneIn(3) ? text : Number(text);
    return /^(attributes|excludedAttributes)$/.test(name) && random.oneIn(2) ? text.split(',') : text;
  };
  const members = parameters.map(([name, text]) => [name, value(name, text)] as const);
  return objectOf([['schemas', ['urn:ietf:params:scim:api:messages:2.0:SearchRequest']], ...members]);
}

/** A value with something in it that is wrong. */
export function mutated(random: Random, value: Json): Json {
  if (random.oneIn(7)) return random.oneIn(3) ? [value] : junkJson(random);
  if (Array.isArray(value)) {
    const items = (value as readonly Json[]).map((item) => (random.oneIn(3) ? mutated(random, item) : item));
    return random.oneIn(8) ? [...items, ...items] : items;
  }
  if (typeof value === 'string') return random.oneIn(4) ? misspelled(random, value) : value;
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(() => !random.oneIn(9));
  if (random.oneIn(4)) members.push([junkName(random), junkJson(random)]);
  return objectOf(
    members.map(([name, inner]) => [
      random.oneIn(14) ? junkName(random) : random.oneIn(14) ? name.toUpperCase() : name,
      random.oneIn(3) ? mutated(random, inner) : inner,
    ]),
  );
}

const nested = (open: string, inside: string, close: string, depth: number) =>
  open.repeat(depth) + inside + close.repeat(depth);
const many = (count: number, of: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => of(index)).join(',');

/** Texts that are no JSON, or more JSON than anybody wants; `good` is a body that would do. */
const bombs: readonly ((random: Random, good: string) => Body)[] = [
  (random) => utf8(nested('[', '', ']', random.pick([30, 33, 1_000, 100_000, 500_000]))),
  (random) => utf8(nested('{"a":', '1', '}', random.pick([30, 33, 1_000, 100_000]))),
  (random) => utf8('['.repeat(random.pick([33, 100_000]))),
  (random) => utf8(`{${many(random.pick(sizes), (index) => `"k${index}":${index}`)}}`),
  (random, good) =>
    utf8(good.replace(/\}$/, `,"emails":[${many(random.pick(sizes), (index) => `{"value":"e${index}@x.example"}`)}]}`)),
  (random, good) =>
    utf8(good.replace(/\}$/, `,"title":"${'x'.repeat(random.pick([1_000, 100_000, 900_000, 2_000_000]))}"}`)),
  (random, good) => utf8(good.replace(/\}$/, `,"${random.pick(prototypeNames)}":{"polluted":"yes"}}`)),
  (_, good) => utf8(good.replace(/\}$/, ',"constructor":{"prototype":{"polluted":"yes"}}}')),
  (random, good) =>
    utf8(
      good.replace(
        /\}$/,
        `,"x":${random.pick(['1e999', '-1e999', '9'.repeat(100_000), `0.${'1'.repeat(50_000)}`, '01', '1.', '.5', '+1', '0x1', '1e', 'NaN', '-'])}}`,
      ),
    ),
  (random, good) =>
    utf8(
      good.replace(
        /\}$/,
        `,"title":"${random.pick(['\\u0000', '\\ud800', '\\udc00', '\\u00', '\\x00', '\\', '\n', '\t'])}"}`,
      ),
    ),
  (_, good) => utf8(good.replace(/\}$/, ',"userName":"twice","userName":"twice"}')),
  (_, good) => utf8(good.replace(/\}$/, ',"USERNAME":"twice"}')),
  (_, good) => utf8(`${good}${good}`),
  (random, good) => utf8(good.slice(0, random.below(good.length))),
  (random, good) => utf8(good + random.pick([',', '}', ']', ' x', '//', '/* */', '\u0000', '\n\n\n'])),
  (_, good) => utf8(`\ufeff${good}`),
  (_, good) => utf8(`\ufeff\ufeff${good}`),
  (_, good) => ({ bytes: Buffer.from(good, 'utf16le') }),
  (random, good) => ({
    bytes: spliced(
      Buffer.from(good),
      random,
      random.pick([[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf8], [0], [0xe2, 0x82]]),
    ),
  }),
  (_, good) => ({ bytes: gzipSync(good), encoding: 'gzip' }),
  (_, good) => ({ bytes: Buffer.from(good), encoding: 'gzip' }),
  () => ({ bytes: gzipSync(Buffer.alloc(20_000_000, 0x20)), encoding: 'gzip' }),
  (random, good) => ({
    bytes: Buffer.from(good),
    encoding: random.pick(['br', 'deflate', 'identity', 'gzip, gzip', 'x', '']),
  }),
  (random) =>
    utf8(
      random.pick([
        '',
        ' ',
        'null',
        'true',
        '0',
        '""',
        '[]',
        '{}',
        'undefined',
        '\u0000',
        '<a/>',
        'a=b',
        '{"a":}',
        "{'a':1}",
        '[,]',
      ]),
    ),
  (random) => ({ bytes: Buffer.from(Array.from({ length: random.below(400) }, () => random.below(256))) }),
];

function spliced(bytes: Buffer, random: Random, piece: readonly number[]): Buffer {
  const at = random.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(piece), bytes.subarray(at)]);
}

/** A body made from a value that would do. */
export function bodyOf(random: Random, good: Json): Body {
  switch (random.below(10)) {
    case 0:
      return utf8(jsonText(junkJson(random)));
    case 1:
    case 2:
      return random.pick(bombs)(random, jsonText(good));
    case 3:
      return utf8(misspelled(random, jsonText(good)).toWellFormed());
    case 4:
    case 5:
      return utf8(jsonText(good));
    default:
      return utf8(jsonText(mutated(random, good)));
  }
}
