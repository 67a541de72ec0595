// Value filters of PATCH, evaluated on one element of an attribute. Queries are answered by the database: see filter-sql.

import { parseDateTime } from './attribute-value.ts';
import type { FilterNode } from './filter.ts';
import type { Comparison, Literal } from './filter-literal.ts';
import { isObject, type JsonObject, type JsonValue } from './json.ts';
import { isEmpty } from './quirks.ts';
import type { AttributeDefinition } from './schema.ts';

/** True if the element satisfies a filter from inside brackets. Text is compared as the attribute's caseExact says. */
export function matchesElement(filter: FilterNode, element: JsonValue): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.terms.every((term) => matchesElement(term, element));
    case 'or':
      return filter.terms.some((term) => matchesElement(term, element));
    case 'not':
      return !matchesElement(filter.term, element);
    case 'pr':
      return !isEmpty(heldBy(filter.path.sub, element));
    case 'cmp':
      return compare(
        filter.path.sub ?? filter.path.attribute,
        filter.op,
        heldBy(filter.path.sub, element),
        filter.value,
      );
    case 'valuePath':
      return false;
    case 'constant':
      return filter.holds;
  }
}

/**
 * What an element has to hold for the filter to match it, where the filter is one or more `attribute eq literal` joined by
 * `and`; null for every other filter, and for one that asks two values of one attribute. Entra ID expects such an element to
 * come into being.
 */
export function elementOfFilter(filter: FilterNode): JsonObject | null {
  const terms = filter.kind === 'and' ? filter.terms.map(elementOfFilter) : [readEquality(filter)];
  const element: Record<string, JsonValue> = {};
  for (const term of terms) {
    if (term === null) return null;
    for (const [name, value] of Object.entries(term)) {
      if (Object.hasOwn(element, name) && element[name] !== value) return null;
      element[name] = value;
    }
  }
  return element;
}

function readEquality(filter: FilterNode): JsonObject | null {
  if (filter.kind !== 'cmp' || filter.op !== 'eq' || filter.value === null) return null;
  const sub = filter.path.sub;
  return sub === null || sub.mutability === 'readOnly' ? null : { [sub.name]: filter.value };
}

function heldBy(sub: AttributeDefinition | null, element: JsonValue): JsonValue | undefined {
  if (sub === null) return element;
  return isObject(element) && Object.hasOwn(element, sub.name) ? element[sub.name] : undefined;
}

function compare(
  definition: AttributeDefinition,
  op: Comparison,
  value: JsonValue | undefined,
  literal: Literal,
): boolean {
  if (literal === null) return isEmpty(value) === (op === 'eq');
  if (definition.type === 'boolean') {
    // An element that does not say so is not primary (RFC 7643 §2.4).
    const stated = definition.name === 'primary' && isEmpty(value) ? false : value;
    return (stated === literal) === (op === 'eq');
  }
  if (isEmpty(value)) return op === 'ne';
  const [a, b] = comparable(definition, value as Literal, literal);
  switch (op) {
    case 'eq':
      return a === b;
    case 'ne':
      return a !== b;
    case 'co':
      return String(a).includes(String(b));
    case 'sw':
      return String(a).startsWith(String(b));
    case 'ew':
      return String(a).endsWith(String(b));
    case 'gt':
      return a > b;
    case 'ge':
      return a >= b;
    case 'lt':
      return a < b;
    case 'le':
      return a <= b;
  }
}

function comparable(
  definition: AttributeDefinition,
  value: Literal,
  literal: Exclude<Literal, null>,
): readonly [string | number, string | number] {
  if (definition.type === 'dateTime') return [parseDateTime(String(value)) ?? 0, parseDateTime(String(literal)) ?? 0];
  if (typeof value === 'number' && typeof literal === 'number') return [value, literal];
  return definition.caseExact
    ? [String(value), String(literal)]
    : [String(value).toLowerCase(), String(literal).toLowerCase()];
}
