// PATCH of a group as a plan of sets (RFC 7644 §3.5.2): its cost does not depend on how many members the group has,
// because they are never loaded to make it.

import { type GroupNames, type MemberEdit, noMembers } from '../core/directory-group.ts';
import { type DirectoryUserId, isUuid } from '../core/ids.ts';
import { invalidFilter, invalidPath, mutability, noTarget } from './errors.ts';
import type { FilterNode, PatchTarget } from './filter.ts';
import { checkSize, readDisplayName, readExternalId, readMemberIds } from './group-codec.ts';
import { isArray, isObject, type JsonObject, type JsonValue } from './json.ts';
import type { Steps } from './pace.ts';
import { applyOperation, MAX_WORK, type PatchWork, readKeys, readTarget } from './patch-attributes.ts';
import { namesOwnSchemas, type PatchOperation, readAttributes } from './patch-message.ts';
import { isEmpty, type Notes, note, type PatchOp, removeValues, repeatedReadOnly } from './quirks.ts';
import { nameKey, type ResourceSchema } from './schema.ts';
import { checkStillRequired } from './stored-attributes.ts';

export type GroupPlan = {
  readonly members: MemberEdit;
  /** Only names that the operations set. */
  readonly names: Partial<Omit<GroupNames, 'attributes'>>;
  /** What values of extensions become, from what they are; null where no operation speaks of them. Refuses as a PATCH of a user does. */
  readonly attributes: ((held: JsonObject) => JsonObject) | null;
  /** The `id` that the client repeats. The caller refuses one that is not the group's with {@link readOnlyId}. */
  readonly claimedId: string | null;
};

type Draft = {
  readonly schema: ResourceSchema;
  readonly notes: Notes;
  readonly makesByFilter: boolean;
  /** In order. */
  readonly members: [op: PatchOp, ids: readonly DirectoryUserId[]][];
  displayName: string | undefined;
  externalId: string | null | undefined;
  claimedId: string | null;
  /** On values of extensions, in order. */
  readonly extensions: [op: PatchOp, target: PatchTarget, value: JsonValue | undefined][];
};

/**
 * What the operations of a PATCH come to, in steps.
 *
 * Later operations win over earlier ones, id by id, so that thousands of operations are at most two statements. Removing somebody
 * who is no member changes nothing. Refuses with 400 invalidPath an unknown path and changes of members other than whole ones,
 * invalidFilter members chosen otherwise than by their ids, mutability changes of what is read-only and removal of displayName,
 * invalidValue what {@link decodeGroup} refuses.
 */
export function* decodeGroupPatch(
  operations: readonly PatchOperation[],
  options: { readonly notes: Notes; readonly schema: ResourceSchema; readonly makesByFilter?: boolean },
): Steps<GroupPlan> {
  const { notes, schema, makesByFilter = true } = options;
  const draft: Draft = {
    schema,
    notes,
    makesByFilter,
    members: [],
    displayName: undefined,
    externalId: undefined,
    claimedId: null,
    extensions: [],
  };
  for (const operation of operations) {
    const { op, path, value } = operation;
    if (path !== null) yield* apply(draft, op, readTarget(draft, path), value);
    else for (const [target, item] of readKeys(draft, readAttributes(operation))) yield* apply(draft, op, target, item);
    yield;
  }
  return yield* planOf(draft);
}

export const readOnlyId = () => mutability('id is read-only.');

function* planOf(draft: Draft): Steps<GroupPlan> {
  const { members, displayName, externalId, claimedId, extensions } = draft;
  const names = {
    ...(displayName === undefined ? {} : { displayName }),
    ...(externalId === undefined ? {} : { externalId }),
  };
  const attributes = extensions.length === 0 ? null : (held: JsonObject) => patchExtensions(draft, held);
  return { members: yield* membersEdit(members), names, attributes, claimedId };
}

function* membersEdit(operations: Draft['members']): Steps<MemberEdit> {
  const [first, ...others] = operations;
  if (first === undefined) return noMembers;
  // The database compares sets anyway: one list, maybe of 100,000, is passed on as it came.
  if (others.length === 0) return onlyEdit(...first);
  const [added, removed] = [new Set<DirectoryUserId>(), new Set<DirectoryUserId>()];
  /** The whole membership, once an operation has set it. */
  let whole: Set<DirectoryUserId> | null = null;
  for (const [op, ids] of operations) {
    yield;
    if (op === 'replace') whole = new Set(ids);
    else if (whole !== null) for (const id of ids) op === 'add' ? whole.add(id) : whole.delete(id);
    else {
      const [into, outOf] = op === 'add' ? [added, removed] : [removed, added];
      for (const id of ids) {
        into.add(id);
        outOf.delete(id);
      }
    }
  }
  return whole === null
    ? { kind: 'change', add: added.values().toArray(), remove: removed.values().toArray() }
    : { kind: 'replace', to: whole.values().toArray() };
}

function onlyEdit(op: PatchOp, ids: readonly DirectoryUserId[]): MemberEdit {
  if (op === 'replace') return { kind: 'replace', to: ids };
  return { ...noMembers, [op]: ids };
}

function patchExtensions({ schema, notes, makesByFilter, extensions }: Draft, held: JsonObject): JsonObject {
  const work: PatchWork = {
    attributes: { ...held },
    schema,
    notes,
    readOnly: {},
    written: new Set(),
    makesByFilter,
    budget: MAX_WORK,
  };
  for (const [op, target, value] of extensions) applyOperation(work, op, target, value);
  checkStillRequired(held, work.attributes, schema);
  return checkSize(work.attributes);
}

function* apply(draft: Draft, op: PatchOp, target: PatchTarget, value: JsonValue | undefined): Steps<void> {
  if (target.kind === 'schema' && target.schema === draft.schema.core) {
    if (op === 'remove' || !isObject(value)) throw noTarget('The path names a whole resource.');
    for (const [part, item] of readKeys(draft, value)) yield* apply(draft, op, part, item);
    return;
  }
  if (target.kind === 'schema' || target.path.extension !== null) {
    draft.extensions.push([op, target, value]);
    return;
  }
  switch (target.path.attribute.name) {
    case 'members':
      yield* applyToMembers(draft, op, target.path.sub !== null, target.filter, value);
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

function* applyToMembers(
  draft: Draft,
  op: PatchOp,
  hasSub: boolean,
  filter: FilterNode | null,
  value: JsonValue | undefined,
): Steps<void> {
  if (hasSub) throw mutability('The parts of a member are immutable: members are added and removed whole.');
  if (filter !== null) {
    const ids = idsOfFilter(filter);
    if (op !== 'remove') throw invalidPath('Members are added and removed whole: a value filter is for removing them.');
    if (ids === null) throw invalidFilter('Members are chosen by value eq, joined by or.');
    draft.members.push(['remove', ids]);
  } else if (op !== 'remove') {
    draft.members.push([op, yield* readMemberIds(value ?? null, 'added', draft.notes)]);
  } else if (isArray(value) || !isEmpty(value)) {
    note(draft.notes, removeValues, 'members');
    draft.members.push(['remove', yield* readMemberIds(value as JsonValue, 'removed', draft.notes)]);
  } else {
    draft.members.push(['replace', []]);
  }
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
