// A bulk at work: what can be done together is, everything else one after the other, each by the handler of the single request.

import type { Context } from '../context.ts';
import { userBatch } from '../operations/provision-batch.ts';
import type { BulkOperation, BulkRequest, BulkResult } from './bulk-message.ts';
import {
  type BulkNode,
  circularReference,
  end,
  nextOf,
  orderBulk,
  resolved,
  take,
  targetOf,
  wayOut,
} from './bulk-order.ts';
import { tryChangedUsers, tryCut, tryNewUsers } from './bulk-users.ts';
import {
  addressOf,
  fail,
  hasFailed,
  isOver,
  type Kind,
  type Run,
  record,
  recordError,
  type Sent,
  sent,
  tooLate,
  withoutManager,
} from './bulk-work.ts';
import { needsToken } from './errors.ts';
import { CredentialEnded, type Exchange, type Handler } from './exchange.ts';
import type { GroupPlan } from './group-patch.ts';
import { changeGroup, deleteGroup, groupPatch, patchGroup, postGroup, putGroup } from './groups.ts';
import type { JsonObject } from './json.ts';
import { atOnce, inTurns, type Pace } from './pace.ts';
import { errorReply } from './respond.ts';
import { deleteUser, patchUser, postUser, putUser } from './users.ts';

/**
 * What is not begun by then is not begun at all (T48): no answer takes longer than five seconds, and what was begun has two of them to
 * come to its end.
 */
const DEADLINE_MS = 3_000;
/** What a bulk has on its way at once: the other connections are for the tenant's other requests. */
const LANES = 3;

const besideItsKind: ReadonlySet<Kind> = new Set(['new_user', 'members_added']);

const handlers: Readonly<Record<BulkOperation['resource'], Readonly<Record<BulkOperation['method'], Handler>>>> = {
  Users: { POST: postUser, PUT: putUser, PATCH: patchUser, DELETE: deleteUser },
  Groups: { POST: postGroup, PUT: putGroup, PATCH: patchGroup, DELETE: deleteGroup },
};

/**
 * Tries the operations of a bulk and says what became of each: in the order in which they were sent, as far as references allow. Those
 * that are not tried because of `failOnErrors` have no result; those that come too late have 503, and once the credential has ended,
 * 401. Who was created and was still to be given a manager then is an error with an address. `since`: when the request was there, as
 * `performance.now` tells it. Throws {@link CredentialEnded} where that was so from the start, or what no request is to meet.
 */
export async function runBulk(
  asked: Exchange,
  request: BulkRequest,
  pace: Pace,
  since: number,
): Promise<readonly BulkResult[]> {
  const order = await inTurns(orderBulk(request.operations), pace);
  const until = since + DEADLINE_MS;
  const exchange = { ...asked, ctx: notBegunAfter(asked.ctx, until) };
  const run: Run = {
    exchange,
    order,
    results: order.nodes.map(() => null),
    batch: userBatch(exchange.ctx, exchange.directory, () => !isOver(run)),
    failOnErrors: request.failOnErrors,
    pace,
    until,
    flights: new Set(),
    plans: new Map(),
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
    if (await readPlan(run, node)) continue;
    const kind = kindOf(run, node);
    const busy = run.flights.size > 0 && (!besideItsKind.has(kind) || kind !== run.flying);
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

/** Whoever waits for their turn, or for a connection, has not begun. */
function notBegunAfter(ctx: Context, until: number): Context {
  return {
    ...ctx,
    inTurn: (tenantId, rowId, act) => ctx.inTurn(tenantId, rowId, act, until),
    transaction: (tenantId, act) => ctx.transaction(tenantId, act, until),
    hot: (tenantId) => ctx.hot(tenantId, until),
  };
}

/** With `failOnErrors` an operation is only begun when it is known how those before it ended. */
function kindOf(run: Run, node: BulkNode): Kind {
  const { read, cut } = node;
  if (read.kind === 'refused' || cut !== null) return 'alone';
  const { method, resource } = read.operation;
  if (resource === 'Users') return method === 'POST' ? 'new_user' : 'user_changed';
  const plan = run.plans.get(node) ?? null;
  return plan !== null && onlyAddsMembers(plan) ? 'members_added' : 'alone';
}

/**
 * Reads what a PATCH of a group asks, which says of what kind it is, once however often its turn is thought of. It may be megabytes, so
 * the others have their turns meanwhile, and then it may not be the next one any more. False: there was nothing to read.
 */
async function readPlan(run: Run, node: BulkNode): Promise<boolean> {
  const { exchange, plans, pace, failOnErrors } = run;
  const { read, cut } = node;
  if (read.kind === 'refused' || cut !== null || failOnErrors !== null || plans.has(node)) return false;
  const { method, resource } = read.operation;
  if (resource !== 'Groups' || method !== 'PATCH') return false;
  let plan: GroupPlan | null = null;
  try {
    const { data } = await inTurns(sent(run, read.operation), pace);
    plan = await inTurns(groupPatch(exchange, data), pace);
  } catch {
    // As whoever tries it says.
  }
  plans.set(node, plan);
  return true;
}

function onlyAddsMembers({ names, members, attributes }: GroupPlan): boolean {
  const onlyMembers = Object.keys(names).length === 0 && attributes === null;
  return onlyMembers && members.kind === 'change' && members.remove.length === 0;
}

function launch(run: Run, node: BulkNode, kind: Kind): void {
  const flight = tryKind(run, node, kind).finally(() => run.flights.delete(flight));
  run.flights.add(flight);
}

function tryKind(run: Run, node: BulkNode, kind: Kind): Promise<void> {
  const isAlike = (other: BulkNode): boolean => kindOf(run, other) === kind;
  if (kind === 'new_user') return tryNewUsers(run, isAlike);
  return kind === 'user_changed' ? tryChangedUsers(run, isAlike) : tryOne(run, node);
}

async function tryOne(run: Run, node: BulkNode): Promise<void> {
  const { order, exchange } = run;
  const { read, cut } = node;
  take(order, node);
  if (read.kind === 'refused') return fail(run, node, read.error);
  const { method, resource } = read.operation;
  try {
    const plan = run.plans.get(node) ?? null;
    run.plans.delete(node);
    const operation = await operationOf(run, read.operation, cut, plan);
    const id = node.id ?? targetOf(order, read.operation) ?? '';
    const asked: Exchange = { ...exchange, query: new URLSearchParams(), operation };
    const handler = cut === null ? handlers[resource][method] : patchUser;
    const { status, headers = {} } = await (plan === null ? handler(asked, id) : changeGroup(asked, id, plan));
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

/** What a plan was made of is not read once more. */
async function operationOf(
  run: Run,
  operation: BulkOperation,
  cut: JsonObject | null,
  plan: GroupPlan | null,
): Promise<Sent> {
  if (cut !== null) return managerOf(run, operation, cut);
  return plan === null ? inTurns(sent(run, operation), run.pace) : operation;
}

/** The PATCH that gives a user the manager without whom they were created. */
function managerOf(run: Run, operation: BulkOperation, manager: JsonObject): Sent {
  const value = atOnce(resolved(run.order, manager));
  return { ...operation, version: null, data: { Operations: [{ op: 'add', value }] } };
}

/** Leaves the circle that has its turn: false if nothing is left. */
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

function conclude(run: Run): readonly BulkResult[] {
  const { results, order } = run;
  const nothingDone = order.nodes.every(({ index, id }) => results[index] === null && id === null);
  if (run.credentialEnded && nothingDone) throw new CredentialEnded();
  const notBegun = run.credentialEnded ? needsToken() : tooLate();
  for (const node of order.nodes) {
    if (results[node.index] !== null) continue;
    if (node.cut !== null) recordError(run, node, errorReply(withoutManager()));
    else if (!hasFailed(run)) recordError(run, node, errorReply(notBegun));
  }
  return results.filter((result) => result !== null);
}
