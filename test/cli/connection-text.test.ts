import { describe, expect, test } from 'vitest';
import { changedFields, connectionText } from '../../src/cli/connection-text.ts';
import { defaultDirectorySettings, type ExtensionAttribute } from '../../src/core/directory-settings.ts';
import type { ConnectionSettings } from '../../src/core/tenant.ts';

const guard = { people: 500, percent: 20, minutes: 60 };
const okta: ConnectionSettings = {
  key: 'okta',
  displayName: 'Okta',
  enabled: true,
  scim: true,
  scimHeld: false,
  directory: defaultDirectorySettings,
  issuer: null,
  domains: ['acme.example'],
  protocol: null,
};
const directory = (more: Partial<ConnectionSettings['directory']>): ConnectionSettings => ({
  ...okta,
  directory: { ...defaultDirectorySettings, ...more },
});
const badge = {
  name: 'badge',
  type: 'string',
  multiValued: false,
  description: '',
  required: false,
  caseExact: false,
  mutability: 'readWrite',
  returned: 'default',
  canonicalValues: [],
  subAttributes: [],
} as const;
const urn = 'urn:example:params:scim:schemas:extension:acme:2.0:User';
const schema = { urn, resource: 'User', name: 'Acme', description: '', attributes: [badge] } as const;

describe('a plan', () => {
  test('names each setting of a directory that changes, so that a guard cannot go unseen', () => {
    expect(changedFields(directory({ guard }), okta)).toEqual([
      'directory.guard 500 people or 20 % within 60 minutes -> none',
    ]);
    expect(changedFields(okta, directory({ guard: { people: 1, percent: 1, minutes: 1 } }))).toEqual([
      'directory.guard none -> 1 person or 1 % within 1 minute',
    ]);
    expect(changedFields(okta, directory({ requestsPerSecond: 25, requestLog: { days: 30, bodyHours: 24 } }))).toEqual([
      'directory.requestLog.bodyHours 0 -> 24',
      'directory.requestsPerSecond none -> 25',
    ]);
  });

  test('names a schema of a directory that comes, changes or goes', () => {
    expect(changedFields(okta, directory({ schemas: [schema] }))).toEqual([`directory.schemas[${urn}] is new`]);
    expect(changedFields(directory({ schemas: [schema] }), okta)).toEqual([`directory.schemas[${urn}] is gone`]);
  });

  const desk = {
    ...badge,
    name: 'desk',
    type: 'complex',
    subAttributes: [badge, { ...badge, name: 'floor' }],
  } as const;
  const between = (from: readonly ExtensionAttribute[], to: readonly ExtensionAttribute[], more: object = {}) =>
    changedFields(
      directory({ schemas: [{ ...schema, attributes: from }] }),
      directory({ schemas: [{ ...schema, attributes: to, ...more }] }),
    );

  test('names the attributes of a schema that come, go and change, each with what changes in it', () => {
    expect(between([badge], [badge, desk])).toEqual([`directory.schemas[${urn}] +desk`]);
    expect(between([badge, desk], [desk])).toEqual([`directory.schemas[${urn}] -badge`]);
    const other = { ...badge, name: 'other' };
    expect(between([badge, other], [{ ...badge, type: 'integer', multiValued: true }, desk])).toEqual([
      `directory.schemas[${urn}] +desk, -other, ~badge (type, multiValued)`,
    ]);
  });

  test('names an attribute within another one by its path', () => {
    const [inner, floor] = desk.subAttributes;
    const room = { ...badge, name: 'room' };
    expect(between([desk], [{ ...desk, subAttributes: [{ ...floor, type: 'integer' }, room] }])).toEqual([
      `directory.schemas[${urn}] +desk.room, -desk.badge, ~desk.floor (type)`,
    ]);
    expect(between([desk], [{ ...desk, multiValued: true, subAttributes: [inner, floor] }])).toEqual([
      `directory.schemas[${urn}] ~desk (multiValued)`,
    ]);
  });

  test('names what changes of a schema beside its attributes, and the order where that is all', () => {
    expect(between([badge], [badge], { name: 'Other', resource: 'Group' })).toEqual([
      `directory.schemas[${urn}] ~resource, ~name`,
    ]);
    expect(between([badge, desk], [desk, badge])).toEqual([`directory.schemas[${urn}] in another order`]);
  });

  test('a thousand attributes are the first twenty, and how many more', () => {
    const many = Array.from({ length: 200 }, (_, at) => ({ ...badge, name: `a${at}` }));
    const [line] = between([badge], [badge, ...many]);
    expect(line).toMatch(/^directory\.schemas\[.*\] \+a0, \+a1, .* \+a19, … and 180 more$/);
  });

  test('names nothing where only the order of keys differs', () => {
    const { attributes, ...rest } = schema;
    expect(changedFields(directory({ schemas: [{ attributes, ...rest }] }), directory({ schemas: [schema] }))).toEqual(
      [],
    );
  });

  test('says of a new connection whether it is held, guarded or off', () => {
    expect(connectionText(okta)).toBe('scim, acme.example');
    expect(connectionText({ ...directory({ guard }), scimHeld: true })).toBe('scim held guarded, acme.example');
    expect(connectionText({ ...okta, enabled: false, scim: false })).toBe('off, acme.example');
  });
});
