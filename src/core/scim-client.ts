// OAuth clients of directories: what their ids and their access tokens look like.

import { type CredentialId, isUuid, type TenantId } from './ids.ts';

/** How long an access token for SCIM lives. Entra ID asks for one to six hours. */
export const SCIM_TOKEN_SECONDS = 3600;

/** The one scope there is for such a client. */
export const SCIM_SCOPE = 'scim';

/** Ids of applications may not begin like this. */
export const SCIM_CLIENT_PREFIX = 'scim.';

/** What a directory's client is: one of the tenant's credentials. */
export type ScimClientKey = { readonly tenantId: TenantId; readonly credentialId: CredentialId };

/** `scim.<tenant uuid>.<credential uuid>`, so that a client is found by its key and belongs to one tenant by its name. */
export function formatScimClientId({ tenantId, credentialId }: ScimClientKey): string {
  return `${SCIM_CLIENT_PREFIX}${tenantId}.${credentialId}`;
}

/** The credential that a client id names, or null where the text has another form. Does not say whether it exists. */
export function parseScimClientId(clientId: string): ScimClientKey | null {
  if (!clientId.startsWith(SCIM_CLIENT_PREFIX)) return null;
  const [tenantId, credentialId, ...rest] = clientId.slice(SCIM_CLIENT_PREFIX.length).split('.');
  if (tenantId === undefined || credentialId === undefined || rest.length > 0) return null;
  if (!isUuid(tenantId) || !isUuid(credentialId)) return null;
  return { tenantId: tenantId as TenantId, credentialId: credentialId as CredentialId };
}

const ACCESS_TOKEN = /^dbo_[A-Za-z0-9_-]{43}$/;

/** The text of an access token for SCIM, of 256 random bits in base64url. */
export function formatScimAccessToken(random: string): string {
  return `dbo_${random}`;
}

/** True for texts that may be an access token for SCIM: no other kind of token is asked for as one. */
export function isScimAccessToken(token: string): boolean {
  return ACCESS_TOKEN.test(token);
}
