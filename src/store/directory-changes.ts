// What a directory pushes, written in the cold way: one statement per change, in the caller's transaction. The hot acts write the
// same in one statement (see directory-users.ts, directory-groups.ts).

import type { Statement, TenantTx } from '../context.ts';
import type { Change } from '../core/change.ts';
import type { DirectoryUserId } from '../core/ids.ts';
import { groupNameKey } from '../core/profile.ts';
import { sentAgain } from './blast-guard.ts';
import { LostRace } from './database.ts';
import { changeUsers, makeUsers, pushedParams, pushedValues } from './directory-user-columns.ts';

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

const MAKE_USER = `
with made as (
  ${makeUsers({ id: '$2', connectionId: '$3', userId: '$4', withheld: '$5' }, pushedParams(6))}
  returning connection_id, 1 as added
) ${countInSlot('users', 'made')}`;

const CHANGE_USER = `${changeUsers(pushedParams(5), '$4')}
where d.tenant_id = $1 and d.directory_user_id = $2 and d.version = $3 and d.ended_at is null returning 1 as hit`;

/**
 * Ends the directory users `$2` in the name of `$3`, and takes them out of their groups. Those who are about to go are locked before, in
 * a statement of its own: {@link lockLeaving}.
 */
export const END_USERS = `
with ended as (
  update directory_users set ended_at = clock_timestamp(), ended_by = $3
  where tenant_id = $1 and directory_user_id = any ($2::uuid[]) and ended_at is null returning connection_id
), left_groups as materialized (
  -- Groups before members, as everywhere: so no two acts wait for each other.
  select g.group_id from directory_groups g
  where g.tenant_id = $1 and exists (select 1 from ended)
    and g.group_id in (select m.group_id from group_members m where m.tenant_id = $1 and m.directory_user_id = any ($2::uuid[]))
  order by g.group_id for no key update
), gone as (
  delete from group_members m using left_groups l
  where m.tenant_id = $1 and m.group_id = l.group_id and m.directory_user_id = any ($2::uuid[]) returning m.group_id
), changed_groups as (
  update directory_groups g set version = g.version + n.members, last_modified_at = clock_timestamp()
  from (select group_id, count(*) as members from gone group by group_id) n where g.tenant_id = $1 and g.group_id = n.group_id
) ${countInSlot('users', '(select connection_id, -count(*) as added from ended group by connection_id)')}`;

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
      const { directoryUserId, connectionId, userId, withheld, resource } = change;
      await run(MAKE_USER, [t, directoryUserId, connectionId, userId, withheld, ...pushedValues(resource)]);
      return;
    }
    case 'update_directory_user': {
      const { directoryUserId, version, withheld, resource } = change;
      const written = await run(CHANGE_USER, [t, directoryUserId, version, withheld, ...pushedValues(resource)]);
      if (written.length === 0) throw new LostRace('a directory user changed while it was being updated');
      return;
    }
    case 'end_directory_user':
      await lockLeaving(tx, [change.directoryUserId]);
      await run(END_USERS, [t, [change.directoryUserId], change.by]);
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
        `with forgotten as (
             delete from directory_guard_acts where tenant_id = $1 and connection_id = $2 and not ($3 and act in ${sentAgain})
           ),
           anew as (delete from directory_guard_people where tenant_id = $1 and connection_id = $2)
         update directory_guards set paused_at = null, crossed = null, people = null, overflowed = false
         where tenant_id = $1 and connection_id = $2`,
        [t, change.connectionId, change.approved],
      );
      return;
  }
}
