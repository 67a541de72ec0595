// Users in a bulk: those who follow each other are created together, and changed and removed together.

import type { PushedUser } from '../core/change.ts';
import { type ActOutcome, changeDirectoryUsers, type UserAct } from '../operations/change-users.ts';
import type { BatchOutcome } from '../operations/provision-batch.ts';
import type { BulkOperation } from './bulk-message.ts';
import { type BulkNode, end, endCut, nextOf, putBack, resolved, take, targetOf } from './bulk-order.ts';
import type { CutUser } from './bulk-references.ts';
import { addressOf, fail, isOver, type Run, record, sent } from './bulk-work.ts';
import { scimRefusal } from './errors.ts';
import { CredentialEnded, dataOf, ifMatch } from './exchange.ts';
import { userLimits } from './json.ts';
import { etag } from './meta.ts';
import { atOnce } from './pace.ts';
import { readPatch } from './patch-message.ts';
import { newUser, patching, replacing } from './users.ts';

/** Users who are looked at and written together: more would keep others waiting for their rows, fewer cost round trips. */
const TOGETHER = 200;
const BYTES_TOGETHER = 512 * 1024;

type Taken<T> = { readonly nodes: readonly BulkNode[]; readonly items: readonly T[] };

/** Takes operations of a kind from the front of the line, as many as may be tried together; those that cannot be read fail. */
function takeTogether<T>(
  run: Run,
  isAlike: (node: BulkNode) => boolean,
  read: (operation: BulkOperation) => T,
): Taken<T> {
  const { order } = run;
  const nodes: BulkNode[] = [];
  const items: T[] = [];
  let bytes = 0;
  while (items.length < TOGETHER && bytes < BYTES_TOGETHER && !isOver(run)) {
    const node = nextOf(order);
    if (node === null || node.read.kind !== 'read' || !isAlike(node)) break;
    try {
      items.push(read(node.read.operation));
      nodes.push(node);
      bytes += node.read.operation.bytes;
      take(order, node);
    } catch (error) {
      // Its turn comes when it is known how those before it ended.
      if (run.failOnErrors !== null && nodes.length > 0) break;
      take(order, node);
      fail(run, node, error);
    }
  }
  return { nodes, items };
}

function land<T>(
  run: Run,
  nodes: readonly BulkNode[],
  outcomes: readonly (T | undefined)[],
  one: (node: BulkNode, outcome: T, index: number) => void,
): void {
  for (const [index, node] of nodes.entries()) {
    const outcome = outcomes[index];
    if (outcome === undefined) putBack(run.order, node);
    else one(node, outcome, index);
  }
}

/** Tries new users. */
export async function tryNewUsers(run: Run, isAlike: (node: BulkNode) => boolean): Promise<void> {
  const { nodes, items } = takeTogether(
    run,
    isAlike,
    (operation): PushedUser => newUser(run.exchange, dataOf(atOnce(sent(run, operation)), userLimits)),
  );
  if (items.length === 0) return;
  const outcomes = await run.batch.add(items, run.failOnErrors !== null);
  land(run, nodes, outcomes, (node, outcome) => landUser(run, node, outcome));
}

function landUser(run: Run, node: BulkNode, outcome: BatchOutcome): void {
  if (outcome.kind !== 'done') {
    fail(run, node, errorOf(outcome));
    return;
  }
  const { id, version } = outcome;
  record(run, node, { location: addressOf(run, 'Users', id), version: etag(version), status: 201, response: null });
  end(run.order, node, id);
}

function errorOf(outcome: Exclude<BatchOutcome, { kind: 'done' }>): unknown {
  if (outcome.kind === 'refused') return scimRefusal(outcome);
  return outcome.kind === 'failed' ? outcome.error : new CredentialEnded();
}

/** Tries replacements, changes and removals of users, each of another one. */
export async function tryChangedUsers(run: Run, isAlike: (node: BulkNode) => boolean): Promise<void> {
  const { ctx, directory } = run.exchange;
  const { nodes, items } = takeTogether(run, isAlike, (operation) => actOf(run, operation));
  if (items.length === 0) return;
  const outcomes = await changeDirectoryUsers(ctx, directory, items, {
    goesOn: () => !isOver(run),
    stopAtRefusal: run.failOnErrors !== null,
    pace: run.pace,
  });
  land(run, nodes, outcomes, (node, outcome, index) => landChange(run, node, outcome, items[index]?.id ?? ''));
}

/** What a single request would have read of it. */
function actOf(run: Run, operation: BulkOperation): UserAct {
  const id = targetOf(run.order, operation) ?? '';
  const exchange = { ...run.exchange, operation: atOnce(sent(run, operation)) };
  if (operation.method === 'DELETE') return { kind: 'remove', id, ifMatch: ifMatch(exchange) };
  const data = dataOf(exchange.operation, userLimits);
  const edit =
    operation.method === 'PUT' ? replacing(exchange, data) : patching(exchange, readPatch(data, exchange.notes));
  return { kind: 'update', id, edit, ifMatch: ifMatch(exchange) };
}

function landChange(run: Run, node: BulkNode, outcome: ActOutcome, id: string): void {
  if (outcome.kind !== 'done') {
    fail(run, node, errorOf(outcome));
    return;
  }
  const { version } = outcome;
  const location = addressOf(run, 'Users', id);
  const written = version === null ? { version, status: 204 } : { version: etag(version), status: 200 };
  record(run, node, { location, ...written, response: null });
  end(run.order, node, null);
}

/** Creates a user without the manager who waits for them. */
export async function tryCut(run: Run, node: BulkNode, { without, manager }: CutUser): Promise<void> {
  const { order, batch, exchange } = run;
  try {
    const operation = (node.read as Extract<BulkNode['read'], { kind: 'read' }>).operation;
    const data = dataOf({ ...operation, data: atOnce(resolved(order, without)) }, userLimits);
    const [outcome] = await batch.add([newUser(exchange, data)], true);
    if (outcome === undefined) return putBack(order, node);
    if (outcome.kind === 'done') endCut(order, node, outcome.id, manager);
    else landUser(run, node, outcome);
  } catch (error) {
    fail(run, node, error);
  }
}
