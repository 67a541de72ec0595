import type { Context, TenantTx } from '../context.ts';
import { type AuditEvent, denied, done } from '../core/change.ts';
import type { ConfigFault, TenantConfig } from '../core/config.ts';
import type { ConfigChange, TenantInForce } from '../core/config-change.ts';
import { type Refusal, refused } from '../core/errors.ts';
import type { TenantId, TenantSlug } from '../core/ids.ts';
import { builtInRoles, roleLabel } from '../core/tenant.ts';
import { apply } from '../store/apply.ts';
import { recordEvents } from '../store/audit-events.ts';
import { type EndedGrant, type WrittenBinding, type WrittenStep, writeConfigSteps } from '../store/config-changes.ts';
import { allowLongStatements, lockApplication, lockTenants } from '../store/config-lock.ts';
import { UniqueViolation } from '../store/database.ts';
import { endSessionsOfMany } from '../store/end-sessions.ts';
import { loadTenantsInForce } from '../store/tenants-in-force.ts';
import { changeEvent } from './config-events.ts';
import { systemTenant, systemTenantId, tenantChange } from './create-tenant.ts';
import {
  type ConfigReport,
  type DerivedPlan,
  deriveChanges,
  deriveEffects,
  derivePlan,
  type SubjectEffect,
} from './plan-config.ts';

export type ApplyOutcome =
  | { readonly kind: 'applied'; readonly report: ConfigReport }
  | { readonly kind: 'impossible'; readonly faults: readonly ConfigFault[] }
  | Refusal;

/**
 * Brings the tenants' files into force, all of them in one transaction, if that is exactly the plan that `digest` names: the plan is
 * made once more under a lock, and where it has another digest (the files changed, or what is in force, or what directories pushed
 * for the people it touches) nothing is written: `stale_plan`. What the console or the API manages is left alone. Whoever ends
 * without access is signed out by the time this returns; every server works by the whole new version from its next request on.
 */
export function applyConfig(ctx: Context, wanted: readonly TenantConfig[], digest: string): Promise<ApplyOutcome> {
  return applyChanges(ctx, (tx) => deriveChanges(tx, wanted), digest);
}

export type DeriveChanges = (tx: TenantTx) => ReturnType<typeof deriveChanges>;

/** The same for changes that come from elsewhere than all the files: `derive` is asked anew each time. */
export async function applyChanges(ctx: Context, derive: DeriveChanges, digest: string): Promise<ApplyOutcome> {
  const systemId = await systemTenantId(ctx);
  const stale = refused(
    'stale_plan',
    'The plan is out of date: something changed since. Plan again, read it, and go by the digest that it prints.',
  );
  const refuse = async (): Promise<Refusal> => {
    await recordEvents(ctx, ctx.hot(systemId), [denied('config.apply', 'tenant', systemId, 'stale_plan', { digest })]);
    return stale;
  };
  try {
    const outcome = await underLock(ctx, systemId, async (tx): Promise<ApplyOutcome | 'stale'> => {
      const changes = await derive(tx);
      if (changes.kind === 'impossible') return changes;
      const plan = await deriveEffects(ctx, tx, changes);
      return plan.report.digest === digest && (await holdsStill(tx, derive, plan)) ? write(ctx, tx, plan) : 'stale';
    });
    return outcome === 'stale' ? await refuse() : outcome;
  } catch (error) {
    // A name or a domain that somebody took between the plan and the writing of it.
    if (error instanceof UniqueViolation) return refuse();
    throw error;
  }
}

/**
 * Applies the files without a plan, at the first start: as long as there is no tenant but the system's own. Null afterwards, when
 * they come into force by {@link applyConfig} alone.
 */
export async function applyFirstConfig(
  ctx: Context,
  wanted: readonly TenantConfig[],
): Promise<Exclude<ApplyOutcome, Refusal> | null> {
  if (wanted.length === 0) return null;
  return underLock(ctx, await systemTenantId(ctx), async (tx) => {
    const inForce = await loadTenantsInForce(tx);
    if (inForce.some((tenant) => tenant.slug !== systemTenant)) return null;
    const plan = await derivePlan(ctx, tx, wanted);
    return plan.kind === 'impossible' ? plan : write(ctx, tx, plan);
  });
}

function underLock<T>(ctx: Context, systemId: TenantId, act: (tx: TenantTx) => Promise<T>): Promise<T> {
  return ctx.transaction(systemId, async (tx) => {
    await allowLongStatements(tx);
    await lockApplication(tx);
    return act(tx);
  });
}

/**
 * Whether the changes are still the ones that were derived, now that nobody else can change these tenants' configuration or bind
 * their groups. Deriving what they do to people takes long in a big tenant, and pushes must not wait for that.
 */
async function holdsStill(tx: TenantTx, derive: DeriveChanges, plan: Planned): Promise<boolean> {
  const changed = new Set(plan.report.changes.map((change) => change.tenant));
  await lockTenants(
    tx,
    plan.inForce.filter((tenant) => changed.has(tenant.slug)).map((tenant) => tenant.tenantId),
  );
  const again = await derive(tx);
  return again.kind === 'planned' && again.text === plan.text;
}

type Planned = Extract<DerivedPlan, { kind: 'planned' }>;

async function write(ctx: Context, tx: TenantTx, plan: Planned): Promise<Extract<ApplyOutcome, { kind: 'applied' }>> {
  const { report, effects } = plan;
  const named = await makeTenants(ctx, tx, report.changes, plan.inForce);
  const steps = report.changes.flatMap((change): WrittenStep[] => {
    const tenantId = named.tenant(change.tenant);
    if (change.kind !== 'create_tenant') return [{ ...withRealIds(change, named.row), tenantId }];
    return change.active ? [] : [{ kind: 'change_tenant', field: 'active', from: true, to: false, tenantId }];
  });
  const bindings = report.bindings.map(({ tenant, ruleId, groupId, state }): WrittenBinding => {
    return { tenantId: named.tenant(tenant), ruleId: named.row(tenant, ruleId), groupId, state };
  });
  const endedGrants = steps.length === 0 ? [] : await writeConfigSteps(tx, steps, bindings, ctx.caller.actor);
  await endSessions(tx, effects);
  await recordAll(ctx, tx, [
    ...report.changes.map((change) => changeEvent(withRealIds(change, named.row), named.tenant(change.tenant))),
    ...report.bindings.map((binding): AuditEvent => {
      const kind = binding.state === 'bound' ? 'group.mapping_bound' : 'group.mapping_held';
      return {
        ...done(kind, 'group', binding.groupId, { rule: binding.rule }),
        inTenant: named.tenant(binding.tenant),
      };
    }),
    ...endedGrants.map(grantEvent(report.changes)),
    ...effects.map(effectEvent(report.digest)),
    done('config.applied', 'tenant', tx.tenantId, {
      digest: report.digest,
      changes: report.changes.length,
      people: effects.length,
    }),
  ]);
  return { kind: 'applied', report };
}

type Named = {
  tenant(slug: TenantSlug): TenantId;
  /** The real id of a row that the plan called `new …`; any other id as it is. */
  row<Id extends string>(tenant: TenantSlug, id: Id): Id;
};

/** Makes the tenants that are not there yet, parents first, and gives every new row of the plan its id. */
async function makeTenants(
  ctx: Context,
  tx: TenantTx,
  changes: readonly ConfigChange[],
  inForce: readonly TenantInForce[],
): Promise<Named> {
  const tenants = new Map(inForce.map((tenant) => [tenant.slug, tenant.tenantId]));
  const rows = new Map<string, string>();
  const tenant = (slug: TenantSlug): TenantId => {
    const tenantId = tenants.get(slug);
    if (tenantId === undefined) throw new Error(`the plan speaks of ${slug}, which is not there`);
    return tenantId;
  };
  for (const change of changes) {
    if (change.kind !== 'create_tenant') continue;
    const { tenant: slug, displayName, settings } = change;
    const created = tenantChange(ctx, {
      slug,
      parentId: tenant(change.parent),
      displayName,
      settings,
      managedBy: 'config',
    });
    await apply(ctx, { ...tx, tenantId: created.tenantId }, { changes: [created], events: [] });
    tenants.set(slug, created.tenantId);
    for (const [index, role] of builtInRoles.entries())
      rows.set(`${slug} new role ${roleLabel(role)}`, created.roleIds[index] ?? '');
  }
  return {
    tenant,
    row<Id extends string>(slug: TenantSlug, id: Id): Id {
      if (!id.startsWith('new ')) return id;
      const key = `${slug} ${id}`;
      const real = rows.get(key) ?? ctx.newId();
      rows.set(key, real);
      return real as Id;
    },
  };
}

function withRealIds<C extends ConfigChange>(change: C, row: Named['row']): C {
  const ids: [string, string | null][] = [];
  for (const name of ['roleId', 'connectionId', 'ruleId'] as const) {
    const id = (change as Partial<Record<typeof name, string | null>>)[name];
    if (id !== undefined) ids.push([name, id === null ? null : row(change.tenant, id)]);
  }
  return { ...change, ...Object.fromEntries(ids) };
}

const CHUNK = 1_000;

async function endSessions(tx: TenantTx, effects: readonly SubjectEffect[]): Promise<void> {
  const ending = effects.filter((effect) => effect.endsSessions);
  for (const [tenantId, subjects] of Map.groupBy(ending, (effect) => effect.tenantId)) {
    for (let at = 0; at < subjects.length; at += CHUNK) {
      const chunk = subjects.slice(at, at + CHUNK);
      const ids = (kind: 'user' | 'guest') => chunk.filter((one) => one.kind === kind).map((one) => one.subjectId);
      await endSessionsOfMany({ ...tx, tenantId }, ids('user'), ids('guest'));
    }
  }
}

async function recordAll(ctx: Context, tx: TenantTx, events: readonly AuditEvent[]): Promise<void> {
  for (let at = 0; at < events.length; at += CHUNK) await recordEvents(ctx, tx, events.slice(at, at + CHUNK));
}

const grantEvent =
  (changes: readonly ConfigChange[]) =>
  ({ tenantId, grantId, subjectId, kind, roleId }: EndedGrant): AuditEvent => {
    const removed = changes.find((change) => change.kind === 'remove_role' && change.roleId === roleId);
    const role = removed?.kind === 'remove_role' ? roleLabel(removed.role) : null;
    return { ...done('role.unassigned', kind, subjectId, { grantId, role }, 'role_removed'), inTenant: tenantId };
  };

const effectEvent =
  (digest: string) =>
  ({ tenantId, subjectId, kind, gains, loses, endsSessions, letIn }: SubjectEffect): AuditEvent => {
    return {
      ...done('access.changed', kind, subjectId, {
        gains,
        loses,
        sessionsEnded: endsSessions,
        ...(letIn ? { letIn } : {}),
        digest,
      }),
      inTenant: tenantId,
    };
  };
