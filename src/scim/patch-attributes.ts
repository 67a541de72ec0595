// PATCH operations on attributes that are stored as JSON (RFC 7644 §3.5.2): all those of users, the extensions of groups. What goes
// beyond the standard is in quirks.

import { sameJson } from '../core/canonical.ts';
import { invalidValue, mutability, noTarget } from './errors.ts';
import { type PatchTarget, parsePath } from './filter.ts';
import { isObject, type JsonObject, type JsonValue, readMembers } from './json.ts';
import { namesOwnSchemas } from './patch-message.ts';
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
} from './schema.ts';
import { heldAt } from './stored-attributes.ts';

/** What the operations of one PATCH work on, one after the other. */
export type PatchWork = {
  readonly attributes: Record<string, JsonValue>;
  readonly schema: ResourceSchema;
  readonly notes: Notes;
  /** Read-only values as they are now: `id`, and `meta` and `groups` where they are at hand. */
  readonly readOnly: JsonObject;
  /** Attributes, and parts of some, that an operation spoke of. */
  readonly written: Set<AttributeDefinition>;
  /** See `PatchBudget`. */
  readonly makesByFilter: boolean;
  /** Elements that the operations may still change. */
  budget: number;
};

/** So that thousands of operations on a thousand elements cannot stall the process. */
export const MAX_WORK = 60_000;

/** The target of an operation's path. Refuses what {@link parsePath} refuses. */
export function readTarget({ schema, notes }: Pick<PatchWork, 'schema' | 'notes'>, path: string): PatchTarget {
  const target = parsePath(path, schema, notes);
  if (target.kind === 'attribute' && target.path.extension !== null && !/^urn:/i.test(path)) {
    note(notes, unqualifiedExtension, target.path.attribute.name);
  }
  return target;
}

/**
 * What the keys of an operation without a path come to, in order. Keys that no schema has are passed over, and so is `meta`: a client may
 * send back what it read, which is not so any more (RFC 7643 §3.1).
 */
export function readKeys(
  work: Pick<PatchWork, 'schema' | 'notes'>,
  values: JsonObject,
): readonly (readonly [PatchTarget, JsonValue])[] {
  readMembers(values);
  return Object.keys(values).flatMap((key): readonly (readonly [PatchTarget, JsonValue])[] => {
    const target = readKey(work, key);
    if (target?.kind === 'attribute' && target.path.extension === null && target.path.attribute.name === 'meta')
      return [];
    if (target !== undefined) return [[target, values[key] as JsonValue]];
    note(work.notes, unknownAttribute);
    return [];
  });
}

/** The target of a key in an operation without a path: an attribute, a dotted path, a URN, or a path with a value filter. */
function readKey({ schema, notes }: Pick<PatchWork, 'schema' | 'notes'>, key: string): PatchTarget | undefined {
  const name = correctUrn(key, notes);
  const path = findAttribute(schema, name);
  if (path !== undefined) {
    if (path.sub !== null || path.extension !== null) note(notes, pathKeys, pathName(path));
    return { kind: 'attribute', path, filter: null };
  }
  const whole = findSchema(schema, name);
  if (whole !== undefined) return { kind: 'schema', schema: whole };
  if (!key.includes('[')) return undefined;
  const target = parsePath(key, schema, notes);
  if (target.kind === 'attribute') note(notes, pathKeys, pathName(target.path));
  return target;
}

/**
 * Applies one operation to the attributes. Refuses with 400 mutability a change of what is read-only, of what is immutable and set, and
 * a removal of what is required; with 400 noTarget, invalidValue and 413 what {@link patchValue} refuses.
 */
export function applyOperation(work: PatchWork, op: PatchOp, target: PatchTarget, value: JsonValue | undefined): void {
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
    markWritten(work, path);
    const held = heldAt(work.attributes, path);
    const next = patchValue(held, op, target, value, work);
    if (path.attribute.mutability === 'immutable' && held !== undefined && !sameJson(held, next)) {
      throw mutability(`${pathName({ ...path, sub: null })} is immutable.`);
    }
    put(work, op, path, next);
  }
}

function markWritten({ written }: PatchWork, { attribute, sub }: AttributePath): void {
  written.add(attribute);
  if (sub !== null) written.add(sub);
  else for (const part of attribute.subAttributes.values()) written.add(part);
}

function applyToSchema(work: PatchWork, op: PatchOp, schema: Schema, value: JsonValue | undefined): void {
  if (schema === work.schema.core) {
    if (op === 'remove' || !isObject(value)) throw noTarget('The path names a whole resource.');
    for (const [target, item] of readKeys(work, value)) applyOperation(work, op, target, item);
    return;
  }
  if (op === 'remove' || isEmpty(value)) {
    if (op !== 'add') removeExtension(work, schema);
    return;
  }
  if (!isObject(value)) throw invalidValue('The value of an extension is not an object.');
  for (const [key, item] of readMembers(value)) {
    const path = findAttribute(work.schema, `${schema.id}:${key}`);
    if (path === undefined) note(work.notes, unknownAttribute);
    else applyOperation(work, op, { kind: 'attribute', path, filter: null }, item);
  }
}

/** All that the schema has goes at once, what it requires as well; what is immutable does not. */
function removeExtension(work: PatchWork, { id, attributes }: Schema): void {
  const held = work.attributes[id];
  if (!isObject(held)) return;
  const left: Record<string, JsonValue> = { ...held };
  for (const attribute of attributes.values()) {
    const path = { extension: id, attribute, sub: null };
    if (left[attribute.name] === undefined) continue;
    const isFixed = attribute.mutability === 'immutable';
    if (isFixed) throw mutability(`${pathName(path)} is immutable.`);
    markWritten(work, path);
    assign(
      left,
      attribute.name,
      patchValue(held[attribute.name], 'remove', { kind: 'attribute', path, filter: null }, undefined, work),
    );
  }
  assign(work.attributes, id, Object.keys(left).length === 0 ? undefined : left);
}

function put(work: PatchWork, op: PatchOp, path: AttributePath, value: JsonValue | undefined): void {
  const { extension, attribute, sub } = path;
  const refuse = op === 'remove' ? mutability : invalidValue;
  if (value === undefined && attribute.required) throw refuse(`${attribute.name} is required.`);
  if (sub?.required && op === 'remove' && value !== undefined) throw refuse(`${pathName(path)} is required.`);
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
function checkReadOnly(work: PatchWork, op: PatchOp, path: AttributePath, value: JsonValue | undefined): void {
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
