// A connection keeps what it prepared by name: a second text under the same name is refused there, whichever comes later.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const src = join(import.meta.dirname, '../../src');
/** Names of statements, which have their text beside them. */
const NAMED = /\bname: '([a-z0-9_]+)',\s*text\b/g;

const namesIn = (text: string): readonly string[] => [...text.matchAll(NAMED)].map(([, name]) => name as string);
const twice = (names: readonly string[]): readonly string[] => names.filter((name, at) => names.indexOf(name) !== at);

test('no two statements have one name', () => {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const names = files.flatMap((file) => namesIn(readFileSync(join(src, file), 'utf8')));
  expect(names.length).toBeGreaterThan(60);
  expect(twice(names)).toEqual([]);
});

test('the twin: a name that is given twice is found', () => {
  const text = `const ONE = { name: 'found', text: 'select 1' };\nconst TWO = {\n  name: 'found',\n  text: \`select 2\`,\n};`;
  expect(twice(namesIn(text))).toEqual(['found']);
});
