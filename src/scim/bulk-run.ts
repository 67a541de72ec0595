// A bulk at work: what can be done together is, everything else one after the other, each by the handler of the single request.

import type { PushedUser } from '../core/change.ts';
import { type BatchOutcome, type UserBatch, userBatch } from '../operations/provision-batch.ts';
import type { BulkOperation, BulkRequest, BulkResult } from './bulk-message.ts';
import {
  type BulkNode,
  type BulkOrder,
  circularReference,
  end,
  endCut,
  nextOf,
  orderBulk,
  putBack,
  resolved,
  take,
  targetOf,
  wayOut,
} from './bulk-order.ts';
import { type CutUser, refersTo } from './bulk-references.ts';
import { ScimError, scimRefusal } from './errors.ts';
import { CredentialEnded, dataOf, type Exchange, type Handler } from './exchange.ts';
import { decodeGroupPatch } from './group-patch.ts';
import { deleteGroup, patchGroup, postGroup, putGroup } from './groups.ts';
import { type JsonObject, type JsonValue, userLimits } from './json.ts';
import { etag } from './meta.ts';
import { atOnce, type Pace } from './pace.ts';
import { readPatch } from './patch-message.ts';
import { errorReply, failureReply, type Reply } from './respond.ts';
import { deleteUser, newUser, patchUser, postUser, putUser } from './users.ts';

/** What is not begun by then is not begun at all (T48). */
const DEADLINE_MS = 30_000;
/** Users who are looked at and written together: more would keep others waiting for their rows, fewer cost round trips. */
const TOGETHER = 200;
const BYTES_TOGETHER = 512 * 1024;
/** What a bulk has on its way at once: the other connections are for the tenant's other requests. */
const LANES = 3;

const handlers: Readonly<Record<BulkOperation['resource'], Readonly<Record<BulkOperation['method'], Handler>>>> = {
  Users: { POST: postUser, PUT: putUser, PATCH: patchUser, DELETE: deleteUser },
  Groups: { POST: postGroup, PUT: putGroup, PATCH: patchGroup, DELETE: deleteGroup },
};

/** What may be on its way beside others of its kind. Users are created in sets; members are added to different groups. */
type Kind = 'new_user' | 'members_added' | 'alone';

type Run = {
  readonly exchange: Exchange;
  readonly order: BulkOrder;
  readonly results: (BulkResult | null)[];
  readonly batch: UserBatch;
  readonly failOnErrors: number | null;
  readonly pace: Pace;
  readonly until: number;
  readonly flights: Set<Promise<void>>;
  flying: Kind;
  errors: number;
  credentialEnded: boolean;
};

/**
 * Tries the operations of a bulk and says what became of each: in the order in which they were sent, as far as references allow. Those
 * that are not tried because of `failOnErrors` have no result; those that come too late have 503, and once the credential has ended,
 * 401. Throws {@link CredentialEnded} where that was so from the start, or what no request is to meet.
 */
export async function runBulk(exchange: Exchange, request: BulkRequest, pace: Pace): Promise<readonly BulkResult[]> {
  const order = orderBulk(request.operations);
  const run: Run = {
    exchange,
    order,
    results: order.nodes.map(() => null),
    batch: userBatch(exchange.ctx, exchange.directory, () => !isOver(run)),
    failOnErrors: request.failOnErrors,
    pace,
    until: performance.now() + DEADLINE_MS,
    flights: new Set(),
    flying: 'alone',
    errors: 0,
    credentialEnded: false,
  };
  for (;;) {
    const node = isOver(run) ? null : nextOf(order);
    if (node === null) {
      if (run.flights.size > 0) await Promise.race(run.flights);
      else if (isOver(run) || !leaveCircle(run)) break;
      continue;
    }
    const kind = kindOf(run, node);
    const busy = run.flights.size > 0 && (kind === 'alone' || kind !== run.flying);
    if (busy || run.flights.size >= (run.failOnErrors === null ? LANES : 1)) {
      await Promise.race(run.flights);
      continue;
    }
    run.flying = kind;
    launch(run, node, kind);
    await pace();
  }
  return conclude(run);
}

function hasFailed({ failOnErrors, errors }: Run): boolean {
  return failOnErrors !== null && errors >= failOnErrors;
}

function isOver(run: Run): boolean {
  return run.credentialEnded || hasFailed(run) || performance.now() > run.until;
}

/** With `failOnErrors` an operation is only begun when it is known how those before it ended. */
function kindOf({ failOnErrors, order }: Run, { read, cut }: BulkNode): Kind {
  if (read.kind === 'refused' || cut !== null) return 'alone';
  const { method, resource, data } = read.operation;
  if (method === 'POST' && resource === 'Users') return 'new_user';
  const adds = method === 'PATCH' && resource === 'Groups' && failOnErrors === null && onlyAddsMembers(order, data);
  return adds ? 'members_added' : 'alone';
}

function onlyAddsMembers(order: BulkOrder, data: JsonValue): boolean {
  try {
    const { names, members } = atOnce(decodeGroupPatch(readPatch(resolved(order, data), []), { notes: [] }));
    return members.kind === 'change' && members.remove.length === 0 && Object.keys(names).length === 0;
  } catch {
    // Whoever tries it says why it cannot be.
    return false;
  }
}

function launch(run: Run, node: BulkNode, kind: Kind): void {
  const flight = (kind === 'new_user' ? tryNewUsers(run) : tryOne(run, node)).finally(() => run.flights.delete(flight));
  run.flights.add(flight);
}

/** Takes new users from the front of the line, as many as may be tried together, and tries them. */
async function tryNewUsers(run: Run): Promise<void> {
  const { order, exchange } = run;
  const strict = run.failOnErrors !== null;
  const nodes: BulkNode[] = [];
  const users: PushedUser[] = [];
  let bytes = 0;
  while (users.length < TOGETHER && bytes < BYTES_TOGETHER && !isOver(run)) {
    const node = nextOf(order);
    if (node === null || node.read.kind !== 'read' || kindOf(run, node) !== 'new_user') break;
    try {
      users.push(newUser(exchange, dataOf(sent(run, node.read.operation), userLimits)));
      nodes.push(node);
      bytes += node.read.operation.bytes;
      take(order, node);
    } catch (error) {
      // Its turn comes when it is known how those before it ended.
      if (strict && nodes.length > 0) break;
      take(order, node);
      fail(run, node, error);
    }
  }
  if (users.length === 0) return;
  const outcomes = await run.batch.add(users, strict);
  for (const [index, node] of nodes.entries()) {
    const outcome = outcomes[index];
    if (outcome === undefined) putBack(order, node);
    else landUser(run, node, outcome);
  }
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

async function tryOne(run: Run, node: BulkNode): Promise<void> {
  const { order, exchange } = run;
  const { read, cut } = node;
  take(order, node);
  if (read.kind === 'refused') return fail(run, node, read.error);
  const { method, resource } = read.operation;
  try {
    const operation = cut === null ? sent(run, read.operation) : managerOf(run, read.operation, cut);
    const handler = cut === null ? handlers[resource][method] : patchUser;
    const id = node.id ?? targetOf(order, read.operation) ?? '';
    const { status, headers = {} } = await handler({ ...exchange, query: new URLSearchParams(), operation }, id);
    record(run, node, {
      location: headers.Location ?? addressOf(run, resource, id),
      version: headers.ETag ?? null,
      status: cut === null ? status : 201,
      response: null,
    });
    end(order, node, headers.Location?.split('/').at(-1) ?? null);
  } catch (error) {
    fail(run, node, error);
  }
}

/** The PATCH that gives a user the manager without whom they were created. */
function managerOf(run: Run, operation: BulkOperation, manager: JsonObject): Sent {
  const value = resolved(run.order, manager);
  return { ...operation, version: null, data: { Operations: [{ op: 'add', value }] } };
}

/** Leaves a circle in which everything that is left waits for itself: false if nothing is left. */
function leaveCircle(run: Run): boolean {
  const { order } = run;
  const way = wayOut(order);
  if (way === null) return false;
  const { node, cut } = way;
  take(order, node);
  if (cut === null) {
    fail(run, node, circularReference());
    return true;
  }
  const flight = tryCut(run, node, cut).finally(() => run.flights.delete(flight));
  run.flying = 'alone';
  run.flights.add(flight);
  return true;
}

async function tryCut(run: Run, node: BulkNode, { without, manager }: CutUser): Promise<void> {
  const { order, batch, exchange } = run;
  try {
    const operation = (node.read as Extract<BulkNode['read'], { kind: 'read' }>).operation;
    const data = dataOf({ ...operation, data: resolved(order, without) }, userLimits);
    const [outcome] = await batch.add([newUser(exchange, data)], true);
    if (outcome === undefined) return putBack(order, node);
    if (outcome.kind === 'done') endCut(order, node, outcome.id, manager);
    else landUser(run, node, outcome);
  } catch (error) {
    fail(run, node, error);
  }
}

type Sent = NonNullable<Exchange['operation']>;

/** The operation as a request of its own. Refuses references to what was not created. */
function sent({ order }: Run, operation: BulkOperation): Sent {
  const { data, bytes, version, mayRefer } = operation;
  return { data: mayRefer ? resolved(order, data) : data, bytes, version };
}

const addressOf = ({ exchange }: Run, resource: string, id: string): string =>
  `${exchange.baseUrl}/${resource}/${encodeURIComponent(id)}`;

function record(run: Run, { index, read }: BulkNode, result: Omit<BulkResult, 'method' | 'bulkId'>): void {
  const { method, bulkId } = read.kind === 'read' ? read.operation : read;
  run.results[index] = { method, bulkId, ...result };
}

/** The operation failed: its answer is the one that a single request would have had. */
function fail(run: Run, node: BulkNode, error: unknown): void {
  end(run.order, node, null);
  if (error instanceof CredentialEnded) {
    run.credentialEnded = true;
    return;
  }
  run.errors += 1;
  const { requestId } = run.exchange.ctx.caller;
  recordError(run, node, failureReply(error, requestId, run.exchange.ctx.log) ?? errorReply(tooLate()));
}

function recordError(run: Run, node: BulkNode, { status, body }: Reply): void {
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

const tooLate = (): ScimError =>
  new ScimError(503, null, 'The bulk took too long, and this operation was not begun. Send it again.');
const credentialEnded = (): ScimError => new ScimError(401, null, 'The request needs a token of this directory.');

function conclude(run: Run): readonly BulkResult[] {
  const { results, order } = run;
  if (run.credentialEnded && results.every((result) => result === null)) throw new CredentialEnded();
  if (!hasFailed(run)) {
    const error = run.credentialEnded ? credentialEnded() : tooLate();
    for (const node of order.nodes) if (results[node.index] === null) recordError(run, node, errorReply(error));
  }
  return results.filter((result) => result !== null);
}
