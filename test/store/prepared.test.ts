import { expect, test } from 'vitest';
import type { TenantId } from '../../src/core/ids.ts';
import { prepared } from '../../src/store/prepared.ts';

const shapesOf = (tenant: string, count: number) =>
  Array.from({ length: count }, (_, index) =>
    prepared(tenant as TenantId, `${tenant} ${index}`, () => `select '${tenant}', ${index}`),
  );
const isNamed = ({ name }: { readonly name: string | null }) => name !== null;

test('one tenant’s endless shapes are prepared up to its share, and leave the others theirs', () => {
  const hostile = shapesOf('hostile', 500);
  expect(hostile.filter(isNamed)).toHaveLength(40);
  expect(hostile.at(-1)).toEqual({ name: null, text: `select 'hostile', 499` });
  for (const tenant of ['acme', 'globex']) expect(shapesOf(tenant, 20).every(isNamed)).toBe(true);
  // What somebody else asks alike is named already, and costs nobody anything.
  expect(prepared('hostile' as TenantId, 'acme 0', () => 'never written').name).toBe(shapesOf('acme', 1)[0]?.name);
});

test('no name stands for two texts, and all tenants together have no more than two hundred', () => {
  const all = Array.from({ length: 20 }, (_, index) => shapesOf(`tenant${index}`, 30)).flat();
  const named = all.filter(isNamed);
  expect(named.length).toBeGreaterThan(100);
  expect(named.length).toBeLessThanOrEqual(200 - 40 - 40);
  expect(new Set(named.map(({ name }) => name)).size).toBe(named.length);
});
