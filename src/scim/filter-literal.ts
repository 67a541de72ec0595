// What a filter compares with: which operators and literals an attribute's type has.

import { parseDateTime } from './attribute-value.ts';
import { invalidFilter } from './errors.ts';
import { type Notes, readBoolean } from './quirks.ts';
import { type AttributeDefinition, type AttributePath, pathName } from './schema.ts';

const COMPARISONS = ['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le'] as const;
export type Comparison = (typeof COMPARISONS)[number];
export type Literal = string | number | boolean | null;

const KNOWN: ReadonlySet<string> = new Set(COMPARISONS);
const ORDERINGS: ReadonlySet<Comparison> = new Set(['gt', 'ge', 'lt', 'le']);
const EQUALITIES: ReadonlySet<Comparison> = new Set(['eq', 'ne']);

export function isComparison(word: string): word is Comparison {
  return KNOWN.has(word);
}

/** The attribute that is compared: `manager eq "x"` means `manager.value`. */
export function comparable(path: AttributePath): AttributePath {
  if (path.sub !== null || path.attribute.type !== 'complex') return path;
  const sub = path.attribute.subAttributes.get('value');
  if (sub === undefined)
    throw invalidFilter(`${pathName(path)} is complex and cannot be compared; name a sub-attribute.`);
  return { ...path, sub };
}

/**
 * The value as it is compared: a date as a moment of UTC, "True" as true. Refuses with 400 invalidFilter what the attribute's type
 * does not have (RFC 7644 §3.4.2.2).
 */
export function checkLiteral(path: AttributePath, op: Comparison, value: Literal, notes: Notes): Literal {
  const definition = path.sub ?? path.attribute;
  if (!allows(definition, op, value)) {
    throw invalidFilter(`${pathName(path)} cannot be compared by ${op} with such a value.`);
  }
  if (value === null) return null;
  if (definition.type === 'boolean') {
    const read = readBoolean(value, definition.name, notes);
    if (read === undefined) throw invalidFilter(`${pathName(path)} is compared with true or false only.`);
    return read;
  }
  if (definition.type === 'dateTime') {
    const at = parseDateTime(value as string);
    if (at === undefined) throw invalidFilter(`${pathName(path)} is compared with a date and time only.`);
    return new Date(at).toISOString();
  }
  return value;
}

function allows(definition: AttributeDefinition, op: Comparison, value: Literal): boolean {
  if (value === null) return EQUALITIES.has(op);
  switch (definition.type) {
    case 'string':
    case 'reference':
      return typeof value === 'string';
    case 'boolean':
      return EQUALITIES.has(op) && (typeof value === 'boolean' || typeof value === 'string');
    case 'binary':
      return EQUALITIES.has(op) && typeof value === 'string';
    case 'dateTime':
      return (EQUALITIES.has(op) || ORDERINGS.has(op)) && typeof value === 'string';
    case 'integer':
    case 'decimal':
      return (EQUALITIES.has(op) || ORDERINGS.has(op)) && Number.isFinite(value);
    case 'complex':
      return false;
  }
}
