// Long work in short stretches: whoever else waits for the process gets a turn in between.

import { setImmediate as turn } from 'node:timers/promises';

const STRETCH_MS = 10;

/** To be awaited between pieces of long work: gives the others their turn once this work had its stretch. */
export type Pace = () => Promise<void> | undefined;

export function pace(): Pace {
  let begun = performance.now();
  return () => {
    if (performance.now() - begun < STRETCH_MS) return undefined;
    return turn().then(() => {
      begun = performance.now();
    });
  };
}
