// Which tenant an authorization is for: asked for by the application, chosen by the person, or their home.

import { parseTenantSlug, type TenantSlug } from '../core/ids.ts';

const PREFIX = 'tenant:';

/** What `acr_values` says about the tenant. `malformed`: no Tenant ID could look like that, or several are named. */
export function tenantAsked(acrValues: unknown): TenantSlug | null | 'malformed' {
  if (typeof acrValues !== 'string') return null;
  const named = acrValues.split(' ').filter((value) => value.startsWith(PREFIX));
  const [only] = named;
  if (only === undefined) return null;
  return named.length > 1 ? 'malformed' : (parseTenantSlug(only.slice(PREFIX.length)) ?? 'malformed');
}

/** What the person chose on the tenant page, kept in the result of the interaction. */
export function tenantChosen(result: unknown): TenantSlug | null {
  if (typeof result !== 'object' || result === null || !('access' in result)) return null;
  const { access } = result;
  return typeof access === 'object' && access !== null && 'tenant' in access && typeof access.tenant === 'string'
    ? parseTenantSlug(access.tenant)
    : null;
}

// A grant is for one tenant for ever. Its id says which, because the id is what every code and token of it carries.

export function newGrantId(random: string, tenant: TenantSlug): string {
  return `${random}.${tenant}`;
}

export function tenantOfGrant(grantId: unknown): TenantSlug | null {
  return typeof grantId === 'string' ? parseTenantSlug(grantId.slice(grantId.indexOf('.') + 1)) : null;
}
