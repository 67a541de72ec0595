// References of one operation of a bulk to what another one creates (RFC 7644 §3.7.2): `bulkId:x` stands for the id that x will have.

import { isArray, isObject, type JsonObject, type JsonValue } from './json.ts';
import type { Steps } from './pace.ts';
import { nameKey } from './schema.ts';

const PREFIX = 'bulkId:';
/** In the `$ref` beside a value: `../Users/bulkId:x`. */
const ADDRESS = /^(.*\/(?:Users|Groups)\/)bulkId:(.+)$/s;
/** In the value filter of a PATCH path: `members[value eq "bulkId:x"]`. */
const FILTERED = /"bulkId:([^"]+)"/g;

/** The bulkId that a text refers to as a whole, or null. */
export function refersTo(text: string): string | null {
  return text.startsWith(PREFIX) && text.length > PREFIX.length ? text.slice(PREFIX.length) : null;
}

/**
 * The value with each reference replaced by what `idOf` says, in steps; one for which it says null stays as it is. Only whole texts are
 * references, besides those in a `$ref` and in the value filter of a `path`. The value itself is never changed.
 */
export function resolveReferences(value: JsonValue, idOf: (bulkId: string) => string | null): Steps<JsonValue> {
  return resolve({ idOf, seen: 0 }, value, '');
}

type Work = { readonly idOf: (bulkId: string) => string | null; seen: number };

/** Values looked through in one step: a group may name 100,000 members. */
const STEP = 2_000;

function* resolve(work: Work, value: JsonValue, name: string): Steps<JsonValue> {
  if (!isNested(value)) return resolveFlat(work, value, name);
  return isArray(value) ? yield* resolveItems(work, value, name) : yield* resolveMembers(work, value as JsonObject);
}

function* resolveItems(work: Work, value: readonly JsonValue[], name: string): Steps<JsonValue> {
  let changed: JsonValue[] | null = null;
  for (const [index, item] of value.entries()) {
    work.seen += 1;
    if (work.seen % STEP === 0) yield;
    const next = isNested(item) ? yield* resolve(work, item, name) : resolveFlat(work, item, name);
    if (next === item) continue;
    changed ??= [...value];
    changed[index] = next;
  }
  return changed ?? value;
}

function* resolveMembers(work: Work, value: JsonObject): Steps<JsonValue> {
  let changed: Record<string, JsonValue> | null = null;
  for (const key of Object.keys(value)) {
    const held = value[key] as JsonValue;
    const next = yield* resolve(work, held, key);
    if (next === held) continue;
    changed ??= { ...value };
    changed[key] = next;
  }
  return changed ?? value;
}

/** False for a text and its like, and for an object of nothing else, as nearly everything in a long list is. */
function isNested(value: JsonValue): boolean {
  if (!isObject(value)) return isArray(value);
  for (const key in value) {
    const held = value[key];
    if (typeof held === 'object' && held !== null) return true;
  }
  return false;
}

function resolveFlat({ idOf }: Work, value: JsonValue, name: string): JsonValue {
  if (typeof value === 'string') return resolveText(value, name, idOf);
  if (!isObject(value)) return value;
  let changed: Record<string, JsonValue> | null = null;
  for (const key in value) {
    const held = value[key];
    const next = typeof held === 'string' ? resolveText(held, key, idOf) : held;
    if (next === held || next === undefined) continue;
    changed ??= { ...value };
    changed[key] = next;
  }
  return changed ?? value;
}

function resolveText(text: string, name: string, idOf: (bulkId: string) => string | null): string {
  if (!text.includes(PREFIX)) return text;
  const whole = refersTo(text);
  if (whole !== null) return idOf(whole) ?? text;
  switch (nameKey(name)) {
    case '$ref':
      return text.replace(ADDRESS, (all, before: string, bulkId: string) => {
        const id = idOf(bulkId);
        return id === null ? all : before + id;
      });
    case 'path':
      return text.replace(FILTERED, (all, bulkId: string) => {
        const id = idOf(bulkId);
        return id === null ? all : `"${id}"`;
      });
    default:
      return text;
  }
}

/** The bulkIds that a value refers to, in steps. */
export function* referencesIn(value: JsonValue): Steps<ReadonlySet<string>> {
  const found = new Set<string>();
  yield* resolveReferences(value, (bulkId) => {
    found.add(bulkId);
    return null;
  });
  return found;
}

/** A new user's data in two parts: what the user can be created with, and the manager, as a PATCH without a path has it. */
export type CutUser = { readonly without: JsonObject; readonly manager: JsonObject };

/** Cuts the manager off, who can be given once both exist; null where there is none. Nothing else of a user refers to another. */
export function cutManager(data: JsonValue): CutUser | null {
  if (!isObject(data)) return null;
  const without: Record<string, JsonValue> = {};
  const manager: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(data)) {
    if (isManager(name)) {
      manager[name] = value;
    } else if (nameKey(name).startsWith('urn:') && isObject(value)) {
      const [cut, kept] = parted(value);
      without[name] = kept;
      if (Object.keys(cut).length > 0) manager[name] = cut;
    } else {
      without[name] = value;
    }
  }
  return Object.keys(manager).length === 0 ? null : { without, manager };
}

function parted(extension: JsonObject): readonly [manager: JsonObject, rest: JsonObject] {
  const entries = Object.entries(extension);
  return [
    Object.fromEntries(entries.filter(([name]) => isManager(name))),
    Object.fromEntries(entries.filter(([name]) => !isManager(name))),
  ];
}

const isManager = (name: string): boolean => /(^|:)manager$/.test(nameKey(name));
