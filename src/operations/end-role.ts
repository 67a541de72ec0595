import type { Context } from '../context.ts';
import { decideEndRole, type EndRoleOutcome } from '../core/administration.ts';
import type { Administrator } from '../core/change.ts';
import { refused } from '../core/errors.ts';
import { findRole } from '../core/tenant.ts';
import { apply } from '../store/apply.ts';
import { readConfigInForce } from '../store/config-in-force.ts';
import { gone, lockStanding, type SubjectRef, type TenantRef } from './standing.ts';

/** Takes a role away that an administrator, an invitation or the tenant's default gave. See {@link decideEndRole}. */
export function endRole(
  ctx: Context,
  tenant: TenantRef,
  subject: SubjectRef,
  role: string,
  by: Administrator,
): Promise<EndRoleOutcome> {
  return ctx.transaction(tenant.tenantId, async (tx) => {
    const found = await lockStanding(tx, tenant.slug, subject);
    if (found === undefined) return gone(subject.subjectId);
    const config = await readConfigInForce(tx);
    const named = findRole(role, config?.roles ?? []);
    if (config === undefined || named === null)
      return refused('unknown_role', `There is no role ${JSON.stringify(role)} in ${tenant.slug}.`);
    const decision = decideEndRole(found.standing, named, config.settings, by);
    await apply(ctx, tx, decision);
    return decision.outcome;
  });
}
