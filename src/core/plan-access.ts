// Who gains, loses and keeps which role under a plan, with the reasons, and whose sessions end.

import {
  type AccessFacts,
  type EffectiveAccess,
  type EffectiveRole,
  effectiveAccess,
  guestAccess,
  type Reason,
} from './access.ts';
import { canonical, sameValue } from './canonical.ts';
import type { AccessView, ConfigChange, PlannedTenant } from './config-change.ts';
import type { ConnectionId, DirectoryGroupId, RoleId, RuleId, SubjectId, TenantId, TenantSlug } from './ids.ts';
import { type Binding, bindGroup, type GroupRef, type MappingRule } from './mapping.ts';
import { groupNameKey } from './profile.ts';

export type NamedGroup = {
  readonly groupId: DirectoryGroupId;
  readonly connectionId: ConnectionId;
  readonly displayName: string;
};

/** Rules of the plan that do not exist yet and go by a group's name: they meet the groups that are there when they come into force. */
export function unboundRules(tenant: PlannedTenant): readonly MappingRule[] {
  return tenant.after.rules.filter(
    (rule) => rule.ruleId.startsWith('new ') && (rule.match.kind === 'name' || rule.match.kind === 'prefix'),
  );
}

/** The plan's tenant with its new rules bound to the groups that are there, oldest first, and those bindings. */
export function bindNewRules(
  tenant: PlannedTenant,
  groups: readonly NamedGroup[],
): { readonly tenant: PlannedTenant; readonly bindings: readonly Binding[] } {
  const fresh = unboundRules(tenant);
  const bindings: Binding[] = [];
  for (const group of groups) bindings.push(...bindGroup(fresh, bindings, group));
  const boundTo = (ruleId: RuleId) =>
    bindings.filter((one) => one.ruleId === ruleId && one.state === 'bound').map((one) => one.groupId);
  const rules = tenant.after.rules.map((rule) =>
    fresh.includes(rule) ? { ...rule, boundGroups: boundTo(rule.ruleId) } : rule,
  );
  return { tenant: { ...tenant, after: { ...tenant.after, rules } }, bindings };
}

/** The groups and roles through which changed rules and roles reach people. */
export type Concerned = {
  readonly roles: readonly RoleId[];
  readonly groups: readonly DirectoryGroupId[];
  readonly groupsById: readonly { readonly connectionId: ConnectionId; readonly value: string }[];
  readonly asserted: readonly {
    readonly connectionId: ConnectionId;
    readonly value: string;
    readonly prefix: boolean;
  }[];
  /** Keys of names. */
  readonly localGroups: readonly string[];
};

/**
 * Whom the changes of a tenant can concern, so that a small change of a big tenant is a small plan: null where it may be anybody
 * (what counts for all of them changes), else members of the groups that changed rules speak of and holders of changed roles.
 * Nobody's access differs who is not among them.
 */
export function concernedBy(changes: readonly ConfigChange[], before: AccessView, after: AccessView): Concerned | null {
  const ruleIds = new Set<RuleId>();
  const roles = new Set<RoleId>();
  for (const change of changes) {
    switch (change.kind) {
      case 'remove_connection':
        return null;
      case 'change_connection':
        if (change.from.enabled !== change.to.enabled || change.from.scimHeld !== change.to.scimHeld) return null;
        break;
      case 'change_tenant':
        if (change.field === 'active') return null;
        break;
      case 'change_setting':
        if (change.field === 'authorization' || change.field === 'initialAccess') return null;
        break;
      case 'add_rule':
      case 'change_rule':
      case 'remove_rule':
        ruleIds.add(change.ruleId);
        break;
      case 'change_role':
      case 'remove_role':
        roles.add(change.roleId);
        break;
      case 'create_tenant':
      case 'take_over_tenant':
      case 'add_allowed_domain':
      case 'remove_allowed_domain':
      case 'add_role':
      case 'add_connection':
        break;
    }
  }
  const rules = [...before.rules, ...after.rules].filter((rule) => ruleIds.has(rule.ruleId) || roles.has(rule.roleId));
  const existing = <Id extends string>(ids: readonly Id[]) => ids.filter((id) => !id.startsWith('new '));
  const spoken = rules.flatMap(({ match }) =>
    match.kind === 'local' || match.connectionId.startsWith('new ') ? [] : [match],
  );
  return {
    roles: existing([...roles]),
    groups: rules.flatMap((rule) => rule.boundGroups),
    groupsById: spoken
      .filter((match) => match.kind === 'id')
      .map(({ connectionId, value }) => ({ connectionId, value })),
    asserted: spoken.map(({ kind, connectionId, value }) => ({ connectionId, value, prefix: kind === 'prefix' })),
    localGroups: rules.flatMap(({ match }) => (match.kind === 'local' ? [groupNameKey(match.value)] : [])),
  };
}

export function concernsNobody(concerned: Concerned): boolean {
  return Object.values(concerned).every((list) => list.length === 0);
}

/** A subject's own facts, with the memberships of connections that are switched off or held: whether they count is the view's. */
export type SubjectRecord = {
  readonly subjectId: SubjectId;
  readonly kind: 'user' | 'guest';
  readonly name: string;
  readonly homeTenantId: TenantId;
  readonly facts: Omit<AccessFacts, 'rules' | 'roles' | 'policy'>;
  /** What may bar a guest at home; null for a user, whose facts say it. */
  readonly home: Pick<AccessFacts, 'adminDeactivated' | 'directory' | 'approval' | 'suspension'> | null;
};

/**
 * What else a plan changes: connections whose directories speak no more, or are held or not, and tenants that nobody gets into or comes
 * from.
 */
export type Surroundings = {
  readonly goneConnections: ReadonlySet<ConnectionId>;
  /** Only of those where it changes. */
  readonly heldConnections: ReadonlyMap<ConnectionId, boolean>;
  readonly closedTenants: ReadonlySet<TenantId>;
};

/** Where nothing is taken away. */
export const asItIs: Surroundings = {
  goneConnections: new Set(),
  heldConnections: new Map(),
  closedTenants: new Set(),
};

/** Whether nobody gets into the subject's tenant, or comes from their home. */
export function isClosed(subject: SubjectRecord, view: AccessView, around: Surroundings): boolean {
  return !view.active || around.closedTenants.has(subject.homeTenantId);
}

/** Effective access of a subject under one view of its tenant. The same function as for a token, over the same facts. */
export function accessUnder(subject: SubjectRecord, view: AccessView, around: Surroundings): EffectiveAccess {
  if (isClosed(subject, view, around)) return { state: 'no_access', roles: [] };
  const said = (entries: AccessFacts['directory']) =>
    entries
      // Whom a directory removed before it went stays removed: with it end only those whom it still has.
      .filter((entry) => entry.ended || !around.goneConnections.has(entry.connectionId))
      .map((entry) => {
        const held = around.heldConnections.get(entry.connectionId);
        // What waits for an activation waits no longer once it comes; nobody waits in a directory that is held from now on.
        return held === undefined ? entry : { ...entry, held, withheld: false };
      });
  const counts = (group: GroupRef) => {
    if (group.kind === 'local') return true;
    const connection = view.connections.find((one) => one.connectionId === group.connectionId);
    return connection?.enabled === true && (group.kind === 'asserted' || !connection.scimHeld);
  };
  const { facts, home } = subject;
  const held = {
    ...facts,
    // A grant of a role that is not there any more ends with it.
    grants: facts.grants.filter((grant) => view.roles.some((role) => role.roleId === grant.roleId)),
    directory: said(facts.directory),
    groups: facts.groups.filter(counts),
    rules: view.rules,
    roles: view.roles,
    policy: view.policy,
  };
  return home === null ? effectiveAccess(held) : guestAccess({ ...home, directory: said(home.directory) }, held);
}

/** What a plan does to one subject. Roles that it keeps carry the reasons that they have afterwards. */
export type AccessDifference = {
  readonly tenant: TenantSlug;
  readonly subject: { readonly id: SubjectId; readonly kind: 'user' | 'guest'; readonly name: string };
  readonly before: EffectiveAccess['state'];
  readonly after: EffectiveAccess['state'];
  readonly gains: readonly EffectiveRole[];
  readonly loses: readonly EffectiveRole[];
  readonly keeps: readonly EffectiveRole[];
  /** They had access and have none: what they are signed in to ends with the plan. */
  readonly endsSessions: boolean;
  /** They were deactivated and are no more, also where nothing gives them a role yet. */
  readonly letIn: boolean;
};

/**
 * Null where a plan changes neither a role of the subject nor why they hold it, nor lets in whom a directory had put out. `closed`: nobody
 * gets in afterwards.
 */
export function accessDifference(
  tenant: TenantSlug,
  subject: SubjectRecord,
  before: EffectiveAccess,
  after: EffectiveAccess,
  closed: boolean,
): AccessDifference | null {
  const letIn = before.state === 'deactivated' && after.state !== 'deactivated' && !closed;
  if (!letIn && sameValue(before.roles.map(holding), after.roles.map(holding))) return null;
  const has = (access: EffectiveAccess, role: EffectiveRole) => access.roles.some((one) => one.role === role.role);
  return {
    tenant,
    subject: { id: subject.subjectId, kind: subject.kind, name: subject.name },
    before: before.state,
    after: after.state,
    gains: after.roles.filter((role) => !has(before, role)),
    loses: before.roles.filter((role) => !has(after, role)),
    keeps: after.roles.filter((role) => has(before, role)),
    endsSessions: before.state === 'active' && after.state !== 'active',
    letIn,
  };
}

/** A role and its reasons by names that outlive the rows: a rule that is written anew under its old name is the same reason. */
function holding(role: EffectiveRole): unknown {
  return [role.role, role.because.map(reasonText).sort()];
}

function reasonText(reason: Reason): string {
  if (reason.kind === 'grant') return `grant ${reason.grantId}`;
  const { group } = reason;
  const name = group.kind === 'asserted' ? `${group.connectionId} ${group.value}` : group.groupId;
  return `rule ${reason.rule} ${group.kind} ${name}`;
}

/** The text whose hash is a plan's digest, piece by piece: its changes and bindings first, then the difference of each subject. */
export function changesText(changes: readonly ConfigChange[], bindings: readonly Binding[]): string {
  return canonical({ plan: 1, changes, bindings });
}

export function differenceText(difference: AccessDifference): string {
  const { tenant, subject, before, after, gains, loses, keeps } = difference;
  return canonical([tenant, subject.id, before, after, gains.map(holding), loses.map(holding), keeps.map(holding)]);
}
