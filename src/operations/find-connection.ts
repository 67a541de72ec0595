import type { Context } from '../context.ts';
import type { TenantId, TenantSlug } from '../core/ids.ts';
import type { Connection } from '../core/tenant.ts';
import { currentConfig } from '../store/config-in-force.ts';
import { findTenant } from '../store/tenants.ts';

/** A tenant as strangers may see it: its name, and whom to ask. */
export type TenantFace = {
  readonly tenantId: TenantId;
  readonly slug: TenantSlug;
  readonly displayName: string;
  readonly adminContact: string | null;
};

export type FoundConnection = { readonly tenant: TenantFace; readonly connection: Connection };

/** The tenant's face, or null where there is no active tenant of that id. */
export async function readTenantFace(ctx: Context, slug: TenantSlug): Promise<TenantFace | null> {
  return (await load(ctx, slug))?.tenant ?? null;
}

/** A connection by its tenant and key, disabled ones included; null where there is none. */
export async function findConnection(ctx: Context, slug: TenantSlug, key: string): Promise<FoundConnection | null> {
  const found = await load(ctx, slug);
  const connection = found?.connections.find((one) => one.key === key);
  return found === null || connection === undefined ? null : { tenant: found.tenant, connection };
}

async function load(
  ctx: Context,
  slug: TenantSlug,
): Promise<{ readonly tenant: TenantFace; readonly connections: readonly Connection[] } | null> {
  const node = await findTenant(ctx.global, slug);
  if (node === undefined || !node.active) return null;
  const config = await currentConfig(ctx.hot(node.tenantId));
  if (config === undefined) return null;
  const { tenantId, displayName } = node;
  return {
    tenant: { tenantId, slug, displayName, adminContact: config.settings.adminContact },
    connections: config.connections,
  };
}
