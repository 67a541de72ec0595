// The planner's statistics of the tables that directories fill.

import type { Log, Query, Statement } from '../context.ts';

/** A directory that is connected brings thousands of users within seconds, and each look-up of a name may read all of them. */
const EVERY_MS = 2_000;
/** Then it waits for a quarter of an hour. */
const MOST_FAILURES = 9;

const ANALYZE: Statement = { name: 'analyze_grown', text: 'select analyze_grown() as analyzed' };

/** More are not looked after; see migration 0007. */
const TABLES = 9;

/** Has those tables analyzed that have grown by much, a statement each, and says how many. One statement where none has. */
export async function analyzeGrown(query: Query): Promise<number> {
  for (let analyzed = 0; analyzed < TABLES; analyzed += 1) {
    const [row] = await query.run<{ analyzed: boolean }>(ANALYZE, []);
    if (row?.analyzed !== true) return analyzed;
  }
  return TABLES;
}

/** Looks every two seconds whether tables have grown, after failures less often. The answer stops it. */
export function keepStatistics(query: Query, log: Log): () => Promise<void> {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  let failures = 0;
  const look = async (): Promise<void> => {
    try {
      const analyzed = await analyzeGrown(query);
      failures = 0;
      if (analyzed > 0) log.debug({ analyzed }, 'tables have grown and were analyzed');
    } catch (error) {
      failures = Math.min(failures + 1, MOST_FAILURES);
      log.debug({ error }, 'the planner’s statistics were not looked at');
    }
    if (!stopped) wait();
  };
  const wait = (): void => {
    timer = setTimeout(
      () => {
        looking = look();
      },
      EVERY_MS * 2 ** failures,
    );
    timer.unref();
  };
  wait();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await looking;
  };
}
