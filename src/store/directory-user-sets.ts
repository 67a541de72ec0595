// Many users whom a directory has: their rows taken, what decisions about them need, and whom they would meet. They say of each what
// directory-users.ts and directory-person.ts say of one.

import type { Statement, TenantTx } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import type { DirectoryUserId, KeyHash, SubjectId, UserId } from '../core/ids.ts';
import type { Email } from '../core/profile.ts';
import { DIRECTORY_OF_LIVE } from './directory-person.ts';
import { LOADED, LOADED_AGAIN, type LoadedRow, type LoadedUser, loadedUser } from './directory-users.ts';
import { LIVE } from './scim-credentials.ts';
import { suspendedNamesakes } from './suspended-namesakes.ts';

// `offset 0` keeps each look-up one by primary key, and rows are taken in one order by everybody.
const LOCK: Statement = {
  name: 'subjects_lock',
  text: `
select s.subject_id from (select distinct x as subject_id from unnest($2::uuid[]) x order by x) a
cross join lateral (select s.subject_id from subjects s where s.tenant_id = $1 and s.subject_id = a.subject_id offset 0 for no key update) s`,
};

/** Takes the rows of people for the rest of the transaction; see {@link lockSubject}. */
export async function lockSubjects(tx: TenantTx, ids: readonly SubjectId[]): Promise<void> {
  if (ids.length > 0) await tx.run(LOCK, [tx.tenantId, ids]);
}

const SUSPENDED: Statement = {
  name: 'held_keys_suspended_of_many',
  text: `
select distinct s.subject_id as id from json_to_recordset($2) as b (hash text, of uuid)
cross join lateral (
  select k.subject_id from held_keys k where k.tenant_id = $1 and k.key_hash = decode(b.hash, 'hex') offset 0) k
cross join lateral (
  select s.subject_id from suspensions s where s.tenant_id = $1 and s.subject_id = k.subject_id and s.lifted_at is null offset 0) s
where s.subject_id is distinct from b.of`,
};

/** Keys that people are given; `of`: whose they are, null where that is somebody new. */
export type GivenKeys = { readonly of: SubjectId | null; readonly hashes: readonly KeyHash[] };

/** Suspended people who were ever known by keys that others are given: a suspension may have begun since the others were read. */
export async function readSuspendedByKeys(tx: TenantTx, given: readonly GivenKeys[]): Promise<readonly SubjectId[]> {
  const keys = given.flatMap(({ of, hashes }) => hashes.map((hash) => ({ hash, of })));
  if (keys.length === 0) return [];
  const rows = await tx.run<{ id: SubjectId }>(SUSPENDED, [tx.tenantId, JSON.stringify(keys)]);
  return rows.map(({ id }) => id);
}

const LOCK_USERS: Statement = {
  name: 'directory_users_lock',
  text: `
select s.subject_id from (
  select distinct d.user_id as subject_id from unnest($2::uuid[]) a (id)
  cross join lateral (select d.user_id from directory_users d where d.tenant_id = $1 and d.directory_user_id = a.id offset 0) d
  order by d.user_id
) a
cross join lateral (select s.subject_id from subjects s where s.tenant_id = $1 and s.subject_id = a.subject_id offset 0 for no key update) s`,
};

/** The same of the people behind directory users, who stay theirs for ever. */
export async function lockPeopleOf(tx: TenantTx, ids: readonly DirectoryUserId[]): Promise<void> {
  await tx.run(LOCK_USERS, [tx.tenantId, ids]);
}

const factsText = (columns: string): string => `
with ${LIVE}, here as materialized (select ${DIRECTORY_OF_LIVE} from live l)
select l.*, ${columns}
from here l
left join lateral (
  select d.* from unnest($3::uuid[]) a (id)
  cross join lateral (select * from directory_users d where d.tenant_id = $1 and d.directory_user_id = a.id offset 0) d
  where d.connection_id = l.connection_id and d.ended_at is null offset 0
) d on true
left join lateral (select * from users u where u.tenant_id = d.tenant_id and u.user_id = d.user_id offset 0) u on true
left join lateral (select * from subjects s where s.tenant_id = d.tenant_id and s.subject_id = d.user_id offset 0) s on true`;
const FACTS: Statement = { name: 'directory_users_facts', text: factsText(LOADED) };
const FACTS_AGAIN: Statement = { name: 'directory_users_facts_again', text: factsText(LOADED_AGAIN) };

export type LoadedUsers = ReadonlyMap<DirectoryUserId, LoadedUser>;

/** Directory users with their people, those that there are. Undefined: the credential may not be used. One statement. */
export function readUsersFacts(
  tx: TenantTx,
  directory: Directory,
  ids: readonly DirectoryUserId[],
): Promise<LoadedUsers | undefined> {
  return read(FACTS, tx, directory, ids);
}

/** The same of users who were read before, without their attributes and groups. */
export function readUsersFactsAgain(
  tx: TenantTx,
  directory: Directory,
  ids: readonly DirectoryUserId[],
): Promise<LoadedUsers | undefined> {
  return read(FACTS_AGAIN, tx, directory, ids);
}

async function read(
  statement: Statement,
  tx: TenantTx,
  directory: Directory,
  ids: readonly DirectoryUserId[],
): Promise<LoadedUsers | undefined> {
  const rows = await tx.run<LoadedRow>(statement, [tx.tenantId, directory.credentialId, ids]);
  if (rows.length === 0) return undefined;
  return new Map(rows.filter(({ id }) => id !== null).map((row) => [row.id, loadedUser(row, directory)]));
}

/** What a push gives a user: null where it is what they have. */
export type Given = {
  readonly id: DirectoryUserId;
  readonly userId: UserId;
  readonly userNameKey: string | null;
  readonly externalId: string | null;
  readonly email: Email | null;
  readonly hashes: readonly KeyHash[];
};

/** Who has it already: another user of the directory, or another person of the tenant. */
export type Clash = {
  readonly userNameTaken: boolean;
  readonly externalIdTaken: boolean;
  readonly addressTaken: boolean;
  /** Somebody suspended is known by it. */
  readonly suspended: boolean;
};

const CLASHES: Statement = {
  name: 'directory_users_clashes',
  text: `
with asked as materialized (
  select * from json_to_recordset($3) as a (at int, id uuid, user_id uuid, user_name_key text, external_id text, email text, hashes text[])
)
select a.at,
  exists (select 1 from directory_users d where d.tenant_id = $1 and d.connection_id = l.connection_id
    and d.user_name_key = a.user_name_key and d.ended_at is null and d.directory_user_id <> a.id offset 0) as "userNameTaken",
  exists (select 1 from directory_users d where d.tenant_id = $1 and d.connection_id = l.connection_id
    and d.external_id = a.external_id and d.ended_at is null and d.directory_user_id <> a.id offset 0) as "externalIdTaken",
  exists (select 1 from users u where u.tenant_id = $1 and u.email = a.email and u.ended_at is null and u.user_id <> a.user_id
    offset 0) as "addressTaken",
  exists (select 1 ${suspendedNamesakes('a.hashes', 'a.user_name_key')} where s.subject_id <> a.user_id offset 0) as suspended
from (select $2::uuid as connection_id) l, asked a order by a.at`,
};

/** In the order of what is given. One statement. */
export async function readClashes(
  tx: TenantTx,
  { connectionId }: Directory,
  given: readonly Given[],
): Promise<readonly Clash[]> {
  if (given.length === 0) return [];
  const asked = given.map(({ id, userId, userNameKey, externalId, email, hashes }, at) => ({
    at,
    id,
    user_id: userId,
    user_name_key: userNameKey,
    external_id: externalId,
    email,
    hashes,
  }));
  return tx.run<Clash>(CLASHES, [tx.tenantId, connectionId, JSON.stringify(asked)]);
}
