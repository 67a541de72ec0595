import { describe, expect, test } from 'vitest';
import {
  decideCreateGroup,
  decideEndGroup,
  decideUpdateGroup,
  editsMembers,
  type GroupFacts,
  noMembers,
} from '../../src/core/directory-group.ts';
import type { ConnectionId, DirectoryGroupId, RoleId, RuleId } from '../../src/core/ids.ts';
import type { Binding, MappingRule } from '../../src/core/mapping.ts';

const okta = 'c-okta' as ConnectionId;
const admins = 'g-admins' as DirectoryGroupId;
const other = 'g-other' as DirectoryGroupId;
const rule: MappingRule = {
  ruleId: 'm-1' as RuleId,
  key: 'admins',
  roleId: 'r-1' as RoleId,
  match: { kind: 'name', connectionId: okta, value: 'Admins' },
  boundGroups: [],
};
const facts = (bindings: readonly Binding[] = [], more: Partial<GroupFacts> = {}): GroupFacts => ({
  directory: { connectionId: okta },
  nameTaken: false,
  externalIdTaken: false,
  rules: [rule],
  bindings,
  ...more,
});
const bound: Binding = { ruleId: rule.ruleId, groupId: admins, state: 'bound' };
const names = { displayName: 'Admins', externalId: null };

describe('a group that a directory pushes', () => {
  test('is bound to a rule by the first name that the rule ever meets', () => {
    const { changes } = decideCreateGroup(names, admins, facts());
    expect(changes[1]).toEqual({ kind: 'bind_rule', ...bound });
  });

  test.each(['Admins', 'admins ', 'ADMINS', 'Ａdmins'])(
    'T56 is held where it takes the name %j that the rule met before',
    (displayName) => {
      const { changes, events } = decideCreateGroup({ ...names, displayName }, other, facts([bound]));
      expect(changes[1]).toEqual({ kind: 'bind_rule', ruleId: rule.ruleId, groupId: other, state: 'held' });
      expect(events[1]).toMatchObject({ kind: 'group.mapping_held', reason: 'alert' });
    },
  );

  test('T56 T126 is held where it is renamed into such a name, and keeps its rule where it is renamed out of it', () => {
    const stored = { groupId: other, version: 1, displayName: 'Others', externalId: null };
    expect(decideUpdateGroup(names, stored, facts([bound])).changes[1]).toMatchObject({
      state: 'held',
      groupId: other,
    });
    const away = decideUpdateGroup(
      { ...names, displayName: 'Chiefs' },
      { ...stored, ...names, groupId: admins },
      facts([bound]),
    );
    expect(away.changes.map((change) => change.kind)).toEqual(['update_group']);
  });

  test('I6 is not written where its names are what they were', () => {
    const stored = { groupId: admins, version: 1, ...names };
    expect(decideUpdateGroup(names, stored, facts([], { nameTaken: true }))).toEqual({
      outcome: { kind: 'updated', changed: false },
      changes: [],
      events: [],
    });
  });

  test.each([
    ['group_name_taken', { nameTaken: true }],
    ['external_id_taken', { externalIdTaken: true }],
  ] as const)('I12 is refused as %s', (code, more) => {
    expect(decideCreateGroup(names, admins, facts([], more))).toMatchObject({ outcome: { code }, changes: [] });
    const stored = { groupId: admins, version: 1, displayName: 'A', externalId: null };
    expect(decideUpdateGroup(names, stored, facts([], more))).toMatchObject({ outcome: { code }, changes: [] });
  });

  test('ends, audited by its last name', () => {
    expect(decideEndGroup({ groupId: admins, version: 1, ...names })).toMatchObject({
      changes: [{ kind: 'end_group', groupId: admins }],
      events: [{ kind: 'group.removed', detail: { displayName: 'Admins' } }],
    });
  });
});

test('an edit without ids is one only where it replaces', () => {
  expect(editsMembers(noMembers)).toBe(false);
  expect(editsMembers({ kind: 'replace', to: [] })).toBe(true);
});
