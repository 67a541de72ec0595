// Members whom many requests add to one group at once: one statement for all of them, and a result and an audit row for each.

import type { Context, Statement, TenantTx } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import type { DirectoryGroupId, DirectoryUserId } from '../core/ids.ts';
import { actorConnection } from './audit-events.ts';
import { type MembersWritten, memberToBe } from './directory-groups.ts';
import { PAUSED } from './directory-person.ts';
import { idList } from './id-list.ts';
import { LIVE } from './scim-credentials.ts';

/** What one request adds. */
export type Addition = { readonly ctx: Context; readonly ids: readonly DirectoryUserId[] };

// Somebody whom two requests add is added by the first.
const ADD: Statement = {
  name: 'group_members_add_together',
  text: `
with ${LIVE}, edits as materialized (
  select e.no, e.event_id, e.request_id from unnest($4::uuid[], $5::text[]) with ordinality as e (event_id, request_id, no)
), asked as materialized (
  select a.id, a.no from unnest($6::uuid[], $7::int[]) as a (id, no)
), known as materialized (
  select w.id from (select distinct id from asked order by id offset 0) w cross join lateral (${memberToBe('w.id')}
  ) d where d.connection_id = (select connection_id from live) and d.ended_at is null
), wrong as materialized (
  select distinct a.no from asked a where a.id not in (select k.id from known k)
), good as materialized (
  select a.id, min(a.no) as no from asked a where a.no not in (select w.no from wrong w) group by a.id
), state as (
  select exists (select 1 from directory_groups g where g.tenant_id = $1 and g.connection_id = l.connection_id and g.group_id = $3
      and g.ended_at is null) as found, ${PAUSED} as paused
  from live l
), target as (
  select g.group_id, g.version from directory_groups g join live l on l.connection_id = g.connection_id
  where g.tenant_id = $1 and g.group_id = $3 and g.ended_at is null and (select not paused from state) and exists (select 1 from good)
  for no key update of g
), added as (
  insert into group_members (tenant_id, group_id, directory_user_id) select $1, t.group_id, g.id from target t, good g order by g.id
  on conflict do nothing returning directory_user_id
), by_edit as (
  select g.no, count(*) as count, jsonb_agg(g.id) as ids from added a join good g on g.id = a.directory_user_id group by g.no
), written as (
  update directory_groups g set version = g.version + 1, last_modified_at = clock_timestamp()
  from target t where g.tenant_id = $1 and g.group_id = t.group_id and exists (select 1 from added)
  returning g.group_id, g.version
), audited as (
  insert into audit_events (tenant_id, event_id, kind, outcome, actor, object_kind, object_id, connection_id, request_id, detail)
  select $1, e.event_id, 'group.members_changed', 'done', $8, 'group', w.group_id, $9, e.request_id,
    jsonb_build_object('added', b.count, 'removed', 0, 'addedIds', b.ids, 'removedIds', '[]'::jsonb)
  from written w, by_edit b join edits e on e.no = b.no
)
select case
    when not s.found then 'unknown_group'
    when s.paused then 'paused'
    when e.no in (select w.no from wrong w) then 'unknown_member'
    when not exists (select 1 from target) then 'lost_race'
    when e.no in (select b.no from by_edit b) then 'changed'
    else 'unchanged' end as kind, coalesce((select version from written), (select version from target)) as version
from state s, edits e order by e.no`,
};

/**
 * Adds members to a group for several requests of one credential in one statement, with one new version and an audit row for each
 * request that added somebody. The results are in the order of the requests. An id that is no open user of the connection spoils its
 * own request alone: `unknown_member` (T37, T55).
 */
export async function writeAdditions(
  tx: TenantTx,
  directory: Directory,
  groupId: DirectoryGroupId,
  additions: readonly Addition[],
): Promise<readonly MembersWritten[]> {
  const [first] = additions;
  if (first === undefined) return [];
  const asked = additions.flatMap(({ ids }, index) => ids.map((id) => ({ id, no: index + 1 })));
  const rows = await tx.run<MembersWritten>(ADD, [
    tx.tenantId,
    directory.credentialId,
    groupId,
    idList(additions.map(({ ctx }) => ctx.newId())),
    additions.map(({ ctx }) => ctx.caller.requestId),
    idList(asked.map(({ id }) => id)),
    asked.map(({ no }) => no),
    JSON.stringify(first.ctx.caller.actor),
    actorConnection(first.ctx),
  ]);
  return rows.length === 0 ? additions.map(() => ({ kind: 'unauthenticated' })) : rows;
}
