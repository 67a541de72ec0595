import type { Context } from '../context.ts';
import { done } from '../core/change.ts';
import { type Refusal, refused } from '../core/errors.ts';
import type { CredentialId } from '../core/ids.ts';
import { apply } from '../store/apply.ts';
import { findOpenCredential } from '../store/scim-credentials.ts';
import type { TenantRef } from './standing.ts';

/** Ends a directory's token: the next request that carries it is refused, on every server. Refuses `invalid` for an unknown one. */
export function endScimCredential(
  ctx: Context,
  tenant: TenantRef,
  credentialId: CredentialId,
): Promise<{ readonly kind: 'ended' } | Refusal> {
  return ctx.transaction(tenant.tenantId, async (tx) => {
    const connectionId = await findOpenCredential(tx, credentialId, 'token');
    if (connectionId === undefined) return refused('invalid', `There is no token ${credentialId} in ${tenant.slug}.`);
    await apply(ctx, tx, {
      changes: [{ kind: 'end_scim_credential', credentialId }],
      events: [done('scim_credential.ended', 'connection', connectionId, { credentialId })],
    });
    return { kind: 'ended' };
  });
}
