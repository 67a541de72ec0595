import type { TenantTx } from '../context.ts';
import type { SubjectId } from '../core/ids.ts';

/** Raises the epochs of subjects and removes what was issued to them, as the `end_sessions` of one does. */
export async function endSessionsOfMany(
  tx: TenantTx,
  users: readonly SubjectId[],
  guests: readonly SubjectId[],
): Promise<void> {
  const run = (text: string, values: readonly unknown[]) => tx.run({ name: null, text }, values);
  await run(
    `with locked as (select subject_id from subjects where tenant_id = $1 and subject_id = any ($2::uuid[]) order by subject_id for no key update)
     update subjects s set access_epoch = access_epoch + 1 from locked where s.tenant_id = $1 and s.subject_id = locked.subject_id`,
    [tx.tenantId, [...users, ...guests]],
  );
  await run(`delete from oidc_artifacts where account_tenant_id = $1 and account_user_id = any ($2::uuid[])`, [
    tx.tenantId,
    users,
  ]);
  await run(`delete from oidc_artifacts where target_tenant_id = $1 and target_guest_id = any ($2::uuid[])`, [
    tx.tenantId,
    guests,
  ]);
}
