// RFC 7644 §3.7.1, §3.7.2: in which order the operations of a bulk are tried, whoever refers to whom.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readBulk } from '../../src/scim/bulk-message.ts';
import { end, nextOf, orderBulk, take, wayOut } from '../../src/scim/bulk-order.ts';
import { atOnce } from '../../src/scim/pace.ts';
import { bulkBody, group } from '../support/bulk.ts';

/** Group `i` refers to those of `refersTo[i]`. Tells in which order they are tried; those that a circle refuses count as tried. */
async function triedIn(refersTo: readonly (readonly number[])[]): Promise<readonly number[]> {
  const operations = refersTo.map((others, index) =>
    group(
      `g${index}`,
      `G${index}`,
      others.filter((other) => other !== index).map((other) => ({ value: `bulkId:g${other}` })),
    ),
  );
  const body = Buffer.from(JSON.stringify(bulkBody(operations)));
  const order = atOnce(orderBulk((await readBulk(body, { add: () => {} } as never, async () => {})).operations));
  const tried: number[] = [];
  for (;;) {
    const node = nextOf(order) ?? wayOut(order)?.node ?? null;
    if (node === null) return tried;
    take(order, node);
    tried.push(node.index);
    end(order, node, `id${node.index}`);
  }
}

/** The last one that each waits for, itself among them, over however many others: the slow way. */
function lastWaitedFor(refersTo: readonly (readonly number[])[]): readonly number[] {
  return refersTo.map((_, start) => {
    const seen = new Set([start]);
    for (const one of seen) for (const other of refersTo[one] ?? []) seen.add(other);
    return Math.max(...seen);
  });
}

test('a circle has its turn behind the last operation that it waits for, before all that come after that', async () => {
  expect(await triedIn([[1], [0], []])).toEqual([0, 1, 2]);
  expect(await triedIn([[], [3], [], [1], []])).toEqual([0, 2, 1, 3, 4]);
  // It waits for a later one that is in no circle.
  expect(await triedIn([[1], [0, 3], [], [], []])).toEqual([2, 3, 0, 1, 4]);
  // A circle that waits for another one.
  expect(await triedIn([[1, 2], [0], [3], [2], []])).toEqual([2, 3, 0, 1, 4]);
  // Two circles through one operation.
  expect(await triedIn([[1], [0, 2], [1], []])).toHaveLength(4);
});

test('every operation is tried once, and none before an earlier one that waits for nothing later', async () => {
  const graphs = fc
    .integer({ min: 1, max: 12 })
    .chain((size) => fc.array(fc.array(fc.nat(size - 1), { maxLength: 2 }), { minLength: size, maxLength: size }));
  await fc.assert(
    fc.asyncProperty(graphs, async (refersTo) => {
      const tried = await triedIn(refersTo);
      expect([...tried].sort((a, b) => a - b)).toEqual(refersTo.map((_, index) => index));
      const last = lastWaitedFor(refersTo);
      const place = new Map(tried.map((index, at) => [index, at]));
      for (const early of tried)
        for (const late of tried)
          if (early < late && (place.get(late) ?? 0) < (place.get(early) ?? 0))
            expect(last[early]).toBeGreaterThanOrEqual(late);
    }),
    { seed: 3, numRuns: 500 },
  );
});

test('T48 however many refer to each other, and however deep, each has its turn', async () => {
  const all = Array.from({ length: 300 }, (_, index) => index);
  expect(await triedIn(all.map(() => all))).toHaveLength(300);
  // As deep as a bulk is long.
  const chain = Array.from({ length: 1000 }, (_, index) => [(index + 1) % 1000]);
  expect(await triedIn(chain)).toHaveLength(1000);
});
