// The judge of the suites that others wrote: nothing fails in silence.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { explained } from '../../scripts/interop/explained.ts';
import { type Explained, type Found, judge } from '../../scripts/interop/verdict.ts';

const suite = { name: 'suite', atLeast: 1 };
const found = (check: string, outcome: Found['outcome']): Found => ({ check, outcome, detail: 'detail' });
const known: Explained = { suite: 'suite', check: 'a', outcome: 'failed', because: 'RFC 7644 §3.5.2' };

test('a failed check and a skipped one both count against us', () => {
  const verdict = judge(suite, [found('a', 'passed'), found('b', 'failed'), found('c', 'skipped')], []);
  expect(verdict.passed).toBe(1);
  expect(verdict.failed.map(({ check }) => check)).toEqual(['b', 'c']);
});

test('an explanation holds for one suite, one check and one outcome', () => {
  expect(judge(suite, [found('a', 'failed')], [known]).failed).toEqual([]);
  for (const other of [found('a', 'skipped'), found('b', 'failed')]) {
    expect(judge(suite, [other, found('z', 'passed')], [known]).failed.map(({ check }) => check)).toContain(
      other.check,
    );
  }
  expect(judge({ ...suite, name: 'other' }, [found('a', 'failed')], [known]).failed).toHaveLength(1);
});

test('an explanation of what no longer fails has to go', () => {
  expect(judge(suite, [found('a', 'passed')], [known]).failed).toHaveLength(1);
  expect(judge(suite, [found('b', 'passed')], [known]).failed).toHaveLength(1);
});

test('a suite that stops early, or uses a name twice, has failed', () => {
  expect(judge({ ...suite, atLeast: 2 }, [found('a', 'passed')], []).failed).toHaveLength(1);
  expect(judge(suite, [found('a', 'passed'), found('a', 'passed')], []).failed).toHaveLength(1);
});

test('docs/interop.md counts what is explained', () => {
  const page = readFileSync(fileURLToPath(new URL('../../docs/interop.md', import.meta.url)), 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z0-9-]+)` \| \d+ \| (\d+) \| 0 \|$/gm)];
  const counted = Object.fromEntries(rows.map(([, name, count]) => [name, Number(count)]));
  expect(Object.keys(counted).length).toBeGreaterThan(5);
  for (const [name, count] of Object.entries(counted)) {
    expect(count, name).toBe(explained.filter((each) => each.suite === name).length);
  }
  for (const each of explained) expect(Object.keys(counted)).toContain(each.suite);
});

test('each explanation names a section of the standard and is in docs/interop.md, whose versions are those that are installed', () => {
  const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
  const page = read('docs/interop.md');
  for (const { check, because } of explained) {
    expect(because).toMatch(/RFC \d{4} §/);
    expect(page).toContain(check);
  }
  const python = read('scripts/interop/python/requirements.txt');
  for (const name of ['scim2-tester', 'scim2-client', 'scim2-models', 'scim-sanity']) {
    const version = new RegExp(`^${name}==(\\S+)`, 'm').exec(python)?.[1];
    expect(page).toContain(`\`${name}\` ${version}`);
  }
  const pom = read('scripts/interop/java/pom.xml');
  for (const name of ['scim2-sdk-client', 'scim-sdk-client']) {
    const version = new RegExp(`<artifactId>${name}</artifactId>\\s*<version>([^<]+)`).exec(pom)?.[1];
    expect(page).toContain(`\`${name}\` ${version}`);
  }
  expect(page).toContain(`\`scimmy\` ${JSON.parse(read('package.json')).dependencies.scimmy}`);
});

test('every package comes in one version, and from PyPI only with its hash', () => {
  const folder = new URL('../../scripts/interop/', import.meta.url);
  const requirements = readFileSync(new URL('python/requirements.txt', folder), 'utf8');
  const entries = requirements.split(/\n(?=\S)/).filter((entry) => !entry.startsWith('#') && entry.trim() !== '');
  expect(entries.length).toBeGreaterThan(10);
  for (const entry of entries) expect(entry).toMatch(/^[a-z0-9-]+==[^\s]+ \\\n {4}--hash=sha256:/);
  expect(readdirSync(new URL('java', folder))).toContain('pom.xml');
  expect(readFileSync(new URL('java/pom.xml', folder), 'utf8')).not.toMatch(
    /<version>[^<]*(\[|\(|LATEST|RELEASE|SNAPSHOT)/,
  );
});
