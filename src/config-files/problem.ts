// What is wrong in a configuration file, and where: one problem, one place, one sentence.

import type { z } from 'zod';
import type { YamlText } from './yaml-text.ts';

export type ConfigPath = readonly (string | number)[];

/** `found` and `expected` are phrases that complete "is …; expected …". Neither ever repeats a secret. */
export type ConfigProblem = {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly found: string;
  readonly expected: string;
};

/** `tenants/acme.yaml:12:9: rules[2].role is "Editr"; expected a role of this tenant.` */
export function formatProblem(problem: ConfigProblem): string {
  const what = problem.path === '' ? `found ${problem.found}` : `${problem.path} is ${problem.found}`;
  return `${problem.file}:${problem.line}:${problem.column}: ${what}; expected ${problem.expected}.`;
}

/** `rules[2].role`. Keys that are no plain words are quoted. */
function formatPath(path: ConfigPath): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[A-Za-z_][\w-]*$/.test(step)) return `[${quote(step)}]`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}

export function problemAt(
  source: YamlText,
  path: ConfigPath,
  found: string,
  expected: string,
  at: 'value' | 'key' = 'value',
): ConfigProblem {
  return { file: source.file, ...source.locate(path, at), path: formatPath(path), found, expected };
}

// A secret written into a file is a problem to report and not to repeat: reports end in terminals and logs (T113).
const SECRETS: ReadonlySet<string | number> = new Set([
  'clientSecret',
  'databaseUrl',
  'smtpUrl',
  'masterKey',
  'metricsToken',
]);

/** What is at the path, in words. */
export function describe(source: YamlText, path: ConfigPath): string {
  const value = source.at(path);
  if (typeof value === 'string' && path.some((step) => SECRETS.has(step))) return 'a plain text';
  return describeValue(value);
}

function describeValue(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return typeof value === 'string' ? quote(value) : String(value);
}

/** In double quotes, cut after 60 characters, with everything that a terminal might act on escaped (T114). */
export function quote(text: string): string {
  const characters = [...text];
  const cut = characters.length > 60 ? `${characters.slice(0, 60).join('')}…` : text;
  return JSON.stringify(cut).replace(/[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Problems of a value that a schema refused. Each issue's message is its `expected` phrase. */
export function problemsOf(error: z.ZodError, source: YamlText): readonly ConfigProblem[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.filter((step) => typeof step !== 'symbol');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => problemAt(source, [...path, key], 'not known', issue.message, 'key'));
    }
    if (issue.code === 'invalid_key') {
      return [problemAt(source, path, 'not a good name', issue.issues[0]?.message ?? 'another name', 'key')];
    }
    return [problemAt(source, path, describe(source, path), issue.message)];
  });
}
