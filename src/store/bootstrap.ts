import type { TenantTx } from '../context.ts';
import type { Instant, InvitationId, UserId } from '../core/ids.ts';
import { instant } from './instant.ts';

export type UnusedBootstrap = {
  readonly userId: UserId;
  /** The link that is good now, or null where it is past its time. */
  readonly open: { readonly invitationId: InvitationId; readonly expiresAt: Instant } | null;
};

/** The first administrator, as long as nobody has used the link; locks the row, so that two servers make one link. */
export async function findUnusedBootstrap(tx: TenantTx): Promise<UnusedBootstrap | undefined> {
  const [row] = await tx.run<UnusedBootstrap>(
    {
      name: null,
      text: `
select u.user_id as "userId",
  (select json_build_object('invitationId', i.invitation_id, 'expiresAt', ${instant('i.expires_at')})
   from invitations i where i.tenant_id = u.tenant_id and i.user_id = u.user_id and i.purpose = 'bootstrap'
     and i.used_at is null and i.ended_at is null and i.expires_at > now() limit 1) as open
from users u
where u.tenant_id = $1 and u.origin = 'bootstrap' and u.ended_at is null
  and not exists (select 1 from invitations i where i.tenant_id = u.tenant_id and i.user_id = u.user_id and i.purpose = 'bootstrap' and i.used_at is not null)
for update of u`,
    },
    [tx.tenantId],
  );
  return row;
}
