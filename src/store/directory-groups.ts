// A directory's groups on the hot path. Members are sets that the database compares: a group is never loaded to be changed.

import type { Context, Statement, TenantTx } from '../context.ts';
import type { Change, Decision } from '../core/change.ts';
import type { Directory } from '../core/directory.ts';
import type { MemberEdit } from '../core/directory-group.ts';
import type { DirectoryGroupId, DirectoryUserId, Instant } from '../core/ids.ts';
import { groupNameKey } from '../core/profile.ts';
import { actorConnection, eventRows } from './audit-events.ts';
import { countInSlot } from './directory-changes.ts';
import { HELD, PAUSED } from './directory-person.ts';
import { idList } from './id-list.ts';
import { instant } from './instant.ts';
import { LIVE } from './scim-credentials.ts';

/** A group as answers are made from it. */
export type DirectoryGroupRow = {
  readonly id: DirectoryGroupId;
  readonly displayName: string;
  readonly externalId: string | null;
  /** As JSON text. */
  readonly attributes: string;
  readonly version: number;
  readonly createdAt: Instant;
  readonly lastModifiedAt: Instant;
};

/** Columns of the group `g` as {@link DirectoryGroupRow}. */
export const GROUP_COLUMNS = `g.group_id as id, g.display_name as "displayName", g.external_id as "externalId",
  g.attributes::text as attributes, g.version,
  ${instant('g.created_at')} as "createdAt", ${instant('g.last_modified_at')} as "lastModifiedAt"`;

const FACTS: Statement = {
  name: 'directory_group_facts',
  text: `
with ${LIVE}
select l.config_version, ${HELD} as held, ${PAUSED} as paused, ${GROUP_COLUMNS},
  exists (select 1 from directory_groups o where o.tenant_id = $1 and o.connection_id = l.connection_id and o.display_name_key = $4
    and o.ended_at is null and o.group_id is distinct from $3) as name_taken,
  exists (select 1 from directory_groups o where o.tenant_id = $1 and o.connection_id = l.connection_id and o.external_id = $5
    and o.ended_at is null and o.group_id is distinct from $3) as external_id_taken
from live l
left join directory_groups g on g.tenant_id = $1 and g.connection_id = l.connection_id and g.group_id = $3 and g.ended_at is null`,
};

export type LoadedGroup = {
  readonly configVersion: number;
  readonly held: boolean;
  /** What the directory pushes is refused until an administrator looks. */
  readonly paused: boolean;
  /** Null: the directory has no group of this id. */
  readonly group: DirectoryGroupRow | null;
  readonly nameTaken: boolean;
  readonly externalIdTaken: boolean;
};

/** Names to look for; null: not asked. */
export type NamesAsked = { readonly displayName: string | null; readonly externalId: string | null };

/** A group, and whether names are free for it. Undefined: the credential may not be used. One statement. */
export async function readGroupFacts(
  tx: TenantTx,
  directory: Directory,
  groupId: DirectoryGroupId | null,
  names: NamesAsked,
): Promise<LoadedGroup | undefined> {
  const { displayName, externalId } = names;
  const [row] = await tx.run<
    DirectoryGroupRow & {
      config_version: number;
      held: boolean;
      paused: boolean;
      name_taken: boolean;
      external_id_taken: boolean;
    }
  >(FACTS, [tx.tenantId, directory.credentialId, groupId, displayName && groupNameKey(displayName), externalId]);
  if (row === undefined) return undefined;
  const { config_version, held, paused, name_taken, external_id_taken, ...group } = row;
  return {
    configVersion: config_version,
    held,
    paused,
    group: group.id === null ? null : group,
    nameTaken: name_taken,
    externalIdTaken: external_id_taken,
  };
}

/**
 * The one row of a user, looked up as itself. `offset 0` keeps each lookup one by primary key: right after a first full sync the
 * planner knows nothing of the tables, and thinks a scan per member cheap.
 */
export const memberById = (id: string) => `
    select u.directory_user_id as id, u.connection_id, u.ended_at from directory_users u
    where u.tenant_id = $1 and u.directory_user_id = ${id} offset 0`;

/** Whether the user of the row `w` is a member of a group. */
export const isMember = (group: string) =>
  `exists (select 1 from group_members m where m.tenant_id = $1 and m.group_id = ${group} and m.directory_user_id = w.id offset 0)`;

/**
 * That row of a user who is to become a member, and cannot be removed until that is written: whose removal is under way is waited for,
 * and is nobody then. To be asked in the order of the ids, and before the group's row is taken, as everywhere.
 */
export const memberToBe = (id: string) => `${memberById(id)} for key share`;

// The members that may be: `wanted` as asked, `known` those that are open users of this connection. `held`: who is a member already.
const wanted = (ids: string, connection: string, held: string) => `
wanted as materialized (
  select w.id, ${held} as held from (select distinct x as id from unnest(${ids}::uuid[]) x order by x offset 0) w
), known as materialized (
  select d.id from wanted w cross join lateral (${memberById('w.id')}
  ) d where w.held and d.connection_id = ${connection} and d.ended_at is null
  union all
  select d.id from (select w.id from wanted w where not w.held order by w.id offset 0) w cross join lateral (${memberToBe('w.id')}
  ) d where d.connection_id = ${connection} and d.ended_at is null
)`;

/** Ids that one audit row names; the counts are always whole. */
export const AUDITED_IDS = 1000;
const idsOf = (cte: string) =>
  `coalesce((select jsonb_agg(i.directory_user_id) from (select directory_user_id from ${cte} limit ${AUDITED_IDS}) i), '[]')`;

const CREATE: Statement = {
  name: 'directory_group_create',
  text: `
with ${wanted('$6', '$3', 'false')}, tenant as (
  select 1 from tenants where tenant_id = $1 and config_version = $7 for share
), complete as (
  select (select count(*) from wanted) = (select count(*) from known) as complete
), made as (
  insert into directory_groups (tenant_id, group_id, connection_id, display_name, display_name_key, external_id, attributes)
  select $1, $2, $3, $4, $5, $8, $12::jsonb from tenant, complete c where c.complete
  returning group_id, connection_id, 1 as added, version, created_at, last_modified_at
), added as (
  insert into group_members (tenant_id, group_id, directory_user_id) select $1, m.group_id, k.id from made m, known k
  returning directory_user_id
), counted as (${countInSlot('groups', 'made')}
), audited as (
  insert into audit_events (tenant_id, event_id, kind, outcome, actor, object_kind, object_id, connection_id, request_id, detail)
  select $1, e.event_id, e.kind, e.outcome, $9, e.object_kind, e.object_id, $3, $10, e.detail
    || jsonb_build_object('added', (select count(*) from added), 'addedIds', ${idsOf('added')})
  from made, jsonb_to_recordset($11) as e (event_id uuid, kind text, outcome text, object_kind text, object_id uuid, detail jsonb)
)
select c.complete, m.version, ${instant('m.created_at')} as "createdAt", ${instant('m.last_modified_at')} as "lastModifiedAt"
from complete c left join made m on true`,
};

type CreateGroup = Extract<Change, { kind: 'create_group' }>;

/** The one change of a plain new group, or null: then the decision is applied in a transaction. */
export function plainGroup(changes: readonly Change[]): CreateGroup | null {
  const [group, ...others] = changes;
  return group?.kind === 'create_group' && others.length === 0 ? group : null;
}

export type WrittenGroup = Pick<DirectoryGroupRow, 'version' | 'createdAt' | 'lastModifiedAt'>;

/**
 * Writes a new group with its members and audit rows. `unknown_member`: nothing was written. Undefined: the tenant's rules changed
 * since they were read, so decide again.
 */
export async function writeNewGroup(
  ctx: Context,
  tx: TenantTx,
  group: CreateGroup,
  members: readonly DirectoryUserId[],
  configVersion: number,
  events: Decision<unknown>['events'],
): Promise<WrittenGroup | 'unknown_member' | undefined> {
  const [row] = await tx.run<WrittenGroup & { complete: boolean }>(CREATE, [
    tx.tenantId,
    group.groupId,
    group.connectionId,
    group.displayName,
    groupNameKey(group.displayName),
    idList(members),
    configVersion,
    group.externalId,
    JSON.stringify(ctx.caller.actor),
    ctx.caller.requestId,
    eventRows(ctx, events),
    JSON.stringify(group.attributes),
  ]);
  if (row === undefined || !row.complete) return 'unknown_member';
  return row.version === null ? undefined : row;
}

// The group's row is locked before anything is compared. What is added is compared with what is there at that moment; what is
// removed only with what was there when the statement began, so a removal has to name the version that it goes by. Then whoever was a
// member stays one, too, or the version is another.
const editMembers = (removed: string, held = isMember('$3')) => `
with ${LIVE}, ${wanted('$5', '(select connection_id from live)', held)}, state as (
  select exists (select 1 from directory_groups g where g.tenant_id = $1 and g.connection_id = l.connection_id and g.group_id = $3
      and g.ended_at is null) as found,
    (select count(*) from wanted) = (select count(*) from known) as complete, ${PAUSED} as paused
  from live l
), target as (
  select g.group_id, g.version from directory_groups g join live l on l.connection_id = g.connection_id
  where g.tenant_id = $1 and g.group_id = $3 and g.ended_at is null and ($4::bigint is null or g.version = $4)
    and (select complete and not paused from state)
  for no key update of g
), removed as (${removed}
), added as (
  insert into group_members (tenant_id, group_id, directory_user_id) select $1, t.group_id, k.id from target t, known k order by k.id
  on conflict do nothing returning directory_user_id
), written as (
  update directory_groups g set version = g.version + 1, last_modified_at = clock_timestamp()
  from target t where g.tenant_id = $1 and g.group_id = t.group_id and (exists (select 1 from added) or exists (select 1 from removed))
  returning g.group_id, g.version
), audited as (
  insert into audit_events (tenant_id, event_id, kind, outcome, actor, object_kind, object_id, connection_id, request_id, detail)
  select $1, $6, 'group.members_changed', 'done', $7, 'group', $3, $8, $9, jsonb_build_object(
    'added', (select count(*) from added), 'removed', (select count(*) from removed),
    'addedIds', ${idsOf('added')}, 'removedIds', ${idsOf('removed')})
  from written
)
select case
    when not s.found then 'unknown_group'
    when s.paused then 'paused'
    when not s.complete then 'unknown_member'
    when not exists (select 1 from target) then 'lost_race'
    when exists (select 1 from written) then 'changed'
    else 'unchanged' end as kind, coalesce((select version from written), (select version from target)) as version
from state s`;

const EDITS = {
  add: {
    name: 'group_members_add',
    text: editMembers(' select null::uuid as directory_user_id where false', 'false'),
  },
  change: {
    name: 'group_members_change',
    text: editMembers(`
  delete from group_members where ctid = any (array(
    select m.at from target t cross join unnest($10::uuid[]) as r (id) cross join lateral (
      select g.ctid as at from group_members g where g.tenant_id = $1 and g.group_id = t.group_id and g.directory_user_id = r.id offset 0
    ) m))
  returning directory_user_id`),
  },
  replace: {
    name: 'group_members_replace',
    text: editMembers(`
  delete from group_members m using target t where m.tenant_id = $1 and m.group_id = t.group_id
    and m.directory_user_id not in (select w.id from wanted w)
  returning m.directory_user_id`),
  },
} as const satisfies Record<string, Statement>;

/** Whether an edit only adds: then it needs no version to go by. */
export function onlyAdds(edit: MemberEdit): boolean {
  return edit.kind === 'change' && edit.remove.length === 0;
}

/** `version`: what the group is at then. */
export type MembersKept = { readonly kind: 'unchanged' | 'changed'; readonly version: number };
export type MembersWritten =
  | { readonly kind: 'unauthenticated' | 'unknown_group' | 'unknown_member' | 'paused' | 'lost_race' }
  | MembersKept;

/**
 * Changes a group's members in one statement, whatever their number, with one audit row if any changed. `version`: what the group
 * has to be at, null for any; `locked`: the caller holds its row. Without a version, and without the row, members can only be added.
 * An id that is no open user of the connection changes nothing: `unknown_member` (T37, T55).
 */
export async function writeMembers(
  ctx: Context,
  tx: TenantTx,
  directory: Directory,
  groupId: DirectoryGroupId,
  version: number | null | 'locked',
  edit: MemberEdit,
): Promise<MembersWritten> {
  const statement = edit.kind === 'replace' ? EDITS.replace : version === null ? EDITS.add : EDITS.change;
  const [row] = await tx.run<MembersWritten>(statement, [
    tx.tenantId,
    directory.credentialId,
    groupId,
    version === 'locked' ? null : version,
    idList(edit.kind === 'replace' ? edit.to : edit.add),
    ctx.newId(),
    JSON.stringify(ctx.caller.actor),
    actorConnection(ctx),
    ctx.caller.requestId,
    ...(statement === EDITS.change && edit.kind === 'change' ? [idList(edit.remove)] : []),
  ]);
  return row ?? { kind: 'unauthenticated' };
}
