// Users whom a directory pushes for the first time: whom they meet, and how they are written.

import type { Context, Statement, TenantTx } from '../context.ts';
import type { Change, Decision, PushedUser } from '../core/change.ts';
import type { Directory } from '../core/directory.ts';
import type { CreateFacts } from '../core/directory-create.ts';
import type { KeyHash } from '../core/ids.ts';
import { userNameKey } from '../core/profile.ts';
import { eventRows } from './audit-events.ts';
import { countInSlot } from './directory-changes.ts';
import {
  DIRECTORY_OF_LIVE,
  type DirectoryRow,
  directoryFacts,
  PERSON,
  type PersonRow,
  type WrittenRow,
} from './directory-person.ts';
import { makeUsers } from './directory-user-columns.ts';
import { FROM_ELSEWHERE } from './from-elsewhere.ts';
import { instant } from './instant.ts';
import { LIVE } from './scim-credentials.ts';
import { suspendedNamesakes, suspendedNamesakesBelowToo } from './suspended-namesakes.ts';

/** What a pushed user brings, as parameters or columns of a statement. */
type Brought = {
  readonly userNameKey: string;
  readonly externalId: string;
  readonly email: string;
  readonly hashes: string;
};

const taken = ({ userNameKey, externalId }: Brought, fence = '') => `
exists (select 1 from directory_users d where d.tenant_id = $1 and d.connection_id = l.connection_id and d.user_name_key = ${userNameKey}
  and d.ended_at is null ${fence}) as user_name_taken,
exists (select 1 from directory_users d where d.tenant_id = $1 and d.connection_id = l.connection_id and d.external_id = ${externalId}
  and d.ended_at is null ${fence}) as external_id_taken`;

const former = ({ externalId }: Brought) => `from directory_users d
  join users u on u.tenant_id = d.tenant_id and u.user_id = d.user_id and u.ended_at is null
  where d.tenant_id = $1 and d.connection_id = l.connection_id and d.external_id = ${externalId} and d.ended_at is not null`;
const holder = ({ email }: Brought) =>
  `from users u where u.tenant_id = $1 and u.email = ${email} and u.ended_at is null`;

/**
 * What is seen of a pushed user at first: the names that are taken, and whether they meet anybody. `fence`: put behind each lookup, to
 * keep the planner from making one of many.
 */
export const firstLook = (brought: Brought, fence = '') => `${taken(brought, fence)},
  exists (select 1 ${former(brought)} ${fence}) or exists (select 1 ${holder(brought)} ${fence})
    or exists (select 1 ${suspendedNamesakesBelowToo(brought.hashes, brought.userNameKey)} ${fence}) as met`;

const ONE: Brought = { userNameKey: '$3', externalId: '$4', email: '$5', hashes: '$6' };

const NEWCOMER: Statement = {
  name: 'directory_newcomer',
  text: `
with ${LIVE}
select ${DIRECTORY_OF_LIVE}, ${firstLook(ONE)}
from live l`,
};

/** Whom a pushed user meets, seen by the connection of `l`: {@link createFactsOf} takes it. */
export const createLook = (brought: Brought, fence = '') => `${taken(brought, fence)},
  (select ${PERSON} ${former(brought)} order by d.ended_at desc limit 1) as by_external_id,
  (select ${PERSON} ${holder(brought)}) as by_email,
  coalesce((select ${FROM_ELSEWHERE} ${holder(brought)}), false) as holder_from_elsewhere,
  coalesce((select json_agg(json_build_object('subjectId', s.subject_id, 'suspensionId', s.suspension_id) order by s.suspended_at)
    ${suspendedNamesakes(brought.hashes, brought.userNameKey)}), '[]'::json) as suspended`;

const CREATE_FACTS: Statement = {
  name: 'directory_user_create_facts',
  text: `
with ${LIVE}
select ${DIRECTORY_OF_LIVE}, ${createLook(ONE)}
from live l`,
};

type NewcomerRow = DirectoryRow & { user_name_taken: boolean; external_id_taken: boolean };

/** `paused`: what the directory pushes is refused until an administrator looks. */
export type ReadCreateFacts = CreateFacts & { readonly paused: boolean };

const createParams = (tx: TenantTx, directory: Directory, pushed: PushedUser, hashes: readonly KeyHash[]) => [
  tx.tenantId,
  directory.credentialId,
  userNameKey(pushed.userName),
  pushed.externalId,
  pushed.email,
  hashes,
];

export const meetsNobody = {
  byExternalId: null,
  byEmail: null,
  holderFromElsewhere: false,
  suspended: [],
  suspendedBehind: [],
} as const;

/**
 * What {@link decideCreate} needs where a pushed user meets nobody, and whether they do: then only {@link readCreateFacts} knows whom.
 * Undefined: the credential may not be used. One statement.
 */
export async function readNewcomer(
  tx: TenantTx,
  directory: Directory,
  pushed: PushedUser,
  hashes: readonly KeyHash[],
): Promise<{ readonly facts: ReadCreateFacts; readonly met: boolean } | undefined> {
  const [row] = await tx.run<NewcomerRow & { met: boolean }>(NEWCOMER, createParams(tx, directory, pushed, hashes));
  if (row === undefined) return undefined;
  return { facts: { ...factsOf(row, directory), ...meetsNobody }, met: row.met };
}

function factsOf(
  row: NewcomerRow,
  directory: Directory,
): Pick<ReadCreateFacts, 'directory' | 'paused' | 'userNameTaken' | 'externalIdTaken'> {
  return {
    directory: directoryFacts(row, directory),
    paused: row.paused,
    userNameTaken: row.user_name_taken,
    externalIdTaken: row.external_id_taken,
  };
}

/** What {@link decideCreate} needs, without `lastOwner` of anybody, and with all who are suspended in `suspendedBehind`. Undefined: the credential may not be used. One statement. */
export async function readCreateFacts(
  tx: TenantTx,
  directory: Directory,
  pushed: PushedUser,
  hashes: readonly KeyHash[],
): Promise<ReadCreateFacts | undefined> {
  const [row] = await tx.run<CreateFactsRow>(CREATE_FACTS, createParams(tx, directory, pushed, hashes));
  return row && createFactsOf(row, directory);
}

export type CreateFactsRow = NewcomerRow & {
  by_external_id: PersonRow | null;
  by_email: PersonRow | null;
  holder_from_elsewhere: boolean;
  suspended: CreateFacts['suspended'];
};

export function createFactsOf(row: CreateFactsRow, directory: Directory): ReadCreateFacts {
  return {
    ...factsOf(row, directory),
    byExternalId: row.by_external_id && { ...row.by_external_id, lastOwner: false },
    byEmail: row.by_email && { ...row.by_email, lastOwner: false },
    holderFromElsewhere: row.holder_from_elsewhere,
    suspended: row.suspended,
    suspendedBehind: row.suspended,
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
  ${makeUsers(
    { id: '$3', connectionId: '$13', userId: '$2', withheld: 'false' },
    { externalId: '$14', userName: '$4', userNameKey: '$15', email: '$5', active: '$16', attributes: '$17' },
    'from person',
  )}
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

type Of<K extends Change['kind']> = Extract<Change, { kind: K }>;

/** The two changes of a plain new user. */
export type PlainCreate = readonly [Of<'create_user'>, Of<'create_directory_user'>];

/** The changes as those of a plain new user, or null: then the decision is applied in a transaction. */
export function plainCreate(changes: readonly Change[]): PlainCreate | null {
  const [person, user, ...others] = changes;
  return person?.kind === 'create_user' && user?.kind === 'create_directory_user' && others.length === 0
    ? [person, user]
    : null;
}

/** Writes a plain new user with its audit rows. Undefined: somebody's suspension came between, so decide again. */
export async function writeNewUser(
  ctx: Context,
  tx: TenantTx,
  [person, user]: PlainCreate,
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
    resource.json,
    JSON.stringify(ctx.caller.actor),
    hashes,
    ctx.caller.requestId,
    eventRows(ctx, events),
  ]);
  return row;
}
