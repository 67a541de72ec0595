// People of a tenant for administrators: pages of facts, set-based.

import type { TenantTx } from '../context.ts';
import type { SubjectId, TenantSlug, UserId } from '../core/ids.ts';
import type { SubjectFacts } from './subject.ts';

export type ListedUser = {
  readonly subjectId: SubjectId;
  readonly kind: 'user' | 'guest';
  readonly homeTenant: TenantSlug;
  readonly userId: UserId;
  readonly userName: string;
  readonly email: string | null;
  readonly displayName: string | null;
  readonly lastSignInAt: number | null;
  readonly requestedAt: number | null;
  readonly home: Pick<SubjectFacts, 'adminDeactivated' | 'directory' | 'approval' | 'suspension'>;
  readonly facts: SubjectFacts;
};

type Row = Omit<ListedUser, 'home' | 'facts'> & {
  admin_deactivated: boolean;
  approval: SubjectFacts['approval'];
  directory: SubjectFacts['directory'];
  home_suspension: SubjectFacts['suspension'];
  suspension: SubjectFacts['suspension'];
  grants: SubjectFacts['grants'];
  groups: SubjectFacts['groups'];
};

const PAGE = `
with people as (
  select u.user_id as subject_id, 'user' as kind, u.tenant_id as home, u.user_id from users u
  where u.tenant_id = $1 and u.ended_at is null and u.user_id > $2
  union all
  select g.guest_id, 'guest', g.source_tenant_id, g.source_user_id from guests g
  where g.tenant_id = $1 and g.ended_at is null and g.guest_id > $2
  order by subject_id limit $3
)
select p.subject_id as "subjectId", p.kind, t.slug as "homeTenant", u.user_id as "userId", u.user_name as "userName", u.email,
  u.display_name as "displayName", floor(extract(epoch from u.last_sign_in_at) * 1000)::bigint as "lastSignInAt",
  (select floor(extract(epoch from r.updated_at) * 1000)::bigint from access_requests r
   where r.tenant_id = $1 and r.subject_id = p.subject_id and r.decision is null limit 1) as "requestedAt",
  not u.admin_active as admin_deactivated, u.approval,
  coalesce((select json_agg(json_build_object('connectionId', d.connection_id, 'active', d.active, 'ended', d.ended_at is not null))
    from directory_users d where d.tenant_id = p.home and d.user_id = p.user_id and d.ended_by is distinct from 'admin'), '[]'::json) as directory,
  (select json_build_object('suspensionId', s.suspension_id, 'reason', s.reason, 'suspendedAt', floor(extract(epoch from s.suspended_at) * 1000)::bigint)
   from suspensions s where s.tenant_id = p.home and s.subject_id = p.user_id and s.lifted_at is null) as home_suspension,
  (select json_build_object('suspensionId', s.suspension_id, 'reason', s.reason, 'suspendedAt', floor(extract(epoch from s.suspended_at) * 1000)::bigint)
   from suspensions s where s.tenant_id = $1 and s.subject_id = p.subject_id and s.lifted_at is null) as suspension,
  coalesce((select json_agg(json_build_object('grantId', r.grant_id, 'roleId', r.role_id, 'source', r.source,
      'by', coalesce(r.granted_by->>'name', r.granted_by->>'kind', ''),
      'lifts', (select s.suspension_id from suspensions s where s.tenant_id = $1 and s.subject_id = p.subject_id and s.lifted_grant_id = r.grant_id)))
    from role_grants r where r.tenant_id = $1 and r.subject_id = p.subject_id and r.ended_at is null), '[]'::json) as grants,
  coalesce((select json_agg(x) from (
    select json_build_object('kind', 'directory', 'groupId', g.group_id, 'connectionId', g.connection_id, 'externalId', g.external_id, 'displayName', g.display_name) as x
    from directory_users d
    join connections c on c.tenant_id = d.tenant_id and c.connection_id = d.connection_id and c.enabled and not c.scim_held and c.ended_at is null
    join group_members m on m.tenant_id = d.tenant_id and m.directory_user_id = d.directory_user_id
    join directory_groups g on g.tenant_id = m.tenant_id and g.group_id = m.group_id and g.ended_at is null
    where p.kind = 'user' and d.tenant_id = $1 and d.user_id = p.user_id and d.ended_at is null and d.active
    union all
    select json_build_object('kind', 'asserted', 'connectionId', a.connection_id, 'value', a.value)
    from asserted_groups a join connections c on c.tenant_id = a.tenant_id and c.connection_id = a.connection_id and c.enabled and c.ended_at is null
    where p.kind = 'user' and a.tenant_id = $1 and a.user_id = p.user_id
    union all
    select json_build_object('kind', 'local', 'groupId', g.local_group_id, 'name', g.name)
    from local_group_members m join local_groups g on g.tenant_id = m.tenant_id and g.local_group_id = m.local_group_id and g.ended_at is null
    where m.tenant_id = $1 and m.subject_id = p.subject_id and m.ended_at is null) groups), '[]'::json) as groups
from people p
join users u on u.tenant_id = p.home and u.user_id = p.user_id
join tenants t on t.tenant_id = p.home
order by p.subject_id`;

const FIRST = '00000000-0000-0000-0000-000000000000';

/** One page of the tenant's users and guests with the facts of each, by id after `after` (null: from the start). One statement. */
export async function listSubjects(tx: TenantTx, after: string | null, limit: number): Promise<readonly ListedUser[]> {
  const rows = await tx.run<Row>({ name: 'subject_page', text: PAGE }, [tx.tenantId, after ?? FIRST, limit]);
  return rows.map(({ admin_deactivated, approval, directory, home_suspension, suspension, grants, groups, ...row }) => {
    const home = { adminDeactivated: admin_deactivated, approval, directory, suspension: home_suspension };
    const own =
      row.kind === 'user'
        ? home
        : { adminDeactivated: false, approval: 'approved' as const, directory: [], suspension };
    return { ...row, home, facts: { ...own, grants, groups } };
  });
}
