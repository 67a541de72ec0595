// PATCH of a user (RFC 7644 §3.5.2): stored attributes in, stored attributes out. What goes beyond the standard is in quirks.

import { invalidValue, mutability, noTarget } from './errors.ts';
import { type PatchTarget, parsePath } from './filter.ts';
import { isObject, type JsonObject, type JsonValue, readMembers, sameJson } from './json.ts';
import { namesOwnSchemas, type PatchOperation, readAttributes } from './patch-message.ts';
import { assign, patchValue } from './patch-value.ts';
import {
  correctUrn,
  emptyValues,
  ignoredPassword,
  isEmpty,
  type Notes,
  note,
  type PatchOp,
  pathKeys,
  repeatedReadOnly,
  unknownAttribute,
  unqualifiedExtension,
} from './quirks.ts';
import {
  type AttributeDefinition,
  type AttributePath,
  findAttribute,
  findSchema,
  pathName,
  type ResourceSchema,
  type Schema,
  userSchema,
} from './schema.ts';

export type PatchContext = {
  readonly notes: Notes;
  readonly schema?: ResourceSchema;
  /** Read-only values as they are now: `id`, and `meta` and `groups` where they are at hand. */
  readonly readOnly: JsonObject;
};

type Work = {
  readonly attributes: Record<string, JsonValue>;
  readonly schema: ResourceSchema;
  readonly notes: Notes;
  readonly readOnly: JsonObject;
  /** Elements that the operations may still change. */
  budget: number;
};

/** So that thousands of operations on a thousand elements cannot stall the process. */
const MAX_WORK = 60_000;

/**
 * Stored attributes after the operations, and whether anything changed: a repeated push changes nothing (I6).
 *
 * All operations or none: the input is never changed. Values are checked as in a PUT. Passed over: `password`, read-only
 * attributes with the value that they have, unknown keys of an operation without a path. Refuses with 400 invalidPath an unknown
 * path, noTarget a value filter that matches nothing and from which no element can be made, mutability a change of what is
 * read-only or a removal of what is required, invalidValue a value of the wrong type; with 413 too much work. Call pushedUser on
 * the result: a PATCH may leave a user that a PUT would refuse.
 */
export function applyUserPatch(
  attributes: JsonObject,
  operations: readonly PatchOperation[],
  context: PatchContext,
): { readonly attributes: JsonObject; readonly changed: boolean } {
  const { notes, schema = userSchema, readOnly } = context;
  const work: Work = { attributes: { ...attributes }, schema, notes, readOnly, budget: MAX_WORK };
  for (const operation of operations) {
    if (operation.path === null) applyToKeys(work, operation.op, readAttributes(operation));
    else apply(work, operation.op, readTarget(work, operation.path), operation.value);
  }
  // Unassigned, it would count as active: taking it away must not let a deactivated person back in (T58).
  work.attributes.active ??= attributes.active ?? true;
  return { attributes: work.attributes, changed: !sameJson(attributes, work.attributes) };
}

function readTarget(work: Work, path: string): PatchTarget {
  const target = parsePath(path, work.schema, work.notes);
  if (target.kind === 'attribute' && target.path.extension !== null && !/^urn:/i.test(path)) {
    note(work.notes, unqualifiedExtension, target.path.attribute.name);
  }
  return target;
}

function applyToKeys(work: Work, op: PatchOp, values: JsonObject): void {
  readMembers(values);
  for (const key of Object.keys(values)) {
    const target = readKey(work, key);
    if (target === undefined) note(work.notes, unknownAttribute);
    else apply(work, op, target, values[key]);
  }
}

/** The target of a key in an operation without a path: an attribute, a dotted path, a URN, or a path with a value filter. */
function readKey(work: Work, key: string): PatchTarget | undefined {
  const name = correctUrn(key, work.notes);
  const path = findAttribute(work.schema, name);
  if (path !== undefined) {
    if (path.sub !== null || path.extension !== null) note(work.notes, pathKeys, pathName(path));
    return { kind: 'attribute', path, filter: null };
  }
  const schema = findSchema(work.schema, name);
  if (schema !== undefined) return { kind: 'schema', schema };
  if (!key.includes('[')) return undefined;
  const target = parsePath(key, work.schema, work.notes);
  if (target.kind === 'attribute') note(work.notes, pathKeys, pathName(target.path));
  return target;
}

function apply(work: Work, op: PatchOp, target: PatchTarget, value: JsonValue | undefined): void {
  if (target.kind === 'schema') {
    applyToSchema(work, op, target.schema, value);
    return;
  }
  const { path } = target;
  if (path.attribute.returned === 'never') {
    note(work.notes, ignoredPassword);
  } else if (path.attribute.mutability === 'readOnly' || path.sub?.mutability === 'readOnly') {
    checkReadOnly(work, op, path, value);
  } else {
    if (value === '') note(work.notes, emptyValues, pathName(path));
    const held = read(work, path);
    const next = patchValue(held, op, target, value, work);
    if ((path.sub ?? path.attribute).mutability === 'immutable' && held !== undefined && !sameJson(held, next)) {
      throw mutability(`${pathName(path)} is immutable.`);
    }
    put(work, op, path, next);
  }
}

function applyToSchema(work: Work, op: PatchOp, schema: Schema, value: JsonValue | undefined): void {
  if (schema === work.schema.core) {
    if (op === 'remove' || !isObject(value)) throw noTarget('The path names a whole resource.');
    applyToKeys(work, op, value);
    return;
  }
  if (op === 'remove' || isEmpty(value)) {
    if (op !== 'add') delete work.attributes[schema.id];
    return;
  }
  if (!isObject(value)) throw invalidValue('The value of an extension is not an object.');
  for (const [key, item] of readMembers(value)) {
    const path = findAttribute(work.schema, `${schema.id}:${key}`);
    if (path === undefined) note(work.notes, unknownAttribute);
    else apply(work, op, { kind: 'attribute', path, filter: null }, item);
  }
}

function read(work: Work, path: AttributePath): JsonValue | undefined {
  const holder = path.extension === null ? work.attributes : work.attributes[path.extension];
  return isObject(holder) ? holder[path.attribute.name] : undefined;
}

function put(work: Work, op: PatchOp, path: AttributePath, value: JsonValue | undefined): void {
  const { extension, attribute } = path;
  if (value === undefined && attribute.required) {
    const refuse = op === 'remove' ? mutability : invalidValue;
    throw refuse(`${attribute.name} is required.`);
  }
  if (extension === null) {
    assign(work.attributes, attribute.name, value);
    return;
  }
  const held = work.attributes[extension];
  const values: Record<string, JsonValue> = isObject(held) ? { ...held } : {};
  assign(values, attribute.name, value);
  assign(work.attributes, extension, Object.keys(values).length === 0 ? undefined : values);
}

/** Equal values of read-only attributes are ignored, since clients send back what they read; others are refused. */
function checkReadOnly(work: Work, op: PatchOp, path: AttributePath, value: JsonValue | undefined): void {
  const whole = path.extension === null ? work.readOnly[path.attribute.name] : undefined;
  const held = path.sub === null ? whole : isObject(whole) ? whole[path.sub.name] : undefined;
  const same =
    path.attribute.name === 'schemas'
      ? namesOwnSchemas(value, work.schema, work.notes)
      : (isEmpty(value) && isEmpty(held)) || repeats(path.attribute, value, held);
  if (op === 'remove' || !same) throw mutability(`${pathName(path)} is read-only.`);
  note(work.notes, repeatedReadOnly, pathName(path));
}

function repeats(definition: AttributeDefinition, value: JsonValue | undefined, held: JsonValue | undefined): boolean {
  if (!isObject(value) || !isObject(held)) return sameJson(value, held);
  return readMembers(value)
    .entries()
    .every(([key, item]) => sameJson(item, held[definition.subAttributes.get(key)?.name ?? '']));
}
