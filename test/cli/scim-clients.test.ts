import { afterEach, beforeEach, expect, test } from 'vitest';
import { authenticateDirectory } from '../../src/operations/authenticate-directory.ts';
import { serve } from '../provider/support.ts';
import { acme } from '../support/acme.ts';
import { processEnv, runCommand } from '../support/command-line.ts';
import { type ConfigFolder, configFolder } from '../support/config.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let folder: ConfigFolder;
let server: Awaited<ReturnType<typeof serve>>;
beforeEach(async () => {
  world = await testWorld();
  folder = configFolder();
  await acme(world);
  server = await serve(world);
});
afterEach(async () => {
  await server?.close();
  await world?.close();
  folder?.remove();
});

const cli = (...args: string[]) =>
  runCommand({ ...processEnv(world), DRAWBRIDGE_CONFIG: folder.path, DRAWBRIDGE_PUBLIC_URL: server.origin }, args);
const scimClient = (act: string, ...args: string[]) => cli('scim-client', act, '--tenant', 'acme', ...args);

test('an administrator makes a client for a directory, an identity provider gets a token by what it prints, and ending it ends both', async () => {
  const made = await scimClient('create', '--connection', 'entra', '--json');
  expect([made.code, made.stderr]).toEqual([0, '']);
  const printed = JSON.parse(made.stdout);
  expect(printed).toEqual({
    url: `${server.origin}/scim/v2/acme/entra`,
    tokenEndpoint: `${server.origin}/oidc/token`,
    clientId: expect.stringMatching(/^scim\./),
    clientSecret: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
    expiresAt: expect.any(String),
  });
  const ask = () =>
    fetch(printed.tokenEndpoint, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: printed.clientId,
        client_secret: printed.clientSecret,
      }),
    });
  const { access_token: token } = (await (await ask()).json()) as { access_token: string };
  const opens = () => authenticateDirectory(world.context(), { tenant: 'acme', connection: 'entra' }, token);
  expect(await opens()).toMatchObject({ connectionKey: 'entra' });

  const listed = await scimClient('list');
  expect(listed.stdout).toMatch(/^CLIENT ID +CONNECTION +MADE +LAST USED +UNTIL\n/);
  expect(listed.stdout).toContain(`${printed.clientId}  entra`);
  expect(listed.stdout).not.toContain(printed.clientSecret);
  expect(JSON.parse((await scimClient('list', '--json')).stdout)).toMatchObject([
    { clientId: printed.clientId, connection: 'entra', live: true, lastUsedAt: expect.any(String) },
  ]);
  // Neither a token nor an application.
  for (const command of ['scim-token', 'client']) {
    expect(JSON.parse((await cli(command, 'list', '--tenant', 'acme', '--json')).stdout)).toEqual([]);
  }

  expect((await scimClient('end', '--client-id', printed.clientId)).stdout).toBe(`${printed.clientId} is ended.\n`);
  expect(await opens()).toBeNull();
  expect((await ask()).status).toBe(401);
  const again = await scimClient('end', '--client-id', printed.clientId);
  expect([again.code, again.stdout]).toEqual([1, '']);
  expect(again.stderr).toContain('There is no SCIM client');
});

test('what is printed for a person has each value on its line, and what is wrong is one sentence', async () => {
  const made = await scimClient('create', '--connection', 'okta', '--days', '30');
  expect(made.stdout.split('\n').map((line) => line.split(/ {2,}/)[0])).toEqual([
    'scim url',
    'token endpoint',
    'client_id',
    'client_secret',
    '',
  ]);
  for (const [args, sentence] of [
    [['--connection', 'okta', '--days', '0'], '--days is a whole number from 1 to 3650.'],
    [['--connection', 'nothing'], 'There is no connection "nothing" with SCIM in acme.'],
    [[], '--connection is missing. Usage: scim-client create --tenant T --connection C [--expires 90d | --days N]'],
    [['--connection', 'okta', '--expires', '4000d'], '--expires is 3650d at most.'],
  ] as const) {
    const answer = await scimClient('create', ...args);
    expect([answer.code, answer.stdout, answer.stderr]).toEqual([1, '', `${sentence}\n`]);
  }
});

test('the list says of an expired client that it is', async () => {
  const made = JSON.parse((await scimClient('create', '--connection', 'okta', '--expires', '30m', '--json')).stdout);
  const [, , credential] = made.clientId.split('.');
  await world.sql(`update scim_credentials set expires_at = now() - interval '1 minute' where credential_id = $1`, [
    credential,
  ]);
  const line = (await scimClient('list')).stdout.split('\n').find((one) => one.startsWith(made.clientId));
  expect(line).toMatch(/ \d{4}-\d\d-\d\dT\d\d:\d\dZ \(expired\)$/);
});
