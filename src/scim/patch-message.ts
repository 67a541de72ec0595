// The envelope of PATCH (RFC 7644 §3.5.2) and the `schemas` of any body.

import { invalidPath, invalidSyntax, invalidValue, noTarget, tooLarge } from './errors.ts';
import { asObject, isArray, isObject, type JsonObject, type JsonValue, readMembers } from './json.ts';
import { correctUrn, foreignSchema, missingSchemas, type Notes, note, type PatchOp, readOp } from './quirks.ts';
import { findSchema, nameKey, type ResourceSchema } from './schema.ts';

export type PatchOperation = {
  readonly op: PatchOp;
  /** Null where the operation names none: then its value is an object of attributes. */
  readonly path: string | null;
  readonly value: JsonValue | undefined;
};

export const MAX_OPERATIONS = 5000;
const PATCH_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

/**
 * The operations of a PATCH body, in order.
 *
 * Refuses with 400 invalidSyntax a body of another form, an unknown `op` and a `schemas` that is not PatchOp's; with 400
 * invalidPath a path that is empty or no text; with 413 more than 5,000 operations.
 */
export function readPatch(body: JsonValue, notes: Notes): readonly PatchOperation[] {
  const members = readMembers(asObject(body));
  checkMessage(members.get('schemas'), PATCH_SCHEMA, notes);
  const operations = members.get('operations');
  if (!isArray(operations) || operations.length === 0) throw invalidSyntax('The request body has no Operations.');
  if (operations.length > MAX_OPERATIONS) throw tooLarge(`A PATCH may have ${MAX_OPERATIONS} operations at most.`);
  return operations.map((operation) => readOperation(operation, notes));
}

function readOperation(operation: JsonValue, notes: Notes): PatchOperation {
  if (!isObject(operation)) throw invalidSyntax('An operation is not an object.');
  const members = readMembers(operation);
  const op = readOp(members.get('op'), notes);
  if (op === undefined) throw invalidSyntax('An operation has an op other than add, remove and replace.');
  const path = members.get('path') ?? null;
  if (path !== null && (typeof path !== 'string' || path === '')) throw invalidPath('A path is empty or no text.');
  const value = members.get('value');
  if (op !== 'remove' && value === undefined) throw invalidValue('An operation has no value.');
  return { op, path, value };
}

/** The `schemas` of a body, or null if it names none. */
function readUrns(value: JsonValue | undefined, notes: Notes): readonly string[] | null {
  if (value === undefined || value === null || (isArray(value) && value.length === 0)) {
    note(notes, missingSchemas);
    return null;
  }
  const urns = isArray(value) ? value : [value];
  if (!urns.every((urn) => typeof urn === 'string')) throw invalidSyntax('schemas is not a list of URNs.');
  return urns;
}

/**
 * Checks that a body is this message: its `schemas` name it, or nothing at all, which is noted. Refuses with 400 invalidSyntax any
 * other.
 */
export function checkMessage(value: JsonValue | undefined, urn: string, notes: Notes): void {
  const urns = readUrns(value, notes);
  if (urns === null || urns.some((one) => nameKey(one) === nameKey(urn))) return;
  throw invalidSyntax(`The request body's schemas should name ${urn}.`);
}

/**
 * Checks that a body is meant for this resource: its `schemas` name at least one schema of it. URNs that the resource does not
 * have are noted. Refuses with 400 invalidSyntax a body of another resource.
 */
export function checkSchemas(value: JsonValue | undefined, schema: ResourceSchema, notes: Notes): void {
  const urns = readUrns(value, notes);
  if (urns === null) return;
  const known = urns.filter((urn) => findSchema(schema, correctUrn(urn, notes)) !== undefined);
  if (known.length < urns.length) note(notes, foreignSchema);
  if (known.length === 0) throw invalidSyntax(`The request body's schemas name none of a ${schema.resource}.`);
}

/** True if every URN is one that the resource has: such a `schemas` in a PATCH changes nothing. */
export function namesOwnSchemas(value: JsonValue | undefined, schema: ResourceSchema, notes: Notes): boolean {
  const urns = isArray(value) ? value : [value ?? null];
  return urns.every((urn) => typeof urn === 'string' && findSchema(schema, correctUrn(urn, notes)) !== undefined);
}

/** The object that an operation without a path carries. */
export function readAttributes(operation: PatchOperation): JsonObject {
  if (operation.op === 'remove') throw noTarget('A remove has no path.');
  if (!isObject(operation.value)) throw invalidValue('An operation without a path has a value that is no object.');
  return operation.value;
}
