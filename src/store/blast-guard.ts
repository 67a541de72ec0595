// The guard's own rows: whom a directory touched lately, and what it asked for while it was paused. All of it is read and written
// under the lock of the directory's guard.

import type { TenantTx } from '../context.ts';
import type { ConnectionId, DirectoryGroupId, DirectoryUserId, UserId } from '../core/ids.ts';
import { idList } from './id-list.ts';

/** The directory's guard, made if need be and held for the rest of the transaction. Taken before any person, group or rule. */
export async function lockGuard(tx: TenantTx, connectionId: ConnectionId): Promise<{ readonly paused: boolean }> {
  const key = [tx.tenantId, connectionId];
  // Made first: of two first acts at once, the second waits for the row and finds it taken.
  await tx.run(
    {
      name: 'directory_guard_open',
      text: 'insert into directory_guards (tenant_id, connection_id) values ($1, $2) on conflict do nothing',
    },
    key,
  );
  const [row] = await tx.run<{ paused: boolean }>(
    {
      name: 'directory_guard_lock',
      text: 'select paused_at is not null as paused from directory_guards where tenant_id = $1 and connection_id = $2 for update',
    },
    key,
  );
  return { paused: row?.paused ?? false };
}

/** Which active members a request takes out of a group. */
export type Leaving =
  | { readonly kind: 'all' }
  | { readonly kind: 'these'; readonly ids: readonly DirectoryUserId[] }
  | { readonly kind: 'others'; readonly ids: readonly DirectoryUserId[] };

/** From whom a request would take something. */
export type Harmed =
  | { readonly kind: 'user'; readonly userId: UserId }
  | { readonly kind: 'members'; readonly groupId: DirectoryGroupId; readonly leaving: Leaving };

type Part = { readonly text: string; readonly values: readonly unknown[] };

/** Rows (user_id, directory_user_id) of the harmed; parameters from `$<first>` on. */
function harmedPart(harmed: Harmed, first: number): Part {
  if (harmed.kind === 'user')
    return { text: `select $${first}::uuid as user_id, null::uuid as directory_user_id`, values: [harmed.userId] };
  const { groupId, leaving } = harmed;
  const among = leaving.kind === 'these' ? 'in' : 'not in';
  const which =
    leaving.kind === 'all' ? '' : ` and m.directory_user_id ${among} (select unnest($${first + 1}::uuid[]))`;
  return {
    // `offset 0` keeps each lookup one by primary key: right after a first full sync the planner knows nothing of the tables.
    text: `select d.user_id, d.directory_user_id from group_members m cross join lateral (
        select u.user_id, u.directory_user_id from directory_users u
        where u.tenant_id = $1 and u.directory_user_id = m.directory_user_id and u.active and u.ended_at is null offset 0
      ) d
      where m.tenant_id = $1 and m.group_id = $${first}${which}`,
    values: leaving.kind === 'all' ? [groupId] : [groupId, idList(leaving.ids)],
  };
}

// Within `$3` minutes.
const SINCE = 'statement_timestamp() - make_interval(mins => $3)';
const BEFORE = `directory_guard_people where tenant_id = $1 and connection_id = $2 and touched_at >= ${SINCE} and not approved`;

/** How many different people the directory has touched within the minutes. Whom an administrator approved is none of them. */
export async function countLatelyTouched(tx: TenantTx, connectionId: ConnectionId, minutes: number): Promise<number> {
  const [row] = await tx.run<{ people: number }>({ name: null, text: `select count(*) as people from ${BEFORE}` }, [
    tx.tenantId,
    connectionId,
    minutes,
  ]);
  return row?.people ?? 0;
}

// By the act `$4` on the object `$5`, which the plan had: it is kept when the directory is resumed.
const APPROVED = `exists (select 1 from directory_guard_acts a
    where a.tenant_id = $1 and a.connection_id = $2 and a.act = $4 and a.object_id = $5::uuid)`;

/**
 * The same with the harmed among them. Whom an administrator approved within the minutes is none of the harmed where `asked` is sent
 * again, as it was approved: nothing else was. Forgets those before.
 */
export async function countTouched(
  tx: TenantTx,
  connectionId: ConnectionId,
  minutes: number,
  harmed: Harmed,
  asked: Asked,
): Promise<{ readonly harmed: number; readonly people: number }> {
  const part = harmedPart(harmed, 6);
  const [row] = await tx.run<{ harmed: number; people: number }>(
    {
      name: null,
      text: `
with harmed as (
  select distinct h.user_id from (${part.text}) h where not (${APPROVED} and exists (
    select 1 from directory_guard_people p where p.tenant_id = $1 and p.connection_id = $2 and p.user_id = h.user_id
      and p.approved and p.touched_at >= ${SINCE}))
), forgotten as (delete from directory_guard_people where tenant_id = $1 and connection_id = $2 and touched_at < ${SINCE}),
before as (select user_id from ${BEFORE})
select (select count(*) from harmed) as harmed,
  (select count(*) from (select user_id from harmed union select user_id from before) u) as people`,
    },
    [tx.tenantId, connectionId, minutes, ...approvalOf(asked), ...part.values],
  );
  return row ?? { harmed: 0, people: 0 };
}

/** Users whom the directory had active before it began to touch people, counted up to `enough`. */
export async function countActiveUsers(tx: TenantTx, connectionId: ConnectionId, enough: number): Promise<number> {
  const [row] = await tx.run<{ active: number }>(
    {
      name: 'directory_guard_active',
      text: `
with active as (
  select 1 from directory_users where tenant_id = $1 and connection_id = $2 and active and ended_at is null limit $3
)
select (select count(*) from active) + (
  select count(*) from directory_guard_people p where p.tenant_id = $1 and p.connection_id = $2 and not p.approved
    and not exists (select 1 from directory_users d where d.tenant_id = $1 and d.user_id = p.user_id and d.connection_id = $2
      and d.active and d.ended_at is null)) as active`,
    },
    [tx.tenantId, connectionId, enough],
  );
  return row?.active ?? 0;
}

/** `asked`: as {@link countTouched} has it. By any other request whoever was approved counts from now on as everybody does. */
export async function rememberTouched(
  tx: TenantTx,
  connectionId: ConnectionId,
  minutes: number,
  harmed: Harmed,
  asked: Asked,
): Promise<void> {
  const part = harmedPart(harmed, 6);
  await tx.run(
    {
      name: null,
      text: `
insert into directory_guard_people (tenant_id, connection_id, user_id)
select distinct $1::uuid, $2::uuid, h.user_id from (${part.text}) h
on conflict (tenant_id, connection_id, user_id) do update set touched_at = excluded.touched_at, approved = false
  where not (${APPROVED} and directory_guard_people.approved and directory_guard_people.touched_at >= ${SINCE})`,
    },
    [tx.tenantId, connectionId, minutes, ...approvalOf(asked), ...part.values],
  );
}

/** These are not counted when the directory sends again what was approved of them, within its guard's minutes. */
export async function rememberApproved(
  tx: TenantTx,
  connectionId: ConnectionId,
  userIds: readonly UserId[],
): Promise<void> {
  await tx.run(
    {
      name: null,
      text: `
insert into directory_guard_people (tenant_id, connection_id, user_id, approved) select $1, $2, u, true from unnest($3::uuid[]) u
on conflict (tenant_id, connection_id, user_id) do update set approved = true, touched_at = excluded.touched_at`,
    },
    [tx.tenantId, connectionId, userIds],
  );
}

/** What a refused request asked for. */
export type Asked =
  | { readonly kind: 'deactivate_user' | 'remove_user'; readonly directoryUserId: DirectoryUserId }
  | { readonly kind: 'leave_group'; readonly groupId: DirectoryGroupId; readonly leaving: Leaving }
  | { readonly kind: 'remove_group'; readonly groupId: DirectoryGroupId }
  /** Not to be done later, for the push says more: it has to be sent again. By another externalId the group leaves its rule. */
  | { readonly kind: 'unmap_group'; readonly groupId: DirectoryGroupId }
  /** The same of a push that takes something from one person. */
  | { readonly kind: 'touch_user'; readonly userId: UserId };

/** What is not done on resume, so that the directory sends it again. */
export const sentAgain = `('unmap_group', 'touch_user')`;

function approvalOf(asked: Asked): readonly [act: string | null, objectId: string | null] {
  if (asked.kind === 'unmap_group') return [asked.kind, asked.groupId];
  return asked.kind === 'touch_user' ? [asked.kind, asked.userId] : [null, null];
}

/** So many acts are recorded of one directory; of more it is only known that there were more. */
const MOST_ACTS = 100_000;

/** Records what a paused directory asked for, once however often it asks. */
export async function recordAsked(tx: TenantTx, connectionId: ConnectionId, asked: Asked): Promise<void> {
  switch (asked.kind) {
    case 'deactivate_user':
    case 'remove_user':
      return record(tx, connectionId, asked.kind, {
        text: `select $4::uuid as object_id, '${NOBODY}'::uuid as member_id`,
        values: [asked.directoryUserId],
      });
    case 'remove_group':
    case 'unmap_group':
      return record(tx, connectionId, asked.kind, {
        text: `select $4::uuid as object_id, '${NOBODY}'::uuid as member_id`,
        values: [asked.groupId],
      });
    case 'touch_user':
      return record(tx, connectionId, asked.kind, {
        text: `select $4::uuid as object_id, '${NOBODY}'::uuid as member_id`,
        values: [asked.userId],
      });
    case 'leave_group': {
      const part = harmedPart({ kind: 'members', groupId: asked.groupId, leaving: asked.leaving }, 4);
      const text = `select $4::uuid as object_id, h.directory_user_id as member_id from (${part.text}) h`;
      return record(tx, connectionId, asked.kind, { text, values: part.values });
    }
  }
}

/** Who is to stay after all, by a push that was refused as well: a user is active, users are members of a group, or it keeps its rule. */
export type Restored =
  | { readonly kind: 'user'; readonly directoryUserId: DirectoryUserId }
  /** Pushed as if new: it is whoever has one of the names. */
  | { readonly kind: 'named'; readonly userNameKey: string; readonly externalId: string | null }
  | { readonly kind: 'members'; readonly groupId: DirectoryGroupId; readonly ids: readonly DirectoryUserId[] }
  | { readonly kind: 'mapping'; readonly groupId: DirectoryGroupId }
  /** Pushed as if new, with these members: it is whichever has one of the names. */
  | {
      readonly kind: 'named_group';
      readonly nameKey: string;
      readonly externalId: string | null;
      readonly ids: readonly DirectoryUserId[];
    };

/** Withdraws what was recorded against them: the last word of the identity provider counts. */
export async function withdrawAsked(tx: TenantTx, connectionId: ConnectionId, restored: Restored): Promise<void> {
  const of = [tx.tenantId, connectionId];
  const { text, values } = restoredPart(restored);
  await tx.run(
    { name: null, text: `delete from directory_guard_acts where tenant_id = $1 and connection_id = $2 and ${text}` },
    [...of, ...values],
  );
}

function restoredPart(restored: Restored): Part {
  switch (restored.kind) {
    case 'user':
      return {
        text: `act in ('deactivate_user', 'remove_user') and object_id = $3`,
        values: [restored.directoryUserId],
      };
    case 'named':
      return {
        text: `act in ('deactivate_user', 'remove_user') and object_id in (
          select d.directory_user_id from directory_users d where d.tenant_id = $1 and d.connection_id = $2 and d.user_name_key = $3
            and d.ended_at is null
          union select d.directory_user_id from directory_users d where d.tenant_id = $1 and d.connection_id = $2 and d.external_id = $4
            and d.ended_at is null)`,
        values: [restored.userNameKey, restored.externalId],
      };
    case 'members':
      return {
        text: `(act = 'leave_group' and member_id in (select unnest($4::uuid[])) or act = 'remove_group') and object_id = $3`,
        values: [restored.groupId, idList(restored.ids)],
      };
    case 'mapping':
      return { text: `act = 'unmap_group' and object_id = $3`, values: [restored.groupId] };
    case 'named_group': {
      const open = (which: string) => `object_id in (select g.group_id from directory_groups g
          where g.tenant_id = $1 and g.connection_id = $2 and g.ended_at is null and (${which}))`;
      return {
        text: `((act = 'leave_group' and member_id in (select unnest($5::uuid[])) or act = 'remove_group')
            and ${open('g.display_name_key = $3 or g.external_id = $4')}
          or act = 'unmap_group' and ${open('g.external_id = $4')})`,
        values: [restored.nameKey, restored.externalId, idList(restored.ids)],
      };
    }
  }
}

const NOBODY = '00000000-0000-0000-0000-000000000000';

async function record(tx: TenantTx, connectionId: ConnectionId, act: string, acts: Part): Promise<void> {
  await tx.run(
    {
      name: null,
      text: `
with asked as materialized (${acts.text}),
fresh as materialized (
  select a.object_id, a.member_id from asked a left join lateral (
    select true as there from directory_guard_acts g where g.tenant_id = $1 and g.connection_id = $2 and g.act = $3
      and g.object_id = a.object_id and g.member_id = a.member_id offset 0
  ) known on true where known.there is null
), room as (
  select greatest(0, ${MOST_ACTS} - count(*)) as left from directory_guard_acts where tenant_id = $1 and connection_id = $2
), recorded as (
  insert into directory_guard_acts (tenant_id, connection_id, act, object_id, member_id)
  select $1, $2, $3, f.object_id, f.member_id from fresh f limit (select r.left from room r)
)
update directory_guards set overflowed = true
where tenant_id = $1 and connection_id = $2 and not overflowed and (select count(*) from fresh) > (select r.left from room r)`,
    },
    [tx.tenantId, connectionId, act, ...acts.values],
  );
}
