// One-time links, found by the keyed hash of their secret.

import type { Statement, TenantTx } from '../context.ts';
import type { KeyHash } from '../core/ids.ts';
import type { InvitationFacts } from '../core/invitation.ts';

const COLUMNS = `select i.invitation_id as "invitationId", i.user_id as "userId", i.purpose, i.email,
  i.used_at is null and i.ended_at is null and i.expires_at > now() as open, u.email as "currentEmail"
from invitations i join users u on u.tenant_id = i.tenant_id and u.user_id = i.user_id and u.ended_at is null
where i.tenant_id = $1 and i.secret_hash = decode($2, 'hex')`;

const READ: Statement = { name: 'invitation_read', text: COLUMNS };
const LOCK: Statement = { name: 'invitation_lock', text: `${COLUMNS} for update of i` };

export async function findInvitation(tx: TenantTx, secretHash: KeyHash): Promise<InvitationFacts | undefined> {
  const [row] = await tx.run<InvitationFacts>(READ, [tx.tenantId, secretHash]);
  return row;
}

/** The same with the row held for the rest of the transaction: of two who use a link at once, the second finds it used. */
export async function lockInvitation(tx: TenantTx, secretHash: KeyHash): Promise<InvitationFacts | undefined> {
  const [row] = await tx.run<InvitationFacts>(LOCK, [tx.tenantId, secretHash]);
  return row;
}
