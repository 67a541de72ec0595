import * as client from 'openid-client';
import type { Instant } from '../core/ids.ts';
import type { Connection } from '../core/tenant.ts';
import { type Connector, type ConnectorWorld, type FlowSecrets, SignInError } from './connector.ts';
import { lastGood } from './last-good.ts';
import { assertionOf, type Claims, claimsFault, typeFault, wantsUserinfo } from './oidc-claims.ts';
import { issuerFault } from './oidc-issuer.ts';
import { refusalOf } from './oidc-refusal.ts';
import { OutboundError, outboundFetch } from './outbound-fetch.ts';

type OidcConnection = Extract<Connection, { protocol: 'oidc' }> & { readonly issuer: string };

// Asymmetric only: with HS* whoever knows the client secret, or mistakes a public key for one, signs for the IdP (T22).
const signingAlgorithms: readonly string[] = ['RS256', 'ES256', 'PS256', 'EdDSA', 'Ed25519'];
const endpoints = ['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'userinfo_endpoint'] as const;
const skewSeconds = 60;
const minute = 60_000;
// A tenant has a few connections; the caches only have to survive a thousand tenants.
const capacity = 2_000;

/**
 * Sign-in by OpenID Connect: authorization code with PKCE (S256), state and nonce.
 *
 * The ID token's signature is checked with the IdP's published keys, its issuer is exactly the connection's, and RFC 9207 `iss`
 * is honoured. Metadata and keys are cached; an unknown key is looked for once a minute, and the last good documents serve while
 * the IdP has none. All requests go through {@link outboundFetch}; addresses inside tokens are never called.
 *
 * Refused with {@link SignInError}: `assertion_rejected` (the answer, a token or the connection's issuer is not acceptable),
 * `upstream_refused` (the IdP answered with an OAuth error), `upstream_unreachable` (no usable answer). A client secret that
 * cannot be read throws what `readSecret` throws. Does not decrypt ID tokens, does not ask for or keep refresh tokens.
 */
export function oidcConnector(world: ConnectorWorld): Connector<'oidc'> {
  const { now, allowPrivateNetwork } = world;
  const request = outboundFetch({ allowPrivateNetwork });
  const execute = [client.enableNonRepudiationChecks, ...(allowPrivateNetwork ? [client.allowInsecureRequests] : [])];

  const metadata = lastGood({
    now,
    freshForMs: 60 * minute,
    retryAfterMs: minute,
    capacity,
    load: discover,
    refuse: movedEndpoint,
  });
  const keys = lastGood({ now, freshForMs: 10 * minute, retryAfterMs: minute, capacity, load: loadKeys });

  const throughGuard: client.CustomFetch = (url, { method, headers, body, signal }) =>
    request(url, { method, headers, body: body instanceof URLSearchParams ? body : undefined, signal });

  async function discover(issuer: string): Promise<client.ServerMetadata> {
    const found = await client.discovery(new URL(issuer), 'unused', undefined, undefined, {
      [client.customFetch]: throughGuard,
      execute,
    });
    const document = found.serverMetadata();
    // The library compares URLs; two spellings of one URL are still two issuers (T23, OpenID Connect Discovery 1.0 §4.3).
    if (document.issuer !== issuer) {
      throw new SignInError('assertion_rejected', `discovery of ${issuer} names the issuer ${document.issuer}`);
    }
    for (const name of endpoints) {
      const address = document[name];
      if (address === undefined && name === 'userinfo_endpoint') continue;
      const protocol = typeof address === 'string' ? URL.parse(address)?.protocol : undefined;
      // A browser is sent to one of them: `javascript:` is a URL as well.
      if (protocol !== 'https:' && !(allowPrivateNetwork && protocol === 'http:')) {
        throw new SignInError('upstream_unreachable', `discovery of ${issuer} has no usable ${name}`);
      }
    }
    return document;
  }

  async function loadKeys(jwksUri: string): Promise<client.JWKS> {
    const answer = await request(jwksUri, { headers: { accept: 'application/json, application/jwk-set+json' } });
    const body: unknown = answer.status === 200 ? await answer.json().catch(() => null) : null;
    const found = typeof body === 'object' && body !== null && 'keys' in body ? body.keys : null;
    if (!Array.isArray(found) || found.length === 0 || !found.every((key) => typeof key === 'object' && key !== null)) {
      throw new OutboundError('unreachable', `${jwksUri} answered ${answer.status} without keys`);
    }
    return { keys: found };
  }

  async function metadataOf(connection: OidcConnection): Promise<client.ServerMetadata> {
    const fault = issuerFault(connection.issuer, allowPrivateNetwork);
    if (fault !== null) throw new SignInError('assertion_rejected', fault);
    const document = await attempt(metadata.get(connection.issuer));
    const advertised = document.id_token_signing_alg_values_supported;
    const allowed = (list: unknown) => listOf(list)?.filter((name) => signingAlgorithms.includes(name)) ?? ['RS256'];
    return {
      ...document,
      id_token_signing_alg_values_supported: allowed(advertised),
      userinfo_signing_alg_values_supported: allowed(document.userinfo_signing_alg_values_supported ?? advertised),
    };
  }

  function configure(
    connection: OidcConnection,
    server: client.ServerMetadata,
    authentication: client.ClientAuth,
  ): client.Configuration {
    const options = {
      [client.clockTolerance]: skewSeconds,
      // The library reads the system's clock; ours is the world's.
      [client.clockSkew]: Math.round((now() - Date.now()) / 1000),
    };
    const config = new client.Configuration(server, connection.oidc.clientId, options, authentication);
    for (const extension of execute) extension(config);
    return config;
  }

  /** Like {@link configure}, with the keys that we hold: the library asks for newer ones only when it misses one. */
  async function configureWithKeys(
    connection: OidcConnection,
    server: client.ServerMetadata,
  ): Promise<client.Configuration> {
    const jwksUri = server.jwks_uri ?? '';
    const config = configure(connection, server, await clientAuthentication(connection, server));
    config[client.customFetch] = async (url, options) =>
      url === new URL(jwksUri).href ? Response.json(await keys.renew(jwksUri)) : throughGuard(url, options);
    // An age of a minute: younger, the library would refuse an unknown key without asking; it is `renew` that bounds how often.
    client.setJwksCache(config, { jwks: await attempt(keys.get(jwksUri)), uat: Math.floor(Date.now() / 1000) - 60 });
    return config;
  }

  async function clientAuthentication(
    { oidc }: OidcConnection,
    server: client.ServerMetadata,
  ): Promise<client.ClientAuth> {
    if (oidc.clientSecret === null) return client.None();
    const secret = await world.readSecret(oidc.clientSecret);
    const supported = listOf(server.token_endpoint_auth_methods_supported) ?? ['client_secret_basic'];
    if (supported.includes('client_secret_basic')) return client.ClientSecretBasic(secret);
    if (supported.includes('client_secret_post')) return client.ClientSecretPost(secret);
    throw new SignInError(
      'assertion_rejected',
      `${server.issuer} takes no client secret, only ${supported.join(', ')}`,
    );
  }

  return {
    async begin(connection, urls, flow) {
      const upstream = withIssuer(connection);
      const server = await metadataOf(upstream);
      const methods = listOf(server.code_challenge_methods_supported);
      // Not listing any is common (Entra ID); listing others without S256 would be a downgrade (T21).
      if (methods !== null && !methods.includes('S256')) {
        throw new SignInError('assertion_rejected', `${server.issuer} offers PKCE without S256: ${methods.join(', ')}`);
      }
      const verifier = client.randomPKCECodeVerifier();
      const nonce = client.randomNonce();
      const parameters = {
        redirect_uri: new URL(urls.callback).href,
        scope: [...new Set(['openid', ...connection.oidc.scopes])].join(' '),
        state: flow.id,
        nonce,
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...(flow.loginHint === null ? {} : { login_hint: flow.loginHint }),
        ...(flow.forceLogin ? { prompt: 'login', max_age: '0' } : {}),
      };
      const redirectTo = client.buildAuthorizationUrl(configure(upstream, server, client.None()), parameters).href;
      const freshSince = flow.forceLogin ? { freshSince: String(now()) } : {};
      return {
        redirectTo,
        secrets: { verifier, nonce, issuer: upstream.issuer, clientId: connection.oidc.clientId, ...freshSince },
      };
    },

    async finish(connection, urls, flow, answer) {
      const upstream = withIssuer(connection);
      const secrets = readSecrets(upstream, flow.secrets);
      const server = await metadataOf(upstream);
      const config = await configureWithKeys(upstream, server);
      const callback = new URL(urls.callback);
      callback.search = answer.query.toString();
      const tokens = await attempt(
        client.authorizationCodeGrant(config, callback, {
          expectedState: flow.id,
          expectedNonce: secrets.nonce,
          pkceCodeVerifier: secrets.verifier,
          idTokenExpected: true,
        }),
        () => staleNote(upstream, server),
      );
      const idToken = tokens.claims();
      if (idToken === undefined || tokens.id_token === undefined)
        throw new SignInError('assertion_rejected', 'there is no ID token');
      const expected = {
        issuer: upstream.issuer,
        clientId: connection.oidc.clientId,
        now: now(),
        freshSince: secrets.freshSince,
      };
      const fault = typeFault(headerType(tokens.id_token)) ?? claimsFault(idToken, expected);
      if (fault !== null) throw new SignInError('assertion_rejected', fault);
      let userinfo: Claims | null = null;
      if (server.userinfo_endpoint !== undefined && wantsUserinfo(idToken, connection.oidc)) {
        userinfo = await attempt(client.fetchUserInfo(config, tokens.access_token, idToken.sub));
      }
      return {
        assertion: assertionOf(upstream, idToken, userinfo, now()),
        // State, nonce and verifier belong to a flow that the caller consumes once: nothing is left to replay.
        replayKey: null,
        expiresAt: (idToken.exp * 1000) as Instant,
      };
    },
  };

  /** What an operator must know beside the refusal itself: documents that could not be renewed, or were not believed. */
  function staleNote({ issuer }: OidcConnection, server: client.ServerMetadata): string {
    const faults = [metadata.fault(issuer), keys.fault(server.jwks_uri ?? '')].filter((fault) => fault !== null);
    return faults.length === 0 ? '' : `; meanwhile the last good metadata and keys are in use: ${faults.join('; ')}`;
  }
}

async function attempt<T>(work: Promise<T>, note: () => string = () => ''): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw refusalOf(error, note());
  }
}

function withIssuer(connection: Extract<Connection, { protocol: 'oidc' }>): OidcConnection {
  const { issuer } = connection;
  if (issuer === null) throw new SignInError('assertion_rejected', `connection ${connection.key} has no issuer`);
  return { ...connection, issuer };
}

type Secrets = { readonly verifier: string; readonly nonce: string; readonly freshSince: Instant | null };

/** The flow's secrets, if the flow was begun with this issuer and client: an edited connection does not finish old flows (T20). */
function readSecrets(connection: OidcConnection, secrets: FlowSecrets): Secrets {
  const { verifier, nonce, issuer, clientId, freshSince } = secrets;
  if (verifier === undefined || nonce === undefined)
    throw new SignInError('assertion_rejected', 'the flow has no verifier or nonce');
  if (issuer !== connection.issuer || clientId !== connection.oidc.clientId) {
    throw new SignInError('assertion_rejected', `the flow was begun with issuer ${issuer} and client ${clientId}`);
  }
  return { verifier, nonce, freshSince: freshSince === undefined ? null : (Number(freshSince) as Instant) };
}

/** Names an endpoint that a renewed document has on another origin: keys, secrets and people went to the old one (T23). */
function movedEndpoint(next: client.ServerMetadata, held: client.ServerMetadata): string | null {
  for (const name of endpoints) {
    const [before, after] = [held[name], next[name]].map((address) =>
      address === undefined ? null : URL.parse(address)?.origin,
    );
    if (before !== after)
      return `discovery of ${held.issuer} moved ${name} from ${before} to ${after}; restart to accept it`;
  }
  return null;
}

/** A list of names in a document that its author may have got wrong; null for anything else. */
function listOf(value: unknown): readonly string[] | null {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : null;
}

function headerType(jwt: string): unknown {
  const header: unknown = JSON.parse(Buffer.from(jwt.split('.')[0] ?? '', 'base64url').toString());
  return typeof header === 'object' && header !== null && 'typ' in header ? header.typ : undefined;
}
