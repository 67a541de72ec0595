// Nobody takes every connection: whatever one tenant asks for, the others still find one.

import { BridgeError } from '../core/errors.ts';

export type Shares = <T>(key: string, act: () => Promise<T>) => Promise<T>;

type Share = { taken: number; readonly waiting: Set<() => void> };

/**
 * Runs acts, `most` of each key at a time; further ones wait in line, `waitMs` at the longest, and then fail as `unavailable`. An act
 * must not run another of its own key and wait for it: it would hold the place that it waits for.
 */
export function shares(rule: { readonly most: number; readonly waitMs: number }): Shares {
  const held = new Map<string, Share>();

  const take = (key: string): Promise<void> | undefined => {
    const share = held.get(key) ?? { taken: 0, waiting: new Set() };
    held.set(key, share);
    if (share.taken < rule.most) {
      share.taken += 1;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const next = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        share.waiting.delete(next);
        reject(new BridgeError('unavailable', 'The server is busy. Try again.', `${key} has its whole share at work`));
      }, rule.waitMs);
      share.waiting.add(next);
    });
  };

  const leave = (key: string): void => {
    const share = held.get(key);
    if (share === undefined) return;
    // Whoever leaves hands over its place.
    const [next] = share.waiting;
    if (next !== undefined) {
      share.waiting.delete(next);
      next();
      return;
    }
    share.taken -= 1;
    if (share.taken === 0) held.delete(key);
  };

  return async (key, act) => {
    await take(key);
    try {
      return await act();
    } finally {
      leave(key);
    }
  };
}
