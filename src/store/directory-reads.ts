// Reading one group of a directory, and the members of groups. Each read asks whether the credential may still be used.

import type { Statement, TenantTx } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import type { DirectoryGroupId, DirectoryUserId } from '../core/ids.ts';
import { type DirectoryGroupRow, GROUP_COLUMNS } from './directory-groups.ts';
import { FIELD, ROW } from './directory-rows.ts';
import { LIVE } from './scim-credentials.ts';

const FIRST_ID = '00000000-0000-0000-0000-000000000000';

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
    after?.groupId ?? FIRST_ID,
    after?.id ?? FIRST_ID,
    limit,
  ]);
  if (row === undefined) return undefined;
  if (row.page === null) return [];
  return row.page.split(ROW).map((fields) => {
    const [groupId, id, display] = fields.split(FIELD) as [DirectoryGroupId, DirectoryUserId, string];
    return { groupId, id, display: JSON.parse(display) as string };
  });
}
