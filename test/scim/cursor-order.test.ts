// RFC 9865: a cursor of an order that the directory's schema has changed since.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { directoryFields, directoryOf } from '../../src/config-files/directory-fields.ts';
import { type Acme, acme } from '../support/acme.ts';
import {
  type DirectoryClient,
  directoryClient,
  newScimToken,
  type ScimServer,
  scimServer,
  userBody,
} from '../support/scim.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

const urn = 'urn:example:params:scim:schemas:extension:acme:2.0:User';
const types = {
  text: {},
  'exact text': { caseExact: true },
  integer: { type: 'integer' },
  dateTime: { type: 'dateTime' },
  boolean: { type: 'boolean' },
  list: { multiValued: true },
} as const;
type Kind = keyof typeof types;
const kinds = Object.keys(types) as Kind[];

let world: TestWorld;
let tenants: Acme;
let token: string;
const servers: ScimServer[] = [];

beforeEach(async () => {
  world = await testWorld();
  tenants = await acme(world);
  token = await newScimToken(world, tenants.acme, 'okta');
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  await world?.close();
});

/** By a server that has not seen the token yet, and so reads the settings anew. */
async function as(kind: Kind): Promise<DirectoryClient> {
  const schemas = { [urn]: { name: 'Acme', attributes: { floor: types[kind] } } };
  const settings = JSON.stringify(directoryOf(directoryFields.parse({ schemas })));
  await world.sql('update connections set directory = $2 where connection_id = $1', [tenants.okta, settings]);
  const server = await scimServer(world);
  servers.push(server);
  return directoryClient(server, 'acme', 'okta', token);
}
const page = (client: DirectoryClient, cursor: string) =>
  client.get(`/Users?cursor=${cursor}&count=1&sortBy=${encodeURIComponent(`${urn}:floor`)}`);

test('§2.1 is none of the order by an attribute of another type: 400 invalidCursor; of the same type it goes on', async () => {
  const values = {
    text: 'f',
    'exact text': 'F',
    integer: 7,
    dateTime: '2020-01-01T00:00:00Z',
    boolean: true,
    list: ['a'],
  };
  const cursors = new Map<Kind, string>();
  for (const kind of kinds) {
    const client = await as(kind);
    const { status, text } = await client.post(
      '/Users',
      userBody(kind.replace(' ', ''), { [urn]: { floor: values[kind] } }),
    );
    expect(status, text).toBe(201);
    await client.post('/Users', userBody(`${kind.replace(' ', '')}2`, { [urn]: { floor: values[kind] } }));
    cursors.set(kind, (await page(client, '')).body.nextCursor);
  }
  for (const now of kinds) {
    const client = await as(now);
    for (const [then, cursor] of cursors) {
      const { status, body } = await page(client, cursor);
      expect([then, now, status, body.scimType]).toEqual(
        then === now ? [then, now, 200, undefined] : [then, now, 400, 'invalidCursor'],
      );
    }
  }
});
