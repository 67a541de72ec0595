import type { Context } from '../context.ts';
import { done } from '../core/change.ts';
import { type Refusal, refused } from '../core/errors.ts';
import { apply } from '../store/apply.ts';
import { updateClientEnabled } from '../store/clients.ts';
import type { TenantRef } from './standing.ts';

/** Switches an application on or off. Off, it is unknown to everybody and what it was issued is gone. Refuses `unknown_client`. */
export function setClientEnabled(
  ctx: Context,
  tenant: TenantRef,
  clientId: string,
  enabled: boolean,
): Promise<{ readonly kind: 'set' } | Refusal> {
  return ctx.transaction(tenant.tenantId, async (tx) => {
    if (!(await updateClientEnabled(tx, clientId, enabled))) {
      return refused('unknown_client', `There is no client ${JSON.stringify(clientId)} in ${tenant.slug}.`);
    }
    const kind = enabled ? 'client.enabled' : 'client.disabled';
    await apply(ctx, tx, { changes: [], events: [done(kind, 'client', null, { clientId })] });
    return { kind: 'set' } as const;
  });
}
