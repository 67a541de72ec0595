// The facts of all subjects of a tenant, chunk by chunk: what a plan's access is derived from.

import type { TenantTx } from '../context.ts';
import type { ConnectionId, SubjectId, TenantId } from '../core/ids.ts';
import type { Concerned, NamedGroup, SubjectRecord } from '../core/plan-access.ts';
import { groupNameKey } from '../core/profile.ts';
import { assertedGroupsOf, directoryGroupsOf, directoryOf, grantsOf, localGroupsOf, suspensionOf } from './subject.ts';

// For a guest `home` is the person at home, and the directories that may bar them are home's.
// The outer names are long, so that none is hidden by a name inside the parts.
const CHUNK = `
select subject.subject_id, subject.kind, home.user_id is not null as present, coalesce(home.email, home.user_name) as name,
  home.tenant_id as home_tenant_id, not home.admin_active as admin_deactivated, home.approval,
  ${directoryOf('home.tenant_id', 'home.user_id')} as directory,
  case when subject.kind = 'guest' then ${suspensionOf('home.tenant_id', 'home.user_id')} end as home_suspension,
  ${suspensionOf('subject.tenant_id', 'subject.subject_id')} as suspension,
  ${grantsOf('subject.tenant_id', 'subject.subject_id')} as grants,
  ${localGroupsOf('subject.tenant_id', 'subject.subject_id')} as local_groups,
  case when subject.kind = 'user'
    then ${directoryGroupsOf('home.tenant_id', 'home.user_id', 'c.ended_at is null')} else '[]'::json end as directory_groups,
  case when subject.kind = 'user'
    then ${assertedGroupsOf('home.tenant_id', 'home.user_id', 'c.ended_at is null')} else '[]'::json end as asserted_groups
from subjects subject
left join guests guest on subject.kind = 'guest' and guest.tenant_id = subject.tenant_id and guest.guest_id = subject.subject_id
  and guest.ended_at is null
-- "limit 1" keeps the planner from reading all users of the installation for each chunk.
left join lateral (
  select * from users u where u.ended_at is null and u.tenant_id = coalesce(guest.source_tenant_id, subject.tenant_id)
    and u.user_id = coalesce(guest.source_user_id, subject.subject_id) limit 1
) home on true`;
const CHUNK_OF_ALL = `${CHUNK} where subject.tenant_id = $1 and subject.subject_id > $2 order by subject.subject_id limit $3`;
const CHUNK_OF_SOME = `${CHUNK} where subject.tenant_id = $1 and subject.subject_id = any ($2::uuid[]) order by subject.subject_id`;

type Facts = SubjectRecord['facts'];
type Row = {
  subject_id: SubjectId;
  kind: 'user' | 'guest';
  present: boolean;
  name: string;
  home_tenant_id: TenantId;
  admin_deactivated: boolean;
  approval: Facts['approval'];
  directory: Facts['directory'];
  home_suspension: Facts['suspension'];
  suspension: Facts['suspension'];
  grants: Facts['grants'];
  local_groups: Facts['groups'];
  directory_groups: Facts['groups'];
  asserted_groups: Facts['groups'];
};

const CHUNK_SIZE = 1_000;
const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

/**
 * Users of the tenant and guests who are mapped into it, a thousand at a time, by id: all of them, or those of the ids (sorted).
 * Memberships of connections that are switched off or held are among the facts, those of ended ones are not. One statement a chunk.
 */
export async function* readPlanSubjects(
  tx: TenantTx,
  only: readonly SubjectId[] | null,
): AsyncGenerator<readonly SubjectRecord[]> {
  for (let after: string = BEFORE_ALL, at = 0; ; at += CHUNK_SIZE) {
    if (only !== null && at >= only.length) return;
    const rows =
      only === null
        ? await tx.run<Row>({ name: 'plan_subjects', text: CHUNK_OF_ALL }, [tx.tenantId, after, CHUNK_SIZE])
        : await tx.run<Row>({ name: 'plan_some_subjects', text: CHUNK_OF_SOME }, [
            tx.tenantId,
            only.slice(at, at + CHUNK_SIZE),
          ]);
    yield rows.filter((row) => row.present).map(recordOf);
    const last = rows.at(-1);
    if (only === null && (last === undefined || rows.length < CHUNK_SIZE)) return;
    after = last?.subject_id ?? after;
  }
}

const CONCERNED = `
with named as (
  select g.group_id from directory_groups g join jsonb_to_recordset($2) as x ("connectionId" uuid, value text)
    on g.connection_id = x."connectionId" and (g.external_id = x.value or g.group_id::text = x.value)
  where g.tenant_id = $1 and g.ended_at is null
  union select unnest($3::uuid[])
)
select d.user_id as subject_id from named n
join group_members m on m.tenant_id = $1 and m.group_id = n.group_id
join directory_users d on d.tenant_id = $1 and d.directory_user_id = m.directory_user_id and d.ended_at is null
union
select a.user_id from asserted_groups a join jsonb_to_recordset($4) as x ("connectionId" uuid, value text, prefix boolean)
  on a.connection_id = x."connectionId" and (a.value = x.value or x.prefix and starts_with(a.value, x.value))
where a.tenant_id = $1
union
select m.subject_id from local_group_members m where m.tenant_id = $1 and m.local_group_id = any ($5::uuid[]) and m.ended_at is null
union
select r.subject_id from role_grants r where r.tenant_id = $1 and r.role_id = any ($6::uuid[]) and r.ended_at is null
order by subject_id`;

/** Subjects who are in one of the groups or hold one of the roles, by id. */
export async function findConcerned(tx: TenantTx, concerned: Concerned): Promise<readonly SubjectId[]> {
  const groups = await tx.run<{ local_group_id: string; name: string }>(
    { name: null, text: 'select local_group_id, name from local_groups where tenant_id = $1 and ended_at is null' },
    [tx.tenantId],
  );
  const local = groups
    .filter((group) => concerned.localGroups.includes(groupNameKey(group.name)))
    .map((group) => group.local_group_id);
  const { groupsById, groups: bound, asserted, roles } = concerned;
  const values = [tx.tenantId, JSON.stringify(groupsById), bound, JSON.stringify(asserted), local, roles];
  const rows = await tx.run<{ subject_id: SubjectId }>({ name: null, text: CONCERNED }, values);
  return rows.map((row) => row.subject_id);
}

function recordOf(row: Row): SubjectRecord {
  const { suspension, grants, approval, directory } = row;
  const groups = [...row.directory_groups, ...row.asserted_groups, ...row.local_groups];
  const barring = { adminDeactivated: row.admin_deactivated, directory, approval };
  const isUser = row.kind === 'user';
  return {
    subjectId: row.subject_id,
    kind: row.kind,
    name: row.name,
    homeTenantId: row.home_tenant_id,
    facts: isUser
      ? { ...barring, suspension, grants, groups }
      : { adminDeactivated: false, directory: [], approval: 'approved', suspension, grants, groups },
    home: isUser ? null : { ...barring, suspension: row.home_suspension },
  };
}

/** Open groups of the connections, oldest first: in the order in which a rule by name would have met them. */
export async function readNamedGroups(
  tx: TenantTx,
  connections: readonly ConnectionId[],
): Promise<readonly NamedGroup[]> {
  if (connections.length === 0) return [];
  return tx.run<NamedGroup>(
    {
      name: null,
      text: `
select group_id as "groupId", connection_id as "connectionId", display_name as "displayName" from directory_groups
where tenant_id = $1 and connection_id = any ($2::uuid[]) and ended_at is null order by created_at, group_id`,
    },
    [tx.tenantId, connections],
  );
}

/** Tenants where somebody of one of these tenants is a guest now. */
export async function readGuestTenants(tx: TenantTx, homes: readonly TenantId[]): Promise<readonly TenantId[]> {
  if (homes.length === 0) return [];
  const rows = await tx.run<{ tenant_id: TenantId }>(
    {
      name: null,
      text: `select distinct tenant_id from guests where source_tenant_id = any ($1::uuid[]) and ended_at is null order by tenant_id`,
    },
    [homes],
  );
  return rows.map((row) => row.tenant_id);
}
