// What is kept for a key while somebody is at it, and for a while after.

/** Keys that nobody is at are forgotten when there are more of them; not at once, for most are soon asked for again. */
const MAX_IDLE = 5_000;

/** What there is of a key, made where there is none. `isIdle`: nobody is at it. */
export function keptKeys<Kept>(make: () => Kept, isIdle: (kept: Kept) => boolean): (key: string) => Kept {
  const all = new Map<string, Kept>();
  return (key) => {
    const known = all.get(key);
    if (known !== undefined) return known;
    if (all.size >= MAX_IDLE) for (const [other, kept] of all) if (isIdle(kept)) all.delete(other);
    const kept = make();
    all.set(key, kept);
    return kept;
  };
}
