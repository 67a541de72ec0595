// Which attributes an answer carries (RFC 7643 §7, RFC 7644 §3.9): compiled once per request, applied to every resource of it.

import { invalidValue } from './errors.ts';
import { isArray, isObject, type JsonObject, type JsonValue } from './json.ts';
import { correctUrn, type Notes } from './quirks.ts';
import {
  type AttributeDefinition,
  type AttributePath,
  findAttribute,
  findSchema,
  type ResourceSchema,
  type Schema,
} from './schema.ts';

/** Names as the schema spells them; null stands for the whole attribute. */
type Tree = ReadonlyMap<string, Tree | null>;
type Branch = Map<string, Branch | null>;

export type Projection = { readonly kind: 'only' | 'without'; readonly tree: Tree };

const MAX_NAMES = 200;
/** Returned whatever is asked, of every resource. */
const ALWAYS: ReadonlySet<string> = new Set(['schemas', 'id']);

/**
 * The projection that a request's `attributes` or `excludedAttributes` ask for, or null for the default one.
 *
 * What a schema says is returned `always` stays, whatever is asked; what it says is returned on `request` comes where `attributes`
 * names it, and in the answer to a write that speaks of it (`written`). Names that no schema has are passed over. Refuses with 400
 * invalidValue both lists at once, and more than 200 names (T47).
 */
export function compileProjection(
  attributes: readonly string[] | null,
  excluded: readonly string[] | null,
  schema: ResourceSchema,
  written: (path: AttributePath) => boolean = () => false,
): Projection | null {
  if (attributes !== null && excluded !== null) {
    throw invalidValue('attributes and excludedAttributes exclude each other.');
  }
  const names = attributes ?? excluded ?? [];
  if (names.length > MAX_NAMES) throw invalidValue(`A request may name ${MAX_NAMES} attributes at most.`);
  const tree: Branch = new Map();
  const targets = names.map((name) => targetOf(name, schema)).filter((target) => target !== null);
  if (attributes !== null) {
    for (const target of targets) keep(tree, target);
    for (const path of rulesOf(schema).always) plant(tree, stepsOf(path));
    return { kind: 'only', tree };
  }
  for (const target of targets) drop(tree, target);
  for (const part of rulesOf(schema).onRequest) if (!written(part)) plant(tree, stepsOf(part));
  return excluded === null && tree.size === 0 ? null : { kind: 'without', tree };
}

type Target = AttributePath | Schema;

function targetOf(name: string, schema: ResourceSchema): Target | null {
  const notes: Notes = [];
  const urn = correctUrn(name, notes);
  const path = findAttribute(schema, urn);
  if (path !== undefined) return path;
  const whole = findSchema(schema, urn);
  return whole === undefined || whole === schema.core ? null : whole;
}

const isSchema = (target: Target): target is Schema => 'attributes' in target;
const leafOf = ({ attribute, sub }: AttributePath): AttributeDefinition => sub ?? attribute;

/** What a schema says of its own attributes, looked through once: hardly any request asks for other than the default. */
type Rules = { readonly always: readonly AttributePath[]; readonly onRequest: readonly AttributePath[] };

const known = new WeakMap<ResourceSchema, Rules>();

function rulesOf(schema: ResourceSchema): Rules {
  const held = known.get(schema);
  if (held !== undefined) return held;
  const own = ownAttributes(schema);
  const rules: Rules = {
    always: own.filter(({ attribute }) => attribute.returned === 'always'),
    onRequest: own.flatMap(partsOf).filter((part) => leafOf(part).returned === 'request'),
  };
  known.set(schema, rules);
  return rules;
}

/** Attributes of extensions: those of the standard are all returned by default, but for `schemas` and `id`. */
function ownAttributes({ extensions }: ResourceSchema): readonly AttributePath[] {
  return extensions
    .values()
    .flatMap((extension) => pathsOf(extension))
    .toArray();
}

function pathsOf({ id, attributes }: Schema): readonly AttributePath[] {
  return attributes
    .values()
    .map((attribute) => ({ extension: id, attribute, sub: null }))
    .toArray();
}

/** The attribute itself and each of its sub-attributes. */
function partsOf(path: AttributePath): readonly AttributePath[] {
  const subs = path.attribute.subAttributes.values().map((sub) => ({ ...path, sub }));
  return path.sub === null ? [path, ...subs] : [path];
}

function stepsOf({ extension, attribute, sub }: AttributePath): readonly string[] {
  const steps = sub === null ? [attribute.name] : [attribute.name, sub.name];
  return extension === null ? steps : [extension, ...steps];
}

const hasPart = (path: AttributePath, returned: AttributeDefinition['returned']): boolean =>
  partsOf(path).some((part) => part.sub !== null && leafOf(part).returned === returned);

/** Adds what `attributes` names; a name stands for its parts, but for those that have to be named themselves. */
function keep(tree: Branch, target: Target): void {
  if (isSchema(target)) {
    for (const path of pathsOf(target)) if (path.attribute.returned !== 'request') keep(tree, path);
    return;
  }
  if (target.sub === null && !hasPart(target, 'request')) {
    plant(tree, stepsOf(target));
    return;
  }
  for (const part of partsOf({ ...target, sub: null })) {
    const { returned } = leafOf(part);
    const named = target.sub === null ? returned !== 'request' : part.sub === target.sub || returned === 'always';
    if (part.sub !== null && named) plant(tree, stepsOf(part));
  }
}

/** Takes away what `excludedAttributes` names, but for what is always returned. */
function drop(tree: Branch, target: Target): void {
  if (isSchema(target)) {
    for (const path of pathsOf(target)) drop(tree, path);
    return;
  }
  if (leafOf(target).returned === 'always') return;
  if (target.sub !== null || !hasPart(target, 'always')) {
    plant(tree, stepsOf(target));
    return;
  }
  for (const part of partsOf(target)) {
    if (part.sub !== null && leafOf(part).returned !== 'always') plant(tree, stepsOf(part));
  }
}

function plant(tree: Branch, steps: readonly string[]): void {
  const [name, ...rest] = steps as readonly [string, ...string[]];
  const below = tree.get(name);
  if (below === null) return;
  if (rest.length === 0) {
    tree.set(name, null);
    return;
  }
  const branch: Branch = below ?? new Map();
  plant(branch, rest);
  tree.set(name, branch);
}

/** True if the answer carries the attribute, whole or in part: what need not be loaded is not. */
export function wants(projection: Projection | null, name: string): boolean {
  if (projection === null || ALWAYS.has(name)) return true;
  const branch = projection.tree.get(name);
  return projection.kind === 'only' ? branch !== undefined : branch !== null;
}

/** True if nothing but attributes of the given names is asked for. */
export function wantsOnly(projection: Projection | null, names: ReadonlySet<string>): boolean {
  return projection?.kind === 'only' && projection.tree.keys().every((name) => names.has(name));
}

/** The resource as asked for. */
export function project(projection: Projection, resource: JsonObject): JsonObject {
  const kept = prune(projection.kind, projection.tree, resource);
  for (const name of ALWAYS) if (Object.hasOwn(resource, name)) kept[name] = resource[name] as JsonValue;
  return kept;
}

function prune(kind: Projection['kind'], tree: Tree, object: JsonObject): Record<string, JsonValue> {
  const kept: Record<string, JsonValue> = {};
  for (const name of Object.keys(object)) {
    const branch = tree.get(name);
    const value = object[name] as JsonValue;
    if (branch === undefined ? kind === 'without' : branch === null ? kind === 'only' : false) kept[name] = value;
    if (branch === undefined || branch === null) continue;
    const below = isArray(value) ? pruneElements(kind, branch, value) : pruneOne(kind, branch, value);
    if (below !== undefined) kept[name] = below;
  }
  return kept;
}

function pruneOne(kind: Projection['kind'], tree: Tree, value: JsonValue): JsonValue | undefined {
  if (!isObject(value)) return undefined;
  const kept = prune(kind, tree, value);
  return Object.keys(kept).length === 0 ? undefined : kept;
}

function pruneElements(kind: Projection['kind'], tree: Tree, values: readonly JsonValue[]): JsonValue | undefined {
  const kept = values.map((value) => pruneOne(kind, tree, value)).filter((value) => value !== undefined);
  return kept.length === 0 ? undefined : kept;
}
