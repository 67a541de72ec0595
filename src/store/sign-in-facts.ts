// Who a proven assertion may belong to.

import type { Context, Statement, TenantTx } from '../context.ts';
import type { UpstreamAssertion } from '../core/identity.ts';
import type { ConnectionId, Instant, UserId } from '../core/ids.ts';
import { emailDomain, userNameKey } from '../core/profile.ts';
import { madeBy } from './directory-person.ts';
import { FROM_ELSEWHERE } from './from-elsewhere.ts';

export type CandidateIds = {
  readonly byIdentity: UserId | null;
  readonly byDirectory: UserId | null;
  readonly byEmail: readonly {
    readonly userId: UserId;
    readonly linkedOnConnection: boolean;
    readonly fromElsewhere: boolean;
  }[];
  readonly domainOwnedElsewhere: boolean;
};

const MADE_HERE = `exists (select 1 from users u where u.tenant_id = $1 and u.user_id = d.user_id and ${madeBy('$2')})`;

const FIND: Statement = {
  name: 'sign_in_candidates',
  text: `
select
  (select i.user_id from identities i
   where i.tenant_id = $1 and i.connection_id = $2 and i.issuer = $3 and i.subject = $4 and i.ended_at is null) as by_identity,
  -- An ended directory user still names its person, so that somebody who was removed is refused and never created anew. An active
  -- one of a held directory is no way into an account that the directory did not make.
  (select d.user_id from directory_users d
   where d.tenant_id = $1 and d.connection_id = $2 and d.ended_by is distinct from 'admin'
     and (d.external_id = any ($5) or ($6::text is not null and d.user_name_key = $6))
     and (d.ended_at is not null or not d.active or d.withheld or ${MADE_HERE}
       or not exists (select 1 from connections h where h.tenant_id = $1 and h.connection_id = $2 and h.scim_held))
   order by d.ended_at is null desc, d.external_id = any ($5) desc nulls last, d.ended_at desc limit 1) as by_directory,
  coalesce((select json_agg(json_build_object('userId', u.user_id, 'linkedOnConnection',
      exists (select 1 from identities i where i.tenant_id = $1 and i.user_id = u.user_id and i.connection_id = $2 and i.ended_at is null)
      or exists (select 1 from directory_users d where d.tenant_id = $1 and d.user_id = u.user_id and d.connection_id = $2 and d.ended_by is distinct from 'admin'
        and not exists (select 1 from connections h where h.tenant_id = $1 and h.connection_id = $2 and h.scim_held)),
      'fromElsewhere', ${FROM_ELSEWHERE}))
    from users u where u.tenant_id = $1 and u.email = $7 and u.ended_at is null), '[]'::json) as by_email,
  exists (select 1 from domain_owners o where o.domain = $8)
    and not exists (select 1 from connection_domains c where c.tenant_id = $1 and c.connection_id = $2 and c.domain = $8) as domain_owned_elsewhere`,
};

/** Users of the tenant whom the assertion names, by identity, by this connection's directory, by address. One statement. */
export async function findSignInCandidates(tx: TenantTx, assertion: UpstreamAssertion): Promise<CandidateIds> {
  const [row] = await tx.run<{
    by_identity: UserId | null;
    by_directory: UserId | null;
    by_email: CandidateIds['byEmail'];
    domain_owned_elsewhere: boolean;
  }>(FIND, [
    tx.tenantId,
    assertion.connectionId,
    assertion.issuer,
    assertion.subject,
    assertion.directoryIds,
    assertion.directoryUserName === null ? null : userNameKey(assertion.directoryUserName),
    assertion.email,
    assertion.email === null ? null : emailDomain(assertion.email),
  ]);
  if (row === undefined) throw new Error('a select without a from always answers');
  return {
    byIdentity: row.by_identity,
    byDirectory: row.by_directory,
    byEmail: row.by_email,
    domainOwnedElsewhere: row.domain_owned_elsewhere,
  };
}

const CALLED: Statement = {
  name: 'account_called',
  text: `
select d.user_name as name from directory_users d
where d.tenant_id = $1 and d.user_id = $2 and d.connection_id = $3 and d.ended_at is null`,
};

/** The userNames by which a connection's directory has an account now. */
export async function readUserNames(
  tx: TenantTx,
  userId: UserId,
  connectionId: ConnectionId,
): Promise<readonly string[]> {
  const rows = await tx.run<{ name: string }>(CALLED, [tx.tenantId, userId, connectionId]);
  return rows.map(({ name }) => name);
}

const CONSUME: Statement = {
  name: 'assertion_consume',
  text: `
insert into seen_assertions (tenant_id, connection_id, assertion_hash, expires_at)
values ($1, $2, decode($3, 'hex'), to_timestamp($4::bigint / 1000.0)) on conflict do nothing returning 1`,
};

/** Marks a proof as used. False: it was used before, here or on another server. */
export async function consumeAssertion(
  ctx: Pick<Context, 'keyHash'>,
  tx: TenantTx,
  connectionId: ConnectionId,
  replayKey: string,
  expiresAt: Instant,
): Promise<boolean> {
  const rows = await tx.run(CONSUME, [tx.tenantId, connectionId, ctx.keyHash(replayKey), expiresAt]);
  return rows.length === 1;
}
