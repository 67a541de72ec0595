// Which attributes an answer carries (RFC 7644 §3.9): compiled once per request, applied to every resource of it.

import { invalidValue } from './errors.ts';
import { isArray, isObject, type JsonObject, type JsonValue } from './json.ts';
import { correctUrn, type Notes } from './quirks.ts';
import { findAttribute, findSchema, type ResourceSchema } from './schema.ts';

/** Names as the schema spells them; null stands for the whole attribute. */
type Tree = ReadonlyMap<string, Tree | null>;

export type Projection = { readonly kind: 'only' | 'without'; readonly tree: Tree };

const MAX_NAMES = 200;
/** Returned whatever is asked. */
const ALWAYS: ReadonlySet<string> = new Set(['schemas', 'id']);

/**
 * The projection that a request's `attributes` or `excludedAttributes` ask for, or null for the default one.
 *
 * Names that no schema has are passed over; `schemas` and `id` are returned whatever is asked; where both lists are given,
 * `attributes` wins. Refuses with 400 invalidValue more than 200 names (T47).
 */
export function compileProjection(
  attributes: readonly string[] | null,
  excluded: readonly string[] | null,
  schema: ResourceSchema,
): Projection | null {
  const names = attributes ?? excluded;
  if (names === null || names.length === 0) return null;
  if (names.length > MAX_NAMES) throw invalidValue(`A request may name ${MAX_NAMES} attributes at most.`);
  const kind = attributes === null ? 'without' : 'only';
  const tree = new Map<string, Tree | null>();
  const notes: Notes = [];
  for (const name of names) {
    const steps = stepsOf(correctUrn(name, notes), schema);
    if (steps !== null && !(kind === 'without' && ALWAYS.has(steps[0] as string))) plant(tree, steps);
  }
  return { kind, tree };
}

function stepsOf(name: string, schema: ResourceSchema): readonly string[] | null {
  const path = findAttribute(schema, name);
  if (path === undefined) {
    const whole = findSchema(schema, name);
    return whole === undefined || whole === schema.core ? null : [whole.id];
  }
  const steps = path.sub === null ? [path.attribute.name] : [path.attribute.name, path.sub.name];
  return path.extension === null ? steps : [path.extension, ...steps];
}

function plant(tree: Map<string, Tree | null>, steps: readonly string[]): void {
  const [name, ...rest] = steps as readonly [string, ...string[]];
  const below = tree.get(name);
  if (below === null) return;
  if (rest.length === 0) {
    tree.set(name, null);
    return;
  }
  const branch = (below ?? new Map()) as Map<string, Tree | null>;
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
