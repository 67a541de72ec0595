// What tests of schemas that a directory's settings declare begin with: okta with one of users and one of groups, and people who have
// all that it declares.

import { directoryFields, directoryOf } from '../../src/config-files/directory-fields.ts';
import type { ConnectionId } from '../../src/core/ids.ts';
import { type Acme, acme } from './acme.ts';
import { newServers } from './directory-settings.ts';
import { type Answer, type Body, type DirectoryClient, directory, newScimToken, userBody } from './scim.ts';
import { userSchemaUrn } from './urns.ts';
import { type TestWorld, testWorld } from './world.ts';

export const urn = 'urn:example:params:scim:schemas:extension:acme:2.0:User';
export const groupUrn = 'urn:example:acme:1.0:Group';

export const declared = {
  [urn]: {
    name: 'Acme',
    description: 'What Acme knows of people',
    attributes: {
      badge: { required: true },
      'cost-center_2': { caseExact: true, canonicalValues: ['A1', 'B2'] },
      remote: { type: 'boolean' },
      weight: { type: 'decimal' },
      floor: { type: 'integer' },
      hiredAt: { type: 'dateTime' },
      homepage: { type: 'reference' },
      key: { type: 'binary' },
      number: { mutability: 'immutable' },
      secret: { returned: 'request' },
      always: { returned: 'always' },
      tags: { multiValued: true },
      desk: {
        type: 'complex',
        subAttributes: {
          room: { required: true },
          seat: { type: 'integer' },
          serial: { mutability: 'immutable' },
          $ref: { type: 'reference' },
        },
      },
      cars: {
        type: 'complex',
        multiValued: true,
        subAttributes: { value: {}, type: {}, primary: { type: 'boolean' }, plate: { mutability: 'immutable' } },
      },
    },
  },
  [groupUrn]: {
    resource: 'Group',
    name: 'AcmeGroup',
    attributes: {
      owner: { caseExact: true },
      level: { type: 'integer' },
      labels: { multiValued: true },
      origin: { mutability: 'immutable' },
    },
  },
};
export const full = {
  badge: 'B-7',
  'cost-center_2': 'A1',
  remote: true,
  weight: 71.5,
  floor: 3,
  hiredAt: '2020-02-29T08:00:00+01:00',
  homepage: 'https://acme.example/~b',
  key: 'AQID',
  number: 'n-1',
  always: 'here',
  tags: ['a', 'b'],
  desk: { room: 'R1', seat: 4, serial: 's-1', $ref: 'https://acme.example/desks/4' },
  cars: [{ value: 'VW', type: 'work', primary: true, plate: 'AC-1' }],
};
export type Declared = Record<string, unknown>;
export const settings = (schemas: Declared) => directoryOf(directoryFields.parse({ schemas }));

export const refusedAs = (answer: Answer) => [answer.status, answer.body?.scimType ?? null];

export type SchemasStage = {
  readonly world: TestWorld;
  readonly tenants: Acme;
  readonly okta: DirectoryClient;
  readonly entra: DirectoryClient;
  /** The directory with other settings, by a server that has never seen the old ones. */
  withSchemas(schemas: Declared, connection?: ConnectionId): Promise<DirectoryClient>;
  /** A name that nobody has. */
  fresh(): string;
  /** A new user with this extension, or with all of it. */
  made(client: DirectoryClient, extension?: Body): Promise<Body>;
  /** Ids of what a filter finds. */
  found(filter: string, resource?: 'Users' | 'Groups'): Promise<readonly string[]>;
  close(): Promise<void>;
};

export async function schemasStage(): Promise<SchemasStage> {
  const world = await testWorld();
  const tenants = await acme(world);
  const servers = newServers(world);
  const token = await newScimToken(world, tenants.acme, 'okta');
  const withSchemas: SchemasStage['withSchemas'] = async (schemas, connection = tenants.okta) => {
    await world.sql('update connections set directory = $2 where connection_id = $1', [
      connection,
      JSON.stringify(settings(schemas)),
    ]);
    return servers.of('okta', token);
  };
  const okta = await withSchemas(declared);
  const entra = await directory(world, await servers.server(), tenants.acme, 'entra');
  let serial = 0;
  const fresh = () => `person${++serial}`;
  return {
    world,
    tenants,
    okta,
    entra,
    withSchemas,
    fresh,
    async made(client, extension = full) {
      const body = userBody(fresh(), { schemas: [userSchemaUrn, urn], [urn]: extension });
      const answer = await client.post('/Users', body);
      if (answer.status !== 201) throw new Error(answer.text);
      return answer.body;
    },
    found: async (filter, resource = 'Users') =>
      (await okta.get(`/${resource}?filter=${encodeURIComponent(filter)}`)).body.Resources.map(({ id }: Body) => id),
    async close() {
      await servers.close();
      await world.close();
    },
  };
}
