// Tenants for playing a directory's requests again: made or emptied before, closed afterwards.

import type { Context, TenantTx } from '../context.ts';
import { done } from '../core/change.ts';
import type { TenantConfig } from '../core/config.ts';
import type { TenantInForce } from '../core/config-change.ts';
import { type Refusal, refused } from '../core/errors.ts';
import { type ConnectionId, isReservedSlug, isUuid, type RoleId, type RuleId, type TenantSlug } from '../core/ids.ts';
import { connectionSettings } from '../core/plan.ts';
import {
  type NamedGroups,
  refuseAsScratch,
  type ScratchConfig,
  scratchConfig,
  sourceInForce,
} from '../core/scratch-tenant.ts';
import { builtInRoles, roleLabel } from '../core/tenant.ts';
import { apply } from '../store/apply.ts';
import { recordEvents } from '../store/audit-events.ts';
import { type WrittenStep, writeConfigSteps } from '../store/config-changes.ts';
import { allowLongStatements, lockApplication } from '../store/config-lock.ts';
import { UniqueViolation } from '../store/database.ts';
import { readGroupNames } from '../store/replay-source.ts';
import { endEverybody, lockScratchFacts, setScratch } from '../store/scratch-tenants.ts';
import { findTenant } from '../store/tenants.ts';
import { loadTenantsInForce } from '../store/tenants-in-force.ts';
import { systemTenant, systemTenantId, tenantChange } from './create-tenant.ts';
import type { TenantRef } from './standing.ts';

export type OpenedScratch = {
  readonly kind: 'opened';
  readonly tenant: TenantRef;
  readonly rules: number;
  /** Of other connections and of the tenant's own groups. */
  readonly rulesLeftOut: number;
};

/**
 * A scratch tenant with the roles, the directory and the rules of `connection` in the tenant `of`, or of `wanted`, which is what a file
 * says of it. It is made if the name was never used; one that a replay made before is emptied: everybody in it ends, and everything
 * that it had. Nobody can sign in to it, and it owns no domain.
 *
 * Refuses every other tenant, whatever is in it (`forbidden`), a name that is none or was used (`invalid`, `tenant_taken`), and
 * `unknown_connection`.
 */
export async function openScratch(
  ctx: Context,
  into: TenantSlug,
  of: TenantRef,
  connection: string,
  wanted: TenantConfig | null,
): Promise<OpenedScratch | Refusal> {
  if (isReservedSlug(into)) return refused('invalid', `${into} is a reserved word and names no tenant.`);
  const inForce = await loadTenantsInForce(ctx.global);
  const source = wanted ?? inForceOf(inForce, of.slug);
  const config = source === null ? null : scratchConfig(source, connection, await groupsNamed(ctx, of, source.rules));
  if (config === null) {
    const where = wanted === null ? of.slug : `the file of ${of.slug}`;
    return refused('unknown_connection', `There is no connection ${JSON.stringify(connection)} with SCIM in ${where}.`);
  }
  const displayName = `Replay of ${of.slug}/${connection}`;
  const existing = await findTenant(ctx.global, into);
  const parentId = await systemTenantId(ctx);
  const made = tenantChange(ctx, { slug: into, parentId, displayName, settings: config.settings, managedBy: 'api' });
  const tenant: TenantRef = existing ?? made;
  try {
    return await ctx.transaction(tenant.tenantId, async (tx): Promise<OpenedScratch | Refusal> => {
      await allowLongStatements(tx);
      await lockApplication(tx);
      if (existing === undefined) {
        const detail = { slug: into, parent: systemTenant, scratchOf: `${of.slug}/${connection}` };
        await apply(ctx, tx, { changes: [made], events: [done('tenant.created', 'tenant', tenant.tenantId, detail)] });
      } else {
        const refusal = refuseAsScratch(into, await lockScratchFacts(tx));
        if (refusal !== null) return refusal;
        await empty(ctx, tx, into);
        await setScratch(tx, { active: true, displayName, settings: config.settings });
        await recordEvents(ctx, tx, [
          done('tenant.scratch_opened', 'tenant', tenant.tenantId, { of: of.slug, connection }),
        ]);
      }
      await furnish(ctx, tx, into, config);
      return { kind: 'opened', tenant, rules: config.rules.length, rulesLeftOut: config.rulesLeftOut };
    });
  } catch (error) {
    if (error instanceof UniqueViolation)
      return refused('tenant_taken', `The Tenant ID ${into} is taken, or was once.`);
    throw error;
  }
}

/**
 * Ends what a replay left: everybody in the scratch tenant, its directory with its tokens, its rules; and closes it. Where somebody
 * has given it something since that no replay makes, it is closed and nothing in it ends. Refuses (`forbidden`) every other tenant,
 * and `unknown_tenant`.
 */
export async function closeScratch(
  ctx: Context,
  slug: TenantSlug,
): Promise<{ readonly kind: 'closed'; readonly people: number } | Refusal> {
  const tenant = await findTenant(ctx.global, slug);
  if (tenant === undefined) return refused('unknown_tenant', `There is no tenant ${slug}.`);
  return ctx.transaction(tenant.tenantId, async (tx) => {
    await allowLongStatements(tx);
    await lockApplication(tx);
    const facts = await lockScratchFacts(tx);
    const refusal = refuseAsScratch(slug, { ...facts, touched: false });
    if (refusal !== null) return refusal;
    const people = facts.touched ? 0 : await empty(ctx, tx, slug);
    await setScratch(tx, { active: false, displayName: null, settings: null });
    await recordEvents(ctx, tx, [done('tenant.scratch_closed', 'tenant', tenant.tenantId, { people })]);
    return { kind: 'closed', people };
  });
}

function inForceOf(inForce: readonly TenantInForce[], slug: TenantSlug): ReturnType<typeof sourceInForce> | null {
  const found = inForce.find((one) => one.slug === slug);
  return found === undefined ? null : sourceInForce(found);
}

function groupsNamed(
  ctx: Context,
  of: TenantRef,
  rules: readonly { readonly match: { readonly kind: string; readonly value: string } }[],
): Promise<NamedGroups> {
  const ids = rules.flatMap(({ match }) => (match.kind === 'id' && isUuid(match.value) ? [match.value] : []));
  return readGroupNames(ctx.hot(of.tenantId), ids);
}

/** Gives the tenant what the configuration says; it has nothing of it yet. */
async function furnish(ctx: Context, tx: TenantTx, slug: TenantSlug, config: ScratchConfig): Promise<void> {
  const { tenantId } = tx;
  const there = inTenant(await loadTenantsInForce(tx), slug);
  const roleIds = new Map(there.roles.map((role) => [roleLabel(role).toLowerCase(), role.roleId]));
  const connectionId = ctx.newId<ConnectionId>();
  const roles = config.roles.map((role): WrittenStep => {
    const roleId = ctx.newId<RoleId>();
    roleIds.set(roleLabel(role).toLowerCase(), roleId);
    return { kind: 'add_role', tenantId, roleId, role };
  });
  const rules = config.rules.map((rule): WrittenStep => {
    const roleId = roleIds.get(rule.role.toLowerCase());
    if (roleId === undefined) throw new Error(`the role ${rule.role} was checked and is not there`);
    return { kind: 'add_rule', tenantId, ruleId: ctx.newId<RuleId>(), rule, connectionId, roleId };
  });
  const connection = connectionSettings(config.connection);
  const steps = [...roles, { kind: 'add_connection', tenantId, connectionId, connection } as const, ...rules];
  await writeConfigSteps(tx, steps, [], ctx.caller.actor);
}

async function empty(ctx: Context, tx: TenantTx, slug: TenantSlug): Promise<number> {
  const { tenantId } = tx;
  const { rules, connections, roles } = inTenant(await loadTenantsInForce(tx), slug);
  const builtIn = new Set(builtInRoles.map(roleLabel));
  const steps: readonly WrittenStep[] = [
    ...rules.map(({ ruleId, key }) => ({ kind: 'remove_rule', tenantId, ruleId, key, role: '' }) as const),
    ...connections.map((one) => {
      const { connectionId } = one;
      return { kind: 'remove_connection', tenantId, connectionId, connection: connectionSettings(one) } as const;
    }),
    ...roles
      .filter((role) => !builtIn.has(roleLabel(role)))
      .map((role) => ({ kind: 'remove_role', tenantId, roleId: role.roleId, role }) as const),
  ];
  if (steps.length > 0) await writeConfigSteps(tx, steps, [], ctx.caller.actor);
  return endEverybody(tx);
}

function inTenant(inForce: readonly TenantInForce[], slug: TenantSlug): TenantInForce {
  const found = inForce.find((one) => one.slug === slug);
  if (found === undefined) throw new Error(`${slug} was made and is not there`);
  return found;
}
