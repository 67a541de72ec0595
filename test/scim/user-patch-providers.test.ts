import { describe, expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/scim/json.ts';
import { enterpriseUserUrn } from '../../src/scim/schema.ts';
import { userSchemaUrn } from '../support/urns.ts';
import { bob, home, id, manager, one, patch, patchRefusal, work } from './patching.ts';
import { payload } from './payload.ts';

describe('PATCH as Entra ID sends it', () => {
  const run = (file: string, attributes: JsonObject, notes: string[] = []) =>
    patch(attributes, payload(`entra/${file}.json`), notes);

  test('turns active off by the text "False" (T57, T58)', () => {
    const notes: string[] = [];
    expect(run('patch-active-false-string', bob, notes).attributes.active).toBe(false);
    expect(notes).toEqual(["op 'Replace' read as 'replace'", 'active as text read as false']);
    expect(run('patch-flagged-deactivate', bob).attributes.active).toBe(false);
    expect(run('patch-restore', { ...bob, active: false }).attributes).toMatchObject({
      active: true,
      displayName: 'Back Again',
    });
  });

  test('replaces the address of a type, and makes one of that type where there is none', () => {
    expect(run('patch-replace-email', { ...bob, emails: [work, home] }).attributes.emails).toEqual([
      { ...work, value: 'updated@microsoft.com' },
      home,
    ]);
    const notes: string[] = [];
    expect(run('patch-replace-email', { ...bob, emails: [home] }, notes).attributes.emails).toEqual([
      home,
      { type: 'work', value: 'updated@microsoft.com' },
    ]);
    expect(notes).toContain('emails.value: no element matched, one was made from the filter');
    expect(run('patch-add-phone', bob).attributes.phoneNumbers).toEqual([{ type: 'mobile', value: '1' }]);
    expect(run('patch-add-other-email-capital-value', bob).attributes.emails).toEqual([
      { type: 'other', value: 'o@x.example' },
    ]);
  });

  test('builds one address from several operations', () => {
    expect(run('patch-add-address', bob).attributes.addresses).toEqual([
      { type: 'work', streetAddress: '1 Main St', locality: 'Springfield', postalCode: '12345' },
    ]);
  });

  test('makes a role by a boolean filter in text', () => {
    expect(run('patch-add-role-primary', bob).attributes.roles).toEqual([{ primary: true, value: 'admin' }]);
  });

  test('sets the manager by plain text or a list of one, and empties it by "" in three forms', () => {
    const withManager = run('patch-add-manager-string', bob).attributes;
    expect(withManager[enterpriseUserUrn]).toEqual({ manager: { value: manager } });
    expect(run('patch-add-manager-array', bob).attributes[enterpriseUserUrn]).toEqual({
      manager: { value: manager, $ref: `http://id.example/scim/v2/Users/${manager}` },
    });
    for (const file of ['patch-remove-manager-empty', 'patch-remove-manager-empty-value']) {
      expect(run(file, withManager)).toEqual({ attributes: bob, changed: true });
    }
    expect(one(withManager, { op: 'Remove', path: 'manager' })).toEqual(bob);
    expect(one(withManager, { op: 'Replace', path: `${enterpriseUserUrn}:manager.value`, value: '' })).toEqual(bob);
  });

  test('empties optional attributes by "" and null', () => {
    const full = {
      ...bob,
      displayName: 'Bob',
      title: 'T',
      phoneNumbers: [
        { type: 'mobile', value: '1' },
        { type: 'work', value: '2' },
      ],
    };
    expect(run('patch-null-update', full).attributes).toEqual({ ...bob, phoneNumbers: [{ type: 'work', value: '2' }] });
    expect(run('patch-null-update', bob)).toEqual({ attributes: bob, changed: false });
  });

  test('folds dotted and URN keys into one operation without a path', () => {
    const notes: string[] = [];
    expect(
      run('patch-pathless-dotted', { ...bob, name: { givenName: 'B', middleName: 'M' } }, notes).attributes,
    ).toEqual({
      ...bob,
      displayName: 'Bjfe',
      name: { givenName: 'Kim', middleName: 'M', familyName: 'Upton' },
      [enterpriseUserUrn]: { employeeNumber: 'AHKNFD' },
    });
    expect(notes).toContain('key read as the path name.givenName');
  });

  test('changes nothing the second time (I6)', () => {
    const files = [
      'patch-active-false-string',
      'patch-replace-email',
      'patch-add-phone',
      'patch-add-address',
      'patch-add-other-email-capital-value',
      'patch-add-role-primary',
      'patch-add-manager-string',
      'patch-add-manager-array',
      'patch-remove-manager-empty',
      'patch-null-update',
      'patch-pathless-dotted',
      'patch-restore',
    ];
    for (const file of files) {
      const first = run(file, { ...bob, emails: [work, home] });
      expect(run(file, first.attributes), file).toEqual({ attributes: first.attributes, changed: false });
    }
  });
});

describe('PATCH as Okta sends it', () => {
  test('turns active off and on without a path', () => {
    const off = patch(bob, payload('okta/patch-deactivate.json'));
    expect(off).toEqual({ attributes: { ...bob, active: false }, changed: true });
    expect(patch(off.attributes, payload('okta/patch-reactivate.json')).attributes.active).toBe(true);
  });

  test('has its password ignored and said nowhere (T41)', () => {
    const notes: string[] = [];
    expect(patch(bob, payload('okta/patch-password.json'), notes)).toEqual({ attributes: bob, changed: false });
    expect(notes).toEqual(['password ignored']);
    expect(one(bob, { op: 'replace', path: 'password', value: 'x' })).toEqual(bob);
  });

  test('may repeat what it read: equal read-only values are ignored, others are 400 mutability (T57)', () => {
    const echo = { id, meta: { version: 'W/"1"' }, schemas: [userSchemaUrn], groups: [], title: 'T' };
    expect(one(bob, { op: 'replace', value: echo })).toEqual({ ...bob, title: 'T' });
    for (const [path, value] of [
      ['id', manager],
      ['meta', { version: 'W/"2"' }],
      ['meta.version', 'W/"2"'],
      ['meta.created', '2020-01-01T00:00:00Z'],
      ['groups', [{ value: 'admins' }]],
      ['schemas', ['urn:example:other']],
      [`${enterpriseUserUrn}:manager.displayName`, 'Boss'],
    ] as [string, JsonValue][]) {
      expect(patchRefusal(bob, { op: 'replace', path, value }), path).toEqual([400, 'mutability']);
      expect(patchRefusal(bob, { op: 'remove', path }), path).toEqual([400, 'mutability']);
    }
    expect(one(bob, { op: 'replace', path: 'meta.version', value: 'W/"1"' })).toEqual(bob);
    expect(patchRefusal(bob, { op: 'add', value: { id: manager, title: 'T' } })).toEqual([400, 'mutability']);
  });
});
