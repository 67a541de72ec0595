import type { Context } from '../context.ts';
import { done } from '../core/change.ts';
import { type Refusal, refused } from '../core/errors.ts';
import type { CredentialId, Instant } from '../core/ids.ts';
import { apply } from '../store/apply.ts';
import { lockConnection, newToken } from '../store/scim-credentials.ts';
import { unknownConnection } from './name-tenant.ts';
import type { TenantRef } from './standing.ts';

const MAX_LIVE = 2;

export type CreateCredentialOutcome =
  | {
      readonly kind: 'created';
      readonly credentialId: CredentialId;
      readonly token: string;
      readonly expiresAt: Instant | null;
    }
  | Refusal;

/**
 * A bearer token for a connection's directory; its text is in the outcome and nowhere else. Two may live at once, so that one can
 * be replaced without a gap; a third is refused (`invalid`) until one of them is ended. Refuses `unknown_connection`, also for a
 * connection without SCIM, and an expiry that is past (`invalid`).
 */
export function createScimCredential(
  ctx: Context,
  tenant: TenantRef,
  connectionKey: string,
  expiresAt: Instant | null,
): Promise<CreateCredentialOutcome> {
  return ctx.transaction(tenant.tenantId, async (tx): Promise<CreateCredentialOutcome> => {
    if (expiresAt !== null && expiresAt <= ctx.now()) return refused('invalid', 'The token would be expired already.');
    const connection = await lockConnection(tx, connectionKey, 'token');
    if (connection === undefined || !connection.scim) {
      return unknownConnection(tenant, connectionKey);
    }
    if (connection.live >= MAX_LIVE)
      return refused(
        'invalid',
        'Two tokens of this connection are live. End one of them first: `scim-token list` shows their ids.',
      );
    const { token, prefix, secretHash } = newToken();
    const credentialId = ctx.newId<CredentialId>();
    const { connectionId } = connection;
    await apply(ctx, tx, {
      changes: [
        {
          kind: 'create_scim_credential',
          credentialId,
          connectionId,
          prefix,
          secretHash,
          expiresAt,
          by: ctx.caller.actor,
        },
      ],
      events: [done('scim_credential.created', 'connection', connectionId, { credentialId, prefix, expiresAt })],
    });
    return { kind: 'created', credentialId, token, expiresAt };
  });
}
