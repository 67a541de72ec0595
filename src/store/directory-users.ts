// A directory's users on the hot path: one statement loads what a decision needs, one writes what it decided.

import type { Context, Statement, TenantTx } from '../context.ts';
import type { Change, Decision, PushedUser } from '../core/change.ts';
import type { Directory, DirectoryFacts, PersonFacts } from '../core/directory.ts';
import type { CreateFacts } from '../core/directory-create.ts';
import type { DirectoryUserId, Instant, KeyHash, UserId } from '../core/ids.ts';
import { type Email, type Profile, userNameKey } from '../core/profile.ts';
import { actorConnection, eventRows } from './apply.ts';
import { countInSlot } from './directory-changes.ts';
import { instant, LIVE } from './scim-credentials.ts';

/** A directory user as answers are made from it; `attributes` is JSON text. */
export type DirectoryUserRow = {
  readonly id: DirectoryUserId;
  readonly attributes: string;
  readonly version: number;
  readonly createdAt: Instant;
  readonly lastModifiedAt: Instant;
  readonly groups?: readonly { readonly id: string; readonly displayName: string }[];
};

/** Groups of the directory user `d`. */
export const GROUPS_OF_D = `coalesce((
  select json_agg(json_build_object('id', g.group_id, 'displayName', g.display_name) order by g.group_id)
  from group_members m join directory_groups g on g.tenant_id = m.tenant_id and g.group_id = m.group_id and g.ended_at is null
  where m.tenant_id = d.tenant_id and m.directory_user_id = d.directory_user_id), '[]'::json)`;

export const DOMAINS_OF_LIVE = `array(select o.domain from connection_domains o where o.tenant_id = $1 and o.connection_id = l.connection_id)`;

/** {@link PersonFacts} of the row `u` of users, as JSON, seen by the connection of `l`; `lastOwner` is not among them. */
const PERSON = `json_build_object(
  'userId', u.user_id,
  'profile', json_build_object('userName', u.user_name, 'email', u.email, 'givenName', u.given_name, 'familyName', u.family_name,
    'displayName', u.display_name, 'department', u.department, 'locale', u.locale, 'timeZone', u.time_zone),
  'emailVerified', u.email_verified_at is not null,
  'hasPassword', exists (select 1 from passwords p where p.tenant_id = u.tenant_id and p.user_id = u.user_id),
  'mappedAcrossTenants', exists (select 1 from mapping_pointers p
    where p.tenant_id = u.tenant_id and p.user_id = u.user_id and p.ended_at is null),
  'administers', exists (select 1 from role_grants r join roles o on o.tenant_id = r.tenant_id and o.role_id = r.role_id
      where r.tenant_id = u.tenant_id and r.subject_id = u.user_id and r.ended_at is null and o.ended_at is null and cardinality(o.rights) > 0)
    or exists (select 1 from local_group_members m
      join local_groups g on g.tenant_id = m.tenant_id and g.local_group_id = m.local_group_id and g.ended_at is null
      where m.tenant_id = u.tenant_id and m.subject_id = u.user_id and m.ended_at is null and lower(g.name) = 'tenantowners'),
  'suspension', (select s.suspension_id from suspensions s
    where s.tenant_id = u.tenant_id and s.subject_id = u.user_id and s.lifted_at is null),
  'madeHere', u.origin = 'scim' and l.connection_id = (select f.connection_id from directory_users f
    where f.tenant_id = u.tenant_id and f.user_id = u.user_id order by f.created_at, f.directory_user_id limit 1),
  'directoryUsers', coalesce((select json_agg(json_build_object('directoryUserId', f.directory_user_id, 'connectionId', f.connection_id,
      'active', f.active, 'ended', f.ended_at is not null))
    from directory_users f where f.tenant_id = u.tenant_id and f.user_id = u.user_id and f.ended_by is distinct from 'admin'), '[]'::json))`;

type PersonRow = Omit<PersonFacts, 'lastOwner'>;

const CREATE_FACTS: Statement = {
  name: 'directory_user_create_facts',
  text: `
with ${LIVE}
select l.connection_id, l.key, ${DOMAINS_OF_LIVE} as domains,
  exists (select 1 from directory_users d where d.tenant_id = $1 and d.connection_id = l.connection_id and d.user_name_key = $3
    and d.ended_at is null) as user_name_taken,
  exists (select 1 from directory_users d where d.tenant_id = $1 and d.connection_id = l.connection_id and d.external_id = $4
    and d.ended_at is null) as external_id_taken,
  (select ${PERSON} from directory_users d
   join users u on u.tenant_id = d.tenant_id and u.user_id = d.user_id and u.ended_at is null
   where d.tenant_id = $1 and d.connection_id = l.connection_id and d.external_id = $4 and d.ended_at is not null
   order by d.ended_at desc limit 1) as by_external_id,
  (select ${PERSON} from users u where u.tenant_id = $1 and u.email = $5 and u.ended_at is null) as by_email,
  coalesce((select json_agg(json_build_object('subjectId', s.subject_id, 'suspensionId', s.suspension_id) order by s.suspended_at)
    from suspensions s
    where s.tenant_id = $1 and s.lifted_at is null and s.subject_id in (
      select k.subject_id from held_keys k where k.tenant_id = $1 and k.key_hash in (select decode(h, 'hex') from unnest($6::text[]) h)
      union all
      -- A former person's userName is no key for ever, but enough to keep the next bearer out until somebody looks.
      select d.user_id from directory_users d
      where d.tenant_id = $1 and d.connection_id = l.connection_id and d.user_name_key = $3 and d.ended_by = 'directory'
        and not exists (select 1 from directory_users o where o.tenant_id = $1 and o.user_id = d.user_id and o.ended_at is null))),
    '[]'::json) as suspended
from live l`,
};

/** What {@link decideCreate} needs, without `lastOwner` of anybody. Undefined: the credential may not be used. One statement. */
export async function readCreateFacts(
  tx: TenantTx,
  directory: Directory,
  pushed: PushedUser,
  hashes: readonly KeyHash[],
): Promise<CreateFacts | undefined> {
  const [row] = await tx.run<{
    connection_id: DirectoryFacts['connectionId'];
    key: string;
    domains: string[];
    user_name_taken: boolean;
    external_id_taken: boolean;
    by_external_id: PersonRow | null;
    by_email: PersonRow | null;
    suspended: CreateFacts['suspended'];
  }>(CREATE_FACTS, [
    tx.tenantId,
    directory.credentialId,
    userNameKey(pushed.userName),
    pushed.externalId,
    pushed.email,
    hashes,
  ]);
  if (row === undefined) return undefined;
  return {
    directory: { connectionId: row.connection_id, connectionKey: row.key, domains: row.domains },
    userNameTaken: row.user_name_taken,
    externalIdTaken: row.external_id_taken,
    byExternalId: row.by_external_id && { ...row.by_external_id, lastOwner: false },
    byEmail: row.by_email && { ...row.by_email, lastOwner: false },
    suspended: row.suspended,
  };
}

// The keys are looked up again here: a suspension that began since the facts were read must not be missed.
const WRITE_NEW: Statement = {
  name: 'directory_user_create',
  text: `
with met as (
  select 1 from held_keys k join suspensions s on s.tenant_id = k.tenant_id and s.subject_id = k.subject_id and s.lifted_at is null
  where k.tenant_id = $1 and k.key_hash in (select decode(h, 'hex') from unnest($19::text[]) h)
), subject as (
  insert into subjects (tenant_id, subject_id, kind) select $1, $2, 'user' where not exists (select 1 from met) returning subject_id
), person as (
  insert into users (tenant_id, user_id, user_name, email, email_verified_at, given_name, family_name, display_name, department,
    locale, time_zone, origin)
  select $1, $2, $4, $5, case when $6::boolean then now() end, $7, $8, $9, $10, $11, $12, 'scim' from subject returning user_id
), made as (
  insert into directory_users (tenant_id, directory_user_id, connection_id, user_id, external_id, user_name, user_name_key, email,
    active, attributes)
  select $1, $3, $13, $2, $14, $4, $15, $5, $16, $17 from person
  returning connection_id, 1 as added, version, created_at, last_modified_at
), known as (
  insert into email_directory (email, tenant_id, user_id) select $5, $1, $2 from person where $5::text is not null
), counted as (${countInSlot('users', 'made')}
), audited as (
  insert into audit_events (tenant_id, event_id, kind, outcome, actor, object_kind, object_id, connection_id, request_id, detail)
  select $1, e.event_id, e.kind, e.outcome, $18, e.object_kind, e.object_id, $13, $20, e.detail
  from made, jsonb_to_recordset($21) as e (event_id uuid, kind text, outcome text, object_kind text, object_id uuid, detail jsonb)
)
select version, ${instant('created_at')} as "createdAt", ${instant('last_modified_at')} as "lastModifiedAt" from made`,
};

export type WrittenRow = Pick<DirectoryUserRow, 'version' | 'createdAt' | 'lastModifiedAt'>;
type Of<K extends Change['kind']> = Extract<Change, { kind: K }>;

/** The two changes of a plain new user, or null: then the decision is applied in a transaction. */
export function plainCreate(
  changes: readonly Change[],
): readonly [Of<'create_user'>, Of<'create_directory_user'>] | null {
  const [person, user, ...others] = changes;
  return person?.kind === 'create_user' && user?.kind === 'create_directory_user' && others.length === 0
    ? [person, user]
    : null;
}

/** Writes a plain new user with its audit rows. Undefined: somebody's suspension came between, so decide again. */
export async function writeNewUser(
  ctx: Context,
  tx: TenantTx,
  [person, user]: readonly [Of<'create_user'>, Of<'create_directory_user'>],
  events: Decision<unknown>['events'],
  hashes: readonly KeyHash[],
): Promise<WrittenRow | undefined> {
  const { profile } = person;
  const { resource } = user;
  const [row] = await tx.run<WrittenRow>(WRITE_NEW, [
    tx.tenantId,
    person.userId,
    user.directoryUserId,
    profile.userName,
    profile.email,
    person.emailVerified,
    profile.givenName,
    profile.familyName,
    profile.displayName,
    profile.department,
    profile.locale,
    profile.timeZone,
    user.connectionId,
    resource.externalId,
    userNameKey(resource.userName),
    resource.active,
    JSON.stringify(resource.attributes),
    JSON.stringify(ctx.caller.actor),
    hashes,
    ctx.caller.requestId,
    eventRows(ctx, events),
  ]);
  return row;
}

const UPDATE_FACTS: Statement = {
  name: 'directory_user_facts',
  text: `
with ${LIVE}
select l.connection_id, l.key, ${DOMAINS_OF_LIVE} as domains, d.directory_user_id as id, d.external_id, d.user_name, d.email, d.active,
  d.attributes::text as attributes, d.version, ${instant('d.created_at')} as "createdAt", ${instant('d.last_modified_at')} as "lastModifiedAt",
  s.access_epoch as epoch, case when u.user_id is not null then ${PERSON} end as person, case when u.user_id is not null then ${GROUPS_OF_D} end as groups
from live l
left join directory_users d on d.tenant_id = $1 and d.connection_id = l.connection_id and d.directory_user_id = $3 and d.ended_at is null
left join users u on u.tenant_id = d.tenant_id and u.user_id = d.user_id
left join subjects s on s.tenant_id = d.tenant_id and s.subject_id = d.user_id`,
};

export type LoadedUser = {
  readonly directory: DirectoryFacts;
  readonly row: DirectoryUserRow;
  readonly named: {
    readonly externalId: string | null;
    readonly userName: string;
    readonly email: Email | null;
    readonly active: boolean;
  };
  readonly person: PersonFacts;
  readonly epoch: number;
};

/** A directory user with its person. Null: there is none of this id. Undefined: the credential may not be used. One statement. */
export async function readUserFacts(
  tx: TenantTx,
  directory: Directory,
  id: DirectoryUserId,
): Promise<LoadedUser | null | undefined> {
  const [row] = await tx.run<
    DirectoryUserRow & {
      connection_id: DirectoryFacts['connectionId'];
      key: string;
      domains: string[];
      external_id: string | null;
      user_name: string;
      email: Email | null;
      active: boolean;
      epoch: number;
      person: PersonRow;
      groups: NonNullable<DirectoryUserRow['groups']>;
    }
  >(UPDATE_FACTS, [tx.tenantId, directory.credentialId, id]);
  if (row === undefined) return undefined;
  if (row.id === null) return null;
  const { attributes, version, createdAt, lastModifiedAt, groups } = row;
  return {
    directory: { connectionId: row.connection_id, connectionKey: row.key, domains: row.domains },
    row: { id: row.id, attributes, version, createdAt, lastModifiedAt, groups },
    named: { externalId: row.external_id, userName: row.user_name, email: row.email, active: row.active },
    person: { ...row.person, lastOwner: false },
    epoch: row.epoch,
  };
}

// The subject's row is taken and its epoch compared: a push that races a suspension is decided again and sees it. Where the push
// bars, the epoch is raised, and what was issued under it goes.
const writeUpdate = (bars: boolean) => `
with subject as (
  select subject_id from subjects where tenant_id = $1 and subject_id = $4 and access_epoch = $5 for ${bars ? 'update' : 'share'}
), written as (
  update directory_users d set external_id = $6, user_name = $7, user_name_key = $8, email = $9, active = $10, attributes = $11,
    version = d.version + 1, last_modified_at = clock_timestamp()
  from subject where d.tenant_id = $1 and d.directory_user_id = $2 and d.version = $3 and d.ended_at is null
  returning d.version, d.created_at, d.last_modified_at
), person as (
  update users u set user_name = p.user_name, given_name = p.given_name, family_name = p.family_name, display_name = p.display_name,
    department = p.department, locale = p.locale, time_zone = p.time_zone, version = u.version + 1
  from written, jsonb_to_record($12) as p (user_name text, given_name text, family_name text, display_name text, department text,
    locale text, time_zone text)
  where u.tenant_id = $1 and u.user_id = $4 and $12::jsonb is not null
), ${bars ? END_SESSIONS : ''}audited as (
  insert into audit_events (tenant_id, event_id, kind, outcome, actor, object_kind, object_id, connection_id, request_id, detail)
  select $1, e.event_id, e.kind, e.outcome, $13, e.object_kind, e.object_id, $14, $15, e.detail
  from written, jsonb_to_recordset($16) as e (event_id uuid, kind text, outcome text, object_kind text, object_id uuid, detail jsonb)
)
select version, ${instant('created_at')} as "createdAt", ${instant('last_modified_at')} as "lastModifiedAt" from written`;

const END_SESSIONS = `raised as (
  update subjects s set access_epoch = s.access_epoch + 1 from written where s.tenant_id = $1 and s.subject_id = $4
), ended as (
  delete from oidc_artifacts a using written where a.account_tenant_id = $1 and a.account_user_id = $4
), `;

const WRITE_UPDATE: Statement = { name: 'directory_user_update', text: writeUpdate(false) };
const WRITE_BAR: Statement = { name: 'directory_user_bar', text: writeUpdate(true) };

export type PlainUpdate = {
  readonly update: Of<'update_directory_user'>;
  readonly profile: Partial<Profile> | null;
  readonly bars: boolean;
};

/** The changes of an update that one statement can write, or null: then the decision is applied in a transaction. */
export function plainUpdate(changes: readonly Change[]): PlainUpdate | null {
  const [update, ...others] = changes;
  if (update?.kind !== 'update_directory_user') return null;
  const profile = others.find((change) => change.kind === 'update_profile');
  const bars = others.some((change) => change.kind === 'end_sessions');
  if (others.length !== (profile === undefined ? 0 : 1) + (bars ? 1 : 0)) return null;
  if (profile !== undefined && (profile.profile.email !== undefined || profile.emailVerified !== undefined))
    return null;
  return { update, profile: profile?.profile ?? null, bars };
}

/** Writes an update with its audit rows. Undefined: the user or the person changed since they were read, so decide again. */
export async function writeUserUpdate(
  ctx: Context,
  tx: TenantTx,
  loaded: LoadedUser,
  { update, profile, bars }: PlainUpdate,
  events: Decision<unknown>['events'],
): Promise<WrittenRow | undefined> {
  const { resource } = update;
  const whole = profile === null ? null : { ...loaded.person.profile, ...profile };
  const [row] = await tx.run<WrittenRow>(bars ? WRITE_BAR : WRITE_UPDATE, [
    tx.tenantId,
    update.directoryUserId,
    update.version,
    loaded.person.userId,
    loaded.epoch,
    resource.externalId,
    resource.userName,
    userNameKey(resource.userName),
    resource.email,
    resource.active,
    JSON.stringify(resource.attributes),
    whole && JSON.stringify(profileColumns(whole)),
    JSON.stringify(ctx.caller.actor),
    actorConnection(ctx),
    ctx.caller.requestId,
    eventRows(ctx, events),
  ]);
  return row;
}

function profileColumns(profile: Profile): Readonly<Record<string, string | null>> {
  return {
    user_name: profile.userName,
    given_name: profile.givenName,
    family_name: profile.familyName,
    display_name: profile.displayName,
    department: profile.department,
    locale: profile.locale,
    time_zone: profile.timeZone,
  };
}

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
