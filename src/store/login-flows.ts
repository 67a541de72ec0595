// Sign-ins on their way: the flow between our redirect and the provider's answer, and the handle between that answer and the
// browser's return. Both are found by a keyed hash, live by the database's clock, and are used once.

import type { Statement, TenantTx } from '../context.ts';
import type { ConnectionId, KeyHash } from '../core/ids.ts';

export type LoginFlow = {
  readonly connectionId: ConnectionId;
  readonly secretsSealed: Uint8Array;
};

const BEGIN: Statement = {
  name: 'login_flow_begin',
  text: `
insert into login_flows (tenant_id, flow_hash, connection_id, interaction_hash, secrets_sealed, expires_at)
values ($1, decode($2, 'hex'), $3, decode($4, 'hex'), $5, now() + make_interval(secs => $6))`,
};

export async function insertLoginFlow(
  tx: TenantTx,
  flow: LoginFlow & { readonly flowHash: KeyHash; readonly interactionHash: KeyHash; readonly lifetimeSeconds: number },
): Promise<void> {
  const { flowHash, connectionId, interactionHash, secretsSealed, lifetimeSeconds } = flow;
  await tx.run(BEGIN, [tx.tenantId, flowHash, connectionId, interactionHash, secretsSealed, lifetimeSeconds]);
}

const CONSUME: Statement = {
  name: 'login_flow_consume',
  text: `
update login_flows set consumed_at = now()
where tenant_id = $1 and flow_hash = decode($2, 'hex') and connection_id = $3 and consumed_at is null and expires_at > now()
returning connection_id as "connectionId", secrets_sealed as "secretsSealed"`,
};

/** Takes the flow, once over all servers. Undefined where it is unknown, another connection's, past its time or taken before. */
export async function consumeLoginFlow(
  tx: TenantTx,
  flowHash: KeyHash,
  connectionId: ConnectionId,
): Promise<LoginFlow | undefined> {
  const [row] = await tx.run<LoginFlow>(CONSUME, [tx.tenantId, flowHash, connectionId]);
  return row;
}

const KEEP: Statement = {
  name: 'sign_in_handle_keep',
  text: `
insert into sign_in_handles (tenant_id, handle_hash, interaction_hash, result, expires_at)
values ($1, decode($2, 'hex'), decode($3, 'hex'), $4, now() + make_interval(secs => $5))`,
};

export async function insertHandle(
  tx: TenantTx,
  kept: {
    readonly handleHash: KeyHash;
    readonly interactionHash: KeyHash;
    readonly result: object;
    readonly lifetimeSeconds: number;
  },
): Promise<void> {
  const { handleHash, interactionHash, result, lifetimeSeconds } = kept;
  await tx.run(KEEP, [tx.tenantId, handleHash, interactionHash, JSON.stringify(result), lifetimeSeconds]);
}

// A handle of another interaction does not exist: whoever planted it in this browser gains nothing (login CSRF).
const OPEN = `tenant_id = $1 and handle_hash = decode($2, 'hex') and interaction_hash = decode($3, 'hex')
  and consumed_at is null and expires_at > now()`;
const READ: Statement = { name: 'sign_in_handle_read', text: `select result from sign_in_handles where ${OPEN}` };
const USE: Statement = {
  name: 'sign_in_handle_use',
  // A refusal has no person, and so no epoch.
  text: `update sign_in_handles h set consumed_at = now() where ${OPEN} and (h.result ->> 'epoch')::bigint is not distinct from (
    select s.access_epoch from subjects s
    where s.tenant_id = (h.result -> 'person' ->> 'tenantId')::uuid and s.subject_id = (h.result -> 'person' ->> 'userId')::uuid)
  returning result`,
};

/** What lies under the handle for this interaction, left where it is. */
export async function readHandle<Result>(
  tx: TenantTx,
  handleHash: KeyHash,
  interactionHash: KeyHash,
): Promise<Result | undefined> {
  const [row] = await tx.run<{ result: Result }>(READ, [tx.tenantId, handleHash, interactionHash]);
  return row?.result;
}

/** Takes what lies under the handle, once over all servers. */
export async function consumeHandle<Result>(
  tx: TenantTx,
  handleHash: KeyHash,
  interactionHash: KeyHash,
): Promise<Result | undefined> {
  const [row] = await tx.run<{ result: Result }>(USE, [tx.tenantId, handleHash, interactionHash]);
  return row?.result;
}
