// In which order the operations of a bulk are tried: as they were sent, but for those that refer to what a later one creates, which
// wait for it (RFC 7644 §3.7.1, §3.7.2); those that wait for each other come when nothing before them is left. Operations on one
// resource never overtake each other.

import { type BulkCircle, circlesOf } from './bulk-circles.ts';
import type { BulkOperation, ReadOperation } from './bulk-message.ts';
import { type CutUser, cutManager, referencesIn, refersTo, resolveReferences } from './bulk-references.ts';
import { invalidValue, ScimError } from './errors.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { atOnce, type Steps } from './pace.ts';

/** One operation and those that wait for it. */
export type BulkNode = {
  readonly index: number;
  read: ReadOperation;
  /** Nodes whose data refers to what this one creates: they wait until that has an id. */
  readonly onId: BulkNode[];
  /** Nodes of the same resource: they wait until this one is through. */
  readonly onEnd: BulkNode[];
  readonly needs: { readonly node: BulkNode; readonly until: 'id' | 'end' }[];
  /** How many of its needs are not met, and of those how many are being tried. */
  unmet: number;
  flying: number;
  /** Of the resource that it created. */
  id: string | null;
  /** Set where it was created without its manager, who is still to be given. */
  cut: JsonObject | null;
  /** Of which it is a part. */
  circle: BulkCircle | null;
  ended: boolean;
};

export type BulkOrder = {
  readonly nodes: readonly BulkNode[];
  /** Nodes that may be tried, by index. */
  readonly ready: BulkNode[];
  /** Nodes that may be tried as soon as those being tried are through. */
  readonly soon: Set<BulkNode>;
  /** Those that have not ended, in the order of their turns. */
  readonly circles: BulkCircle[];
  /** By bulkId, with those that could not even be read. */
  readonly creators: ReadonlyMap<string, BulkNode>;
};

/** A reference that leads nowhere: 400 invalidValue. */
const unknownReference = (): ScimError => invalidValue('The operation refers to a bulkId that no operation creates.');
const selfReference = (): ScimError => invalidValue('The operation refers to its own bulkId.');
/** One that leads to what was not created. */
const failedReference = (): ScimError =>
  new ScimError(409, null, 'The operation refers to a resource of this bulk that was not created.');
/** Operations that wait for each other, where none of them can do with less. */
export const circularReference = (): ScimError =>
  new ScimError(409, null, 'The operation is part of a circle of references that cannot be resolved.');

/**
 * The order of a bulk, before anything of it is tried, in steps. An operation that refers to its own bulkId, or to one that no operation
 * creates, is refused in it (400 invalidValue). RFC 7644 §3.7.2. The way out of a circle is {@link wayOut}.
 */
export function* orderBulk(operations: readonly ReadOperation[]): Steps<BulkOrder> {
  const creators = new Map<string, BulkNode>();
  const nodes = operations.map((read, index): BulkNode => {
    const needs: BulkNode['needs'] = [];
    return {
      index,
      read,
      onId: [],
      onEnd: [],
      needs,
      unmet: 0,
      flying: 0,
      id: null,
      cut: null,
      circle: null,
      ended: false,
    };
  });
  for (const node of nodes) {
    const { method, bulkId } = node.read.kind === 'read' ? node.read.operation : node.read;
    if (method === 'POST' && bulkId !== null && !creators.has(bulkId)) creators.set(bulkId, node);
  }
  const last = new Map<string, BulkNode>();
  for (const node of nodes) if (node.read.kind === 'read') yield* connect(node, node.read.operation, creators, last);
  const ready = nodes.filter((node) => node.unmet === 0);
  return { nodes, ready, soon: new Set(), circles: yield* circlesOf(nodes), creators };
}

function* connect(
  node: BulkNode,
  operation: BulkOperation,
  creators: ReadonlyMap<string, BulkNode>,
  last: Map<string, BulkNode>,
): Steps<void> {
  const { method, bulkId, resource, target, data, mayRefer } = operation;
  const named = target === null ? null : refersTo(target);
  const refuse = (error: ScimError): void => {
    const path = target === null || named !== null ? null : `/${resource}/${encodeURIComponent(target)}`;
    // The node itself stays, since others may wait for it.
    node.read = { kind: 'refused', method, bulkId, path, error };
  };
  const referred = mayRefer ? yield* referencesIn(data) : new Set<string>();
  for (const name of [...referred, ...(named === null ? [] : [named])]) {
    const creator = creators.get(name);
    if (creator === undefined) return refuse(unknownReference());
    if (creator === node) return refuse(selfReference());
  }
  for (const name of referred) need(node, creators.get(name) as BulkNode, 'id');
  if (target === null) return;
  if (named !== null) need(node, creators.get(named) as BulkNode, 'end');
  const place = `${resource}/${target}`;
  const before = last.get(place);
  if (before !== undefined) need(node, before, 'end');
  last.set(place, node);
}

function need(node: BulkNode, on: BulkNode, until: 'id' | 'end'): void {
  node.needs.push({ node: on, until });
  (until === 'id' ? on.onId : on.onEnd).push(node);
  node.unmet += 1;
}

/** Data with the ids that its references stand for, in steps. Throws the refusal of one that leads to what was not created. */
export function resolved({ creators }: BulkOrder, data: JsonValue): Steps<JsonValue> {
  return resolveReferences(data, (bulkId) => idOf(creators.get(bulkId)));
}

/** The id of the path; null for a POST. Throws as {@link resolved} does. */
export function targetOf({ creators }: BulkOrder, { target }: BulkOperation): string | null {
  const bulkId = target === null ? null : refersTo(target);
  return bulkId === null ? target : idOf(creators.get(bulkId));
}

function idOf(creator: BulkNode | undefined): string {
  if (creator === undefined || creator.id === null) throw failedReference();
  return creator.id;
}

/** The first operation that may be tried now; null where an earlier one is about to be ready, a circle has its turn, or none is. */
export function nextOf({ ready, soon, circles }: BulkOrder): BulkNode | null {
  const [first] = ready;
  const [circle] = circles;
  if (first === undefined || (circle !== undefined && circle.due < first.index)) return null;
  for (const { index } of soon) if (index < first.index) return null;
  return first;
}

/** The node is being tried from now on. */
export function take(order: BulkOrder, node: BulkNode): void {
  const at = order.ready.indexOf(node);
  if (at !== -1) order.ready.splice(at, 1);
  for (const waiting of waitingFor(node)) {
    waiting.flying += 1;
    if (waiting.flying === waiting.unmet && !waiting.ended) order.soon.add(waiting);
  }
}

/** It was not tried after all. */
export function putBack(order: BulkOrder, node: BulkNode): void {
  for (const waiting of waitingFor(node)) land(order, waiting);
  enqueue(order, node);
}

/** It is through, with the id of what it created if it did. */
export function end(order: BulkOrder, node: BulkNode, id: string | null): void {
  const waiting = waitingFor(node);
  if (node.cut === null) node.id = id;
  node.ended = true;
  if (node.circle !== null) leave(order, node.circle);
  for (const one of waiting) meet(order, one);
}

function leave({ circles }: BulkOrder, circle: BulkCircle): void {
  circle.open -= 1;
  if (circle.open === 0) circles.splice(circles.indexOf(circle), 1);
}

/** It was created without its manager: others may refer to it, and it comes again once its own needs are met. */
export function endCut(order: BulkOrder, node: BulkNode, id: string, manager: JsonObject): void {
  node.id = id;
  for (const waiting of node.onEnd) land(order, waiting);
  for (const waiting of node.onId) meet(order, waiting);
  node.cut = manager;
}

/** Those whose wait this node can still end. */
function waitingFor({ onId, onEnd, cut }: BulkNode): readonly BulkNode[] {
  return cut === null ? [...onId, ...onEnd] : onEnd;
}

function land({ soon }: BulkOrder, waiting: BulkNode): void {
  waiting.flying -= 1;
  soon.delete(waiting);
}

function meet(order: BulkOrder, waiting: BulkNode): void {
  waiting.unmet -= 1;
  waiting.flying -= 1;
  if (waiting.unmet > 0 || waiting.ended) return;
  order.soon.delete(waiting);
  enqueue(order, waiting);
}

function enqueue({ ready }: BulkOrder, node: BulkNode): void {
  const at = ready.findIndex((other) => other.index > node.index);
  ready.splice(at === -1 ? ready.length : at, 0, node);
}

/** What can be done where nothing may be tried: a user can be created without the manager; otherwise the first of the circle is refused. */
export type Way = { readonly node: BulkNode; readonly cut: CutUser | null };

/** A way out of the circle that has its turn; null if nothing is left. Nothing may be being tried meanwhile. */
export function wayOut(order: BulkOrder): Way | null {
  const first = order.circles[0]?.nodes.find((node) => !node.ended && node.unmet > 0);
  if (first === undefined) return null;
  const circle = circleFrom(first).sort((a, b) => a.index - b.index);
  for (const node of circle) {
    const cut = node.cut !== null || node.read.kind !== 'read' ? null : cutOf(node.read.operation);
    if (cut === null) continue;
    const open = [...atOnce(referencesIn(cut.without))].some((name) => !isMet(order.creators.get(name)));
    if (!open) return { node, cut };
  }
  return { node: circle[0] ?? first, cut: null };
}

function cutOf({ method, resource, data }: BulkOperation): CutUser | null {
  return method === 'POST' && resource === 'Users' ? cutManager(data) : null;
}

const isMet = (node: BulkNode | undefined): boolean => node !== undefined && (node.id !== null || node.ended);

function circleFrom(first: BulkNode): BulkNode[] {
  const seen = new Map<BulkNode, number>();
  const path: BulkNode[] = [];
  for (let node: BulkNode | undefined = first; node !== undefined; ) {
    const at = seen.get(node);
    if (at !== undefined) return path.slice(at);
    seen.set(node, path.length);
    path.push(node);
    node = node.needs.find(({ node: on, until }) => !on.ended && (until === 'end' || on.id === null))?.node;
  }
  return path;
}
