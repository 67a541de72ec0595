import fc from 'fast-check';
import { expect, test } from 'vitest';
import { testWorld } from '../support/world.ts';
import { play, steps } from './history.ts';
import { realSystem } from './system.ts';

// Commands over all histories, with a fixed seed, so that a failure can be played again; CI plays more than a developer waits for.
// A longer run: MODEL_COMMANDS=100000.
const COMMANDS = Number(process.env.MODEL_COMMANDS ?? (process.env.CI ? 5_200 : 1_200));
const LENGTH = 40;
const SEED = Number(process.env.MODEL_SEED ?? 20_261_122);

test('R22 I1 I2 I3 I4 I7 I11 I18 hold over random histories of real operations', { timeout: 900_000 }, async () => {
  let played = 0;
  const history = fc.array(steps, { minLength: LENGTH, maxLength: LENGTH });
  await fc.assert(
    fc.asyncProperty(history, async (given) => {
      const world = await testWorld();
      try {
        await play(await realSystem(world), given);
        played += given.length;
      } finally {
        await world.close();
      }
    }),
    { seed: SEED, numRuns: Math.ceil(COMMANDS / LENGTH), endOnFailure: true },
  );
  expect(played).toBeGreaterThanOrEqual(Math.min(COMMANDS, 5_000));
});
