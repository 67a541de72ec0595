import type { Context } from '../context.ts';
import { type AssignOutcome, decideAssignRole } from '../core/administration.ts';
import type { Administrator } from '../core/change.ts';
import { refused } from '../core/errors.ts';
import { findRole } from '../core/tenant.ts';
import { apply } from '../store/apply.ts';
import { readConfigInForce } from '../store/config-in-force.ts';
import { gone, lockStanding, type SubjectRef, type TenantRef } from './standing.ts';

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
    const found = await lockStanding(tx, tenant.slug, subject);
    if (found === undefined) return gone(subject.subjectId);
    const config = await readConfigInForce(tx);
    const named = findRole(role, config?.roles ?? []);
    if (config === undefined || named === null)
      return refused(
        'unknown_role',
        role.trim().toUpperCase() === 'NO_ACCESS'
          ? 'NO_ACCESS is a state and no role. Suspend the person instead.'
          : `There is no role ${JSON.stringify(role)} in ${tenant.slug}.`,
      );
    const decision = decideAssignRole(found.standing, named, config.settings, by, ctx.newId);
    await apply(ctx, tx, decision);
    return decision.outcome;
  });
}
