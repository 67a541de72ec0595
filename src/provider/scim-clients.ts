// OAuth clients of directories, as the library wants to see them. All that they may do is ask for tokens for SCIM, and revoke them.

import Provider, { type AdapterPayload, type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Context } from '../context.ts';
import type { Instant } from '../core/ids.ts';
import {
  formatScimAccessToken,
  formatScimClientId,
  SCIM_SCOPE,
  SCIM_TOKEN_SECONDS,
  type ScimClientKey,
} from '../core/scim-client.ts';
import { findScimClient, noSecretHash } from '../operations/find-scim-client.ts';

/** What we know of such a client beside the standard's metadata. */
export type ScimClientExtra = {
  /** Address of the directory: whom its tokens are for. */
  readonly baseUrl: string;
  readonly expiresAt: Instant | null;
};
export const SCIM_EXTRA = 'drawbridge_scim';

export function scimExtraOf(client: Client | undefined): ScimClientExtra | null {
  return (client?.[SCIM_EXTRA] as ScimClientExtra | undefined) ?? null;
}

// Everywhere else such a client is as unknown as one that nobody made.
const ROUTES = ['token', 'revocation'];

/**
 * The metadata of a directory's client. Asked anew for each request: a client that was ended gets nothing from then on.
 *
 * A client id of this form that is nobody's is answered as a client whose secret nobody has, so that neither the answer nor its
 * time says whether a client exists.
 */
export async function scimClientMetadata(
  ctx: Context,
  publicUrl: string,
  key: ScimClientKey,
): Promise<AdapterPayload | undefined> {
  if (!ROUTES.includes(Provider.ctx?.oidc?.route ?? '')) return undefined;
  const row = await findScimClient(ctx, key);
  const extra: ScimClientExtra = {
    baseUrl: `${publicUrl}/scim/v2/${row?.tenant ?? ''}/${row?.connectionKey ?? ''}`,
    expiresAt: row?.expiresAt ?? null,
  };
  return {
    client_id: formatScimClientId(key),
    // Only its hash is known; see compareSecretHashes.
    client_secret: row?.secretHash ?? noSecretHash(ctx, key),
    // The library takes Basic as well under this name.
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    [SCIM_EXTRA]: extra,
  };
}

/** SCIM of the client's own directory; any other resource is `invalid_target`. */
export function scimResourceServer(ctx: KoaContextWithOIDC, extra: ScimClientExtra, identifier: string) {
  if (identifier !== extra.baseUrl) throw new errors.InvalidTarget();
  // Whatever was asked for, this is what there is, and the answer says so (RFC 6749 §3.3).
  if (ctx.oidc.params !== undefined) ctx.oidc.params.scope = SCIM_SCOPE;
  const left = extra.expiresAt === null ? SCIM_TOKEN_SECONDS : Math.ceil((extra.expiresAt - Date.now()) / 1000);
  return {
    scope: SCIM_SCOPE,
    audience: extra.baseUrl,
    accessTokenTTL: Math.max(1, Math.min(SCIM_TOKEN_SECONDS, left)),
    accessTokenFormat: 'opaque',
  } as const;
}

/** Gives access tokens for SCIM a form of their own, by which SCIM tells them from every other text. */
export function nameScimAccessTokens(provider: Provider): void {
  const { prototype } = provider.ClientCredentials;
  const generate = Reflect.get(prototype, 'generateTokenId') as () => string;
  Object.defineProperty(prototype, 'generateTokenId', {
    value(this: object): string {
      return formatScimAccessToken(generate.call(this));
    },
  });
}
