// The audit trail, as rows: written with what they tell of, in the same transaction or the same statement.

import type { Context, Statement, TenantTx } from '../context.ts';
import type { AuditEvent } from '../core/change.ts';

const EVENTS: Statement = {
  name: 'audit_record',
  text: `
insert into audit_events (tenant_id, event_id, kind, outcome, actor, object_kind, object_id, connection_id, reason, request_id, detail)
select coalesce(e.tenant_id, $1::uuid), e.event_id, e.kind, e.outcome, $2::jsonb, e.object_kind, e.object_id, $3::uuid, e.reason, $4, e.detail
from jsonb_to_recordset($5) as e (tenant_id uuid, event_id uuid, kind text, outcome text, object_kind text, object_id uuid, reason text, detail jsonb)`,
};

/** The events as one JSON value, for statements that record them beside their changes. */
export function eventRows(ctx: Context, events: readonly AuditEvent[]): string {
  return JSON.stringify(events.map((event) => eventRow(ctx, event)));
}

/** An event as one of the rows of {@link eventRows}. */
export function eventRow(ctx: Context, event: AuditEvent): object {
  return {
    tenant_id: event.inTenant ?? null,
    event_id: ctx.newId(),
    kind: event.kind,
    outcome: event.outcome,
    object_kind: event.objectKind,
    object_id: event.objectId,
    reason: event.reason,
    detail: event.detail,
  };
}

/** The connection whose directory is acting; null for everybody else. */
export function actorConnection(ctx: Context): string | null {
  return 'connectionId' in ctx.caller.actor ? ctx.caller.actor.connectionId : null;
}

/** Writes audit rows alone: for refusals, which change nothing else. */
export async function recordEvents(ctx: Context, tx: TenantTx, events: readonly AuditEvent[]): Promise<void> {
  if (events.length === 0) return;
  const { actor, requestId } = ctx.caller;
  await tx.run(EVENTS, [tx.tenantId, JSON.stringify(actor), actorConnection(ctx), requestId, eventRows(ctx, events)]);
}
