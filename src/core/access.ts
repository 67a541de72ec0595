// What may this person do? Facts in, access out. Nothing here is ever stored.

import type { ConnectionId, GrantId, Instant, RoleId, RuleId, SuspensionId } from './ids.ts';
import { type GroupRef, type MappingRule, ruleMatches } from './mapping.ts';
import { type Right, type Role, roleLabel, type TenantSettings } from './tenant.ts';

export type Suspension = {
  readonly suspensionId: SuspensionId;
  readonly suspendedAt: Instant;
  readonly reason: string | null;
};

/** An open grant. `lifts` names the suspension that it ended. */
export type RoleGrant = {
  readonly grantId: GrantId;
  readonly roleId: RoleId;
  readonly source: 'admin' | 'invitation' | 'default';
  readonly by: string;
  readonly lifts: SuspensionId | null;
};

export type AccessPolicy = Pick<TenantSettings, 'authorization' | 'initialAccess'>;

/** What a directory says of a person. */
export type DirectoryWord = {
  /** As it was pushed. Whether it counts: {@link hasActive}. */
  readonly active: boolean;
  readonly ended: boolean;
  /** Of a held directory: it may bar, and else says nothing yet. */
  readonly held?: boolean;
  /** Made active by a push while the directory was held: that waits for its activation. */
  readonly withheld?: boolean;
};

export type AccessFacts = {
  readonly adminDeactivated: boolean;
  /** This person's directory users, ended ones included unless an administrator ended them. */
  readonly directory: readonly (DirectoryWord & { readonly connectionId: ConnectionId })[];
  readonly approval: 'approved' | 'pending';
  /** The open one. */
  readonly suspension: Suspension | null;
  /** Open ones. */
  readonly grants: readonly RoleGrant[];
  /** Memberships that may map: connection enabled and not held, directory user active. */
  readonly groups: readonly GroupRef[];
  readonly rules: readonly MappingRule[];
  readonly roles: readonly Role[];
  readonly policy: AccessPolicy;
};

export type Reason =
  | { readonly kind: 'rule'; readonly ruleId: RuleId; readonly rule: string; readonly group: GroupRef }
  | { readonly kind: 'grant'; readonly grantId: GrantId; readonly source: RoleGrant['source']; readonly by: string };

export type EffectiveRole = { readonly roleId: RoleId; readonly role: string; readonly because: readonly Reason[] };
export type Bar = 'deactivated' | 'pending' | 'suspended';
export type AccessState = Bar | 'active' | 'no_access';
export type EffectiveAccess = { readonly state: AccessState; readonly roles: readonly EffectiveRole[] };

export type BarFacts = Pick<AccessFacts, 'adminDeactivated' | 'directory' | 'approval' | 'suspension'>;

/**
 * What keeps a person out whatever their roles, or null: deactivated before pending before suspended.
 * Deactivated: the administrator's switch is off, or directories bar them.
 */
export function bar(facts: BarFacts): Bar | null {
  return bars(facts)[0] ?? null;
}

/** All that keeps a person out, in that order: each has to end before they are in again. */
export function bars({ adminDeactivated, directory, approval, suspension }: BarFacts): readonly Bar[] {
  return [
    ...(adminDeactivated || directoriesBar(directory) ? (['deactivated'] as const) : []),
    ...(approval === 'pending' ? (['pending'] as const) : []),
    ...(suspension !== null ? (['suspended'] as const) : []),
  ];
}

/**
 * Whether directories bar a person: they know them, and none has them active. A held one's active counts only where no other
 * directory knows the person, so that it lets nobody in whom another one keeps out.
 */
export function directoriesBar(words: readonly DirectoryWord[]): boolean {
  const speaking = words.filter((word) => word.held !== true);
  const heard = speaking.length > 0 ? speaking : words;
  return heard.length > 0 && !heard.some(hasActive);
}

/** Whether a directory has the person active, as far as that counts: whom it switched on while it was held it has not. */
export function hasActive({ active, ended, held, withheld }: DirectoryWord): boolean {
  return active && !ended && !(held === true && withheld === true);
}

/**
 * Effective access of one subject in one tenant: what a token may say.
 *
 * Suspended, pending and deactivated people have no roles, whatever their groups say. Roles are labels `Workspace: Role`,
 * sorted by name, each with every reason that gives it. Times are not read: pass facts that hold now.
 *
 * Never throws. Does not check that the tenant is active, nor (for a guest) that the person is not barred at home.
 */
export function effectiveAccess(facts: AccessFacts): EffectiveAccess {
  const barred = bar(facts);
  if (barred !== null) return { state: barred, roles: [] };
  const roles = merge(facts.roles, [...grantedRoles(facts), ...mappedRoles(facts)]);
  return { state: roles.length > 0 ? 'active' : 'no_access', roles };
}

type Given = { readonly roleId: RoleId; readonly because: Reason };

function grantedRoles(facts: AccessFacts): readonly Given[] {
  return (
    facts.grants
      // Where the IdP alone authorizes, only the grant that lifted a suspension still counts (C2).
      .filter((grant) => facts.policy.authorization !== 'external' || grant.lifts !== null)
      .map((grant) => ({
        roleId: grant.roleId,
        because: { kind: 'grant', grantId: grant.grantId, source: grant.source, by: grant.by },
      }))
  );
}

function mappedRoles(facts: AccessFacts): readonly Given[] {
  if (facts.policy.authorization === 'internal') return [];
  // C1: with `none`, an administrator has to let a person in before rules speak for them.
  if (facts.policy.initialAccess === 'none' && facts.policy.authorization === 'hybrid' && facts.grants.length === 0)
    return [];
  // Once a directory speaks for a person on a connection, its memberships win over that connection's assertions. A held one does not
  // speak yet: its groups give nothing, so it must not take away what the sign-in's own groups give.
  const speaking = facts.directory.filter((entry) => !entry.ended && entry.held !== true);
  const spokenFor = new Set(speaking.map((entry) => entry.connectionId));
  const groups = facts.groups.filter((group) => group.kind !== 'asserted' || !spokenFor.has(group.connectionId));
  return groups.flatMap((group) =>
    facts.rules
      .filter((rule) => ruleMatches(rule, group))
      .map((rule) => ({
        roleId: rule.roleId,
        because: { kind: 'rule', ruleId: rule.ruleId, rule: rule.key, group } as const,
      })),
  );
}

function merge(roles: readonly Role[], given: readonly Given[]): readonly EffectiveRole[] {
  return roles
    .map((role) => ({
      roleId: role.roleId,
      role: roleLabel(role),
      because: given.filter((one) => one.roleId === role.roleId).map((one) => one.because),
    }))
    .filter((role) => role.because.length > 0)
    .sort((a, b) => (a.role < b.role ? -1 : a.role > b.role ? 1 : 0));
}

/** The rights that the effective roles bundle. */
export function effectiveRights(access: EffectiveAccess, roles: readonly Role[]): ReadonlySet<Right> {
  const held = new Set(access.roles.map((role) => role.roleId));
  return new Set(roles.filter((role) => held.has(role.roleId)).flatMap((role) => role.rights));
}

/** All that keeps a guest out, at home or here; of somebody at home both are the same. */
export function guestBars(home: BarFacts, guest: BarFacts): readonly Bar[] {
  return [...new Set([...bars(home), ...bars(guest)])];
}

/** A guest holds nothing while barred at home: the home's bar comes first. */
export function guestAccess(home: BarFacts, guest: AccessFacts): EffectiveAccess {
  const barredAtHome = bar(home);
  return barredAtHome !== null ? { state: barredAtHome, roles: [] } : effectiveAccess(guest);
}
