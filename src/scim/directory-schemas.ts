// The schemas of one directory: those of the standard, and those that its settings declare. Built once per settings, not per request.

import type { ExtensionAttribute, ExtensionSchema } from '../core/directory-settings.ts';
import { remember } from '../core/recent.ts';
import {
  type AttributeDefinition,
  groupSchema,
  mapByName,
  nameKey,
  type ResourceSchema,
  type Schema,
  userSchema,
} from './schema.ts';

export type DirectorySchemas = { readonly user: ResourceSchema; readonly group: ResourceSchema };

const standard: DirectorySchemas = Object.freeze({ user: userSchema, group: groupSchema });

// Settings are read anew every moment, so equal ones are found by their text; the same value again is found by itself.
const byValue = new WeakMap<readonly ExtensionSchema[], DirectorySchemas>();
const byText = new Map<string, DirectorySchemas>();
const MAX_KEPT = 1_000;

/**
 * The schemas of a directory with these extensions beside those of the standard. Equal extensions give the same value.
 *
 * Never throws: what cannot hold was refused where the settings were written. Of two extensions of one URN the first one holds.
 */
export function directorySchemas(extensions: readonly ExtensionSchema[]): DirectorySchemas {
  if (extensions.length === 0) return standard;
  const known = byValue.get(extensions);
  if (known !== undefined) return known;
  const text = JSON.stringify(extensions);
  const built = byText.get(text) ?? build(extensions);
  byValue.set(extensions, built);
  remember(byText, MAX_KEPT, text, built);
  return built;
}

function build(extensions: readonly ExtensionSchema[]): DirectorySchemas {
  return Object.freeze({ user: extend(userSchema, extensions), group: extend(groupSchema, extensions) });
}

function extend(standardOne: ResourceSchema, extensions: readonly ExtensionSchema[]): ResourceSchema {
  const own = extensions.filter(({ resource }) => resource === standardOne.resource);
  if (own.length === 0) return standardOne;
  const all = new Map(standardOne.extensions);
  for (const extension of own) {
    const key = nameKey(extension.urn);
    if (!all.has(key)) all.set(key, schemaOf(extension));
  }
  return Object.freeze({ ...standardOne, extensions: all });
}

function schemaOf({ urn, name, description, attributes }: ExtensionSchema): Schema {
  return Object.freeze({ id: urn, name, description, attributes: mapByName(attributes.map(attributeOf)) });
}

function attributeOf(declared: ExtensionAttribute): AttributeDefinition {
  return Object.freeze({
    ...declared,
    // References and binaries are case exact by the standard's prose (RFC 7643 §2.3.6, §2.3.7).
    caseExact: declared.caseExact || declared.type === 'reference' || declared.type === 'binary',
    uniqueness: 'none',
    referenceTypes: declared.type === 'reference' ? EXTERNAL : NONE,
    subAttributes: mapByName(declared.subAttributes.map(attributeOf)),
  });
}

const EXTERNAL: readonly string[] = Object.freeze(['external']);
const NONE: readonly string[] = Object.freeze([]);
