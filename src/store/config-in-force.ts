// A tenant's rules, roles, settings and connections as they hold now, whole: read together, cached by config version.

import type { Statement, TenantTx } from '../context.ts';
import { type DirectorySettings, defaultDirectorySettings } from '../core/directory-settings.ts';
import type { RoleId, RuleId, TenantId, TenantSlug } from '../core/ids.ts';
import type { Binding, MappingRule } from '../core/mapping.ts';
import { remember } from '../core/recent.ts';
import { type Connection, defaultTenantSettings, type Role, type TenantSettings } from '../core/tenant.ts';

export type ConfigInForce = {
  readonly tenantId: TenantId;
  readonly slug: TenantSlug;
  readonly displayName: string;
  readonly version: number;
  readonly settings: TenantSettings;
  readonly allowedDomains: readonly string[];
  readonly roles: readonly Role[];
  readonly rules: readonly MappingRule[];
  readonly bindings: readonly Binding[];
  readonly connections: readonly Connection[];
};

const READ: Statement = {
  name: 'config_in_force',
  text: `
select t.slug, t.display_name, t.config_version as version, t.settings,
  coalesce((select json_agg(a.domain order by a.domain) from allowed_domains a where a.tenant_id = $1), '[]'::json) as allowed_domains,
  coalesce((select json_agg(json_build_object('roleId', r.role_id, 'workspace', r.workspace, 'name', r.name, 'rights', r.rights) order by r.role_id)
    from roles r where r.tenant_id = $1 and r.ended_at is null), '[]'::json) as roles,
  coalesce((select json_agg(json_build_object('ruleId', m.rule_id, 'key', m.key, 'roleId', m.role_id, 'connectionId', m.connection_id,
      'kind', m.match_kind, 'value', m.match_value, 'allowNewGroups', m.allow_new_groups) order by m.rule_id)
    from mapping_rules m where m.tenant_id = $1 and m.ended_at is null), '[]'::json) as rules,
  coalesce((select json_agg(json_build_object('ruleId', b.rule_id, 'groupId', b.group_id, 'state', b.state))
    from rule_bindings b join mapping_rules m on m.tenant_id = b.tenant_id and m.rule_id = b.rule_id and m.ended_at is null
    where b.tenant_id = $1), '[]'::json) as bindings,
  coalesce((select json_agg(json_build_object('connectionId', c.connection_id, 'key', c.key, 'displayName', c.display_name,
      'enabled', c.enabled, 'scim', c.scim, 'scimHeld', c.scim_held, 'directory', c.directory, 'issuer', c.issuer, 'protocol', c.protocol, 'settings', c.settings,
      'domains', coalesce((select json_agg(d.domain order by d.domain) from connection_domains d
                           where d.tenant_id = c.tenant_id and d.connection_id = c.connection_id), '[]'::json)) order by c.key)
    from connections c where c.tenant_id = $1 and c.ended_at is null), '[]'::json) as connections
from tenants t where t.tenant_id = $1`,
};

type RuleRow = {
  readonly ruleId: RuleId;
  readonly key: string;
  readonly roleId: RoleId;
  readonly connectionId: string | null;
  readonly kind: string;
  readonly value: string;
  readonly allowNewGroups: boolean;
};
type ConnectionRow = {
  readonly protocol: Connection['protocol'];
  readonly settings: object;
  readonly directory: Partial<DirectorySettings>;
};
type Row = {
  slug: TenantSlug;
  display_name: string;
  version: number;
  settings: Partial<TenantSettings>;
  allowed_domains: string[];
  roles: Role[];
  rules: RuleRow[];
  bindings: Binding[];
  connections: ConnectionRow[];
};

/** Reads the tenant's configuration from the database, past every cache. Undefined where there is no such tenant. */
export async function readConfigInForce(tx: TenantTx): Promise<ConfigInForce | undefined> {
  const [row] = await tx.run<Row>(READ, [tx.tenantId]);
  if (row === undefined) return undefined;
  return {
    tenantId: tx.tenantId,
    slug: row.slug,
    displayName: row.display_name,
    version: row.version,
    settings: { ...defaultTenantSettings, ...row.settings },
    allowedDomains: row.allowed_domains,
    roles: row.roles,
    rules: row.rules.map((rule) => ruleOf(rule, boundTo(rule, row.bindings))),
    bindings: row.bindings,
    connections: row.connections.map((connection) => connectionOf(tx.tenantId, connection)),
  };
}

function boundTo({ ruleId }: RuleRow, bindings: readonly Binding[]): MappingRule['boundGroups'] {
  return bindings
    .filter((binding) => binding.ruleId === ruleId && binding.state === 'bound')
    .map((binding) => binding.groupId);
}

/** A rule as it is kept: what goes by a connection's groups has one. */
export function ruleOf(row: RuleRow, boundGroups: MappingRule['boundGroups']): MappingRule {
  const { kind, connectionId, value, allowNewGroups } = row;
  const match =
    kind === 'local'
      ? { kind, value }
      : kind === 'prefix'
        ? { kind, connectionId, value, allowNewGroups }
        : { kind, connectionId, value };
  return { ruleId: row.ruleId, key: row.key, roleId: row.roleId, match: match as MappingRule['match'], boundGroups };
}

/** A connection as it is kept, with what its protocol and its directory are set to. */
export function connectionOf(tenantId: TenantId, row: ConnectionRow): Connection {
  const { settings, protocol, ...common } = row;
  const directory = { ...defaultDirectorySettings, ...row.directory };
  const spoken = protocol === 'oidc' ? { oidc: settings } : protocol === 'saml' ? { saml: settings } : {};
  return { ...common, directory, tenantId, protocol, ...spoken } as unknown as Connection;
}

// By tenant. A version is never given out twice (it comes from a sequence), so an equal version is equal content.
const cache = new Map<TenantId, ConfigInForce>();
const MAX_CACHED = 5_000;

/**
 * The tenant's configuration at `version` or newer. The caller has read `version` from the database in this very request, so a
 * cached copy is never stale authority. Costs no round trip while the version stands.
 */
export async function configInForce(tx: TenantTx, version: number): Promise<ConfigInForce> {
  const cached = cache.get(tx.tenantId);
  if (cached !== undefined && cached.version === version) return cached;
  const read = await readConfigInForce(tx);
  if (read === undefined) throw new Error('a tenant that was just read is gone');
  remember(cache, MAX_CACHED, tx.tenantId, read);
  return read;
}

const VERSION: Statement = {
  name: 'config_version',
  text: 'select config_version as version from tenants where tenant_id = $1 and active and ended_at is null',
};

/** The configuration in force now, cached; for who has not read its version. Undefined where there is no such active tenant. */
export async function currentConfig(tx: TenantTx): Promise<ConfigInForce | undefined> {
  const [row] = await tx.run<{ version: number }>(VERSION, [tx.tenantId]);
  return row && configInForce(tx, row.version);
}
