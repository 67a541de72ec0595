import { expect, test } from 'vitest';
import { encodeMeta, isoInstant } from '../../src/scim/meta.ts';
import { randomOf } from '../flow/random.ts';

const DAY = 86_400_000;

test('RFC 7643 §2.3.5 a moment is written as the standard’s own dateTime, to the millisecond, whatever the day', () => {
  const edges = [
    0,
    1,
    999,
    1_000,
    59_999,
    60_000,
    3_599_999,
    DAY - 1,
    DAY,
    Date.UTC(2024, 1, 29),
    Date.UTC(2099, 11, 31),
  ];
  const random = randomOf(1);
  const others = Array.from({ length: 5_000 }, () => random(2 ** 32) * 955 + random(955));
  for (const instant of [...edges, ...others]) expect(isoInstant(instant)).toBe(new Date(instant).toISOString());
});

test('RFC 7643 §3.1 meta says when a resource was made and changed, where it is, and its version as an entity tag', () => {
  const row = { version: 7, createdAt: 1_000 as never, lastModifiedAt: DAY as never };
  expect(JSON.parse(encodeMeta('User', row, '"https://x.example/Users/1"'))).toEqual({
    resourceType: 'User',
    created: '1970-01-01T00:00:01.000Z',
    lastModified: '1970-01-02T00:00:00.000Z',
    location: 'https://x.example/Users/1',
    version: 'W/"7"',
  });
});
