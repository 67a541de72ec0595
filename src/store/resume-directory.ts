// What a paused directory asked for: read to be looked at, and done set by set when an administrator says so.

import type { TenantTx } from '../context.ts';
import type { Harm, Line } from '../core/blast-guard.ts';
import type { BlastGuard } from '../core/directory-settings.ts';
import type { ConnectionId, DirectoryGroupId, DirectoryUserId, Instant, UserId } from '../core/ids.ts';
import { countInSlot } from './directory-changes.ts';
import { AUDITED_IDS } from './directory-groups.ts';
import { PERSON, type PersonRow } from './directory-person.ts';
import { instant } from './instant.ts';
import { letInByDirectories } from './subject.ts';

export type DirectoryState = {
  readonly connectionId: ConnectionId;
  /** False: the connection is switched off. */
  readonly enabled: boolean;
  readonly held: boolean;
  readonly managedBy: 'config' | 'api';
  readonly guard: BlastGuard | null;
  /** Null: it is not paused. */
  readonly paused: null | {
    readonly since: Instant;
    readonly line: Line;
    readonly people: number;
    readonly overflowed: boolean;
  };
};

/** The directory of an open connection with SCIM, or undefined. */
export async function readDirectoryState(tx: TenantTx, key: string): Promise<DirectoryState | undefined> {
  const [row] = await tx.run<DirectoryState>(
    {
      name: null,
      text: `
select c.connection_id as "connectionId", c.enabled, c.scim_held as held, c.managed_by as "managedBy",
  c.directory -> 'guard' as guard,
  case when g.paused_at is not null then json_build_object('since', ${instant('g.paused_at')}, 'line', g.crossed, 'people', g.people,
    'overflowed', g.overflowed) end as paused
from connections c left join directory_guards g on g.tenant_id = c.tenant_id and g.connection_id = c.connection_id
where c.tenant_id = $1 and c.key = $2 and c.scim and c.ended_at is null`,
    },
    [tx.tenantId, key],
  );
  return row;
}

const ACT_KINDS = [
  'deactivate_user',
  'remove_user',
  'leave_group',
  'remove_group',
  'unmap_group',
  'touch_user',
] as const;
export type ActCounts = Readonly<Record<(typeof ACT_KINDS)[number], number>>;

/** How many acts of each kind are recorded, and a hash of all of them. */
export async function readActs(
  tx: TenantTx,
  connectionId: ConnectionId,
): Promise<{ readonly counts: ActCounts; readonly hash: string }> {
  const rows = await tx.run<{ act: keyof ActCounts; count: number; hash: string }>(
    {
      name: null,
      text: `
select act, count(*) as count, encode(sha256(string_agg(object_id::text || member_id::text, ',' order by object_id, member_id)::bytea), 'hex') as hash
from directory_guard_acts where tenant_id = $1 and connection_id = $2 group by act order by act`,
    },
    [tx.tenantId, connectionId],
  );
  const count = (act: keyof ActCounts) => rows.find((row) => row.act === act)?.count ?? 0;
  return {
    counts: Object.fromEntries(ACT_KINDS.map((act) => [act, count(act)])) as ActCounts,
    hash: rows.map((row) => `${row.act} ${row.hash}`).join('\n'),
  };
}

/** What the acts, as far as they still change anything, do to each person; by user id. */
export async function readHarms(tx: TenantTx, connectionId: ConnectionId): Promise<readonly Harm[]> {
  return tx.run<Harm>(
    {
      name: null,
      text: `
with acts as materialized (select act, object_id, member_id from directory_guard_acts where tenant_id = $1 and connection_id = $2),
-- "offset 0" keeps each lookup one by key: the planner knows nothing yet of what was recorded a moment ago.
touched as (
  select a.object_id as id, true as deactivated, a.act = 'remove_user' as removed, null::uuid as group_id, null::uuid as unmapped
  from acts a where a.act in ('deactivate_user', 'remove_user')
  union all
  select m.id, false, false, a.object_id, null from acts a cross join lateral (
    select g.directory_user_id as id from group_members g
    where g.tenant_id = $1 and g.group_id = a.object_id and g.directory_user_id = a.member_id offset 0
  ) m where a.act = 'leave_group'
  union all
  select m.id, false, false, case a.act when 'remove_group' then a.object_id end, case a.act when 'unmap_group' then a.object_id end
  from acts a cross join lateral (
    select g.directory_user_id as id from group_members g where g.tenant_id = $1 and g.group_id = a.object_id offset 0
  ) m where a.act in ('remove_group', 'unmap_group')
), harmed as (
  select d.user_id, t.deactivated, t.removed, t.group_id, t.unmapped, false as touched from touched t cross join lateral (
    select u.user_id from directory_users u
    where u.tenant_id = $1 and u.directory_user_id = t.id and u.active and u.ended_at is null offset 0
  ) d
  union all
  select a.object_id, false, false, null, null, true from acts a where a.act = 'touch_user'
)
select user_id as "userId", bool_or(deactivated) as deactivated, bool_or(removed) as removed, bool_or(touched) as touched,
  coalesce(array_agg(distinct group_id) filter (where group_id is not null), '{}') as groups,
  coalesce(array_agg(distinct unmapped) filter (where unmapped is not null), '{}') as unmapped
from harmed group by user_id order by user_id`,
    },
    [tx.tenantId, connectionId],
  );
}

/** Those of the people who administer the tenant, as the directory sees them. */
export async function readAdministrators(
  tx: TenantTx,
  connectionId: ConnectionId,
  userIds: readonly UserId[],
): Promise<readonly PersonRow[]> {
  const rows = await tx.run<{ person: PersonRow }>(
    {
      name: null,
      text: `select ${PERSON} as person from (select $2::uuid as connection_id) l, users u
where u.tenant_id = $1 and u.user_id = any ($3::uuid[]) order by u.user_id`,
    },
    [tx.tenantId, connectionId, userIds],
  );
  return rows.map((row) => row.person).filter((person) => person.administers);
}

export async function readGroupNames(
  tx: TenantTx,
  groupIds: readonly DirectoryGroupId[],
): Promise<ReadonlyMap<DirectoryGroupId, string>> {
  const rows = await tx.run<{ id: DirectoryGroupId; name: string }>(
    {
      name: null,
      text: 'select group_id as id, display_name as name from directory_groups where tenant_id = $1 and group_id = any ($2::uuid[])',
    },
    [tx.tenantId, groupIds],
  );
  return new Map(rows.map((row) => [row.id, row.name]));
}

/** Names of the groups whose end is recorded and that are still there, the first `most`. */
export async function readGroupsToEnd(
  tx: TenantTx,
  connectionId: ConnectionId,
  most: number,
): Promise<readonly string[]> {
  const rows = await tx.run<{ name: string }>(
    {
      name: null,
      text: `
select g.display_name as name from directory_guard_acts a
join directory_groups g on g.tenant_id = a.tenant_id and g.group_id = a.object_id and g.ended_at is null
where a.tenant_id = $1 and a.connection_id = $2 and a.act = 'remove_group' order by g.display_name, g.group_id limit $3`,
    },
    [tx.tenantId, connectionId, most],
  );
  return rows.map((row) => row.name);
}

export type DoneToUser = {
  readonly userId: UserId;
  readonly directoryUserId: DirectoryUserId;
  /** No directory lets them in any more. */
  readonly barred: boolean;
};

const ACTS = `from directory_guard_acts a where a.tenant_id = $1 and a.connection_id = $2`;
const NOT_KEPT = 'd.user_id <> all ($3::uuid[])';
const barred = (rows: string) => `
select r.user_id as "userId", r.directory_user_id as "directoryUserId",
  not ${letInByDirectories('$1', 'r.user_id', 'w.directory_user_id <> r.directory_user_id')} as barred
from ${rows} r order by r.user_id`;

/** Does the recorded deactivations, but for the people of `kept`. */
export async function deactivateRecorded(
  tx: TenantTx,
  connectionId: ConnectionId,
  kept: readonly UserId[],
): Promise<readonly DoneToUser[]> {
  return tx.run<DoneToUser>(
    {
      name: null,
      text: `
with written as (
  update directory_users d set active = false, withheld = false, attributes = jsonb_set(d.attributes, '{active}', 'false'), version = d.version + 1,
    last_modified_at = clock_timestamp()
  where d.tenant_id = $1 and d.connection_id = $2 and d.active and d.ended_at is null and ${NOT_KEPT}
    and d.directory_user_id = any (array(select a.object_id ${ACTS} and a.act = 'deactivate_user'))
  returning d.user_id, d.directory_user_id
) ${barred('written')}`,
    },
    [tx.tenantId, connectionId, kept],
  );
}

/** Does the recorded removals of users, as {@link file://./directory-changes.ts} ends one, but for the people of `kept`. */
export async function removeRecorded(
  tx: TenantTx,
  connectionId: ConnectionId,
  kept: readonly UserId[],
): Promise<readonly DoneToUser[]> {
  const leaving = `select d.directory_user_id from directory_users d where d.tenant_id = $1 and d.connection_id = $2
    and d.ended_at is null and ${NOT_KEPT} and d.directory_user_id = any (array(select a.object_id ${ACTS} and a.act = 'remove_user'))`;
  return tx.run<DoneToUser>(
    {
      name: null,
      text: `
with leaving as materialized (${leaving}
), memberships as materialized (
  select m.at, m.group_id from leaving l cross join lateral (
    select g.ctid as at, g.group_id from group_members g where g.tenant_id = $1 and g.directory_user_id = l.directory_user_id offset 0) m
), left_groups as materialized (
  select g.group_id from directory_groups g
  where g.tenant_id = $1 and g.group_id = any (array(select distinct group_id from memberships))
  order by g.group_id for no key update
), gone as (
  delete from group_members where ctid = any (array(
    select m.at from memberships m where m.group_id in (select group_id from left_groups)))
  returning group_id
), changed_groups as (
  update directory_groups g set version = g.version + 1, last_modified_at = clock_timestamp()
  where g.tenant_id = $1 and g.group_id in (select group_id from gone)
), written as (
  update directory_users d set ended_at = clock_timestamp(), ended_by = 'directory'
  where d.tenant_id = $1 and d.directory_user_id = any (array(select l.directory_user_id from leaving l))
  returning d.user_id, d.directory_user_id
), counted as (${countInSlot('users', `(select $2::uuid as connection_id, -count(*) as added from written having count(*) > 0)`)}
) ${barred('written')}`,
    },
    [tx.tenantId, connectionId, kept],
  );
}

export type DoneToGroup = {
  readonly groupId: DirectoryGroupId;
  readonly displayName: string;
  readonly removed: number;
  readonly removedIds: readonly DirectoryUserId[];
};

/** Takes out of each group the members whose leaving is recorded. Groups that lost nobody are not among the answers. */
export async function leaveRecorded(tx: TenantTx, connectionId: ConnectionId): Promise<readonly DoneToGroup[]> {
  return tx.run<DoneToGroup>(
    {
      name: null,
      text: `
with left_groups as materialized (
  select g.group_id from directory_groups g
  where g.tenant_id = $1 and g.ended_at is null and g.group_id in (select a.object_id ${ACTS} and a.act = 'leave_group')
  order by g.group_id for no key update
), gone as (
  delete from group_members where ctid = any (array(
    select m.at from directory_guard_acts a cross join lateral (
      select g.ctid as at from group_members g
      where g.tenant_id = $1 and g.group_id = a.object_id and g.directory_user_id = a.member_id offset 0
    ) m where a.tenant_id = $1 and a.connection_id = $2 and a.act = 'leave_group' and a.object_id in (select group_id from left_groups)))
  returning group_id, directory_user_id
), lost as (
  select group_id, count(*) as removed, to_jsonb((array_agg(directory_user_id))[1:${AUDITED_IDS}]) as removed_ids from gone group by group_id
)
update directory_groups g set version = g.version + 1, last_modified_at = clock_timestamp()
from lost where g.tenant_id = $1 and g.group_id = lost.group_id
returning g.group_id as "groupId", g.display_name as "displayName", lost.removed, lost.removed_ids as "removedIds"`,
    },
    [tx.tenantId, connectionId],
  );
}

/** Ends the groups whose end is recorded, with their memberships. */
export async function endRecordedGroups(
  tx: TenantTx,
  connectionId: ConnectionId,
): Promise<readonly Pick<DoneToGroup, 'groupId' | 'displayName'>[]> {
  return tx.run(
    {
      name: null,
      text: `
with ended as (
  update directory_groups g set ended_at = clock_timestamp()
  where g.tenant_id = $1 and g.connection_id = $2 and g.ended_at is null
    and g.group_id in (select a.object_id ${ACTS} and a.act = 'remove_group')
  returning g.group_id, g.display_name
), emptied as (
  delete from group_members m using ended where m.tenant_id = $1 and m.group_id = ended.group_id
), counted as (${countInSlot('groups', `(select $2::uuid as connection_id, -count(*) as added from ended having count(*) > 0)`)}
)
select group_id as "groupId", display_name as "displayName" from ended order by group_id`,
    },
    [tx.tenantId, connectionId],
  );
}
