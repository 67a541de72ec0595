// Chance that can be repeated: the same choices for the same seed, whatever the server answers meanwhile.

export type Random = {
  /** A whole number from zero to below `limit`. */
  below(limit: number): number;
  /** One of a list that has at least one. One draw, however long the list is. */
  pick<T>(from: readonly T[]): T;
  /** True once in so many times. */
  oneIn(times: number): boolean;
  /** Between nought and `most` of what `make` makes. */
  some<T>(most: number, make: () => T): readonly T[];
};

/** Mulberry32. */
export function randomOf(seed: number): Random {
  let state = seed | 0;
  const draw = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  const below = (limit: number): number => draw() % limit;
  return {
    below,
    pick: <T>(from: readonly T[]): T => from[below(2 ** 31) % from.length] as T,
    oneIn: (times) => below(times) === 0,
    some: (most, make) => Array.from({ length: below(most + 1) }, make),
  };
}
