/** A time in a table: to the minute, in UTC, and says so. */
export function minute(at: number | null): string {
  return at === null ? '-' : `${new Date(at).toISOString().slice(0, 16)}Z`;
}
