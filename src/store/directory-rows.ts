// Users and groups of a directory as text: a row in one value, a page of rows in one value, since taking them apart as columns costs
// more than finding them.

import type { DirectoryGroupId, DirectoryUserId, Instant } from '../core/ids.ts';
import type { DirectoryGroupRow } from './directory-groups.ts';
import type { DirectoryUserRow } from './directory-person.ts';
import { instant } from './instant.ts';

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
/** The groups of the user at a place of a page, from 1; `behind`: what stands behind its attributes where something does. */
export type GroupsOf = (place: number, behind: string | undefined) => Groups;

/** A user of its text; `groups`: where its groups are, null where nobody asked for them. */
export function userOf(text: string, groups: GroupsOf | null, place = 0): DirectoryUserRow {
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
  return groups === null ? row : { ...row, groups: groups(place, behind) };
}

/** For {@link USER_WITH_GROUPS_TEXT}. */
export const ownGroups: GroupsOf = (_place, behind) => {
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

// A place is one character, which is less to write and to read than a number. From here on none means anything in JSON.
const FIRST_PLACE = 0x100;

/**
 * The groups of a page's users: each group once, with the places of its members. `ids`: an array of the users; `places`: rows of
 * `id` and `place`, from 1. `offset 0` keeps the memberships one walk along their index, and each name one look-up; see
 * directory-groups.
 */
export const pageGroups = (
  ids: string,
  places: string,
): string => `(select json_agg(json_build_array(t.group_id, g.display_name, t.places))::text
  from (
    select m.group_id, string_agg(chr(o.place::int + ${FIRST_PLACE - 1}), '') as places from (
      select m.group_id, m.directory_user_id from group_members m
      where m.tenant_id = $1 and m.directory_user_id = any (${ids}) offset 0
    ) m join ${places} on o.id = m.directory_user_id group by m.group_id
  ) t cross join lateral (
    select g.display_name, g.ended_at from directory_groups g where g.tenant_id = $1 and g.group_id = t.group_id offset 0
  ) g where g.ended_at is null)`;

/** Gives each user of a page its groups, from what {@link pageGroups} reads. */
export function groupsOfPage(text: string | null): GroupsOf {
  if (text === null) return () => NO_GROUPS;
  const members = JSON.parse(text) as [string, string, string][];
  const byPlace: { id: string; displayName: string }[][] = [];
  for (const [id, displayName, places] of members.sort(([a], [b]) => (a < b ? -1 : 1))) {
    const group = { id, displayName };
    for (let index = 0; index < places.length; index += 1) {
      const place = places.charCodeAt(index) - FIRST_PLACE + 1;
      const groups = byPlace[place];
      if (groups === undefined) byPlace[place] = [group];
      else groups.push(group);
    }
  }
  return (place) => byPlace[place] ?? NO_GROUPS;
}
