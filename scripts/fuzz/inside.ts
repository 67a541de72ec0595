// Loaded before the server under attack: tells, over the channel to the attacker, what only the process itself knows.

import { fuzzedTicks, prototypesNow } from './inside-facts.ts';

const ticks = fuzzedTicks();
process.on('message', ({ id }: { id: number }) => {
  process.send?.({
    id,
    facts: { longestMs: ticks.takeLongest(), prototypes: prototypesNow(), rssBytes: process.memoryUsage.rss() },
  });
});
// Listening must not keep the server from ending.
process.channel?.unref();
