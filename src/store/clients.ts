// Applications that ask for tokens. A client belongs to one tenant and is found without knowing it.

import { randomBytes } from 'node:crypto';
import type { Query, TenantTx } from '../context.ts';
import type { ClientSettings } from '../core/client.ts';
import type { KeyHash, TenantId, TenantSlug } from '../core/ids.ts';

export type ClientRow = {
  readonly clientId: string;
  readonly tenantId: TenantId;
  readonly tenant: TenantSlug;
  readonly enabled: boolean;
  readonly secretHash: KeyHash | null;
  readonly settings: ClientSettings;
};

/** 256 random bits, as text. */
export function newClientSecret(): string {
  return randomBytes(32).toString('base64url');
}

const ROW = `select c.client_id as "clientId", c.tenant_id as "tenantId", t.slug as tenant, c.enabled,
  encode(c.secret_hash, 'hex') as "secretHash", c.metadata as settings
from clients c join tenants t on t.tenant_id = c.tenant_id`;

/** The client that may be used now: enabled, of a tenant that is active. */
export async function readUsableClient(query: Query, clientId: string): Promise<ClientRow | undefined> {
  const text = `${ROW} where c.client_id = $1 and c.enabled and t.active and t.ended_at is null`;
  const [row] = await query.run<ClientRow>({ name: 'client_usable', text }, [clientId]);
  return row;
}

export async function listClients(tx: TenantTx): Promise<readonly ClientRow[]> {
  const text = `${ROW} where c.tenant_id = $1 order by c.client_id limit 10000`;
  return tx.run<ClientRow>({ name: null, text }, [tx.tenantId]);
}

/** False where the id is taken, in whatever tenant. */
export async function insertClient(
  tx: TenantTx,
  clientId: string,
  secretHash: KeyHash | null,
  settings: ClientSettings,
): Promise<boolean> {
  const text = `insert into clients (client_id, tenant_id, secret_hash, metadata) values ($1, $2, decode($3, 'hex'), $4)
    on conflict (client_id) do nothing returning 1`;
  const values = [clientId, tx.tenantId, secretHash, JSON.stringify(settings)];
  return (await tx.run({ name: null, text }, values)).length === 1;
}

/** False where the tenant has no such client. A disabled client's tokens go with it. */
export async function updateClientEnabled(tx: TenantTx, clientId: string, enabled: boolean): Promise<boolean> {
  const text = 'update clients set enabled = $3 where tenant_id = $1 and client_id = $2 returning 1';
  const rows = await tx.run({ name: null, text }, [tx.tenantId, clientId, enabled]);
  if (rows.length === 1 && !enabled) {
    await tx.run({ name: null, text: 'delete from oidc_artifacts where client_id = $1' }, [clientId]);
  }
  return rows.length === 1;
}

/** Whether a tenant is the client's own or lies below it. */
export async function isServed(query: Query, clientTenant: TenantId, tenant: TenantSlug): Promise<boolean> {
  const text = `select 1 from tenants t where t.slug = $2 and (t.tenant_id = $1 or exists (
    select from tenant_ancestors a where a.tenant_id = t.tenant_id and a.ancestor_id = $1))`;
  return (await query.run({ name: 'client_serves', text }, [clientTenant, tenant])).length === 1;
}
