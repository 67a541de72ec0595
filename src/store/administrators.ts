// Who may run a tenant, found as a set.

import type { TenantTx } from '../context.ts';
import type { UserId } from '../core/ids.ts';
import type { Email } from '../core/profile.ts';
import { ownersGroup } from '../core/tenant.ts';

/** A notice that an administrator may opt out of, by the name of the preference. */
export type OptionalNotice = 'new_access_request';

/** Whether the row `group` of local groups is the one of the tenant's owners. */
export const isOwnersGroup = (group: string): string => `lower(${group}.name) = '${ownersGroup.toLowerCase()}'`;

/**
 * People who may run the tenant: by an open grant of a role with `CreateUser`, by a group that a rule gives such a role to, or as
 * owners; without those who opted out of `notice`, where one is named. A superset to be judged by their effective access, by id; at
 * most 50.
 */
export async function findAdministratorCandidates(
  tx: TenantTx,
  notice: OptionalNotice | null,
): Promise<readonly { readonly userId: UserId; readonly email: Email }[]> {
  return tx.run(
    {
      name: null,
      text: `
with giving as (select role_id from roles where tenant_id = $1 and ended_at is null and 'CreateUser' = any (rights)),
rules as (select r.* from mapping_rules r join giving using (role_id) where r.tenant_id = $1 and r.ended_at is null),
groups as (
  select g.group_id from rules r
  join directory_groups g on g.tenant_id = r.tenant_id and g.connection_id = r.connection_id and g.ended_at is null
  left join rule_bindings b on b.tenant_id = r.tenant_id and b.rule_id = r.rule_id and b.group_id = g.group_id and b.state = 'bound'
  where b.group_id is not null or (r.match_kind = 'id' and (g.external_id = r.match_value or g.group_id::text = r.match_value))
), people as (
  select g.subject_id as user_id from role_grants g where g.tenant_id = $1 and g.ended_at is null and g.role_id in (select role_id from giving)
  union
  select m.subject_id from local_group_members m
  join local_groups l on l.tenant_id = m.tenant_id and l.local_group_id = m.local_group_id and l.ended_at is null
  where m.tenant_id = $1 and m.ended_at is null
    and (${isOwnersGroup('l')} or exists (select 1 from rules r where r.match_kind = 'local' and lower(r.match_value) = lower(l.name)))
  union
  select a.user_id from asserted_groups a join rules r on r.connection_id = a.connection_id
  where a.tenant_id = $1 and (a.value = r.match_value or r.match_kind = 'prefix' and starts_with(a.value, r.match_value))
  union
  select d.user_id from directory_users d join group_members m on m.tenant_id = d.tenant_id and m.directory_user_id = d.directory_user_id
  where d.tenant_id = $1 and m.group_id in (select group_id from groups)
)
select u.user_id as "userId", u.email from users u
where u.tenant_id = $1 and u.email is not null and u.ended_at is null and u.user_id in (select user_id from people)
  and not exists (select 1 from preferences p where p.tenant_id = $1 and p.user_id = u.user_id and p.name = $2 and p.value = 'false')
order by u.user_id limit 50`,
    },
    [tx.tenantId, notice],
  );
}
