// Our registry of applications, as the library wants to see it.

import { timingSafeEqual } from 'node:crypto';
import Provider, { type AdapterPayload, type Client } from 'oidc-provider';
import type { Context } from '../context.ts';
import type { Resource } from '../core/client.ts';
import type { TenantId, TenantSlug } from '../core/ids.ts';
import { type ClientRow, clientSecretHash, findClient } from '../operations/find-client.ts';

/** What we know of a client beside the standard's metadata. */
export type ClientExtra = {
  readonly tenantId: TenantId;
  readonly tenant: TenantSlug;
  readonly resources: readonly Resource[];
  readonly defaultResource: string | null;
};
export const EXTRA = 'drawbridge';

export function extraOf(client: Client): ClientExtra {
  return client[EXTRA] as ClientExtra;
}

// A refresh asks for its client a thousand times more often than anybody changes it. Whether it is switched off is asked for
// again with every token that is found, so that only a changed setting may be this late.
const CACHED_MS = 1_000;
const CACHED_CLIENTS = 1_000;

/** Finds clients, remembering each for a second. */
export function clientFinder(context: () => Context): (clientId: string) => Promise<ClientRow | undefined> {
  const cache = new Map<string, { readonly until: number; readonly client: ClientRow }>();
  return async (clientId) => {
    const now = performance.now();
    const cached = cache.get(clientId);
    if (cached !== undefined && cached.until > now) return cached.client;
    const client = await findClient(context(), clientId);
    if (cache.size >= CACHED_CLIENTS) cache.clear();
    if (client === undefined) cache.delete(clientId);
    else cache.set(clientId, { until: now + CACHED_MS, client });
    return client;
  };
}

export function clientMetadata(row: ClientRow): AdapterPayload {
  const { settings } = row;
  const extra: ClientExtra = {
    tenantId: row.tenantId,
    tenant: row.tenant,
    resources: settings.resources,
    defaultResource: settings.defaultResource,
  };
  return {
    client_id: row.clientId,
    client_name: settings.name,
    application_type: settings.kind === 'native' ? 'native' : 'web',
    redirect_uris: settings.redirectUris,
    post_logout_redirect_uris: settings.postLogoutRedirectUris,
    response_types: ['code'],
    grant_types: ['authorization_code', ...(settings.refreshTokens ? ['refresh_token'] : [])],
    id_token_signed_response_alg: settings.signingAlgorithm,
    token_endpoint_auth_method: authMethod(row),
    // Only its hash is known; see compareSecretHashes.
    ...(row.secretHash === null ? {} : { client_secret: row.secretHash }),
    ...(settings.publicKeys === null ? {} : { jwks: { keys: settings.publicKeys } }),
    [EXTRA]: extra,
  };
}

function authMethod({
  settings,
}: ClientRow): 'none' | 'private_key_jwt' | 'client_secret_basic' | 'client_secret_post' {
  if (settings.kind !== 'web') return 'none';
  if (settings.publicKeys !== null) return 'private_key_jwt';
  // Libraries differ in where they put a secret, and the library here takes one of the two only: whichever this request uses.
  return /^basic /i.test(Provider.ctx?.get('authorization') ?? '') ? 'client_secret_basic' : 'client_secret_post';
}

/** Makes the provider compare a client's secret by its hash. Nothing else may use `clientSecret`: HMAC algorithms are all off. */
export function compareSecretHashes(provider: Provider, context: () => Context): void {
  Object.defineProperty(provider.Client.prototype, 'compareClientSecret', {
    value(this: Client, actual: string): boolean {
      const expected = Buffer.from(this.clientSecret ?? '', 'hex');
      const given = Buffer.from(clientSecretHash(context(), this.clientId, actual), 'hex');
      return expected.length === given.length && timingSafeEqual(expected, given);
    },
  });
}
