import type { Context, TenantTx } from '../context.ts';
import { type Bar, bars, type EffectiveAccess, effectiveAccess, guestAccess, guestBars } from '../core/access.ts';
import { allowedTenants, type TokenClaims, tokenClaims } from '../core/claims.ts';
import type { GuestId, Person, TenantId, TenantSlug } from '../core/ids.ts';
import type { Role } from '../core/tenant.ts';
import { configInForce } from '../store/config-in-force.ts';
import { readSubject, type SubjectProfile, type SubjectRead } from '../store/subject.ts';

/** What a person may do in the tenant they ask for, and which tenants they may ask for. */
export type AccessRead = {
  readonly person: Person;
  readonly home: TenantSlug;
  readonly selected: TenantSlug;
  readonly access: EffectiveAccess;
  /** All that keeps them out of it, at home or there; `access.state` is the first. */
  readonly bars: readonly Bar[];
  readonly allowed: readonly TenantSlug[];
  /** Null: nothing may be issued for the selected tenant. */
  readonly claims: TokenClaims | null;
  readonly roles: readonly Role[];
  readonly epochs: {
    readonly home: number;
    readonly target: { readonly tenantId: TenantId; readonly guestId: GuestId; readonly epoch: number } | null;
  };
  readonly profile: SubjectProfile;
};

/**
 * Derives a person's access for the selected tenant (null: their home) from what holds now. One statement while the tenant's
 * configuration stands.
 *
 * Null where the person does not exist. A tenant that does not exist, or that the person is not mapped into, is `no_access`, the
 * same as one without a role. Writes nothing and takes no lock: whoever issues something compares the epochs when it writes.
 */
export async function readAccess(ctx: Context, person: Person, tenant: TenantSlug | null): Promise<AccessRead | null> {
  const read = await readSubject(ctx.hot(person.tenantId), person.userId, tenant);
  return read === undefined ? null : derive((tenantId) => ctx.hot(tenantId), read, tenant);
}

/** The same inside a transaction, for acts that decide on it. */
export async function readAccessWithin(
  tx: TenantTx,
  person: Person,
  tenant: TenantSlug | null,
): Promise<AccessRead | null> {
  const read = await readSubject(tx, person.userId, tenant);
  return read === undefined ? null : derive((tenantId) => ({ ...tx, tenantId }), read, tenant);
}

async function derive(
  hold: (tenantId: TenantId) => TenantTx,
  read: SubjectRead,
  tenant: TenantSlug | null,
): Promise<AccessRead> {
  const { home, homeFacts, target, profile, person } = read;
  const homeBars = bars(homeFacts);
  const homeBar = homeBars[0] ?? null;
  const selected = tenant ?? home.slug;
  const allowed = allowedTenants({ slug: home.slug, tenantActive: home.active, barred: homeBar !== null }, read.mapped);
  const inForce = target?.kind === 'guest' ? target.tenant : home;
  const config = await configInForce(hold(inForce.tenantId), inForce.configVersion);
  const tenantFacts = { rules: config.rules, roles: config.roles, policy: config.settings };
  const access = ((): EffectiveAccess => {
    if (target === null) return { state: homeBar ?? 'no_access', roles: [] };
    if (target.kind === 'home') return effectiveAccess({ ...homeFacts, ...tenantFacts });
    const derived = guestAccess(homeFacts, { ...target.facts, ...tenantFacts });
    return target.mapped || derived.state !== 'active' ? derived : { state: 'no_access', roles: [] };
  })();
  return {
    person,
    home: home.slug,
    selected,
    access,
    bars: target?.kind === 'guest' ? guestBars(homeFacts, target.facts) : homeBars,
    allowed,
    claims: tokenClaims(selected, home.slug, access, allowed),
    roles: config.roles,
    epochs: {
      home: read.homeEpoch,
      target:
        target?.kind === 'guest'
          ? { tenantId: target.tenant.tenantId, guestId: target.guestId, epoch: target.epoch }
          : null,
    },
    profile,
  };
}
