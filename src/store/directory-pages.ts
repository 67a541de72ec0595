// Reading a directory: one resource, a page of them, the members of groups. Whole pages come as one text value, since taking rows
// apart costs more than finding them.

import type { Statement, TenantTx } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import type { DirectoryGroupId, DirectoryUserId, Instant } from '../core/ids.ts';
import { type DirectoryGroupRow, GROUP_COLUMNS } from './directory-groups.ts';
import { type DirectoryUserRow, GROUPS_OF_D } from './directory-person.ts';
import { instant, LIVE } from './scim-credentials.ts';

// JSON text never holds control characters, so they can stand between values.
const ROW = '\u001e';
const FIELD = '\u001f';
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** A condition on `d` with its values, numbered from {@link FIRST_FILTER_PARAM}. */
export type Condition = { readonly sql: string; readonly params: readonly unknown[] };
export const FIRST_FILTER_PARAM = 7;

export type PageQuery = {
  readonly filter: Condition | null;
  /** The page begins after this id, or at `offset` where none is known. */
  readonly after: string | null;
  readonly offset: number;
  readonly limit: number;
};

/** `total` is null where a filter matched more than the page shows: {@link countMatches} says how many. */
export type Page<Row> = { readonly rows: readonly Row[]; readonly total: number | null };

// Statements of filters are prepared as well, up to a number of shapes: a hostile client has endless ones.
const MAX_NAMED = 100;
const named = new Map<string, string>();

function nameOf(text: string): string | null {
  const known = named.get(text);
  if (known !== undefined) return known;
  if (named.size >= MAX_NAMED) return null;
  const name = `directory_page_${named.size}`;
  named.set(text, name);
  return name;
}

const tables = {
  users: { table: 'directory_users', id: 'directory_user_id' },
  groups: { table: 'directory_groups', id: 'group_id' },
} as const;

// Tenant and connection are compared with parameters, not with the credential's row: only so is the index's order the page's.
function pageText(resource: 'users' | 'groups', filter: Condition | null, columns: readonly string[]): string {
  const { table, id } = tables[resource];
  return `
with ${LIVE}, page as (
  select d.${id} as id, ${columns.map((column, index) => `${column} as c${index}`).join(', ')}
  from ${table} d
  where d.tenant_id = $1 and d.connection_id = $3 and d.ended_at is null and d.${id} > $4${filter === null ? '' : ` and (${filter.sql})`}
  order by d.${id} limit $5 offset $6
)
select ${
    filter === null
      ? `(select coalesce(sum(n.count), 0)::bigint from directory_counters n
    where n.tenant_id = $1 and n.connection_id = $3 and n.resource = '${resource}')`
      : 'null::bigint'
  } as total,
  (select string_agg(p.id || ${columns.map((_, index) => `e'\\x1f' || p.c${index}`).join(' || ')}, e'\\x1e' order by p.id) from page p) as page
from live l`;
}

async function readPage<Row>(
  tx: TenantTx,
  directory: Directory,
  resource: 'users' | 'groups',
  query: PageQuery,
  columns: readonly string[],
  rowOf: (fields: readonly string[]) => Row,
): Promise<Page<Row> | undefined> {
  const { filter, limit, offset, after } = query;
  const text = pageText(resource, filter, columns);
  const [row] = await tx.run<{ total: number | null; page: string | null }>({ name: nameOf(text), text }, [
    tx.tenantId,
    directory.credentialId,
    directory.connectionId,
    after ?? NO_ID,
    limit,
    after === null ? offset : 0,
    ...(filter?.params ?? []),
  ]);
  if (row === undefined) return undefined;
  const rows = row.page === null ? [] : row.page.split(ROW).map((fields) => rowOf(fields.split(FIELD)));
  const seenAll = after === null && offset === 0 && rows.length < limit;
  return { rows, total: row.total ?? (seenAll ? rows.length : null) };
}

const USER_COLUMNS = ['d.version', instant('d.created_at'), instant('d.last_modified_at'), 'd.attributes::text'];
const USER_COLUMNS_AND_GROUPS = [...USER_COLUMNS, `${GROUPS_OF_D}::text`];

/** A page of users in the order of their ids. Undefined: the credential may not be used. One statement. */
export function readUsersPage(
  tx: TenantTx,
  directory: Directory,
  query: PageQuery,
  groups: boolean,
): Promise<Page<DirectoryUserRow> | undefined> {
  return readPage(tx, directory, 'users', query, groups ? USER_COLUMNS_AND_GROUPS : USER_COLUMNS, userOf);
}

function userOf(fields: readonly string[]): DirectoryUserRow {
  const [id, version, created, modified, attributes, groups] = fields as [
    string,
    string,
    string,
    string,
    string,
    string?,
  ];
  const row = {
    id: id as DirectoryUserId,
    attributes,
    version: Number(version),
    createdAt: Number(created) as Instant,
    lastModifiedAt: Number(modified) as Instant,
  };
  return groups === undefined ? row : { ...row, groups: groups === '[]' ? [] : JSON.parse(groups) };
}

const GROUP_PAGE_COLUMNS = [
  'd.version',
  instant('d.created_at'),
  instant('d.last_modified_at'),
  `json_build_array(d.display_name, d.external_id)::text`,
];

/** A page of groups without members. Undefined: the credential may not be used. One statement. */
export function readGroupsPage(
  tx: TenantTx,
  directory: Directory,
  query: PageQuery,
): Promise<Page<DirectoryGroupRow> | undefined> {
  return readPage(tx, directory, 'groups', query, GROUP_PAGE_COLUMNS, (fields) => {
    const [id, version, created, modified, names] = fields as [string, string, string, string, string];
    const [displayName, externalId] = JSON.parse(names) as [string, string | null];
    return {
      id: id as DirectoryGroupId,
      displayName,
      externalId,
      version: Number(version),
      createdAt: Number(created) as Instant,
      lastModifiedAt: Number(modified) as Instant,
    };
  });
}

/** How many resources a filter matches. Its parameters are those of a page. */
export async function countMatches(
  tx: TenantTx,
  directory: Directory,
  resource: 'users' | 'groups',
  filter: Condition,
): Promise<number> {
  const { table } = tables[resource];
  const [row] = await tx.run<{ count: number }>(
    {
      name: null,
      // The page's other parameters are named, so that the filter's keep their numbers.
      text: `select count(*) from ${table} d
where d.tenant_id = $1 and d.connection_id = $3 and d.ended_at is null and (${filter.sql})
  and ($2::uuid, $4::uuid, $5::bigint, $6::bigint) is not null`,
    },
    [tx.tenantId, directory.credentialId, directory.connectionId, NO_ID, 0, 0, ...filter.params],
  );
  return row?.count ?? 0;
}

const READ_USER: Statement = {
  name: 'directory_user_read',
  text: `
with ${LIVE}
select d.directory_user_id as id, d.attributes::text as attributes, d.version, ${instant('d.created_at')} as "createdAt",
  ${instant('d.last_modified_at')} as "lastModifiedAt", case when $4::boolean and d.directory_user_id is not null then ${GROUPS_OF_D} end as groups
from live l
left join directory_users d on d.tenant_id = $1 and d.connection_id = l.connection_id and d.directory_user_id = $3 and d.ended_at is null`,
};

/** One user. Null: there is none of this id. Undefined: the credential may not be used. One statement. */
export async function readUser(
  tx: TenantTx,
  directory: Directory,
  id: DirectoryUserId,
  wantsGroups: boolean,
): Promise<DirectoryUserRow | null | undefined> {
  const [row] = await tx.run<DirectoryUserRow>(READ_USER, [tx.tenantId, directory.credentialId, id, wantsGroups]);
  if (row === undefined) return undefined;
  if (row.id === null) return null;
  const { groups, ...user } = row;
  return groups == null ? user : { ...user, groups };
}

const READ_GROUP: Statement = {
  name: 'directory_group_read',
  text: `
with ${LIVE}
select ${GROUP_COLUMNS} from live l
left join directory_groups g on g.tenant_id = $1 and g.connection_id = l.connection_id and g.group_id = $3 and g.ended_at is null`,
};

/** One group without members. Null: there is none of this id. Undefined: the credential may not be used. One statement. */
export async function readGroup(
  tx: TenantTx,
  directory: Directory,
  id: DirectoryGroupId,
): Promise<DirectoryGroupRow | null | undefined> {
  const [row] = await tx.run<DirectoryGroupRow>(READ_GROUP, [tx.tenantId, directory.credentialId, id]);
  return row === undefined ? undefined : row.id === null ? null : row;
}

export type MemberRow = {
  readonly groupId: DirectoryGroupId;
  readonly id: DirectoryUserId;
  readonly display: string | null;
};

// `offset 0` keeps each lookup one by primary key; see directory-groups.
const READ_MEMBERS: Statement = {
  name: 'group_members_page',
  text: `
with ${LIVE}, page as (
  select m.group_id, m.directory_user_id, coalesce(d.name::text, to_json(d.user_name)::text) as display
  from group_members m
  cross join lateral (
    select g.connection_id, g.ended_at from directory_groups g where g.tenant_id = $1 and g.group_id = m.group_id offset 0
  ) g
  cross join lateral (
    select u.ended_at, u.user_name, u.attributes -> 'displayName' as name from directory_users u
    where u.tenant_id = $1 and u.directory_user_id = m.directory_user_id offset 0
  ) d
  where m.tenant_id = $1 and m.group_id = any ($4::uuid[]) and (m.group_id, m.directory_user_id) > ($5::uuid, $6::uuid)
    and g.connection_id = $3 and g.ended_at is null and d.ended_at is null
  order by m.group_id, m.directory_user_id limit $7
)
select (select string_agg(p.group_id || e'\\x1f' || p.directory_user_id || e'\\x1f' || p.display, e'\\x1e'
  order by p.group_id, p.directory_user_id) from page p) as page
from live l`,
};

/** Members of some groups, by group and id, from behind `after`. Undefined: the credential may not be used. One statement. */
export async function readMembers(
  tx: TenantTx,
  directory: Directory,
  groupIds: readonly DirectoryGroupId[],
  after: Pick<MemberRow, 'groupId' | 'id'> | null,
  limit: number,
): Promise<readonly MemberRow[] | undefined> {
  const [row] = await tx.run<{ page: string | null }>(READ_MEMBERS, [
    tx.tenantId,
    directory.credentialId,
    directory.connectionId,
    groupIds,
    after?.groupId ?? NO_ID,
    after?.id ?? NO_ID,
    limit,
  ]);
  if (row === undefined) return undefined;
  if (row.page === null) return [];
  return row.page.split(ROW).map((fields) => {
    const [groupId, id, display] = fields.split(FIELD) as [DirectoryGroupId, DirectoryUserId, string];
    return { groupId, id, display: JSON.parse(display) as string };
  });
}
