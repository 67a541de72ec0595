// RFC 7644 §4: what the server says of itself, and to whom.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acme } from '../support/acme.ts';
import { type NewServers, newServers } from '../support/directory-settings.ts';
import { type Body, type DirectoryClient, directory, type ScimServer } from '../support/scim.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

const core = (name: string) => `urn:ietf:params:scim:schemas:core:2.0:${name}`;
const message = (name: string) => `urn:ietf:params:scim:api:messages:2.0:${name}`;

let world: TestWorld;
let servers: NewServers;
let server: ScimServer;
let okta: DirectoryClient;
beforeAll(async () => {
  world = await testWorld();
  const tenants = await acme(world);
  servers = newServers(world);
  server = await servers.server();
  okta = await directory(world, server, tenants.acme, 'okta');
});
afterAll(async () => {
  await servers?.close();
  await world?.close();
});

/** An answer as somebody without a token gets it. */
const stranger = async (method: string, path: string, headers: Readonly<Record<string, string>> = {}) => {
  const response = await fetch(`${server.url}/scim/v2${path}`, { method, headers });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) };
};

describe('§4 what the server says of itself', () => {
  const endpoints = [
    '/ServiceProviderConfig',
    '/ResourceTypes',
    '/Schemas',
    '/ResourceTypes/User',
    `/Schemas/${core('User')}`,
  ];

  test('RFC 7643 §7 every schema that any answer names is described, each attribute with a description', async () => {
    const { body } = await okta.get('/Schemas');
    const described = new Map<string, Body>(body.Resources.map((schema: Body) => [schema.id, schema]));
    const named = new Set<string>();
    for (const path of ['/ServiceProviderConfig', '/ResourceTypes/User', `/Schemas/${core('User')}`]) {
      for (const urn of (await okta.get(path)).body.schemas) named.add(urn);
    }
    for (const { schema, schemaExtensions } of (await okta.get('/ResourceTypes')).body.Resources) {
      for (const urn of [schema, ...schemaExtensions.map((extension: Body) => extension.schema)]) named.add(urn);
    }
    expect([...named].sort()).toEqual([...described.keys()].sort());
    const undescribed = (attributes: Body[], above: string): string[] =>
      attributes.flatMap(({ name, description, subAttributes = [] }) => [
        ...(description === '' || description === undefined ? [above + name] : []),
        ...undescribed(subAttributes, `${above}${name}.`),
      ]);
    for (const [urn, schema] of described) {
      expect((await okta.get(`/Schemas/${urn}`)).body).toEqual(schema);
      expect([urn, ...undescribed(schema.attributes, '')]).toEqual([urn]);
    }
  });

  test('RFC 7643 §8.7.2 is described by its own schema: every attribute that it has, and every one that it has to have', async () => {
    const attributesOf = async (name: string): Promise<Body[]> =>
      (await okta.get(`/Schemas/${core(name)}`)).body.attributes;
    const check = (value: Body, attributes: Body[]): void => {
      const known = new Map(attributes.map((attribute) => [attribute.name, attribute]));
      for (const [name, held] of Object.entries(value)) {
        const attribute = known.get(name);
        expect([name, attribute?.multiValued]).toEqual([name, Array.isArray(held)]);
        if (attribute.type === 'complex')
          for (const one of [held].flat()) check(one, attribute.subAttributes ?? attributes);
        else
          expect([name, [held].flat().every((one) => typeof one === jsonTypes[attribute.type])]).toEqual([name, true]);
      }
      for (const { name, required } of attributes) if (required) expect(Object.keys(value)).toContain(name);
    };
    const jsonTypes: Record<string, string> = {
      string: 'string',
      reference: 'string',
      boolean: 'boolean',
      integer: 'number',
    };
    for (const [name, path] of [
      ['ServiceProviderConfig', '/ServiceProviderConfig'],
      ['ResourceType', '/ResourceTypes/User'],
      ['ResourceType', '/ResourceTypes/Group'],
      ['Schema', `/Schemas/${core('User')}`],
      ['Schema', `/Schemas/${core('ServiceProviderConfig')}`],
    ] as const) {
      const { schemas, meta, ...told } = (await okta.get(path)).body;
      expect([schemas, meta.resourceType]).toEqual([[core(name)], name]);
      check(told, await attributesOf(name));
    }
  });

  test('RFC 7643 §8.7.2 as its errata have it: binary is a type, a part is never complex, extensions are a list (5606, 8415)', async () => {
    const find = (attributes: Body[], name: string): Body => attributes.find((attribute) => attribute.name === name);
    const { attributes } = (await okta.get(`/Schemas/${core('Schema')}`)).body;
    const { subAttributes } = find(attributes, 'attributes');
    const parts = find(subAttributes, 'subAttributes').subAttributes;
    const simple = ['binary', 'boolean', 'dateTime', 'decimal', 'integer', 'reference', 'string'];
    expect(find(subAttributes, 'type').canonicalValues.toSorted()).toEqual([...simple, 'complex'].sort());
    expect(find(parts, 'type').canonicalValues.toSorted()).toEqual(simple);
    const extensions = find((await okta.get(`/Schemas/${core('ResourceType')}`)).body.attributes, 'schemaExtensions');
    expect([extensions.multiValued, extensions.required]).toEqual([true, false]);
  });

  test.each(endpoints)('%s passes over paging, sorting and choosing, and refuses a filter with 403', async (path) => {
    const plain = await okta.get(path);
    const asked = await okta.get(`${path}?startIndex=2&count=0&sortBy=id&sortOrder=descending&attributes=id`);
    expect([plain.status, asked.text]).toEqual([200, plain.text]);
    if (plain.body.meta !== undefined) expect(plain.headers.get('content-location')).toBe(plain.body.meta.location);
    else expect(plain.body.schemas).toEqual([message('ListResponse')]);
    expect((await okta.get(`${path}?filter=${encodeURIComponent('name pr')}`)).status).toBe(403);
  });

  test('RFC 7643 §5 its configuration is told to those who have no token yet, the same for every address', async () => {
    const known = await okta.get('/ServiceProviderConfig');
    const open = await stranger('GET', '/acme/okta/ServiceProviderConfig');
    expect([open.status, open.body]).toEqual([200, known.body]);
    const elsewhere = await stranger('GET', '/nobody/nothing/ServiceProviderConfig');
    const same = ({ headers, ...answer }: typeof open) => ({
      ...answer,
      headers: [...headers.keys()].sort(),
      body: { ...answer.body, meta: null },
    });
    expect(same(elsewhere)).toEqual(same(open));
  });

  test('T53 nothing else is told to them, and a token that is presented is looked at', async () => {
    const path = '/acme/okta/ServiceProviderConfig';
    expect((await stranger('GET', path, { Authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await stranger('GET', path, { Authorization: 'Basic x' })).status).toBe(401);
    for (const method of ['POST', 'PUT', 'DELETE']) expect((await stranger(method, path)).status).toBe(401);
    for (const other of ['Schemas', 'ResourceTypes', 'ServiceProviderConfig/x', 'Users', 'Me', '']) {
      expect([other, (await stranger('GET', `/acme/okta/${other}`)).status]).toEqual([other, 401]);
    }
    expect((await stranger('GET', '/a%22b/okta/ServiceProviderConfig')).status).toBe(401);
  });
});
