// The clock that requests are served by, under a test: it goes on only when it is told to.

import type { Context } from '../../src/context.ts';
import type { Instant } from '../../src/core/ids.ts';
import type { TestWorld } from './world.ts';

export type StillClock = { readonly contextFor: (caller: Context['caller']) => Context; goOn(ms: number): void };

export function stillClock(world: TestWorld): StillClock {
  let at = Date.now();
  return {
    contextFor: ({ actor }) => ({ ...world.context(actor), now: () => at as Instant }),
    goOn(ms) {
      at += ms;
    },
  };
}
