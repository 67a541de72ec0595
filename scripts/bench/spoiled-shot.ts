// Shots that say nothing of anybody's speed, since the machine stood still meanwhile.

import { say } from './progress.ts';

/** Requests were refused, or nothing was done at all: so it looks where a host keeps its disk or its cores to itself for seconds. */
export class SpoiledShot extends Error {}

const MOST_TRIES = 3;
let spoiled = 0;

/** Shots that were spoiled and repeated. */
export const spoiledShots = (): number => spoiled;

/** Repeats a shot that was spoiled, after `reset`; what is spoiled each time is no matter of the machine, and thrown. */
export async function unspoiled<T>(shot: () => Promise<T>, reset: () => Promise<unknown>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await shot();
    } catch (error) {
      if (!(error instanceof SpoiledShot) || tries === MOST_TRIES) throw error;
      spoiled += 1;
      say(`${error.message}; once more`);
      await reset();
    }
  }
}
