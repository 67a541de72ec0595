import type { Context } from '../context.ts';
import { listCredentials, type ScimCredential } from '../store/scim-credentials.ts';
import type { TenantRef } from './standing.ts';

/** The tokens of a tenant's directories that are not ended: when they were made and last used, never their text. */
export function listScimCredentials(ctx: Context, tenant: TenantRef): Promise<readonly ScimCredential[]> {
  return listCredentials(ctx.hot(tenant.tenantId), 'token');
}
