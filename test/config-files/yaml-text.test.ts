import { describe, expect, test } from 'vitest';
import { formatProblem, quote } from '../../src/config-files/problem.ts';
import { readYamlText } from '../../src/config-files/yaml-text.ts';
import { cpuTime } from '../support/cpu-time.ts';

const refusal = (text: string) => {
  const result = readYamlText('x.yaml', text);
  return result.kind === 'refused' ? formatProblem(result.problem) : result.yaml.value;
};
const read = (text: string) => {
  const result = readYamlText('x.yaml', text);
  if (result.kind === 'refused') throw new Error(formatProblem(result.problem));
  return result.yaml;
};

test('values are what the core schema says, nothing older', () => {
  const { value } = read('a: yes\nb: 010\nc: 2001-01-01\nd: ~\ne: 1_000\nf: true\ng: 0x10\nh:\n');
  expect(value).toEqual({ a: 'yes', b: 10, c: '2001-01-01', d: null, e: '1_000', f: true, g: 16, h: null });
});

test('every value, key and missing value has a place', () => {
  const yaml = read('a:\n  - b: 1\n    "c d": [x, {y: z}]\n  - &n { k: v }\n  - *n\n');
  expect(yaml.locate(['a', 0, 'b'])).toEqual({ line: 2, column: 8 });
  expect(yaml.locate(['a', 0, 'c d'], 'key')).toEqual({ line: 3, column: 5 });
  expect(yaml.locate(['a', 0, 'c d', 1, 'y'])).toEqual({ line: 3, column: 20 });
  expect(yaml.locate(['a', 0, 'missing'])).toEqual({ line: 2, column: 5 });
  expect(yaml.locate(['a', 2, 'k'])).toEqual({ line: 4, column: 13 });
  expect(yaml.at(['a', 2, 'k'])).toBe('v');
});

test('an empty text is nothing, and has a place too', () => {
  expect(read('').value).toBeNull();
  expect(read('# only a comment\n').locate(['a'])).toEqual({ line: 1, column: 1 });
});

describe('T111: hostile YAML is refused with its place', () => {
  test.each([
    ['a: 1\nb: 2\na: 3\n', 'x.yaml:3:1: found the key "a" a second time; expected each key once.'],
    ['a: { b: 1, b: 2 }\n', 'x.yaml:1:12: found the key "b" a second time; expected each key once.'],
    ['a: &x { b: 1 }\nc:\n  <<: *x\n', 'x.yaml:3:3: found a merge key; expected the keys themselves.'],
    ['a: !!js/function "x"\n', 'x.yaml:1:18: found a tag; expected a plain value without "!".'],
    ['a: !!str 5\n', 'x.yaml:1:10: found a tag; expected a plain value without "!".'],
    ['a: !!binary aGk=\n', 'x.yaml:1:13: found a tag; expected a plain value without "!".'],
    ['a:\n  __proto__: { admin: true }\n', 'x.yaml:2:3: found a name that may not be a key; expected another name.'],
    ['"__proto__": 1\n', 'x.yaml:1:1: found a name that may not be a key; expected another name.'],
    ['constructor: 1\n', 'x.yaml:1:1: found a name that may not be a key; expected another name.'],
    ['? [a, b]\n: 1\n', 'x.yaml:1:3: found a key that is no text; expected valid YAML.'],
    ['a: 1\n---\nb: 2\n', 'x.yaml:2:1: found a second document; expected valid YAML.'],
    ['a: *nobody\n', 'x.yaml:1:4: found an alias without its anchor; expected an anchor further up.'],
    ['a: "open\n', 'x.yaml:2:1: found a quote, bracket, comma or colon that is missing; expected valid YAML.'],
    ['a:\n  b: 1\n c: 2\n', 'x.yaml:3:1: found a line with the wrong indentation; expected valid YAML.'],
    [
      'a: b: c\n',
      'x.yaml:1:4: found a mapping inside a one-line value (a text with ": " needs quotes); expected valid YAML.',
    ],
    ['a: @b\n', 'x.yaml:1:4: found a text that needs quotes; expected valid YAML.'],
  ])('%j', (text, problem) => {
    expect(refusal(text)).toBe(problem);
  });

  test('an alias bomb', () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) =>
        `l${i}: &l${i} [${Array(10)
          .fill(i === 0 ? 'lol' : `*l${i - 1}`)
          .join(', ')}]`,
    );
    expect(refusal(levels.join('\n'))).toMatch(/found too many aliases; expected at most 100 in a file\.$/);
  });

  test('an alias inside its own anchor', () => {
    expect(refusal('a: &a [*a]\n')).toMatch(/^x\.yaml:1:\d+: found /);
  });

  const size = 1 << 20;
  test.each([
    [
      'flow lists',
      '['.repeat(size),
      'x.yaml:1:21: found lists or mappings nested too deeply; expected at most 20 levels.',
    ],
    [
      'flow mappings',
      '{a: '.repeat(size / 4),
      'x.yaml:1:81: found lists or mappings nested too deeply; expected at most 20 levels.',
    ],
    ['block lists', '- '.repeat(size / 4), /nested too deeply|too much/],
    ['block mappings', Array.from({ length: 1000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), /nested too deeply/],
    ['a million keys', Array.from({ length: 90_000 }, (_, i) => `k${i}: 1`).join('\n'), /found too much for one file/],
    ['empty list items', '-\n'.repeat(size / 2), /found too much for one file/],
    ['a wall of commas', `[${','.repeat(79_000)}`, /expected valid YAML/],
    ['a wall of brackets', '}'.repeat(79_000), /expected valid YAML/],
    ['a wall of anchors', `a: ${'&a '.repeat(39_000)}`, /expected valid YAML/],
    ['more than 1 MB', `a: ${'x'.repeat(size)}`, 'x.yaml:1:1: found more than 1 MB; expected a smaller file.'],
  ])('%s, within a second', (_, text, problem) => {
    const worked = cpuTime();
    if (typeof problem === 'string') expect(refusal(text)).toBe(problem);
    else expect(refusal(text)).toMatch(problem);
    expect(worked()).toBeLessThan(1_000);
  });

  test('and an honest file of two thousand lines is read', () => {
    const rule = '  - { connection: okta, group: { name: Editors }, role: "Analytics: Editor" }\n';
    expect((read(`rules:\n${rule.repeat(2_000)}`).at(['rules']) as unknown[]).length).toBe(2_000);
  });
});

test('T114: what a terminal might act on is escaped in a problem', () => {
  expect(quote('a\u001b[31m\r\n\u202eb\u009b')).toBe('"a\\u001b[31m\\r\\n\\u202eb\\u009b"');
  expect(quote('x'.repeat(100))).toBe(`"${'x'.repeat(60)}…"`);
});
