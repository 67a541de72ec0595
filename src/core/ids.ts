// Identifiers and instants. An id of one kind is not assignable to another, so a guest can never be passed where a user is meant.

export type TenantId = string & { readonly brand: 'TenantId' };
/** The human Tenant ID (slug): what URLs, config files and tokens carry. Never reused. */
export type TenantSlug = string & { readonly brand: 'TenantSlug' };
export type UserId = string & { readonly brand: 'UserId' };
export type GuestId = string & { readonly brand: 'GuestId' };
/** Who holds access in a tenant: one of its users or one of its guests. */
export type SubjectId = UserId | GuestId;
export type ConnectionId = string & { readonly brand: 'ConnectionId' };
export type CredentialId = string & { readonly brand: 'CredentialId' };
export type IdentityId = string & { readonly brand: 'IdentityId' };
export type DirectoryUserId = string & { readonly brand: 'DirectoryUserId' };
export type DirectoryGroupId = string & { readonly brand: 'DirectoryGroupId' };
export type LocalGroupId = string & { readonly brand: 'LocalGroupId' };
export type MembershipId = string & { readonly brand: 'MembershipId' };
export type RoleId = string & { readonly brand: 'RoleId' };
export type RuleId = string & { readonly brand: 'RuleId' };
export type GrantId = string & { readonly brand: 'GrantId' };
export type SuspensionId = string & { readonly brand: 'SuspensionId' };
export type RequestId = string & { readonly brand: 'RequestId' };
export type InvitationId = string & { readonly brand: 'InvitationId' };

/** Milliseconds since the epoch. `Date` stays at the edges. */
export type Instant = number & { readonly brand: 'Instant' };

/** Keyed hash (hex) of something a person was known by; see {@link file://./identity.ts}. */
export type KeyHash = string & { readonly brand: 'KeyHash' };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** True for a canonical (lower-case, hyphenated) UUID; anything else is an unknown id, never a cast error in the database. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

// The same form as the check on tenants.slug.
const SLUG = /^[a-z0-9](-?[a-z0-9]){1,62}$/;
const RESERVED_SLUGS: ReadonlySet<string> = new Set([
  'admin',
  'api',
  'console',
  'scim',
  'oidc',
  'system',
  'www',
  'well-known',
]);

/**
 * Tenant ID of a client's text, or null. 2 to 63 characters of a-z, 0-9 and single hyphens, not at the ends: there is one
 * canonical form, so nothing is folded. Does not say whether the tenant exists.
 */
export function parseTenantSlug(text: string): TenantSlug | null {
  return SLUG.test(text) && text.length <= 63 ? (text as TenantSlug) : null;
}

/** True for names that a new tenant may not take. */
export function isReservedSlug(slug: TenantSlug): boolean {
  return RESERVED_SLUGS.has(slug);
}

/** A person wherever they go: their home tenant and their user there. */
export type Person = { readonly tenantId: TenantId; readonly userId: UserId };

/** The `sub` of tokens: `<home tenant uuid>.<user uuid>`. Opaque to applications, the same for ever. */
export function formatSub(person: Person): string {
  return `${person.tenantId}.${person.userId}`;
}

/** The person a `sub` names, or null where the text has another form. Does not say whether they exist. */
export function parseSub(sub: string): Person | null {
  const [tenantId, userId, ...rest] = sub.split('.');
  if (tenantId === undefined || userId === undefined || rest.length > 0) return null;
  return isUuid(tenantId) && isUuid(userId) ? { tenantId: tenantId as TenantId, userId: userId as UserId } : null;
}
