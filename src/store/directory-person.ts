// The people behind directory users, and the parts of statements that find them.

import type { TenantTx } from '../context.ts';
import type { Directory, DirectoryFacts, PersonFacts } from '../core/directory.ts';
import type { ConnectionId, DirectoryUserId, Instant, UserId } from '../core/ids.ts';
import type { Email } from '../core/profile.ts';
import { isOwnersGroup } from './administrators.ts';
import { instant } from './instant.ts';

/** A directory user as answers are made from it; `attributes` is JSON text. */
export type DirectoryUserRow = {
  readonly id: DirectoryUserId;
  readonly attributes: string;
  readonly version: number;
  readonly createdAt: Instant;
  readonly lastModifiedAt: Instant;
  readonly groups?: readonly { readonly id: string; readonly displayName: string }[];
};

export type WrittenRow = Pick<DirectoryUserRow, 'version' | 'createdAt' | 'lastModifiedAt'>;

/** Groups of the directory user `d`. */
export const GROUPS_OF_D = `coalesce((
  select json_agg(json_build_object('id', g.group_id, 'displayName', g.display_name) order by g.group_id)
  from group_members m join directory_groups g on g.tenant_id = m.tenant_id and g.group_id = m.group_id and g.ended_at is null
  where m.tenant_id = d.tenant_id and m.directory_user_id = d.directory_user_id), '[]'::json)`;

/** Whether the directory of `l` is paused, and whether it is held. */
export const PAUSED = `exists (select 1 from directory_guards p
  where p.tenant_id = $1 and p.connection_id = l.connection_id and p.paused_at is not null)`;
export const HELD = `exists (select 1 from connections h where h.tenant_id = $1 and h.connection_id = l.connection_id and h.scim_held)`;

/** The directory of `l` as {@link DirectoryRow}. */
export const DIRECTORY_OF_LIVE = `l.connection_id, l.key, ${HELD} as held, ${PAUSED} as paused,
  array(select o.domain from connection_domains o where o.tenant_id = $1 and o.connection_id = l.connection_id) as domains`;

export type DirectoryRow = {
  readonly connection_id: ConnectionId;
  readonly key: string;
  readonly held: boolean;
  readonly paused: boolean;
  readonly domains: readonly string[];
};

export function directoryFacts(row: DirectoryRow, { tenant }: Directory): DirectoryFacts {
  return { tenant, connectionId: row.connection_id, connectionKey: row.key, domains: row.domains, held: row.held };
}

// Whether the person of the row `u` administers a tenant: their own, or one that they are mapped into. By a grant, as an owner, or by
// rights that the tenant's own groups give; what groups of a directory or a sign-in give is no administrator's decision: it goes with
// their facts, and a person may be in two directories. "offset 0" has everything looked up by key, for this person alone: the planner
// would else repeat it for either source of subjects, or hash the grants of all tenants.
const ADMINISTERS = `exists (
  select 1 from (
    select u.tenant_id, u.user_id as subject_id
    union all
    select p.target_tenant_id, p.guest_id from mapping_pointers p
    where p.tenant_id = u.tenant_id and p.user_id = u.user_id and p.ended_at is null
    offset 0) a
  where exists (
    select 1 from role_grants r join roles o on o.tenant_id = r.tenant_id and o.role_id = r.role_id
    where r.tenant_id = a.tenant_id and r.subject_id = a.subject_id and r.ended_at is null and o.ended_at is null
      and cardinality(o.rights) > 0 offset 0)
  or exists (
    select 1 from local_group_members m
    join local_groups g on g.tenant_id = m.tenant_id and g.local_group_id = m.local_group_id and g.ended_at is null
    where m.tenant_id = a.tenant_id and m.subject_id = a.subject_id and m.ended_at is null
      and (${isOwnersGroup('g')} or exists (
        select 1 from mapping_rules r join roles o on o.tenant_id = r.tenant_id and o.role_id = r.role_id
        where r.tenant_id = g.tenant_id and r.match_kind = 'local' and lower(r.match_value) = lower(g.name) and r.ended_at is null
          and o.ended_at is null and cardinality(o.rights) > 0 offset 0)) offset 0))`;

/** Whether the row `u` of users came into being by a push of this very connection. */
export const madeBy = (
  connection: string,
): string => `u.origin = 'scim' and ${connection} = (select f.connection_id from directory_users f
    where f.tenant_id = u.tenant_id and f.user_id = u.user_id order by f.created_at, f.directory_user_id limit 1)`;

/** {@link PersonFacts} of the row `u` of users, as JSON, seen by the connection of `l`; `lastOwner` is not among them. */
export const PERSON = `json_build_object(
  'userId', u.user_id,
  'profile', json_build_object('userName', u.user_name, 'email', u.email, 'givenName', u.given_name, 'familyName', u.family_name,
    'displayName', u.display_name, 'department', u.department, 'locale', u.locale, 'timeZone', u.time_zone),
  'emailVerified', u.email_verified_at is not null,
  'hasPassword', exists (select 1 from passwords p where p.tenant_id = u.tenant_id and p.user_id = u.user_id),
  'mappedAcrossTenants', exists (select 1 from mapping_pointers p
    where p.tenant_id = u.tenant_id and p.user_id = u.user_id and p.ended_at is null),
  'administers', ${ADMINISTERS},
  'suspension', (select s.suspension_id from suspensions s
    where s.tenant_id = u.tenant_id and s.subject_id = u.user_id and s.lifted_at is null),
  'madeHere', ${madeBy('l.connection_id')},
  'directoryUsers', coalesce((select json_agg(json_build_object('directoryUserId', f.directory_user_id, 'connectionId', f.connection_id,
      'active', f.active, 'ended', f.ended_at is not null, 'withheld', f.withheld,
      'held', (select h.scim_held from connections h where h.tenant_id = f.tenant_id and h.connection_id = f.connection_id)))
    from directory_users f where f.tenant_id = u.tenant_id and f.user_id = u.user_id and f.ended_by is distinct from 'admin'), '[]'::json))`;

export type PersonRow = Omit<PersonFacts, 'lastOwner'>;

/** Who else of the tenant holds an address. */
export async function isAddressFree(tx: TenantTx, email: Email | null, userId: UserId): Promise<boolean> {
  if (email === null) return true;
  const rows = await tx.run(
    {
      name: null,
      text: `select 1 from users where tenant_id = $1 and email = $2 and user_id <> $3 and ended_at is null`,
    },
    [tx.tenantId, email, userId],
  );
  return rows.length === 0;
}

/** When a directory user was written last, after a transaction did. */
export async function readWritten(tx: TenantTx, id: DirectoryUserId): Promise<WrittenRow> {
  const [row] = await tx.run<WrittenRow>(
    {
      name: null,
      text: `select version, ${instant('created_at')} as "createdAt", ${instant('last_modified_at')} as "lastModifiedAt"
from directory_users where tenant_id = $1 and directory_user_id = $2`,
    },
    [tx.tenantId, id],
  );
  if (row === undefined) throw new Error('a directory user that was just written is gone');
  return row;
}
