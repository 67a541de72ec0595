// A bulk at work: how far it is, and what became of its operations.

import type { UserBatch } from '../operations/provision-batch.ts';
import type { BulkOperation, BulkResult } from './bulk-message.ts';
import { type BulkNode, type BulkOrder, end, resolved } from './bulk-order.ts';
import { refersTo } from './bulk-references.ts';
import { ScimError } from './errors.ts';
import { CredentialEnded, type Exchange } from './exchange.ts';
import type { GroupPlan } from './group-patch.ts';
import type { Pace, Steps } from './pace.ts';
import { errorReply, failureReply, type Reply } from './respond.ts';

/**
 * What may be done together with others of its kind, or beside them: users are created in sets, and changed and removed in sets; members
 * are added to different groups at once.
 */
export type Kind = 'new_user' | 'user_changed' | 'members_added' | 'alone';

export type Run = {
  readonly exchange: Exchange;
  readonly order: BulkOrder;
  readonly results: (BulkResult | null)[];
  readonly batch: UserBatch;
  readonly failOnErrors: number | null;
  readonly pace: Pace;
  readonly until: number;
  readonly flights: Set<Promise<void>>;
  /** Of PATCHes of groups that were read already; null: refused. */
  readonly plans: Map<BulkNode, GroupPlan | null>;
  flying: Kind;
  errors: number;
  credentialEnded: boolean;
};

export function hasFailed({ failOnErrors, errors }: Run): boolean {
  return failOnErrors !== null && errors >= failOnErrors;
}

export function isOver(run: Run): boolean {
  return run.credentialEnded || hasFailed(run) || performance.now() > run.until;
}

export type Sent = NonNullable<Exchange['operation']>;

/** The operation as a request of its own, in steps. Refuses references to what was not created. */
export function* sent({ order }: Run, operation: BulkOperation): Steps<Sent> {
  const { data, bytes, version, mayRefer } = operation;
  return { data: mayRefer ? yield* resolved(order, data) : data, bytes, version };
}

export const addressOf = ({ exchange }: Run, resource: string, id: string): string =>
  `${exchange.baseUrl}/${resource}/${encodeURIComponent(id)}`;

export function record(run: Run, { index, read }: BulkNode, result: Omit<BulkResult, 'method' | 'bulkId'>): void {
  const { method, bulkId } = read.kind === 'read' ? read.operation : read;
  run.results[index] = { method, bulkId, ...result };
}

/** The operation failed: its answer is the one that a single request would have had. */
export function fail(run: Run, node: BulkNode, error: unknown): void {
  end(run.order, node, null);
  if (error instanceof CredentialEnded) {
    run.credentialEnded = true;
    return;
  }
  run.errors += 1;
  const { requestId } = run.exchange.ctx.caller;
  recordError(run, node, failureReply(error, requestId, run.exchange.ctx.log) ?? errorReply(tooLate()));
}

export function recordError(run: Run, node: BulkNode, { status, body }: Reply): void {
  record(run, node, { location: placeOf(run, node), version: null, status, response: String(body) });
}

/** The address that an operation was about, where there is one: RFC 7644 §3.7.3 asks for it in every answer but a failed POST's. */
function placeOf(run: Run, { read, id }: BulkNode): string | null {
  if (id !== null) return addressOf(run, 'Users', id);
  if (read.kind === 'refused') return read.path === null ? null : run.exchange.baseUrl + read.path;
  const { resource, target } = read.operation;
  const bulkId = target === null ? null : refersTo(target);
  const known = bulkId === null ? target : run.order.creators.get(bulkId)?.id;
  return known ? addressOf(run, resource, known) : null;
}

export const tooLate = (): ScimError =>
  new ScimError(503, null, 'The bulk took too long, and this operation was not begun. Send it again.');
/** Of the two halves of a creation only one was done; RFC 7644 has no status for that. */
export const withoutManager = (): ScimError =>
  new ScimError(
    503,
    null,
    'The user was created, but the bulk ended before their manager was given. Send a PATCH with the manager.',
  );
