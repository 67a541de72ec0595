// One PATCH operation on one attribute (RFC 7644 §3.5.2): the value held in, the value to hold out.

import { sameJson } from '../core/canonical.ts';
import { MAX_ELEMENTS, readElements, readValue } from './attribute-value.ts';
import { addElements, changeElements, type Elements, removeElements } from './elements.ts';
import { invalidValue, mutability, noTarget, tooLarge } from './errors.ts';
import type { FilterNode, PatchTarget } from './filter.ts';
import { elementOfFilter, matchesElement } from './filter-match.ts';
import { isArray, isObject, type JsonObject, type JsonValue, readMembers } from './json.ts';
import { createdByFilter, isEmpty, type Notes, note, type PatchOp, readSingle, removeValues } from './quirks.ts';
import { type AttributeDefinition, type AttributePath, pathName } from './schema.ts';

/** What operations share: the request's notes, and the work that they may still make, as elements changed. */
export type PatchBudget = {
  readonly notes: Notes;
  /** False: a replace whose value filter matches nothing is refused, whatever the filter says (RFC 7644 §3.5.2.3). */
  readonly makesByFilter: boolean;
  budget: number;
};

type Held = JsonValue | undefined;
type AttributeTarget = Extract<PatchTarget, { kind: 'attribute' }>;

/**
 * The value of an attribute after an operation on it or on a part of it; undefined where it is then unassigned.
 *
 * Refuses with 400 noTarget a value filter that matches nothing and from which no element can be made, with 400 invalidValue
 * values of the wrong type, with 400 mutability another value of a part that is immutable and set, with 413 more work than the budget
 * holds. Does not look at the mutability of the attribute itself.
 */
export function patchValue(held: Held, op: PatchOp, target: AttributeTarget, value: Held, shared: PatchBudget): Held {
  const { path, filter } = target;
  const { attribute, sub } = path;
  if (filter !== null) {
    const elements = patchMatching(elementsOf(held), op, path, filter, value, shared);
    return attribute.multiValued ? listOf(elements) : elements[0];
  }
  if (attribute.multiValued) {
    const elements = elementsOf(held);
    return listOf(
      sub === null ? patchList(elements, op, path, value, shared) : patchAll(elements, op, path, sub, value, shared),
    );
  }
  if (attribute.type === 'complex') {
    const next = patchComplex(held, op, path, value, shared.notes);
    return keepsImmutable(path)(held, next);
  }
  return op === 'remove' ? undefined : readValue(attribute, value ?? null, shared.notes);
}

/** Sets a member, or takes it away where there is no value. */
export function assign(object: Record<string, JsonValue>, name: string, value: Held): void {
  if (value === undefined) delete object[name];
  else object[name] = value;
}

/**
 * A check that passes on what becomes of a complex value, unless a part of it that is immutable and set would be another. An element of a
 * list may go as a whole.
 */
function keepsImmutable(path: AttributePath): (before: Held, after: Held) => Held {
  const { attribute } = path;
  const fixed = attribute.subAttributes
    .values()
    .filter((sub) => sub.mutability === 'immutable')
    .toArray();
  if (fixed.length === 0) return (_, after) => after;
  return (before, after) => {
    if (!isObject(before) || (attribute.multiValued && after === undefined)) return after;
    for (const sub of fixed) {
      const value = before[sub.name];
      if (value === undefined || sameJson(value, isObject(after) ? after[sub.name] : undefined)) continue;
      throw mutability(`${pathName({ ...path, sub })} is immutable.`);
    }
    return after;
  };
}

function patchComplex(held: Held, op: PatchOp, path: AttributePath, value: Held, notes: Notes): Held {
  const { attribute, sub } = path;
  if (op === 'remove' && sub === null) return undefined;
  const changes =
    sub === null ? readChanges(attribute, value, notes) : { [sub.name]: readSub(op, path, sub, value, notes) };
  if (changes === null) return undefined;
  const before = isObject(held) ? held : {};
  const merged = merge(before, changes);
  if (merged === undefined || !Object.hasOwn(changes, 'value')) return merged;
  // A reference is gone with its value, and the address of the old one must not stay beside the new.
  if (changes.value === undefined) return undefined;
  if (before.value !== changes.value && !Object.hasOwn(changes, '$ref')) return merge(merged, { $ref: undefined });
  return merged;
}

type Changes = Readonly<Record<string, Held>>;

function readSub(op: PatchOp, { attribute }: AttributePath, sub: AttributeDefinition, value: Held, notes: Notes): Held {
  return op === 'remove' ? undefined : readValue(sub, value ?? null, notes, attribute);
}

/** Sub-attributes that a complex value changes: those that it does not name stay, empty ones go. Null empties the whole. */
function readChanges(definition: AttributeDefinition, value: Held, notes: Notes): Changes | null {
  const whole = readValue(definition, value ?? null, notes);
  const one = isEmpty(value) ? null : readSingle(value as JsonValue, definition.name, notes);
  if (!isObject(one)) return isObject(whole) ? whole : null;
  const changes: Record<string, Held> = isObject(whole) ? { ...whole } : {};
  for (const [key, item] of readMembers(one)) {
    const sub = definition.subAttributes.get(key);
    if (sub !== undefined && sub.mutability !== 'readOnly' && isEmpty(item)) changes[sub.name] = undefined;
  }
  return changes;
}

function merge(held: JsonValue, changes: Changes): JsonObject | undefined {
  const merged: Record<string, JsonValue> = isObject(held) ? { ...held } : {};
  for (const name of Object.keys(changes)) assign(merged, name, changes[name]);
  return Object.keys(merged).length === 0 ? undefined : merged;
}

function elementsOf(held: Held): Elements {
  return isArray(held) ? held : held === undefined ? [] : [held];
}

function listOf(elements: Elements): Elements | undefined {
  if (elements.length > MAX_ELEMENTS) throw invalidValue(`An attribute has more than ${MAX_ELEMENTS} values.`);
  return elements.length === 0 ? undefined : elements;
}

/** A change of an element costs as much as four evaluated filter terms or descriptions, or sixteen comparisons. */
function spend(shared: PatchBudget, amount: number): void {
  shared.budget -= amount + 1;
  if (shared.budget < 0) throw tooLarge('The operations look at too many values; send fewer at a time.');
}

function patchList(elements: Elements, op: PatchOp, path: AttributePath, value: Held, shared: PatchBudget): Elements {
  // A remove without a value takes all; one with an empty list takes none.
  if (isEmpty(value)) return op === 'add' || (op === 'remove' && isArray(value)) ? elements : [];
  const listed = readElements(path.attribute, value as JsonValue, shared.notes) ?? [];
  if (op === 'replace') return listed;
  spend(shared, ((elements.length + listed.length / 2) * listed.length) / (op === 'add' ? 16 : 4));
  if (op === 'add') {
    const added = addElements(elements, listed);
    const check = keepsImmutable(path);
    for (const [index, element] of elements.entries()) check(element, added[index]);
    return added;
  }
  note(shared.notes, removeValues, pathName(path));
  return removeElements(elements, listed);
}

function patchAll(
  elements: Elements,
  op: PatchOp,
  path: AttributePath,
  sub: AttributeDefinition,
  value: Held,
  shared: PatchBudget,
): Elements {
  const changed = readSub(op, path, sub, value, shared.notes);
  spend(shared, elements.length);
  if (elements.length === 0) return changed === undefined ? [] : [{ [sub.name]: changed }];
  const all = new Set(elements.keys());
  const check = keepsImmutable(path);
  return changeElements(elements, all, (element) => check(element, merge(element, { [sub.name]: changed })));
}

function patchMatching(
  elements: Elements,
  op: PatchOp,
  path: AttributePath,
  filter: FilterNode,
  value: Held,
  shared: PatchBudget,
): Elements {
  spend(shared, (elements.length * countTerms(filter)) / 4);
  const chosen = new Set(elements.keys().filter((index) => matchesElement(filter, elements[index] as JsonValue)));
  if (chosen.size > 0) {
    spend(shared, elements.length);
    const change = elementChange(op, path, value, shared.notes);
    const check = keepsImmutable(path);
    return changeElements(elements, chosen, (element) => check(element, change(element)));
  }
  // Nothing to remove is no fault: a client that repeats itself must not fail for ever.
  if (op === 'remove') return elements;
  if (op === 'replace' && !shared.makesByFilter) throw noMatch();
  const made = makeElement(path, filter, value, shared.notes);
  if (made === undefined) return elements;
  spend(shared, elements.length);
  return addElements(elements, [made]);
}

function countTerms(filter: FilterNode): number {
  if (filter.kind === 'and' || filter.kind === 'or') {
    return filter.terms.reduce((sum, term) => sum + countTerms(term), 0);
  }
  return filter.kind === 'not' ? countTerms(filter.term) : 1;
}

function elementChange(
  op: PatchOp,
  path: AttributePath,
  value: Held,
  notes: Notes,
): (element: JsonValue) => JsonValue | undefined {
  const { attribute, sub } = path;
  if (sub !== null) {
    const changed = readSub(op, path, sub, value, notes);
    return (element) => merge(element, { [sub.name]: changed });
  }
  if (op === 'remove') return () => undefined;
  const one: AttributeDefinition = { ...attribute, multiValued: false };
  // A plain value has nothing that could be added to it.
  if (op === 'replace' || (attribute.type !== 'complex' && !isEmpty(value))) {
    const whole = readValue(one, value ?? null, notes);
    return () => whole;
  }
  const changes = readChanges(one, value, notes);
  return (element) => (changes === null ? element : merge(element, changes));
}

const noMatch = () => noTarget('No value matches the filter of the path.');

/** The element that the filter asks for, see {@link createdByFilter}; undefined where the operation has nothing to put in it. */
function makeElement(path: AttributePath, filter: FilterNode, value: Held, notes: Notes): JsonValue | undefined {
  const seed = elementOfFilter(filter);
  if (seed === null || !path.attribute.multiValued) throw noMatch();
  const made = elementChange('add', path, value, notes)(seed);
  if (isEmpty(value) || made === undefined) return undefined;
  note(notes, createdByFilter, pathName(path));
  return made;
}
