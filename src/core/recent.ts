// What is remembered up to so many: who was seen last stays, so that nobody fills the memory with addresses or names.

/** Puts a value last. A map's order is the order of being put: where there are more than `most`, the oldest go. */
export function remember<Key, Value>(map: Map<Key, Value>, most: number, key: Key, value: Value): void {
  map.delete(key);
  map.set(key, value);
  forgetOldest(map, most);
}

/** Leaves the `most` that were put last. */
export function forgetOldest<Key>(map: Map<Key, unknown>, most: number): void {
  if (map.size <= most) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    if (map.size <= most) return;
  }
}
