import type { Context } from '../context.ts';
import { formatScimClientId, type ScimClientKey } from '../core/scim-client.ts';
import { readScimClient, type ScimClientRow } from '../store/scim-clients.ts';
import { listCredentials, type ScimCredential } from '../store/scim-credentials.ts';
import type { TenantRef } from './standing.ts';

export type { ScimClientRow } from '../store/scim-clients.ts';

/** The directory's client that may ask for tokens now, or undefined: unknown, ended, expired, of a directory that is not served. */
export function findScimClient(ctx: Context, key: ScimClientKey): Promise<ScimClientRow | undefined> {
  return readScimClient(ctx.global, key);
}

/** A hash that no secret of this client id has, the same each time. */
export function noSecretHash(ctx: Pick<Context, 'keyHash'>, key: ScimClientKey): ScimClientRow['secretHash'] {
  return ctx.keyHash(JSON.stringify(['no_client', formatScimClientId(key)]));
}

/** The clients of a tenant's directories that are not ended; `prefix` is the client id. */
export function listScimClients(ctx: Context, tenant: TenantRef): Promise<readonly ScimCredential[]> {
  return listCredentials(ctx.hot(tenant.tenantId), 'client');
}
