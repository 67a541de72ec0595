// PATCH of a user (RFC 7644 §3.5.2): stored attributes in, stored attributes out.

import { sameJson } from '../core/canonical.ts';
import type { JsonObject } from './json.ts';
import { applyOperation, MAX_WORK, type PatchWork, readKeys, readTarget } from './patch-attributes.ts';
import { type PatchOperation, readAttributes } from './patch-message.ts';
import type { Notes } from './quirks.ts';
import type { AttributeDefinition, ResourceSchema } from './schema.ts';
import { checkStillRequired } from './stored-attributes.ts';

export type PatchContext = {
  readonly notes: Notes;
  /** Of the directory, with its own extensions. */
  readonly schema: ResourceSchema;
  /** Read-only values as they are now: `id`, and `meta` and `groups` where they are at hand. */
  readonly readOnly: JsonObject;
  /** Filled with the attributes, and parts of some, that the operations speak of. */
  readonly written?: Set<AttributeDefinition>;
  /** Whether a replace may make the element that its value filter asks for: `makesByFilter` of the directory's profile. */
  readonly makesByFilter?: boolean;
};

/**
 * Stored attributes after the operations, and whether anything changed: a repeated push changes nothing (I6).
 *
 * All operations or none: the input is never changed. Values are checked as in a PUT. Passed over: `password`, read-only
 * attributes with the value that they have, unknown keys of an operation without a path. Refuses with 400 invalidPath an unknown
 * path, noTarget a value filter that matches nothing and from which no element can be made, mutability a change of what is
 * read-only or immutable and a removal of what is required, invalidValue a value of the wrong type; with 413 too much work. RFC 7644
 * §3.5.2. Does not look at the result as a whole: call pushedUser on it, since a PATCH may leave a user that a PUT would refuse.
 */
export function applyUserPatch(
  attributes: JsonObject,
  operations: readonly PatchOperation[],
  context: PatchContext,
): { readonly attributes: JsonObject; readonly changed: boolean } {
  const { notes, schema, readOnly, written = new Set(), makesByFilter = true } = context;
  const work: PatchWork = {
    attributes: { ...attributes },
    schema,
    notes,
    readOnly,
    written,
    makesByFilter,
    budget: MAX_WORK,
  };
  for (const operation of operations) {
    const { op, path, value } = operation;
    if (path !== null) applyOperation(work, op, readTarget(work, path), value);
    else for (const [target, item] of readKeys(work, readAttributes(operation))) applyOperation(work, op, target, item);
  }
  // Unassigned, it would count as active: taking it away must not let a deactivated person back in (T58).
  work.attributes.active ??= attributes.active ?? true;
  checkStillRequired(attributes, work.attributes, schema);
  return { attributes: work.attributes, changed: !sameJson(attributes, work.attributes) };
}
