// What changes in a directory's own schema, as a person reads it: names, and no definitions.

import { sameValue } from '../core/canonical.ts';
import type { ExtensionAttribute, ExtensionSchema } from '../core/directory-settings.ts';

const MOST_NAMED = 20;

/** `+desk, -badge, ~hired (type)`: what comes, goes and changes, and of the latter what about it; the first {@link MOST_NAMED}. */
export function schemaChange(from: ExtensionSchema, to: ExtensionSchema): string {
  const changes = [
    ...fieldsThatDiffer(from, to, 'attributes').map((field) => `~${field}`),
    ...attributeChanges(from.attributes, to.attributes, ''),
  ];
  if (changes.length === 0) return 'in another order';
  const more = changes.length - MOST_NAMED;
  return [...changes.slice(0, MOST_NAMED), ...(more > 0 ? [`… and ${more} more`] : [])].join(', ');
}

function attributeChanges(
  from: readonly ExtensionAttribute[],
  to: readonly ExtensionAttribute[],
  path: string,
): readonly string[] {
  const before = new Map(from.map((attribute) => [attribute.name, attribute]));
  const after = new Map(to.map((attribute) => [attribute.name, attribute]));
  return [
    ...to.filter(({ name }) => !before.has(name)).map(({ name }) => `+${path}${name}`),
    ...from.filter(({ name }) => !after.has(name)).map(({ name }) => `-${path}${name}`),
    ...to.flatMap((attribute): readonly string[] => {
      const old = before.get(attribute.name);
      if (old === undefined) return [];
      const at = `${path}${attribute.name}`;
      const fields = fieldsThatDiffer(old, attribute, 'subAttributes');
      const own = fields.length === 0 ? [] : [`~${at} (${fields.join(', ')})`];
      return [...own, ...attributeChanges(old.subAttributes, attribute.subAttributes, `${at}.`)];
    }),
  ];
}

function fieldsThatDiffer<T extends object>(from: T, to: T, but: keyof T): readonly string[] {
  return (Object.keys(to) as (keyof T & string)[]).filter((key) => key !== but && !sameValue(from[key], to[key]));
}
