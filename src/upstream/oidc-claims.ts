// What an ID token, once proven, says about the person. Claims are read here and nowhere else.

import type { AssertedGroups, UpstreamAssertion } from '../core/identity.ts';
import type { ConnectionId, Instant } from '../core/ids.ts';
import { parseEmail } from '../core/profile.ts';
import type { OidcSettings } from '../core/tenant.ts';
import { entraTenant } from './oidc-issuer.ts';

export type Claims = Readonly<Record<string, unknown>>;

const maxGroups = 2_000;
const maxGroupLength = 1_000;
const maxNameLength = 200;
// OpenID Connect Core 1.0 §2.
const maxIdentifierLength = 255;
const maxSkewMs = 60_000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;

/** What a check may look at, beside the claims. */
type Expected = {
  readonly issuer: string;
  readonly clientId: string;
  readonly now: Instant;
  /** When the flow began, where it asked for a fresh login. */
  readonly freshSince: Instant | null;
};
type Check = (claims: Claims, expected: Expected) => string | null;

const notFromTheFuture: Check = ({ iat }, { now }) =>
  typeof iat === 'number' && iat * 1000 <= now + maxSkewMs ? null : `iat ${shown(iat)} is in the future`;

// With one audience the library does not look at azp; no extension that we use makes another party ours.
const forUs: Check = ({ azp }, { clientId }) =>
  azp === undefined || azp === clientId ? null : `azp ${shown(azp)} is not ${clientId}`;

const oneSubject: Check = ({ sub }) =>
  isIdentifier(sub) ? null : `sub is no string of 1 to ${maxIdentifierLength} characters without control characters`;

const tenantOfIssuer: Check = ({ tid }, { issuer }) => {
  const tenant = entraTenant(issuer);
  return tenant === null || tid === undefined || tid === tenant
    ? null
    : `tid ${shown(tid)} is not the tenant of the issuer`;
};

const freshLogin: Check = ({ auth_time }, { freshSince }) => {
  if (freshSince === null) return null;
  if (typeof auth_time !== 'number') return 'a fresh login was asked for and auth_time is missing';
  return auth_time * 1000 >= freshSince - maxSkewMs
    ? null
    : `a fresh login was asked for and auth_time ${auth_time} is older`;
};

const checks: readonly Check[] = [notFromTheFuture, forUs, oneSubject, tenantOfIssuer, freshLogin];

/** What is wrong with claims whose signature, issuer, audience, nonce and expiry hold; null if nothing is (T22, T24, T25). */
export function claimsFault(claims: Claims, expected: Expected): string | null {
  for (const check of checks) {
    const fault = check(claims, expected);
    if (fault !== null) return fault;
  }
  return null;
}

/**
 * Why a JWT's `typ` forbids to take it for an ID token; null if it may be one. ID tokens have no explicit type; `at+jwt`,
 * `logout+jwt` and their like are another kind of token by the same issuer (T24, RFC 8725 §3.11).
 */
export function typeFault(typ: unknown): string | null {
  if (typ === undefined) return null;
  return typeof typ === 'string' && !/\+jwt$/i.test(typ) ? null : `a token of type ${shown(typ)} is not an ID token`;
}

/** True if userinfo may know what the ID token does not say: the address, or the groups where they are wanted. */
export function wantsUserinfo(idToken: Claims, settings: OidcSettings): boolean {
  const lacksGroups = settings.groupsClaim !== null && groupsIn(idToken, settings.groupsClaim).kind === 'absent';
  return lacksGroups || idToken.email === undefined;
}

/**
 * The assertion that proven claims make. `userinfo` is of the same subject, or null; it only fills what the ID token lacks.
 *
 * The address is verified if `email_verified` beside it is the boolean true, or the operator vouches for the IdP (T26, T33);
 * whether its domain is one of the connection's is the linking rule's question. `preferred_username` is not read (T28), and no
 * address in the token is fetched. Without `auth_time` the person counts as authenticated when the token was issued.
 */
export function assertionOf(
  connection: { readonly connectionId: ConnectionId; readonly issuer: string; readonly oidc: OidcSettings },
  idToken: Claims & { readonly sub: string; readonly iat: number },
  userinfo: Claims | null,
  now: Instant,
): UpstreamAssertion {
  const settings = connection.oidc;
  // The address and its mark come from one document: a mark says nothing of the other's address.
  const withEmail = idToken.email !== undefined ? idToken : (userinfo ?? {});
  const email = emailIn(withEmail);
  const either = (name: string) => nameIn(idToken, name) ?? nameIn(userinfo ?? {}, name);
  const authTime = idToken.auth_time;
  const at = (typeof authTime === 'number' ? authTime : idToken.iat) * 1000;
  return {
    connectionId: connection.connectionId,
    method: 'oidc',
    issuer: connection.issuer,
    subject: idToken.sub,
    directoryIds: directoryIdsIn(idToken, settings),
    directoryUserName: null,
    email,
    emailVerified: email !== null && (withEmail.email_verified === true || settings.trustsEmail),
    givenName: either('given_name'),
    familyName: either('family_name'),
    displayName: either('name'),
    groups: groupsOf(idToken, userinfo, settings.groupsClaim),
    authenticatedAt: Math.min(Math.floor(at), now) as Instant,
  };
}

function emailIn(claims: Claims) {
  return typeof claims.email === 'string' ? parseEmail(claims.email) : null;
}

function nameIn(claims: Claims, name: string): string | null {
  const value = claims[name];
  if (typeof value !== 'string') return null;
  const clean = [...value]
    .filter((character) => !CONTROL.test(character))
    .slice(0, maxNameLength)
    .join('')
    .trim();
  return clean === '' ? null : clean;
}

function directoryIdsIn(idToken: Claims & { readonly sub: string }, settings: OidcSettings): readonly string[] {
  const oid = settings.directoryIdClaim === 'oid' ? idToken.oid : undefined;
  return isIdentifier(oid) && oid !== idToken.sub ? [idToken.sub, oid] : [idToken.sub];
}

function groupsOf(idToken: Claims, userinfo: Claims | null, name: string | null): AssertedGroups {
  const groups = groupsIn(idToken, name);
  return groups.kind === 'absent' && userinfo !== null ? groupsIn(userinfo, name) : groups;
}

function groupsIn(claims: Claims, name: string | null): AssertedGroups {
  if (name === null) return { kind: 'absent' };
  const value = claims[name];
  // Entra ID names the groups' claim here when there are too many; the address that comes with it is not ours to call.
  const distributed = claims._claim_names;
  if (isObject(distributed) && Object.hasOwn(distributed, name)) return { kind: 'overage' };
  if (name === 'groups' && value === undefined && claims.hasgroups === true) return { kind: 'overage' };
  // Some IdPs send the only group of a person without the brackets.
  const list = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list)) return { kind: 'absent' };
  return { kind: 'named', values: [...new Set(list.filter(isGroupName))].slice(0, maxGroups) };
}

function isIdentifier(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= maxIdentifierLength && !CONTROL.test(value);
}

function isGroupName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= maxGroupLength && !value.includes('\u0000');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return value === undefined ? 'undefined' : JSON.stringify(value).slice(0, 200);
}
