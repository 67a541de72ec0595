// The job queue: jobs come with the changes that need them (enqueue_job) and are done here, inside the server's process.

import { type JobHelpers, type Logger, parseCronItems, Logger as QueueLogger, type Runner, run } from 'graphile-worker';
import type { Log, Query } from '../context.ts';

export type Job = {
  readonly id: string;
  readonly createdAt: number;
  /** Tries so far, this one included. */
  readonly attempts: number;
  /**
   * Adds a job. One that waits under the same key takes the payload in addition (lists are joined) and keeps its time; `delaySeconds`
   * counts for a new one.
   */
  addJob(
    task: string,
    payload: unknown,
    options?: { readonly key?: string; readonly delaySeconds?: number },
  ): Promise<void>;
  /** Statements of the schema's owner: clean-up removes what the server itself may not. */
  readonly owner: Query;
};

/** What a job does, by its name. It may run twice (a crash after the deed), so it must bear that. */
export type Tasks = Readonly<Record<string, (payload: unknown, job: Job) => Promise<void>>>;

export type JobsOptions = {
  /** Of the schema's owner. */
  readonly url: string;
  readonly tasks: Tasks;
  /** Tasks that run by the clock, as crontab patterns in UTC. Once each time over all servers. */
  readonly schedule?: Readonly<Record<string, string>>;
  readonly log: Log;
  readonly pollSeconds?: number;
  readonly concurrency?: number;
};

/**
 * Starts doing jobs. New ones are noticed at once by notification and, where that is cut, by polling; failed ones are tried again
 * with growing waits, 25 times. Where the database goes away it starts again by itself. The answer stops it: the jobs in hand are
 * finished first, the others stay for the next server.
 */
export async function startJobs(options: JobsOptions): Promise<() => Promise<void>> {
  const { log } = options;
  let stopping = false;
  let runner: Runner | undefined;
  let timer: NodeJS.Timeout | undefined;
  let startingAgain: Promise<void> | undefined;
  const start = async (): Promise<void> => {
    const started = await run({
      connectionString: options.url,
      maxPoolSize: (options.concurrency ?? 2) + 2,
      concurrency: options.concurrency ?? 2,
      pollInterval: (options.pollSeconds ?? 2) * 1000,
      noHandleSignals: true,
      // Without batches the queue strikes jobs off without waiting for it, and forgets to when it stops: they would run again.
      preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
      logger: queueLog(log),
      taskList: Object.fromEntries(Object.entries(options.tasks).map(([name, task]) => [name, asTask(task)])),
      parsedCronItems: parseCronItems(
        Object.entries(options.schedule ?? {}).map(([task, match]) => ({ task, match, options: { maxAttempts: 3 } })),
      ),
    });
    runner = started;
    started.promise.catch((error: unknown) => log.error({ error }, 'the job queue stopped')).then(again, again);
  };
  const again = (): void => {
    if (stopping) return;
    timer = setTimeout(() => {
      startingAgain = start().catch(again);
    }, 5_000);
    timer.unref();
  };
  await start();
  return async () => {
    stopping = true;
    clearTimeout(timer);
    await startingAgain;
    await runner?.stop().catch(() => {});
    // The jobs in hand are struck off when the workers have gone.
    await runner?.promise.catch(() => {});
  };
}

function asTask(task: Tasks[string]) {
  return async (payload: unknown, helpers: JobHelpers): Promise<void> => {
    const { job } = helpers;
    await task(payload, {
      id: String(job.id),
      createdAt: new Date(job.created_at).getTime(),
      attempts: job.attempts,
      addJob: async (name, added, { key, delaySeconds } = {}) => {
        await helpers.addJob(name, added, {
          ...(key === undefined ? {} : { jobKey: key, jobKeyMode: 'preserve_run_at' }),
          ...(delaySeconds === undefined ? {} : { runAt: new Date(Date.now() + delaySeconds * 1000) }),
        });
      },
      owner: {
        run: async <Row>(statement: { readonly text: string }, values: readonly unknown[]) =>
          (await helpers.query(statement.text, [...values])).rows as Row[],
      },
    });
  };
}

// Payloads are not logged: a message may carry a one-time link (T113).
function queueLog(log: Log): Logger {
  return new QueueLogger(() => (level, message, meta) => {
    const error = meta && 'error' in meta ? { error: meta.error } : {};
    if (level === 'error') log.error(error, message);
    else if (level === 'warning') log.warn(error, message);
    else log.debug(error, message);
  });
}
