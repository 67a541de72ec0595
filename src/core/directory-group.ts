// A group that a directory pushes. Its members are facts that are written as sets and never looked at here.

import { sameJson } from './canonical.ts';
import { type AuditEvent, type Change, type Decision, done } from './change.ts';
import type { DirectoryFacts } from './directory.ts';
import { type Refusal, refused } from './errors.ts';
import type { DirectoryGroupId, DirectoryUserId } from './ids.ts';
import { type Binding, bindGroup, type MappingRule } from './mapping.ts';

/** Values of extensions that the directory declares, as JSON. */
export type GroupAttributes = Readonly<Record<string, unknown>>;

export type GroupNames = {
  readonly displayName: string;
  readonly externalId: string | null;
  /** Left out: none of a new group, those that it has of another. */
  readonly attributes?: GroupAttributes;
};

export type StoredGroup = GroupNames & { readonly groupId: DirectoryGroupId; readonly version: number };

/** What becomes of the members: `replace` alone, or `remove` and `add` with no id in both. An id may be in a list twice. */
export type MemberEdit =
  | { readonly kind: 'replace'; readonly to: readonly DirectoryUserId[] }
  | { readonly kind: 'change'; readonly add: readonly DirectoryUserId[]; readonly remove: readonly DirectoryUserId[] };

export const noMembers = { kind: 'change', add: [], remove: [] } as const satisfies MemberEdit;

export function editsMembers(edit: MemberEdit): boolean {
  return edit.kind === 'replace' || edit.add.length + edit.remove.length > 0;
}

export type GroupFacts = {
  readonly directory: Pick<DirectoryFacts, 'connectionId'>;
  /** Another open group of the directory has the name, or the externalId. */
  readonly nameTaken: boolean;
  readonly externalIdTaken: boolean;
  readonly rules: readonly MappingRule[];
  readonly bindings: readonly Binding[];
};

export type CreateGroupOutcome = { readonly kind: 'created'; readonly groupId: DirectoryGroupId } | Refusal;

/** A new group. A name that rules speak of binds it to them, or is held for an administrator (T56). */
export function decideCreateGroup(
  pushed: GroupNames,
  groupId: DirectoryGroupId,
  facts: GroupFacts,
): Decision<CreateGroupOutcome> {
  const refusal = namesRefused(facts);
  if (refusal !== null) return { outcome: refusal, changes: [], events: [] };
  const { connectionId } = facts.directory;
  const bound = bind(groupId, pushed.displayName, facts);
  return {
    outcome: { kind: 'created', groupId },
    changes: [{ kind: 'create_group', groupId, connectionId, attributes: {}, ...pushed }, ...bound.changes],
    events: [done('group.created', 'group', groupId, { displayName: pushed.displayName }), ...bound.events],
  };
}

export type UpdateGroupOutcome = { readonly kind: 'updated'; readonly changed: boolean } | Refusal;

/** New names of a group. What rules hold for stays with the group's id: a name that it takes is held for an administrator. */
export function decideUpdateGroup(
  next: GroupNames,
  stored: StoredGroup,
  facts: GroupFacts,
): Decision<UpdateGroupOutcome> {
  const changed = changedParts(next, stored);
  if (changed.length === 0) return { outcome: { kind: 'updated', changed: false }, changes: [], events: [] };
  const renamed = changed.includes('displayName');
  const refusal = namesRefused(facts);
  if (refusal !== null) return { outcome: refusal, changes: [], events: [] };
  const { groupId } = stored;
  const { displayName, externalId, attributes = stored.attributes ?? {} } = next;
  const bound = renamed ? bind(groupId, displayName, facts) : { changes: [], events: [] };
  const event = renamed
    ? done('group.renamed', 'group', groupId, { from: stored.displayName, to: displayName })
    : done('group.updated', 'group', groupId, { changed });
  return {
    outcome: { kind: 'updated', changed: true },
    changes: [{ kind: 'update_group', groupId, displayName, externalId, attributes }, ...bound.changes],
    events: [event, ...bound.events],
  };
}

/** Names of what differs: displayName, externalId, and URNs of extensions. Empty: a repeated push. */
export function changedParts(next: GroupNames, stored: GroupNames): readonly string[] {
  const [after, before] = [next.attributes ?? stored.attributes ?? {}, stored.attributes ?? {}];
  const urns = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [
    ...(next.displayName === stored.displayName ? [] : ['displayName']),
    ...(next.externalId === stored.externalId ? [] : ['externalId']),
    ...[...urns].filter((urn) => !sameJson(before[urn], after[urn])).sort(),
  ];
}

export function decideEndGroup(stored: StoredGroup): Decision<{ readonly kind: 'ended' }> {
  const { groupId, displayName } = stored;
  return {
    outcome: { kind: 'ended' },
    changes: [{ kind: 'end_group', groupId }],
    events: [done('group.removed', 'group', groupId, { displayName })],
  };
}

function namesRefused(facts: GroupFacts): Refusal | null {
  if (facts.nameTaken) return refused('group_name_taken', 'This directory has a group with this displayName.');
  return facts.externalIdTaken
    ? refused('external_id_taken', 'This directory has a group with this externalId.')
    : null;
}

function bind(
  groupId: DirectoryGroupId,
  displayName: string,
  facts: GroupFacts,
): { readonly changes: readonly Change[]; readonly events: readonly AuditEvent[] } {
  const { connectionId } = facts.directory;
  const bindings = bindGroup(facts.rules, facts.bindings, { groupId, connectionId, displayName });
  return {
    changes: bindings.map((binding): Change => ({ kind: 'bind_rule', ...binding })),
    events: bindings.map((binding) => {
      const rule = facts.rules.find((one) => one.ruleId === binding.ruleId)?.key ?? null;
      return binding.state === 'bound'
        ? done('group.mapping_bound', 'group', groupId, { rule, ruleId: binding.ruleId })
        : {
            ...done('group.mapping_held', 'group', groupId, { rule, ruleId: binding.ruleId, displayName }),
            reason: 'alert',
          };
    }),
  };
}
