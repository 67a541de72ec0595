// The command line against a server that runs: no address is given, as an administrator would.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runCommand } from '../support/command-line.ts';
import { type Flow, startFlow } from './servers.ts';

let flow: Flow;
beforeEach(async () => {
  flow = await startFlow();
});
afterEach(() => flow?.close());

const cli = async (...args: string[]) => runCommand(await flow.envOfAnother(), args);

const output = () => flow.servers[0]?.output() ?? '';
/**
 * The requests of a tenant's directories that the server says it has answered since `begun`: those of a known token, which
 * have a path.
 */
const answeredTo = (tenant: string, begun: number): readonly string[] =>
  output()
    .slice(begun)
    .split('\n')
    .filter((line) => line.includes('"msg":"scim"'))
    .map((line) => JSON.parse(line))
    .filter((line) => line.tenant === tenant && line.path !== undefined)
    .map((line) => line.requestId);

test('the doctor finds nothing wrong; a replay leaves its calls out, and plays the same of another client as it went', async () => {
  await flow.world.sql(`update connections set directory = $1 where key = 'okta'`, [
    JSON.stringify({ requestLog: { days: 1, bodyHours: 1 } }),
  ]);
  await flow.world.sql('truncate scim_requests, scim_request_bodies');
  const begun = output().length;
  const visit = await cli('scim', 'doctor', '--tenant', 'acme', '--directory', 'okta');
  expect(visit).toMatchObject({ code: 0, stderr: '' });
  expect(visit.stdout).toContain(`acme/okta at ${flow.publicUrl}/scim/v2/acme/okta\n`);
  expect(visit.stdout).toMatch(/^(\d+) calls: \1 ok, 0 wrong, 0 skipped\.$/m);

  // What is in memory still is written a moment later.
  const kept = async () => {
    const rows = await flow.world.sql<{ id: string }>('select request_id as id from scim_requests');
    return new Set(rows.map(({ id }) => id));
  };
  await vi.waitFor(
    async () => {
      const [answered, written] = [answeredTo('acme', begun), await kept()];
      expect(answered.length).toBeGreaterThan(0);
      expect(answered.filter((id) => !written.has(id))).toEqual([]);
    },
    { timeout: 30_000, interval: 100 },
  );
  const replay = () =>
    cli('scim', 'replay', '--tenant', 'acme', '--connection', 'okta', '--into', 'acme-again', '--since', '1h');
  const leftOut = await replay();
  expect(leftOut).toMatchObject({ code: 0, stderr: '' });
  expect(leftOut.stdout).toMatch(/^(\d+) requests: \1 left out\.$/m);

  // The same from somebody else is what an identity provider sends.
  await flow.world.sql(`update scim_requests set user_agent = 'Okta SCIM Client 1.0.0'`);
  const played = await replay();
  expect(played.stderr).toBe('');
  expect(played.stdout).toMatch(/^(\d+) requests: \1 the same\.$/m);
  expect(played.stdout).toContain('There before: nothing.\n');
  expect(played.code).toBe(0);
});
