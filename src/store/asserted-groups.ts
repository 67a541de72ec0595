// Groups that people's last sign-in through a connection named.

import type { TenantTx } from '../context.ts';
import type { ConnectionId, UserId } from '../core/ids.ts';

export type Asserted = { readonly userId: UserId; readonly value: string };

/** Those of the people, through the one connection. */
export async function readAsserted(
  tx: TenantTx,
  connectionId: ConnectionId,
  userIds: readonly UserId[],
): Promise<readonly Asserted[]> {
  return tx.run<Asserted>(
    {
      name: 'asserted_groups_of',
      text: `select user_id as "userId", value from asserted_groups where tenant_id = $1 and connection_id = $2 and user_id = any ($3::uuid[])`,
    },
    [tx.tenantId, connectionId, userIds],
  );
}
