// What one tenant's directories may take of the room for long requests, however many they are.

import { type ClientRequest, request } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Acme, acme } from '../support/acme.ts';
import { type DirectoryClient, directory, type ScimServer, scimServer } from '../support/scim.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

const MB = 1024 * 1024;

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
let globex: DirectoryClient;
const ofAcme: DirectoryClient[] = [];
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  server = await scimServer(world);
  globex = await directory(world, server, tenants.globex, 'okta');
  for (const key of ['third', 'fourth', 'fifth'])
    await world.sql(
      `insert into connections (tenant_id, connection_id, key, display_name, scim) values ($1, gen_random_uuid(), $2, $2, true)`,
      [tenants.acme.tenantId, key],
    );
  for (const key of ['okta', 'entra', 'third', 'fourth', 'fifth'])
    ofAcme.push(await directory(world, server, tenants.acme, key));
});
afterAll(async () => {
  await server?.close();
  await world?.close();
});

const open = new Set<ClientRequest>();

/** Announces so much, sends `sent` of it and no more. What it is answered, if anything. */
async function stalled(
  client: DirectoryClient,
  path: string,
  announced: number | null,
  sent: number,
): Promise<{ readonly answered: Promise<number> }> {
  const headers = {
    authorization: `Bearer ${client.token}`,
    'content-type': 'application/scim+json',
    ...(announced === null ? {} : { 'content-length': announced }),
  };
  const asked = request(`${server.url}${new URL(client.base).pathname}${path}`, { method: 'POST', headers });
  open.add(asked);
  const answered = new Promise<number>((resolve) => {
    asked.on('response', (response) => resolve(response.resume().statusCode ?? 0));
    asked.on('error', () => resolve(0));
  });
  asked.flushHeaders();
  const gone = new Promise<void>((resolve) => {
    if (sent > 0) asked.write(Buffer.alloc(sent, ' '), () => resolve());
    else resolve();
  });
  await Promise.race([gone, answered]);
  return { answered };
}
/** The status, or null where it is still being listened to after a moment. */
const heard = async (...given: Parameters<typeof stalled>): Promise<number | null> => {
  const { answered } = await stalled(...given);
  return Promise.race([answered, new Promise<null>((resolve) => setTimeout(() => resolve(null), 400))]);
};
/** The status, however long it takes. */
const told = async (...given: Parameters<typeof stalled>): Promise<number> => (await stalled(...given)).answered;
async function hangUp(): Promise<void> {
  for (const one of open) one.destroy();
  open.clear();
  await new Promise((resolve) => setTimeout(resolve, 200));
}
afterEach(hangUp);
const bulkOf = (client: DirectoryClient) =>
  client.post('/Bulk', { schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'], Operations: [] });

test('T48 of bulks, announced and never sent: the fifth is 429, and other tenants go on', async () => {
  const statuses = [];
  for (const client of ofAcme.slice(0, 4)) statuses.push(await heard(client, '/Bulk', 4 * MB, 0));
  statuses.push(await told(ofAcme[4] as DirectoryClient, '/Bulk', 4 * MB, 0));
  expect(statuses).toEqual([null, null, null, null, 429]);
  expect((await bulkOf(ofAcme[4] as DirectoryClient)).status).toBe(429);
  expect((await bulkOf(globex)).status).not.toBe(429);
  expect(await heard(globex, '/Bulk', 4 * MB, 0)).toBeNull();
  await hangUp();
  expect((await bulkOf(ofAcme[4] as DirectoryClient)).status).not.toBe(429);
});

test('T49 of long bodies: what is over twenty megabytes is 429, and other tenants go on', async () => {
  const statuses = [];
  for (const client of ofAcme.slice(0, 2)) statuses.push(await heard(client, '/Groups', null, 9 * MB));
  statuses.push(await told(ofAcme[2] as DirectoryClient, '/Groups', null, 9 * MB));
  expect(statuses).toEqual([null, null, 429]);
  expect(await heard(globex, '/Groups', null, 9 * MB)).toBeNull();
  await hangUp();
  expect(await heard(ofAcme[2] as DirectoryClient, '/Groups', null, 9 * MB)).toBeNull();
  await hangUp();
});
