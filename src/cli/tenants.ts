import { createTenant, systemTenant } from '../operations/create-tenant.ts';
import { listTenants } from '../operations/name-tenant.ts';
import { accepted, type Command, optional, required, slugOf } from './command.ts';
import { table } from './table.ts';

export const tenantList: Command = {
  usage: 'tenant list [--all]',
  summary: 'every tenant, with its parent; what replays made and closed with --all alone',
  options: { all: { type: 'boolean' } },
  async run({ context }, values) {
    const every = await listTenants(context);
    const tenants = values.all === true ? every : every.filter((one) => !one.spentScratch);
    const leftOut = every.length - tenants.length;
    const rows = tenants.map((one) => [
      one.slug,
      one.parent ?? '-',
      one.displayName,
      one.active ? 'active' : 'closed',
      one.managedBy,
    ]);
    const json = tenants.map(({ tenantId, slug, parent, displayName, active, managedBy }) => ({
      id: slug,
      uuid: tenantId,
      parent,
      name: displayName,
      active,
      managedBy,
    }));
    const listed = table(['TENANT', 'PARENT', 'NAME', 'STATE', 'MANAGED BY'], rows);
    const more = `Closed tenants of replays that are left out: ${leftOut}; --all shows them.`;
    return { text: leftOut === 0 ? listed : `${listed}\n\n${more}`, json };
  },
};

export const tenantCreate: Command = {
  usage: 'tenant create --tenant T [--name NAME] [--parent P]',
  summary: 'make a tenant below its parent (default: system)',
  options: { tenant: { type: 'string' }, name: { type: 'string' }, parent: { type: 'string' } },
  async run({ context }, values) {
    const slug = required(values, 'tenant');
    const parent = slugOf(optional(values, 'parent') ?? systemTenant);
    const displayName = optional(values, 'name') ?? slug;
    const created = accepted(
      await createTenant(context, { slug, displayName, parent, settings: {}, managedBy: 'api' }),
    );
    return {
      text: `Tenant ${created.slug} created below ${parent}.`,
      json: { id: created.slug, uuid: created.tenantId, parent },
    };
  },
};
