// The group→role mapper: a function, never a writer of rows.

import type { ConnectionId, DirectoryGroupId, LocalGroupId, RoleId, RuleId } from './ids.ts';
import { groupNameKey } from './profile.ts';

/** A group that a person is in now: pushed by a directory, named in their last assertion, or the tenant's own. */
export type GroupRef =
  | {
      readonly kind: 'directory';
      readonly groupId: DirectoryGroupId;
      readonly connectionId: ConnectionId;
      readonly externalId: string | null;
      readonly displayName: string;
    }
  | { readonly kind: 'asserted'; readonly connectionId: ConnectionId; readonly value: string }
  | { readonly kind: 'local'; readonly groupId: LocalGroupId; readonly name: string };

/**
 * "Members of this group hold this role." A rule by name or prefix holds for the directory groups bound to it: a name is
 * something that somebody else can take (T56).
 */
export type MappingRule = {
  readonly ruleId: RuleId;
  /** Stable name of the rule in its tenant, for plans and explanations. */
  readonly key: string;
  readonly roleId: RoleId;
  readonly match:
    | { readonly kind: 'id'; readonly connectionId: ConnectionId; readonly value: string }
    | { readonly kind: 'name'; readonly connectionId: ConnectionId; readonly value: string }
    | {
        readonly kind: 'prefix';
        readonly connectionId: ConnectionId;
        readonly value: string;
        readonly allowNewGroups: boolean;
      }
    | { readonly kind: 'local'; readonly value: string };
  readonly boundGroups: readonly DirectoryGroupId[];
};

/**
 * Whether members of the group hold the rule's role. Directory groups match by id, by externalId, or by the binding of a rule by
 * name or prefix; groups named in an assertion match by their exact text (a prefix only where new groups are allowed).
 */
export function ruleMatches(rule: MappingRule, group: GroupRef): boolean {
  const { match } = rule;
  if (match.kind === 'local') return group.kind === 'local' && groupNameKey(group.name) === groupNameKey(match.value);
  if (group.kind === 'local' || group.connectionId !== match.connectionId) return false;
  if (group.kind === 'directory') {
    return match.kind === 'id'
      ? group.groupId === match.value || group.externalId === match.value
      : rule.boundGroups.includes(group.groupId);
  }
  return match.kind === 'prefix'
    ? match.allowNewGroups && group.value.startsWith(match.value)
    : group.value === match.value;
}

/** Whether the group's name is one that the rule speaks of, bound or not. False for rules that go by id. */
export function ruleNames(rule: MappingRule, connectionId: ConnectionId, displayName: string): boolean {
  const { match } = rule;
  if (match.kind === 'local' || match.kind === 'id' || match.connectionId !== connectionId) return false;
  const name = groupNameKey(displayName);
  return match.kind === 'name' ? name === groupNameKey(match.value) : name.startsWith(groupNameKey(match.value));
}

export type Binding = { readonly ruleId: RuleId; readonly groupId: DirectoryGroupId; readonly state: 'bound' | 'held' };

/**
 * What becomes of a group that was just created or renamed, rule by rule: the first group that a name rule ever meets is bound;
 * a later one of that name, or a new one under a prefix that does not allow new groups, is held for an administrator.
 * Rules that know the group already (bound or held) stay as they are.
 */
export function bindGroup(
  rules: readonly MappingRule[],
  known: readonly Binding[],
  group: { readonly groupId: DirectoryGroupId; readonly connectionId: ConnectionId; readonly displayName: string },
): readonly Binding[] {
  return rules
    .filter((rule) => ruleNames(rule, group.connectionId, group.displayName))
    .filter((rule) => !known.some((binding) => binding.ruleId === rule.ruleId && binding.groupId === group.groupId))
    .map((rule) => {
      const everBound = known.some((binding) => binding.ruleId === rule.ruleId && binding.state === 'bound');
      const binds = rule.match.kind === 'prefix' ? rule.match.allowNewGroups : !everBound;
      return { ruleId: rule.ruleId, groupId: group.groupId, state: binds ? 'bound' : 'held' };
    });
}
