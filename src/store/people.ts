// Finding people and reading their standing, for administrators' acts.

import type { Statement, TenantTx } from '../context.ts';
import type {
  GuestId,
  LocalGroupId,
  Person,
  SubjectId,
  SuspensionId,
  TenantId,
  TenantSlug,
  UserId,
} from '../core/ids.ts';
import { isUuid } from '../core/ids.ts';
import { isOwnersGroup } from './administrators.ts';
import { letInByDirectories } from './subject.ts';

export type FoundSubject = {
  readonly subjectId: SubjectId;
  readonly kind: 'user' | 'guest';
  readonly person: Person;
  readonly userName: string;
  readonly email: string | null;
};

const FIND: Statement = {
  name: null,
  text: `
select * from (
  select u.user_id as subject_id, 'user' as kind, u.tenant_id as home, u.user_id, u.user_name, u.email
  from users u
  where u.tenant_id = $1 and u.ended_at is null and (u.user_id = $2 or u.email = $3 or lower(u.user_name) = $3)
  union all
  select g.guest_id, 'guest', u.tenant_id, u.user_id, u.user_name, u.email
  from guests g join users u on u.tenant_id = g.source_tenant_id and u.user_id = g.source_user_id
  where g.tenant_id = $1 and u.ended_at is null and (g.guest_id = $2 or u.user_id = $2 or u.email = $3 or lower(u.user_name) = $3)
) named order by (subject_id = $2 or user_id = $2) desc, kind desc limit 10`,
};

/**
 * Subjects of the tenant whom a text names: an id, an address or a userName. A user comes before a guest. Whose id it is, it names
 * nobody else: directories choose userNames, and could else make it impossible to name somebody.
 */
export async function findSubjects(tx: TenantTx, text: string): Promise<readonly FoundSubject[]> {
  const wanted = text.trim().toLowerCase();
  const rows = await tx.run<{
    subject_id: SubjectId;
    kind: 'user' | 'guest';
    home: TenantId;
    user_id: UserId;
    user_name: string;
    email: string | null;
  }>(FIND, [tx.tenantId, isUuid(wanted) ? wanted : null, wanted]);
  const byId = rows.filter((row) => (row.subject_id as string) === wanted || (row.user_id as string) === wanted);
  return (byId.length > 0 ? byId : rows).map((row) => ({
    subjectId: row.subject_id,
    kind: row.kind,
    person: { tenantId: row.home, userId: row.user_id },
    userName: row.user_name,
    email: row.email,
  }));
}

/** Whose suspension another one comes from. */
export type InheritedFrom = { readonly subjectId: SubjectId; readonly name: string };

/** Null: the suspension was an administrator's own. */
export async function findInheritedFrom(tx: TenantTx, suspensionId: SuspensionId): Promise<InheritedFrom | null> {
  const [row] = await tx.run<InheritedFrom>(
    {
      name: null,
      text: `
select o.subject_id as "subjectId", coalesce(u.email, u.user_name, o.subject_id::text) as name
from suspensions s
join suspensions o on o.tenant_id = s.tenant_id and o.suspension_id = s.inherited_from
left join guests g on g.tenant_id = o.tenant_id and g.guest_id = o.subject_id
left join users u on u.tenant_id = coalesce(g.source_tenant_id, o.tenant_id) and u.user_id = coalesce(g.source_user_id, o.subject_id)
where s.tenant_id = $1 and s.suspension_id = $2`,
    },
    [tx.tenantId, suspensionId],
  );
  return row ?? null;
}

/** The texts that a person was ever known by: what {@link Context.keyHash} is applied to when they are suspended. */
export type KnownBy = {
  /** As they were written, and userNames among them: not each is an address. */
  readonly emails: readonly string[];
  readonly identities: readonly { readonly connectionKey: string; readonly issuer: string; readonly subject: string }[];
  readonly externalIds: readonly { readonly connectionKey: string; readonly externalId: string }[];
  readonly userNames: readonly { readonly connectionKey: string; readonly userName: string }[];
  readonly tenant: TenantSlug;
};

/** Undefined where there is no such tenant. */
export async function readKnownBy(tx: TenantTx, userId: UserId): Promise<KnownBy | undefined> {
  const [row] = await tx.run<KnownBy>(
    {
      name: null,
      text: `
select
  array(select email from users where tenant_id = $1 and user_id = $2 and email is not null
        union select email from directory_users where tenant_id = $1 and user_id = $2 and email is not null
        union select user_name from directory_users where tenant_id = $1 and user_id = $2
        union select e ->> 'value' from directory_users d, jsonb_path_query(d.attributes, '$.emails[*]') e
        where d.tenant_id = $1 and d.user_id = $2 and e ->> 'value' is not null) as emails,
  coalesce((select json_agg(json_build_object('connectionKey', c.key, 'issuer', i.issuer, 'subject', i.subject))
    from identities i join connections c on c.tenant_id = i.tenant_id and c.connection_id = i.connection_id
    where i.tenant_id = $1 and i.user_id = $2), '[]'::json) as identities,
  coalesce((select json_agg(json_build_object('connectionKey', c.key, 'externalId', d.external_id))
    from directory_users d join connections c on c.tenant_id = d.tenant_id and c.connection_id = d.connection_id
    where d.tenant_id = $1 and d.user_id = $2 and d.external_id is not null), '[]'::json) as "externalIds",
  coalesce((select json_agg(json_build_object('connectionKey', c.key, 'userName', d.user_name))
    from directory_users d join connections c on c.tenant_id = d.tenant_id and c.connection_id = d.connection_id
    where d.tenant_id = $1 and d.user_id = $2), '[]'::json) as "userNames",
  t.slug as tenant
from tenants t where t.tenant_id = $1`,
    },
    [tx.tenantId, userId],
  );
  return row;
}

// A member `m` of the TenantOwners of `t` who may come in: a user of the tenant, or a guest whom neither it nor their home keeps out.
const OWNER_WHO_STANDS = `local_group_members m
  left join guests v on v.tenant_id = m.tenant_id and v.guest_id = m.subject_id
  join users u on u.tenant_id = coalesce(v.source_tenant_id, m.tenant_id) and u.user_id = coalesce(v.source_user_id, m.subject_id)
  where m.tenant_id = t.tenant_id and m.local_group_id = t.group_id and m.ended_at is null and v.ended_at is null
    and u.admin_active and u.approval = 'approved' and u.ended_at is null
    and not exists (select 1 from suspensions s where s.lifted_at is null
      and (s.tenant_id, s.subject_id) in ((m.tenant_id, m.subject_id), (u.tenant_id, u.user_id)))
    and (not exists (select 1 from directory_users d
        where d.tenant_id = u.tenant_id and d.user_id = u.user_id and d.ended_by is distinct from 'admin')
      or ${letInByDirectories('u.tenant_id', 'u.user_id')})`;

/**
 * Whether a tenant would be without an owner who may come in, were the subject barred: the tenant that `tx` holds, or one that its
 * user is mapped into. People of `leaving` are barred next and count no more, nor do guests from a closed tenant; whoever is barred
 * already is no owner to be lost.
 * Locks the rows of those groups, in one order for everybody, so that two acts against the last two owners do not both find the other.
 */
export async function isLastOwner(
  tx: TenantTx,
  subjectId: SubjectId,
  leaving: readonly UserId[] = [],
): Promise<boolean> {
  const owned = await tx.run<{ tenant_id: TenantId; group_id: LocalGroupId; subject_id: SubjectId }>(
    {
      name: null,
      text: `
select g.tenant_id, g.local_group_id as group_id, a.subject_id from (
  select $1::uuid as tenant_id, $2::uuid as subject_id
  union all
  select p.target_tenant_id, p.guest_id from mapping_pointers p where p.tenant_id = $1 and p.user_id = $2 and p.ended_at is null
) a
join local_group_members m on m.tenant_id = a.tenant_id and m.subject_id = a.subject_id and m.ended_at is null
join local_groups g on g.tenant_id = m.tenant_id and g.local_group_id = m.local_group_id and ${isOwnersGroup('g')}
  and g.ended_at is null
order by g.tenant_id for update of g`,
    },
    [tx.tenantId, subjectId],
  );
  if (owned.length === 0) return false;
  const lost = await tx.run(
    {
      name: null,
      text: `
select 1 from jsonb_to_recordset($2) as t (tenant_id uuid, group_id uuid, subject_id uuid)
where exists (select 1 from ${OWNER_WHO_STANDS} and m.subject_id = t.subject_id)
  and not exists (select 1 from ${OWNER_WHO_STANDS} and m.subject_id <> t.subject_id
    and not (u.tenant_id = $1 and u.user_id = any ($3::uuid[]))
    and (v.guest_id is null or exists (select 1 from tenants h where h.tenant_id = u.tenant_id and h.active and h.ended_at is null)))
limit 1`,
    },
    [tx.tenantId, JSON.stringify(owned), leaving],
  );
  return lost.length > 0;
}

/** The guest that a person is, or was, in the tenant that `tx` holds. */
export async function findGuest(
  tx: TenantTx,
  person: Person,
): Promise<{ guestId: GuestId; mapped: boolean } | undefined> {
  const [row] = await tx.run<{ guest_id: GuestId; mapped: boolean }>(
    {
      name: null,
      text: `select guest_id, ended_at is null as mapped from guests where tenant_id = $1 and source_tenant_id = $2 and source_user_id = $3`,
    },
    [tx.tenantId, person.tenantId, person.userId],
  );
  return row === undefined ? undefined : { guestId: row.guest_id, mapped: row.mapped };
}

export async function findLocalGroup(tx: TenantTx, name: string): Promise<LocalGroupId | undefined> {
  const [row] = await tx.run<{ local_group_id: LocalGroupId }>(
    {
      name: null,
      text: `select local_group_id from local_groups where tenant_id = $1 and lower(name) = lower($2) and ended_at is null`,
    },
    [tx.tenantId, name],
  );
  return row?.local_group_id;
}
