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
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
};

/** Counts from vitest's own report. A file that could not even be loaded failed once; a crash without a report, too. */
function count(file: string, code: number): { passed: number; failed: number; skipped: number } {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const unloaded = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && assertionResults.every((result) => result.status !== 'failed'),
  ).length;
  const failed = report.numFailedTests + unloaded;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
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
const folder = mkdtempSync(join(tmpdir(), 'drawbridge-report-'));
const report = join(folder, 'report.json');
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const { code } = await run(
  'vitest/vitest.mjs',
  ['run', '--config', 'test/vitest.config.ts', '--allowOnly=false', ...reporters, ...process.argv.slice(2)],
  true,
);
const tests = count(report, code);
rmSync(folder, { recursive: true, force: true });

const failedChecks = checks.filter((check) => check.code !== 0);
const failed = tests.failed + failedChecks.length;
for (const { name } of failedChecks) say(`failed: ${name}`);
if (tests.skipped > 0) say(`${tests.skipped} skipped`);
say(`${tests.passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
