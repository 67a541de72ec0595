import { expect, test } from 'vitest';
import { forgetOldest, remember } from '../../src/core/recent.ts';

test('no more are remembered than there is room for: who was not seen for longest is forgotten first', () => {
  const map = new Map<string, number>();
  for (const [at, key] of ['a', 'b', 'c', 'a', 'd'].entries()) remember(map, 3, key, at);
  expect([...map]).toEqual([
    ['c', 2],
    ['a', 3],
    ['d', 4],
  ]);
});

test('whoever is put while there is room makes nobody go', () => {
  const map = new Map([['a', 1]]);
  remember(map, 2, 'b', 2);
  remember(map, 2, 'a', 3);
  expect([...map]).toEqual([
    ['b', 2],
    ['a', 3],
  ]);
});

test('many too many go at once', () => {
  const map = new Map(Array.from({ length: 10 }, (_, index) => [index, null]));
  forgetOldest(map, 2);
  expect([...map.keys()]).toEqual([8, 9]);
  forgetOldest(map, 2);
  expect(map.size).toBe(2);
});
