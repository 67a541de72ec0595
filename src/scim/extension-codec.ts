// Extensions in the body of a resource (RFC 7643 §3.3): objects under their URNs, and what stands beside them without.

import { readValue } from './attribute-value.ts';
import { invalidValue } from './errors.ts';
import { isObject, type JsonObject, type JsonValue, namedTwice, readMembers } from './json.ts';
import { correctUrn, isEmpty, type Notes, note, unknownAttribute, unqualifiedExtension } from './quirks.ts';
import { findAttribute, nameKey, type ResourceSchema, type Schema } from './schema.ts';

/** What is read of a body's members that no core attribute has the name of. */
export type Foreign = {
  readonly schema: ResourceSchema;
  readonly notes: Notes;
  /** Where values of extensions are put, under the URN. */
  readonly attributes: Record<string, JsonValue>;
  /** Members that are no extension: {@link adoptStrays} looks at them once all extensions were read. */
  readonly strays: [name: string, value: JsonValue][];
};

/** Reads a member whose name no core attribute has. Refuses with 400 an extension of another form, or of values of the wrong type. */
export function readForeign(name: string, value: JsonValue, foreign: Foreign): void {
  const { schema, notes, attributes, strays } = foreign;
  const extension = schema.extensions.get(nameKey(correctUrn(name, notes)));
  if (extension === undefined) {
    strays.push([name, value]);
    return;
  }
  const read = readExtension(extension, value, notes);
  if (read === undefined) return;
  if (Object.hasOwn(attributes, extension.id)) throw namedTwice();
  attributes[extension.id] = read;
}

function readExtension(extension: Schema, value: JsonValue, notes: Notes): JsonObject | undefined {
  if (isEmpty(value)) return undefined;
  if (!isObject(value)) throw invalidValue('The value of an extension is not an object.');
  const result: Record<string, JsonValue> = {};
  for (const [key, item] of readMembers(value)) {
    const definition = extension.attributes.get(key);
    if (definition === undefined) note(notes, unknownAttribute);
    if (definition === undefined || definition.mutability === 'readOnly') continue;
    const read = readValue(definition, item, notes);
    if (read !== undefined) result[definition.name] = read;
  }
  return Object.keys(result).length === 0 ? undefined : result;
}

/** Attributes of an extension that stand beside it: what the extension itself says wins. Others are noted, and passed over. */
export function adoptStrays({ strays, attributes, schema, notes }: Foreign): void {
  for (const [name, value] of strays) {
    const path = findAttribute(schema, name);
    if (
      path === undefined ||
      path.extension === null ||
      path.sub !== null ||
      path.attribute.mutability === 'readOnly'
    ) {
      note(notes, unknownAttribute);
      continue;
    }
    const read = readValue(path.attribute, value, notes);
    const held = attributes[path.extension];
    const extension = isObject(held) ? held : {};
    if (read === undefined || Object.hasOwn(extension, path.attribute.name)) continue;
    note(notes, unqualifiedExtension, path.attribute.name);
    attributes[path.extension] = { ...extension, [path.attribute.name]: read };
  }
}
