// Nobody takes every connection: whatever one tenant asks for, the others still find one.

import { BridgeError } from '../core/errors.ts';
import { keptKeys } from './kept-keys.ts';

export type Shares = <T>(key: string, act: () => Promise<T>) => Promise<T>;

type Share = { taken: number; readonly waiting: (() => void)[] };

/**
 * Runs acts, `most` of each key at a time; further ones wait in line, `waitMs` at the longest, and then fail as `unavailable`. An act
 * must not run another of its own key and wait for it: it would hold the place that it waits for.
 */
export function shares(rule: { readonly most: number; readonly waitMs: number }): Shares {
  const shareOf = keptKeys<Share>(
    () => ({ taken: 0, waiting: [] }),
    ({ taken }) => taken === 0,
  );

  const wait = (key: string, { waiting }: Share): Promise<void> =>
    new Promise((resolve, reject) => {
      const next = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(next), 1);
        reject(new BridgeError('unavailable', 'The server is busy. Try again.', `${key} has its whole share at work`));
      }, rule.waitMs);
      waiting.push(next);
    });

  return async (key, act) => {
    const share = shareOf(key);
    if (share.taken < rule.most) share.taken += 1;
    else await wait(key, share);
    try {
      return await act();
    } finally {
      // Whoever leaves hands over its place.
      const next = share.waiting.shift();
      if (next === undefined) share.taken -= 1;
      else next();
    }
  };
}
