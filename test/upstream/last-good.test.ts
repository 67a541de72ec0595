import { beforeEach, expect, test } from 'vitest';
import type { Instant } from '../../src/core/ids.ts';
import { lastGood } from '../../src/upstream/last-good.ts';

let now = 0;
let loads: string[] = [];
let load: (address: string) => Promise<string>;
beforeEach(() => {
  now = 1_000_000;
  loads = [];
  load = async (address) => `${address} ${loads.length}`;
});
const make = (refuse?: (next: string, held: string) => string | null) =>
  lastGood<string>({
    now: () => now as Instant,
    freshForMs: 600_000,
    retryAfterMs: 60_000,
    capacity: 2,
    load: (address) => {
      loads.push(address);
      return load(address);
    },
    ...(refuse === undefined ? {} : { refuse }),
  });
const down = async () => {
  throw new Error('down');
};

test('a document is fetched once while fresh, also by those who ask at the same time', async () => {
  const cache = make();
  expect(await Promise.all([cache.get('a'), cache.get('a')])).toEqual(['a 1', 'a 1']);
  now += 599_999;
  expect(await cache.get('a')).toBe('a 1');
  now += 1;
  expect(await cache.get('a')).toBe('a 2');
});

test('the last good document serves while the IdP is down, and the IdP is asked once a minute', async () => {
  const cache = make();
  await cache.get('a');
  now += 600_000;
  load = down;
  expect(await cache.get('a')).toBe('a 1');
  expect(cache.fault('a')).toBe('down');
  now += 59_999;
  await cache.get('a');
  expect(loads).toHaveLength(2);
  now += 1;
  await cache.get('a');
  expect(loads).toHaveLength(3);
  load = async () => 'back';
  now += 60_000;
  expect(await cache.get('a')).toBe('back');
  expect(cache.fault('a')).toBeNull();
});

test('without a good document the failure is told, and the next one tries again', async () => {
  const cache = make();
  load = down;
  await expect(cache.get('a')).rejects.toThrow('down');
  load = async () => 'up';
  expect(await cache.get('a')).toBe('up');
});

test('a renewal is made at most once a minute', async () => {
  const cache = make();
  await cache.get('a');
  expect(await cache.renew('a')).toBe('a 1');
  now += 60_000;
  expect(await Promise.all([cache.renew('a'), cache.renew('a')])).toEqual(['a 2', 'a 2']);
  expect(await cache.renew('a')).toBe('a 2');
  expect(loads).toHaveLength(2);
});

test('a refused change leaves the held document in use, however often it is offered (T23)', async () => {
  const cache = make((next) => (next === 'evil' ? 'moved' : null));
  await cache.get('a');
  load = async () => 'evil';
  for (let hour = 0; hour < 48; hour += 1) {
    now += 3_600_000;
    expect(await cache.get('a')).toBe('a 1');
  }
  expect(cache.fault('a')).toBe('moved');
});

test('addresses beyond the capacity push out the one that came first', async () => {
  const cache = make();
  for (const address of ['a', 'b', 'c', 'b', 'a']) await cache.get(address);
  expect(loads).toEqual(['a', 'b', 'c', 'a']);
});
