// Users and groups of a directory as text: a row in one value, a page of rows in one value, since taking them apart as columns costs
// more than finding them.

import type { DirectoryGroupId, DirectoryUserId, Instant } from '../core/ids.ts';
import type { DirectoryGroupRow } from './directory-groups.ts';
import type { DirectoryUserRow } from './directory-person.ts';
import { instant } from './scim-credentials.ts';

// JSON text never holds control characters, so they can stand between values.
export const ROW = '\u001e';
export const FIELD = '\u001f';
export const ID_LENGTH = 36;

const VERSIONED = `d.version, ${instant('d.created_at')}, ${instant('d.last_modified_at')}`;

/** The user `d` as {@link userOf} takes it, and with its groups, which are left out where there are none. */
export const USER_TEXT = `concat_ws(e'\\x1f', d.directory_user_id, ${VERSIONED}, d.attributes)`;
export const USER_WITH_GROUPS_TEXT = `concat_ws(e'\\x1f', d.directory_user_id, ${VERSIONED}, d.attributes, (
    select json_agg(json_build_array(g.group_id, g.display_name))
    from group_members m join directory_groups g on g.tenant_id = m.tenant_id and g.group_id = m.group_id and g.ended_at is null
    where m.tenant_id = $1 and m.directory_user_id = d.directory_user_id))`;
/** The group `d` as {@link groupOf} takes it. */
export const GROUP_TEXT = `concat_ws(e'\\x1f', d.group_id, ${VERSIONED}, json_build_array(d.display_name, d.external_id), d.attributes)`;

type Groups = NonNullable<DirectoryUserRow['groups']>;
const NO_GROUPS: Groups = [];
/** The groups of a user, from what stands behind its attributes where something does. */
export type GroupsOf = (userId: string, behind: string | undefined) => Groups;

/** A user of its text; `groups`: where its groups are, null where nobody asked for them. */
export function userOf(text: string, groups: GroupsOf | null): DirectoryUserRow {
  const [id, version, created, modified, attributes, behind] = text.split(FIELD) as [
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
  return groups === null ? row : { ...row, groups: groups(id, behind) };
}

/** For {@link USER_WITH_GROUPS_TEXT}. */
export const ownGroups: GroupsOf = (_userId, behind) => {
  if (behind === undefined) return NO_GROUPS;
  const named = JSON.parse(behind) as [string, string][];
  return named.map(([id, displayName]) => ({ id, displayName })).sort(byId);
};

export function groupOf(text: string): DirectoryGroupRow {
  const [id, version, created, modified, names, attributes] = text.split(FIELD) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const [displayName, externalId] = JSON.parse(names) as [string, string | null];
  return {
    id: id as DirectoryGroupId,
    displayName,
    externalId,
    attributes,
    version: Number(version),
    createdAt: Number(created) as Instant,
    lastModifiedAt: Number(modified) as Instant,
  };
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : 1;
}

/**
 * The groups of a page's users, for a statement with a list `page` of them: `memberships`, and the names of the groups that occur in
 * them, each once. `offset 0` keeps each lookup one by its index; see directory-groups.
 */
export const PAGE_GROUPS = {
  lists: (where: string) => `mine as materialized (
  select p.id, m.group_id from page p cross join lateral (
    select m.group_id from group_members m where m.tenant_id = $1 and m.directory_user_id = p.id offset 0
  ) m ${where}
)`,
  columns: `(select string_agg(m.id::text || m.group_id::text, '') from mine m) as memberships,
  (select json_agg(json_build_array(t.group_id, g.display_name))::text from (select distinct m.group_id from mine m) t
    cross join lateral (
      select g.display_name, g.ended_at from directory_groups g where g.tenant_id = $1 and g.group_id = t.group_id offset 0
    ) g where g.ended_at is null) as "groupNames"`,
} as const;

/** Gives each user of a page its groups, from what {@link PAGE_GROUPS} reads. */
export function groupsOfPage(memberships: string | null, groupNames: string | null): GroupsOf {
  if (memberships === null || groupNames === null) return () => NO_GROUPS;
  const names = new Map(JSON.parse(groupNames) as [string, string][]);
  const byUser = new Map<string, { id: string; displayName: string }[]>();
  for (let at = 0; at < memberships.length; at += 2 * ID_LENGTH) {
    const userId = memberships.slice(at, at + ID_LENGTH);
    const id = memberships.slice(at + ID_LENGTH, at + 2 * ID_LENGTH);
    const displayName = names.get(id);
    if (displayName === undefined) continue;
    const groups = byUser.get(userId) ?? [];
    groups.push({ id, displayName });
    byUser.set(userId, groups);
  }
  return (userId) => byUser.get(userId)?.sort(byId) ?? NO_GROUPS;
}
