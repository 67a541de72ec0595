import { describe, expect, test } from 'vitest';
import { changedFields, connectionText } from '../../src/cli/connection-text.ts';
import { defaultDirectorySettings } from '../../src/core/directory-settings.ts';
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
    expect(changedFields(okta, directory({ requestsPerSecond: 25, requestLog: { days: 30, bodyHours: 24 } }))).toEqual([
      'directory.requestLog.bodyHours 0 -> 24',
      'directory.requestsPerSecond none -> 25',
    ]);
  });

  test('names a schema of a directory that comes, changes or goes', () => {
    const wider = { ...schema, attributes: [badge, { ...badge, name: 'desk' }] };
    expect(changedFields(okta, directory({ schemas: [schema] }))).toEqual([`directory.schemas[${urn}] is new`]);
    expect(changedFields(directory({ schemas: [schema] }), directory({ schemas: [wider] }))).toEqual([
      `directory.schemas[${urn}] is another`,
    ]);
    expect(changedFields(directory({ schemas: [schema] }), okta)).toEqual([`directory.schemas[${urn}] is gone`]);
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
