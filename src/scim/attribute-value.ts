// What a JSON value means for an attribute: checked against its definition and spelled as the schema does. The text itself stays
// as it was sent.

import { invalidValue, type ScimError } from './errors.ts';
import { isObject, type JsonObject, type JsonValue, readMembers } from './json.ts';
import {
  emptyValues,
  isEmpty,
  type Notes,
  nameCase,
  note,
  plainValues,
  readBoolean,
  readList,
  readSingle,
} from './quirks.ts';
import type { AttributeDefinition } from './schema.ts';

/** Values of one multi-valued attribute of one person. */
export const MAX_ELEMENTS = 1000;
/** As sent, with those that say nothing or say it again. */
const MAX_SENT = 10 * MAX_ELEMENTS;

/**
 * The value as it is stored, or undefined where it leaves the attribute unassigned (`null`, `""`, `[]`, a complex value without
 * any sub-attribute).
 *
 * Unknown and readOnly sub-attributes are dropped. Of several primary elements the last one stays primary. Refuses with 400
 * invalidValue what has another type than the definition, naming both, and more than {@link MAX_ELEMENTS} elements. `parent`: the
 * attribute that this is a part of. RFC 7643 §2.3-2.5.
 */
export function readValue(
  definition: AttributeDefinition,
  value: JsonValue,
  notes: Notes,
  parent: AttributeDefinition | null = null,
): JsonValue | undefined {
  if (isEmpty(value)) {
    if (value === '') note(notes, emptyValues, definition.name);
    return undefined;
  }
  return definition.multiValued
    ? readElements(definition, value, notes, parent)
    : readOne(definition, value, notes, parent);
}

/** Elements of a multi-valued attribute as they are stored; undefined if none is left. */
export function readElements(
  definition: AttributeDefinition,
  value: JsonValue,
  notes: Notes,
  parent: AttributeDefinition | null = null,
): readonly JsonValue[] | undefined {
  const elements: JsonValue[] = [];
  const sent = readList(value, definition.name, notes);
  if (sent.length > MAX_SENT) throw tooManyElements();
  for (const item of sent) {
    const element = isEmpty(item) ? undefined : readOne(definition, item, notes, parent);
    if (element !== undefined) elements.push(element);
  }
  return elements.length === 0 ? undefined : onePrimary(withoutTwins(elements));
}

/**
 * No pair of type and value is returned twice (RFC 7643 §2.4): the later element adds to the earlier one, and they are primary if one of
 * them is.
 */
export function withoutTwins(elements: readonly JsonValue[]): readonly JsonValue[] {
  if (elements.length < 2) return elements;
  const places = new Map<string, number>();
  const result: JsonValue[] = [];
  for (const element of elements) {
    const key = isObject(element) ? (element.value === undefined ? null : twinKey(element)) : JSON.stringify(element);
    const place = key === null ? undefined : places.get(key);
    if (place === undefined) {
      if (key !== null) places.set(key, result.length);
      result.push(element);
    } else if (isObject(element)) {
      const earlier = result[place] as JsonObject;
      result[place] = { ...earlier, ...element, ...(isPrimary(earlier) ? { primary: true } : {}) };
    }
  }
  return result;
}

const twinKey = ({ type, value }: JsonObject): string => JSON.stringify([type, value]);

/** The list within its limit and with at most one primary: the last that says so (RFC 7643 §2.4). */
function onePrimary(elements: readonly JsonValue[]): readonly JsonValue[] {
  if (elements.length > MAX_ELEMENTS) throw tooManyElements();
  const last = elements.findLastIndex(isPrimary);
  const first = elements.findIndex(isPrimary);
  if (first === last) return elements;
  return elements.map((element, index) => (index !== last && isPrimary(element) ? notPrimary(element) : element));
}

const tooManyElements = () => invalidValue(`An attribute has more than ${MAX_ELEMENTS} values.`);

/** True for the element that says that it is the primary one. */
export function isPrimary(element: JsonValue): element is JsonObject {
  return isObject(element) && element.primary === true;
}

export function notPrimary(element: JsonObject): JsonObject {
  return { ...element, primary: false };
}

function readOne(
  definition: AttributeDefinition,
  value: JsonValue,
  notes: Notes,
  parent: AttributeDefinition | null,
): JsonValue | undefined {
  if (definition.type === 'complex') return readComplex(definition, value, notes);
  const simple = readSimple(definition, value, notes);
  if (simple === undefined) throw wrongType(definition, parent);
  return simple;
}

function wrongType({ name, type }: AttributeDefinition, parent: AttributeDefinition | null): ScimError {
  const path = parent === null ? name : `${parent.name}.${name}`;
  return invalidValue(`${path} has a value of the wrong type; expected ${typeNames[type]}.`);
}

const typeNames = {
  string: 'a string',
  boolean: 'a boolean, true or false',
  decimal: 'a decimal, a number',
  integer: 'an integer, a whole number',
  dateTime: 'a dateTime, such as 2026-03-02T08:14:09Z',
  reference: 'a reference, a string',
  binary: 'a binary, a string in base64',
  complex: 'a complex value, an object',
} as const satisfies Record<AttributeDefinition['type'], string>;

function readComplex(definition: AttributeDefinition, value: JsonValue, notes: Notes): JsonObject | undefined {
  const one = definition.multiValued ? value : readSingle(value, definition.name, notes);
  if (typeof one === 'string' && definition.subAttributes.has('value')) {
    note(notes, plainValues, definition.name);
    return { value: one };
  }
  if (!isObject(one)) throw wrongType(definition, null);
  const result: Record<string, JsonValue> = {};
  let assigned = false;
  for (const [key, item] of readMembers(one)) {
    const sub = definition.subAttributes.get(key);
    if (sub === undefined || sub.mutability === 'readOnly') continue;
    if (!Object.hasOwn(one, sub.name)) note(notes, nameCase, `${definition.name}.${sub.name}`);
    const read = readValue(sub, item, notes, definition);
    if (read === undefined) continue;
    result[sub.name] = read;
    assigned = true;
  }
  return assigned ? result : undefined;
}

const BASE64 = /^(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)={0,2}$/;
const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d:\d\d(?:\.\d{1,9})?(Z|[+-](?:0\d|1[0-4]):[0-5]\d)?$/;

function readSimple(definition: AttributeDefinition, value: JsonValue, notes: Notes): JsonValue | undefined {
  switch (definition.type) {
    case 'string':
    case 'reference':
      return typeof value === 'string' ? value : undefined;
    case 'boolean':
      return readBoolean(value, definition.name, notes);
    case 'binary':
      return typeof value === 'string' && isBase64(value) ? value : undefined;
    case 'dateTime':
      return typeof value === 'string' && parseDateTime(value) !== undefined ? value : undefined;
    case 'integer':
      return Number.isSafeInteger(value) ? value : undefined;
    case 'decimal':
      return typeof value === 'number' ? value : undefined;
    case 'complex':
      return undefined;
  }
}

/** Base64 in either alphabet, whose padding may be left out (RFC 7643 §2.3.6). */
function isBase64(text: string): boolean {
  if (!BASE64.test(text)) return false;
  return text.endsWith('=') ? text.length % 4 === 0 : text.length % 4 !== 1;
}

/** An xsd:dateTime as epoch milliseconds, UTC where it names no zone; undefined for anything else. */
export function parseDateTime(text: string): number | undefined {
  const form = DATE_TIME.exec(text);
  if (form === null) return undefined;
  const [, year, month, day, zone] = form;
  // Date.parse rolls 30 February over into March; PostgreSQL refuses it.
  if (new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() !== Number(day)) return undefined;
  const at = Date.parse(zone === undefined ? `${text}Z` : text);
  return at >= FIRST_DAY && at <= LAST_DAY ? at : undefined;
}
// What PostgreSQL takes without an era, whatever the zone does to the year.
const FIRST_DAY = Date.parse('0001-01-02T00:00:00Z');
const LAST_DAY = Date.parse('9999-12-30T00:00:00Z');
