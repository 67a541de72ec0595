import type { TenantTx } from '../context.ts';
import type { TenantId } from '../core/ids.ts';

/** Takes the lock under which configuration is written: one application at a time, of all servers. Held until the transaction ends. */
export async function lockApplication(tx: TenantTx): Promise<void> {
  await tx.run({ name: null, text: `select pg_advisory_xact_lock(hashtextextended('drawbridge config', 0))` }, []);
}

/** For the rest of the transaction: the plan of a big tenant takes longer than a request may. */
export async function allowLongStatements(tx: TenantTx): Promise<void> {
  const text = `select set_config('statement_timeout', '15min', true), set_config('idle_in_transaction_session_timeout', '15min', true)`;
  await tx.run({ name: null, text }, []);
}

/** Makes a transaction that has done nothing yet see one state of the database throughout, and write nothing. */
export async function readSnapshot(tx: TenantTx): Promise<void> {
  await tx.run({ name: null, text: 'set transaction isolation level repeatable read, read only' }, []);
}

/** Takes the tenants' configuration for the rest of the transaction: whoever binds a group or changes a setting waits. */
export async function lockTenants(tx: TenantTx, tenantIds: readonly TenantId[]): Promise<void> {
  const text = 'select 1 from tenants where tenant_id = any ($1::uuid[]) order by tenant_id for no key update';
  await tx.run({ name: null, text }, [tenantIds]);
}
