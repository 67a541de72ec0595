// What many ask of one row at once is asked of the database once.

import type { Shares } from './shares.ts';

export type Gathering = <Item, Result>(
  key: string,
  like: string,
  item: Item,
  act: (items: readonly Item[]) => Promise<readonly Result[]>,
) => Promise<Result>;

type Group = { readonly items: unknown[]; readonly results: Promise<readonly unknown[]> };

/**
 * Whoever comes while others are at work on the key waits for its next turn with those who are alike, `most` at a time: one act for
 * all of them, with a result for each. Items that are alike are of one type, and so are their acts, of which any may be the one that
 * runs. Where an act fails, it fails for all whom it was for.
 */
export function gathering(rule: { readonly most: number; readonly turn: Shares }): Gathering {
  const waiting = new Map<string, Group>();

  const open = <Item, Result>(
    key: string,
    kind: string,
    first: Item,
    act: (items: readonly Item[]) => Promise<readonly Result[]>,
  ): Group => {
    const items = [first];
    const results = rule.turn(key, () => {
      // Nobody joins those who have begun.
      if (waiting.get(kind)?.items === items) waiting.delete(kind);
      return act(items);
    });
    const group = { items, results };
    waiting.set(kind, group);
    return group;
  };

  return async <Item, Result>(
    key: string,
    like: string,
    item: Item,
    act: (items: readonly Item[]) => Promise<readonly Result[]>,
  ): Promise<Result> => {
    const kind = `${key} ${like}`;
    const known = waiting.get(kind);
    if (known === undefined || known.items.length >= rule.most) {
      return (await open(key, kind, item, act).results)[0] as Result;
    }
    const index = known.items.push(item) - 1;
    return (await known.results)[index] as Result;
  };
}
