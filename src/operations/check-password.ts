import type { Context } from '../context.ts';
import { bar } from '../core/access.ts';
import { denied, done } from '../core/change.ts';
import type { Person, TenantId, TenantSlug } from '../core/ids.ts';
import { nextPasswordTry } from '../core/password-throttle.ts';
import type { Email } from '../core/profile.ts';
import { apply } from '../store/apply.ts';
import { recordEvents } from '../store/audit-events.ts';
import {
  countPasswordTry,
  findPasswordHolders,
  forgivePasswordTries,
  type PasswordHolder,
} from '../store/passwords.ts';
import { readSubject } from '../store/subject.ts';
import { findTenant } from '../store/tenants.ts';
import { systemTenant } from './create-tenant.ts';

/** What compares a password with what is kept of it. `stored` null: nobody has it, and finding that out takes as long. */
export type PasswordCheck = (
  stored: string | null,
  password: string,
) => Promise<{ readonly matches: boolean; readonly renewed: string | null }>;

export type PasswordOutcome =
  /** `epoch`: the person's when this was proven. What ends their sessions afterwards ends this sign-in too. */
  | { readonly kind: 'signed_in'; readonly person: Person; readonly tenant: TenantSlug; readonly epoch: number }
  /** `wrong` also says: nobody has this address, or there were too many tries. The page does not tell which (T89). */
  | { readonly kind: 'refused'; readonly reason: 'wrong' }
  | { readonly kind: 'refused'; readonly reason: 'deactivated'; readonly person: Person; readonly tenant: TenantSlug };

/**
 * Signs a person in by address and password: of the tenant asked for or the nearest ancestor that knows them; without a tenant, of
 * the one that knew them first. Heard only where their tenant allows passwords, or from the first administrator.
 *
 * One comparison is made whatever holds, and each outcome writes one audit row, so unknown, throttled and wrong take alike. At most
 * 100 failures in a row (T100). Gives no role; a suspended person is "signed in" like anybody else and lands without access.
 */
export async function checkPassword(
  ctx: Context,
  attempt: { readonly tenant: TenantSlug | null; readonly email: Email; readonly password: string },
  check: PasswordCheck,
): Promise<PasswordOutcome> {
  const holders = await findPasswordHolders(ctx.global, attempt.email, attempt.tenant);
  const holder = holders.find((one) => one.passwordSignIn || one.bootstrapped) ?? null;
  const next = holder === null ? null : nextPasswordTry(holder.failures, holder.lastFailureAt);
  const heard = holder !== null && next !== null && next <= ctx.now();
  const [counted, { matches, renewed }] = await Promise.all([
    heard ? countPasswordTry(ctx.hot(holder.tenantId), holder) : false,
    check(heard ? holder.hash : null, attempt.password),
  ]);
  if (heard && counted && matches) return admit(ctx, holder, renewed);
  const reason = holder === null ? 'unknown_person' : heard && counted ? 'wrong_password' : 'throttled';
  const tenantId = holder?.tenantId ?? (await anyTenant(ctx, attempt.tenant));
  if (tenantId !== null) {
    const event = denied('sign_in.refused', 'user', holder?.userId ?? null, reason, { method: 'password' });
    await recordEvents(ctx, ctx.hot(tenantId), [event]);
  }
  return { kind: 'refused', reason: 'wrong' };
}

function admit(ctx: Context, holder: PasswordHolder, renewed: string | null): Promise<PasswordOutcome> {
  const { tenantId, userId, tenant } = holder;
  return ctx.transaction(tenantId, async (tx): Promise<PasswordOutcome> => {
    const read = await readSubject(tx, userId, null);
    const current = await forgivePasswordTries(tx, holder, renewed);
    if (read === undefined || !current) return { kind: 'refused', reason: 'wrong' };
    const barred = bar(read.homeFacts);
    if (barred !== null) {
      const event = denied('sign_in.barred', 'user', userId, barred, { method: 'password' });
      await apply(ctx, tx, { changes: [], events: [event] });
      return barred === 'deactivated'
        ? { kind: 'refused', reason: 'deactivated', person: read.person, tenant }
        : { kind: 'signed_in', person: read.person, tenant, epoch: read.homeEpoch };
    }
    await apply(ctx, tx, {
      changes: [{ kind: 'record_sign_in', userId, at: ctx.now() }],
      events: [done('sign_in.completed', 'user', userId, { method: 'password' })],
    });
    return { kind: 'signed_in', person: read.person, tenant, epoch: read.homeEpoch };
  });
}

/** Where a refusal of nobody in particular is written down. */
async function anyTenant(ctx: Context, asked: TenantSlug | null): Promise<TenantId | null> {
  const node = await findTenant(ctx.global, asked ?? systemTenant);
  return node?.tenantId ?? null;
}
