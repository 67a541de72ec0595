// Documents of an IdP (metadata, keys) as they were last good, so that its bad hour is not ours.

import type { Instant } from '../core/ids.ts';

export type LastGood<T> = {
  /** The document: the held one while fresh, else fetched again, else the last good one. Throws only if there never was a good one. */
  get(address: string): Promise<T>;
  /** The document for somebody who missed something in the held one: fetched again, at most once per `retryAfterMs`. */
  renew(address: string): Promise<T>;
  /** Why the last fetch was not taken while an older document stays in use; null if all is well. */
  fault(address: string): string | null;
};

type Entry<T> = {
  document: T | undefined;
  goodAt: number;
  triedAt: number;
  fault: string | null;
  pending: Promise<T> | undefined;
};

const never = Number.NEGATIVE_INFINITY;

/**
 * A bounded cache by address, with one request per address at a time.
 *
 * `load` throws on whatever must not be held. `refuse` compares a fetched document with the held one and names what makes the
 * change unacceptable: then the held one stays, for as long as this process runs (T23). Keeps at most `capacity` addresses and
 * forgets the one that was fetched first.
 */
export function lastGood<T>(options: {
  readonly now: () => Instant;
  readonly freshForMs: number;
  readonly retryAfterMs: number;
  readonly capacity: number;
  readonly load: (address: string) => Promise<T>;
  readonly refuse?: (next: T, held: T) => string | null;
}): LastGood<T> {
  const { now, freshForMs, retryAfterMs, capacity, load, refuse = () => null } = options;
  const entries = new Map<string, Entry<T>>();

  function entryOf(address: string): Entry<T> {
    const known = entries.get(address);
    if (known !== undefined) return known;
    for (const [oldest, { pending }] of entries) {
      if (entries.size < capacity) break;
      if (pending === undefined) entries.delete(oldest);
    }
    const entry: Entry<T> = { document: undefined, goodAt: never, triedAt: never, fault: null, pending: undefined };
    entries.set(address, entry);
    return entry;
  }

  async function fetchInto(entry: Entry<T>, address: string): Promise<T> {
    entry.triedAt = now();
    try {
      const next = await load(address);
      const refusal = entry.document === undefined ? null : refuse(next, entry.document);
      if (refusal !== null) throw new Error(refusal);
      entry.document = next;
      entry.goodAt = now();
      entry.fault = null;
      return next;
    } catch (error) {
      if (entry.document === undefined) throw error;
      entry.fault = error instanceof Error ? error.message : String(error);
      return entry.document;
    }
  }

  function newest(entry: Entry<T>, address: string): Promise<T> {
    entry.pending ??= fetchInto(entry, address).finally(() => {
      entry.pending = undefined;
    });
    return entry.pending;
  }

  return {
    async get(address) {
      const entry = entryOf(address);
      if (entry.document === undefined) return newest(entry, address);
      const fresh = now() - entry.goodAt < freshForMs || now() - entry.triedAt < retryAfterMs;
      return fresh ? entry.document : newest(entry, address);
    },
    async renew(address) {
      const entry = entryOf(address);
      const tooSoon = entry.pending === undefined && now() - entry.triedAt < retryAfterMs;
      if (entry.document !== undefined && tooSoon) return entry.document;
      return newest(entry, address);
    },
    fault: (address) => entries.get(address)?.fault ?? null,
  };
}
