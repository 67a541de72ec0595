// Times as answers have them.

/** An expression of ours as epoch milliseconds. */
export function instant(expression: string): string {
  // The microseconds are exact as a double; `extract` would reckon with decimals, for longer than the row takes to be found.
  return `((date_part('epoch', ${expression}) * 1000000)::bigint / 1000)`;
}
