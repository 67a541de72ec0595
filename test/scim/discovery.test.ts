import { expect, test } from 'vitest';
import { resourceType, resourceTypes, schemaByUrn, schemas, serviceProviderConfig } from '../../src/scim/discovery.ts';
import { enterpriseUserUrn, findAttribute, userSchema } from '../../src/scim/schema.ts';
import { groupSchemaUrn, userSchemaUrn } from '../support/urns.ts';

const baseUrl = 'https://id.example/scim/v2/acme/okta';

test('ServiceProviderConfig says what works and nothing else (RFC 7643 §5)', () => {
  const config = JSON.parse(serviceProviderConfig(baseUrl, { bulk: null, sort: false }));
  expect(config).toMatchObject({
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig'],
    patch: { supported: true },
    bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
    filter: { supported: true, maxResults: 200 },
    changePassword: { supported: false },
    sort: { supported: false },
    etag: { supported: true },
    meta: { resourceType: 'ServiceProviderConfig', location: `${baseUrl}/ServiceProviderConfig` },
  });
  expect(config.authenticationSchemes.map(({ type, primary }: Record<string, unknown>) => [type, primary])).toEqual([
    ['oauthbearertoken', true],
    ['oauth2', false],
  ]);
  for (const scheme of config.authenticationSchemes) {
    expect(scheme).toMatchObject({ name: expect.any(String), description: expect.any(String) });
  }
  const more = JSON.parse(
    serviceProviderConfig(baseUrl, { bulk: { maxOperations: 5, maxPayloadSize: 9 }, sort: true }),
  );
  expect(more).toMatchObject({
    bulk: { supported: true, maxOperations: 5, maxPayloadSize: 9 },
    sort: { supported: true },
  });
});

test('ResourceTypes are User and Group, in a list and one by one (RFC 7643 §6)', () => {
  const list = JSON.parse(resourceTypes(baseUrl));
  expect(list).toMatchObject({ totalResults: 2, itemsPerPage: 2, startIndex: 1 });
  expect(list.Resources.map(({ id, endpoint }: { id: string; endpoint: string }) => [id, endpoint])).toEqual([
    ['User', '/Users'],
    ['Group', '/Groups'],
  ]);
  const user = JSON.parse(resourceType('User', baseUrl) ?? 'null');
  expect(user).toEqual(list.Resources[0]);
  expect(user).toMatchObject({
    schema: userSchemaUrn,
    schemaExtensions: [{ schema: enterpriseUserUrn, required: false }],
    meta: { resourceType: 'ResourceType', location: `${baseUrl}/ResourceTypes/User` },
  });
  for (const id of ['Device', '__proto__', 'constructor', 'user']) expect(resourceType(id, baseUrl)).toBeNull();
});

test('Schemas describe every attribute that works, without a null and in the standard order of words (RFC 7643 §7)', () => {
  const text = schemas(baseUrl);
  expect(text).not.toContain('null');
  const list = JSON.parse(text);
  const ids = list.Resources.map(({ id }: { id: string }) => id);
  const ofService = ['ServiceProviderConfig', 'ResourceType', 'Schema'];
  expect(ids.slice(3)).toEqual(ofService.map((name) => `urn:ietf:params:scim:schemas:core:2.0:${name}`));
  expect(ids.slice(0, 3)).toEqual([userSchemaUrn, enterpriseUserUrn, groupSchemaUrn]);
  const [user] = list.Resources;
  expect(user.meta).toEqual({ resourceType: 'Schema', location: `${baseUrl}/Schemas/${userSchemaUrn}` });
  const named = (name: string) => user.attributes.find((attribute: { name: string }) => attribute.name === name);
  expect(named('userName')).toMatchObject({
    type: 'string',
    required: true,
    caseExact: false,
    mutability: 'readWrite',
    returned: 'default',
    uniqueness: 'server',
  });
  expect(named('groups').mutability).toBe('readOnly');
  expect(named('emails').subAttributes.map(({ name }: { name: string }) => name)).toEqual([
    'value',
    'display',
    'type',
    'primary',
  ]);
  for (const attribute of user.attributes) expect(findAttribute(userSchema, attribute.name)).toBeDefined();
});

test('a password is not offered, since none is taken from a directory (T41)', () => {
  expect(schemas(baseUrl)).not.toContain('"password"');
});

test('a schema is found by its URN in any case, and by nothing else (T43)', () => {
  expect(JSON.parse(schemaByUrn(enterpriseUserUrn.toLowerCase(), baseUrl) ?? 'null').id).toBe(enterpriseUserUrn);
  for (const urn of ['urn:x', '__proto__', 'constructor', '']) expect(schemaByUrn(urn, baseUrl)).toBeNull();
});
