// Everything that can ever be changed, as data. A decision names its changes and its audit events together, so that nothing can
// be done unrecorded; `store/apply.ts` is the one switch over Change.

import type { BlastGuard } from './directory-settings.ts';
import type {
  ConnectionId,
  CredentialId,
  DirectoryGroupId,
  DirectoryUserId,
  GrantId,
  GuestId,
  IdentityId,
  Instant,
  InvitationId,
  KeyHash,
  LocalGroupId,
  MembershipId,
  Person,
  RequestId,
  RoleId,
  RuleId,
  SubjectId,
  SuspensionId,
  TenantId,
  TenantSlug,
  UserId,
} from './ids.ts';
import type { Email, Profile } from './profile.ts';
import type { TenantSettings } from './tenant.ts';

/** Who did it. `operator` is the command line. */
export type Actor =
  | { readonly kind: 'user'; readonly tenantId: TenantId; readonly userId: UserId; readonly name: string }
  | { readonly kind: 'operator'; readonly name: string }
  | { readonly kind: 'client'; readonly clientId: string }
  | { readonly kind: 'directory'; readonly connectionId: ConnectionId; readonly name: string }
  | { readonly kind: 'person'; readonly connectionId: ConnectionId | null; readonly name: string }
  | { readonly kind: 'system' };

/** A person with an administrator's authority: the only one who can grant with source `admin`, and so lift a suspension. */
export type Administrator = Extract<Actor, { kind: 'user' | 'operator' | 'client' }>;

export type UserOrigin = 'admin' | 'invitation' | 'jit' | 'scim' | 'csv' | 'signup' | 'bootstrap';

export type CreateUser = {
  readonly kind: 'create_user';
  readonly userId: UserId;
  readonly profile: Profile;
  readonly emailVerified: boolean;
  readonly origin: UserOrigin;
  readonly approval: 'approved' | 'pending';
};

/**
 * A grant that lifts a suspension has an administrator as its source; sign-in and provisioning have no way to say it.
 */
export type GrantRole =
  | {
      readonly kind: 'grant_role';
      readonly source: 'admin';
      readonly by: Administrator;
      readonly grantId: GrantId;
      readonly subjectId: SubjectId;
      readonly roleId: RoleId;
      readonly lifts: SuspensionId | null;
    }
  | {
      readonly kind: 'grant_role';
      readonly source: 'invitation' | 'default';
      readonly grantId: GrantId;
      readonly subjectId: SubjectId;
      readonly roleId: RoleId;
    };

export type CreateDirectoryUser = {
  readonly kind: 'create_directory_user';
  readonly directoryUserId: DirectoryUserId;
  readonly connectionId: ConnectionId;
  readonly userId: UserId;
  readonly resource: PushedUser;
  /** That the user is active waits for the activation of the held directory. Never so of somebody new. */
  readonly withheld: boolean;
};

/**
 * A user as a directory pushed it, parsed. `attributes` is the resource without id, meta, schemas, groups and password; `json` is
 * the same as text, made once: it is measured, stored and answered.
 */
export type PushedUser = {
  readonly externalId: string | null;
  readonly userName: string;
  readonly active: boolean;
  readonly email: Email | null;
  readonly profile: Profile;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly json: string;
};

export type Change =
  | {
      readonly kind: 'create_tenant';
      readonly tenantId: TenantId;
      readonly slug: TenantSlug;
      /** Null for the system tenant alone. */
      readonly parentId: TenantId | null;
      readonly displayName: string;
      readonly settings: TenantSettings;
      readonly managedBy: 'config' | 'api';
      readonly roleIds: readonly RoleId[];
      readonly ownersGroupId: LocalGroupId;
    }
  | CreateUser
  | {
      readonly kind: 'update_profile';
      readonly userId: UserId;
      readonly profile: Partial<Profile>;
      readonly emailVerified?: boolean;
    }
  /** The address goes back to the pool: its former holder keeps only the keyed hash. */
  | { readonly kind: 'give_up_email'; readonly userId: UserId }
  | { readonly kind: 'set_admin_active'; readonly userId: UserId; readonly active: boolean }
  | { readonly kind: 'approve_user'; readonly userId: UserId }
  | {
      readonly kind: 'link_identity';
      readonly identityId: IdentityId;
      readonly userId: UserId;
      readonly connectionId: ConnectionId;
      readonly issuer: string;
      readonly subject: string;
      readonly by: 'directory' | 'email' | 'jit' | 'registration' | 'self' | 'admin';
    }
  | { readonly kind: 'end_identities'; readonly userId: UserId }
  | {
      readonly kind: 'assert_groups';
      readonly userId: UserId;
      readonly connectionId: ConnectionId;
      readonly values: readonly string[];
    }
  | { readonly kind: 'record_sign_in'; readonly userId: UserId; readonly at: Instant }
  | { readonly kind: 'set_password'; readonly userId: UserId; readonly hash: string; readonly mustChange: boolean }
  | { readonly kind: 'end_password'; readonly userId: UserId }
  | GrantRole
  | { readonly kind: 'end_grant'; readonly grantId: GrantId; readonly by: Actor }
  | {
      readonly kind: 'suspend';
      readonly suspensionId: SuspensionId;
      readonly subjectId: SubjectId;
      readonly by: Actor;
      readonly reason: string | null;
      /** Set where a fresh row begins suspended because its former holder was. */
      readonly inheritedFrom: SuspensionId | null;
    }
  /** Remembers what a person was known by: every key of a suspended person, and any key that is given up. */
  | { readonly kind: 'hold_keys'; readonly subjectId: SubjectId; readonly hashes: readonly KeyHash[] }
  /** Raises the epoch and removes sessions, codes, tokens and grants of the subject. Every bar does it. */
  | {
      readonly kind: 'end_sessions';
      readonly subjectId: SubjectId;
      readonly subjectKind: 'user' | 'guest';
      /** Where the subject is of another tenant than the one acted in. */
      readonly inTenant?: TenantId;
    }
  | CreateDirectoryUser
  | {
      readonly kind: 'update_directory_user';
      readonly directoryUserId: DirectoryUserId;
      readonly version: number;
      readonly resource: PushedUser;
      /** It makes the user active, and that waits for the activation of the held directory. Whoever is waiting so, goes on. */
      readonly withheld: boolean;
    }
  | {
      readonly kind: 'end_directory_user';
      readonly directoryUserId: DirectoryUserId;
      readonly by: 'directory' | 'admin';
    }
  | {
      readonly kind: 'create_group';
      readonly groupId: DirectoryGroupId;
      readonly connectionId: ConnectionId;
      readonly displayName: string;
      readonly externalId: string | null;
      readonly attributes: Readonly<Record<string, unknown>>;
    }
  | {
      readonly kind: 'update_group';
      readonly groupId: DirectoryGroupId;
      readonly displayName: string;
      readonly externalId: string | null;
      readonly attributes: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'end_group'; readonly groupId: DirectoryGroupId }
  | {
      readonly kind: 'bind_rule';
      readonly ruleId: RuleId;
      readonly groupId: DirectoryGroupId;
      readonly state: 'bound' | 'held';
    }
  | { readonly kind: 'create_guest'; readonly guestId: GuestId; readonly source: Person; readonly by: Administrator }
  | { readonly kind: 'end_guest'; readonly guestId: GuestId; readonly source: Person }
  | {
      readonly kind: 'join_local_group';
      readonly membershipId: MembershipId;
      readonly groupId: LocalGroupId;
      readonly subjectId: SubjectId;
    }
  | { readonly kind: 'leave_local_groups'; readonly subjectId: SubjectId }
  | {
      readonly kind: 'put_access_request';
      readonly requestId: RequestId;
      readonly requestKind: 'in_app' | 'signup' | 'sso_signup';
      /** One open request per address and tenant. The user name stands in for a person without an address. */
      readonly email: string;
      readonly subjectId: SubjectId | null;
      readonly message: string | null;
    }
  | {
      readonly kind: 'decide_access_request';
      readonly requestId: RequestId;
      readonly decision: 'approved' | 'declined';
      readonly by: Actor;
    }
  | {
      readonly kind: 'create_invitation';
      readonly invitationId: InvitationId;
      readonly userId: UserId;
      readonly purpose: 'invite' | 'reset' | 'bootstrap';
      readonly secretHash: string;
      readonly email: Email | null;
      readonly expiresAt: Instant;
      readonly by: Actor;
    }
  | { readonly kind: 'use_invitation'; readonly invitationId: InvitationId }
  | { readonly kind: 'end_invitations'; readonly userId: UserId }
  | {
      readonly kind: 'create_scim_credential';
      readonly credentialId: CredentialId;
      readonly connectionId: ConnectionId;
      readonly prefix: string;
      readonly secretHash: string;
      readonly expiresAt: Instant | null;
      readonly by: Actor;
    }
  | { readonly kind: 'end_scim_credential'; readonly credentialId: CredentialId }
  /** Until an administrator resumes it or discards what it asked for: then it is `unpause_directory`, and it is counted anew. */
  | {
      readonly kind: 'pause_directory';
      readonly connectionId: ConnectionId;
      readonly line: 'people' | 'percent';
      readonly people: number;
    }
  /** `approved`: of what it asked for is kept what has to be sent again. */
  | { readonly kind: 'unpause_directory'; readonly connectionId: ConnectionId; readonly approved: boolean }
  | { readonly kind: 'send_mail'; readonly mail: Mail };

/** A message to be, by name and facts; it is worded where it is sent. Enqueued in the change's own transaction. */
export type Mail =
  | {
      readonly template: 'access_requested';
      readonly to: Email;
      readonly tenant: TenantSlug;
      /** What the person calls themselves; null: nothing. Never enough to know them by. */
      readonly person: string | null;
      readonly address: string;
      readonly message: string | null;
    }
  | {
      readonly template: 'invitation';
      readonly to: Email;
      readonly tenant: TenantSlug;
      readonly link: string;
      readonly expiresAt: Instant;
    }
  | { readonly template: 'sso_linked'; readonly to: Email; readonly tenant: TenantSlug; readonly connection: string }
  | {
      readonly template: 'directory_paused';
      readonly to: Email;
      readonly tenant: TenantSlug;
      readonly connection: string;
      readonly line: 'people' | 'percent';
      readonly people: number;
      readonly guard: BlastGuard;
    }
  /** To the address that a person keeps, after a directory pushed another one for them (T40). */
  | { readonly template: 'address_kept'; readonly to: Email; readonly tenant: TenantSlug; readonly connection: string };

/** One row of the audit trail: what was done, or refused where authority was asked for. Who and in which request is added once. */
export type AuditEvent = {
  /** `object.verb` in the past: `user.suspended`, `identity.linked`, `sign_in.refused`. */
  readonly kind: string;
  readonly outcome: 'done' | 'refused';
  readonly objectKind:
    | 'tenant'
    | 'user'
    | 'guest'
    | 'group'
    | 'connection'
    | 'client'
    | 'rule'
    | 'role'
    | 'request'
    | 'key'
    | null;
  readonly objectId: string | null;
  readonly reason: string | null;
  readonly detail: Readonly<Record<string, unknown>> | null;
  /** Where the event belongs to another tenant than the one acted in: a mapping is audited at both ends. */
  readonly inTenant?: TenantId;
};

export type Decision<Outcome> = {
  readonly outcome: Outcome;
  readonly changes: readonly Change[];
  readonly events: readonly AuditEvent[];
};

/** An event of something done, in one line. */
export function done(
  kind: string,
  objectKind: AuditEvent['objectKind'],
  objectId: string | null,
  detail: AuditEvent['detail'] = null,
  reason: string | null = null,
): AuditEvent {
  return { kind, outcome: 'done', objectKind, objectId, reason, detail };
}

/** An event of something refused. */
export function denied(
  kind: string,
  objectKind: AuditEvent['objectKind'],
  objectId: string | null,
  reason: string,
  detail: AuditEvent['detail'] = null,
): AuditEvent {
  return { kind, outcome: 'refused', objectKind, objectId, reason, detail };
}
