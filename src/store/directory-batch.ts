// Many users whom a directory pushes for the first time at once: one statement that looks at all of them, one that writes all of
// them. They say of each what directory-newcomers.ts says of one.

import type { Context, Statement, TenantTx } from '../context.ts';
import type { AuditEvent, PushedUser } from '../core/change.ts';
import type { Directory } from '../core/directory.ts';
import type { ConnectionId, Instant, KeyHash } from '../core/ids.ts';
import { userNameKey } from '../core/profile.ts';
import { eventRow } from './audit-events.ts';
import { countInSlot } from './directory-changes.ts';
import {
  type CreateFactsRow,
  createFactsOf,
  createLook,
  firstLook,
  meetsNobody,
  type PlainCreate,
  type ReadCreateFacts,
} from './directory-newcomers.ts';
import { DIRECTORY_OF_LIVE, type DirectoryRow, directoryFacts } from './directory-person.ts';
import { makeUsers, PUSHED, PUSHED_COLUMNS, pushedRow } from './directory-user-columns.ts';
import { instant } from './instant.ts';
import { LIVE } from './scim-credentials.ts';

// Where the planner knows the tables, each user is looked up by the keys, and `offset 0` keeps it so however much they have grown since
// it planned. Where it knows nothing yet, as in the first minute of an installation, it takes any index for the right one: then it may
// as well read the directory once for all of them, and not once for each.
const COLUMNS = { userNameKey: 'a.user_name_key', externalId: 'a.external_id', email: 'a.email', hashes: 'a.hashes' };
const seenBy = (fence: string) => `
  select json_agg(f) from (select a.at, ${firstLook(COLUMNS, fence)} from asked a) f
  where f.user_name_taken or f.external_id_taken or f.met`;

const NEWCOMERS: Statement = {
  name: 'directory_newcomers',
  text: `
with ${LIVE}, asked as materialized (
  select * from json_to_recordset($3) as a (at int, user_name_key text, external_id text, email text, hashes text[])
)
select ${DIRECTORY_OF_LIVE}, coalesce(case when (select c.reltuples > 0 from pg_class c where c.oid = 'directory_users'::regclass)
  then (${seenBy('offset 0')}) else (${seenBy('')}) end, '[]') as seen
from live l`,
};

/** A pushed user, and the keys by which they may be recognised again. */
export type Newcomer = { readonly pushed: PushedUser; readonly hashes: readonly KeyHash[] };

export type SeenNewcomer = { readonly facts: ReadCreateFacts; readonly met: boolean };

/**
 * What {@link decideCreate} needs of each where they meet nobody, and whether they do: see {@link readNewcomer}. Does not look from
 * one of them to the other. Undefined: the credential may not be used. One statement.
 */
export async function readNewcomers(
  tx: TenantTx,
  directory: Directory,
  newcomers: readonly Newcomer[],
): Promise<readonly SeenNewcomer[] | undefined> {
  const [row] = await tx.run<
    DirectoryRow & { seen: { at: number; user_name_taken: boolean; external_id_taken: boolean; met: boolean }[] }
  >(NEWCOMERS, [tx.tenantId, directory.credentialId, asked(newcomers)]);
  if (row === undefined) return undefined;
  const known = { ...meetsNobody, directory: directoryFacts(row, directory), paused: row.paused };
  const plain = { facts: { ...known, userNameTaken: false, externalIdTaken: false }, met: false };
  const seen: SeenNewcomer[] = newcomers.map(() => plain);
  for (const { at, user_name_taken, external_id_taken, met } of row.seen) {
    seen[at] = { facts: { ...known, userNameTaken: user_name_taken, externalIdTaken: external_id_taken }, met };
  }
  return seen;
}

/** The parameter of a statement that looks at them. */
function asked(newcomers: readonly Newcomer[]): string {
  const rows = newcomers.map(({ pushed: { userName, externalId, email }, hashes }, at) => ({
    at,
    user_name_key: userNameKey(userName),
    external_id: externalId,
    email,
    hashes,
  }));
  return JSON.stringify(rows);
}

const CREATE_FACTS: Statement = {
  name: 'directory_users_create_facts',
  text: `
with ${LIVE}, here as materialized (
  select ${DIRECTORY_OF_LIVE} from live l
), asked as materialized (
  select * from json_to_recordset($3) as a (at int, user_name_key text, external_id text, email text, hashes text[])
)
select l.*, ${createLook(COLUMNS, 'offset 0')}
from here l cross join asked a order by a.at`,
};

/** What {@link decideCreate} needs of each, in their order; see {@link readCreateFacts}. One statement. */
export async function readCreateFactsOfAll(
  tx: TenantTx,
  directory: Directory,
  newcomers: readonly Newcomer[],
): Promise<readonly ReadCreateFacts[] | undefined> {
  const params = [tx.tenantId, directory.credentialId, asked(newcomers)];
  const rows = await tx.run<CreateFactsRow>(CREATE_FACTS, params);
  return rows.length === 0 ? undefined : rows.map((row) => createFactsOf(row, directory));
}

// The keys are looked up again here: a suspension that began since the facts were read must not be missed.
const WRITE_NEW: Statement = {
  name: 'directory_users_create',
  text: `
with asked as materialized (
  select * from json_to_recordset($3) as a (at int, user_id uuid, directory_user_id uuid, ${PUSHED_COLUMNS}, email_verified boolean,
    given_name text, family_name text, display_name text, department text, locale text, time_zone text, hashes text[])
), met as materialized (
  select distinct a.at from asked a cross join unnest(a.hashes) h
  join held_keys k on k.tenant_id = $1 and k.key_hash = decode(h, 'hex')
  join suspensions s on s.tenant_id = k.tenant_id and s.subject_id = k.subject_id and s.lifted_at is null
), fresh as materialized (
  select * from asked a where not exists (select 1 from met m where m.at = a.at)
), subject as (
  insert into subjects (tenant_id, subject_id, kind) select $1, user_id, 'user' from fresh
), person as (
  insert into users (tenant_id, user_id, user_name, email, email_verified_at, given_name, family_name, display_name, department,
    locale, time_zone, origin)
  select $1, user_id, user_name, email, case when email_verified then now() end, given_name, family_name, display_name, department,
    locale, time_zone, 'scim' from fresh
), made as (
  ${makeUsers(
    { id: 'a.directory_user_id', connectionId: '$2', userId: 'a.user_id', withheld: 'false' },
    PUSHED,
    'from fresh a',
  )}
  returning connection_id
), known as (
  insert into email_directory (email, tenant_id, user_id) select email, $1, user_id from fresh where email is not null
), counted as (${countInSlot('users', '(select connection_id, count(*) as added from made group by connection_id)')}
), audited as (
  insert into audit_events (tenant_id, event_id, kind, outcome, actor, object_kind, object_id, connection_id, request_id, detail)
  select $1, e.event_id, e.kind, e.outcome, $4, e.object_kind, e.object_id, $2, e.request_id, e.detail
  from json_to_recordset($5) as e (at int, event_id uuid, kind text, outcome text, object_kind text, object_id uuid, request_id text,
    detail jsonb)
  where not exists (select 1 from met m where m.at = e.at)
)
select array(select at from met) as met, ${instant('now()')} as at`,
};

/** A newcomer as it was decided: plainly somebody new. */
export type NewUser = {
  readonly plain: PlainCreate;
  readonly events: readonly AuditEvent[];
  readonly hashes: readonly KeyHash[];
  /** Of the request that pushed them. */
  readonly requestId: string;
};

export type NewUsersWritten = {
  /** Indices of those whom somebody's suspension met since they were read: they are not written, so decide again. */
  readonly met: readonly number[];
  /** When the others were made. */
  readonly at: Instant;
};

/**
 * Writes plain new users of one connection with their audit rows, all of them or, where it throws, none. A key that somebody else took
 * surfaces as UniqueViolation. One statement.
 */
export async function writeNewUsers(
  ctx: Context,
  tx: TenantTx,
  connectionId: ConnectionId,
  users: readonly NewUser[],
): Promise<NewUsersWritten> {
  const rows = users.map(rowOf).join(',');
  const events = users.flatMap(({ events: own, requestId }, at) =>
    own.map((event) => ({ at, request_id: requestId, ...eventRow(ctx, event) })),
  );
  const [row] = await tx.run<NewUsersWritten>(WRITE_NEW, [
    tx.tenantId,
    connectionId,
    `[${rows}]`,
    JSON.stringify(ctx.caller.actor),
    JSON.stringify(events),
  ]);
  return row as NewUsersWritten;
}

function rowOf({ plain: [person, user], hashes }: NewUser, at: number): string {
  const { profile } = person;
  const { resource } = user;
  return JSON.stringify({
    at,
    user_id: person.userId,
    directory_user_id: user.directoryUserId,
    email_verified: person.emailVerified,
    given_name: profile.givenName,
    family_name: profile.familyName,
    display_name: profile.displayName,
    department: profile.department,
    locale: profile.locale,
    time_zone: profile.timeZone,
    ...pushedRow(resource),
    hashes,
  });
}
