import type { Context } from '../context.ts';
import { done } from '../core/change.ts';
import { type Refusal, refused } from '../core/errors.ts';
import { parseScimClientId } from '../core/scim-client.ts';
import { apply } from '../store/apply.ts';
import { findOpenCredential } from '../store/scim-credentials.ts';
import type { TenantRef } from './standing.ts';

/**
 * Ends a directory's OAuth client: it gets no more tokens, and those that it has are refused from the next statement on, on every
 * server. Refuses `unknown_client`.
 */
export function endScimClient(
  ctx: Context,
  tenant: TenantRef,
  clientId: string,
): Promise<{ readonly kind: 'ended' } | Refusal> {
  return ctx.transaction(tenant.tenantId, async (tx) => {
    const key = parseScimClientId(clientId);
    const isOurs = key !== null && key.tenantId === tenant.tenantId;
    const connectionId = isOurs ? await findOpenCredential(tx, key.credentialId, 'client') : undefined;
    if (!isOurs || connectionId === undefined) {
      return refused('unknown_client', `There is no SCIM client ${JSON.stringify(clientId)} in ${tenant.slug}.`);
    }
    const { credentialId } = key;
    await apply(ctx, tx, {
      changes: [{ kind: 'end_scim_credential', credentialId }],
      events: [done('scim_client.ended', 'connection', connectionId, { credentialId, clientId })],
    });
    return { kind: 'ended' };
  });
}
