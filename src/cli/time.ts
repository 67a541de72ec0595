/** A time in a table: to the minute, in UTC, and says so. */
export function minute(at: number | null): string {
  return at === null ? '-' : `${new Date(at).toISOString().slice(0, 16)}Z`;
}

/** A time for programs; null where there is none. */
export function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
