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
import { type FileReport, REPORT_TO, type Report } from '../test/support/report.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const say = (line: string) => process.stdout.write(`${line}\n`);

type Result = { readonly code: number; readonly output: string };

/** Runs a program of node_modules on this very Node; `show` lets its output through as it comes. */
function run(
  file: string,
  args: readonly string[],
  show: boolean,
  env: Readonly<Record<string, string>> = {},
): Promise<Result> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [join(root, 'node_modules', file), ...args], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => child.kill(signal));
    child.once('error', (error) => done({ code: 1, output: error.message }));
    child.once('close', (code) => done({ code: code ?? 1, output }));
  });
}

type Counts = Pick<FileReport, 'passed' | 'failed' | 'skipped'>;

const folder = mkdtempSync(join(tmpdir(), 'drawbridge-report-'));

/** Runs vitest, and gives what it reported. Null: it crashed before. */
async function runTests(args: readonly string[]): Promise<Report | null> {
  const report = join(folder, 'report.json');
  rmSync(report, { force: true });
  const config = ['--config', 'test/vitest.config.ts', '--allowOnly=false'];
  const { code } = await run('vitest/vitest.mjs', ['run', ...config, ...args], true, { [REPORT_TO]: report });
  let read: Report;
  try {
    read = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return null;
  }
  // Vitest may have found fault with more than tests, as with having run none.
  const told = read.homeless > 0 || read.files.some(({ failed }) => failed > 0);
  return code === 0 || told ? read : { ...read, homeless: 1 };
}

/** More are no matter of time. */
const MOST_ONCE_MORE = 20;

/**
 * Where others share the machine, a server that gives up in time may fail a test. So CI plays the files in which one failed again, one
 * after the other and with nothing beside them; what fails there failed.
 */
async function playTests(args: readonly string[]): Promise<Counts> {
  const first = await runTests(args);
  if (first === null) return { passed: 0, failed: 1, skipped: 0 };
  const files = new Map(first.files.map((file) => [file.name, file]));
  let { homeless } = first;
  const again = first.files.filter(({ failed }) => failed > 0).map(({ name }) => name);
  if (process.env.CI !== undefined && again.length > 0 && again.length <= MOST_ONCE_MORE) {
    say('\n== Once more, one file after the other: what failed');
    const second = await runTests([...again, '--maxWorkers=1', '--testTimeout=180000', '--hookTimeout=180000']);
    for (const file of second?.files ?? []) files.set(file.name, file);
    homeless += second?.homeless ?? 0;
  }
  const total = (of: keyof Counts) => [...files.values()].reduce((sum, counts) => sum + counts[of], 0);
  return { passed: total('passed'), failed: total('failed') + homeless, skipped: total('skipped') };
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
