// What a proven sign-in records of the person, as decisions: nothing here is written yet.

import type { Context } from '../context.ts';
import { bar } from '../core/access.ts';
import { type Change, type Decision, denied, done } from '../core/change.ts';
import { externalIdKeyText, identityKeyText, type UpstreamAssertion } from '../core/identity.ts';
import type {
  GrantId,
  IdentityId,
  KeyHash,
  Person,
  RequestId,
  SuspensionId,
  TenantId,
  TenantSlug,
  UserId,
} from '../core/ids.ts';
import type { Email } from '../core/profile.ts';
import { findRole } from '../core/tenant.ts';
import type { ConfigInForce } from '../store/config-in-force.ts';
import type { SubjectRead } from '../store/subject.ts';
import { nameKeyTexts } from './standing.ts';

export type Admitted = { readonly person: Person; readonly created: boolean };

/** What the person who signs in is known by at this connection, whatever their address. */
export function linkKeys(ctx: Context, connectionKey: string, assertion: UpstreamAssertion): readonly KeyHash[] {
  const { issuer, subject, directoryIds } = assertion;
  return [
    identityKeyText(connectionKey, issuer, subject),
    ...directoryIds.map((id) => externalIdKeyText(connectionKey, id)),
  ].map((text) => ctx.keyHash(text));
}

/**
 * The userName that a directory may have had for who signs in, where it is no address. Apart from the others: an account that the
 * directory names by it was looked at when it came to the name, and who only signs in by it was never called so.
 */
export function nameKeys(
  ctx: Context,
  tenant: TenantSlug,
  connectionKey: string,
  { directoryUserName }: UpstreamAssertion,
): readonly KeyHash[] {
  const texts = directoryUserName === null ? [] : nameKeyTexts(tenant, connectionKey, directoryUserName);
  return texts.map((text) => ctx.keyHash(text));
}

/** What the sign-in of a known person records; `link`: by what they were found, where their identity is linked only now. */
export function admitKnown(
  ctx: Context,
  assertion: UpstreamAssertion,
  connectionKey: string,
  read: SubjectRead,
  link: null | 'directory' | 'email',
): Decision<Admitted> {
  const { userId } = read.person;
  const barred = bar(read.homeFacts);
  const changes: Change[] = [];
  const events = [];
  if (link !== null) {
    changes.push(linkIdentity(ctx, userId, assertion, link));
    events.push(
      done('identity.linked', 'user', userId, { by: link, connection: connectionKey, method: assertion.method }),
    );
    if (read.homeFacts.suspension !== null) {
      changes.push({ kind: 'hold_keys', subjectId: userId, hashes: linkKeys(ctx, connectionKey, assertion) });
    }
    if (link === 'email' && !read.profile.emailVerified) {
      // Whoever set this password never proved the address (T29): only the person whom the IdP vouches for keeps a way in.
      changes.push(
        { kind: 'end_password', userId },
        { kind: 'end_invitations', userId },
        { kind: 'end_sessions', subjectId: userId, subjectKind: 'user' },
        { kind: 'update_profile', userId, profile: {}, emailVerified: true },
      );
    }
  }
  changes.push(...assertedGroups(assertion, userId, read));
  if (barred === null) {
    changes.push({ kind: 'record_sign_in', userId, at: ctx.now() });
    events.push(done('sign_in.completed', 'user', userId, { method: assertion.method, connection: connectionKey }));
  } else {
    events.push(
      denied('sign_in.barred', 'user', userId, barred, { method: assertion.method, connection: connectionKey }),
    );
  }
  return { outcome: { person: read.person, created: false }, changes, events };
}

/**
 * What the first sign-in of somebody unknown records: the person, with the role that the tenant gives by default, a request where they
 * have to be approved, and the suspension that they inherit. Never a role with a suspension.
 */
export function admitNew(
  ctx: Context,
  tenantId: TenantId,
  assertion: UpstreamAssertion,
  config: ConfigInForce,
  approval: 'approved' | 'pending',
  inherits: SuspensionId | null,
  keys: readonly KeyHash[],
): Decision<Admitted> {
  const userId = ctx.newId<UserId>();
  const email = assertion.email;
  if (email === null) throw new Error('a person without an address is never created at sign-in');
  const parts: readonly Part[] = [
    made(ctx, userId, email, assertion, approval),
    inherits === null ? givenByDefault(ctx, userId, config, approval) : inherited(ctx, userId, inherits, keys),
    approval === 'pending' ? askedFor(ctx, userId, email) : nothing,
    firstSignIn(ctx, userId, assertion),
  ];
  return {
    outcome: { person: { tenantId, userId }, created: true },
    changes: parts.flatMap(({ changes }) => changes),
    events: parts.flatMap(({ events }) => events),
  };
}

type Part = Omit<Decision<null>, 'outcome'>;
const nothing: Part = { changes: [], events: [] };

function made(
  ctx: Context,
  userId: UserId,
  email: Email,
  assertion: UpstreamAssertion,
  approval: 'approved' | 'pending',
): Part {
  const { givenName, familyName, displayName, emailVerified, method } = assertion;
  const names = { givenName, familyName, displayName };
  const profile = { userName: email, email, ...names, department: null, locale: null, timeZone: null };
  const origin = approval === 'pending' ? 'signup' : 'jit';
  return {
    changes: [
      { kind: 'create_user', userId, profile, emailVerified, origin, approval },
      linkIdentity(ctx, userId, assertion, approval === 'pending' ? 'registration' : 'jit'),
    ],
    events: [
      done('user.created', 'user', userId, { origin, method }),
      done('identity.linked', 'user', userId, { by: origin, method }),
    ],
  };
}

function inherited(ctx: Context, userId: UserId, inheritedFrom: SuspensionId, keys: readonly KeyHash[]): Part {
  const suspensionId = ctx.newId<SuspensionId>();
  return {
    changes: [
      { kind: 'suspend', suspensionId, subjectId: userId, by: ctx.caller.actor, reason: null, inheritedFrom },
      { kind: 'hold_keys', subjectId: userId, hashes: keys },
    ],
    events: [done('user.suspension_inherited', 'user', userId, { suspensionId, inheritedFrom })],
  };
}

function givenByDefault(ctx: Context, userId: UserId, config: ConfigInForce, approval: 'approved' | 'pending'): Part {
  const { initialAccess, defaultRole } = config.settings;
  if (approval !== 'approved' || initialAccess !== 'default_role' || defaultRole === null) return nothing;
  const role = findRole(defaultRole, config.roles);
  if (role === null) return nothing;
  const grantId = ctx.newId<GrantId>();
  return {
    changes: [{ kind: 'grant_role', source: 'default', grantId, subjectId: userId, roleId: role.roleId }],
    events: [done('role.given_by_default', 'user', userId, { role: defaultRole })],
  };
}

function askedFor(ctx: Context, userId: UserId, email: Email): Part {
  const requestId = ctx.newId<RequestId>();
  const requestKind = 'sso_signup';
  return {
    changes: [{ kind: 'put_access_request', requestId, requestKind, email, subjectId: userId, message: null }],
    events: [done('access.requested', 'user', userId, { kind: requestKind })],
  };
}

function firstSignIn(ctx: Context, userId: UserId, { connectionId, groups }: UpstreamAssertion): Part {
  const signIn: Change = { kind: 'record_sign_in', userId, at: ctx.now() };
  if (groups.kind !== 'named') return { changes: [signIn], events: [] };
  return { changes: [{ kind: 'assert_groups', userId, connectionId, values: groups.values }, signIn], events: [] };
}

function linkIdentity(
  ctx: Context,
  userId: UserId,
  assertion: UpstreamAssertion,
  by: Extract<Change, { kind: 'link_identity' }>['by'],
): Change {
  const { connectionId, issuer, subject } = assertion;
  return { kind: 'link_identity', identityId: ctx.newId<IdentityId>(), userId, connectionId, issuer, subject, by };
}

/** Overage says nothing and so changes nothing; a missing claim says "none", since some IdPs omit an empty one. */
function assertedGroups(assertion: UpstreamAssertion, userId: UserId, read: SubjectRead): readonly Change[] {
  if (assertion.groups.kind === 'overage') return [];
  const values = assertion.groups.kind === 'named' ? [...assertion.groups.values].sort() : [];
  const known = read.homeFacts.groups
    .flatMap((group) =>
      group.kind === 'asserted' && group.connectionId === assertion.connectionId ? [group.value] : [],
    )
    .sort();
  if (values.length === known.length && values.every((value, index) => value === known[index])) return [];
  return [{ kind: 'assert_groups', userId, connectionId: assertion.connectionId, values }];
}
