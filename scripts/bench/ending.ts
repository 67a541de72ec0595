// The end of a run, however it comes: when all is measured, by a signal, by a crash. What was started is ended, the last first.

import { constants } from 'node:os';

const open: (() => Promise<unknown>)[] = [];
let ending: Promise<void> | undefined;
const over = new AbortController();

/** Aborted as soon as the run ends: what has no way to be ended is given this. */
export const runIsOver: AbortSignal = over.signal;

/** Has something ended with the run. To be called before it is waited for: a signal does not wait. */
export function atEnd(close: () => Promise<unknown>): void {
  open.push(close);
}

/** Ends all of it, once. */
export function endRun(): Promise<void> {
  ending ??= (async () => {
    over.abort();
    for (let close = open.pop(); close !== undefined; close = open.pop()) await close().catch(() => {});
  })();
  return ending;
}

/** Ends the run, and then this process, on the signals by which processes are ended, and on an error that nobody caught. */
export function endOnSignals(): void {
  // A second signal changes nothing: `npm` and `timeout` tell a process and its group, and cut short it would leave a database behind.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => void endRun().then(() => process.exit(128 + constants.signals[signal])));
  for (const fault of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(fault, (error: unknown) => {
      // Once: where the terminal is gone, saying it fails as well.
      if (ending === undefined) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      void endRun().then(() => process.exit(1));
    });
}
