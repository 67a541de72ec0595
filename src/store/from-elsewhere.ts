// Whose word a person's address stands on.

const connections = (owning: 'exists' | 'not exists') => `exists (
  select 1 from (
    select i.connection_id from identities i where i.tenant_id = u.tenant_id and i.user_id = u.user_id and i.ended_at is null
    union all
    select d.connection_id from directory_users d
    where d.tenant_id = u.tenant_id and d.user_id = u.user_id and d.ended_by is distinct from 'admin'
  ) known
  where ${owning} (select 1 from connection_domains o
    where o.tenant_id = u.tenant_id and o.connection_id = known.connection_id and o.domain = split_part(u.email, '@', 2)))`;

/**
 * Whether the person `u` was made by connections none of which owns the domain of their address: whoever comes in by one of them
 * was never asked for it, and may be waiting there for the address's bearer (T29, T31). A directory that owned it when it pushed
 * them was asked then, so that a domain can move from one connection to the next.
 */
export const FROM_ELSEWHERE = `((u.origin in ('jit', 'signup') or u.origin = 'scim' and u.email_verified_at is null) and ${connections('not exists')} and not ${connections('exists')})`;
