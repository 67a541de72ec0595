// OAuth clients of directories: credentials whose secret is shown at the token endpoint, and not at SCIM itself.

import type { Query, Statement, TenantTx } from '../context.ts';
import type { Actor } from '../core/change.ts';
import type { ConnectionId, Instant, KeyHash, TenantSlug } from '../core/ids.ts';
import { formatScimClientId, type ScimClientKey } from '../core/scim-client.ts';
import { instant } from './instant.ts';
import { artifactKey } from './oidc-artifacts.ts';
import {
  FOUND,
  type FoundDirectory,
  type FoundRow,
  foundDirectory,
  OPEN_CONNECTION,
  OPEN_TENANT,
  USABLE,
} from './scim-credentials.ts';

export type ScimClientRow = {
  readonly tenant: TenantSlug;
  readonly connectionKey: string;
  readonly secretHash: KeyHash;
  readonly expiresAt: Instant | null;
};

const FIND_CLIENT: Statement = {
  name: 'scim_client_find',
  text: `
select t.slug as tenant, c.key as "connectionKey", encode(k.secret_hash, 'hex') as "secretHash",
  ${instant('k.expires_at')} as "expiresAt"
from scim_credentials k
join connections c on c.tenant_id = k.tenant_id and c.connection_id = k.connection_id and ${OPEN_CONNECTION}
join tenants t on t.tenant_id = k.tenant_id and ${OPEN_TENANT}
where k.tenant_id = $1 and k.credential_id = $2 and k.kind = 'client' and ${USABLE}`,
};

/** The client that may ask for tokens now, or undefined. */
export async function readScimClient(query: Query, key: ScimClientKey): Promise<ScimClientRow | undefined> {
  const [row] = await query.run<ScimClientRow>(FIND_CLIENT, [key.tenantId, key.credentialId]);
  return row;
}

const FIND_BY_ACCESS_TOKEN: Statement = {
  name: 'scim_access_token_find',
  text: `
select ${FOUND}
from tenants t
join connections c on c.tenant_id = t.tenant_id and c.key = $2 and ${OPEN_CONNECTION}
join oidc_artifacts a on a.model = 'ClientCredentials' and a.id_hash = $3 and a.expires_at > now()
join scim_credentials k on k.tenant_id = c.tenant_id and k.connection_id = c.connection_id and k.prefix = a.client_id
  and k.kind = 'client' and ${USABLE}
where t.slug = $1 and ${OPEN_TENANT}`,
};

/** The directory that an access token opens at an address. Tokens are found by their hash: no secret is compared. */
export async function findByAccessToken(
  query: Query,
  at: { readonly tenant: string; readonly connection: string },
  token: string,
): Promise<FoundDirectory | undefined> {
  const { idHash } = artifactKey('ClientCredentials', token);
  const [row] = await query.run<FoundRow>(FIND_BY_ACCESS_TOKEN, [at.tenant, at.connection, idHash]);
  return row && foundDirectory(row);
}

export type NewScimClient = {
  readonly credentialId: ScimClientKey['credentialId'];
  readonly connectionId: ConnectionId;
  readonly secretHash: KeyHash;
  readonly expiresAt: Instant | null;
  readonly by: Actor;
};

export async function insertScimClient(tx: TenantTx, client: NewScimClient): Promise<void> {
  const { credentialId, connectionId, secretHash, expiresAt, by } = client;
  const clientId = formatScimClientId({ tenantId: tx.tenantId, credentialId });
  await tx.run(
    {
      name: null,
      text: `insert into scim_credentials (tenant_id, credential_id, connection_id, kind, prefix, secret_hash, created_by, expires_at)
  values ($1, $2, $3, 'client', $4, decode($5, 'hex'), $6, to_timestamp($7::bigint / 1000.0))`,
    },
    [tx.tenantId, credentialId, connectionId, clientId, secretHash, JSON.stringify(by), expiresAt],
  );
}
