// The facts of all subjects of a tenant, chunk by chunk: what a plan's access is derived from.

import type { TenantTx } from '../context.ts';
import type { ConnectionId, SubjectId, TenantId } from '../core/ids.ts';
import type { NamedGroup, SubjectRecord } from '../core/plan-access.ts';
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
from (select * from subjects where tenant_id = $1 and subject_id > $2 order by subject_id limit $3) subject
left join guests guest on subject.kind = 'guest' and guest.tenant_id = subject.tenant_id and guest.guest_id = subject.subject_id
  and guest.ended_at is null
left join users home on home.ended_at is null
  and home.tenant_id = case when subject.kind = 'user' then subject.tenant_id else guest.source_tenant_id end
  and home.user_id = case when subject.kind = 'user' then subject.subject_id else guest.source_user_id end
order by subject.subject_id`;

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
 * Every user of the tenant and every guest who is mapped into it, a thousand at a time, by id. Memberships of connections that are
 * switched off or held are among the facts, those of ended ones are not. One statement per chunk.
 */
export async function* readPlanSubjects(tx: TenantTx): AsyncGenerator<readonly SubjectRecord[]> {
  for (let after: string = BEFORE_ALL; ; ) {
    const rows = await tx.run<Row>({ name: 'plan_subjects', text: CHUNK }, [tx.tenantId, after, CHUNK_SIZE]);
    yield rows.filter((row) => row.present).map(recordOf);
    const last = rows[CHUNK_SIZE - 1];
    if (last === undefined) return;
    after = last.subject_id;
  }
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
