// Rows that acts on a group take before they look, in this order: the tenant's configuration, the users who are to join, the group.

import type { Statement, TenantTx } from '../context.ts';
import type { MemberEdit } from '../core/directory-group.ts';
import type { DirectoryGroupId } from '../core/ids.ts';
import { isMember, memberToBe } from './directory-groups.ts';
import { idList } from './id-list.ts';

const JOINING: Statement = {
  name: 'group_members_joining',
  text: `
select count(*) from (
  select w.id from unnest($3::uuid[]) as w (id) where not ${isMember('$2')} order by w.id offset 0
) w cross join lateral (${memberToBe('w.id')}) d`,
};

/** Takes the rows of users who are to join a group, for the rest of the transaction and before the group's: see {@link memberToBe}. */
export async function lockJoining(tx: TenantTx, groupId: DirectoryGroupId, edit: MemberEdit): Promise<void> {
  const ids = edit.kind === 'replace' ? edit.to : edit.add;
  if (ids.length > 0) await tx.run(JOINING, [tx.tenantId, groupId, idList(ids)]);
}

/** Takes the group's row for the rest of the transaction. */
export async function lockGroup(tx: TenantTx, groupId: DirectoryGroupId): Promise<void> {
  await tx.run(
    { name: null, text: 'select 1 from directory_groups where tenant_id = $1 and group_id = $2 for update' },
    [tx.tenantId, groupId],
  );
}

/** Takes the tenant's row, so that nobody else binds rules meanwhile. The version of its configuration, or undefined. */
export async function lockConfig(tx: TenantTx): Promise<number | undefined> {
  const [row] = await tx.run<{ version: number }>(
    { name: null, text: 'select config_version as version from tenants where tenant_id = $1 for no key update' },
    [tx.tenantId],
  );
  return row?.version;
}
