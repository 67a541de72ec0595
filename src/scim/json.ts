// A request body, from bytes to JSON that is safe to walk. JSON.parse does the parsing; a scan before it bounds depth and counts
// members, a walk after it refuses what JSON.parse lets through: doubled keys, keys that name a prototype, text that PostgreSQL
// cannot store.

import { isUtf8 } from 'node:buffer';
import { invalidSyntax, invalidValue, tooLarge } from './errors.ts';
import { nameKey } from './schema.ts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export type JsonObject = { readonly [name: string]: JsonValue };

export type JsonLimits = {
  readonly bytes: number;
  readonly depth: number;
  /** Members of one object. A list may be long, an object has no reason to be. */
  readonly keys: number;
};

/** 100 000 members with display and type fit into a group; the deepest resource of the standard has depth 5. */
export const defaultLimits: JsonLimits = Object.freeze({ bytes: 16 * 1024 * 1024, depth: 50, keys: 1000 });
/** Thousands of operations fit into a PATCH of a user. */
export const userLimits: JsonLimits = Object.freeze({ ...defaultLimits, bytes: 1024 * 1024 });

const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * The JSON value of a request body.
 *
 * Refuses with 413 a body over `limits.bytes`; with 400 invalidSyntax bytes that are not UTF-8, text that is not JSON, nesting
 * over `limits.depth`, more than `limits.keys` members in one object, a member named twice, and members named `__proto__`,
 * `constructor` or `prototype` (T43, T49); with 400 invalidValue a NUL, half a surrogate pair, or a number that is not finite.
 * Linear in the length of the body; never recurses deeper than `limits.depth`.
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits): JsonValue {
  if (bytes.length > limits.bytes) throw tooLarge(`The request body is larger than ${limits.bytes} bytes.`);
  if (!isUtf8(bytes)) throw invalidSyntax('The request body is not UTF-8.');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  const json = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  const written = countMembers(json, limits.depth);
  const value = jsonOf(json);
  checkValue(value, { json, written }, limits);
  return value;
}

/** The value of JSON text, unchecked. Refuses with 400 invalidSyntax text that is not JSON. Its nesting must be bounded before. */
export function jsonOf(json: string): JsonValue {
  try {
    return JSON.parse(json) as JsonValue;
  } catch {
    throw invalidSyntax('The request body is not JSON.');
  }
}

/** Refuses what {@link parseJson} refuses in a value; `written` is how many members its text names. */
export function checkValue(
  value: JsonValue,
  { json, written }: { readonly json: string; readonly written: number },
  limits: Pick<JsonLimits, 'keys'>,
): void {
  // Only an escape can bring in what valid UTF-8 and JSON's own grammar keep out.
  const escapes = json.includes('\\u');
  if (countKeys(value, limits.keys, escapes) !== written) throw namedTwice();
}

/** Members as written: colons outside strings. The nesting is bounded here, before anything recurses over it. */
function countMembers(json: string, maxDepth: number): number {
  let members = 0;
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    switch (json.charCodeAt(at)) {
      case 0x22: {
        const end = stringEnd(json, at);
        if (end === -1) throw invalidSyntax('The request body is not JSON.');
        at = end;
        break;
      }
      case 0x3a:
        members++;
        break;
      case 0x5b:
      case 0x7b:
        if (++depth > maxDepth) throw invalidSyntax(`The request body is nested deeper than ${maxDepth} levels.`);
        break;
      case 0x5d:
      case 0x7d:
        depth--;
        break;
    }
  }
  return members;
}

/** Index of the quote that ends the JSON string begun at `start`, or -1. */
export function stringEnd(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return quote;
  }
  return -1;
}

/** Members in a value, which is refused as {@link parseJson} does; `escapes`: its text has any that name a character. */
export function countKeys(value: JsonValue, maxKeys: number, escapes: boolean): number {
  if (typeof value === 'string') {
    if (escapes && !isStorable(value)) throw invalidValue('A value holds a NUL or half a surrogate pair.');
    return 0;
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw invalidValue('A number is out of range.');
    return 0;
  }
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (isArray(value)) {
    for (const item of value) count += countKeys(item, maxKeys, escapes);
    return count;
  }
  const keys = Object.keys(value);
  if (keys.length > maxKeys) throw tooManyMembers(maxKeys);
  for (const key of keys) {
    if (FORBIDDEN_KEYS.has(key)) throw invalidSyntax('A member has a name that is not allowed.');
    count += 1 + countKeys(value[key] as JsonValue, maxKeys, escapes);
  }
  return count;
}

export const tooManyMembers = (most: number) => invalidSyntax(`An object has more than ${most} members.`);

/** False for text that PostgreSQL refuses: U+0000 and halves of surrogate pairs. */
export function isStorable(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}

export function isArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A body that has to be an object. Refuses with 400 invalidSyntax any other. */
export function asObject(body: JsonValue): JsonObject {
  if (!isObject(body)) throw invalidSyntax('The request body is not an object.');
  return body;
}

/**
 * The members of an object by their names in lower case: names are case-insensitive throughout SCIM (RFC 7643 §2.1). A name that
 * comes twice in different case is refused with 400 invalidSyntax, since one of the two values would win in silence.
 */
export function readMembers(object: JsonObject): ReadonlyMap<string, JsonValue> {
  const members = new Map<string, JsonValue>();
  for (const name of Object.keys(object)) {
    const key = nameKey(name);
    if (members.has(key)) throw namedTwice();
    members.set(key, object[name] as JsonValue);
  }
  return members;
}

export const namedTwice = () => invalidSyntax('The request body names a member twice.');
