// Long work in short stretches: whoever else waits for the process gets a turn in between.

import { setImmediate as turn } from 'node:timers/promises';

const STRETCH_MS = 10;

/** To be awaited between pieces of long work: gives the others their turn once this work had its stretch. */
export type Pace = () => Promise<void> | undefined;

/** The pace of one piece of work, from now on. */
export function pace(): Pace {
  let begun = performance.now();
  return () => {
    if (performance.now() - begun < STRETCH_MS) return undefined;
    return turn().then(() => {
      begun = performance.now();
    });
  };
}

/** Work in steps: it pauses where others may have their turn. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Work in steps to its end, with a turn for the others where one is due. */
export async function inTurns<T>(steps: Steps<T>, pace: Pace): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    const turn = pace();
    if (turn !== undefined) await turn;
  }
}

/** Work in steps to its end: for what is known to be short. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
