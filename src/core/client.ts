// Applications: what a client may be, and where its answers may go.

import { type Refusal, refused } from './errors.ts';

/** An API that takes access tokens of ours. */
export type Resource = {
  /** The `resource` that a client asks for, and the `aud` of the token: an absolute URI. */
  readonly identifier: string;
  readonly scopes: readonly string[];
};

export type ClientSettings = {
  readonly name: string;
  /**
   * `web` runs on a server and authenticates itself; `browser` is script in a page, `native` an app on a device: neither can keep a
   * secret.
   */
  readonly kind: 'web' | 'browser' | 'native';
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris: readonly string[];
  readonly resources: readonly Resource[];
  /** Whose token the client gets without asking. Such a token is not for userinfo. */
  readonly defaultResource: string | null;
  readonly refreshTokens: boolean;
  /** How ID tokens are signed. Access tokens are always ES256. */
  readonly signingAlgorithm: 'ES256' | 'RS256';
  /** Public keys of a web client that authenticates by private_key_jwt; null: by a secret. */
  readonly publicKeys: readonly Readonly<Record<string, unknown>>[] | null;
};

const standardScopes = ['openid', 'offline_access', 'email', 'profile'] as const;

const CLIENT_ID = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,99}$/;
// RFC 6749: what a scope may be made of.
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/;
const PRIVATE_JWK_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

/** True for what may be a client id: short, printable, and safe in a URL, a log and a database. */
export function isClientId(text: string): boolean {
  return CLIENT_ID.test(text);
}

/**
 * The settings, or `invalid` with the one thing to mend. Redirect URIs are compared as exact strings later (T70), so they are taken
 * as they are written: https, or http on this machine; for native apps also a private scheme that holds a dot (RFC 8252 §7.1).
 */
export function checkClient(settings: ClientSettings): ClientSettings | Refusal {
  const no = (message: string) => refused('invalid', message);
  if (settings.name.trim() === '' || settings.name.length > 100)
    return no('A client needs a name of 1 to 100 characters.');
  if (settings.redirectUris.length === 0) return no('A client needs at least one redirect URI.');
  for (const uri of [...settings.redirectUris, ...settings.postLogoutRedirectUris]) {
    const fault = redirectFault(uri, settings.kind);
    if (fault !== null) return no(`The redirect URI ${JSON.stringify(uri)} ${fault}.`);
  }
  for (const resource of settings.resources) {
    if (!isResource(resource.identifier)) {
      return no(`The resource ${JSON.stringify(resource.identifier)} is not an absolute URI without a fragment.`);
    }
    for (const scope of resource.scopes) {
      // A scope of ours that an API also uses would be granted as ours.
      if ((standardScopes as readonly string[]).includes(scope))
        return no(`The scope ${scope} is OpenID Connect's own.`);
      if (!SCOPE.test(scope)) return no(`The scope ${JSON.stringify(scope)} has characters that a scope cannot have.`);
    }
  }
  const identifiers = settings.resources.map((resource) => resource.identifier);
  if (new Set(identifiers).size < identifiers.length) return no('A resource is named twice.');
  if (settings.defaultResource !== null && !identifiers.includes(settings.defaultResource)) {
    return no('The default resource is not among the resources.');
  }
  return keyFault(settings) ?? settings;
}

function keyFault(settings: ClientSettings): Refusal | null {
  const { publicKeys, kind } = settings;
  if (publicKeys === null) return null;
  if (kind !== 'web') return refused('invalid', 'Only a web client authenticates by a key.');
  if (publicKeys.length === 0) return refused('invalid', 'A client that authenticates by a key needs at least one.');
  const isPrivate = publicKeys.some((key) => PRIVATE_JWK_MEMBERS.some((member) => member in key));
  return isPrivate ? refused('invalid', 'The keys of a client are public ones; this one holds a private part.') : null;
}

function redirectFault(uri: string, kind: ClientSettings['kind']): string | null {
  if (!/^[\x21-\x7e]{1,2000}$/.test(uri) || /[*\\"<>^`{|}]/.test(uri)) return 'has characters that a URI cannot have';
  if (!URL.canParse(uri)) return 'is not an absolute URI';
  const url = new URL(uri);
  if (uri.includes('#')) return 'has a fragment';
  if (url.username !== '' || url.password !== '') return 'names a user';
  if (url.protocol === 'https:')
    return kind === 'native' && isLoopback(url.hostname) ? 'is https on this machine' : null;
  if (url.protocol === 'http:') return isLoopback(url.hostname) ? null : 'is http; expected https';
  return kind === 'native' && url.protocol.includes('.') ? null : 'has a scheme that such a client cannot have';
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]';
}

function isResource(identifier: string): boolean {
  return /^[\x21-\x7e]{1,500}$/.test(identifier) && URL.canParse(identifier) && !identifier.includes('#');
}
