import type { Context } from '../context.ts';
import { type ApproveOutcome, decideApprove } from '../core/administration.ts';
import type { Administrator } from '../core/change.ts';
import { refused } from '../core/errors.ts';
import { findOpenRequest } from '../store/access-requests.ts';
import { apply } from '../store/apply.ts';
import { gone, lockStanding, type SubjectRef, type TenantRef } from './standing.ts';

/** An administrator's word that a person who registered may come in. Guests are approved in their own tenant (`invalid`). */
export function approveUser(
  ctx: Context,
  tenant: TenantRef,
  subject: SubjectRef,
  by: Administrator,
): Promise<ApproveOutcome> {
  return ctx.transaction(tenant.tenantId, async (tx) => {
    if (subject.kind === 'guest') return refused('invalid', 'A guest is approved in their own tenant.');
    const found = await lockStanding(tx, tenant.slug, subject);
    if (found === undefined) return gone(subject.subjectId);
    const open = await findOpenRequest(tx, subject.subjectId);
    const { approval } = found.read.homeFacts;
    const decision = decideApprove(subject.person.userId, approval, open?.requestId ?? null, by);
    await apply(ctx, tx, decision);
    return decision.outcome;
  });
}
