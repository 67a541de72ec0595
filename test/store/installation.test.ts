import { afterAll, beforeAll, expect, test } from 'vitest';
import { sameInstallation } from '../../src/store/installation.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});
afterAll(() => world?.close());

test('the first master key is the installation’s; another one is refused, and changes nothing', async () => {
  const { global } = world.database;
  expect(await Promise.all([sameInstallation(global, 'right'), sameInstallation(global, 'right')])).toEqual([
    true,
    true,
  ]);
  expect(await sameInstallation(global, 'wrong')).toBe(false);
  expect(await sameInstallation(global, 'right')).toBe(true);
  await expect(global.run({ name: null, text: `update installation set key_check = $1` }, ['wrong'])).rejects.toThrow(
    /permission denied/,
  );
});
