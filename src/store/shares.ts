// Nobody takes every connection: whatever one tenant asks for, the others still find one.

import { BridgeError } from '../core/errors.ts';

export type Shares = <T>(key: string, act: () => Promise<T>) => Promise<T>;

type Share = { taken: number; readonly waiting: (() => void)[] };

/** Keys that nobody is at are forgotten when there are more of them; not at once, for most are soon asked for again. */
const MAX_IDLE = 5_000;

/**
 * Runs acts, `most` of each key at a time; further ones wait in line, `waitMs` at the longest, and then fail as `unavailable`. An act
 * must not run another of its own key and wait for it: it would hold the place that it waits for.
 */
export function shares(rule: { readonly most: number; readonly waitMs: number }): Shares {
  const held = new Map<string, Share>();

  const shareOf = (key: string): Share => {
    const known = held.get(key);
    if (known !== undefined) return known;
    if (held.size >= MAX_IDLE) for (const [other, { taken }] of held) if (taken === 0) held.delete(other);
    const share: Share = { taken: 0, waiting: [] };
    held.set(key, share);
    return share;
  };

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
