import type { Context } from '../context.ts';
import { decideSuspend, type SuspendOutcome } from '../core/administration.ts';
import { apply } from '../store/apply.ts';
import { writeGuestKeys } from '../store/held-keys.ts';
import { lockSubject } from '../store/subject.ts';
import { gone, keysOf, lockStanding, type SubjectRef, type TenantRef } from './standing.ts';

/**
 * Sets a subject to NO_ACCESS in a tenant: open until an administrator assigns a data role. When it returns, no request that starts
 * later is issued a session, a code or a token for them, on any server.
 */
export function suspend(
  ctx: Context,
  tenant: TenantRef,
  subject: SubjectRef,
  reason: string | null,
): Promise<SuspendOutcome> {
  return ctx.transaction(tenant.tenantId, async (tx) => {
    // Home first, as everywhere: what they are known by there does not change until it is held here.
    if (subject.kind === 'guest')
      await lockSubject({ ...tx, tenantId: subject.person.tenantId }, subject.person.userId);
    const found = await lockStanding(tx, tenant.slug, subject);
    if (found === undefined) return gone(subject.subjectId);
    const keys = await keysOf(ctx, tx, subject.person);
    const decision = decideSuspend(found.standing, keys, ctx.caller.actor, reason, ctx.newId);
    await apply(ctx, tx, decision);
    if (subject.kind === 'guest' && decision.outcome.kind === 'suspended')
      await writeGuestKeys({ ...tx, tenantId: subject.person.tenantId }, subject.person.userId, keys);
    return decision.outcome;
  });
}
