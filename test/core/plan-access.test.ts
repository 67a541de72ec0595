import { expect, test } from 'vitest';
import type { DirectoryWord } from '../../src/core/access.ts';
import type { ConnectionId, TenantId, UserId } from '../../src/core/ids.ts';
import { accessUnder, asItIs, type SubjectRecord, type Surroundings } from '../../src/core/plan-access.ts';

const okta = 'c-okta' as ConnectionId;
const view: Parameters<typeof accessUnder>[1] = {
  active: true,
  policy: { authorization: 'hybrid', initialAccess: 'default_role' },
  roles: [],
  rules: [],
  connections: [],
};
const subject = (word: DirectoryWord): SubjectRecord => ({
  subjectId: 'u-1' as UserId,
  kind: 'user',
  name: 'ann@acme.example',
  homeTenantId: 't' as TenantId,
  facts: {
    adminDeactivated: false,
    directory: [{ connectionId: okta, ...word }],
    approval: 'approved',
    suspension: null,
    grants: [],
    groups: [],
  },
  home: null,
});
const without: Surroundings = { ...asItIs, goneConnections: new Set([okta]) };
const stateOf = (word: DirectoryWord, around = without) => accessUnder(subject(word), view, around).state;

test('T58 whom a directory removed stays out when its connection goes', () => {
  expect(stateOf({ active: true, ended: true })).toBe('deactivated');
});

test('the failing twin: whom it only switched off is out no longer', () => {
  expect(stateOf({ active: false, ended: false })).toBe('no_access');
  expect(stateOf({ active: false, ended: false }, asItIs)).toBe('deactivated');
});
