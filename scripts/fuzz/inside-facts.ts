// What a process can say of itself: how long its thread worked without a pause, and what hangs on the prototypes that all objects have.

/** What the server under attack is asked for between attacks. */
export type Facts = {
  /** The longest work without a turn for anybody else since the last question, in milliseconds of the thread's own time. */
  readonly longestMs: number;
  /** Everything that objects, lists, texts and functions have without having been given it. */
  readonly prototypes: string;
  readonly rssBytes: number;
};

const TICK_MS = 5;

/**
 * A tick that comes late says that the thread was busy, or that the machine had no core for it. Only what the thread itself used of
 * the time counts.
 */
export function fuzzedTicks(): { takeLongest(): number } {
  let longest = 0;
  let last = threadMs();
  setInterval(() => {
    const now = threadMs();
    longest = Math.max(longest, now - last);
    last = now;
  }, TICK_MS).unref();
  return {
    takeLongest() {
      const taken = longest;
      longest = 0;
      return taken;
    },
  };
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

export function prototypesNow(): string {
  const shared = [
    Object.prototype,
    Array.prototype,
    String.prototype,
    Number.prototype,
    Function.prototype,
    Promise.prototype,
  ];
  return JSON.stringify(shared.map((prototype) => Reflect.ownKeys(prototype).map(String).sort()));
}
