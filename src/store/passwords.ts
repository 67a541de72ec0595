// Local passwords: who has one, and how often it was tried in vain.

import type { Query, Statement, TenantTx } from '../context.ts';
import type { Instant, TenantId, TenantSlug, UserId } from '../core/ids.ts';
import type { Email } from '../core/profile.ts';
import { instant } from './instant.ts';

export type PasswordHolder = {
  readonly tenantId: TenantId;
  readonly tenant: TenantSlug;
  readonly userId: UserId;
  readonly hash: string;
  readonly failures: number;
  readonly lastFailureAt: Instant | null;
  readonly passwordSignIn: boolean;
  readonly bootstrapped: boolean;
};

const HOLDERS: Statement = {
  name: 'password_holders',
  text: `
with asked as (
  select tenant_id, 0 as depth from tenants where slug = $2
  union all
  select a.ancestor_id, a.depth from tenants t join tenant_ancestors a on a.tenant_id = t.tenant_id where t.slug = $2
)
select u.tenant_id as "tenantId", t.slug as tenant, u.user_id as "userId", p.hash, p.failures,
  ${instant('p.last_failure_at')} as "lastFailureAt",
  coalesce((t.settings->>'passwordSignIn')::boolean, false) as "passwordSignIn", u.origin = 'bootstrap' as bootstrapped
from email_directory d
join users u on u.tenant_id = d.tenant_id and u.user_id = d.user_id and u.email = d.email and u.ended_at is null
join passwords p on p.tenant_id = u.tenant_id and p.user_id = u.user_id
join tenants t on t.tenant_id = u.tenant_id and t.active and t.ended_at is null
left join asked on asked.tenant_id = d.tenant_id
where d.email = $1 and ($2::text is null or asked.tenant_id is not null)
order by asked.depth nulls last, u.created_at, u.user_id
limit 10`,
};

/** People with this address and a password: of the tenant asked for and its ancestors, nearest first; without one, of any tenant. */
export async function findPasswordHolders(
  query: Query,
  email: Email,
  asked: TenantSlug | null,
): Promise<readonly PasswordHolder[]> {
  return query.run<PasswordHolder>(HOLDERS, [email, asked]);
}

const TRY: Statement = {
  name: 'password_try',
  text: `
update passwords set failures = failures + 1, last_failure_at = now()
where tenant_id = $1 and user_id = $2 and failures = $3 and hash = $4 returning 1`,
};

/** Counts a try before its outcome is known, so that tries at once count too. False: another try was counted meanwhile. */
export async function countPasswordTry(
  tx: TenantTx,
  holder: Pick<PasswordHolder, 'userId' | 'failures' | 'hash'>,
): Promise<boolean> {
  const rows = await tx.run(TRY, [tx.tenantId, holder.userId, holder.failures, holder.hash]);
  return rows.length === 1;
}

const FORGIVE: Statement = {
  name: 'password_forgive',
  text: `
update passwords set failures = 0, last_failure_at = null, hash = coalesce($4, hash)
where tenant_id = $1 and user_id = $2 and hash = $3 returning 1`,
};

/**
 * After the right password: failures are forgotten, and the hash is renewed where its parameters are past. False: the password was
 * changed meanwhile, so it is no longer the right one.
 */
export async function forgivePasswordTries(
  tx: TenantTx,
  holder: Pick<PasswordHolder, 'userId' | 'hash'>,
  renewed: string | null,
): Promise<boolean> {
  const rows = await tx.run(FORGIVE, [tx.tenantId, holder.userId, holder.hash, renewed]);
  return rows.length === 1;
}
