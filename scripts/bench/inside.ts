// Loaded before the program of a measured process: answers, over the channel to the bench, what only the process itself knows.

import { Session } from 'node:inspector/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Answers, Question } from './measured-process.ts';

const RESOLUTION_MS = 2;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
const session = new Session();
const ms = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);

const answers: { readonly [Q in Question]: () => Promise<Answers[Q]> | Answers[Q] } = {
  usage: () => {
    const { user, system } = process.cpuUsage();
    return { cpuMicros: user + system, rssBytes: process.memoryUsage.rss() };
  },
  watchStalls: () => {
    delay.reset();
    delay.enable();
    return null;
  },
  stalls: () => {
    delay.disable();
    return { p50: ms(delay.percentile(50)), p999: ms(delay.percentile(99.9)), max: ms(delay.max) };
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
// Listening must not keep the program from ending.
process.channel?.unref();
