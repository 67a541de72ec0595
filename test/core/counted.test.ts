import { expect, test } from 'vitest';
import { counted } from '../../src/core/counted.ts';

test('a count agrees with its noun, or its verb', () => {
  expect([0, 1, 2].map((count) => counted(count, 'hour'))).toEqual(['0 hours', '1 hour', '2 hours']);
  expect([0, 1, 2].map((count) => counted(count, 'person gains', 'people gain'))).toEqual([
    '0 people gain',
    '1 person gains',
    '2 people gain',
  ]);
});
