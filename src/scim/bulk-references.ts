// References of one operation of a bulk to what another one creates (RFC 7644 §3.7.2): `bulkId:x` stands for the id that x will have.

import { isArray, isObject, type JsonObject, type JsonValue } from './json.ts';
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
 * The value with each reference replaced by what `idOf` says; one for which it says null stays as it is. Only whole texts are
 * references, besides those in a `$ref` and in the value filter of a `path`. The value itself is never changed.
 */
export function resolveReferences(value: JsonValue, idOf: (bulkId: string) => string | null): JsonValue {
  return resolve(value, '', idOf);
}

function resolve(value: JsonValue, name: string, idOf: (bulkId: string) => string | null): JsonValue {
  if (typeof value === 'string') return resolveText(value, name, idOf);
  if (isArray(value)) {
    const items = value.map((item) => resolve(item, name, idOf));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  if (!isObject(value)) return value;
  let changed: Record<string, JsonValue> | null = null;
  for (const key of Object.keys(value)) {
    const held = value[key] as JsonValue;
    const next = resolve(held, key, idOf);
    if (next === held) continue;
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

/** The bulkIds that a value refers to. */
export function referencesIn(value: JsonValue): ReadonlySet<string> {
  const found = new Set<string>();
  resolveReferences(value, (bulkId) => {
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
