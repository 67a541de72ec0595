import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Browser, Page } from '../../scripts/browser.ts';
import { type Application, newBrowser, startApplication, type Tokens } from '../../scripts/demo/application.ts';
import { cli, freePort, type Installation, installationIn, startServer } from '../../scripts/demo/processes.ts';
import { testDatabase } from '../support/database.ts';

let folder: string;
let database: Awaited<ReturnType<typeof testDatabase>>;
let installation: Installation;
let server: Awaited<ReturnType<typeof startServer>>;
let application: Application;
const password = 'Correct-Horse7';

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'drawbridge-first-'));
  database = await testDatabase();
  const made = await installationIn(folder);
  // No tenants of its own: the folder is empty.
  const env = {
    ...made.env,
    DATABASE_URL: database.url,
    DRAWBRIDGE_MASTER_KEY: Buffer.alloc(32, 7).toString('base64'),
  };
  installation = { ...made, env: { ...env, DRAWBRIDGE_CONFIG: undefined } };
  server = await startServer(installation);
  application = await startApplication(await freePort());
});
afterEach(async () => {
  application?.close();
  await server?.stop();
  await database?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What the page of the printed link says to an address and this password. */
async function enter(browser: Browser, chosen: string): Promise<Page> {
  const page = await browser.open(String(server.firstLink));
  const fields = page.forms[0]?.fields.map((field) => field.name) ?? [];
  const names = fields.filter((name) => !['token', 'email'].includes(name));
  return browser.submit(page, {
    email: 'root@example.com',
    ...Object.fromEntries(names.map((name) => [name, chosen])),
  });
}

test('D8 R45 T84 the first administrator sets an address and a password by the printed link, once, and signs in with them', {
  timeout: 120_000,
}, async () => {
  const browser = newBrowser();
  const link = String(server.firstLink);
  expect(link).toMatch(/^http:\/\/localhost:\d+\/t\/system\/invitation\/[\w-]{43}$/);
  for (let look = 0; look < 3; look += 1) expect((await newBrowser().open(link)).status).toBe(200);
  expect((await enter(browser, 'short')).status).toBe(422);
  const done = await enter(browser, password);
  expect(done.status, done.text).toBe(200);
  const again = await newBrowser().open(link);
  expect(again.status).toBeGreaterThanOrEqual(400);

  const client = await cli<{ issuer: string; clientId: string; clientSecret: string }>(
    installation,
    'client',
    'create',
    '--tenant',
    'system',
    '--name',
    'App',
    '--redirect-uri',
    application.redirectUri,
    '--resource',
    application.resource,
  );
  await application.connect(client.issuer, client.clientId, client.clientSecret);
  const start = await application.authorize(browser);
  const method = await browser.submit(start.page, { email: 'Root@Example.com' });
  const passwordForm = method.forms.findIndex((form) => form.fields.some((field) => field.name === 'password'));
  const wrong = await browser.submit(method, { password: 'Wrong-Horse77' }, { form: passwordForm });
  expect(wrong.text).not.toContain('root@example.com does not');
  const form = wrong.forms.findIndex((one) => one.fields.some((field) => field.name === 'password'));
  const landed = await browser.submit(wrong, { password }, { form });
  const arrived = await application.arrive(
    start,
    landed.links.length > 0 && landed.forms.length === 0 && !landed.url.href.startsWith(application.redirectUri)
      ? await browser.click(landed, 'Continue')
      : landed,
  );
  expect('page' in arrived ? arrived.page.text : 'arrived').toBe('arrived');
  expect((arrived as Tokens).access).toMatchObject({
    tenant_id: 'system',
    home_tenant_id: 'system',
    allowed_tenants: ['system'],
    roles: ['Administration: Administrator', 'Administration: TenantManagement'],
  });
});

test('R2 R9 a tenant made by the command line is empty, invite-only and active; the last owner cannot be suspended (D12)', {
  timeout: 120_000,
}, async () => {
  expect((await enter(newBrowser(), password)).status).toBe(200);
  expect(await cli(installation, 'tenant', 'create', '--tenant', 'north', '--name', 'North')).toMatchObject({
    id: 'north',
    parent: 'system',
  });
  await expect(cli(installation, 'tenant', 'create', '--tenant', 'north')).rejects.toThrow(
    'The Tenant ID north is taken',
  );
  await expect(cli(installation, 'tenant', 'create', '--tenant', 'admin')).rejects.toThrow('reserved word');
  await expect(
    cli(installation, 'user', 'suspend', '--tenant', 'system', '--user', 'root@example.com'),
  ).rejects.toThrow('keeps one active owner');
  await expect(
    cli(installation, 'user', 'deactivate', '--tenant', 'system', '--user', 'root@example.com'),
  ).rejects.toThrow('keeps one active owner');
  await expect(cli(installation, 'user', 'show', '--tenant', 'nowhere', '--user', 'x')).rejects.toThrow(
    'There is no tenant nowhere.',
  );
  await expect(cli(installation, 'bootstrap')).rejects.toThrow('has set a password already');
});
