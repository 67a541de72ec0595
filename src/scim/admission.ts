// How much of the server one directory may take: so many requests a second where its settings say so, and always so many at once.
// Counted in memory, by each process for itself.

import type { Directory } from '../core/directory.ts';
import type { ConnectionId } from '../core/ids.ts';
import { remember } from '../core/recent.ts';

export type Admission =
  /** `leave` when the request has been answered; again does nothing. */
  | { readonly kind: 'admitted'; readonly leave: () => void }
  | { readonly kind: 'too_many'; readonly why: 'rate' | 'at_once'; readonly retryAfterSeconds: number };

export type Admit = (directory: Pick<Directory, 'connectionId' | 'settings'>) => Admission;

/** Several times what any provider sends at once, and little enough to be answered before a client gives up. */
const AT_ONCE = 200;
/** A provider that was quiet may catch up with so much at once. */
const BURST_SECONDS = 2;
const MAX_DIRECTORIES = 20_000;

type Bucket = { readonly tokens: number; readonly at: number };

/** Admits requests of directories, before anything of their bodies is read. A refused one takes nothing of what is left. */
export function admission(rule: { readonly atOnce?: number; readonly now?: () => number } = {}): Admit {
  const { atOnce = AT_ONCE, now = () => performance.now() } = rule;
  const inside = new Map<ConnectionId, number>();
  const buckets = new Map<ConnectionId, Bucket>();

  const waitFor = (connectionId: ConnectionId, perSecond: number): number => {
    const at = now();
    const most = perSecond * BURST_SECONDS;
    const known = buckets.get(connectionId) ?? { tokens: most, at };
    const tokens = Math.min(most, known.tokens + ((at - known.at) * perSecond) / 1000);
    const granted = tokens >= 1;
    remember(buckets, MAX_DIRECTORIES, connectionId, { tokens: granted ? tokens - 1 : tokens, at });
    return granted ? 0 : (1 - tokens) / perSecond;
  };

  return ({ connectionId, settings: { requestsPerSecond } }) => {
    const count = inside.get(connectionId) ?? 0;
    if (count >= atOnce) return { kind: 'too_many', why: 'at_once', retryAfterSeconds: 1 };
    const seconds = requestsPerSecond === null ? 0 : waitFor(connectionId, requestsPerSecond);
    if (seconds > 0) return { kind: 'too_many', why: 'rate', retryAfterSeconds: Math.max(1, Math.ceil(seconds)) };
    inside.set(connectionId, count + 1);
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      const still = (inside.get(connectionId) ?? 1) - 1;
      if (still === 0) inside.delete(connectionId);
      else inside.set(connectionId, still);
    };
    return { kind: 'admitted', leave };
  };
}
