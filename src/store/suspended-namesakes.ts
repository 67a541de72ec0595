// Suspended people by whom a pushed user may be known: what makes a suspension follow the person and not the row.

import type { Statement, TenantTx } from '../context.ts';
import type { SuspendedOthers } from '../core/directory.ts';
import type { ConnectionId, KeyHash, UserId } from '../core/ids.ts';
import { userNameKey } from '../core/profile.ts';

/**
 * Open suspensions (`s`) of people who were ever known by one of the keys, or who left the directory of `l` under the userName,
 * wherever else they are known. That is no key for ever, but enough to keep its next bearer out until somebody looks. From the keys to
 * the people to their suspensions: `offset 0` keeps that order, where the planner, while the tables are new to it, would rather read them
 * whole.
 */
export const suspendedNamesakes = (keys: string, userNameKey = '$3') => `
from (
  select k.subject_id from (select decode(h, 'hex') as key_hash from unnest(${keys}::text[]) h) b cross join lateral (
    select k.subject_id from held_keys k where k.tenant_id = $1 and k.key_hash = b.key_hash offset 0) k
  union
  select d.user_id from directory_users d
  where d.tenant_id = $1 and d.connection_id = l.connection_id and d.user_name_key = ${userNameKey} and d.ended_by = 'directory'
    and d.ended_at is not null
    and not exists (select 1 from directory_users o
      where o.tenant_id = $1 and o.user_id = d.user_id and o.connection_id = d.connection_id and o.ended_at is null offset 0)
) b cross join lateral (
  select * from suspensions s where s.tenant_id = $1 and s.subject_id = b.subject_id and s.lifted_at is null offset 0) s`;

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
