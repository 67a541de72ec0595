import type { Context } from '../context.ts';
import { decideEndRole, type EndRoleOutcome } from '../core/administration.ts';
import type { Administrator } from '../core/change.ts';
import { apply } from '../store/apply.ts';
import { lockNamedRole } from './named-role.ts';
import type { SubjectRef, TenantRef } from './standing.ts';

/** Takes a role away that an administrator, an invitation or the tenant's default gave. See {@link decideEndRole}. */
export function endRole(
  ctx: Context,
  tenant: TenantRef,
  subject: SubjectRef,
  role: string,
  by: Administrator,
): Promise<EndRoleOutcome> {
  return ctx.transaction(tenant.tenantId, async (tx) => {
    const named = await lockNamedRole(tx, tenant, subject, role);
    if (named.kind === 'refused') return named;
    const decision = decideEndRole(named.standing, named.role, named.settings, by);
    await apply(ctx, tx, decision);
    return decision.outcome;
  });
}
