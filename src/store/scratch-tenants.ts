// Tenants that were made for playing a directory's requests again: how they are known, and how they are emptied.

import type { TenantTx } from '../context.ts';
import type { ScratchFacts } from '../core/scratch-tenant.ts';
import type { TenantSettings } from '../core/tenant.ts';

/** What nobody but people with intentions makes; ended rows count, since somebody was at work. */
const MADE_BY_OTHERS = [
  'domain_owners',
  'allowed_domains',
  'identities',
  'passwords',
  'sign_in_days',
  'role_grants',
  'suspensions',
  'access_requests',
  'invitations',
  'local_group_members',
  'guests',
  'mapping_pointers',
  'clients',
];

const TOUCHED = [
  ...MADE_BY_OTHERS.map((table) => `select 1 from ${table} where tenant_id = $1`),
  'select 1 from tenants where parent_id = $1',
  `select 1 from users where tenant_id = $1 and origin <> 'scim'`,
  `select 1 from connections where tenant_id = $1 and (protocol is not null or issuer is not null or managed_by <> 'config')`,
  `select 1 from roles where tenant_id = $1 and managed_by = 'api'`,
  `select 1 from mapping_rules where tenant_id = $1 and managed_by = 'api'`,
]
  .map((text) => `exists (${text})`)
  .join(' or ');

/** A condition: the audit trail says so, which nobody can write afterwards. `tenant`: an expression of its id. */
export function madeByReplay(tenant: string): string {
  return `exists (select 1 from audit_events a where a.tenant_id = ${tenant} and a.object_id = ${tenant} and a.kind = 'tenant.created'
    and a.outcome = 'done' and a.detail ? 'scratchOf')`;
}

/** What is known of the tenant that `tx` holds, its row locked until the transaction ends. */
export async function lockScratchFacts(tx: TenantTx): Promise<ScratchFacts> {
  await tx.run({ name: null, text: 'select 1 from tenants where tenant_id = $1 for no key update' }, [tx.tenantId]);
  const [row] = await tx.run<ScratchFacts>(
    {
      name: null,
      text: `
select t.managed_by = 'api' and t.ended_at is null as own, ${TOUCHED} as touched,
  ${madeByReplay('$1')} as "madeByReplay"
from tenants t where t.tenant_id = $1`,
    },
    [tx.tenantId],
  );
  return row ?? { own: false, touched: true, madeByReplay: false };
}

/** Opens the scratch tenant under its new settings, or closes it. */
export async function setScratch(
  tx: TenantTx,
  scratch: { readonly active: boolean; readonly displayName: string | null; readonly settings: TenantSettings | null },
): Promise<void> {
  const settings = scratch.settings === null ? null : JSON.stringify(scratch.settings);
  await tx.run(
    {
      name: null,
      text: `
update tenants set active = $2, display_name = coalesce($3, display_name), settings = coalesce($4::jsonb, settings),
  config_version = nextval('config_versions')
where tenant_id = $1`,
    },
    [tx.tenantId, scratch.active, scratch.displayName, settings],
  );
  await tx.run({ name: null, text: `select pg_notify('drawbridge_config', $1)` }, [tx.tenantId]);
}

/** Ends everybody in the tenant, so that their addresses are free and no sign-in finds them. How many. */
export async function endEverybody(tx: TenantTx): Promise<number> {
  const ended = await tx.run(
    {
      name: null,
      text: `update users set ended_at = now(), email = null, email_verified_at = null, version = version + 1
where tenant_id = $1 and ended_at is null returning 1`,
    },
    [tx.tenantId],
  );
  await tx.run({ name: null, text: 'delete from email_directory where tenant_id = $1' }, [tx.tenantId]);
  return ended.length;
}
