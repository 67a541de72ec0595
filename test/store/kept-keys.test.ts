import { expect, test } from 'vitest';
import { keptKeys } from '../../src/store/kept-keys.ts';

type Kept = { busy: boolean };
const kept = () =>
  keptKeys<Kept>(
    () => ({ busy: false }),
    ({ busy }) => !busy,
  );

test('what a key has stays its own, also while nobody is at it', () => {
  const of = kept();
  const one = of('one');
  for (let index = 0; index < 4_000; index += 1) of(`other ${index}`);
  expect(of('one')).toBe(one);
});

test('T48 of keys without end only those are kept that somebody is at', () => {
  const of = kept();
  const [busy, idle] = [of('busy'), of('idle')];
  busy.busy = true;
  for (let index = 0; index < 12_000; index += 1) of(`other ${index}`);
  expect(of('busy')).toBe(busy);
  expect(of('idle')).not.toBe(idle);
});
