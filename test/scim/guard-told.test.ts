// Who hears that a directory is paused where nobody administers the tenant by an address: a pause is never silent where one is known.

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Log } from '../../src/context.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { setActive } from '../../src/operations/set-active.ts';
import { type Acme, acme, addUser, changeSettings } from '../support/acme.ts';
import { forgetGuards } from '../support/guard-stage.ts';
import { type DirectoryClient, directory, type ScimServer, scimServer, userBody } from '../support/scim.ts';
import { operator, silent, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
let okta: DirectoryClient;
let warned: object[];
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  await world.sql(
    `update connections set directory = '{"guard":{"people":1,"percent":100,"minutes":60}}' where connection_id = $1`,
    [tenants.okta],
  );
  const log: Log = { ...silent, warn: (facts) => warned.push(facts) };
  server = await scimServer(world, { contextFor: ({ actor }) => ({ ...world.context(actor), log }) });
  okta = await directory(world, server, tenants.acme, 'okta');
});
afterAll(async () => {
  await server?.close();
  await world?.close();
});
beforeEach(async () => {
  warned = [];
  await forgetGuards(world);
  await world.sql('delete from graphile_worker._private_jobs');
  await world.sql('delete from role_grants');
  for (const tenant of [tenants.system, tenants.acme]) await changeSettings(world, tenant, { adminContact: null });
});

let serial = 0;
/** Pauses the directory; to whom mail goes, and how many the log says were told. */
async function pause(): Promise<readonly [readonly unknown[], unknown]> {
  for (const status of [200, 503]) {
    const { id } = (await okta.post('/Users', userBody(`told${++serial}`))).body;
    expect((await okta.patch(`/Users/${id}`, { op: 'replace', path: 'active', value: false })).status).toBe(status);
  }
  const mails = await world.sql<{ to: string }>(
    `select payload ->> 'to' as to from graphile_worker._private_jobs where payload ->> 'template' = 'directory_paused' order by 1`,
  );
  const [facts] = warned as { told: number }[];
  return [mails.map(({ to }) => to), facts?.told];
}
const contact = (tenant: keyof Pick<Acme, 'system' | 'acme'>, adminContact: string) =>
  changeSettings(world, tenants[tenant], { adminContact });

test('the tenant’s own contact, where it is an address', async () => {
  await contact('system', 'operator@example.com');
  await contact('acme', ' IT@acme.example');
  expect(await pause()).toEqual([['it@acme.example'], 1]);
});

test('the nearest one above, where the tenant has none or a web page', async () => {
  await contact('system', 'operator@example.com');
  expect(await pause()).toEqual([['operator@example.com'], 1]);
});

test('a web page is no address; of one above, either', async () => {
  await contact('acme', 'https://acme.example/help');
  expect(await pause()).toEqual([[], 0]);
  expect(await world.sql('select 1 from directory_guards where paused_at is not null')).toHaveLength(1);
});

test('nobody but the administrators, where there is one with an address who is not barred', async () => {
  await contact('acme', 'it@acme.example');
  const email = `admin${++serial}@acme.example`;
  const userId = await addUser(world, tenants.acme, email);
  const person = { tenantId: tenants.acme.tenantId, userId };
  const subject = { subjectId: userId, kind: 'user', person } as const;
  await assignRole(world.context(), tenants.acme, subject, 'Admin', operator);
  expect(await pause()).toEqual([[email], 1]);
  // The failing twin.
  await forgetGuards(world);
  await world.sql('delete from graphile_worker._private_jobs');
  await setActive(world.context(), tenants.acme, subject, false, null);
  warned = [];
  expect(await pause()).toEqual([['it@acme.example'], 1]);
});
