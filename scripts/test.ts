/**
 * `npm test`: lint and format, types, then all tests; `npm test -- test/core` narrows the tests alone.
 *
 * The last line is `N passed, M failed`, counting tests; a failed step before them counts as one. Steps run on after a
 * failure, so that one run says everything.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const say = (line: string) => process.stdout.write(`${line}\n`);

type Result = { readonly code: number; readonly output: string };

/** Runs a program of node_modules on this very Node; `show` lets its output through as it comes. */
function run(file: string, args: readonly string[], show: boolean): Promise<Result> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [join(root, 'node_modules', file), ...args], {
      cwd: root,
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => child.kill(signal));
    child.once('error', (error) => done({ code: 1, output: error.message }));
    child.once('close', (code) => done({ code: code ?? 1, output }));
  });
}

type Report = {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
};
type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** Of each test file, from vitest's own report. Null: there is none, for it crashed. */
function countFiles(report: string): ReadonlyMap<string, Counts> | null {
  let read: Report;
  try {
    read = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return null;
  }
  return new Map(read.testResults.map((file) => [file.name, countTests(file)]));
}

function countTests({ status, assertionResults }: Report['testResults'][number]): Counts {
  const counted = (...wanted: readonly string[]) =>
    assertionResults.filter((result) => wanted.includes(result.status)).length;
  const failed = counted('failed');
  // A file that could not even be loaded failed once.
  const unloaded = status === 'failed' && failed === 0 ? 1 : 0;
  const [passed, skipped] = [counted('passed'), counted('pending', 'skipped', 'todo', 'disabled')];
  return { passed, failed: failed + unloaded, skipped };
}

const folder = mkdtempSync(join(tmpdir(), 'drawbridge-report-'));

/** Runs vitest; `code` tells of more than failed tests, as an error that no test caught. */
async function runTests(args: readonly string[]) {
  const report = join(folder, 'report.json');
  rmSync(report, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const { code } = await run(
    'vitest/vitest.mjs',
    ['run', '--config', 'test/vitest.config.ts', '--allowOnly=false', ...reporters, ...args],
    true,
  );
  return { code, files: countFiles(report) };
}

const failedFiles = (files: ReadonlyMap<string, Counts>) =>
  [...files].filter(([, { failed }]) => failed > 0).map(([name]) => name);

/** More are no matter of time. */
const MOST_ONCE_MORE = 20;

/**
 * Where others share the machine, a server that gives up in time may fail a test. So CI plays the files in which one failed again, one
 * after the other and with nothing beside them; what fails there failed.
 */
async function playTests(args: readonly string[]): Promise<Counts> {
  const first = await runTests(args);
  if (first.files === null) return { passed: 0, failed: 1, skipped: 0 };
  const files = new Map(first.files);
  let { code } = first;
  const again = failedFiles(files);
  if (process.env.CI !== undefined && again.length > 0 && again.length <= MOST_ONCE_MORE) {
    say('\n== Once more, one file after the other: what failed');
    const second = await runTests([...again, '--maxWorkers=1', '--testTimeout=180000', '--hookTimeout=180000']);
    for (const [name, counts] of second.files ?? []) files.set(name, counts);
    if (second.files !== null) code = second.code;
  }
  const total = (of: keyof Counts) => [...files.values()].reduce((sum, counts) => sum + counts[of], 0);
  const failed = total('failed');
  return { passed: total('passed'), failed: failed === 0 && code !== 0 ? 1 : failed, skipped: total('skipped') };
}

const steps = [
  { name: 'Lint and format (Biome)', file: '@biomejs/biome/bin/biome', args: ['check', '--error-on-warnings', '.'] },
  { name: 'Types (tsc)', file: 'typescript/bin/tsc', args: ['--noEmit', '-p', '.'] },
];
const checks = await Promise.all(steps.map(async (step) => ({ ...step, ...(await run(step.file, step.args, false)) })));
for (const { name, code, output } of checks) {
  say(`\n== ${name}: ${code === 0 ? 'ok' : 'FAILED'}`);
  if (code !== 0) say(output.trimEnd());
}

say('\n== Tests (vitest)');
const tests = await playTests(process.argv.slice(2));
rmSync(folder, { recursive: true, force: true });

const failedChecks = checks.filter((check) => check.code !== 0);
const failed = tests.failed + failedChecks.length;
for (const { name } of failedChecks) say(`failed: ${name}`);
if (tests.skipped > 0) say(`${tests.skipped} skipped`);
say(`${tests.passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
