// The tree of tenants: the one thing that belongs to no tenant.

import type { Query, TenantTx } from '../context.ts';
import type { TenantId, TenantSlug } from '../core/ids.ts';
import { madeByReplay } from './scratch-tenants.ts';

export type TenantNode = {
  readonly tenantId: TenantId;
  readonly slug: TenantSlug;
  readonly parent: TenantSlug | null;
  readonly displayName: string;
  readonly active: boolean;
  readonly managedBy: 'config' | 'api';
};

export type ListedTenant = TenantNode & {
  /** Closed, and made for playing requests again. */
  readonly spentScratch: boolean;
};

const FIELDS = `t.tenant_id as "tenantId", t.slug, p.slug as parent, t.display_name as "displayName",
  t.active and t.ended_at is null as active, t.managed_by as "managedBy"`;
const FROM = `from tenants t left join tenants p on p.tenant_id = t.parent_id`;

/** The tenant of a Tenant ID, ended ones included (their ids are never reused). */
export async function findTenant(query: Query, slug: TenantSlug): Promise<TenantNode | undefined> {
  const [row] = await query.run<TenantNode>(
    { name: 'tenant_by_slug', text: `select ${FIELDS} ${FROM} where t.slug = $1` },
    [slug],
  );
  return row;
}

export async function listTenants(query: Query): Promise<readonly ListedTenant[]> {
  const spent = `t.managed_by = 'api' and not t.active and ${madeByReplay('t.tenant_id')} as "spentScratch"`;
  return query.run<ListedTenant>(
    { name: null, text: `select ${FIELDS}, ${spent} ${FROM} order by t.slug limit 10000` },
    [],
  );
}

/** Whether `ancestor` lies strictly above the tenant that `tx` holds. */
export async function isStrictAncestor(tx: TenantTx, ancestor: TenantId): Promise<boolean> {
  const rows = await tx.run(
    { name: null, text: `select 1 from tenant_ancestors where tenant_id = $1 and ancestor_id = $2` },
    [tx.tenantId, ancestor],
  );
  return rows.length === 1;
}

/** What the tenant that `tx` holds, and those above it, name as contact of their administrators: the nearest first. */
export async function readContacts(tx: TenantTx): Promise<readonly string[]> {
  const rows = await tx.run<{ contact: string }>(
    {
      name: null,
      text: `
with up as (select $1::uuid as tenant_id, 0 as depth union all select ancestor_id, depth from tenant_ancestors where tenant_id = $1)
select t.settings ->> 'adminContact' as contact from up join tenants t using (tenant_id)
where t.settings ->> 'adminContact' is not null and t.ended_at is null order by up.depth`,
    },
    [tx.tenantId],
  );
  return rows.map((row) => row.contact);
}
