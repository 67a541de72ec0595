// Holding a directory, and activating it: one line of the configuration, planned and applied alone.

import type { Context, TenantTx } from '../context.ts';
import { type Refusal, refused } from '../core/errors.ts';
import type { TenantSlug } from '../core/ids.ts';
import { connectionSettings, viewInForce } from '../core/plan.ts';
import { changesText } from '../core/plan-access.ts';
import { allowLongStatements, readSnapshot } from '../store/config-lock.ts';
import { loadTenantsInForce } from '../store/tenants-in-force.ts';
import { type ApplyOutcome, applyChanges } from './apply-config.ts';
import { systemTenantId } from './create-tenant.ts';
import { unknownConnection } from './name-tenant.ts';
import { type ConfigReport, type DerivedChanges, deriveEffects } from './plan-config.ts';
import type { TenantRef } from './standing.ts';

/**
 * Who gains, loses and keeps which role if the directory is held, or activated (`held` false), and nothing else is changed. The
 * digest is the one that a plan of all files has where they say that much more than what is in force. Changes nothing. Refuses
 * `unknown_connection`, and (`invalid`) what is so already.
 */
export async function planHold(
  ctx: Context,
  { slug }: TenantRef,
  connection: string,
  held: boolean,
): Promise<ConfigReport | Refusal> {
  return ctx.transaction(await systemTenantId(ctx), async (tx) => {
    await readSnapshot(tx);
    await allowLongStatements(tx);
    const derived = await deriveHold(tx, slug, connection, held);
    return derived.kind === 'refused' ? derived : (await deriveEffects(ctx, tx, derived)).report;
  });
}

/**
 * Holds or activates the directory, if that does exactly what `digest` names; `stale_plan` otherwise. Everything else that the files
 * say stays as it is in force. Whoever ends without access is signed out.
 */
export async function applyHold(
  ctx: Context,
  { slug }: TenantRef,
  connection: string,
  held: boolean,
  digest: string,
): Promise<ApplyOutcome> {
  const first = await ctx.transaction(await systemTenantId(ctx), (tx) => deriveHold(tx, slug, connection, held));
  if (first.kind === 'refused') return first;
  const derive = async (tx: TenantTx): Promise<DerivedChanges> => {
    const derived = await deriveHold(tx, slug, connection, held);
    // Somebody else was faster: nothing is left to do, which is another plan.
    return derived.kind === 'refused' ? { ...first, changes: [], text: changesText([], []) } : derived;
  };
  return applyChanges(ctx, derive, digest);
}

async function deriveHold(
  tx: TenantTx,
  slug: TenantSlug,
  key: string,
  held: boolean,
): Promise<DerivedChanges | Refusal> {
  const inForce = await loadTenantsInForce(tx);
  const tenant = inForce.find((one) => one.slug === slug);
  const connection = tenant?.connections.find((one) => one.key === key && one.scim);
  if (tenant === undefined || connection === undefined) {
    return unknownConnection({ slug }, key);
  }
  if (connection.scimHeld === held) {
    const state = held ? 'held already' : connection.enabled ? 'active already' : 'not held, but switched off';
    return refused('invalid', `The directory ${key} of ${slug} is ${state}.`);
  }
  const { connectionId } = connection;
  const from = connectionSettings(connection);
  const changes = [
    { tenant: slug, kind: 'change_connection', connectionId, from, to: { ...from, scimHeld: held } } as const,
  ];
  const before = viewInForce(tenant);
  const connections = before.connections.map((one) => (one === connection ? { ...one, scimHeld: held } : one));
  const tenants = [{ slug, tenantId: tenant.tenantId, before, after: { ...before, connections } }];
  return { kind: 'planned', inForce, changes, tenants, bindings: [], text: changesText(changes, []) };
}
