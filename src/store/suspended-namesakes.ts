// Suspended people by whom a pushed user may be known: what makes a suspension follow the person and not the row.

import type { Statement, TenantTx } from '../context.ts';
import type { SuspendedOthers } from '../core/directory.ts';
import type { ConnectionId, KeyHash, UserId } from '../core/ids.ts';
import { userNameKey } from '../core/profile.ts';
import { asGuestKey, letInWith } from './held-keys.ts';

const OF_TENANT =
  'select * from suspensions s where s.tenant_id = $1 and s.subject_id = b.subject_id and s.lifted_at is null offset 0';
const OF_GUESTS = `
  select s.* from mapping_pointers p cross join lateral (
    select * from suspensions s where s.tenant_id = p.target_tenant_id and s.subject_id = p.guest_id and s.lifted_at is null offset 0) s
  where p.tenant_id = $1 and p.user_id = b.subject_id`;

const plain = (keys: string) => `select decode(h, 'hex') as key_hash from unnest(${keys}::text[]) h`;
const plainAndAsGuest = (keys: string) =>
  `${plain(keys)} union all select ${asGuestKey("decode(h, 'hex')")} from unnest(${keys}::text[]) h`;

const namesakesByUserName = (userNameKey: string) => `
  select d.user_id as subject_id from directory_users d
  where d.tenant_id = $1 and d.connection_id = l.connection_id and d.user_name_key = ${userNameKey} and d.ended_by = 'directory'
    and d.ended_at is not null`;
const namesakes = (hashes: string, userNameKey: string) => `
  select k.subject_id from (${hashes}) b cross join lateral (
    select k.subject_id from held_keys k where k.tenant_id = $1 and k.key_hash = b.key_hash offset 0) k
  union
  ${namesakesByUserName(userNameKey)}`;

/**
 * Open suspensions (`s`) of people who were ever known by one of the keys, or who were removed from the directory of `l` under the
 * userName: of those who were suspended before userNames were keys nobody holds it. From the keys to the people to their suspensions:
 * `offset 0` keeps that order, where the planner, while the tables are new to it, would rather read them whole.
 */
export const suspendedNamesakes = (keys: string, userNameKey = '$3') =>
  `from (${namesakes(plain(keys), userNameKey)}) b cross join lateral (${OF_TENANT}) s`;

/** The same with suspensions of guests in tenants below, which keep nobody out here. */
export const suspendedNamesakesBelowToo = (keys: string, userNameKey: string) =>
  `from (${namesakes(plainAndAsGuest(keys), userNameKey)}) b cross join lateral ((${OF_TENANT}) union all ${OF_GUESTS}) s`;

const SUSPENDED_OTHERS: Statement = {
  name: null,
  text: `
select s.subject_id as "subjectId", s.suspension_id as "suspensionId"
from (select $2::uuid as connection_id) l, lateral (select s.* ${suspendedNamesakes('$4')}) s
where s.subject_id <> $5 order by s.suspended_at`,
};

/** Open suspensions of others by keys that a person is given, or by the userName (null: it stays). */
export async function readSuspendedOthers(
  tx: TenantTx,
  connectionId: ConnectionId,
  userId: UserId,
  brought: { readonly hashes: readonly KeyHash[]; readonly userName: string | null },
): Promise<SuspendedOthers> {
  const { hashes, userName } = brought;
  if (hashes.length === 0 && userName === null) return [];
  return tx.run(SUSPENDED_OTHERS, [
    tx.tenantId,
    connectionId,
    userName === null ? null : userNameKey(userName),
    hashes,
    userId,
  ]);
}

const SUSPENDED_BEHIND: Statement = {
  name: null,
  text: `
with l as (select $2::uuid as connection_id), b as (
  select k.subject_id, k.key_hash from (${plain('$4')}) b cross join lateral (
    select k.subject_id, k.key_hash from held_keys k where k.tenant_id = $1 and k.key_hash = b.key_hash offset 0) k
  union
  select n.subject_id, null from l cross join lateral (${namesakesByUserName('$3')}) n
)
select distinct s.subject_id as "subjectId", s.suspension_id as "suspensionId"
from b cross join lateral (${OF_TENANT}) s
where s.subject_id <> $5 and not exists (
  select 1 from held_keys h where h.tenant_id = $1 and h.key_hash = b.key_hash and h.subject_id = $5 and ${letInWith('h', 's')})`,
};

/** The same for somebody whom a directory links to another of its users, but for keys with which they inherited and were let in. */
export async function readSuspendedBehind(
  tx: TenantTx,
  connectionId: ConnectionId,
  userId: UserId,
  brought: { readonly hashes: readonly KeyHash[]; readonly userName: string },
): Promise<SuspendedOthers> {
  const { hashes, userName } = brought;
  return tx.run(SUSPENDED_BEHIND, [tx.tenantId, connectionId, userNameKey(userName), hashes, userId]);
}
