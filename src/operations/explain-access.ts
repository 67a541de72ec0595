import type { Context } from '../context.ts';
import {
  bar,
  type EffectiveAccess,
  type EffectiveRole,
  effectiveAccess,
  guestAccess,
  type RoleGrant,
  type Suspension,
} from '../core/access.ts';
import { type Refusal, refused } from '../core/errors.ts';
import { type GroupRef, type MappingRule, ruleMatches, ruleNames } from '../core/mapping.ts';
import { type ConnectionSettings, findRole, roleLabel } from '../core/tenant.ts';
import { readConfigInForce } from '../store/config-in-force.ts';
import { findInheritedFrom, type InheritedFrom } from '../store/people.ts';
import { readPlanSubjects } from '../store/plan-subjects.ts';
import { readSubject } from '../store/subject.ts';
import { gone, type SubjectRef, type TenantRef } from './standing.ts';

/** A rule that gives the role, and the groups through which it would; none: the person is in no group that it speaks of and that counts. */
export type RuleTried = {
  readonly rule: string;
  readonly match: MappingRule['match'];
  readonly connection: string | null;
  readonly groups: readonly GroupRef[];
  /** Why groups of the rule that the person is in count for nothing: their connection is held, or switched off. */
  readonly uncounted: 'connection_held' | 'connection_off' | null;
};

/** A group of the subject that a rule speaks of by name and that gives nothing until an administrator approves it (T56). */
export type HeldGroup = {
  readonly rule: string;
  readonly role: string;
  readonly groupId: string;
  readonly group: string;
};

export type Explanation = {
  readonly kind: 'explained';
  /** The configuration version that this was decided by. */
  readonly version: number;
  readonly access: EffectiveAccess;
  /** Barred at home rather than in the tenant: a guest is judged at both. */
  readonly barredAtHome: boolean;
  readonly suspension: Suspension | null;
  /** Whose names, addresses or ids made it one, where no administrator did. */
  readonly inheritedFrom: InheritedFrom | null;
  /** For the role that was asked about, or for all. */
  readonly held: readonly HeldGroup[];
  /** Present where one role was asked about. */
  readonly role: {
    readonly label: string;
    readonly held: EffectiveRole | null;
    readonly grants: readonly RoleGrant[];
    readonly rules: readonly RuleTried[];
  } | null;
};

/**
 * Why a subject holds what it holds in a tenant, and for one role: every way to it, taken or not. The same function and facts as for
 * a token. Refuses `unknown_role`, `unknown_user`. Changes nothing.
 */
export async function explainAccess(
  ctx: Context,
  tenant: TenantRef,
  subject: SubjectRef,
  roleText: string | null,
): Promise<Explanation | Refusal> {
  const isGuest = subject.kind === 'guest';
  const read = await readSubject(ctx.hot(subject.person.tenantId), subject.person.userId, isGuest ? tenant.slug : null);
  const config = await readConfigInForce(ctx.hot(tenant.tenantId));
  if (read === undefined || config === undefined) return gone(subject.subjectId);
  const own = read.target?.kind === 'guest' ? read.target.facts : read.homeFacts;
  const facts = { ...own, rules: config.rules, roles: config.roles, policy: config.settings };
  const access = isGuest ? guestAccess(read.homeFacts, facts) : effectiveAccess(facts);
  const role = roleText === null ? null : findRole(roleText, config.roles);
  if (roleText !== null && role === null)
    return refused('unknown_role', `There is no role ${JSON.stringify(roleText)} in ${tenant.slug}.`);
  const inheritedFrom =
    own.suspension && (await findInheritedFrom(ctx.hot(tenant.tenantId), own.suspension.suspensionId));
  const allGroups = role === null ? [] : await groupsThatMayCount(ctx, tenant, subject);
  const rulesAsked = config.rules.filter((rule) => role === null || rule.roleId === role.roleId);
  return {
    kind: 'explained',
    version: config.version,
    access,
    barredAtHome: isGuest && bar(read.homeFacts) !== null,
    suspension: own.suspension,
    inheritedFrom,
    held: rulesAsked.flatMap((rule) => {
      const given = config.roles.find((one) => one.roleId === rule.roleId);
      return own.groups.flatMap((group): readonly HeldGroup[] =>
        given !== undefined &&
        group.kind === 'directory' &&
        ruleNames(rule, group.connectionId, group.displayName) &&
        !ruleMatches(rule, group)
          ? [{ rule: rule.key, role: roleLabel(given), groupId: group.groupId, group: group.displayName }]
          : [],
      );
    }),
    role:
      role === null
        ? null
        : {
            label: roleLabel(role),
            held: access.roles.find((one) => one.roleId === role.roleId) ?? null,
            grants: own.grants.filter((grant) => grant.roleId === role.roleId),
            rules: rulesAsked.map((rule): RuleTried => {
              const { match } = rule;
              const connection =
                match.kind === 'local'
                  ? undefined
                  : config.connections.find((one) => one.connectionId === match.connectionId);
              const groups = own.groups.filter((group) => ruleMatches(rule, group));
              const isMember = groups.length > 0 || allGroups.some((group) => ruleMatches(rule, group));
              return {
                rule: rule.key,
                match,
                connection: connection?.key ?? null,
                groups,
                uncounted: groups.length > 0 || !isMember || connection === undefined ? null : silenceOf(connection),
              };
            }),
          },
  };
}

/** The subject's groups, with those of connections that are held or switched off: whoever asks wants to hear of these, too. */
async function groupsThatMayCount(ctx: Context, tenant: TenantRef, subject: SubjectRef): Promise<readonly GroupRef[]> {
  for await (const [record] of readPlanSubjects(ctx.hot(tenant.tenantId), [subject.subjectId]))
    return record?.facts.groups ?? [];
  return [];
}

function silenceOf({ enabled, scimHeld }: Pick<ConnectionSettings, 'enabled' | 'scimHeld'>): RuleTried['uncounted'] {
  return enabled ? (scimHeld ? 'connection_held' : null) : 'connection_off';
}
