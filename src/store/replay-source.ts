// What playing a directory's requests again has to know of the directory: which request made which resource, and what resources are.

import type { TenantTx } from '../context.ts';
import type { ConnectionId, Instant } from '../core/ids.ts';
import type { NamedGroups } from '../core/scratch-tenant.ts';

/** Names of groups by their ids, ended ones included: a rule may name one that is gone. */
export async function readGroupNames(tx: TenantTx, ids: readonly string[]): Promise<NamedGroups> {
  if (ids.length === 0) return new Map();
  const rows = await tx.run<{ id: string; externalId: string | null; displayName: string }>(
    {
      name: null,
      text: `
select group_id as id, external_id as "externalId", display_name as "displayName" from directory_groups
where tenant_id = $1 and group_id = any ($2::uuid[])`,
    },
    [tx.tenantId, ids],
  );
  return new Map(rows.map(({ id, ...names }) => [id, names]));
}

/** A user or group that a request made, with the names by which the request spoke of it. */
export type Creation = {
  readonly requestId: string;
  readonly kind: 'Users' | 'Groups';
  readonly id: string;
  readonly externalId: string | null;
  /** userName or displayName. */
  readonly name: string;
};

/** What these requests made, as the audit trail has it: in the order in which it came to be. */
export async function readCreations(
  tx: TenantTx,
  connectionId: ConnectionId,
  requestIds: readonly string[],
  between: readonly [Instant, Instant],
): Promise<readonly Creation[]> {
  if (requestIds.length === 0) return [];
  return tx.run<Creation>(
    {
      name: null,
      text: `
with made as (
  select a.request_id, a.event_id, case when a.kind = 'group.created' then a.object_id else (a.detail ->> 'directoryUserId')::uuid end as id
  from audit_events a
  where a.tenant_id = $1 and a.occurred_at between to_timestamp($4 / 1000.0) and to_timestamp($5 / 1000.0) and a.outcome = 'done'
    and a.request_id = any ($3::text[]) and a.kind in ('user.created', 'user.returned', 'user.adopted', 'group.created')
)
select m.request_id as "requestId", m.event_id, 'Users' as kind, d.directory_user_id as id, d.external_id as "externalId", d.user_name as name
from made m join directory_users d on d.tenant_id = $1 and d.directory_user_id = m.id and d.connection_id = $2
union all
select m.request_id, m.event_id, 'Groups', g.group_id, g.external_id, g.display_name
from made m join directory_groups g on g.tenant_id = $1 and g.group_id = m.id and g.connection_id = $2
order by event_id`,
    },
    [tx.tenantId, connectionId, requestIds, between[0], between[1]],
  );
}

/** A resource as the directory has it now, or had it last. */
export type SourceResource =
  | { readonly kind: 'Users'; readonly id: string; readonly attributes: Readonly<Record<string, unknown>> }
  | {
      readonly kind: 'Groups';
      readonly id: string;
      readonly externalId: string | null;
      readonly displayName: string;
      readonly attributes: Readonly<Record<string, unknown>>;
    };

export type ResourcesAsked = {
  readonly ids: readonly string[];
  /** In the form in which they are compared. */
  readonly userNames: readonly string[];
  readonly externalIds: readonly string[];
  readonly groupNames: readonly string[];
};

/** Resources of the directory by id, ended ones included, and open ones by the names that they have now. Users first, then groups. */
export async function readResources(
  tx: TenantTx,
  connectionId: ConnectionId,
  { ids, userNames, externalIds, groupNames }: ResourcesAsked,
): Promise<readonly SourceResource[]> {
  const users = await tx.run<Extract<SourceResource, { kind: 'Users' }>>(
    {
      name: null,
      text: `
select 'Users' as kind, d.directory_user_id as id, d.attributes from directory_users d
where d.tenant_id = $1 and d.connection_id = $2 and d.directory_user_id in (
  select unnest($3::uuid[])
  union all select u.directory_user_id from directory_users u
  where u.tenant_id = $1 and u.connection_id = $2 and u.ended_at is null and u.user_name_key = any ($4::text[])
  union all select u.directory_user_id from directory_users u
  where u.tenant_id = $1 and u.connection_id = $2 and u.ended_at is null and u.external_id = any ($5::text[]))
order by d.directory_user_id`,
    },
    [tx.tenantId, connectionId, ids, userNames, externalIds],
  );
  const groups = await tx.run<Extract<SourceResource, { kind: 'Groups' }>>(
    {
      name: null,
      text: `
select 'Groups' as kind, g.group_id as id, g.external_id as "externalId", g.display_name as "displayName", g.attributes
from directory_groups g
where g.tenant_id = $1 and g.connection_id = $2 and g.group_id in (
  select unnest($3::uuid[])
  union all select o.group_id from directory_groups o
  where o.tenant_id = $1 and o.connection_id = $2 and o.ended_at is null and o.display_name_key = any ($4::text[])
  union all select o.group_id from directory_groups o
  where o.tenant_id = $1 and o.connection_id = $2 and o.ended_at is null and o.external_id = any ($5::text[]))
order by g.group_id`,
    },
    [tx.tenantId, connectionId, ids, groupNames, externalIds],
  );
  return [...users, ...groups];
}

/** Which of these users are in which of these groups now. */
export async function readMembers(
  tx: TenantTx,
  groups: readonly string[],
  users: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (groups.length === 0 || users.length === 0) return new Map();
  const rows = await tx.run<{ id: string; members: string[] }>(
    {
      name: null,
      text: `
select group_id as id, array_agg(directory_user_id::text order by directory_user_id) as members from group_members
where tenant_id = $1 and group_id = any ($2::uuid[]) and directory_user_id = any ($3::uuid[]) group by group_id`,
    },
    [tx.tenantId, groups, users],
  );
  return new Map(rows.map(({ id, members }) => [id, members]));
}
