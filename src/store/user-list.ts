// People of a tenant for administrators: pages of facts, set-based.

import type { TenantTx } from '../context.ts';
import type { SubjectId, TenantSlug, UserId } from '../core/ids.ts';
import { instant } from './instant.ts';
import {
  assertedGroupsOf,
  directoryGroupsOf,
  directoryOf,
  grantsOf,
  localGroupsOf,
  type SubjectFacts,
  suspensionOf,
} from './subject.ts';

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
  local_groups: SubjectFacts['groups'];
  directory_groups: SubjectFacts['groups'];
  asserted_groups: SubjectFacts['groups'];
};

// The outer names are long, so that none is hidden by a name inside the parts.
const PAGE = `
with people as (
  select u.user_id as subject_id, 'user' as kind, u.tenant_id as home, u.user_id from users u
  where u.tenant_id = $1 and u.ended_at is null and u.user_id > $2
  union all
  select g.guest_id, 'guest', g.source_tenant_id, g.source_user_id from guests g
  where g.tenant_id = $1 and g.ended_at is null and g.guest_id > $2
  order by subject_id limit $3
)
select listed.subject_id as "subjectId", listed.kind, homes.slug as "homeTenant", person.user_id as "userId",
  person.user_name as "userName", person.email, person.display_name as "displayName",
  ${instant('person.last_sign_in_at')} as "lastSignInAt",
  (select ${instant('r.updated_at')} from access_requests r
   where r.tenant_id = $1 and r.subject_id = listed.subject_id and r.decision is null limit 1) as "requestedAt",
  not person.admin_active as admin_deactivated, person.approval,
  ${directoryOf('person.tenant_id', 'person.user_id')} as directory,
  ${suspensionOf('person.tenant_id', 'person.user_id')} as home_suspension,
  ${suspensionOf('$1', 'listed.subject_id')} as suspension,
  ${grantsOf('$1', 'listed.subject_id')} as grants,
  ${localGroupsOf('$1', 'listed.subject_id')} as local_groups,
  case when listed.kind = 'user' then ${directoryGroupsOf('$1', 'person.user_id')} else '[]'::json end as directory_groups,
  case when listed.kind = 'user' then ${assertedGroupsOf('$1', 'person.user_id')} else '[]'::json end as asserted_groups
from people listed
join users person on person.tenant_id = listed.home and person.user_id = listed.user_id
join tenants homes on homes.tenant_id = listed.home
order by listed.subject_id`;

const FIRST = '00000000-0000-0000-0000-000000000000';

/** One page of the tenant's users and guests with the facts of each, by id after `after` (null: from the start). One statement. */
export async function listSubjects(tx: TenantTx, after: string | null, limit: number): Promise<readonly ListedUser[]> {
  const rows = await tx.run<Row>({ name: 'subject_page', text: PAGE }, [tx.tenantId, after ?? FIRST, limit]);
  return rows.map((row) => {
    const { admin_deactivated, approval, directory, home_suspension, suspension, grants, ...rest } = row;
    const { local_groups, directory_groups, asserted_groups, ...listed } = rest;
    const home = { adminDeactivated: admin_deactivated, approval, directory, suspension: home_suspension };
    const asGuest = { adminDeactivated: false, approval: 'approved' as const, directory: [], suspension };
    const groups = [...directory_groups, ...asserted_groups, ...local_groups];
    return { ...listed, home, facts: { ...(listed.kind === 'user' ? home : asGuest), grants, groups } };
  });
}
