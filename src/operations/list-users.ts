import type { Context } from '../context.ts';
import { type Bar, type EffectiveAccess, guestAccess, guestBars } from '../core/access.ts';
import { readConfigInForce } from '../store/config-in-force.ts';
import { type ListedUser, listSubjects } from '../store/user-list.ts';
import type { TenantRef } from './standing.ts';

export type UserRow = Omit<ListedUser, 'facts' | 'home'> & {
  readonly access: EffectiveAccess;
  /** All that keeps them out, at home or here; `access.state` is the first. */
  readonly bars: readonly Bar[];
};

const PAGE = 500;

/** Users and guests of a tenant with their access, a page at a time, by id. Access is derived for each row, as a token's is. */
export async function* listUsers(ctx: Context, tenant: TenantRef): AsyncGenerator<UserRow> {
  const tx = ctx.hot(tenant.tenantId);
  // Of a tenant that is closed, too.
  const config = await readConfigInForce(tx);
  if (config === undefined) throw new Error('a tenant that was just named is gone');
  const tenantFacts = { rules: config.rules, roles: config.roles, policy: config.settings };
  for (let after: string | null = null; ; ) {
    const page: readonly ListedUser[] = await listSubjects(tx, after, PAGE);
    for (const { facts, home, ...row } of page)
      yield { ...row, access: guestAccess(home, { ...facts, ...tenantFacts }), bars: guestBars(home, facts) };
    const last = page.at(-1);
    if (page.length < PAGE || last === undefined) return;
    after = last.subjectId;
  }
}
