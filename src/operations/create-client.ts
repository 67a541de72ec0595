import type { Context } from '../context.ts';
import { done } from '../core/change.ts';
import { type ClientSettings, checkClient, isClientId } from '../core/client.ts';
import { type Refusal, refused } from '../core/errors.ts';
import { SCIM_CLIENT_PREFIX } from '../core/scim-client.ts';
import { apply } from '../store/apply.ts';
import { insertClient, newClientSecret } from '../store/clients.ts';
import { clientSecretHash } from './find-client.ts';
import type { TenantRef } from './standing.ts';

export type ClientCreated =
  /** `secret` is shown here and never again; null for clients that have none. */
  { readonly kind: 'created'; readonly clientId: string; readonly secret: string | null };

/**
 * Registers an application of a tenant. It serves that tenant and those below it: people sign in to it without being asked for
 * consent, so a tenant's application must not reach anybody else's people. `clientId` null: one is made.
 *
 * Refuses `invalid` with what to mend, or where the id is taken.
 */
export function createClient(
  ctx: Context,
  tenant: TenantRef,
  clientId: string | null,
  settings: ClientSettings,
): Promise<ClientCreated | Refusal> {
  return ctx.transaction(tenant.tenantId, async (tx): Promise<ClientCreated | Refusal> => {
    const checked = checkClient(settings);
    if ('code' in checked) return checked;
    const id = clientId ?? ctx.newId<string & { brand: 'ClientId' }>();
    if (!isClientId(id))
      return refused('invalid', 'A client id has 1 to 100 letters, digits, dots, hyphens or underscores.');
    if (id.startsWith(SCIM_CLIENT_PREFIX))
      return refused('invalid', `Client ids that begin with ${SCIM_CLIENT_PREFIX} are those of directories.`);
    const secret = settings.kind === 'web' && settings.publicKeys === null ? newClientSecret() : null;
    const inserted = await insertClient(tx, id, secret === null ? null : clientSecretHash(ctx, id, secret), checked);
    if (!inserted) return refused('invalid', `The client id ${id} is taken.`);
    await apply(ctx, tx, {
      changes: [],
      events: [done('client.created', 'client', null, { clientId: id, ...checked })],
    });
    return { kind: 'created', clientId: id, secret };
  });
}
