import { describe, expect, test } from 'vitest';
import { canonical, sameValue } from '../../src/core/canonical.ts';
import type { TenantConfig } from '../../src/core/config.ts';
import type { TenantInForce } from '../../src/core/config-change.ts';
import { defaultDirectorySettings } from '../../src/core/directory-settings.ts';
import type { ConnectionId, DirectoryGroupId, RoleId, RuleId, TenantId, TenantSlug } from '../../src/core/ids.ts';
import { planChanges } from '../../src/core/plan.ts';
import { bindNewRules } from '../../src/core/plan-access.ts';
import { defaultTenantSettings } from '../../src/core/tenant.ts';

const okta = {
  key: 'okta',
  displayName: 'Okta',
  enabled: true,
  scim: true,
  scimHeld: false,
  directory: defaultDirectorySettings,
  issuer: 'https://a.example',
  domains: ['b.example', 'a.example'],
  protocol: 'oidc',
  oidc: {
    clientId: 'a',
    clientSecret: { env: 'A' },
    scopes: ['openid'],
    groupsClaim: null,
    directoryIdClaim: 'sub',
    trustsEmail: false,
  },
} as const;

function wanted(slug: string, more: Partial<TenantConfig> = {}): TenantConfig {
  return {
    slug: slug as TenantSlug,
    parent: 'system' as TenantSlug,
    displayName: slug,
    active: true,
    settings: defaultTenantSettings,
    allowedDomains: [],
    roles: [{ workspace: 'A', name: 'Viewer', rights: ['CreateUser', 'UserUpdate'] }],
    connections: [okta],
    rules: [{ key: 'staff', match: { kind: 'name', connection: 'okta', value: 'Staff' }, role: 'A: Viewer' }],
    ...more,
  };
}

const ids = { role: 'r1' as RoleId, connection: 'c1' as ConnectionId, rule: 'm1' as RuleId, tenant: 't1' as TenantId };
function inForce(slug: string, more: Partial<TenantInForce> = {}): TenantInForce {
  return {
    tenantId: ids.tenant,
    slug: slug as TenantSlug,
    parent: 'system' as TenantSlug,
    displayName: slug,
    active: true,
    ended: false,
    managedBy: 'config',
    settings: defaultTenantSettings,
    allowedDomains: [],
    roles: [
      { roleId: ids.role, workspace: 'A', name: 'Viewer', rights: ['UserUpdate', 'CreateUser'], managedBy: 'config' },
    ],
    connections: [
      {
        // Another order of keys and domains, as a database gives them back.
        ...okta,
        oidc: {
          trustsEmail: false,
          scopes: ['openid'],
          directoryIdClaim: 'sub',
          groupsClaim: null,
          clientSecret: { env: 'A' },
          clientId: 'a',
        },
        domains: ['a.example', 'b.example'],
        connectionId: ids.connection,
        tenantId: ids.tenant,
        managedBy: 'config',
      },
    ],
    rules: [
      {
        ruleId: ids.rule,
        key: 'staff',
        roleId: ids.role,
        match: { value: 'Staff', connectionId: ids.connection, kind: 'name' },
        boundGroups: [],
        managedBy: 'config',
      },
    ],
    ...more,
  };
}

const system = inForce('system', {
  tenantId: 't0' as TenantId,
  parent: null,
  managedBy: 'api',
  connections: [],
  rules: [],
  roles: [],
});
const kinds = (...args: Parameters<typeof planChanges>) => {
  const plan = planChanges(...args);
  return plan.kind === 'planned'
    ? plan.changes.map((change) => `${change.tenant} ${change.kind}`)
    : plan.faults.map((fault) => fault.found);
};

describe('the changes of a plan', () => {
  test('are none where the rows say the same in another order', () => {
    expect(kinds([wanted('acme')], [system, inForce('acme')])).toEqual([]);
  });

  test('come in an order that can be written: given up before taken, parents before children, roles last to go', () => {
    const child = wanted('aa', { parent: 'zz' as TenantSlug, connections: [], rules: [] });
    expect(kinds([child, wanted('zz')], [system])).toEqual([
      'zz create_tenant',
      'zz add_role',
      'zz add_connection',
      'zz add_rule',
      'aa create_tenant',
      'aa add_role',
    ]);
    const moved = wanted('acme', {
      roles: [{ workspace: 'A', name: 'Editor', rights: [] }],
      connections: [],
      rules: [],
    });
    expect(kinds([moved, wanted('new')], [system, inForce('acme')])).toEqual([
      'acme remove_rule',
      'acme remove_connection',
      'acme add_role',
      'acme remove_role',
      'new create_tenant',
      'new add_role',
      'new add_connection',
      'new add_rule',
    ]);
  });

  test('of a role’s letters or rights keep the role, and so every grant of it', () => {
    const renamed = wanted('acme', { roles: [{ workspace: 'a', name: 'VIEWER', rights: [] }] });
    const plan = planChanges(
      [{ ...renamed, rules: [{ ...wanted('acme').rules[0], role: 'a: VIEWER' } as TenantConfig['rules'][number]] }],
      [system, inForce('acme')],
    );
    expect(plan.kind === 'planned' && plan.changes).toMatchObject([
      { kind: 'change_role', roleId: ids.role, to: { workspace: 'a', name: 'VIEWER' } },
    ]);
  });

  test('of a rule’s role keep the rule; of its group make it anew', () => {
    const roles = [...wanted('acme').roles, { workspace: 'A', name: 'Editor', rights: [] }];
    const rule = wanted('acme').rules[0];
    if (rule === undefined) throw new Error('no rule');
    expect(
      kinds([wanted('acme', { roles, rules: [{ ...rule, role: 'A: Editor' }] })], [system, inForce('acme')]),
    ).toEqual(['acme add_role', 'acme change_rule']);
    const other = { ...rule, match: { kind: 'name', connection: 'okta', value: 'Others' } } as const;
    expect(kinds([wanted('acme', { rules: [other] })], [system, inForce('acme')])).toEqual([
      'acme remove_rule',
      'acme add_rule',
    ]);
  });

  test('are impossible, and not endless, where parents lead in a circle', () => {
    const circle = [
      wanted('aa', { parent: 'bb' as TenantSlug, connections: [], rules: [] }),
      wanted('bb', { parent: 'aa' as TenantSlug, connections: [], rules: [] }),
    ];
    expect(kinds(circle, [system])).toEqual([
      '"bb", whose own parents lead back here',
      '"aa", whose own parents lead back here',
    ]);
  });

  test('never use a Tenant ID again that was closed for good (T76)', () => {
    expect(kinds([wanted('acme')], [system, inForce('acme', { ended: true, active: false })])).toEqual([
      '"acme", which was closed for good',
    ]);
  });
});

test('T56 a new rule by name is bound to the oldest group of the name, and to groups of its own connection alone', () => {
  const plan = planChanges(
    [
      wanted('acme', {
        rules: [{ key: 'new', match: { kind: 'name', connection: 'okta', value: 'Staff' }, role: 'A: Viewer' }],
      }),
    ],
    [system, inForce('acme')],
  );
  if (plan.kind === 'impossible' || plan.tenants[0] === undefined) throw new Error('impossible');
  const group = (id: string, displayName: string, connectionId = ids.connection) => ({
    groupId: id as DirectoryGroupId,
    connectionId,
    displayName,
  });
  const { tenant, bindings } = bindNewRules(plan.tenants[0], [
    group('g1', 'Staff', 'other' as ConnectionId),
    group('g2', ' staff'),
    group('g3', 'Staff'),
    group('g4', 'Staffing'),
  ]);
  expect(bindings.map(({ groupId, state }) => [groupId, state])).toEqual([
    ['g2', 'bound'],
    ['g3', 'held'],
  ]);
  expect(tenant.after.rules.map((rule) => rule.boundGroups)).toEqual([['g2']]);
});

test('equal values have one text, whatever the order of their keys', () => {
  expect(canonical({ b: [1, { d: null, c: undefined }], a: 'x' })).toBe('{"a":"x","b":[1,{"d":null}]}');
  expect(sameValue({ a: 1, b: 2 }, { b: 2, a: 1 })).toBe(true);
  expect(sameValue(['a', 'b'], ['b', 'a'])).toBe(false);
});
