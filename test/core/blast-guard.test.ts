import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bar } from '../../src/core/access.ts';
import {
  activeUsersThatMatter,
  crossedLine,
  decidePause,
  type Harm,
  isMapped,
  losesMapping,
  subjectAfter,
} from '../../src/core/blast-guard.ts';
import type { BlastGuard } from '../../src/core/directory-settings.ts';
import type {
  ConnectionId,
  DirectoryGroupId,
  RoleId,
  RuleId,
  TenantId,
  TenantSlug,
  UserId,
} from '../../src/core/ids.ts';
import type { MappingRule } from '../../src/core/mapping.ts';
import type { SubjectRecord } from '../../src/core/plan-access.ts';
import type { Email } from '../../src/core/profile.ts';

const guard: BlastGuard = { people: 50, percent: 20, minutes: 60 };
const okta = 'c-okta' as ConnectionId;
const entra = 'c-entra' as ConnectionId;
const group = (id: string, externalId: string | null = null) => ({
  groupId: id as DirectoryGroupId,
  externalId,
  displayName: 'Editors',
});

describe('the line of a guard', () => {
  test.each([
    [50, 1_000, null],
    [51, 1_000, 'people'],
    [20, 100, null],
    [21, 100, 'percent'],
    [4, 20, null],
    [5, 20, 'percent'],
    [19, 19, null],
    [51, 19, 'people'],
  ] as const)('%i people of %i active ones: %s', (people, active, line) => {
    expect(crossedLine(guard, people, active)).toBe(line);
  });

  test('is the same whether all active users are counted or only those that matter', () => {
    const guards = fc.record({
      people: fc.integer({ min: 1, max: 10_000 }),
      percent: fc.integer({ min: 1, max: 100 }),
      minutes: fc.constant(60),
    });
    fc.assert(
      fc.property(guards, fc.nat(20_000), fc.nat(200_000), (one, people, active) => {
        const counted = Math.min(active, activeUsersThatMatter(one, people));
        expect(crossedLine(one, people, counted)).toBe(crossedLine(one, people, active));
      }),
    );
  });

  test('once crossed stays crossed: more people never cross less', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.nat(1_000), (people, active) => {
        if (crossedLine(guard, people, active) !== null) expect(crossedLine(guard, people + 1, active)).not.toBeNull();
      }),
    );
  });
});

describe('a group that rules speak of', () => {
  const rule = (match: MappingRule['match'], boundGroups: readonly string[] = []): MappingRule => ({
    ruleId: 'r' as RuleId,
    key: 'r',
    roleId: 'role' as RoleId,
    match,
    boundGroups: boundGroups as readonly DirectoryGroupId[],
  });
  const byName = rule({ kind: 'name', connectionId: okta, value: 'Editors' }, ['g-1']);
  const byId = rule({ kind: 'id', connectionId: okta, value: 'ext-1' });
  const here = { connectionId: okta, held: false };

  test('is one that is bound, or named by id; of a held directory none is', () => {
    expect(isMapped([byName], here, group('g-1'))).toBe(true);
    expect(isMapped([byName], here, group('g-2'))).toBe(false);
    expect(isMapped([byId], here, group('g-2', 'ext-1'))).toBe(true);
    expect(isMapped([byId], { ...here, connectionId: entra }, group('g-2', 'ext-1'))).toBe(false);
    expect(isMapped([byName, byId], { ...here, held: true }, group('g-1', 'ext-1'))).toBe(false);
  });

  test('is lost by another externalId where the rule goes by it, and by no other name', () => {
    expect(losesMapping([byId], here, group('g-1', 'ext-1'), { externalId: 'ext-2' })).toBe(true);
    expect(losesMapping([byName], here, group('g-1', 'ext-1'), { externalId: 'ext-2' })).toBe(false);
    expect(losesMapping([byId], here, group('g-1', 'ext-2'), { externalId: 'ext-1' })).toBe(false);
  });
});

test('T58 a pause is refused with what an identity provider tries again, and told to every administrator', () => {
  const decision = decidePause({
    tenant: 'acme' as TenantSlug,
    connectionId: okta,
    connectionKey: 'okta',
    guard,
    line: 'people',
    people: 51,
    administrators: ['a@acme.example' as Email, 'b@acme.example' as Email],
  });
  expect(decision.outcome.code).toBe('directory_paused');
  expect(decision.changes.map((change) => change.kind)).toEqual(['pause_directory', 'send_mail', 'send_mail']);
  expect(decision.events.map((event) => [event.kind, event.outcome])).toEqual([
    ['directory.write', 'refused'],
    ['directory.paused', 'done'],
  ]);
});

describe('a person after the recorded acts', () => {
  const subject: SubjectRecord = {
    subjectId: 'u-1' as UserId,
    kind: 'user',
    name: 'ann@acme.example',
    homeTenantId: 't' as TenantId,
    facts: {
      adminDeactivated: false,
      directory: [
        { connectionId: okta, active: true, ended: false },
        { connectionId: entra, active: true, ended: false },
      ],
      approval: 'approved',
      suspension: null,
      grants: [],
      groups: [
        { kind: 'directory', connectionId: okta, ...group('g-1') },
        { kind: 'directory', connectionId: okta, ...group('g-2') },
        { kind: 'directory', connectionId: entra, ...group('g-3') },
        { kind: 'asserted', connectionId: okta, value: 'Editors' },
      ],
    },
    home: null,
  };
  const none = { deactivated: false, removed: false, groups: [], unmapped: [], touched: false };
  const harm = (more: Partial<Harm>): Harm => ({ userId: 'u-1' as UserId, ...none, ...more });
  const groups = (one: SubjectRecord) =>
    one.facts.groups.map((ref) => (ref.kind === 'asserted' ? ref.value : ref.groupId));

  test('who leaves a group is in the others still', () => {
    const after = subjectAfter(subject, okta, harm({ groups: ['g-1' as DirectoryGroupId] }));
    expect(groups(after)).toEqual(['g-2', 'g-3', 'Editors']);
    expect(after.facts.directory).toEqual(subject.facts.directory);
  });

  test('a group that leaves its rules gives nothing, as one that is left', () => {
    const after = subjectAfter(subject, okta, harm({ unmapped: ['g-1' as DirectoryGroupId] }));
    expect(groups(after)).toEqual(['g-2', 'g-3', 'Editors']);
  });

  test('who is deactivated is in no group of this directory, and barred unless another has them active', () => {
    const after = subjectAfter(subject, okta, harm({ deactivated: true }));
    expect(groups(after)).toEqual(['g-3', 'Editors']);
    expect(bar(after.facts)).toBeNull();
    expect(bar(subjectAfter(after, entra, harm({ deactivated: true })).facts)).toBe('deactivated');
  });
});
