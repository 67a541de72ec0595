// What a token says about a person.

import type { EffectiveAccess } from './access.ts';
import type { TenantSlug } from './ids.ts';

/** An open cross-tenant mapping of a person, with what the target says about its guest now. */
export type MappedTenant = {
  readonly slug: TenantSlug;
  readonly targetActive: boolean;
  readonly stillDescendant: boolean;
  readonly guestSuspended: boolean;
};

/**
 * The tenants that a person may choose: home, and every open mapping whose target is active, still a descendant of home, and has
 * not suspended the guest. Sorted by Tenant ID. Never transitive: only the person's own mappings are read. Empty while the person
 * is barred at home.
 */
export function allowedTenants(
  home: { readonly slug: TenantSlug; readonly tenantActive: boolean; readonly barred: boolean },
  mapped: readonly MappedTenant[],
): readonly TenantSlug[] {
  if (home.barred || !home.tenantActive) return [];
  const targets = mapped
    .filter((target) => target.targetActive && target.stillDescendant && !target.guestSuspended)
    .map((target) => target.slug);
  return [...new Set([home.slug, ...targets])].sort();
}

export type TokenClaims = {
  readonly tenant_id: TenantSlug;
  readonly home_tenant_id: TenantSlug;
  readonly roles: readonly string[];
  readonly allowed_tenants: readonly TenantSlug[];
};

/**
 * Claims for the selected tenant, or null where nothing may be issued: the person has no effective role there, or the tenant is
 * not among the allowed ones.
 */
export function tokenClaims(
  selected: TenantSlug,
  home: TenantSlug,
  access: EffectiveAccess,
  allowed: readonly TenantSlug[],
): TokenClaims | null {
  if (access.state !== 'active' || !allowed.includes(selected)) return null;
  return {
    tenant_id: selected,
    home_tenant_id: home,
    roles: access.roles.map((role) => role.role),
    allowed_tenants: allowed,
  };
}
