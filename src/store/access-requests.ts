import type { TenantTx } from '../context.ts';
import type { RequestId, SubjectId, UserId } from '../core/ids.ts';
import type { Email } from '../core/profile.ts';

export type OpenRequest = {
  readonly requestId: RequestId;
  readonly requestedAt: number;
  readonly message: string | null;
};

/** The open access request of a subject, or undefined. Times are epoch milliseconds. */
export async function findOpenRequest(tx: TenantTx, subjectId: SubjectId): Promise<OpenRequest | undefined> {
  const [row] = await tx.run<OpenRequest>(
    {
      name: 'access_request_of_subject',
      text: `
select request_id as "requestId", floor(extract(epoch from updated_at) * 1000)::bigint as "requestedAt", message
from access_requests where tenant_id = $1 and subject_id = $2 and decision is null order by created_at desc limit 1`,
    },
    [tx.tenantId, subjectId],
  );
  return row;
}

/**
 * People who may hold the right `CreateUser`: by an open grant, or by a group that a rule gives such a role to, and who did not opt
 * out of the notice. A superset to be judged by their effective access; at most 50.
 */
export async function findNoticeCandidates(
  tx: TenantTx,
): Promise<readonly { readonly userId: UserId; readonly email: Email }[]> {
  return tx.run(
    {
      name: null,
      text: `
with giving as (select role_id from roles where tenant_id = $1 and ended_at is null and 'CreateUser' = any (rights)),
groups as (
  select g.group_id from mapping_rules r
  join giving using (role_id)
  join directory_groups g on g.tenant_id = r.tenant_id and g.connection_id = r.connection_id and g.ended_at is null
  left join rule_bindings b on b.tenant_id = r.tenant_id and b.rule_id = r.rule_id and b.group_id = g.group_id and b.state = 'bound'
  where r.tenant_id = $1 and r.ended_at is null
    and (b.group_id is not null or (r.match_kind = 'id' and (g.external_id = r.match_value or g.group_id::text = r.match_value)))
)
select u.user_id as "userId", u.email from users u
where u.tenant_id = $1 and u.email is not null and u.ended_at is null
  and (u.user_id in (select subject_id from role_grants where tenant_id = $1 and ended_at is null and role_id in (select role_id from giving))
    or u.user_id in (select d.user_id from directory_users d join group_members m on m.tenant_id = d.tenant_id and m.directory_user_id = d.directory_user_id
                     where d.tenant_id = $1 and m.group_id in (select group_id from groups)))
  and not exists (select 1 from preferences p where p.tenant_id = $1 and p.user_id = u.user_id and p.name = 'new_access_request' and p.value = 'false')
order by u.user_id limit 50`,
    },
    [tx.tenantId],
  );
}
