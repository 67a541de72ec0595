import type { Context } from '../context.ts';
import { decideSetActive, type SetActiveOutcome } from '../core/administration.ts';
import { refused } from '../core/errors.ts';
import { apply } from '../store/apply.ts';
import { gone, lockStanding, type SubjectRef, type TenantRef } from './standing.ts';

/** An administrator's Is Active. Guests have none of their own: their home decides, and the target can suspend them (`invalid`). */
export function setActive(
  ctx: Context,
  tenant: TenantRef,
  subject: SubjectRef,
  active: boolean,
  reason: string | null,
): Promise<SetActiveOutcome> {
  return ctx.transaction(tenant.tenantId, async (tx) => {
    if (subject.kind === 'guest')
      return refused('invalid', 'A guest is activated in their own tenant. Suspend them here instead.');
    const found = await lockStanding(tx, tenant.slug, subject);
    if (found === undefined) return gone(subject.subjectId);
    const decision = decideSetActive(found.standing, active, reason);
    await apply(ctx, tx, decision);
    return decision.outcome;
  });
}
