// The planner's statistics of the tables that directories fill.

import type { Log, Query, Statement } from '../context.ts';

/** A directory that is connected brings thousands of users within seconds, and each look-up of a name may read all of them. */
const EVERY_MS = 2_000;

const ANALYZE: Statement = { name: 'analyze_grown', text: 'select analyze_grown() as analyzed' };

/** Has those tables analyzed that have grown by much, and says how many; see migration 0007. One statement. */
export async function analyzeGrown(query: Query): Promise<number> {
  const [row] = await query.run<{ analyzed: number }>(ANALYZE, []);
  return row?.analyzed ?? 0;
}

/** Looks every two seconds whether tables have grown. A failure is tried again the next time. The answer stops it. */
export function keepStatistics(query: Query, log: Log): () => Promise<void> {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    try {
      const analyzed = await analyzeGrown(query);
      if (analyzed > 0) log.debug({ analyzed }, 'tables have grown and were analyzed');
    } catch (error) {
      log.debug({ error }, 'the planner’s statistics were not looked at');
    }
    if (!stopped) wait();
  };
  const wait = (): void => {
    timer = setTimeout(() => {
      looking = look();
    }, EVERY_MS);
    timer.unref();
  };
  wait();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await looking;
  };
}
