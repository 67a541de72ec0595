// Nobody takes every connection: whatever one tenant asks for, the others still find one.

import { BridgeError } from '../core/errors.ts';
import { keptKeys } from './kept-keys.ts';

/** `until`: the moment, as `performance.now` tells it, at which waiting ends in any case. */
export type Shares = <T>(key: string, act: () => Promise<T>, until?: number) => Promise<T>;

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

  const wait = (key: string, { waiting }: Share, until: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const next = () => {
        clearTimeout(timer);
        resolve();
      };
      const giveUp = () => {
        waiting.splice(waiting.indexOf(next), 1);
        reject(new BridgeError('unavailable', 'The server is busy. Try again.', `${key} has its whole share at work`));
      };
      const timer = setTimeout(giveUp, Math.max(0, Math.min(rule.waitMs, until - performance.now())));
      waiting.push(next);
    });

  return async (key, act, until = Number.POSITIVE_INFINITY) => {
    const share = shareOf(key);
    if (share.taken < rule.most) share.taken += 1;
    else await wait(key, share, until);
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
