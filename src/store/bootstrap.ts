import type { TenantTx } from '../context.ts';
import type { UserId } from '../core/ids.ts';

/** The first administrator, as long as nobody has used the link; locks the row, so that two servers make one fresh link. */
export async function findUnusedBootstrap(tx: TenantTx): Promise<UserId | undefined> {
  const [row] = await tx.run<{ user_id: UserId }>(
    {
      name: null,
      text: `
select u.user_id from users u
where u.tenant_id = $1 and u.origin = 'bootstrap' and u.ended_at is null
  and not exists (select 1 from invitations i where i.tenant_id = u.tenant_id and i.user_id = u.user_id and i.purpose = 'bootstrap' and i.used_at is not null)
for update of u`,
    },
    [tx.tenantId],
  );
  return row?.user_id;
}
