// How the library is set up: what is on, how long things live, and which function of ours answers which question.

import type { AdapterPayload, Configuration, JWK, KoaContextWithOIDC } from 'oidc-provider';
import { SCIM_TOKEN_SECONDS, type ScimClientKey } from '../core/scim-client.ts';
import type { ClientRow } from '../operations/find-client.ts';
import type { SigningKey } from '../operations/signing-keys.ts';
import { claimsOfScopes, findAccount } from './account.ts';
import { artifactAdapter } from './adapter.ts';
import { EXTRA } from './clients.ts';
import { ACCESS_TOKEN_SECONDS, defaultResource, loadExistingGrant, resourceServerInfo } from './grants.ts';
import { checkAcrValues, promptPolicy } from './prompts.ts';
import { requestState } from './request-state.ts';
import { SCIM_EXTRA, scimExtraOf, scimResourceServer } from './scim-clients.ts';

export type SignOutView = {
  /** Where the form goes, by POST. */
  readonly action: string;
  /** Hidden field `xsrf` of the form. The button that ends the session is named `logout`, with any value. */
  readonly xsrf: string;
  /** The application that asks, or null. */
  readonly application: string | null;
};

export type ConfigurationParts = {
  readonly publicUrl: string;
  readonly keys: readonly SigningKey[];
  readonly cookieKeys: readonly string[];
  readonly dpopSecret: Buffer;
  findClient(clientId: string): Promise<ClientRow | undefined>;
  findScimClient(key: ScimClientKey): Promise<AdapterPayload | undefined>;
  /** Throws where a directory's client may have no more tokens for now. */
  admitScimToken(clientId: string): void;
  showError(
    ctx: KoaContextWithOIDC,
    out: { error: string; error_description?: string | undefined },
    error: Error,
  ): unknown;
  showSignOut(ctx: KoaContextWithOIDC, view: SignOutView): unknown;
  showSignedOut(ctx: KoaContextWithOIDC): unknown;
};

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
// From the sign-in, not from the last use.
const SESSION_SECONDS = 12 * HOUR;
const now = () => Math.floor(Date.now() / 1000);

export function configurationOf(parts: ConfigurationParts): Configuration {
  const secure = parts.publicUrl.startsWith('https:');
  return {
    adapter: artifactAdapter(parts),
    // The current key of an algorithm comes first, and the first one signs.
    jwks: { keys: parts.keys.map((key): JWK => key.jwk) },
    cookies: {
      keys: parts.cookieKeys,
      names: {
        session: secure ? '__Host-drawbridge' : 'drawbridge',
        interaction: `${secure ? '__Secure-' : ''}drawbridge_interaction`,
        resume: `${secure ? '__Secure-' : ''}drawbridge_resume`,
      },
      long: { httpOnly: true, sameSite: 'lax', secure, path: '/' },
      short: { httpOnly: true, sameSite: 'lax', secure },
    },
    responseTypes: ['code'],
    scopes: ['openid', 'offline_access'],
    subjectTypes: ['public'],
    claims: claimsOfScopes,
    pkce: { required: () => true },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    // No HMAC anywhere: a client's secret is known by its hash alone.
    enabledJWA: {
      idTokenSigningAlgValues: ['ES256', 'RS256'],
      clientAuthSigningAlgValues: ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'],
      dPoPSigningAlgValues: ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'],
    },
    extraClientMetadata: { properties: [EXTRA, SCIM_EXTRA] },
    extraParams: { acr_values: checkAcrValues },
    allowOmittingSingleRegisteredRedirectUri: false,
    formats: { bitsOfOpaqueRandomness: 256 },
    interactions: {
      policy: promptPolicy(),
      url: (_ctx, interaction) => `${new URL(parts.publicUrl).origin}/interaction/${interaction.uid}`,
    },
    findAccount,
    loadExistingGrant,
    extraTokenClaims: (_ctx, token) =>
      token.kind === 'AccessToken' ? { ...requestState().access?.claims } : undefined,
    // Registered for refresh tokens is asked for: without offline_access they end with the session.
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    // The library would look for the one grant that it knows of a session and client; the adapter binds to the session itself.
    expiresWithSession: () => false,
    clientBasedCORS: (ctx, origin, client) =>
      (ctx.oidc.route === 'userinfo' || client.clientAuthMethod === 'none') &&
      (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === origin),
    renderError: async (ctx, out, error) => void (await parts.showError(ctx, out, error)),
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: true, nonceSecret: parts.dpopSecret },
      // For directories alone; an application's registration does not name the grant.
      clientCredentials: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      userinfo: { enabled: true },
      // A structured access token can be neither introspected nor revoked; it lives five minutes.
      introspection: { enabled: false },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, identifier, client) => {
          const scim = scimExtraOf(client);
          if (scim === null) return resourceServerInfo(ctx, identifier);
          parts.admitScimToken(client.clientId);
          return scimResourceServer(ctx, scim, identifier);
        },
        defaultResource: (ctx, client, oneOf) => scimExtraOf(client)?.baseUrl ?? defaultResource(ctx, oneOf),
        // What the authorization asked for is what its tokens are for, unless the token request says otherwise (RFC 8707 §2.2).
        useGrantedResource: () => true,
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: async (ctx) => {
          const xsrf = String(ctx.oidc.session?.state?.secret ?? '');
          const application = ctx.oidc.client?.clientName ?? null;
          await parts.showSignOut(ctx, { action: ctx.oidc.urlFor('end_session_confirm'), xsrf, application });
        },
        postLogoutSuccessSource: async (ctx) => void (await parts.showSignedOut(ctx)),
      },
    },
    routes: { userinfo: '/userinfo' },
    ttl: {
      AccessToken: ACCESS_TOKEN_SECONDS,
      AuthorizationCode: MINUTE,
      ClientCredentials: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? SCIM_TOKEN_SECONDS,
      // It carries roles as an access token does, so it may be as stale and no staler.
      IdToken: ACCESS_TOKEN_SECONDS,
      Interaction: HOUR,
      Session: (_ctx, session) =>
        session.loginTs === undefined ? HOUR : Math.max(1, session.loginTs + SESSION_SECONDS - now()),
      // Idle for two weeks it ends, and after a month in any case: with its grant.
      Grant: 30 * DAY,
      RefreshToken: (ctx, _token, client) => {
        const rotated = ctx.oidc.entities.RotatedRefreshToken;
        // What a page's script holds is easier to steal: each family of it ends when its first token would have.
        const isInBrowser = client.clientAuthMethod === 'none' && client.applicationType === 'web';
        return isInBrowser && rotated !== undefined ? Math.max(1, rotated.remainingTTL) : 14 * DAY;
      },
    },
  };
}
