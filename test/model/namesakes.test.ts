import fc from 'fast-check';
import { expect, test } from 'vitest';
import { testWorld } from '../support/world.ts';
import { play } from './namesakes.ts';
import { history } from './namesakes-acts.ts';
import { namesakesStage } from './namesakes-stage.ts';

// With a fixed seed, so that a failure can be played again. A longer run: MODEL_HISTORIES=2000, and another MODEL_SEED.
const HISTORIES = Number(process.env.MODEL_HISTORIES ?? (process.env.CI ? 40 : 12));
const LENGTH = 30;
const SEED = Number(process.env.MODEL_SEED ?? 20_261_123);

test('I1 I3 T121 R21 a suspended person comes in by no name that somebody else has, and nobody is asked about it for ever', {
  timeout: 3_600_000,
}, async () => {
  const world = await testWorld();
  try {
    const stage = await namesakesStage(world);
    let played = 0;
    await fc.assert(
      fc.asyncProperty(history(LENGTH), async (steps) => {
        played += 1;
        await play(stage, `m${played}x`, steps);
      }),
      { seed: SEED, numRuns: HISTORIES },
    );
    expect(played).toBe(HISTORIES);
  } finally {
    await world.close();
  }
});
