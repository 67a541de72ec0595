// What a directory pushes, written in the cold way: one statement per change, in the caller's transaction. The hot acts write the
// same in one statement (see directory-users.ts, directory-groups.ts).

import type { Statement, TenantTx } from '../context.ts';
import type { Change } from '../core/change.ts';
import type { DirectoryUserId } from '../core/ids.ts';
import { groupNameKey, userNameKey } from '../core/profile.ts';
import { LostRace } from './database.ts';

export type DirectoryChange = Extract<
  Change,
  {
    kind:
      | 'create_directory_user'
      | 'update_directory_user'
      | 'end_directory_user'
      | 'create_group'
      | 'update_group'
      | 'end_group'
      | 'bind_rule'
      | 'pause_directory'
      | 'unpause_directory';
  }
>;

/** Adds to one of the 64 slots of a directory's counter; `from` yields (connection_id, added) and may be empty. */
export const countInSlot = (resource: 'users' | 'groups', from: string) => `
insert into directory_counters (tenant_id, connection_id, resource, slot, count)
select $1, connection_id, '${resource}', floor(random() * 64), added from ${from} counted
on conflict (tenant_id, connection_id, resource, slot) do update set count = directory_counters.count + excluded.count`;

const LEAVING: Statement = {
  name: 'directory_users_leaving',
  text: `
select 1 from (select x as id from unnest($2::uuid[]) x order by x offset 0) a
cross join lateral (select 1 from directory_users d where d.tenant_id = $1 and d.directory_user_id = a.id offset 0 for update) d`,
};

/**
 * Takes the rows of users who are about to be removed, in a statement before the one that does it: whoever is adding them to a group is
 * waited for, so that the removal sees every membership, and whoever is about to finds them gone.
 */
export async function lockLeaving(tx: TenantTx, ids: readonly DirectoryUserId[]): Promise<void> {
  await tx.run(LEAVING, [tx.tenantId, ids]);
}

/** Rule bindings are part of the configuration in force, so they raise its version. */
const raiseConfigVersion = `update tenants set config_version = nextval('config_versions') where tenant_id = $1`;

/**
 * Writes one change of a directory. A version that is no longer the one decided on throws LostRace, so that the transaction is
 * tried again; keys taken by somebody else surface as UniqueViolation.
 */
export async function applyDirectoryChange(tx: TenantTx, change: DirectoryChange): Promise<void> {
  const t = tx.tenantId;
  const run = (text: string, values: readonly unknown[]) => tx.run<{ hit: number }>({ name: null, text }, values);
  switch (change.kind) {
    case 'create_directory_user': {
      const { resource } = change;
      await run(
        `with made as (
           insert into directory_users (tenant_id, directory_user_id, connection_id, user_id, external_id, user_name, user_name_key, email,
             active, attributes, withheld)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning connection_id, 1 as added
         ) ${countInSlot('users', 'made')}`,
        [
          t,
          change.directoryUserId,
          change.connectionId,
          change.userId,
          resource.externalId,
          resource.userName,
          userNameKey(resource.userName),
          resource.email,
          resource.active,
          resource.json,
          change.withheld,
        ],
      );
      return;
    }
    case 'update_directory_user': {
      const { resource } = change;
      const written = await run(
        `update directory_users set external_id = $4, user_name = $5, user_name_key = $6, email = $7, active = $8, attributes = $9,
           withheld = $8 and (withheld or $10), version = version + 1, last_modified_at = clock_timestamp()
         where tenant_id = $1 and directory_user_id = $2 and version = $3 and ended_at is null returning 1 as hit`,
        [
          t,
          change.directoryUserId,
          change.version,
          resource.externalId,
          resource.userName,
          userNameKey(resource.userName),
          resource.email,
          resource.active,
          resource.json,
          change.withheld,
        ],
      );
      if (written.length === 0) throw new LostRace('a directory user changed while it was being updated');
      return;
    }
    case 'end_directory_user':
      await lockLeaving(tx, [change.directoryUserId]);
      await run(
        `with ended as (
           update directory_users set ended_at = clock_timestamp(), ended_by = $3
           where tenant_id = $1 and directory_user_id = $2 and ended_at is null returning connection_id, -1 as added
         ), left_groups as (
           -- Groups before members, as everywhere: so no two acts wait for each other.
           select g.group_id from directory_groups g
           where g.tenant_id = $1 and exists (select 1 from ended)
             and g.group_id in (select m.group_id from group_members m where m.tenant_id = $1 and m.directory_user_id = $2)
           order by g.group_id for no key update
         ), gone as (
           delete from group_members m using left_groups l
           where m.tenant_id = $1 and m.group_id = l.group_id and m.directory_user_id = $2 returning m.group_id
         ), changed_groups as (
           update directory_groups g set version = g.version + 1, last_modified_at = clock_timestamp()
           from gone where g.tenant_id = $1 and g.group_id = gone.group_id
         ) ${countInSlot('users', 'ended')}`,
        [t, change.directoryUserId, change.by],
      );
      return;
    case 'create_group':
      await run(
        `with made as (
           insert into directory_groups (tenant_id, group_id, connection_id, external_id, display_name, display_name_key, attributes)
           values ($1, $2, $3, $4, $5, $6, $7) returning connection_id, 1 as added
         ) ${countInSlot('groups', 'made')}`,
        [
          t,
          change.groupId,
          change.connectionId,
          change.externalId,
          change.displayName,
          groupNameKey(change.displayName),
          JSON.stringify(change.attributes),
        ],
      );
      return;
    case 'update_group':
      await run(
        `update directory_groups set external_id = $3, display_name = $4, display_name_key = $5, attributes = $6, version = version + 1,
           last_modified_at = clock_timestamp()
         where tenant_id = $1 and group_id = $2 and ended_at is null`,
        [
          t,
          change.groupId,
          change.externalId,
          change.displayName,
          groupNameKey(change.displayName),
          JSON.stringify(change.attributes),
        ],
      );
      return;
    case 'end_group':
      await run(
        `with ended as (
           update directory_groups set ended_at = clock_timestamp()
           where tenant_id = $1 and group_id = $2 and ended_at is null returning connection_id, -1 as added
         ), emptied as (
           delete from group_members m using ended where m.tenant_id = $1 and m.group_id = $2
         ) ${countInSlot('groups', 'ended')}`,
        [t, change.groupId],
      );
      return;
    case 'bind_rule':
      await run(
        `with bound as (
           insert into rule_bindings (tenant_id, rule_id, group_id, state) values ($1, $2, $3, $4)
           on conflict (tenant_id, rule_id, group_id) do update set state = excluded.state
         ) ${raiseConfigVersion}`,
        [t, change.ruleId, change.groupId, change.state],
      );
      return;
    case 'pause_directory':
      await run(
        `with stale as (delete from directory_guard_acts where tenant_id = $1 and connection_id = $2)
         update directory_guards set paused_at = clock_timestamp(), crossed = $3, people = $4, overflowed = false
         where tenant_id = $1 and connection_id = $2`,
        [t, change.connectionId, change.line, change.people],
      );
      return;
    case 'unpause_directory':
      await run(
        `with forgotten as (delete from directory_guard_acts where tenant_id = $1 and connection_id = $2),
           anew as (delete from directory_guard_people where tenant_id = $1 and connection_id = $2)
         update directory_guards set paused_at = null, crossed = null, people = null, overflowed = false
         where tenant_id = $1 and connection_id = $2`,
        [t, change.connectionId],
      );
      return;
  }
}
