// What many ask of one row at once is asked of the database once.

import { keptKeys } from './kept-keys.ts';
import type { Shares } from './shares.ts';

export type Gathering = <Item, Result>(
  key: string,
  like: string,
  item: Item,
  act: (items: readonly Item[]) => Promise<readonly Result[]>,
) => Promise<Result>;

type Group = { readonly items: unknown[]; readonly results: Promise<readonly unknown[]> };
/** Those who wait for the next turn; null while nobody does. */
type Line = { group: Group | null };

/**
 * Whoever comes while others are at work on the key waits for its next turn with those who are alike, `most` at a time: one act for
 * all of them, with a result for each. Items that are alike are of one type, and so are their acts, of which any may be the one that
 * runs. Where an act fails, it fails for all whom it was for.
 */
export function gathering(rule: { readonly most: number; readonly turn: Shares }): Gathering {
  const lineOf = keptKeys<Line>(
    () => ({ group: null }),
    ({ group }) => group === null,
  );

  const open = <Item, Result>(
    key: string,
    line: Line,
    first: Item,
    act: (items: readonly Item[]) => Promise<readonly Result[]>,
  ): Group => {
    const items = [first];
    const leave = () => {
      if (line.group?.items === items) line.group = null;
    };
    const turn = () =>
      rule.turn(key, () => {
        // Nobody joins those who have begun.
        leave();
        return act(items);
      });
    // Not at once, for a turn that is free would begin before anybody could join.
    const results = Promise.resolve().then(turn);
    const group = { items, results };
    line.group = group;
    // Nor those who waited in vain.
    results.catch(leave);
    return group;
  };

  return async <Item, Result>(
    key: string,
    like: string,
    item: Item,
    act: (items: readonly Item[]) => Promise<readonly Result[]>,
  ): Promise<Result> => {
    const line = lineOf(`${key} ${like}`);
    const { group } = line;
    if (group === null || group.items.length >= rule.most) {
      return (await open(key, line, item, act).results)[0] as Result;
    }
    const index = group.items.push(item) - 1;
    return (await group.results)[index] as Result;
  };
}
