import type { Context } from '../context.ts';
import { type Change, done } from '../core/change.ts';
import { BridgeError, type Refusal, refused } from '../core/errors.ts';
import {
  isReservedSlug,
  type LocalGroupId,
  parseTenantSlug,
  type RoleId,
  type TenantId,
  type TenantSlug,
} from '../core/ids.ts';
import { builtInRoles, defaultTenantSettings, type TenantSettings } from '../core/tenant.ts';
import { apply } from '../store/apply.ts';
import { UniqueViolation } from '../store/database.ts';
import { findTenant } from '../store/tenants.ts';

export const systemTenant = 'system' as TenantSlug;

/** The tenant that all others descend from. Throws `unknown_tenant` before the first start of a server. */
export async function systemTenantId(ctx: Context): Promise<TenantId> {
  const system = await findTenant(ctx.global, systemTenant);
  if (system === undefined)
    throw new BridgeError('unknown_tenant', 'There is no system tenant yet. Start the server once.');
  return system.tenantId;
}

export type NewTenant = {
  readonly slug: string;
  readonly displayName: string;
  readonly parent: TenantSlug;
  readonly settings: Partial<TenantSettings>;
  readonly managedBy: 'config' | 'api';
};

export type CreateTenantOutcome =
  | { readonly kind: 'created'; readonly tenantId: TenantId; readonly slug: TenantSlug }
  | Refusal;

/** The parts of a new tenant that every tenant has: built-in roles and the group TenantOwners. */
export function tenantChange(
  ctx: Pick<Context, 'newId'>,
  tenant: Omit<NewTenant, 'parent' | 'slug'> & { readonly slug: TenantSlug; readonly parentId: TenantId | null },
): Extract<Change, { kind: 'create_tenant' }> {
  return {
    kind: 'create_tenant',
    tenantId: ctx.newId<TenantId>(),
    slug: tenant.slug,
    parentId: tenant.parentId,
    displayName: tenant.displayName,
    settings: { ...defaultTenantSettings, ...tenant.settings },
    managedBy: tenant.managedBy,
    roleIds: builtInRoles.map(() => ctx.newId<RoleId>()),
    ownersGroupId: ctx.newId<LocalGroupId>(),
  };
}

/**
 * Makes a tenant below its parent. Refuses a Tenant ID that is no slug or reserved (`invalid`), or was ever used (`tenant_taken`),
 * and a parent that does not exist or is not active (`unknown_tenant`). Gives nobody access to it.
 */
export async function createTenant(ctx: Context, tenant: NewTenant): Promise<CreateTenantOutcome> {
  const slug = parseTenantSlug(tenant.slug);
  if (slug === null || isReservedSlug(slug)) {
    return refused(
      'invalid',
      'A Tenant ID has 2 to 63 characters of a-z, 0-9 and single hyphens, and is no reserved word.',
    );
  }
  const parent = await findTenant(ctx.global, tenant.parent);
  if (parent === undefined || !parent.active) return refused('unknown_tenant', `There is no tenant ${tenant.parent}.`);
  const change = tenantChange(ctx, { ...tenant, slug, parentId: parent.tenantId });
  try {
    await ctx.transaction(change.tenantId, (tx) =>
      apply(ctx, tx, {
        changes: [change],
        events: [done('tenant.created', 'tenant', change.tenantId, { slug, parent: parent.slug })],
      }),
    );
  } catch (error) {
    if (error instanceof UniqueViolation)
      return refused('tenant_taken', `The Tenant ID ${slug} is taken, or was once.`);
    throw error;
  }
  return { kind: 'created', tenantId: change.tenantId, slug };
}
