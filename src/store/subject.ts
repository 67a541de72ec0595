// The token read: every fact that decides what one person may do in one tenant, in one statement.

import type { Statement, TenantTx } from '../context.ts';
import type { AccessFacts } from '../core/access.ts';
import type { MappedTenant } from '../core/claims.ts';
import type { GuestId, Person, SubjectId, TenantId, TenantSlug, UserId } from '../core/ids.ts';
import { instant } from './instant.ts';

/** Facts of a subject that are its own; rules, roles and policy are its tenant's (see config-in-force). */
export type SubjectFacts = Omit<AccessFacts, 'rules' | 'roles' | 'policy'>;

export type TenantRow = {
  readonly tenantId: TenantId;
  readonly slug: TenantSlug;
  readonly active: boolean;
  readonly configVersion: number;
};

export type SubjectProfile = {
  readonly userName: string;
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly givenName: string | null;
  readonly familyName: string | null;
  readonly displayName: string | null;
  readonly locale: string | null;
  readonly timeZone: string | null;
};

export type SubjectRead = {
  readonly person: Person;
  readonly home: TenantRow;
  readonly homeEpoch: number;
  readonly homeFacts: SubjectFacts;
  readonly profile: SubjectProfile;
  /** The tenant asked for: home itself, a tenant where the person is a guest, or null (no such tenant, or no mapping). */
  readonly target:
    | { readonly kind: 'home' }
    | {
        readonly kind: 'guest';
        readonly tenant: TenantRow;
        readonly guestId: GuestId;
        readonly epoch: number;
        readonly mapped: boolean;
        readonly facts: SubjectFacts;
      }
    | null;
  readonly mapped: readonly MappedTenant[];
};

// `tenant` and `subject` are SQL expressions of ours, never a client's text. Names in them must be none that is used inside
// (a, c, d, g, m, r, s).
export const suspensionOf = (tenant: string, subject: string) => `(
  select json_build_object('suspensionId', s.suspension_id, 'reason', s.reason,
    'suspendedAt', ${instant('s.suspended_at')})
  from suspensions s where s.tenant_id = ${tenant} and s.subject_id = ${subject} and s.lifted_at is null)`;

export const grantsOf = (tenant: string, subject: string) => `coalesce((
  select json_agg(json_build_object('grantId', r.grant_id, 'roleId', r.role_id, 'source', r.source,
    'by', coalesce(r.granted_by->>'name', r.granted_by->>'kind', ''),
    'lifts', (select s.suspension_id from suspensions s
              where s.tenant_id = r.tenant_id and s.subject_id = r.subject_id and s.lifted_grant_id = r.grant_id)) order by r.grant_id)
  from role_grants r where r.tenant_id = ${tenant} and r.subject_id = ${subject} and r.ended_at is null), '[]'::json)`;

export const localGroupsOf = (tenant: string, subject: string) => `coalesce((
  select json_agg(json_build_object('kind', 'local', 'groupId', g.local_group_id, 'name', g.name) order by g.local_group_id)
  from local_group_members m join local_groups g on g.tenant_id = m.tenant_id and g.local_group_id = m.local_group_id and g.ended_at is null
  where m.tenant_id = ${tenant} and m.subject_id = ${subject} and m.ended_at is null), '[]'::json)`;

export const directoryGroupsOf = (
  tenant: string,
  user: string,
  counts = 'c.enabled and not c.scim_held and c.ended_at is null',
) => `coalesce((
  select json_agg(json_build_object('kind', 'directory', 'groupId', g.group_id, 'connectionId', g.connection_id,
    'externalId', g.external_id, 'displayName', g.display_name) order by g.group_id)
  from directory_users d
  join connections c on c.tenant_id = d.tenant_id and c.connection_id = d.connection_id and ${counts}
  join group_members m on m.tenant_id = d.tenant_id and m.directory_user_id = d.directory_user_id
  join directory_groups g on g.tenant_id = m.tenant_id and g.group_id = m.group_id and g.ended_at is null
  where d.tenant_id = ${tenant} and d.user_id = ${user} and d.ended_at is null and d.active), '[]'::json)`;

export const assertedGroupsOf = (
  tenant: string,
  user: string,
  counts = 'c.enabled and c.ended_at is null',
) => `coalesce((
  select json_agg(json_build_object('kind', 'asserted', 'connectionId', a.connection_id, 'value', a.value) order by a.value)
  from asserted_groups a
  join connections c on c.tenant_id = a.tenant_id and c.connection_id = a.connection_id and ${counts}
  where a.tenant_id = ${tenant} and a.user_id = ${user}), '[]'::json)`;

export const directoryOf = (tenant: string, user: string) => `coalesce((
  select json_agg(json_build_object('connectionId', d.connection_id, 'active', d.active, 'ended', d.ended_at is not null, 'withheld', d.withheld,
    'held', (select c.scim_held from connections c where c.tenant_id = d.tenant_id and c.connection_id = d.connection_id)))
  from directory_users d
  where d.tenant_id = ${tenant} and d.user_id = ${user} and d.ended_by is distinct from 'admin'), '[]'::json)`;

/** Whether directories let a person in, as {@link file://../core/access.ts} reads what they say; `said` leaves some of it out. */
export const letInByDirectories = (tenant: string, user: string, said = 'true') => `exists (
  select 1 from directory_users w
  join connections c on c.tenant_id = w.tenant_id and c.connection_id = w.connection_id
  where w.tenant_id = ${tenant} and w.user_id = ${user} and w.active and w.ended_at is null and ${said}
    and (not c.scim_held or not w.withheld and not exists (
      select 1 from directory_users o
      join connections x on x.tenant_id = o.tenant_id and x.connection_id = o.connection_id and not x.scim_held
      where o.tenant_id = w.tenant_id and o.user_id = w.user_id and o.ended_by is distinct from 'admin')))`;

const READ: Statement = {
  name: 'subject_read',
  text: `
select
  json_build_object('tenantId', h.tenant_id, 'slug', h.slug, 'active', h.active and h.ended_at is null, 'configVersion', h.config_version) as home,
  s.access_epoch as home_epoch,
  json_build_object('userName', u.user_name, 'email', u.email, 'emailVerified', u.email_verified_at is not null,
    'givenName', u.given_name, 'familyName', u.family_name, 'displayName', u.display_name,
    'locale', u.locale, 'timeZone', u.time_zone) as profile,
  not u.admin_active as admin_deactivated,
  u.approval,
  ${directoryOf('$1', '$2')} as directory,
  ${suspensionOf('$1', '$2')} as suspension,
  ${grantsOf('$1', '$2')} as grants,
  ${directoryGroupsOf('$1', '$2')} as directory_groups,
  ${assertedGroupsOf('$1', '$2')} as asserted_groups,
  ${localGroupsOf('$1', '$2')} as local_groups,
  coalesce((
    select json_agg(json_build_object('slug', t.slug, 'targetActive', t.active and t.ended_at is null,
      'stillDescendant', exists (select 1 from tenant_ancestors a where a.tenant_id = t.tenant_id and a.ancestor_id = $1),
      'guestSuspended', exists (select 1 from suspensions x where x.tenant_id = p.target_tenant_id and x.subject_id = p.guest_id and x.lifted_at is null)))
    from mapping_pointers p join tenants t on t.tenant_id = p.target_tenant_id
    where p.tenant_id = $1 and p.user_id = $2 and p.ended_at is null), '[]'::json) as mapped,
  (select json_build_object(
      'tenant', json_build_object('tenantId', t.tenant_id, 'slug', t.slug, 'active', t.active and t.ended_at is null, 'configVersion', t.config_version),
      'guestId', v.guest_id, 'epoch', gs.access_epoch, 'mapped', v.ended_at is null,
      'suspension', ${suspensionOf('v.tenant_id', 'v.guest_id')},
      'grants', ${grantsOf('v.tenant_id', 'v.guest_id')},
      'groups', ${localGroupsOf('v.tenant_id', 'v.guest_id')})
   from tenants t
   join guests v on v.tenant_id = t.tenant_id and v.source_tenant_id = $1 and v.source_user_id = $2
   join subjects gs on gs.tenant_id = v.tenant_id and gs.subject_id = v.guest_id
   where t.slug = $3) as guest
from users u
join subjects s on s.tenant_id = u.tenant_id and s.subject_id = u.user_id
join tenants h on h.tenant_id = u.tenant_id
where u.tenant_id = $1 and u.user_id = $2 and u.ended_at is null`,
};

type Row = {
  home: TenantRow;
  home_epoch: number;
  profile: SubjectProfile;
  admin_deactivated: boolean;
  approval: SubjectFacts['approval'];
  directory: SubjectFacts['directory'];
  suspension: SubjectFacts['suspension'];
  grants: SubjectFacts['grants'];
  directory_groups: SubjectFacts['groups'];
  asserted_groups: SubjectFacts['groups'];
  local_groups: SubjectFacts['groups'];
  mapped: readonly MappedTenant[];
  guest: null | {
    tenant: TenantRow;
    guestId: GuestId;
    epoch: number;
    mapped: boolean;
    suspension: SubjectFacts['suspension'];
    grants: SubjectFacts['grants'];
    groups: SubjectFacts['groups'];
  };
};

/**
 * Reads a person of the tenant that `tx` holds, and their guest in the tenant named by `target` (null: home). One statement.
 * Undefined where there is no such person. Decides nothing.
 */
export async function readSubject(
  tx: TenantTx,
  userId: UserId,
  target: TenantSlug | null,
): Promise<SubjectRead | undefined> {
  const [row] = await tx.run<Row>(READ, [tx.tenantId, userId, target]);
  if (row === undefined) return undefined;
  return {
    person: { tenantId: tx.tenantId, userId },
    home: row.home,
    homeEpoch: row.home_epoch,
    profile: row.profile,
    homeFacts: {
      adminDeactivated: row.admin_deactivated,
      directory: row.directory,
      approval: row.approval,
      suspension: row.suspension,
      grants: row.grants,
      groups: [...row.directory_groups, ...row.asserted_groups, ...row.local_groups],
    },
    target: target === null || target === row.home.slug ? { kind: 'home' } : guestTarget(row.guest),
    mapped: row.mapped,
  };
}

function guestTarget(guest: Row['guest']): SubjectRead['target'] {
  if (guest === null) return null;
  const { tenant, guestId, epoch, mapped, suspension, grants, groups } = guest;
  const facts: SubjectFacts = {
    adminDeactivated: false,
    directory: [],
    approval: 'approved',
    suspension,
    grants,
    groups,
  };
  return { kind: 'guest', tenant, guestId, epoch, mapped, facts };
}

const LOCK: Statement = {
  name: 'subject_lock',
  text: 'select access_epoch as epoch from subjects where tenant_id = $1 and subject_id = $2 for no key update',
};

/**
 * Takes the subject's row for the rest of the transaction. Every act that bars or lifts takes it first; whoever issues something
 * takes it `for share`. Not `for update`: whoever only writes what refers to the row, such as keys of somebody else, would wait for it, and
 * two who do that for each other without end. Undefined where there is no such subject.
 */
export async function lockSubject(tx: TenantTx, subjectId: SubjectId): Promise<number | undefined> {
  const [row] = await tx.run<{ epoch: number }>(LOCK, [tx.tenantId, subjectId]);
  return row?.epoch;
}
