// Time for which this process worked. What others on the machine take, or the machine itself, is no part of it.

/** Begins to count; what it returns says the milliseconds since. */
export function cpuTime(): () => number {
  const begun = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1_000;
  };
}
