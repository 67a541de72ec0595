// The command line against a server that runs: no address is given, as an administrator would.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Flow, startFlow } from './servers.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
let flow: Flow;
beforeAll(async () => {
  flow = await startFlow();
}, 90_000);
afterAll(() => flow?.close());

async function cli(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const env = { PATH: process.env.PATH ?? '', ...(await flow.envOfAnother()) };
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--disable-proto=delete', main, ...args], { env });
    const out = { stdout: '', stderr: '' };
    child.stdout.on('data', (data: Buffer) => (out.stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (out.stderr += data.toString()));
    child.on('close', (code) => resolve({ code, ...out }));
  });
}

test('the doctor finds nothing wrong, and what it did can be played again into a tenant made for it', async () => {
  await flow.world.sql(`update connections set directory = $1 where key = 'okta'`, [
    JSON.stringify({ requestLog: { days: 1, bodyHours: 1 } }),
  ]);
  const visit = await cli('scim', 'doctor', '--tenant', 'acme', '--directory', 'okta');
  expect(visit).toMatchObject({ code: 0, stderr: '' });
  expect(visit.stdout).toContain(`acme/okta at ${flow.publicUrl}/scim/v2/acme/okta\n`);
  expect(visit.stdout).toMatch(/^(\d+) calls: \1 ok, 0 wrong, 0 skipped\.$/m);

  // What is in memory still is written a moment later.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const played = await cli(
    'scim',
    'replay',
    '--tenant',
    'acme',
    '--connection',
    'okta',
    '--into',
    'acme-again',
    '--since',
    '1h',
  );
  expect(played.stderr).toBe('');
  expect(played.stdout).toMatch(/^(\d+) requests: \1 the same\.$/m);
  expect(played.stdout).toContain('There before: nothing.\n');
  expect(played.code).toBe(0);
}, 60_000);
