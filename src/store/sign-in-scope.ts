// Which tenants may know an address: read before anybody is known.

import type { Query, Statement } from '../context.ts';
import type { TenantSlug } from '../core/ids.ts';
import type { TenantInScope } from '../core/sign-in-ways.ts';

const SCOPE: Statement = {
  name: 'sign_in_scope',
  text: `
with asked as (
  select tenant_id from tenants where slug = $1 and active and ended_at is null
), scope as (
  select tenant_id, 0 as depth from asked
  union all
  select a.ancestor_id, a.depth from asked join tenant_ancestors a using (tenant_id)
  union all
  select distinct tenant_id, 0 from domain_owners where $1::text is null and domain = any ($2)
)
select t.slug, s.depth, coalesce((t.settings->>'passwordSignIn')::boolean, false) as "passwordSignIn",
  coalesce((
    select json_agg(json_build_object('key', c.key, 'displayName', c.display_name, 'ownsDomain',
      exists (select 1 from connection_domains d
              where d.tenant_id = c.tenant_id and d.connection_id = c.connection_id and d.domain = any ($2))) order by c.key)
    from connections c
    where c.tenant_id = t.tenant_id and c.enabled and c.ended_at is null and c.protocol in ('oidc', 'saml')), '[]'::json) as connections
from scope s join tenants t on t.tenant_id = s.tenant_id and t.active and t.ended_at is null`,
};

/** The tenant asked for and its ancestors; without one, the owner of the domain. `entries` are the names a domain is listed under. */
export async function readSignInScope(
  query: Query,
  asked: TenantSlug | null,
  entries: readonly string[],
): Promise<readonly TenantInScope[]> {
  return query.run<TenantInScope>(SCOPE, [asked, entries]);
}
