// Who is this? What a connector proved, and what a sign-in does about it.

import type { Bar } from './access.ts';
import type { ConnectionId, Instant, TenantSlug, UserId } from './ids.ts';
import { domainMatches, type Email, emailDomain, type FoldedAddress, userNameKey } from './profile.ts';
import type { TenantSettings } from './tenant.ts';

/** Groups named in an assertion. `overage`: the IdP had too many to name, so nothing is known, which is not "no groups". */
export type AssertedGroups =
  | { readonly kind: 'absent' }
  | { readonly kind: 'overage' }
  | { readonly kind: 'named'; readonly values: readonly string[] };

/** What a connector proved about the person in front of it. Every field is checked; nothing here is what a browser claimed. */
export type UpstreamAssertion = {
  readonly connectionId: ConnectionId;
  readonly method: 'oidc' | 'saml' | 'password';
  /** OIDC `iss`, or the SAML entity ID of the IdP. */
  readonly issuer: string;
  /** OIDC `sub`, or the SAML NameID's text. */
  readonly subject: string;
  /** What may equal externalId of this connection's directory (OIDC: sub and oid; SAML: NameID). */
  readonly directoryIds: readonly string[];
  /** SAML only: NameID may equal the directory's userName. Never set from `preferred_username` (T28). */
  readonly directoryUserName: string | null;
  readonly email: Email | null;
  readonly emailVerified: boolean;
  readonly givenName: string | null;
  readonly familyName: string | null;
  readonly displayName: string | null;
  readonly groups: AssertedGroups;
  readonly authenticatedAt: Instant;
};

/** An account that the assertion may belong to. */
export type Candidate = {
  readonly userId: UserId;
  readonly bar: Bar | null;
  /** Barred through this very connection: its directory says inactive or removed. */
  readonly directoryInactive: boolean;
};

export type SignInFacts = {
  readonly settings: TenantSettings;
  readonly connection: {
    readonly connectionId: ConnectionId;
    readonly enabled: boolean;
    readonly domains: readonly string[];
  };
  readonly allowedDomains: readonly string[];
  /** Holder of the open identity (connection, issuer, subject). */
  readonly byIdentity: Candidate | null;
  /** Through this connection's directory, by one of the directory ids, or by userName where the assertion allows it. */
  readonly byDirectory: Candidate | null;
  /** Users of the tenant with the asserted address. */
  readonly byEmail: readonly (Candidate & {
    readonly holdsAdminRights: boolean;
    readonly mappedAcrossTenants: boolean;
    /** Has an open identity, or a directory user, on this connection: another person of this IdP. */
    readonly linkedOnConnection: boolean;
    /** Made by connections none of which owns the address's domain: nobody who may vouch for the address ever did (T31). */
    readonly fromElsewhere: boolean;
  })[];
  /** The asserted address's domain is owned, and not by this connection: by one of another tenant (T27), or of this one. */
  readonly domainOwnedElsewhere: boolean;
};

export type SignInRefusal =
  | 'connection_disabled'
  | 'deactivated'
  | 'unknown_person'
  | 'domain_not_allowed'
  | 'add_sso'
  | 'email_missing'
  | 'email_unverified';

export type SignInStep =
  | { readonly kind: 'known'; readonly userId: UserId; readonly link: null | 'directory' | 'email' }
  | { readonly kind: 'create'; readonly approval: 'approved' | 'pending' }
  | { readonly kind: 'refused'; readonly reason: SignInRefusal; readonly userId: UserId | null };

/**
 * Whose sign-in this is, in order: the linked identity; this connection's directory user; a verified address in the connection's
 * own domains with exactly one plain candidate; else by the tenant's mode: JIT creates, registration creates pending, invite-only
 * refuses (R3-R8, D4, D5).
 *
 * A deactivated match is refused, never duplicated. JIT never creates where the address belongs to a person whom this sign-in may
 * not link: that is told about *Add SSO*. Suspended people are found like anybody else; what they may do is derived elsewhere.
 * Does not look at roles.
 */
export function decideSignIn(assertion: UpstreamAssertion, facts: SignInFacts): SignInStep {
  if (!facts.connection.enabled) return { kind: 'refused', reason: 'connection_disabled', userId: null };
  const known = facts.byIdentity ?? facts.byDirectory;
  if (known !== null) return admit(known, facts.byIdentity !== null ? null : 'directory');
  if (facts.byEmail.length > 0) return byEmail(assertion, facts);
  return stranger(assertion, facts);
}

function admit(candidate: Candidate, link: null | 'directory' | 'email'): SignInStep {
  return candidate.bar === 'deactivated' || candidate.directoryInactive
    ? { kind: 'refused', reason: 'deactivated', userId: candidate.userId }
    : { kind: 'known', userId: candidate.userId, link };
}

function byEmail(assertion: UpstreamAssertion, facts: SignInFacts): SignInStep {
  const [only, ...others] = facts.byEmail;
  if (only === undefined || others.length > 0) return { kind: 'refused', reason: 'add_sso', userId: null };
  const mayLink =
    facts.settings.linking === 'verified_domain' &&
    assertion.email !== null &&
    assertion.emailVerified &&
    domainMatches(emailDomain(assertion.email), facts.connection.domains) &&
    !facts.domainOwnedElsewhere &&
    !only.holdsAdminRights &&
    !only.mappedAcrossTenants &&
    !only.linkedOnConnection &&
    !only.fromElsewhere;
  if (!mayLink)
    return { kind: 'refused', reason: only.bar === 'deactivated' ? 'deactivated' : 'add_sso', userId: only.userId };
  return admit(only, 'email');
}

function stranger(assertion: UpstreamAssertion, facts: SignInFacts): SignInStep {
  const { settings } = facts;
  if (settings.provisioningMode === 'invite_only' && !settings.registrationAllowed) {
    return { kind: 'refused', reason: 'unknown_person', userId: null };
  }
  if (assertion.email === null) return { kind: 'refused', reason: 'email_missing', userId: null };
  // An unverified address would let a stranger of this IdP squat on somebody's account before they arrive (T29, T33).
  if (!assertion.emailVerified) return { kind: 'refused', reason: 'email_unverified', userId: null };
  const domain = emailDomain(assertion.email);
  const inScope =
    !facts.domainOwnedElsewhere &&
    (settings.domainScope === 'any' ||
      domainMatches(domain, facts.connection.domains) ||
      (settings.domainScope === 'allowed_domains' && domainMatches(domain, facts.allowedDomains)));
  if (!inScope) return { kind: 'refused', reason: 'domain_not_allowed', userId: null };
  return { kind: 'create', approval: settings.provisioningMode === 'jit' ? 'approved' : 'pending' };
}

/** What may be hashed to recognise a person again; see suspensions. Connection is named by its key, which survives re-creation. */
export function identityKeyText(connectionKey: string, issuer: string, subject: string): string {
  return JSON.stringify(['identity', connectionKey, issuer, subject]);
}
export function externalIdKeyText(connectionKey: string, externalId: string): string {
  return JSON.stringify(['externalId', connectionKey, externalId]);
}
/**
 * Of a userName that is no address. It means something in its own directory alone, so the tenant is named with it: what a guest is
 * called at home says nothing of the target's connection of the same key.
 */
export function userNameKeyText(tenant: TenantSlug, connectionKey: string, userName: string): string {
  return JSON.stringify(['userName', tenant, connectionKey, userNameKey(userName)]);
}
export function emailKeyText(address: FoldedAddress): string {
  return JSON.stringify(['email', address]);
}
