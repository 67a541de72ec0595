// How often one address may ask, kept in memory: a first dam in front of work that costs, not the last word on who gets in.

import { remember } from './core/recent.ts';

/**
 * A limit of `tries` within `perSeconds` for each key, refilled evenly. The answer is null where the key may go on, else the seconds
 * until it may. At most `keys` are remembered; the one unseen longest is forgotten first.
 */
export function rateLimit(rule: {
  readonly tries: number;
  readonly perSeconds: number;
  readonly keys?: number;
  readonly now?: () => number;
}): (key: string) => number | null {
  const now = rule.now ?? Date.now;
  const refillPerMs = rule.tries / (rule.perSeconds * 1000);
  const most = rule.keys ?? 20_000;
  const left = new Map<string, { readonly tries: number; readonly at: number }>();
  return (key) => {
    const at = now();
    const known = left.get(key);
    const tries = known === undefined ? rule.tries : Math.min(rule.tries, known.tries + (at - known.at) * refillPerMs);
    const granted = tries >= 1;
    remember(left, most, key, { tries: granted ? tries - 1 : tries, at });
    return granted ? null : (1 - tries) / (refillPerMs * 1000);
  };
}
