// Changes to the elements of one multi-valued attribute: list in, list out.

import { sameJson } from '../core/canonical.ts';
import { isPrimary, notPrimary, withoutTwins } from './attribute-value.ts';
import { isObject, type JsonObject, type JsonValue } from './json.ts';

export type Elements = readonly JsonValue[];

/**
 * The elements with others added. One that is there already stays as it is; one of the same type and value gives its
 * sub-attributes to the one that is there, since no pair of the two is returned twice (RFC 7643 §2.4). A new primary element
 * takes the place of the old one (RFC 7644 §3.5.2).
 */
export function addElements(elements: Elements, added: Elements): Elements {
  const result = [...elements];
  let primary = -1;
  for (const element of added) {
    const found = result.findIndex((other) => isSameElement(other, element));
    const at = found === -1 ? result.length : found;
    const held = result[at];
    result[at] = isObject(held) && isObject(element) ? { ...held, ...element } : element;
    if (isPrimary(element)) primary = at;
  }
  return primary === -1 ? result : onlyPrimary(result, primary);
}

function isSameElement(a: JsonValue, b: JsonValue): boolean {
  if (isObject(a) && isObject(b) && a.value !== undefined) return a.value === b.value && a.type === b.type;
  return sameJson(a, b);
}

/** The elements without those that one of the listed values describes: all that it says is so in the element. */
export function removeElements(elements: Elements, listed: Elements): Elements {
  const described = listed.map((value) => (isObject(value) ? Object.entries(value) : null));
  return elements.filter(
    (element) => !listed.some((value, index) => describes(value, described[index] ?? null, element)),
  );
}

function describes(value: JsonValue, entries: readonly [string, JsonValue][] | null, element: JsonValue): boolean {
  if (entries === null || !isObject(element)) return sameJson(value, element);
  return entries.every(([name, item]) => sameJson(item, element[name]));
}

/**
 * The elements with a change made to the chosen ones, by index. An element that the change leaves without anything but its type
 * is gone, and one that it makes the same as another in type and value is one with it. Where the change makes one primary, the others
 * are no longer.
 */
export function changeElements(
  elements: Elements,
  chosen: ReadonlySet<number>,
  change: (element: JsonValue) => JsonValue | undefined,
): Elements {
  const changed = elements.map((element, index) => (chosen.has(index) ? change(element) : element));
  const primary = changed.findLastIndex((element, index) => chosen.has(index) && isPrimary(element ?? null));
  const settled = primary === -1 ? changed : onlyPrimary(changed, primary);
  const left = settled.filter((element, index) => element !== undefined && !(chosen.has(index) && isBare(element)));
  return withoutTwins(left as Elements);
}

function onlyPrimary<T extends JsonValue | undefined>(elements: readonly T[], primary: number): (T | JsonObject)[] {
  return elements.map((element, index) =>
    index !== primary && element !== undefined && isPrimary(element) ? notPrimary(element) : element,
  );
}

/** True for what Entra ID leaves behind when it empties an element: its label without any content. */
function isBare(element: JsonValue): boolean {
  return isObject(element) && Object.keys(element).every((name) => name === 'type' || name === 'primary');
}
