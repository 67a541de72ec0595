// Grants: what an application may have for a person in one tenant. Our applications are first-party, so nobody is asked.

import { randomBytes } from 'node:crypto';
import { type ClientAuthorizationState, errors, type Grant, type KoaContextWithOIDC } from 'oidc-provider';
import type { Resource } from '../core/client.ts';
import { extraOf } from './clients.ts';
import { requestState } from './request-state.ts';
import { newGrantId } from './tenant-choice.ts';

export const ACCESS_TOKEN_SECONDS = 300;

// Kept in the session beside the grant that the library knows: for each tenant its own, so that switching tenants retargets nothing.
type TenantGrants = ClientAuthorizationState & { tenants?: Record<string, string> };

/**
 * The grant of this session, client and tenant, made at the first authorization, with the scopes that are asked for now.
 * Undefined where the person may not have one: the access prompt follows.
 */
export async function loadExistingGrant(ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
  const { access } = requestState();
  const { session, client, provider, account } = ctx.oidc;
  if (access === null || access.claims === null) return undefined;
  if (session === undefined || client === undefined || account === undefined) return undefined;
  session.ensureClientContainer(client.clientId);
  const authorization: TenantGrants = session.authorizationFor(client.clientId);
  authorization.tenants ??= {};
  const known = Object.hasOwn(authorization.tenants, access.selected)
    ? authorization.tenants[access.selected]
    : undefined;
  let grant = known === undefined ? undefined : await provider.Grant.find(known);
  const fits = grant?.accountId === account.accountId && grant.clientId === client.clientId;
  if (grant === undefined || !fits) {
    grant = new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
    grant.jti = newGrantId(randomBytes(32).toString('base64url'), access.selected);
  }
  if (addScopes(ctx, grant) || grant.jti !== known) await grant.save();
  authorization.tenants[access.selected] = grant.jti;
  return grant;
}

/** Adds what is asked for and may be had; true where something was new. */
function addScopes(ctx: KoaContextWithOIDC, grant: Grant): boolean {
  const before = JSON.stringify([grant.openid, grant.resources]);
  grant.addOIDCScope(ctx.oidc.requestParamOIDCScopes);
  for (const [identifier, server] of Object.entries(ctx.oidc.resourceServers ?? {})) {
    const scopes = [...ctx.oidc.requestParamScopes].filter((scope) => server.scopes.has(scope));
    if (scopes.length > 0) grant.addResourceScope(identifier, scopes);
  }
  return before !== JSON.stringify([grant.openid, grant.resources]);
}

/** An API of the client's registration; any other is `invalid_target` (T65). */
export function resourceServerInfo(ctx: KoaContextWithOIDC, identifier: string) {
  const { client } = ctx.oidc;
  const find = (resource: Resource) => resource.identifier === identifier;
  const resource = client === undefined ? undefined : extraOf(client).resources.find(find);
  if (resource === undefined) throw new errors.InvalidTarget();
  return {
    scope: resource.scopes.join(' '),
    audience: resource.identifier,
    accessTokenTTL: ACCESS_TOKEN_SECONDS,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'ES256' } },
  } as const;
}

/**
 * Whose token it is where the application does not say. By default nobody's: the token is for userinfo. One resource among those
 * that were granted is meant by the client's default, or by being the only one.
 */
export function defaultResource(ctx: KoaContextWithOIDC, oneOf?: readonly string[]): string | string[] | undefined {
  const own = ctx.oidc.client === undefined ? null : extraOf(ctx.oidc.client).defaultResource;
  if (oneOf === undefined) return own ?? undefined;
  return own !== null && oneOf.includes(own) ? own : [...oneOf];
}
