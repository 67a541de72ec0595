// The form of a connection's `directory` in a tenant's file, every default filled in.

import { z } from 'zod';
import {
  type DirectorySettings,
  defaultDirectorySettings,
  directoryProfiles,
  type ExtensionAttribute,
  extensionTypes,
} from '../core/directory-settings.ts';
import { choice, fields, fits, flag, isLine, whole } from './fields.ts';

const d = defaultDirectorySettings;

// What every object of the language has would look like a value that is there.
const isAttributeName = (value: string): boolean =>
  /^[A-Za-z][A-Za-z0-9_-]{0,99}$/.test(value) && !(value in Object.prototype);
const attributeName = fits(
  'an attribute name: a letter, then letters, digits, "-" and "_", at most 100',
  isAttributeName,
);
const subAttributeName = fits('an attribute name, or $ref', (value) => value === '$ref' || isAttributeName(value));
const simple = {
  type: choice(extensionTypes).default('string'),
  multiValued: flag.default(false),
  description: fits('text of at most 1000 characters', (value) => value.length <= 1000).default(''),
  required: flag.default(false),
  caseExact: flag.default(false),
  mutability: choice(['readWrite', 'immutable']).default('readWrite'),
  returned: choice(['always', 'default', 'request']).default('default'),
  canonicalValues: z
    .array(
      fits('a value of at most 200 characters', (value) => isLine(value, 200)),
      'a list of values',
    )
    .max(200, 'at most 200 values')
    .default([]),
};
const subAttribute = fields({
  ...simple,
  type: choice(extensionTypes.filter((type) => type !== 'complex')).default('string'),
});
const attribute = fields({
  ...simple,
  subAttributes: z
    .record(subAttributeName, subAttribute, 'a mapping of attributes')
    .refine((attributes) => Object.keys(attributes).length <= 50, 'at most 50 attributes')
    .default({}),
}).superRefine((value, check) => {
  const isComplex = value.type === 'complex';
  if (isComplex !== Object.keys(value.subAttributes).length > 0) {
    const message = isComplex ? 'at least one attribute' : 'nothing here, since the type is not complex';
    check.addIssue({ code: 'custom', path: ['subAttributes'], message });
  }
});
const schema = fields({
  resource: choice(['User', 'Group']).default('User'),
  name: fits('a name of at most 200 characters', (value) => isLine(value, 200)),
  description: simple.description,
  attributes: z
    .record(attributeName, attribute, 'a mapping of attributes')
    .refine((attributes) => Object.keys(attributes).length > 0, 'at least one attribute')
    .refine((attributes) => Object.keys(attributes).length <= 200, 'at most 200 attributes'),
});
const urn = fits(
  'a URN of its own, such as urn:example:params:scim:schemas:extension:acme:2.0:User',
  (value) =>
    /^urn:[A-Za-z0-9][A-Za-z0-9-]{0,31}:[A-Za-z0-9_.:-]{1,200}$/.test(value) && !/^urn:ietf:params:scim:/i.test(value),
);

export const directoryFields = fields({
  profile: choice(directoryProfiles).nullable().default(d.profile),
  requestsPerSecond: whole(1, 100_000).nullable().default(d.requestsPerSecond),
  requestLog: fields({
    days: whole(0, 400).default(d.requestLog.days),
    bodyHours: whole(0, 24 * 31).default(d.requestLog.bodyHours),
  }).prefault({}),
  guard: fields({
    people: whole(1, 10_000_000).default(500),
    percent: whole(1, 100).default(20),
    minutes: whole(1, 7 * 24 * 60).default(60),
  })
    .nullable()
    .default(d.guard),
  schemas: z
    .record(urn, schema, 'a mapping of schemas by their URN')
    .refine((schemas) => Object.keys(schemas).length <= 20, 'at most 20 schemas')
    .default({}),
});

type Attribute = Omit<z.infer<typeof attribute>, 'subAttributes'> & {
  readonly subAttributes?: Readonly<Record<string, z.infer<typeof subAttribute>>>;
};

export function directoryOf(file: z.infer<typeof directoryFields>): DirectorySettings {
  const schemas = Object.entries(file.schemas).map(([id, { attributes, ...rest }]) => ({
    urn: id,
    ...rest,
    attributes: Object.entries(attributes).map(attributeOf),
  }));
  return { ...file, schemas };
}

function attributeOf([name, { subAttributes = {}, ...rest }]: [string, Attribute]): ExtensionAttribute {
  return { name, ...rest, subAttributes: Object.entries(subAttributes).map(attributeOf) };
}
