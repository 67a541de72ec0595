// A Node process that the bench loads and looks into: its CPU time, its memory, the stalls of its event loop.

import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atEnd, runIsOver } from './ending.ts';

export const root = fileURLToPath(new URL('../../', import.meta.url));
const inside = new URL('./inside.ts', import.meta.url).href;
const flags = ['--disable-proto=delete', '--disable-warning=ExperimentalWarning', '--import', inside];

/** What a process can be asked, and what it answers; times in milliseconds. */
export type Answers = {
  readonly usage: { readonly cpuMicros: number; readonly rssBytes: number };
  /** What is left after all that nobody needs was collected. */
  readonly keptBytes: number;
  readonly watchStalls: null;
  readonly stalls: { readonly p50: number; readonly p999: number; readonly max: number };
  readonly startProfile: null;
  readonly endProfile: string;
};
export type Question = keyof Answers;

export type MeasuredProcess = {
  readonly pid: number;
  ask<Q extends Question>(question: Q): Promise<Answers[Q]>;
  stop(): Promise<void>;
};

/**
 * Starts `file` and waits until `isReady` says so; its output goes to a file. Ends with the run. Throws, with the end of that output, where it ends
 * before or is not ready within a minute.
 */
export async function startMeasured(options: {
  readonly file: string;
  readonly args?: readonly string[];
  readonly nodeFlags?: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  readonly isReady: () => Promise<boolean>;
}): Promise<MeasuredProcess> {
  runIsOver.throwIfAborted();
  const child = spawn(
    process.execPath,
    [...flags, ...(options.nodeFlags ?? []), options.file, ...(options.args ?? [])],
    {
      cwd: root,
      env: { NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled'), ...options.env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGINT');
    const forced = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(forced);
  };
  atEnd(stop);
  const output = collect(child, options.logFile);
  for (const start = Date.now(); !(await options.isReady()); await sleep(50)) {
    runIsOver.throwIfAborted();
    if (child.exitCode !== null) throw new Error(`${options.file} did not start:\n${output()}`);
    if (Date.now() - start < 60_000) continue;
    child.kill('SIGKILL');
    throw new Error(`${options.file} is not ready after a minute:\n${output()}`);
  }
  return {
    pid: child.pid ?? 0,
    ask: asker(child, options.file),
    stop,
  };
}

function collect(child: ChildProcess, logFile: string): () => string {
  const log = createWriteStream(logFile, { flags: 'a', mode: 0o600 });
  let end = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      log.write(chunk);
      end = (end + chunk.toString()).slice(-4_000);
    });
  }
  return () => end;
}

function asker(child: ChildProcess, name: string): MeasuredProcess['ask'] {
  let last = 0;
  const waiting = new Map<number, (answer: unknown) => void>();
  child.on('message', ({ id, answer }: { id: number; answer: unknown }) => waiting.get(id)?.(answer));
  return (question) =>
    new Promise((resolve, reject) => {
      last += 1;
      const id = last;
      const gone = () => reject(new Error(`${name} ended while it was measured.`));
      child.once('exit', gone);
      waiting.set(id, (answer) => {
        waiting.delete(id);
        child.off('exit', gone);
        resolve(answer as never);
      });
      child.send({ id, question }, (error) => error !== null && gone());
    });
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
