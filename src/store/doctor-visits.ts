// What is put away after a doctor's visit to a directory.

import type { TenantTx } from '../context.ts';
import type { ConnectionId, CredentialId } from '../core/ids.ts';

/**
 * Ends the people whom a visit made, once the directory has ended them: their rows stay, nobody sees them in a list any more, and the
 * guard forgets having counted them. Of all others it ends nobody: not who was there before the visit's token, has another name than
 * the visit gives, is in a directory still, or was given anything.
 */
export async function endVisitors(
  tx: TenantTx,
  connectionId: ConnectionId,
  credentialId: CredentialId,
  directoryUserIds: readonly string[],
  domain: string,
): Promise<number> {
  const given = ['role_grants', 'suspensions', 'local_group_members']
    .map((table) => `not exists (select 1 from ${table} x where x.tenant_id = $1 and x.subject_id = u.user_id)`)
    .join(' and ');
  const own = ['identities', 'passwords', 'invitations', 'mapping_pointers']
    .map((table) => `not exists (select 1 from ${table} x where x.tenant_id = $1 and x.user_id = u.user_id)`)
    .join(' and ');
  const [row] = await tx.run<{ people: number }>(
    {
      name: null,
      text: `
with visitors as (
  select u.user_id from users u
  join scim_credentials k on k.tenant_id = $1 and k.credential_id = $3 and u.created_at >= k.created_at
  where u.tenant_id = $1 and u.ended_at is null and u.origin = 'scim' and lower(u.user_name) like '%@' || $5
    and u.user_id in (select d.user_id from directory_users d
                      where d.tenant_id = $1 and d.connection_id = $2 and d.directory_user_id = any ($4::uuid[]))
    and not exists (select 1 from directory_users d where d.tenant_id = $1 and d.user_id = u.user_id and d.ended_at is null)
    and ${given} and ${own}
  for update of u
), ended as (
  update users u set ended_at = now(), email = null, email_verified_at = null, version = u.version + 1
  from visitors v where u.tenant_id = $1 and u.user_id = v.user_id returning u.user_id
), unknown as (
  delete from email_directory e using ended where e.tenant_id = $1 and e.user_id = ended.user_id
), uncounted as (
  delete from directory_guard_people p using ended
  where p.tenant_id = $1 and p.connection_id = $2 and p.user_id = ended.user_id
)
select count(*) as people from ended`,
    },
    [tx.tenantId, connectionId, credentialId, directoryUserIds, domain],
  );
  return row?.people ?? 0;
}
