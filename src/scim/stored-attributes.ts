// Stored attributes beside what the directory's schemas say now. Schemas of a directory's own come, change and go with its settings;
// values stay where they are: what no schema has is neither served nor lost, and is there again once it is declared again.

import { sameJson } from '../core/canonical.ts';
import { readValue } from './attribute-value.ts';
import { invalidValue, mutability } from './errors.ts';
import { isArray, isObject, type JsonObject, type JsonValue } from './json.ts';
import {
  type AttributeDefinition,
  type AttributePath,
  enterpriseUser,
  nameKey,
  pathName,
  type ResourceSchema,
  type Schema,
} from './schema.ts';

/** Of extensions that a directory declares; those of the standard never change. */
type Rules = {
  readonly own: readonly Schema[];
  /** Attributes that are immutable, or have parts that are. */
  readonly immutable: readonly AttributePath[];
  /** Attributes that are required, or have parts that are. */
  readonly required: readonly AttributePath[];
};

const known = new WeakMap<ResourceSchema, Rules>();

function rulesOf(schema: ResourceSchema): Rules {
  const held = known.get(schema);
  if (held !== undefined) return held;
  const own = ownExtensions(schema);
  const paths = own.flatMap(({ id, attributes }) =>
    attributes
      .values()
      .map((attribute): AttributePath => ({ extension: id, attribute, sub: null }))
      .toArray(),
  );
  const rules: Rules = {
    own,
    immutable: paths.filter(({ attribute }) => has(attribute, isImmutable)),
    required: paths.filter(({ attribute }) => has(attribute, isRequired)),
  };
  known.set(schema, rules);
  return rules;
}

/** The extensions of a resource that its directory declares, beside those of the standard. */
function ownExtensions({ extensions }: ResourceSchema): readonly Schema[] {
  return extensions
    .values()
    .filter((extension) => extension !== enterpriseUser)
    .toArray();
}

const isImmutable = ({ mutability: kind }: AttributeDefinition): boolean => kind === 'immutable';
const isRequired = ({ required }: AttributeDefinition): boolean => required;

function has(attribute: AttributeDefinition, test: (definition: AttributeDefinition) => boolean): boolean {
  return test(attribute) || attribute.subAttributes.values().some(test);
}

/** What a path leads to, whatever its sub-attribute. */
export function heldAt(attributes: JsonObject, { extension, attribute }: AttributePath): JsonValue | undefined {
  const holder = extension === null ? attributes : attributes[extension];
  return isObject(holder) ? holder[attribute.name] : undefined;
}

/**
 * What a PUT leaves of the attributes that were there: the body's own, with what the client cannot speak of (no schema has it) and
 * what it may not change (immutable values that the body does not repeat). Refuses with 400 mutability another value of what is
 * immutable and set. RFC 7644 §3.5.1.
 */
export function replaceAttributes(held: JsonObject, body: JsonObject, schema: ResourceSchema): JsonObject {
  const result: Record<string, JsonValue> = { ...body };
  const { own, immutable } = rulesOf(schema);
  for (const path of immutable) {
    const kept = keepImmutable(path, heldAt(held, path), heldAt(result, path));
    if (kept !== undefined) put(result, path.extension as string, path.attribute.name, kept);
  }
  for (const urn of Object.keys(held)) {
    if (!isUrn(urn) || urn === enterpriseUser.id) continue;
    const declared = own.find(({ id }) => id === urn);
    if (declared === undefined) result[urn] = held[urn] as JsonValue;
    else keepUndeclared(result, declared, held[urn]);
  }
  return result;
}

function keepUndeclared(
  result: Record<string, JsonValue>,
  { id, attributes }: Schema,
  held: JsonValue | undefined,
): void {
  if (!isObject(held)) return;
  const names = new Set(attributes.values().map(({ name }) => name));
  for (const name of Object.keys(held)) if (!names.has(name)) put(result, id, name, held[name] as JsonValue);
}

function put(attributes: Record<string, JsonValue>, extension: string, name: string, value: JsonValue): void {
  const holder = attributes[extension];
  attributes[extension] = { ...(isObject(holder) ? holder : {}), [name]: value };
}

/** The value after a PUT. Elements of a list come and go whole, whatever in them is immutable. */
function keepImmutable(
  path: AttributePath,
  held: JsonValue | undefined,
  sent: JsonValue | undefined,
): JsonValue | undefined {
  const { attribute } = path;
  if (isImmutable(attribute)) {
    if (held !== undefined && sent !== undefined && !sameJson(held, sent))
      throw mutability(`${pathName(path)} is immutable.`);
    return held ?? sent;
  }
  if (attribute.multiValued || !isObject(held)) return sent;
  const fixed = attribute.subAttributes.values().filter((sub) => isImmutable(sub) && held[sub.name] !== undefined);
  const kept: Record<string, JsonValue> = isObject(sent) ? { ...sent } : {};
  for (const sub of fixed) {
    // Left out as a whole it stays as a whole: a part of it alone may lack what is required.
    if (!isObject(sent)) return held;
    const value = held[sub.name] as JsonValue;
    if (kept[sub.name] !== undefined && !sameJson(kept[sub.name], value)) {
      throw mutability(`${pathName({ ...path, sub })} is immutable.`);
    }
    kept[sub.name] = value;
  }
  return isObject(sent) ? kept : sent;
}

/**
 * Refuses with 400 invalidValue a POST or PUT that speaks of an extension without saying what that requires (RFC 7643 §2.2): a
 * resource may do without the extension, but not have a part of it. `attributes` are those that come of the body.
 */
export function checkRequired(body: JsonObject, attributes: JsonObject, schema: ResourceSchema): void {
  for (const path of rulesOf(schema).required) {
    if (speaksOf(body, path, schema) && countLacking(attributes, path) > 0) throw lacking(path);
  }
}

/**
 * The same for a PATCH. What was lacking before may go on lacking: an operation that has nothing to do with it must not fail because
 * the schema changed.
 */
export function checkStillRequired(before: JsonObject, after: JsonObject, schema: ResourceSchema): void {
  for (const path of rulesOf(schema).required) {
    if (!speaksOf(after, path, schema)) continue;
    const now = countLacking(after, path);
    if (now > 0 && (!speaksOf(before, path, schema) || now > countLacking(before, path))) throw lacking(path);
  }
}

const lacking = (path: AttributePath) => invalidValue(`${pathName(path)} is required, with each part that is.`);

/** True if there is a value of the attribute's extension, of whatever attribute that it declares. */
function speaksOf(attributes: JsonObject, { extension }: AttributePath, schema: ResourceSchema): boolean {
  const values = extension === null ? undefined : attributes[extension];
  const declared = rulesOf(schema).own.find(({ id }) => id === extension)?.attributes;
  return isObject(values) && Object.keys(values).some((name) => declared?.get(nameKey(name))?.name === name);
}

function countLacking(attributes: JsonObject, path: AttributePath): number {
  const { attribute } = path;
  const value = heldAt(attributes, path);
  if (value === undefined) return isRequired(attribute) ? 1 : 0;
  const subs = attribute.subAttributes.values().filter(isRequired).toArray();
  const elements = isArray(value) ? value : [value];
  return elements.filter((element) => isObject(element) && subs.some(({ name }) => element[name] === undefined)).length;
}

const isUrn = (name: string): boolean => name.startsWith('urn:');

/**
 * Stored attributes as JSON text, as they are served, and the URNs of the extensions in it. Text without extensions of the directory's
 * own is served as it is.
 */
export function servedText(
  stored: string,
  schema: ResourceSchema,
): { readonly urns: readonly string[]; readonly text: string } {
  const urns = standardUrns(stored);
  if (urns !== null) return { urns, text: stored };
  const served = servedAttributes(JSON.parse(stored) as JsonObject, schema);
  return { urns: Object.keys(served).filter(isUrn), text: JSON.stringify(served) };
}

const NO_URNS: readonly string[] = [];
const ENTERPRISE: readonly string[] = [enterpriseUser.id];
const QUOTE = 0x22;
const COLON = 0x3a;

/** The URNs of the extensions in the text, or null where there may be others than the standard's. */
function standardUrns(text: string): readonly string[] | null {
  let urns = NO_URNS;
  // Without the quote before it: there is one at every other turn, and each would be looked at.
  for (let at = text.indexOf('urn:'); at !== -1; at = text.indexOf('urn:', at + 1)) {
    if (text.charCodeAt(at - 1) !== QUOTE) continue;
    const end = text.indexOf('"', at);
    // Only a member's name is followed by a colon. An escaped quote ends the search too early, and costs only the closer look.
    if (text.charCodeAt(end + 1) !== COLON) continue;
    if (text.slice(at, end) !== enterpriseUser.id) return null;
    urns = ENTERPRISE;
  }
  return urns;
}

/**
 * The attributes as they are served: extensions that the schema has, with those of their values that it has and that are of the type
 * that it says. Never throws.
 */
function servedAttributes(stored: JsonObject, schema: ResourceSchema): JsonObject {
  const { own } = rulesOf(schema);
  const served: Record<string, JsonValue> = {};
  for (const name of Object.keys(stored)) {
    const value = stored[name] as JsonValue;
    if (!isUrn(name) || name === enterpriseUser.id) {
      served[name] = value;
      continue;
    }
    const declared = own.find(({ id }) => id === name);
    const values = declared !== undefined && isObject(value) ? servedValues(value, declared) : {};
    if (Object.keys(values).length > 0) served[name] = values;
  }
  return served;
}

function servedValues(stored: JsonObject, { attributes }: Schema): JsonObject {
  const served: Record<string, JsonValue> = {};
  for (const definition of attributes.values()) {
    const value = stored[definition.name];
    const read = value === undefined ? undefined : readStored(definition, value);
    if (read !== undefined) served[definition.name] = read;
  }
  return served;
}

function readStored(definition: AttributeDefinition, value: JsonValue): JsonValue | undefined {
  try {
    return readValue(definition, value, []);
  } catch {
    return undefined;
  }
}
