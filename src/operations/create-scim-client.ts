import type { Context } from '../context.ts';
import { done } from '../core/change.ts';
import { type Refusal, refused } from '../core/errors.ts';
import type { CredentialId, Instant } from '../core/ids.ts';
import { formatScimClientId } from '../core/scim-client.ts';
import { apply } from '../store/apply.ts';
import { newClientSecret } from '../store/clients.ts';
import { insertScimClient } from '../store/scim-clients.ts';
import { lockConnection } from '../store/scim-credentials.ts';
import { clientSecretHash } from './find-client.ts';
import { unknownConnection } from './name-tenant.ts';
import type { TenantRef } from './standing.ts';

const MAX_LIVE = 2;

export type ScimClientCreated = {
  readonly kind: 'created';
  readonly clientId: string;
  /** Shown here and never again. */
  readonly secret: string;
  readonly expiresAt: Instant | null;
};

/**
 * An OAuth client for a connection's directory (RFC 6749 §4.4): its identity provider gets access tokens for SCIM with it. Two may
 * live at once, beside two tokens, so that one can be replaced without a gap; a third is refused (`invalid`). Refuses
 * `unknown_connection`, also for a connection without SCIM, and an expiry that is past (`invalid`).
 */
export function createScimClient(
  ctx: Context,
  tenant: TenantRef,
  connectionKey: string,
  expiresAt: Instant | null,
): Promise<ScimClientCreated | Refusal> {
  return ctx.transaction(tenant.tenantId, async (tx): Promise<ScimClientCreated | Refusal> => {
    if (expiresAt !== null && expiresAt <= ctx.now()) return refused('invalid', 'The client would be expired already.');
    const connection = await lockConnection(tx, connectionKey, 'client');
    if (connection === undefined || !connection.scim) {
      return unknownConnection(tenant, connectionKey);
    }
    if (connection.live >= MAX_LIVE)
      return refused(
        'invalid',
        'Two clients of this connection are live. End one of them first: `scim-client list` shows their ids.',
      );
    const { connectionId } = connection;
    const credentialId = ctx.newId<CredentialId>();
    const clientId = formatScimClientId({ tenantId: tenant.tenantId, credentialId });
    const secret = newClientSecret();
    const secretHash = clientSecretHash(ctx, clientId, secret);
    await insertScimClient(tx, { credentialId, connectionId, secretHash, expiresAt, by: ctx.caller.actor });
    await apply(ctx, tx, {
      changes: [],
      events: [done('scim_client.created', 'connection', connectionId, { credentialId, clientId, expiresAt })],
    });
    return { kind: 'created', clientId, secret, expiresAt };
  });
}
