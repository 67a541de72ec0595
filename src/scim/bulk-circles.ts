// Circles among the operations of a bulk, which wait for each other (RFC 7644 §3.7.1), and when each has its turn.

import type { BulkNode } from './bulk-order.ts';
import type { Steps } from './pace.ts';

/** Operations each of which waits for all of them. */
export type BulkCircle = {
  readonly nodes: readonly BulkNode[];
  /** The last operation that any of them waits for: what comes after it is tried after the circle. */
  readonly due: number;
  /** How many of them have not ended. */
  open: number;
};

/** Needs looked at in one step: a thousand groups may each name a thousand users. */
const STEP = 10_000;

type Visit = {
  readonly node: BulkNode;
  readonly number: number;
  low: number;
  due: number;
  next: number;
  open: boolean;
};

/**
 * All circles, in the order of their turns; one that waits for another comes after it. The nodes know their needs. Tarjan's way through
 * the strongly connected parts, on a stack of its own: no depth of references is one of calls.
 */
export function* circlesOf(nodes: readonly BulkNode[]): Steps<BulkCircle[]> {
  if (!nodes.some(({ index, needs }) => needs.some(({ node }) => node.index > index))) return [];
  const visits = new Map<BulkNode, Visit>();
  const open: Visit[] = [];
  const circles: BulkCircle[] = [];
  let seen = 0;
  const begin = (node: BulkNode): Visit => {
    const number = visits.size;
    const visit = { node, number, low: number, due: node.index, next: 0, open: true };
    visits.set(node, visit);
    open.push(visit);
    return visit;
  };
  for (const start of nodes) {
    const path = visits.has(start) ? [] : [begin(start)];
    for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
      seen += 1;
      if (seen % STEP === 0) yield;
      const need = visit.node.needs[visit.next];
      const needed = need === undefined ? undefined : visits.get(need.node);
      if (need !== undefined && needed === undefined) {
        path.push(begin(need.node));
        continue;
      }
      if (needed !== undefined) {
        visit.next += 1;
        visit.due = Math.max(visit.due, needed.due);
        if (needed.open) visit.low = Math.min(visit.low, needed.low);
        continue;
      }
      path.pop();
      if (visit.low === visit.number) close(open, visit, circles);
    }
  }
  return circles.sort((a, b) => a.due - b.due);
}

/** The part of which `first` is the first that was met is whole: a circle if it has several nodes. */
function close(open: Visit[], first: Visit, circles: BulkCircle[]): void {
  const part = open.splice(open.lastIndexOf(first));
  const due = Math.max(...part.map((visit) => visit.due));
  for (const visit of part) {
    visit.open = false;
    visit.due = due;
  }
  if (part.length === 1) return;
  const nodes = part.map(({ node }) => node).sort((a, b) => a.index - b.index);
  const circle = { nodes, due, open: nodes.length };
  for (const node of nodes) node.circle = circle;
  circles.push(circle);
}
