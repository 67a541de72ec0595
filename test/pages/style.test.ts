import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const css = readFileSync(new URL('../../src/pages/style.css', import.meta.url), 'utf8');
const [light, dark] = [...css.matchAll(/:root \{([^}]+)\}/g)].map(([, body]) =>
  Object.fromEntries(
    [...(body ?? '').matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name, value]),
  ),
);

/** WCAG 2.2, relative luminance and contrast ratio. */
function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5]
    .map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

describe.each([
  ['light', light],
  ['dark', dark],
])('%s colours meet WCAG 2.2 AA', (_mode, colours) => {
  test.each([
    ['text', 'card', 4.5],
    ['text', 'back', 4.5],
    ['text', 'notice-back', 4.5],
    ['text', 'fault-back', 4.5],
    ['quiet', 'card', 4.5],
    ['accent', 'card', 4.5],
    ['accent-strong', 'card', 4.5],
    ['on-accent', 'accent', 4.5],
    ['on-accent', 'accent-strong', 4.5],
    ['fault', 'card', 4.5],
    ['fault', 'fault-back', 4.5],
    ['field-edge', 'card', 3],
    ['focus', 'card', 3],
  ] as const)('%s on %s, at least %d : 1', (front, behind, least) => {
    const [a, b] = [colours?.[front], colours?.[behind]];
    if (a === undefined || b === undefined) throw new Error(`no colour ${front} or ${behind}`);
    expect(contrast(a, b)).toBeGreaterThanOrEqual(least);
  });
});

test('every colour that is used has a name in both modes', () => {
  const used = new Set([...css.matchAll(/var\(--([\w-]+)\)/g)].map(([, name]) => name));
  for (const name of used) {
    expect(light).toHaveProperty([name as string]);
    expect(dark).toHaveProperty([name as string]);
  }
});
