// How an administrator's words for a tenant, and for a directory of it, are taken.

import type { Context } from '../context.ts';
import { type Refusal, refused } from '../core/errors.ts';
import type { TenantSlug } from '../core/ids.ts';
import { findTenant, type ListedTenant, listTenants as list, type TenantNode } from '../store/tenants.ts';

/** The active tenant of a Tenant ID. Refuses `unknown_tenant`, for ended ones too. */
export async function namedTenant(ctx: Context, slug: TenantSlug): Promise<TenantNode | Refusal> {
  const tenant = await findTenant(ctx.global, slug);
  return tenant === undefined || !tenant.active ? refused('unknown_tenant', `There is no tenant ${slug}.`) : tenant;
}

/** The tenants of the installation, ended ones too, by Tenant ID: 10,000 at most. For its operator alone. */
export function listTenants(ctx: Context): Promise<readonly ListedTenant[]> {
  return list(ctx.global);
}

/** What is told where a tenant has no directory of this key: no such connection, or one without SCIM. */
export function unknownConnection(tenant: Pick<TenantNode, 'slug'>, connection: string): Refusal {
  const message = `There is no connection ${JSON.stringify(connection)} with SCIM in ${tenant.slug}.`;
  return refused('unknown_connection', message);
}
