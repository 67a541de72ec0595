// What the server says of itself (RFC 7643 §5-7, RFC 7644 §4). Nothing is advertised that does not work: what the router can do
// is an argument, what the schema has comes from the schema.

import { CURSOR_SECONDS } from './cursor.ts';
import { type DirectorySchemas, directorySchemas } from './directory-schemas.ts';
import { DEFAULT_COUNT, listResponse, MAX_COUNT } from './list.ts';
import { type AttributeDefinition, findSchema, nameKey, type ResourceSchema, type Schema } from './schema.ts';
import { configUrn, resourceTypeUrn, schemaUrn, serviceSchemas } from './service-schemas.ts';

export type Features = {
  /** Limits of /Bulk, or null where it is not served. */
  readonly bulk: { readonly maxOperations: number; readonly maxPayloadSize: number } | null;
  readonly sort: boolean;
};

/** /ServiceProviderConfig as JSON text. */
export function serviceProviderConfig(baseUrl: string, features: Features): string {
  return JSON.stringify({
    schemas: [configUrn],
    patch: { supported: true },
    bulk: { supported: features.bulk !== null, ...(features.bulk ?? { maxOperations: 0, maxPayloadSize: 0 }) },
    filter: { supported: true, maxResults: MAX_COUNT },
    changePassword: { supported: false },
    sort: { supported: features.sort },
    etag: { supported: true },
    // RFC 9865 §4.
    pagination: {
      cursor: true,
      index: true,
      defaultPaginationMethod: 'index',
      defaultPageSize: DEFAULT_COUNT,
      maxPageSize: MAX_COUNT,
      cursorTimeout: CURSOR_SECONDS,
    },
    authenticationSchemes: [
      {
        type: 'oauthbearertoken',
        name: 'OAuth Bearer Token',
        description: 'A token of this directory, in the Authorization header.',
        specUri: 'https://www.rfc-editor.org/info/rfc6750',
        primary: true,
      },
      {
        type: 'oauth2',
        name: 'OAuth 2.0 Client Credentials',
        description:
          'An access token that a client of this directory got at the token endpoint, in the Authorization header.',
        specUri: 'https://www.rfc-editor.org/info/rfc6749',
        primary: false,
      },
    ],
    meta: { resourceType: 'ServiceProviderConfig', location: `${baseUrl}/ServiceProviderConfig` },
  });
}

const standard = directorySchemas([]);
const resourcesOf = ({ user, group }: DirectorySchemas): readonly ResourceSchema[] => [user, group];

/** /ResourceTypes as JSON text. */
export function resourceTypes(baseUrl: string, of = standard): string {
  const all = resourcesOf(of).map((resource) => JSON.stringify(describeResource(resource, baseUrl)));
  return listResponse(all, { totalResults: all.length, startIndex: 1 });
}

/** /ResourceTypes/{id} as JSON text, or null where there is none of that id. */
export function resourceType(id: string, baseUrl: string, of = standard): string | null {
  const found = resourcesOf(of).find((resource) => resource.resource === id);
  return found === undefined ? null : JSON.stringify(describeResource(found, baseUrl));
}

function describeResource({ resource, core, extensions }: ResourceSchema, baseUrl: string): object {
  return {
    schemas: [resourceTypeUrn],
    id: resource,
    name: resource,
    endpoint: `/${resource}s`,
    description: core.description,
    schema: core.id,
    schemaExtensions: extensions
      .values()
      .map((extension) => ({ schema: extension.id, required: false }))
      .toArray(),
    meta: { resourceType: 'ResourceType', location: `${baseUrl}/ResourceTypes/${resource}` },
  };
}

/** /Schemas as JSON text: those of resources first, which is what most look for. */
export function schemas(baseUrl: string, of = standard): string {
  const ofResources = resourcesOf(of).flatMap(({ core, extensions }) => [core, ...extensions.values()]);
  const all = [...ofResources, ...serviceSchemas.values()].map((schema) =>
    JSON.stringify(describeSchema(schema, baseUrl)),
  );
  return listResponse(all, { totalResults: all.length, startIndex: 1 });
}

/** /Schemas/{urn} as JSON text, or null where there is none of that URN. */
export function schemaByUrn(urn: string, baseUrl: string, of = standard): string | null {
  for (const resource of resourcesOf(of)) {
    const found = findSchema(resource, urn);
    if (found !== undefined) return JSON.stringify(describeSchema(found, baseUrl));
  }
  const ofService = serviceSchemas.get(nameKey(urn));
  return ofService === undefined ? null : JSON.stringify(describeSchema(ofService, baseUrl));
}

function describeSchema({ id, name, description, attributes }: Schema, baseUrl: string): object {
  return {
    schemas: [schemaUrn],
    id,
    name,
    description,
    attributes: describeAll(attributes),
    meta: { resourceType: 'Schema', location: `${baseUrl}/Schemas/${id}` },
  };
}

/** Attributes that are never returned are ignored here, and so not offered: no password is taken from a directory (T41). */
function describeAll(attributes: ReadonlyMap<string, AttributeDefinition>): readonly object[] {
  return attributes
    .values()
    .filter((attribute) => attribute.returned !== 'never')
    .map(describeAttribute)
    .toArray();
}

function describeAttribute(attribute: AttributeDefinition): object {
  const { subAttributes, canonicalValues, referenceTypes, caseExact, uniqueness, ...rest } = attribute;
  const isText = rest.type === 'string' || rest.type === 'reference' || rest.type === 'binary';
  return {
    ...rest,
    ...(isText ? { caseExact } : {}),
    ...(rest.type === 'complex' || rest.type === 'boolean' ? {} : { uniqueness }),
    ...(canonicalValues.length > 0 ? { canonicalValues } : {}),
    ...(referenceTypes.length > 0 ? { referenceTypes } : {}),
    ...(subAttributes.size > 0 ? { subAttributes: describeAll(subAttributes) } : {}),
  };
}
