import { expect, test } from 'vitest';
import { rateLimit } from '../src/rate-limit.ts';

test('a key has its tries, waits for the next, and others are not held up by it', () => {
  let now = 0;
  const limit = rateLimit({ tries: 3, perSeconds: 30, now: () => now });
  expect([limit('a'), limit('a'), limit('a')]).toEqual([null, null, null]);
  expect(limit('a')).toBeCloseTo(10);
  expect(limit('b')).toBeNull();
  now = 9_000;
  expect(limit('a')).toBeCloseTo(1);
  now = 10_000;
  expect(limit('a')).toBeNull();
  expect(limit('a')).not.toBeNull();
  now = 10_000_000;
  expect([limit('a'), limit('a'), limit('a')]).toEqual([null, null, null]);
  expect(limit('a')).not.toBeNull();
});

test('memory is bounded: the key unseen longest is forgotten', () => {
  const limit = rateLimit({ tries: 1, perSeconds: 60, keys: 2, now: () => 0 });
  expect(limit('old')).toBeNull();
  expect(limit('seen')).toBeNull();
  expect(limit('old')).not.toBeNull();
  expect(limit('new')).toBeNull();
  expect(limit('old')).not.toBeNull();
  expect(limit('seen')).toBeNull();
});
