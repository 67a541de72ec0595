import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AccessFacts, bar, effectiveAccess, guestAccess } from '../../src/core/access.ts';
import type {
  ConnectionId,
  DirectoryGroupId,
  GrantId,
  Instant,
  RoleId,
  RuleId,
  SuspensionId,
} from '../../src/core/ids.ts';
import type { GroupRef, MappingRule } from '../../src/core/mapping.ts';

const okta = 'c-okta' as ConnectionId;
const editor = { roleId: 'r-editor' as RoleId, workspace: 'Analytics', name: 'Editor', rights: [] };
const viewer = { roleId: 'r-viewer' as RoleId, workspace: 'Analytics', name: 'Viewer', rights: [] };
const editors: GroupRef = {
  kind: 'directory',
  groupId: 'g-editors' as DirectoryGroupId,
  connectionId: okta,
  externalId: '00g1',
  displayName: 'Editors',
};
const rule: MappingRule = {
  ruleId: 'm-1' as RuleId,
  key: 'editors',
  roleId: editor.roleId,
  match: { kind: 'name', connectionId: okta, value: 'Editors' },
  boundGroups: [editors.groupId],
};
const grant = { grantId: 'gr-1' as GrantId, roleId: viewer.roleId, source: 'admin', by: 'ada', lifts: null } as const;
const suspension = { suspensionId: 's-1' as SuspensionId, suspendedAt: 1 as Instant, reason: null };
const base: AccessFacts = {
  adminDeactivated: false,
  directory: [{ connectionId: okta, active: true, ended: false }],
  approval: 'approved',
  suspension: null,
  grants: [],
  groups: [],
  rules: [rule],
  roles: [editor, viewer],
  policy: { authorization: 'hybrid', initialAccess: 'mapped_roles' },
};

describe('effective access', () => {
  test('R29 a group that a rule names gives the role, with the rule and the group as its reason', () => {
    expect(effectiveAccess({ ...base, groups: [editors] })).toEqual({
      state: 'active',
      roles: [
        {
          roleId: editor.roleId,
          role: 'Analytics: Editor',
          because: [{ kind: 'rule', ruleId: rule.ruleId, rule: 'editors', group: editors }],
        },
      ],
    });
  });

  test('R20 a suspended person has no role, whatever their groups and grants say', () => {
    expect(effectiveAccess({ ...base, groups: [editors], grants: [grant], suspension })).toEqual({
      state: 'suspended',
      roles: [],
    });
  });

  test('R72 a person without a role is in no access, which is not suspended', () => {
    expect(effectiveAccess(base)).toEqual({ state: 'no_access', roles: [] });
  });

  test('C6 deactivated comes before pending, pending before suspended', () => {
    expect(bar({ ...base, suspension, approval: 'pending', adminDeactivated: true })).toBe('deactivated');
    expect(bar({ ...base, suspension, approval: 'pending' })).toBe('pending');
    expect(bar({ ...base, suspension })).toBe('suspended');
    expect(bar(base)).toBeNull();
  });

  test('I2 one active directory is enough, a removed one counts as inactive, no directory bars nobody', () => {
    const gone = { connectionId: okta, active: true, ended: true };
    const other = { connectionId: 'c-entra' as ConnectionId, active: true, ended: false };
    expect(bar({ ...base, directory: [gone] })).toBe('deactivated');
    expect(bar({ ...base, directory: [{ ...gone, ended: false, active: false }] })).toBe('deactivated');
    expect(bar({ ...base, directory: [gone, other] })).toBeNull();
    expect(bar({ ...base, directory: [] })).toBeNull();
  });

  test('C2 internal: no rule maps; external: only rules and the grant that lifted a suspension count', () => {
    const facts = { ...base, groups: [editors], grants: [grant] };
    const labels = (authorization: 'internal' | 'hybrid' | 'external', lifts: SuspensionId | null = null) =>
      effectiveAccess({ ...facts, grants: [{ ...grant, lifts }], policy: { ...base.policy, authorization } }).roles.map(
        (one) => one.role,
      );
    expect(labels('internal')).toEqual(['Analytics: Viewer']);
    expect(labels('hybrid')).toEqual(['Analytics: Editor', 'Analytics: Viewer']);
    expect(labels('external')).toEqual(['Analytics: Editor']);
    expect(labels('external', suspension.suspensionId)).toEqual(['Analytics: Editor', 'Analytics: Viewer']);
  });

  test('C1 with initial access none, rules speak only for people whom an administrator let in', () => {
    const policy = { authorization: 'hybrid', initialAccess: 'none' } as const;
    expect(effectiveAccess({ ...base, policy, groups: [editors] }).state).toBe('no_access');
    expect(effectiveAccess({ ...base, policy, groups: [editors], grants: [grant] }).roles).toHaveLength(2);
  });

  test('memberships of a directory win over what an assertion of the same connection names', () => {
    const asserted: GroupRef = { kind: 'asserted', connectionId: okta, value: 'Editors' };
    expect(effectiveAccess({ ...base, groups: [asserted] }).state).toBe('no_access');
    expect(effectiveAccess({ ...base, directory: [], groups: [asserted] }).state).toBe('active');
  });

  test('T56 a name rule holds for the group bound to it, not for whoever takes the name', () => {
    const impostor: GroupRef = { ...editors, groupId: 'g-other' as DirectoryGroupId };
    expect(effectiveAccess({ ...base, groups: [impostor] }).state).toBe('no_access');
  });

  test('a guest holds nothing while barred at home', () => {
    expect(guestAccess({ ...base, suspension }, { ...base, grants: [grant] })).toEqual({
      state: 'suspended',
      roles: [],
    });
    expect(guestAccess(base, { ...base, grants: [grant] }).state).toBe('active');
  });

  test('I1 no bar and no role are ever held together', () => {
    const facts = fc.record({
      adminDeactivated: fc.boolean(),
      directory: fc.array(fc.record({ connectionId: fc.constant(okta), active: fc.boolean(), ended: fc.boolean() }), {
        maxLength: 3,
      }),
      approval: fc.constantFrom('approved' as const, 'pending' as const),
      suspension: fc.constantFrom(null, suspension),
      grants: fc.constantFrom([], [grant]),
      groups: fc.constantFrom([], [editors]),
    });
    fc.assert(
      fc.property(facts, (given) => {
        const all = { ...base, ...given };
        const access = effectiveAccess(all);
        expect(access.roles.length > 0).toBe(access.state === 'active');
        if (bar(all) !== null) expect(access.state).toBe(bar(all));
      }),
    );
  });
});
