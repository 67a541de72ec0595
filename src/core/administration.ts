// What administrators decide about people: suspension, roles, Is Active, cross-tenant mappings.

import type { RoleGrant, Suspension } from './access.ts';
import { type Actor, type Administrator, type Change, type Decision, denied, done } from './change.ts';
import { type Refusal, refused } from './errors.ts';
import type {
  GrantId,
  GuestId,
  KeyHash,
  LocalGroupId,
  MembershipId,
  Person,
  RequestId,
  SubjectId,
  SuspensionId,
  UserId,
} from './ids.ts';
import type { Role, TenantSettings } from './tenant.ts';
import { roleLabel } from './tenant.ts';

/** A subject as administrators see it, read under the lock of its row. */
export type SubjectStanding = {
  readonly subjectId: SubjectId;
  readonly kind: 'user' | 'guest';
  readonly suspension: Suspension | null;
  readonly grants: readonly RoleGrant[];
  /** The last member of TenantOwners who is not barred; of a user also in a tenant that they are mapped into. */
  readonly lastOwner: boolean;
};

type NewId = <Id extends string>() => Id;

export type SuspendOutcome = { readonly kind: 'suspended'; readonly already: boolean } | Refusal;

/**
 * NO_ACCESS by an administrator: every open grant ends, so that lifting restores only what is assigned then plus what groups map;
 * what the person was ever known by is remembered; sessions and tokens end. A second suspension begins nothing anew (T133): of one
 * that was inherited, it ends the grants that were kept. Refuses the last active owner of a tenant: `last_owner`.
 */
export function decideSuspend(
  subject: SubjectStanding,
  keys: readonly KeyHash[],
  by: Actor,
  reason: string | null,
  newId: NewId,
): Decision<SuspendOutcome> {
  const { subjectId, kind: subjectKind, suspension } = subject;
  const ended = subject.grants.map((grant): Change => ({ kind: 'end_grant', grantId: grant.grantId, by }));
  if (suspension !== null) {
    const detail = { suspensionId: suspension.suspensionId, endedGrants: ended.length };
    const event = done('user.suspended', subjectKind, subjectId, detail, reason);
    const events = ended.length === 0 ? [] : [event];
    const changes: readonly Change[] = [...ended, { kind: 'hold_keys', subjectId, hashes: keys }];
    return { outcome: { kind: 'suspended', already: true }, changes, events };
  }
  if (subject.lastOwner) return keepOwner('user.suspend', subject);
  const suspensionId = newId<SuspensionId>();
  return {
    outcome: { kind: 'suspended', already: false },
    changes: [
      ...ended,
      { kind: 'suspend', suspensionId, subjectId, by, reason, inheritedFrom: null },
      { kind: 'hold_keys', subjectId, hashes: keys },
      { kind: 'end_sessions', subjectId, subjectKind },
    ],
    events: [
      done('user.suspended', subjectKind, subjectId, { suspensionId, endedGrants: subject.grants.length }, reason),
    ],
  };
}

export type AssignOutcome =
  | { readonly kind: 'assigned'; readonly role: string; readonly lifted: boolean; readonly already: boolean }
  | Refusal;

/**
 * A data role by an administrator. It lifts an open suspension: nothing else does (R21). Nobody lifts their own.
 * An open duplicate ends first, so that the grant which lifts is made now. Where authorization is external roles are locked
 * (`roles_locked`), except that a suspended person can still be let back in (C2).
 */
export function decideAssignRole(
  subject: SubjectStanding,
  role: Role,
  policy: Pick<TenantSettings, 'authorization'>,
  by: Administrator,
  newId: NewId,
): Decision<AssignOutcome> {
  const { subjectId, kind: subjectKind, suspension } = subject;
  const label = roleLabel(role);
  const refuse = (refusal: Refusal): Decision<AssignOutcome> => ({
    outcome: refusal,
    changes: [],
    events: [denied('role.assign', subjectKind, subjectId, refusal.code, { role: label })],
  });
  if (suspension !== null && by.kind === 'user' && by.userId === subjectId) {
    return refuse(refused('forbidden', 'Another administrator has to lift a suspension.'));
  }
  if (suspension === null && policy.authorization === 'external') {
    return refuse(refused('roles_locked', 'Roles of this tenant come from its identity provider.'));
  }
  const duplicate = subject.grants.find((grant) => grant.roleId === role.roleId);
  if (duplicate?.source === 'admin' && suspension === null) {
    return { outcome: { kind: 'assigned', role: label, lifted: false, already: true }, changes: [], events: [] };
  }
  const grantId = newId<GrantId>();
  const lifts = suspension?.suspensionId ?? null;
  const ended: readonly Change[] =
    duplicate === undefined ? [] : [{ kind: 'end_grant', grantId: duplicate.grantId, by }];
  const events = [done('role.assigned', subjectKind, subjectId, { grantId, role: label })];
  if (suspension !== null)
    events.push(done('user.suspension_lifted', subjectKind, subjectId, { suspensionId: lifts, grantId, role: label }));
  return {
    outcome: { kind: 'assigned', role: label, lifted: lifts !== null, already: false },
    changes: [...ended, { kind: 'grant_role', source: 'admin', by, grantId, subjectId, roleId: role.roleId, lifts }],
    events,
  };
}

export type EndRoleOutcome = { readonly kind: 'ended'; readonly role: string } | Refusal;

/**
 * Takes a granted role away. That is no suspension: what groups map stays, and a later rule may give the role again. Refuses
 * `unknown_role` where no grant gives it, and `roles_locked` where the tenant's authorization is external.
 */
export function decideEndRole(
  subject: SubjectStanding,
  role: Role,
  policy: Pick<TenantSettings, 'authorization'>,
  by: Administrator,
): Decision<EndRoleOutcome> {
  const { subjectId, kind: subjectKind } = subject;
  const label = roleLabel(role);
  const grant = subject.grants.find((one) => one.roleId === role.roleId);
  const refusal =
    policy.authorization === 'external'
      ? refused('roles_locked', 'Roles of this tenant come from its identity provider.')
      : refused('unknown_role', `No grant gives ${label}. What a group maps ends with the membership or the rule.`);
  if (grant === undefined || policy.authorization === 'external') {
    const events = [denied('role.end', subjectKind, subjectId, refusal.code, { role: label })];
    return { outcome: refusal, changes: [], events };
  }
  return {
    outcome: { kind: 'ended', role: label },
    changes: [{ kind: 'end_grant', grantId: grant.grantId, by }],
    events: [done('role.ended', subjectKind, subjectId, { grantId: grant.grantId, role: label })],
  };
}

export type ApproveOutcome = { readonly kind: 'approved'; readonly already: boolean } | Refusal;

/**
 * Lets a person in who registered and waits (R46); their open request is answered with it. It gives no role and lifts no
 * suspension (T127).
 */
export function decideApprove(
  userId: UserId,
  approval: 'approved' | 'pending',
  openRequest: RequestId | null,
  by: Administrator,
): Decision<ApproveOutcome> {
  if (approval === 'approved') return { outcome: { kind: 'approved', already: true }, changes: [], events: [] };
  const answered: readonly Change[] =
    openRequest === null ? [] : [{ kind: 'decide_access_request', requestId: openRequest, decision: 'approved', by }];
  return {
    outcome: { kind: 'approved', already: false },
    changes: [{ kind: 'approve_user', userId }, ...answered],
    events: [done('user.approved', 'user', userId, { requestId: openRequest })],
  };
}

export type SetActiveOutcome = { readonly kind: 'set'; readonly active: boolean; readonly already: boolean } | Refusal;

/**
 * Is Active, the administrator's own switch: off ends sessions; on restores what holds otherwise, so a suspended person comes back
 * suspended (C7) and a directory's switch stays as it is.
 */
export function decideSetActive(
  subject: SubjectStanding & { readonly adminActive: boolean },
  active: boolean,
  reason: string | null,
): Decision<SetActiveOutcome> {
  if (subject.adminActive === active)
    return { outcome: { kind: 'set', active, already: true }, changes: [], events: [] };
  if (!active && subject.lastOwner) return keepOwner('user.deactivate', subject);
  const userId = subject.subjectId as UserId;
  const changes: Change[] = [{ kind: 'set_admin_active', userId, active }];
  if (!active) changes.push({ kind: 'end_sessions', subjectId: userId, subjectKind: 'user' });
  return {
    outcome: { kind: 'set', active, already: false },
    changes,
    events: [done(active ? 'user.activated' : 'user.deactivated', 'user', userId, null, reason)],
  };
}

export type MappingFacts = {
  readonly source: Person;
  /** What they are known by at home. Looked at only where no mapping is open. */
  readonly keys: readonly KeyHash[];
  readonly sourceBarred: boolean;
  /** The target is a strict descendant of the person's home. */
  readonly downwards: boolean;
  /** The target suspended somebody else who was known by what this person is known by: whoever is let in begins suspended (I3). */
  readonly heldSuspension: SuspensionId | null;
  /** C24 of the target. */
  readonly revocation: TenantSettings['mappingRevocation'];
  /** Local groups of the target that the guest is in. */
  readonly memberOf: readonly LocalGroupId[];
  /** The guest that this person is, or was, in the target. */
  readonly guest: (SubjectStanding & { readonly guestId: GuestId; readonly mapped: boolean }) | null;
};

export type MapOutcome =
  | {
      readonly kind: 'mapped';
      readonly guestId: GuestId;
      readonly already: boolean;
      readonly roles: readonly string[];
      readonly suspended: boolean;
    }
  | Refusal;

/**
 * Lets a user of an ancestor into a descendant tenant (R120): downwards only (`not_downwards`). Idempotent; roles given before stay.
 * A guest whom the target suspended stays suspended: the mapping is made, no role is given with it, and the outcome says so.
 */
export function decideMapGuest(
  facts: MappingFacts,
  roles: readonly Role[],
  groups: readonly LocalGroupId[],
  by: Administrator,
  newId: NewId,
): Decision<MapOutcome> {
  const { source, guest } = facts;
  const refuse = (refusal: Refusal): Decision<MapOutcome> => ({
    outcome: refusal,
    changes: [],
    events: [denied('mapping.add', 'user', source.userId, refusal.code)],
  });
  if (!facts.downwards)
    return refuse(refused('not_downwards', 'A person can be mapped only into tenants below their own.'));
  if (facts.sourceBarred) return refuse(refused('deactivated', 'This person has no access in their own tenant.'));
  const guestId = guest?.guestId ?? newId<GuestId>();
  const inherits = guest === null || (!guest.mapped && guest.suspension === null) ? facts.heldSuspension : null;
  const suspended = guest?.suspension != null || inherits !== null;
  const added = suspended ? [] : roles.filter((role) => !guest?.grants.some((grant) => grant.roleId === role.roleId));
  const joined = suspended ? [] : groups.filter((group) => !facts.memberOf.includes(group));
  const already = guest?.mapped === true;
  const open: Change[] = already ? [] : [{ kind: 'create_guest', guestId, source, by }];
  if (inherits !== null) {
    const suspensionId = newId<SuspensionId>();
    open.push({ kind: 'suspend', suspensionId, subjectId: guestId, by, reason: null, inheritedFrom: inherits });
    open.push({ kind: 'hold_keys', subjectId: guestId, hashes: facts.keys });
  }
  return {
    outcome: { kind: 'mapped', guestId, already, roles: roles.map(roleLabel), suspended },
    changes: [
      ...open,
      ...added.map((role): Change => {
        return {
          kind: 'grant_role',
          source: 'admin',
          by,
          grantId: newId<GrantId>(),
          subjectId: guestId,
          roleId: role.roleId,
          lifts: null,
        };
      }),
      ...joined.map((groupId): Change => {
        return { kind: 'join_local_group', membershipId: newId<MembershipId>(), groupId, subjectId: guestId };
      }),
    ],
    events:
      already && added.length === 0 && joined.length === 0
        ? []
        : bothEnds('mapping.added', guestId, source, { roles: added.map(roleLabel), groups: joined, suspended }),
  };
}

export type UnmapOutcome = { readonly kind: 'unmapped' } | Refusal;

/**
 * Ends a mapping: the guest's grants and groups end with it, and what was issued for the target dies at once (R127, D11). Refuses
 * `unknown_mapping`, and the target's last active owner: `last_owner`.
 */
export function decideUnmapGuest(facts: MappingFacts, by: Administrator): Decision<UnmapOutcome> {
  const { guest, source } = facts;
  if (guest === null || !guest.mapped) {
    return {
      outcome: refused('unknown_mapping', 'This person is not mapped into the tenant.'),
      changes: [],
      events: [],
    };
  }
  if (guest.lastOwner) return keepOwner('mapping.remove', guest);
  const { guestId } = guest;
  return {
    outcome: { kind: 'unmapped' },
    changes: [
      ...guest.grants.map((grant): Change => ({ kind: 'end_grant', grantId: grant.grantId, by })),
      { kind: 'leave_local_groups', subjectId: guestId },
      { kind: 'end_guest', guestId, source },
      { kind: 'end_sessions', subjectId: guestId, subjectKind: 'guest' },
      // Otherwise tokens of other tenants name the target among the allowed ones until they are refreshed.
      ...(facts.revocation === 'immediate'
        ? ([
            { kind: 'end_sessions', subjectId: source.userId, subjectKind: 'user', inTenant: source.tenantId },
          ] as const)
        : []),
    ],
    events: bothEnds('mapping.removed', guestId, source, null),
  };
}

function bothEnds(kind: string, guestId: GuestId, source: Person, detail: Readonly<Record<string, unknown>> | null) {
  return [
    done(kind, 'guest', guestId, { ...detail, source }),
    { ...done(kind, 'user', source.userId, detail), inTenant: source.tenantId },
  ];
}

function keepOwner(kind: string, subject: SubjectStanding): Decision<Refusal> {
  return {
    outcome: refused(
      'last_owner',
      'A tenant keeps one active owner: here, or in a tenant below. Make somebody else an owner first.',
    ),
    changes: [],
    events: [denied(kind, subject.kind, subject.subjectId, 'last_owner')],
  };
}
