// What the bench is at, on standard error: standard output belongs to the result.

const started = Date.now();

export function say(text: string): void {
  const seconds = ((Date.now() - started) / 1000).toFixed(0).padStart(4);
  process.stderr.write(`${seconds} s  ${text}\n`);
}

/** `12.3 k`, `450`, `3.1`: as many digits as mean something. */
export function count(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(value >= 100_000 ? 0 : 1)} k`;
  return value.toFixed(value >= 100 ? 0 : 1);
}
