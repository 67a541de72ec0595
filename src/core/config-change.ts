// What a plan speaks of: tenants as they are in force, the changes to them, and the two sides of a tenant's access.

import type { AccessPolicy } from './access.ts';
import type { ConfigFault, RoleConfig, RuleConfig } from './config.ts';
import type { ConnectionId, RoleId, RuleId, TenantId, TenantSlug } from './ids.ts';
import type { MappingRule } from './mapping.ts';
import type { Connection, ConnectionSettings, Role, TenantSettings } from './tenant.ts';

/** Who may change a row: config files, or the console and the API. `built_in`: nobody. */
export type ManagedBy = 'config' | 'api' | 'built_in';
export type Managed<T> = T & { readonly managedBy: ManagedBy };

/** One tenant as the database has it, ended rows left out. */
export type TenantInForce = {
  readonly tenantId: TenantId;
  readonly slug: TenantSlug;
  readonly parent: TenantSlug | null;
  readonly displayName: string;
  readonly active: boolean;
  /** Closed for good; its Tenant ID is never given out again. */
  readonly ended: boolean;
  readonly managedBy: ManagedBy;
  readonly settings: TenantSettings;
  readonly allowedDomains: readonly Managed<{ readonly domain: string }>[];
  readonly roles: readonly Managed<Role>[];
  readonly connections: readonly Managed<Connection>[];
  readonly rules: readonly Managed<MappingRule>[];
};

export type ConfigStep =
  | {
      readonly kind: 'create_tenant';
      readonly parent: TenantSlug;
      readonly displayName: string;
      readonly active: boolean;
      readonly settings: TenantSettings;
    }
  /** Made by the console or the API, and described by a file from now on. */
  | { readonly kind: 'take_over_tenant' }
  | {
      readonly kind: 'change_tenant';
      readonly field: 'displayName' | 'active';
      readonly from: string | boolean;
      readonly to: string | boolean;
    }
  | {
      readonly kind: 'change_setting';
      readonly field: keyof TenantSettings;
      readonly from: string | boolean | null;
      readonly to: string | boolean | null;
    }
  | { readonly kind: 'add_allowed_domain' | 'remove_allowed_domain'; readonly domain: string }
  | { readonly kind: 'add_role'; readonly roleId: RoleId; readonly role: RoleConfig }
  | { readonly kind: 'change_role'; readonly roleId: RoleId; readonly from: RoleConfig; readonly to: RoleConfig }
  | { readonly kind: 'remove_role'; readonly roleId: RoleId; readonly role: RoleConfig }
  | { readonly kind: 'add_connection'; readonly connectionId: ConnectionId; readonly connection: ConnectionSettings }
  | {
      readonly kind: 'change_connection';
      readonly connectionId: ConnectionId;
      readonly from: ConnectionSettings;
      readonly to: ConnectionSettings;
    }
  | { readonly kind: 'remove_connection'; readonly connectionId: ConnectionId; readonly connection: ConnectionSettings }
  | {
      readonly kind: 'add_rule';
      readonly ruleId: RuleId;
      readonly rule: RuleConfig;
      readonly connectionId: ConnectionId | null;
      readonly roleId: RoleId;
    }
  | {
      readonly kind: 'change_rule';
      readonly ruleId: RuleId;
      readonly key: string;
      readonly from: string;
      readonly to: string;
      readonly roleId: RoleId;
    }
  | { readonly kind: 'remove_rule'; readonly ruleId: RuleId; readonly key: string; readonly role: string };

/**
 * One change of the configuration. Rows that do not exist yet have ids that begin with `new `; whoever writes them gives real ones.
 */
export type ConfigChange = ConfigStep & { readonly tenant: TenantSlug };

/** What decides access in one tenant, before or after the changes. */
export type AccessView = {
  readonly active: boolean;
  readonly policy: AccessPolicy;
  readonly roles: readonly Role[];
  readonly rules: readonly MappingRule[];
  readonly connections: readonly Connection[];
};

/** A tenant before and after. `tenantId` null: it does not exist yet. */
export type PlannedTenant = {
  readonly slug: TenantSlug;
  readonly tenantId: TenantId | null;
  readonly before: AccessView | null;
  readonly after: AccessView;
};

export type ConfigPlan =
  | { readonly kind: 'planned'; readonly changes: readonly ConfigChange[]; readonly tenants: readonly PlannedTenant[] }
  /** The files cannot come into force beside what is there. */
  | { readonly kind: 'impossible'; readonly faults: readonly ConfigFault[] };
