// Loaded before the program of a measured process: answers, over the channel to the bench, what only the process itself knows.

import { Session } from 'node:inspector/promises';
import { percentile } from './client.ts';
import type { Answers, Question } from './measured-process.ts';

const PING_EVERY_MS = 10;
let pings: NodeJS.Timeout | undefined;
/** What a ping every 10 ms would have waited: of a stall of 95 ms nine of them see something. */
let waits: number[] = [];
const session = new Session();
const answers: { readonly [Q in Question]: () => Promise<Answers[Q]> | Answers[Q] } = {
  usage: () => {
    const { user, system } = process.cpuUsage();
    return { cpuMicros: user + system, rssBytes: process.memoryUsage.rss() };
  },
  // What a leak adds to. The memory itself goes up and down by what nobody has looked through yet.
  keptBytes: async () => {
    session.connect();
    await session.post('HeapProfiler.collectGarbage');
    session.disconnect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  },
  watchStalls: () => {
    waits = [];
    let due = performance.now() + PING_EVERY_MS;
    pings = setInterval(() => {
      for (const now = performance.now(); due <= now; due += PING_EVERY_MS) waits.push(now - due);
    }, 1);
    return null;
  },
  stalls: () => {
    clearInterval(pings);
    const sorted = waits.sort((a, b) => a - b);
    return { p50: percentile(sorted, 0.5), p999: percentile(sorted, 0.999), max: percentile(sorted, 1) };
  },
  startProfile: async () => {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 500 });
    await session.post('Profiler.start');
    return null;
  },
  endProfile: async () => {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    return JSON.stringify(profile);
  },
};

process.on('message', async ({ id, question }: { id: number; question: Question }) => {
  process.send?.({ id, answer: await answers[question]() });
});
// The bench was killed outright.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
// Listening must not keep the program from ending.
process.channel?.unref();
