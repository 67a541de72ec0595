// What the attributes of a resource are: built once at start from the definitions that scimmy carries, and frozen. Nothing here
// is ever looked up in a plain object by a client's text (T43): names go through maps keyed in lower case.

import SCIMMY from 'scimmy';

export type AttributeType =
  | 'string'
  | 'boolean'
  | 'decimal'
  | 'integer'
  | 'dateTime'
  | 'reference'
  | 'binary'
  | 'complex';

export type AttributeDefinition = {
  readonly name: string;
  readonly type: AttributeType;
  readonly multiValued: boolean;
  readonly caseExact: boolean;
  readonly mutability: 'readOnly' | 'readWrite' | 'immutable' | 'writeOnly';
  readonly returned: 'always' | 'never' | 'default' | 'request';
  readonly required: boolean;
  readonly uniqueness: 'none' | 'server' | 'global';
  readonly description: string;
  readonly canonicalValues: readonly string[];
  readonly referenceTypes: readonly string[];
  readonly subAttributes: ReadonlyMap<string, AttributeDefinition>;
};

export type Schema = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly attributes: ReadonlyMap<string, AttributeDefinition>;
};

/** One resource type with its extensions. A directory with schemas of its own gets a value of its own. */
export type ResourceSchema = {
  readonly resource: 'User' | 'Group';
  readonly core: Schema;
  /** Attributes that every resource has without its schema listing them (RFC 7643 §3.1). */
  readonly common: ReadonlyMap<string, AttributeDefinition>;
  /** By URN in lower case. */
  readonly extensions: ReadonlyMap<string, Schema>;
};

/** An attribute of a resource, found by whatever spelling the client used. */
export type AttributePath = {
  /** URN of the extension as the schema spells it; null for core and common attributes. */
  readonly extension: string | null;
  readonly attribute: AttributeDefinition;
  readonly sub: AttributeDefinition | null;
};

export const enterpriseUserUrn = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

const ASCII = /^[ -~]*$/;

// Names of the standard as it spells them, which is how nearly everybody does: they need no folding.
const spelled = new Map<string, string>();

/** A name as maps are keyed. Only ASCII is folded: to toLowerCase a Kelvin sign is a `k`, and `nicKName` would be a twin. */
export function nameKey(name: string): string {
  return spelled.get(name) ?? (ASCII.test(name) ? name.toLowerCase() : name);
}

function spell(attributes: ReadonlyMap<string, AttributeDefinition>): void {
  for (const [key, { name, subAttributes }] of attributes) {
    spelled.set(name, key);
    spell(subAttributes);
  }
}

type Attribute = SCIMMY.Types.Attribute;
type Override = Partial<Omit<AttributeDefinition, 'name' | 'subAttributes'>>;

function define(source: Attribute, overrides: ReadonlyMap<string, Override>, parent = ''): AttributeDefinition {
  const { type, name, config } = source;
  const path = parent === '' ? name : `${parent}.${name}`;
  const mutability =
    config.mutable === 'immutable'
      ? 'immutable'
      : config.mutable === false
        ? 'readOnly'
        : config.direction === 'in'
          ? 'writeOnly'
          : 'readWrite';
  return Object.freeze({
    name,
    type: type as AttributeType,
    multiValued: config.multiValued === true,
    // References and binaries are case exact by the standard's prose (RFC 7643 §2.3.6, §2.3.7).
    caseExact: config.caseExact === true || type === 'reference' || type === 'binary',
    mutability,
    returned: config.returned === false ? 'never' : 'default',
    required: config.required === true,
    uniqueness: config.uniqueness === 'server' || config.uniqueness === 'global' ? config.uniqueness : 'none',
    description: config.description ?? '',
    canonicalValues: Object.freeze(Array.isArray(config.canonicalValues) ? [...config.canonicalValues] : []),
    referenceTypes: Object.freeze(Array.isArray(config.referenceTypes) ? [...config.referenceTypes] : []),
    ...overrides.get(path),
    subAttributes: mapByName((source.subAttributes ?? []).map((sub) => define(sub, overrides, path))),
  });
}

/** Attributes by their names as clients' names are looked up. */
export function mapByName(attributes: readonly AttributeDefinition[]): ReadonlyMap<string, AttributeDefinition> {
  return new Map(attributes.map((attribute) => [nameKey(attribute.name), attribute]));
}

function defineSchema(
  source: SCIMMY.Types.SchemaDefinition,
  overrides: Readonly<Record<string, Override>> = {},
): Schema {
  const own = (source.attributes as readonly Attribute[]).filter((attribute) => attribute.config.shadow !== true);
  const byPath = new Map(Object.entries(overrides));
  return Object.freeze({
    id: source.id,
    name: source.name,
    description: source.description,
    attributes: mapByName(own.map((attribute) => define(attribute, byPath))),
  });
}

const plain = {
  multiValued: false,
  caseExact: false,
  mutability: 'readOnly',
  returned: 'default',
  required: false,
  uniqueness: 'none',
  description: '',
  canonicalValues: [],
  referenceTypes: [],
  subAttributes: new Map<string, AttributeDefinition>(),
} as const;

const common: ReadonlyMap<string, AttributeDefinition> = mapByName([
  { ...plain, name: 'schemas', type: 'reference', multiValued: true, returned: 'always', required: true },
  { ...plain, name: 'id', type: 'string', caseExact: true, returned: 'always', uniqueness: 'server' },
  { ...plain, name: 'externalId', type: 'string', caseExact: true, mutability: 'readWrite' },
  {
    ...plain,
    name: 'meta',
    type: 'complex',
    subAttributes: mapByName([
      { ...plain, name: 'resourceType', type: 'string', caseExact: true },
      { ...plain, name: 'created', type: 'dateTime' },
      { ...plain, name: 'lastModified', type: 'dateTime' },
      { ...plain, name: 'location', type: 'reference', caseExact: true },
      { ...plain, name: 'version', type: 'string', caseExact: true },
    ]),
  },
]);

// Errata 8472 and 8471 of RFC 7643: a manager is named by an id, and ids are case exact; a user's groups are groups.
export const enterpriseUser: Schema = defineSchema(SCIMMY.Schemas.EnterpriseUser.definition, {
  'manager.value': { caseExact: true },
});

export const userSchema: ResourceSchema = Object.freeze({
  resource: 'User',
  core: defineSchema(SCIMMY.Schemas.User.definition, { 'groups.$ref': { referenceTypes: ['Group'] } }),
  common,
  extensions: new Map([[nameKey(enterpriseUser.id), enterpriseUser]]),
});

// Groups in groups are refused, a name is unique within its directory, and a member is shown by its own name, whatever was sent: the
// schema says what is so.
export const groupSchema: ResourceSchema = Object.freeze({
  resource: 'Group',
  core: defineSchema(SCIMMY.Schemas.Group.definition, {
    displayName: { uniqueness: 'server' },
    'members.$ref': { referenceTypes: ['User'] },
    'members.display': { mutability: 'readOnly' },
    'members.type': { canonicalValues: ['User'] },
  }),
  common,
  extensions: new Map(),
});

for (const { core } of [userSchema, groupSchema]) spell(core.attributes);
spell(common);
spell(enterpriseUser.attributes);
for (const { id } of [userSchema.core, groupSchema.core, enterpriseUser]) spelled.set(id, nameKey(id));

/** The schema of the resource whose URN this is, in any case; undefined for a URN that it does not have. */
export function findSchema(schema: ResourceSchema, urn: string): Schema | undefined {
  const key = nameKey(urn);
  return key === nameKey(schema.core.id) ? schema.core : schema.extensions.get(key);
}

/**
 * The attribute that a path names: `userName`, `name.givenName`, `urn:…:User:manager.value`, in any case.
 *
 * A name without URN is sought in the core schema, then in the extensions: Entra ID says `manager` for the enterprise attribute.
 * Undefined for an unknown attribute, a deeper path, and the URN of a schema alone. Does not say whether the attribute may be
 * read, filtered or written.
 */
export function findAttribute(schema: ResourceSchema, path: string): AttributePath | undefined {
  const key = nameKey(path);
  if (!key.startsWith('urn:')) return findCore(schema, key) ?? findInExtensions(schema, key);
  const coreKey = nameKey(schema.core.id);
  if (key.startsWith(`${coreKey}:`)) return findCore(schema, key.slice(coreKey.length + 1));
  for (const [urn, extension] of schema.extensions) {
    if (key.startsWith(`${urn}:`)) return findIn(extension.attributes, extension.id, key.slice(urn.length + 1));
  }
  return undefined;
}

function findCore(schema: ResourceSchema, key: string): AttributePath | undefined {
  return findIn(schema.core.attributes, null, key) ?? findIn(schema.common, null, key);
}

function findInExtensions(schema: ResourceSchema, key: string): AttributePath | undefined {
  for (const extension of schema.extensions.values()) {
    const found = findIn(extension.attributes, extension.id, key);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findIn(
  attributes: ReadonlyMap<string, AttributeDefinition>,
  extension: string | null,
  key: string,
): AttributePath | undefined {
  const dot = key.indexOf('.');
  const attribute = attributes.get(dot === -1 ? key : key.slice(0, dot));
  if (attribute === undefined) return undefined;
  if (dot === -1) return { extension, attribute, sub: null };
  const sub = attribute.subAttributes.get(key.slice(dot + 1));
  return sub === undefined ? undefined : { extension, attribute, sub };
}

/** A path as the schema spells it, for messages and notes: never the client's own text. */
export function pathName(path: AttributePath): string {
  const name = path.sub === null ? path.attribute.name : `${path.attribute.name}.${path.sub.name}`;
  return path.extension === null ? name : `${path.extension}:${name}`;
}
