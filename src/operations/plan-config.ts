import type { Context, TenantTx } from '../context.ts';
import type { ConfigFault, TenantConfig } from '../core/config.ts';
import type { AccessView, ConfigChange, PlannedTenant, TenantInForce } from '../core/config-change.ts';
import type { ConnectionId, SubjectId, TenantId, TenantSlug } from '../core/ids.ts';
import type { Binding } from '../core/mapping.ts';
import { planChanges, viewInForce } from '../core/plan.ts';
import {
  type AccessDifference,
  accessDifference,
  accessUnder,
  bindNewRules,
  changesText,
  concernedBy,
  concernsNobody,
  differenceText,
  isClosed,
  type Surroundings,
  unboundRules,
} from '../core/plan-access.ts';
import { allowLongStatements, readSnapshot } from '../store/config-lock.ts';
import { findConcerned, readGuestTenants, readNamedGroups, readPlanSubjects } from '../store/plan-subjects.ts';
import { loadTenantsInForce } from '../store/tenants-in-force.ts';
import { systemTenantId } from './create-tenant.ts';

/** A rule by name or prefix and a group that it meets when the plan is applied. */
export type PlannedBinding = Binding & { readonly tenant: TenantSlug; readonly rule: string; readonly group: string };

export type ConfigReport = {
  readonly kind: 'planned';
  /** Names this plan and no other: the changes and what they do to every person. 32 hexadecimal digits. */
  readonly digest: string;
  readonly changes: readonly ConfigChange[];
  readonly bindings: readonly PlannedBinding[];
  /** Who gains, loses and keeps what. Only the first 20,000 are told in full; the digest covers all. */
  readonly differences: readonly AccessDifference[];
  readonly counts: {
    /** Subjects whom the changes could concern. */
    readonly examined: number;
    readonly different: number;
    readonly gaining: number;
    readonly losing: number;
    readonly sessionsEnding: number;
  };
};

export type PlanOutcome = ConfigReport | { readonly kind: 'impossible'; readonly faults: readonly ConfigFault[] };

/**
 * What applying these tenants would change, and exactly who gains, loses and keeps which role, why, and whose sessions end. Derived
 * by the function that tokens are made from, over one snapshot of the database. Changes nothing.
 */
export async function planConfig(ctx: Context, wanted: readonly TenantConfig[]): Promise<PlanOutcome> {
  return ctx.transaction(await systemTenantId(ctx), async (tx) => {
    await readSnapshot(tx);
    await allowLongStatements(tx);
    const derived = await derivePlan(ctx, tx, wanted);
    return derived.kind === 'impossible' ? derived : derived.report;
  });
}

/** What differs between the files and what is in force, without its effect on people: for the warning when a server starts. */
export async function configDrift(
  ctx: Context,
  wanted: readonly TenantConfig[],
): Promise<{ readonly changes: number; readonly faults: readonly ConfigFault[] }> {
  const plan = planChanges(wanted, await loadTenantsInForce(ctx.global));
  return plan.kind === 'planned' ? { changes: plan.changes.length, faults: [] } : { changes: 0, faults: plan.faults };
}

/** What applying does to one subject, as far as it is written down. */
export type SubjectEffect = {
  readonly tenantId: TenantId;
  readonly subjectId: SubjectId;
  readonly kind: 'user' | 'guest';
  readonly gains: readonly string[];
  readonly loses: readonly string[];
  readonly endsSessions: boolean;
  readonly letIn: boolean;
};

export type DerivedPlan =
  | { readonly kind: 'impossible'; readonly faults: readonly ConfigFault[] }
  | {
      readonly kind: 'planned';
      readonly report: ConfigReport;
      readonly inForce: readonly TenantInForce[];
      readonly effects: readonly SubjectEffect[];
      readonly text: string;
    };

const MOST_DIFFERENCES = 20_000;

export type DerivedChanges = {
  readonly kind: 'planned';
  readonly inForce: readonly TenantInForce[];
  readonly changes: readonly ConfigChange[];
  readonly tenants: readonly PlannedTenant[];
  readonly bindings: readonly PlannedBinding[];
  /** Equal for equal changes and bindings. */
  readonly text: string;
};

/** The cheap half of a plan: what is written, without what it does to people. */
export async function deriveChanges(
  tx: TenantTx,
  wanted: readonly TenantConfig[],
): Promise<DerivedChanges | { readonly kind: 'impossible'; readonly faults: readonly ConfigFault[] }> {
  const inForce = await loadTenantsInForce(tx);
  const plan = planChanges(wanted, inForce);
  if (plan.kind === 'impossible') return plan;
  const { changes } = plan;
  const { tenants, bindings } = await bindRules(tx, plan.tenants);
  return { kind: 'planned', inForce, changes, tenants, bindings, text: changesText(changes, bindings) };
}

/** The plan as of what `tx` sees. Applying derives it once more, so that what is applied is what was looked at. */
export async function derivePlan(ctx: Context, tx: TenantTx, wanted: readonly TenantConfig[]): Promise<DerivedPlan> {
  const derived = await deriveChanges(tx, wanted);
  return derived.kind === 'impossible' ? derived : deriveEffects(ctx, tx, derived);
}

/** The dear half of a plan: what its changes do to every person. */
export async function deriveEffects(
  ctx: Context,
  tx: TenantTx,
  derived: DerivedChanges,
): Promise<Extract<DerivedPlan, { kind: 'planned' }>> {
  const { inForce, changes, bindings, text } = derived;
  let digest = ctx.keyHash(text);
  const differences: AccessDifference[] = [];
  const effects: SubjectEffect[] = [];
  let examined = 0;
  const { before, after } = surroundings(changes, inForce);
  for (const tenant of await affected(tx, derived, after)) {
    for await (const subjects of readPlanSubjects({ ...tx, tenantId: tenant.tenantId }, tenant.only)) {
      examined += subjects.length;
      for (const subject of subjects) {
        const had = accessUnder(subject, tenant.before, before);
        const has = accessUnder(subject, tenant.after, after);
        const difference = accessDifference(tenant.slug, subject, had, has, isClosed(subject, tenant.after, after));
        if (difference === null) continue;
        digest = ctx.keyHash(`${digest}\n${differenceText(difference)}`);
        if (differences.length < MOST_DIFFERENCES) differences.push(difference);
        effects.push(effectOf(tenant.tenantId, difference));
      }
    }
  }
  const count = (test: (effect: SubjectEffect) => boolean) =>
    effects.reduce((sum, effect) => sum + (test(effect) ? 1 : 0), 0);
  const report: ConfigReport = {
    kind: 'planned',
    digest: digest.slice(0, 32),
    changes,
    bindings,
    differences,
    counts: {
      examined,
      different: effects.length,
      gaining: count((effect) => effect.gains.length > 0),
      losing: count((effect) => effect.loses.length > 0),
      sessionsEnding: count((effect) => effect.endsSessions),
    },
  };
  return { kind: 'planned', report, inForce, effects, text };
}

function effectOf(tenantId: TenantId, difference: AccessDifference): SubjectEffect {
  const labels = (roles: AccessDifference['gains']) => roles.map((role) => role.role);
  const { subject, gains, loses, endsSessions, letIn } = difference;
  return {
    tenantId,
    subjectId: subject.id,
    kind: subject.kind,
    gains: labels(gains),
    loses: labels(loses),
    endsSessions,
    letIn,
  };
}

async function bindRules(
  tx: TenantTx,
  tenants: readonly PlannedTenant[],
): Promise<{ readonly tenants: readonly PlannedTenant[]; readonly bindings: readonly PlannedBinding[] }> {
  const bindings: PlannedBinding[] = [];
  const bound: PlannedTenant[] = [];
  for (const tenant of tenants) {
    const connections = unboundRules(tenant).flatMap((rule) =>
      rule.match.kind === 'local' ? [] : [rule.match.connectionId],
    );
    const there = [...new Set(connections)].filter((id) => !id.startsWith('new '));
    const groups = tenant.tenantId === null ? [] : await readNamedGroups({ ...tx, tenantId: tenant.tenantId }, there);
    const result = bindNewRules(tenant, groups);
    bound.push(result.tenant);
    for (const binding of result.bindings) {
      const rule = result.tenant.after.rules.find((one) => one.ruleId === binding.ruleId);
      const group = groups.find((one) => one.groupId === binding.groupId);
      bindings.push({ tenant: tenant.slug, rule: rule?.key ?? '', group: group?.displayName ?? '', ...binding });
    }
  }
  return { tenants: bound, bindings };
}

function surroundings(
  changes: readonly ConfigChange[],
  inForce: readonly TenantInForce[],
): { readonly before: Surroundings; readonly after: Surroundings } {
  const closed = new Set(inForce.filter((tenant) => !tenant.active || tenant.ended).map((tenant) => tenant.tenantId));
  const stillClosed = new Set(closed);
  const gone = new Set<ConnectionId>();
  const held = new Map<ConnectionId, boolean>();
  for (const change of changes) {
    if (change.kind === 'remove_connection') gone.add(change.connectionId);
    if (change.kind === 'change_connection' && change.from.scimHeld !== change.to.scimHeld)
      held.set(change.connectionId, change.to.scimHeld);
    if (change.kind !== 'change_tenant' || change.field !== 'active') continue;
    const tenant = inForce.find((one) => one.slug === change.tenant);
    if (tenant === undefined) continue;
    if (change.to === true) stillClosed.delete(tenant.tenantId);
    else stillClosed.add(tenant.tenantId);
  }
  return {
    before: { goneConnections: new Set(), heldConnections: new Map(), closedTenants: closed },
    after: { goneConnections: gone, heldConnections: held, closedTenants: stillClosed },
  };
}

type AffectedTenant = {
  readonly tenantId: TenantId;
  readonly slug: TenantSlug;
  readonly before: AccessView;
  readonly after: AccessView;
  /** Null: everybody. */
  readonly only: readonly SubjectId[] | null;
};

/** Tenants whose people's access could change: by the tenant's own changes, or through guests whose home changes for them. */
async function affected(
  tx: TenantTx,
  derived: DerivedChanges,
  after: Surroundings,
): Promise<readonly AffectedTenant[]> {
  const { inForce, tenants: planned, changes } = derived;
  const homes = inForce.filter(
    (tenant) =>
      tenant.connections.some(
        ({ connectionId }) => after.goneConnections.has(connectionId) || after.heldConnections.has(connectionId),
      ) || planned.some((one) => one.tenantId === tenant.tenantId && one.before?.active !== one.after.active),
  );
  const guestTenants = await readGuestTenants(
    tx,
    homes.map((tenant) => tenant.tenantId),
  );
  const found: AffectedTenant[] = [];
  for (const { tenantId, slug, ...tenant } of inForce) {
    const before = viewInForce({ tenantId, slug, ...tenant });
    const view = planned.find((one) => one.tenantId === tenantId)?.after ?? before;
    const own = changes.filter((change) => change.tenant === slug);
    const concerned = guestTenants.includes(tenantId) ? null : concernedBy(own, before, view);
    if (concerned !== null && concernsNobody(concerned)) continue;
    const only = concerned === null ? null : await findConcerned({ ...tx, tenantId }, concerned);
    found.push({ tenantId, slug, before, after: view, only });
  }
  return found;
}
