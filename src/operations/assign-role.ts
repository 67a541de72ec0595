import type { Context } from '../context.ts';
import { type AssignOutcome, decideAssignRole } from '../core/administration.ts';
import type { Administrator } from '../core/change.ts';
import { apply } from '../store/apply.ts';
import { lockNamedRole } from './named-role.ts';
import type { SubjectRef, TenantRef } from './standing.ts';

/**
 * Gives a subject a data role by an administrator's decision, and so lifts an open suspension. `role` is `Workspace: Role`, or the
 * role's name where only one workspace has it; `unknown_role` otherwise, `NO_ACCESS` included: that is a suspension.
 */
export function assignRole(
  ctx: Context,
  tenant: TenantRef,
  subject: SubjectRef,
  role: string,
  by: Administrator,
): Promise<AssignOutcome> {
  return ctx.transaction(tenant.tenantId, async (tx) => {
    const named = await lockNamedRole(tx, tenant, subject, role);
    if (named.kind === 'refused') return named;
    const decision = decideAssignRole(named.standing, named.role, named.settings, by, ctx.newId);
    await apply(ctx, tx, decision);
    return decision.outcome;
  });
}
