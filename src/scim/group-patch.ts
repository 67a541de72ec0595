// PATCH of a group as a plan of sets (RFC 7644 §3.5.2): its cost does not depend on how many members the group has,
// because they are never loaded to make it.

import type { GroupNames, MemberEdit } from '../core/directory-group.ts';
import { type DirectoryUserId, isUuid } from '../core/ids.ts';
import { invalidPath, mutability, noTarget } from './errors.ts';
import { type FilterNode, type PatchTarget, parsePath } from './filter.ts';
import { readDisplayName, readExternalId, readMemberIds } from './group-codec.ts';
import { isArray, isObject, type JsonObject, type JsonValue, readMembers } from './json.ts';
import { namesOwnSchemas, type PatchOperation, readAttributes } from './patch-message.ts';
import {
  correctUrn,
  isEmpty,
  type Notes,
  note,
  type PatchOp,
  removeValues,
  repeatedReadOnly,
  unknownAttribute,
} from './quirks.ts';
import { findAttribute, findSchema, groupSchema, nameKey, type ResourceSchema } from './schema.ts';

export type GroupPlan = {
  readonly members: MemberEdit;
  /** Only names that the operations set. */
  readonly names: Partial<GroupNames>;
  /** The `id` that the client repeats. The caller refuses one that is not the group's with {@link readOnlyId}. */
  readonly claimedId: string | null;
};

type Draft = {
  readonly schema: ResourceSchema;
  readonly notes: Notes;
  /** The whole membership, once an operation has set it. */
  whole: Set<DirectoryUserId> | null;
  readonly added: Set<DirectoryUserId>;
  readonly removed: Set<DirectoryUserId>;
  displayName: string | undefined;
  externalId: string | null | undefined;
  claimedId: string | null;
};

/**
 * What the operations of a PATCH come to.
 *
 * Later operations win over earlier ones, id by id, so that thousands of operations are at most two statements. Removing somebody
 * who is no member changes nothing. Refuses with 400 invalidPath an unknown path and changes of members other than whole ones,
 * mutability changes of what is read-only and removal of displayName, invalidValue what {@link decodeGroup} refuses.
 */
export function decodeGroupPatch(
  operations: readonly PatchOperation[],
  { notes, schema = groupSchema }: { readonly notes: Notes; readonly schema?: ResourceSchema },
): GroupPlan {
  const draft: Draft = {
    schema,
    notes,
    whole: null,
    added: new Set(),
    removed: new Set(),
    displayName: undefined,
    externalId: undefined,
    claimedId: null,
  };
  for (const operation of operations) {
    if (operation.path === null) applyToKeys(draft, operation.op, readAttributes(operation));
    else apply(draft, operation.op, parsePath(operation.path, schema, notes), operation.value);
  }
  return planOf(draft);
}

export const readOnlyId = () => mutability('id is read-only.');

function planOf({ whole, added, removed, displayName, externalId, claimedId }: Draft): GroupPlan {
  const members: MemberEdit =
    whole === null
      ? { kind: 'change', add: added.values().toArray(), remove: removed.values().toArray() }
      : { kind: 'replace', to: whole.values().toArray() };
  const names = {
    ...(displayName === undefined ? {} : { displayName }),
    ...(externalId === undefined ? {} : { externalId }),
  };
  return { members, names, claimedId };
}

function applyToKeys(draft: Draft, op: PatchOp, values: JsonObject): void {
  readMembers(values);
  for (const key of Object.keys(values)) {
    const name = correctUrn(key, draft.notes);
    const path = findAttribute(draft.schema, name);
    const schema = findSchema(draft.schema, name);
    if (path !== undefined) apply(draft, op, { kind: 'attribute', path, filter: null }, values[key]);
    else if (schema !== undefined) apply(draft, op, { kind: 'schema', schema }, values[key]);
    else note(draft.notes, unknownAttribute);
  }
}

function apply(draft: Draft, op: PatchOp, target: PatchTarget, value: JsonValue | undefined): void {
  if (target.kind === 'schema') {
    if (op === 'remove' || !isObject(value)) throw noTarget('The path names a whole resource.');
    applyToKeys(draft, op, value);
    return;
  }
  switch (target.path.attribute.name) {
    case 'members':
      applyToMembers(draft, op, target.path.sub !== null, target.filter, value);
      break;
    case 'displayName':
      if (op === 'remove') throw mutability('displayName is required.');
      draft.displayName = readDisplayName(value, draft.notes);
      break;
    case 'externalId':
      draft.externalId = op === 'remove' ? null : readExternalId(value, draft.notes);
      break;
    case 'id':
      claim(draft, op, value);
      break;
    case 'schemas':
      if (op === 'remove' || !namesOwnSchemas(value, draft.schema, draft.notes))
        throw mutability('schemas is read-only.');
      break;
    default:
      throw mutability('The attribute is read-only.');
  }
}

function claim(draft: Draft, op: PatchOp, value: JsonValue | undefined): void {
  const other = draft.claimedId !== null && draft.claimedId !== value;
  if (op === 'remove' || typeof value !== 'string' || other) throw readOnlyId();
  note(draft.notes, repeatedReadOnly, 'id');
  draft.claimedId = value;
}

function applyToMembers(
  draft: Draft,
  op: PatchOp,
  hasSub: boolean,
  filter: FilterNode | null,
  value: JsonValue | undefined,
): void {
  if (hasSub) throw invalidPath('Members are added and removed whole.');
  if (filter !== null) {
    const ids = idsOfFilter(filter);
    if (op !== 'remove' || ids === null) throw invalidPath('Members are chosen by value, to be removed.');
    remove(draft, ids);
  } else if (op === 'add') {
    add(draft, readMemberIds(value ?? null, 'added', draft.notes));
  } else if (op === 'replace') {
    replace(draft, readMemberIds(value ?? null, 'added', draft.notes));
  } else if (isArray(value) || !isEmpty(value)) {
    note(draft.notes, removeValues, 'members');
    remove(draft, readMemberIds(value as JsonValue, 'removed', draft.notes));
  } else {
    replace(draft, []);
  }
}

function add(draft: Draft, ids: readonly DirectoryUserId[]): void {
  for (const id of ids) {
    draft.removed.delete(id);
    (draft.whole ?? draft.added).add(id);
  }
}

function remove(draft: Draft, ids: readonly DirectoryUserId[]): void {
  for (const id of ids) {
    if (draft.whole !== null) {
      draft.whole.delete(id);
    } else {
      draft.added.delete(id);
      draft.removed.add(id);
    }
  }
}

function replace(draft: Draft, ids: readonly DirectoryUserId[]): void {
  draft.added.clear();
  draft.removed.clear();
  draft.whole = new Set(ids);
}

/** The ids that a value filter chooses: `value eq "a"`, joined by `or`, each maybe with `type eq "User"`; null for any other. */
function idsOfFilter(filter: FilterNode): readonly DirectoryUserId[] | null {
  if (filter.kind === 'or') {
    const ids = filter.terms.map(idsOfFilter);
    return ids.every((some) => some !== null) ? ids.flat() : null;
  }
  if (filter.kind === 'and') {
    const rest = filter.terms.filter((term) => !isTypeUser(term));
    return rest.length === 1 ? idsOfFilter(rest[0] as FilterNode) : null;
  }
  if (filter.kind !== 'cmp' || filter.op !== 'eq' || filter.path.sub?.name !== 'value') return null;
  const id = nameKey(String(filter.value));
  return isUuid(id) ? [id as DirectoryUserId] : [];
}

function isTypeUser(filter: FilterNode): boolean {
  return (
    filter.kind === 'cmp' &&
    filter.op === 'eq' &&
    filter.path.sub?.name === 'type' &&
    nameKey(String(filter.value)) === 'user'
  );
}
