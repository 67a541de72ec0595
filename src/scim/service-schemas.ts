// The schemas of what the server says of itself (RFC 7643 §5-7, §8.7.2, with its errata; RFC 9865 §4): every URN that an answer names
// has one (§7). Nothing of them can be written, filtered or pushed.

import { type AttributeDefinition, type AttributeType, mapByName, nameKey, type Schema } from './schema.ts';

export const configUrn = 'urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig';
export const resourceTypeUrn = 'urn:ietf:params:scim:schemas:core:2.0:ResourceType';
export const schemaUrn = 'urn:ietf:params:scim:schemas:core:2.0:Schema';

type Traits = Partial<Omit<AttributeDefinition, 'name' | 'type' | 'description' | 'subAttributes'>>;

function one(name: string, type: AttributeType, description: string, traits: Traits = {}): AttributeDefinition {
  return {
    name,
    type,
    multiValued: false,
    caseExact: type === 'reference',
    mutability: 'readOnly',
    returned: 'default',
    required: false,
    uniqueness: 'none',
    description,
    canonicalValues: [],
    referenceTypes: [],
    subAttributes: new Map(),
    ...traits,
  };
}

const required: Traits = { required: true };
const exact: Traits = { caseExact: true };
const external: Traits = { referenceTypes: ['external'] };
const uri: Traits = { referenceTypes: ['uri'], required: true };

function complex(
  name: string,
  description: string,
  traits: Traits,
  parts: readonly AttributeDefinition[],
): AttributeDefinition {
  return { ...one(name, 'complex', description, traits), subAttributes: mapByName(parts) };
}

const isSupported = one('supported', 'boolean', 'Whether the server does it.', required);
const option = (name: string, what: string, parts: readonly AttributeDefinition[] = []): AttributeDefinition =>
  complex(name, `${what}: whether, and within which limits.`, required, [isSupported, ...parts]);
const limit = (name: string, description: string): AttributeDefinition => one(name, 'integer', description, required);

const config: Schema = {
  id: configUrn,
  name: 'Service Provider Configuration',
  description: 'What the server can do.',
  attributes: mapByName([
    one('documentationUri', 'reference', 'Where people read about the server.', external),
    option('patch', 'PATCH'),
    option('bulk', 'Several operations in one request', [
      limit('maxOperations', 'The most operations of one request.'),
      limit('maxPayloadSize', 'The most bytes of one request.'),
    ]),
    option('filter', 'Filters', [limit('maxResults', 'The most resources of one answer.')]),
    option('changePassword', 'Changes of passwords'),
    option('sort', 'Sorting'),
    option('etag', 'Versions as entity tags'),
    complex('pagination', 'How lists are read page by page.', {}, [
      one('cursor', 'boolean', 'Whether pages go by cursor.', required),
      one('index', 'boolean', 'Whether pages go by index.', required),
      one('defaultPaginationMethod', 'string', 'How pages go where a request does not say.', {
        canonicalValues: ['cursor', 'index'],
      }),
      one('defaultPageSize', 'integer', 'Resources of a page where a request does not say.'),
      one('maxPageSize', 'integer', 'The most resources of a page.'),
      one('cursorTimeout', 'integer', 'Seconds for which a cursor is good.'),
    ]),
    complex('authenticationSchemes', 'How a client says who it is.', { required: true, multiValued: true }, [
      one('type', 'string', 'Which scheme it is.', {
        required: true,
        canonicalValues: ['oauth', 'oauth2', 'oauthbearertoken', 'httpbasic', 'httpdigest'],
      }),
      one('name', 'string', 'The usual name of the scheme.', required),
      one('description', 'string', 'What the scheme asks of a client.', required),
      one('specUri', 'reference', 'Where the scheme is specified.', external),
      one('documentationUri', 'reference', 'Where people read how to use it.', external),
      one('primary', 'boolean', 'Whether it is the one to prefer.'),
    ]),
  ]),
};

const resourceType: Schema = {
  id: resourceTypeUrn,
  name: 'ResourceType',
  description: 'A type of resource that the server has.',
  attributes: mapByName([
    one('id', 'string', 'The id of the type, which is its name.'),
    one('name', 'string', 'The name of the type, as in meta.resourceType.', required),
    one('description', 'string', 'What the type is, for people.'),
    one('endpoint', 'reference', 'Where its resources are, below the address of the directory.', uri),
    one('schema', 'reference', 'The URN of its core schema.', uri),
    complex('schemaExtensions', 'Schemas that its resources may have beside.', { multiValued: true }, [
      one('schema', 'reference', 'The URN of the extension.', uri),
      one('required', 'boolean', 'Whether every resource has to have it.', required),
    ]),
  ]),
};

const words = (name: string, description: string, canonicalValues: readonly string[]): AttributeDefinition =>
  one(name, 'string', description, { ...exact, canonicalValues });

/** Of types that have no parts. */
const SIMPLE_TYPES = ['string', 'boolean', 'decimal', 'integer', 'dateTime', 'reference', 'binary'];

const characteristics = (types: readonly string[]): readonly AttributeDefinition[] => [
  one('name', 'string', 'The name of the attribute.', { ...exact, required: true }),
  one('type', 'string', 'The type of its values.', { required: true, canonicalValues: types }),
  one('multiValued', 'boolean', 'Whether it is a list.', required),
  one('description', 'string', 'What it means, for people.', exact),
  one('required', 'boolean', 'Whether every resource has to have it.'),
  one('canonicalValues', 'string', 'Values that are suggested.', { ...exact, multiValued: true }),
  one('caseExact', 'boolean', 'Whether text that differs in case alone is different.'),
  words('mutability', 'Who may set it, and when.', ['readOnly', 'readWrite', 'immutable', 'writeOnly']),
  words('returned', 'When it is in an answer.', ['always', 'never', 'default', 'request']),
  words('uniqueness', 'Among which resources its value is the only one.', ['none', 'server', 'global']),
  one('referenceTypes', 'string', 'What a reference may lead to.', { ...exact, multiValued: true }),
];

const schema: Schema = {
  id: schemaUrn,
  name: 'Schema',
  description: 'The attributes of a kind of resource.',
  attributes: mapByName([
    one('id', 'string', 'The URN of the schema.', required),
    one('name', 'string', 'The name of the schema, for people.', required),
    one('description', 'string', 'What the schema is for.'),
    complex('attributes', 'Each attribute with its characteristics.', { required: true, multiValued: true }, [
      ...characteristics([...SIMPLE_TYPES, 'complex']),
      complex(
        'subAttributes',
        'The parts of a complex attribute.',
        { multiValued: true },
        characteristics(SIMPLE_TYPES),
      ),
    ]),
  ]),
};

/** By URN in lower case. */
export const serviceSchemas: ReadonlyMap<string, Schema> = new Map(
  [config, resourceType, schema].map((described) => [nameKey(described.id), described]),
);
