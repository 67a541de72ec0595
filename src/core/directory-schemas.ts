// What cannot hold of the schemas that a directory is given. Names are the same in any case (RFC 7643 §2.1), so keys that a file
// tells apart may be one and the same here.

import { type ExtensionAttribute, type ExtensionSchema, standardNames } from './directory-settings.ts';

/** `path` begins at the schemas; the two phrases complete a sentence. */
export type SchemaFault = {
  readonly path: readonly string[];
  readonly found: string;
  readonly expected: string;
};

/** Faults of a directory's schemas, beyond the form of each value. Empty if they can stand beside one another and the standard's. */
export function schemaFaults(schemas: readonly ExtensionSchema[]): readonly SchemaFault[] {
  return schemas.flatMap((schema, index): readonly SchemaFault[] => {
    const path = [schema.urn];
    const faults: SchemaFault[] = [];
    if (schemas.slice(0, index).some((other) => same(other.urn, schema.urn))) {
      faults.push({ path, found: 'there twice, apart from upper and lower case', expected: 'each URN once' });
    }
    const owner = schemas.find((other) => namesAttribute(schema.urn, other));
    if (owner !== undefined) {
      faults.push({ path, found: `also the address of an attribute of ${owner.urn}`, expected: 'another URN' });
    }
    for (const { name } of schema.attributes) {
      if (!standardNames[schema.resource].has(name.toLowerCase())) continue;
      const found = `the name of an attribute that every ${schema.resource} has`;
      faults.push({ path: [...path, 'attributes', name], found, expected: 'a name of its own' });
    }
    return [...faults, ...doubles(schema.attributes, [...path, 'attributes'])];
  });
}

function doubles(attributes: readonly ExtensionAttribute[], path: readonly string[]): readonly SchemaFault[] {
  return attributes.flatMap((attribute, index): readonly SchemaFault[] => {
    const at = [...path, attribute.name];
    const within = doubles(attribute.subAttributes, [...at, 'subAttributes']);
    if (!attributes.slice(0, index).some((other) => same(other.name, attribute.name))) return within;
    const found = 'there twice, apart from upper and lower case';
    return [{ path: at, found, expected: 'each attribute once' }, ...within];
  });
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** True for `urn:x:color` where `urn:x` has an attribute color: a path would mean two things. */
function namesAttribute(urn: string, { urn: other, attributes }: ExtensionSchema): boolean {
  if (!same(urn.slice(0, other.length + 1), `${other}:`)) return false;
  const [name = ''] = urn.slice(other.length + 1).split('.');
  return attributes.some((attribute) => same(attribute.name, name));
}
