// Why the files cannot come into force beside what is there.

import type { ConfigFault, TenantConfig } from './config.ts';
import type { Managed, TenantInForce } from './config-change.ts';
import type { TenantSlug } from './ids.ts';
import { sameRole } from './tenant.ts';

/**
 * A row that the console or the API made under a name that a file wants, a domain of a tenant that keeps it, another parent than
 * the tenant was made with, a Tenant ID that was closed for good; and an open tenant whose file is gone, since a lost file must
 * close nothing. Empty if the files can be planned.
 */
export function planFaults(wanted: readonly TenantConfig[], inForce: readonly TenantInForce[]): readonly ConfigFault[] {
  const existing = new Map(inForce.map((tenant) => [tenant.slug, tenant]));
  return [
    ...wanted.flatMap((tenant) => tenantFaults(tenant, existing.get(tenant.slug), existing, wanted)),
    ...domainFaults(wanted, inForce),
    ...lostFiles(wanted, inForce),
  ];
}

type Fault = Omit<ConfigFault, 'tenant'>;

function tenantFaults(
  wanted: TenantConfig,
  current: TenantInForce | undefined,
  existing: ReadonlyMap<TenantSlug, TenantInForce>,
  all: readonly TenantConfig[],
): readonly ConfigFault[] {
  const faults: Fault[] = [];
  const parent = existing.get(wanted.parent);
  if (!all.some((tenant) => tenant.slug === wanted.parent) && (parent === undefined || parent.ended)) {
    faults.push({
      path: ['parent'],
      found: `"${wanted.parent}", which is no tenant`,
      expected: 'a tenant that exists or has a file',
    });
  }
  if (current?.ended === true) {
    faults.push({
      path: ['tenant'],
      found: `"${wanted.slug}", which was closed for good`,
      expected: 'a Tenant ID that was never used',
    });
  }
  if (current !== undefined && current.parent !== wanted.parent) {
    faults.push({
      path: ['parent'],
      found: `"${wanted.parent}", and the tenant is there below "${current.parent}"`,
      expected: 'the parent it was made with',
    });
  }
  const held = (name: string) => ({
    found: `${name}, which the console or the API made already`,
    expected: 'another name, or that one removed there',
  });
  const api = <T>(rows: readonly Managed<T>[] | undefined) => (rows ?? []).filter((row) => row.managedBy === 'api');
  for (const role of wanted.roles) {
    if (!api(current?.roles).some((row) => sameRole(row, role))) continue;
    faults.push({ path: ['workspaces', role.workspace, 'roles', role.name], ...held('a role') });
  }
  for (const connection of wanted.connections) {
    if (!api(current?.connections).some((row) => row.key === connection.key)) continue;
    faults.push({ path: ['connections', connection.key], ...held('a connection') });
  }
  for (const [index, rule] of wanted.rules.entries()) {
    if (!api(current?.rules).some((row) => row.key === rule.key)) continue;
    faults.push({ path: ['rules', index], ...held('a rule') });
  }
  return faults.map((fault) => ({ tenant: wanted.slug, ...fault }));
}

/** Domains that somebody outside the files, or a connection that the API manages, keeps. */
function domainFaults(wanted: readonly TenantConfig[], inForce: readonly TenantInForce[]): readonly ConfigFault[] {
  const kept = new Map<string, TenantSlug>();
  for (const tenant of inForce) {
    const described = wanted.some((one) => one.slug === tenant.slug);
    for (const connection of tenant.connections) {
      if (described && connection.managedBy === 'config') continue;
      for (const domain of connection.domains) kept.set(domain, tenant.slug);
    }
  }
  return wanted.flatMap((tenant) =>
    tenant.connections.flatMap((connection) =>
      connection.domains.flatMap((domain, index): ConfigFault[] => {
        const owner = kept.get(domain);
        if (owner === undefined || owner === tenant.slug) return [];
        const path = ['connections', connection.key, 'domains', index];
        return [
          {
            tenant: tenant.slug,
            path,
            found: `"${domain}", which ${owner} owns`,
            expected: 'a domain of this tenant alone',
          },
        ];
      }),
    ),
  );
}

function lostFiles(wanted: readonly TenantConfig[], inForce: readonly TenantInForce[]): readonly ConfigFault[] {
  return inForce
    .filter((tenant) => tenant.managedBy === 'config' && tenant.active && !tenant.ended)
    .filter((tenant) => !wanted.some((one) => one.slug === tenant.slug))
    .map((tenant) => ({
      tenant: tenant.slug,
      path: [],
      found: 'no file, and the tenant is open',
      expected: 'its file, with active: false to close the tenant',
    }));
}
