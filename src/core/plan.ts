// What has to change so that what is in force becomes what the files say. Pure: the same files and rows give the same plan.

import { compareTexts, sameValue } from './canonical.ts';
import { configFaults, type RoleConfig, type RuleConfig, type TenantConfig } from './config.ts';
import type {
  AccessView,
  ConfigChange,
  ConfigPlan,
  ConfigStep,
  Managed,
  PlannedTenant,
  TenantInForce,
} from './config-change.ts';
import type { ConnectionId, RoleId, RuleId, TenantId } from './ids.ts';
import type { MappingRule } from './mapping.ts';
import { planFaults } from './plan-faults.ts';
import {
  builtInRoles,
  type Connection,
  type ConnectionSettings,
  type Role,
  roleLabel,
  sameRole,
  type TenantSettings,
} from './tenant.ts';

/**
 * The changes that bring every tenant of the files to what its file says, in the order in which they can be made: what is given up
 * before what is taken, parents before children. Rows that the console or the API manages are never among them.
 *
 * Impossible where {@link configFaults} or {@link planFaults} finds a reason.
 */
export function planChanges(wanted: readonly TenantConfig[], inForce: readonly TenantInForce[]): ConfigPlan {
  const contradictions = configFaults(wanted);
  const faults = contradictions.length > 0 ? contradictions : planFaults(wanted, inForce);
  if (faults.length > 0) return { kind: 'impossible', faults };
  const existing = new Map(inForce.map((tenant) => [tenant.slug, tenant]));
  const diffs = parentsFirst(wanted).map((tenant) => diffTenant(tenant, existing.get(tenant.slug)));
  return {
    kind: 'planned',
    changes: [...diffs.flatMap((diff) => diff.givenUp), ...diffs.flatMap((diff) => diff.taken)],
    tenants: diffs.map((diff) => diff.planned),
  };
}

function parentsFirst(wanted: readonly TenantConfig[]): readonly TenantConfig[] {
  const bySlug = new Map(wanted.map((tenant) => [tenant.slug, tenant]));
  const depth = (tenant: TenantConfig): number => {
    const parent = bySlug.get(tenant.parent);
    return parent === undefined ? 0 : depth(parent) + 1;
  };
  return [...wanted].sort((a, b) => depth(a) - depth(b) || compareTexts(a.slug, b.slug));
}

type TenantDiff = {
  readonly givenUp: readonly ConfigChange[];
  readonly taken: readonly ConfigChange[];
  readonly planned: PlannedTenant;
};

function diffTenant(wanted: TenantConfig, current: TenantInForce | undefined): TenantDiff {
  const tenant = wanted.slug;
  const roles = diffRoles(wanted, current);
  const connections = diffConnections(wanted, current);
  const rules = diffRules(wanted, current, roles.after, connections.after);
  const domains = diffDomains(wanted, current);
  const at = (steps: readonly ConfigStep[]): readonly ConfigChange[] => steps.map((step) => ({ tenant, ...step }));
  const removed = [...rules.removed, ...connections.removed, ...domains.removed];
  const self = diffSelf(wanted, current);
  const added = [...self, ...domains.added, ...roles.added, ...connections.added, ...rules.added, ...roles.removed];
  const { active, settings: policy } = wanted;
  return {
    givenUp: at(removed),
    taken: at(added),
    planned: {
      slug: tenant,
      tenantId: current?.tenantId ?? null,
      before: current === undefined ? null : viewInForce(current),
      after: { active, policy, roles: roles.after, rules: rules.after, connections: connections.after },
    },
  };
}

export function viewInForce({ active, settings: policy, roles, rules, connections }: TenantInForce): AccessView {
  return { active, policy, roles, rules, connections };
}

function diffSelf(wanted: TenantConfig, current: TenantInForce | undefined): readonly ConfigStep[] {
  const { parent, displayName, active, settings } = wanted;
  if (current === undefined) return [{ kind: 'create_tenant', parent, displayName, active, settings }];
  const steps: ConfigStep[] = current.managedBy === 'api' ? [{ kind: 'take_over_tenant' }] : [];
  for (const field of ['displayName', 'active'] as const) {
    if (wanted[field] !== current[field])
      steps.push({ kind: 'change_tenant', field, from: current[field], to: wanted[field] });
  }
  for (const field of Object.keys(settings).sort() as (keyof TenantSettings)[]) {
    if (settings[field] !== current.settings[field]) {
      steps.push({ kind: 'change_setting', field, from: current.settings[field], to: settings[field] });
    }
  }
  return steps;
}

function diffDomains(
  wanted: TenantConfig,
  current: TenantInForce | undefined,
): { added: readonly ConfigStep[]; removed: readonly ConfigStep[] } {
  const had = current?.allowedDomains ?? [];
  const added = wanted.allowedDomains.filter((domain) => !had.some((row) => row.domain === domain));
  const removed = had.filter((row) => row.managedBy === 'config' && !wanted.allowedDomains.includes(row.domain));
  return {
    added: added.map((domain) => ({ kind: 'add_allowed_domain', domain })),
    removed: removed.map((row) => ({ kind: 'remove_allowed_domain', domain: row.domain })),
  };
}

type Diffed<T> = {
  readonly added: readonly ConfigStep[];
  readonly removed: readonly ConfigStep[];
  readonly after: readonly T[];
};

const roleConfig = ({ workspace, name, rights }: RoleConfig): RoleConfig => ({
  workspace,
  name,
  rights: [...rights].sort(),
});

function diffRoles(wanted: TenantConfig, current: TenantInForce | undefined): Diffed<Role> {
  const had: readonly Managed<Role>[] =
    current?.roles ??
    builtInRoles.map((role) => ({ ...role, roleId: `new role ${roleLabel(role)}` as RoleId, managedBy: 'built_in' }));
  const added: ConfigStep[] = [];
  const own = wanted.roles.map((role): Role => {
    const before = had.find((row) => row.managedBy === 'config' && sameRole(row, role));
    const roleId = before?.roleId ?? (`new role ${roleLabel(role)}` as RoleId);
    if (before === undefined) added.push({ kind: 'add_role', roleId, role: roleConfig(role) });
    else if (!sameValue(roleConfig(before), roleConfig(role))) {
      added.push({ kind: 'change_role', roleId, from: roleConfig(before), to: roleConfig(role) });
    }
    return { roleId, ...role };
  });
  const removed = had.filter((row) => row.managedBy === 'config' && !wanted.roles.some((role) => sameRole(row, role)));
  return {
    added,
    removed: removed.map((row) => ({ kind: 'remove_role', roleId: row.roleId, role: roleConfig(row) })),
    after: [...had.filter((row) => row.managedBy !== 'config'), ...own],
  };
}

function diffConnections(wanted: TenantConfig, current: TenantInForce | undefined): Diffed<Connection> {
  const had = current?.connections ?? [];
  const tenantId = current?.tenantId ?? (`new tenant ${wanted.slug}` as TenantId);
  const added: ConfigStep[] = [];
  const own = wanted.connections.map((connection): Connection => {
    const before = had.find((row) => row.managedBy === 'config' && row.key === connection.key);
    const connectionId = before?.connectionId ?? (`new connection ${connection.key}` as ConnectionId);
    if (before === undefined)
      added.push({ kind: 'add_connection', connectionId, connection: connectionSettings(connection) });
    else if (!sameValue(connectionSettings(before), connectionSettings(connection))) {
      added.push({
        kind: 'change_connection',
        connectionId,
        from: connectionSettings(before),
        to: connectionSettings(connection),
      });
    }
    return { ...connection, connectionId, tenantId };
  });
  const removed = had.filter(
    (row) => row.managedBy === 'config' && !wanted.connections.some((one) => one.key === row.key),
  );
  return {
    added,
    removed: removed.map((row) => ({
      kind: 'remove_connection',
      connectionId: row.connectionId,
      connection: connectionSettings(row),
    })),
    after: [...had.filter((row) => row.managedBy !== 'config'), ...own],
  };
}

/** The settings of a connection in the one form that plans compare and write. */
export function connectionSettings(connection: ConnectionSettings): ConnectionSettings {
  const { key, displayName, enabled, scim, scimHeld, directory, issuer } = connection;
  const common = {
    key,
    displayName,
    enabled,
    scim,
    scimHeld,
    directory,
    issuer,
    domains: [...connection.domains].sort(),
  };
  if (connection.protocol === 'oidc') return { ...common, protocol: 'oidc', oidc: connection.oidc };
  if (connection.protocol === 'saml') return { ...common, protocol: 'saml', saml: connection.saml };
  return { ...common, protocol: connection.protocol };
}

function diffRules(
  wanted: TenantConfig,
  current: TenantInForce | undefined,
  roles: readonly Role[],
  connections: readonly Connection[],
): Diffed<MappingRule> {
  const had = current?.rules ?? [];
  const added: ConfigStep[] = [];
  const kept = new Set<RuleId>();
  const own = wanted.rules.map((rule): MappingRule => {
    const role = roles.find((one) => sameRole(one, labelled(rule.role)));
    if (role === undefined) throw new Error(`the role ${rule.role} was checked and is not there`);
    const match = matchWithIds(rule, connections);
    const before = had.find((row) => row.managedBy === 'config' && row.key === rule.key);
    // A rule that speaks of another group meets its groups anew; one that only gives another role keeps those it is bound to.
    if (before === undefined || !sameValue(before.match, match)) {
      const ruleId = `new rule ${rule.key}` as RuleId;
      const connectionId = match.kind === 'local' ? null : match.connectionId;
      added.push({ kind: 'add_rule', ruleId, rule, connectionId, roleId: role.roleId });
      return { ruleId, key: rule.key, roleId: role.roleId, match, boundGroups: [] };
    }
    kept.add(before.ruleId);
    if (before.roleId !== role.roleId) {
      const from = current?.roles.find((one) => one.roleId === before.roleId);
      added.push({
        kind: 'change_rule',
        ruleId: before.ruleId,
        key: rule.key,
        from: from === undefined ? '' : roleLabel(from),
        to: rule.role,
        roleId: role.roleId,
      });
    }
    return { ...before, roleId: role.roleId };
  });
  const gone = had.filter((row) => row.managedBy === 'config' && !kept.has(row.ruleId));
  const roleName = (roleId: RoleId) => {
    const role = current?.roles.find((one) => one.roleId === roleId);
    return role === undefined ? '' : roleLabel(role);
  };
  return {
    added,
    removed: gone.map((row) => ({ kind: 'remove_rule', ruleId: row.ruleId, key: row.key, role: roleName(row.roleId) })),
    after: [...had.filter((row) => row.managedBy !== 'config'), ...own],
  };
}

function labelled(label: string): Pick<Role, 'workspace' | 'name'> {
  const colon = label.indexOf(': ');
  return { workspace: label.slice(0, colon), name: label.slice(colon + 2) };
}

function matchWithIds({ match }: RuleConfig, connections: readonly Connection[]): MappingRule['match'] {
  if (match.kind === 'local') return match;
  const connection = connections.find((one) => one.key === match.connection);
  if (connection === undefined) throw new Error(`the connection ${match.connection} was checked and is not there`);
  const { connectionId } = connection;
  const { kind, value } = match;
  return kind === 'prefix'
    ? { kind, connectionId, value, allowNewGroups: match.allowNewGroups }
    : { kind, connectionId, value };
}
