// A tenant's settings: the administrators' standing decisions about their space. Each names the source conflict it settles.

import type { DirectorySettings } from './directory-settings.ts';
import type { ConnectionId, RoleId, TenantId } from './ids.ts';

/** Rights that roles bundle. A right is only ever held in a tenant, through a role. */
export const rights = [
  'CreateUser',
  'DeleteUser',
  'viewDeleted',
  'createAccessRequest',
  'UserUpdate',
  'TenantManagement',
  'ConfigManagement',
] as const;
export type Right = (typeof rights)[number];

export type TenantSettings = {
  /** R1, R2: what an unrecognised address is given. */
  readonly provisioningMode: 'invite_only' | 'jit';
  /** C1: what a just-in-time account starts with. */
  readonly initialAccess: 'none' | 'default_role' | 'mapped_roles';
  /** Name `Workspace: Role` of the role that `default_role` gives. */
  readonly defaultRole: string | null;
  /** C2: whether administrators' grants, mapping rules or both give roles. */
  readonly authorization: 'internal' | 'hybrid' | 'external';
  /** C4: whether an unrecognised person may register by SSO (inside invite-only). */
  readonly registrationAllowed: boolean;
  /** C5: how a sign-in finds an account it is not linked to yet. */
  readonly linking: 'verified_domain' | 'signed_in_only' | 'off';
  /** C13: which addresses JIT may create. */
  readonly domainScope: 'owned_domains' | 'allowed_domains' | 'any';
  /** C18: whether local passwords may be used. */
  readonly passwordSignIn: boolean;
  readonly adminContact: string | null;
  /** C24 */
  readonly mappingRevocation: 'next_refresh' | 'immediate';
};

export const defaultTenantSettings: TenantSettings = {
  provisioningMode: 'invite_only',
  initialAccess: 'mapped_roles',
  defaultRole: null,
  authorization: 'hybrid',
  registrationAllowed: false,
  linking: 'verified_domain',
  domainScope: 'owned_domains',
  passwordSignIn: false,
  adminContact: null,
  mappingRevocation: 'next_refresh',
};

/** A named bundle of rights in one tenant, shown everywhere as `Workspace: Role`. */
export type Role = {
  readonly roleId: RoleId;
  readonly workspace: string;
  readonly name: string;
  readonly rights: readonly Right[];
};

export function roleLabel(role: Pick<Role, 'workspace' | 'name'>): string {
  return `${role.workspace}: ${role.name}`;
}

/** Roles are told apart by their labels, whatever the case. */
export function sameRole(a: Pick<Role, 'workspace' | 'name'>, b: Pick<Role, 'workspace' | 'name'>): boolean {
  return roleLabel(a).toLowerCase() === roleLabel(b).toLowerCase();
}

/** Roles that every tenant has. `TenantManagement` held in a tenant covers that tenant's strict descendants. */
export const builtInRoles: readonly Omit<Role, 'roleId'>[] = [
  {
    workspace: 'Administration',
    name: 'Administrator',
    rights: ['CreateUser', 'DeleteUser', 'viewDeleted', 'createAccessRequest', 'UserUpdate', 'ConfigManagement'],
  },
  { workspace: 'Administration', name: 'TenantManagement', rights: ['TenantManagement'] },
];
export const ownersGroup = 'TenantOwners';

/**
 * The role that a text names among a tenant's: its whole label in any case, or its name alone where only one workspace has it.
 * `NO_ACCESS` is a state and never found.
 */
export function findRole<R extends Pick<Role, 'workspace' | 'name'>>(text: string, roles: readonly R[]): R | null {
  const wanted = text.trim().toLowerCase();
  const whole = roles.find((role) => roleLabel(role).toLowerCase() === wanted);
  if (whole !== undefined) return whole;
  const byName = roles.filter((role) => role.name.toLowerCase() === wanted);
  return byName.length === 1 ? (byName[0] ?? null) : null;
}

/** Whether a text is the name of the state in which nobody holds a role, however it is written. */
export function isNoAccess(name: string): boolean {
  return /^no[ _-]?access$/i.test(name.trim());
}

/** A secret is named, never held: the server that uses it reads it where it runs. */
export type SecretRef = { readonly env: string } | { readonly file: string };

export type OidcSettings = {
  readonly clientId: string;
  readonly clientSecret: SecretRef | null;
  readonly scopes: readonly string[];
  readonly groupsClaim: string | null;
  /** Claim that equals the directory's externalId: `sub` or Entra's `oid`. */
  readonly directoryIdClaim: 'sub' | 'oid';
  /** The operator vouches that this IdP verifies the addresses of its own domains, whatever email_verified says. */
  readonly trustsEmail: boolean;
};
export type SamlSettings = {
  readonly signOnUrl: string;
  /** PEM or bare base64 DER; the only keys that a response may be signed with. */
  readonly certificates: readonly string[];
  readonly nameIdFormat: string | null;
  readonly emailAttribute: string | null;
  readonly groupsAttribute: string | null;
  readonly givenNameAttribute: string | null;
  readonly familyNameAttribute: string | null;
  readonly trustsEmail: boolean;
  readonly insecureAllowUnsolicited: boolean;
  readonly insecureAllowSha1: boolean;
  readonly clockSkewSeconds: number;
};

/** What administrators decide about a connection. `protocol` null: a directory that only pushes. */
export type ConnectionSettings = {
  readonly key: string;
  readonly displayName: string;
  readonly enabled: boolean;
  readonly scim: boolean;
  /** A held directory's pushes land and grant nothing. */
  readonly scimHeld: boolean;
  readonly directory: DirectorySettings;
  /** OIDC issuer or SAML entity ID of the IdP. */
  readonly issuer: string | null;
  readonly domains: readonly string[];
} & (
  | { readonly protocol: 'oidc'; readonly oidc: OidcSettings }
  | { readonly protocol: 'saml'; readonly saml: SamlSettings }
  | { readonly protocol: 'password' }
  | { readonly protocol: null }
);

/** One tenant's agreement with one IdP. */
export type Connection = ConnectionSettings & { readonly connectionId: ConnectionId; readonly tenantId: TenantId };
