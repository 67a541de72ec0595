// Which ways in there are for an address. The answer depends on its domain and on the tenant asked for, never on whether somebody
// has that address (T89, D7).

import type { TenantSlug } from './ids.ts';

export type ConnectionWay = {
  readonly tenant: TenantSlug;
  readonly connection: string;
  readonly displayName: string;
};

/** A tenant that may know the person: the one asked for, its ancestors, or the owner of the address's domain. */
export type TenantInScope = {
  readonly slug: TenantSlug;
  /** Steps above the tenant asked for; 0 is that tenant itself, or the domain's owner. */
  readonly depth: number;
  readonly passwordSignIn: boolean;
  readonly connections: readonly { readonly key: string; readonly displayName: string; readonly ownsDomain: boolean }[];
};

export type SignInWays = { readonly connections: readonly ConnectionWay[]; readonly password: boolean };

/**
 * Connections that own the address's domain; where none does, those of the nearest tenant in scope that has any, if a tenant was
 * asked for. A password is offered where a tenant that answers for the address allows one, and wherever nobody owns the domain, so
 * that administrators without an identity provider get in and strangers see the same page.
 */
export function signInWays(scope: readonly TenantInScope[]): SignInWays {
  const near = [...scope].sort((a, b) => a.depth - b.depth);
  const owned = near.flatMap((tenant) => ways(tenant, true));
  if (owned.length > 0) {
    const answering = near.filter((tenant) => tenant.depth === 0 || tenant.connections.some((one) => one.ownsDomain));
    return { connections: owned, password: answering.some((tenant) => tenant.passwordSignIn) };
  }
  const nearest = near.find((tenant) => tenant.connections.length > 0);
  return { connections: nearest === undefined ? [] : ways(nearest, false), password: true };
}

function ways(tenant: TenantInScope, owningOnly: boolean): readonly ConnectionWay[] {
  return tenant.connections
    .filter((one) => one.ownsDomain || !owningOnly)
    .map((one) => ({ tenant: tenant.slug, connection: one.key, displayName: one.displayName }));
}

/** Entries under which a domain may be listed: itself, and `*.` each of its parents. */
export function domainEntries(domain: string): readonly string[] {
  const labels = domain.split('.');
  return [domain, ...labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`)];
}
