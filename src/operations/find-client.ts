import type { Context } from '../context.ts';
import { isClientId } from '../core/client.ts';
import type { KeyHash, TenantSlug } from '../core/ids.ts';
import { type ClientRow, isServed, listClients, readUsableClient } from '../store/clients.ts';
import type { TenantRef } from './standing.ts';

export type { ClientRow } from '../store/clients.ts';

/** The application with this id, or undefined: unknown, disabled, or of a tenant that is not active. */
export async function findClient(ctx: Context, clientId: string): Promise<ClientRow | undefined> {
  return isClientId(clientId) ? readUsableClient(ctx.global, clientId) : undefined;
}

/** The applications of a tenant, disabled ones too, by their ids: 10,000 at most. */
export function clientsOfTenant(ctx: Context, tenant: TenantRef): Promise<readonly ClientRow[]> {
  return listClients(ctx.hot(tenant.tenantId));
}

/** Whether an application may be signed in to for a tenant: its own, or one below it. */
export function clientServes(ctx: Context, client: Pick<ClientRow, 'tenantId'>, tenant: TenantSlug): Promise<boolean> {
  return isServed(ctx.global, client.tenantId, tenant);
}

/** What is kept of a client's secret. */
export function clientSecretHash(ctx: Pick<Context, 'keyHash'>, clientId: string, secret: string): KeyHash {
  return ctx.keyHash(JSON.stringify(['client_secret', clientId, secret]));
}
