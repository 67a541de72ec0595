// What the bench's figures stand on. That it runs as a whole is seen by running it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GROUP_SIZES, jobsFor } from '../../scripts/bench/jobs.ts';
import { readOptions } from '../../scripts/bench/options.ts';
import { hottest } from '../../scripts/bench/profile.ts';
import { judged } from '../../scripts/bench/report.ts';
import { writer } from '../../scripts/bench/traffic.ts';
import { begun } from '../support/begun.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const scripts = join(root, 'scripts/bench/pgbench');
const filled = {
  users: 10_000,
  groups: new Map(GROUP_SIZES.map((size) => [size, `group-${size}`])),
  bulkOperations: 3,
};

test('a part that nobody knows is refused with the names of those that are', () => {
  expect(() => readOptions(['--only', 'create,gte'])).toThrow(/"gte"; it knows create, get/);
  expect(() => readOptions(['--users', '12'])).toThrow(/whole number from 20000/);
});

test('a quick run stays at ten thousand users, a full one grows to a million', () => {
  const sizesOf = (args: readonly string[]) => {
    const options = readOptions(args);
    return options === 'help' ? [] : options.sizes;
  };
  expect(sizesOf(['--quick'])).toEqual([10_000]);
  expect(sizesOf([])).toEqual([10_000, 1_000_000]);
});

test('no two requests that create carry the same number, and path and body of one carry the same', () => {
  const next = writer({
    method: 'POST',
    path: '/x/{n}',
    body: '{"a":"{n}","b":"{nx}"}',
    pool: 1,
    from: 7,
    status: 201,
  });
  expect([next(), next()]).toEqual([
    { path: '/x/7', body: '{"a":"7","b":"000000000007"}' },
    { path: '/x/8', body: '{"a":"8","b":"000000000008"}' },
  ]);
});

test('numbers that are drawn stay within the pool', () => {
  const next = writer({ method: 'GET', path: '/{r}', body: null, pool: 3, from: 1, status: 200 });
  const drawn = new Set(Array.from({ length: 200 }, () => next().path));
  expect([...drawn].sort()).toEqual(['/1', '/2', '/3']);
});

test('every job sends what JSON can hold, also a bulk request with numbers of its own in each operation', () => {
  for (const job of jobsFor(filled)) {
    const { body } = writer(job.traffic(filled, 1))();
    if (body !== null) expect(() => JSON.parse(body), job.name).not.toThrow();
  }
  const bulk = jobsFor(filled).find((job) => job.part === 'bulk');
  const { Operations } = JSON.parse((bulk && writer(bulk.traffic(filled, 1))().body) ?? '{}') as {
    Operations: { bulkId: string; data: { userName: string } }[];
  };
  expect(Operations.map(({ bulkId }) => bulkId)).toEqual(['b1', 'b2', 'b3']);
  expect(new Set(Operations.map(({ data }) => data.userName)).size).toBe(3);
});

test('bulk is measured only where the server advertises it', () => {
  const parts = (bulkOperations: number) => jobsFor({ ...filled, bulkOperations }).map(({ part }) => part);
  expect(parts(0)).not.toContain('bulk');
  expect(parts(100)).toContain('bulk');
});

test('each limit is a script of one statement, with every variable that it names', () => {
  const used = new Set<string>();
  for (const job of jobsFor(filled)) {
    const { script, variables } = job.limit(filled, 1);
    const text = readFileSync(join(scripts, `${script}.sql`), 'utf8');
    const given = new Set(['tenant', 'connection', 'clients', 'client_id', 'i', ...Object.keys(variables)]);
    for (const [, name = ''] of text.matchAll(/^\\set (\w+)/gm)) given.add(name);
    const named = [...text.matchAll(/(?<![:\w]):([a-z_]\w*)/g)].map(([, name = '']) => name);
    expect(
      named.filter((name) => !given.has(name)),
      script,
    ).toEqual([]);
    expect(text.match(/;$/gm), script).toHaveLength(1);
    used.add(`${script}.sql`);
  }
  expect(readdirSync(scripts).sort()).toEqual([...used].sort());
});

test('a bar is missed by the side that it is on', () => {
  expect(judged(0.29, { least: 0.3 }).met).toBe(false);
  expect(judged(0.3, { least: 0.3 }).met).toBe(true);
  expect(judged(101, { most: 100 }, ' ms')).toEqual({ ratio: '101 ms', bar: '≤ 100 ms', met: false });
  expect(judged(1, null).met).toBeNull();
});

test('a profile’s shares are those of the busy time', () => {
  const frame = (functionName: string, url = '') => ({ callFrame: { functionName, url, lineNumber: 4 } });
  const profile = {
    nodes: [
      { id: 1, ...frame('(idle)') },
      { id: 2, ...frame('encode', 'file:///srv/src/scim/meta.ts') },
      { id: 3, ...frame('') },
    ],
    samples: [1, 2, 3, 2],
    timeDeltas: [1000, 30, 10, 60],
  };
  expect(hottest(JSON.stringify(profile), 5)).toEqual([' 90.0 %  encode  src/scim/meta.ts:5', ' 10.0 %  (anonymous)']);
});

describe('what a run has started ends with it', () => {
  const program = `
    import { writeFileSync } from 'node:fs';
    import { atEnd, endOnSignals } from './scripts/bench/ending.ts';
    import { startMeasured } from './scripts/bench/measured-process.ts';
    const [file, log] = process.argv.slice(1);
    writeFileSync(file, 'setInterval(() => {}, 1_000)');
    endOnSignals();
    atEnd(async () => process.stdout.write('ended '));
    const { pid } = await startMeasured({ file, env: process.env, logFile: log, isReady: async () => true });
    process.stdin.once('data', () => { throw new Error('crashed'); });
    process.stdout.write(pid + ' ');`;
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'drawbridge-ending-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test.each([
    ['SIGINT', 130, 'ended '],
    ['SIGTERM', 143, 'ended '],
    ['SIGHUP', 129, 'ended '],
    ['a crash', 1, 'ended '],
    ['SIGKILL', null, ''],
  ] as const)('by %s, to its process alone', async (how, code, said) => {
    const args = ['--input-type=module', '-e', program, join(folder, 'wait.mjs'), join(folder, 'log')];
    const run = spawn(process.execPath, args, { cwd: root, stdio: ['pipe', 'pipe', 'ignore'] });
    const ended = begun(once(run, 'close'));
    let output = '';
    run.stdout.on('data', (chunk) => (output += chunk));
    await expect.poll(() => output, { timeout: 20_000 }).toMatch(/^\d+ $/);
    const pid = Number(output);
    if (how === 'a crash') run.stdin.write('now');
    else {
      run.kill(how);
      // Told twice, as by npm.
      if (how !== 'SIGKILL') run.kill(how);
    }
    expect((await ended)[0]).toBe(code);
    expect(output).toBe(`${pid} ${said}`);
    await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
