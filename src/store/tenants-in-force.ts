// Every tenant's configuration as it holds now, with who manages each row: what a plan starts from.

import type { Query } from '../context.ts';
import type { ManagedBy, TenantInForce } from '../core/config-change.ts';
import type { DirectorySettings } from '../core/directory-settings.ts';
import type { ConnectionId, DirectoryGroupId, RoleId, RuleId, TenantId, TenantSlug } from '../core/ids.ts';
import type { MappingRule } from '../core/mapping.ts';
import { type Connection, defaultTenantSettings, type Right, type TenantSettings } from '../core/tenant.ts';
import { connectionOf, ruleOf } from './config-in-force.ts';

type TenantRow = {
  tenant_id: TenantId;
  slug: TenantSlug;
  parent: TenantSlug | null;
  display_name: string;
  active: boolean;
  ended: boolean;
  managed_by: ManagedBy;
  settings: Partial<TenantSettings>;
};
type RoleRow = {
  tenant_id: TenantId;
  role_id: RoleId;
  workspace: string;
  name: string;
  rights: Right[];
  managed_by: ManagedBy;
};
type ConnectionRow = {
  tenant_id: TenantId;
  connection_id: ConnectionId;
  key: string;
  display_name: string;
  protocol: Connection['protocol'];
  issuer: string | null;
  settings: object;
  scim: boolean;
  scim_held: boolean;
  directory: Partial<DirectorySettings>;
  enabled: boolean;
  managed_by: ManagedBy;
  domains: string[];
};
type RuleRow = {
  tenant_id: TenantId;
  rule_id: RuleId;
  key: string;
  connection_id: ConnectionId | null;
  match_kind: MappingRule['match']['kind'];
  match_value: string;
  allow_new_groups: boolean;
  role_id: RoleId;
  managed_by: ManagedBy;
  bound: DirectoryGroupId[];
};

const TENANTS = `
select t.tenant_id, t.slug, p.slug as parent, t.display_name, t.active, t.ended_at is not null as ended, t.managed_by, t.settings
from tenants t left join tenants p on p.tenant_id = t.parent_id order by t.slug`;
const ROLES = `
select tenant_id, role_id, workspace, name, rights, managed_by from roles where ended_at is null order by tenant_id, role_id`;
const CONNECTIONS = `
select c.tenant_id, c.connection_id, c.key, c.display_name, c.protocol, c.issuer, c.settings, c.scim, c.scim_held, c.directory, c.enabled, c.managed_by,
  array(select d.domain from connection_domains d where d.tenant_id = c.tenant_id and d.connection_id = c.connection_id order by d.domain) as domains
from connections c where c.ended_at is null order by c.tenant_id, c.key`;
const RULES = `
select r.tenant_id, r.rule_id, r.key, r.connection_id, r.match_kind, r.match_value, r.allow_new_groups, r.role_id, r.managed_by,
  array(select b.group_id from rule_bindings b
        where b.tenant_id = r.tenant_id and b.rule_id = r.rule_id and b.state = 'bound' order by b.group_id) as bound
from mapping_rules r where r.ended_at is null order by r.tenant_id, r.rule_id`;
const ALLOWED_DOMAINS = `select tenant_id, domain, managed_by from allowed_domains order by tenant_id, domain`;

/** One statement per kind of row, whatever the number of tenants. Ended rows are left out, but not ended tenants. */
export async function loadTenantsInForce(query: Query): Promise<readonly TenantInForce[]> {
  const read = <Row>(text: string) => query.run<Row>({ name: null, text }, []);
  const tenants = await read<TenantRow>(TENANTS);
  const roles = byTenant(await read<RoleRow>(ROLES));
  const connections = byTenant(await read<ConnectionRow>(CONNECTIONS));
  const rules = byTenant(await read<RuleRow>(RULES));
  const domains = byTenant(await read<{ tenant_id: TenantId; domain: string; managed_by: ManagedBy }>(ALLOWED_DOMAINS));
  return tenants.map((row) => ({
    tenantId: row.tenant_id,
    slug: row.slug,
    parent: row.parent,
    displayName: row.display_name,
    active: row.active,
    ended: row.ended,
    managedBy: row.managed_by,
    settings: { ...defaultTenantSettings, ...row.settings },
    allowedDomains: (domains.get(row.tenant_id) ?? []).map(({ domain, managed_by }) => ({
      domain,
      managedBy: managed_by,
    })),
    roles: (roles.get(row.tenant_id) ?? []).map(({ role_id, workspace, name, rights, managed_by }) => {
      return { roleId: role_id, workspace, name, rights, managedBy: managed_by };
    }),
    connections: (connections.get(row.tenant_id) ?? []).map((one) => ({
      ...openConnection(one),
      managedBy: one.managed_by,
    })),
    rules: (rules.get(row.tenant_id) ?? []).map((one) => ({ ...openRule(one), managedBy: one.managed_by })),
  }));
}

function byTenant<Row extends { tenant_id: TenantId }>(rows: readonly Row[]): ReadonlyMap<TenantId, readonly Row[]> {
  return Map.groupBy(rows, (row) => row.tenant_id);
}

function openConnection(row: ConnectionRow): Connection {
  const { tenant_id, connection_id, display_name, scim_held, managed_by: _, ...others } = row;
  const named = { connectionId: connection_id, displayName: display_name, scimHeld: scim_held };
  return connectionOf(tenant_id, { ...others, ...named });
}

function openRule({ bound, ...row }: RuleRow): MappingRule {
  const { rule_id: ruleId, role_id: roleId, connection_id: connectionId, key } = row;
  const { match_kind: kind, match_value: value, allow_new_groups: allowNewGroups } = row;
  return ruleOf({ ruleId, key, roleId, connectionId, kind, value, allowNewGroups }, bound);
}
