// Users whom a directory has: one statement loads what a decision needs, one writes what it decided.

import type { Context, Statement, TenantTx } from '../context.ts';
import type { Change, Decision } from '../core/change.ts';
import type { Directory, DirectoryFacts, PersonFacts } from '../core/directory.ts';
import type { DirectoryUserId } from '../core/ids.ts';
import type { Email, Profile } from '../core/profile.ts';
import { actorConnection, eventRows } from './audit-events.ts';
import {
  DIRECTORY_OF_LIVE,
  type DirectoryRow,
  type DirectoryUserRow,
  directoryFacts,
  GROUPS_OF_D,
  PERSON,
  type PersonRow,
  type WrittenRow,
} from './directory-person.ts';
import { changeUsers, pushedParams, pushedValues } from './directory-user-columns.ts';
import { instant } from './instant.ts';
import { LIVE } from './scim-credentials.ts';

type Of<K extends Change['kind']> = Extract<Change, { kind: K }>;

/** A directory user `d` with its person `u` and that person's subject `s`, as {@link loadedUser} takes them. */
const loaded = (
  attributes: string,
  groups: string,
): string => `d.directory_user_id as id, d.external_id, d.user_name, d.email, d.active,
  ${attributes} as attributes, d.version, ${instant('d.created_at')} as "createdAt", ${instant('d.last_modified_at')} as "lastModifiedAt",
  s.access_epoch as epoch, case when u.user_id is not null then ${PERSON} end as person, case when u.user_id is not null then ${groups} end as groups`;
export const LOADED = loaded('d.attributes::text', GROUPS_OF_D);
/** For those whose attributes and groups are at hand. */
export const LOADED_AGAIN = loaded(`'{}'`, `'[]'::json`);

const UPDATE_FACTS: Statement = {
  name: 'directory_user_facts',
  text: `
with ${LIVE}
select ${DIRECTORY_OF_LIVE}, ${LOADED}
from live l
left join directory_users d on d.tenant_id = $1 and d.connection_id = l.connection_id and d.directory_user_id = $3 and d.ended_at is null
left join users u on u.tenant_id = d.tenant_id and u.user_id = d.user_id
left join subjects s on s.tenant_id = d.tenant_id and s.subject_id = d.user_id`,
};

export type LoadedRow = DirectoryRow &
  DirectoryUserRow & {
    external_id: string | null;
    user_name: string;
    email: Email | null;
    active: boolean;
    epoch: number;
    person: PersonRow;
    groups: NonNullable<DirectoryUserRow['groups']>;
  };

export type LoadedUser = {
  readonly directory: DirectoryFacts;
  /** What it pushes is refused until an administrator looks. */
  readonly paused: boolean;
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
  const [row] = await tx.run<LoadedRow>(UPDATE_FACTS, [tx.tenantId, directory.credentialId, id]);
  if (row === undefined) return undefined;
  return row.id === null ? null : loadedUser(row, directory);
}

export function loadedUser(row: LoadedRow, directory: Directory): LoadedUser {
  const { attributes, version, createdAt, lastModifiedAt, groups } = row;
  return {
    directory: directoryFacts(row, directory),
    paused: row.paused,
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
  select subject_id from subjects where tenant_id = $1 and subject_id = $4 and access_epoch = $5 for ${bars ? 'no key update' : 'share'}
), written as (
  ${changeUsers(pushedParams(6), '$17')}
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
    ...pushedValues(resource),
    whole && JSON.stringify(profileColumns(whole)),
    JSON.stringify(ctx.caller.actor),
    actorConnection(ctx),
    ctx.caller.requestId,
    eventRows(ctx, events),
    update.withheld,
  ]);
  return row;
}

export function profileColumns(profile: Profile): Readonly<Record<string, string | null>> {
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
