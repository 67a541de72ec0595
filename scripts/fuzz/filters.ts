// Filters and paths by the grammar (RFC 7644 §3.4.2.2, §3.5.2), and what is left of them when somebody has been at them.

import { junkText, prototypeNames } from './junk.ts';
import type { Random } from './random.ts';

export const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
/** Declared in the configuration of the directory that is attacked. */
export const CUSTOM = 'urn:example:fuzz:1.0:User';

const attributes = [
  'userName',
  'USERNAME',
  'id',
  'externalId',
  'active',
  'name',
  'name.familyName',
  'name.formatted',
  'displayName',
  'emails',
  'emails.value',
  'emails.type',
  'emails.primary',
  'phoneNumbers.value',
  'addresses.locality',
  'roles.value',
  'groups',
  'groups.value',
  'groups.$ref',
  'members',
  'members.value',
  'members.$ref',
  'members.type',
  'meta.created',
  'meta.lastModified',
  'meta.version',
  'meta.location',
  'meta.resourceType',
  'schemas',
  'title',
  'x509Certificates.value',
  'photos.value',
  'profileUrl',
  'password',
  `${ENTERPRISE}:department`,
  `${ENTERPRISE}:manager`,
  `${ENTERPRISE}:manager.value`,
  `${ENTERPRISE}:manager.$ref`,
  `${ENTERPRISE.toLowerCase()}:employeeNumber`,
  ENTERPRISE,
  `${CUSTOM}:badge`,
  `${CUSTOM}:grade`,
  `${CUSTOM}:since`,
  `${CUSTOM}:desks.floor`,
  'urn:ietf:params:scim:schemas:core:2.0:User:userName',
  'urn:ietf:params:scim:schemas:core:2.0:Group:displayName',
];
const multiValued = [
  'emails',
  'phoneNumbers',
  'addresses',
  'roles',
  'members',
  'ims',
  'x509Certificates',
  `${CUSTOM}:desks`,
  'userName',
  'name',
];
const subAttributes = ['value', 'type', 'primary', 'display', '$ref', 'streetAddress', 'formatted', 'floor', 'Value'];
const operators = ['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le', 'eq', 'Eq', 'EQ'];

export function attributePath(random: Random): string {
  if (random.oneIn(10)) return random.pick(prototypeNames);
  if (random.oneIn(20)) return junkText(random);
  return random.pick(attributes);
}

function literal(random: Random, ids: readonly string[]): string {
  switch (random.below(9)) {
    case 0:
      return random.pick(['true', 'false', 'null', 'True']);
    case 1:
      return random.pick(['0', '-1', '1.5', '1e308', '1e999', '01', '9'.repeat(400), '-']);
    case 2:
      return JSON.stringify(random.pick(ids));
    case 3:
      return random.pick(["'single'", 'bare', '"open', '""', '"\\u0000"', '"\\ud800"', '"\\x"', '[]', '{}']);
    case 4:
      return JSON.stringify(
        random.pick([
          '2026-01-01T00:00:00Z',
          '2026-01-01T00:00:00.000000001+14:00',
          '2026-02-30T00:00:00Z',
          '-271821-04-20T00:00:00Z',
        ]),
      );
    default:
      return JSON.stringify(junkText(random));
  }
}

function comparison(random: Random, ids: readonly string[], path: string): string {
  if (random.oneIn(5)) return `${path} pr`;
  return `${path} ${random.pick(operators)} ${literal(random, ids)}`;
}

function expression(random: Random, ids: readonly string[], depth: number): string {
  switch (random.below(depth > 5 ? 2 : 7)) {
    case 0:
    case 1:
      return comparison(random, ids, attributePath(random));
    case 2:
      return `(${expression(random, ids, depth + 1)})`;
    case 3:
      return `not (${expression(random, ids, depth + 1)})`;
    case 4:
      return `${random.pick(multiValued)}[${insideBrackets(random, ids, depth + 1)}]`;
    default:
      return `${expression(random, ids, depth + 1)} ${random.pick(['and', 'or', 'AND', 'Or'])} ${expression(random, ids, depth + 1)}`;
  }
}

function insideBrackets(random: Random, ids: readonly string[], depth: number): string {
  const one = () => comparison(random, ids, random.oneIn(8) ? attributePath(random) : random.pick(subAttributes));
  if (random.oneIn(4)) return `${one()} ${random.pick(['and', 'or'])} not (${one()})`;
  return random.oneIn(12) ? expression(random, ids, depth) : one();
}

const bombs: readonly ((size: number) => string)[] = [
  (size) => `${'('.repeat(size)}userName pr${')'.repeat(size)}`,
  (size) => '('.repeat(size),
  (size) => `${'not ('.repeat(size)}active eq true${')'.repeat(size)}`,
  (size) => Array.from({ length: size }, (_, index) => `userName eq "u${index}"`).join(' or '),
  (size) => Array.from({ length: size }, () => 'emails[type eq "work" and value co "%"]').join(' and '),
  (size) => `userName eq "${'a'.repeat(size)}"`,
  (size) => `userName co "${'%_\\\\'.repeat(size)}"`,
  (size) => `userName${' '.repeat(size)}eq "x"`,
  (size) => `${'emails['.repeat(size)}type pr${']'.repeat(size)}`,
  (size) => `${'a.'.repeat(size)}b pr`,
  (size) => `userName eq "${'\\u0041'.repeat(size)}"`,
  (size) => `${'urn:'.repeat(size)}a pr`,
  (size) => Array.from({ length: Math.min(size, 12) }, () => 'displayName co "e"').join(' or '),
];

/** A few characters that somebody lost, doubled, or struck by mistake. */
export function misspelled(random: Random, text: string): string {
  let result = text;
  for (let edits = 1 + random.below(3); edits > 0; edits -= 1) {
    const at = random.below(result.length + 1);
    const length = random.below(5);
    const piece = random.pick([
      '',
      result.slice(at, at + length * 3),
      junkText(random),
      '"',
      '[',
      ']',
      '(',
      ')',
      '.',
      ':',
      ' ',
      '\\',
      '$',
    ]);
    result = result.slice(0, at) + piece + result.slice(at + length);
  }
  return result;
}

export function filter(random: Random, ids: readonly string[]): string {
  if (random.oneIn(9)) return random.pick(bombs)(random.pick([1, 9, 11, 49, 51, 400, 2_500]));
  if (random.oneIn(15)) return junkText(random);
  const text = expression(random, ids, 0);
  return random.oneIn(3) ? misspelled(random, text) : text;
}

/** What a PATCH may name, or nearly. */
export function patchPath(random: Random, ids: readonly string[]): string {
  const valued = () => `${random.pick(multiValued)}[${insideBrackets(random, ids, 1)}]`;
  const text = random.pick([
    () => attributePath(random),
    () => attributePath(random),
    valued,
    () => `${valued()}.${random.pick(subAttributes)}`,
    () => `${attributePath(random)}.${random.pick(subAttributes)}`,
    () => `members[value eq ${JSON.stringify(random.pick(ids))}]`,
    () =>
      random.pick([
        '..',
        '.',
        'a..b',
        'emails[',
        'emails[]',
        'emails[].value',
        '[type eq "x"]',
        'emails[type eq "work"]]',
        ':',
        'urn:',
        '',
      ]),
    () => filter(random, ids),
  ])();
  return random.oneIn(6) ? misspelled(random, text) : text;
}
