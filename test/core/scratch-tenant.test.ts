import { describe, expect, test } from 'vitest';
import { defaultDirectorySettings } from '../../src/core/directory-settings.ts';
import type { TenantSlug } from '../../src/core/ids.ts';
import { refuseAsScratch, type ScratchSource, scratchConfig } from '../../src/core/scratch-tenant.ts';
import { defaultTenantSettings } from '../../src/core/tenant.ts';

const directory = {
  ...defaultDirectorySettings,
  requestsPerSecond: 5,
  guard: { people: 3, percent: 5, minutes: 60 },
  requestLog: { days: 30, bodyHours: 24 },
};
const source: ScratchSource = {
  settings: {
    ...defaultTenantSettings,
    authorization: 'external',
    initialAccess: 'none',
    provisioningMode: 'jit',
    passwordSignIn: true,
    registrationAllowed: true,
  },
  roles: [{ workspace: 'Analytics', name: 'Viewer', rights: [] }],
  connections: [
    {
      key: 'okta',
      displayName: 'Okta',
      enabled: true,
      scim: true,
      scimHeld: true,
      directory,
      issuer: 'https://idp.example',
      domains: ['acme.example'],
      protocol: 'saml',
      saml: {} as never,
    },
  ],
  rules: [
    { key: 'by id', role: 'Analytics: Viewer', match: { kind: 'id', connection: 'okta', value: 'real-id' } },
    { key: 'by other id', role: 'Analytics: Viewer', match: { kind: 'id', connection: 'okta', value: 'nameless-id' } },
    { key: 'by external id', role: 'Analytics: Viewer', match: { kind: 'id', connection: 'okta', value: 'g-1' } },
    { key: 'other', role: 'Analytics: Viewer', match: { kind: 'name', connection: 'entra', value: 'Staff' } },
    { key: 'local', role: 'Analytics: Viewer', match: { kind: 'local', value: 'TenantOwners' } },
  ],
};
const groups = new Map([
  ['real-id', { externalId: 'g-7', displayName: 'Seven' }],
  ['nameless-id', { externalId: null, displayName: 'Eight' }],
]);

describe('a scratch tenant', () => {
  test('has no sign-in, no domain, no letters to write and no limit, whatever the real one has', () => {
    const config = scratchConfig(source, 'okta', groups);
    expect(config?.connection).toEqual({
      key: 'okta',
      displayName: 'Okta',
      enabled: true,
      scim: true,
      scimHeld: false,
      directory: { ...directory, guard: null, requestsPerSecond: null, requestLog: { days: 1, bodyHours: 0 } },
      issuer: null,
      domains: [],
      protocol: null,
    });
    expect(config?.settings).toEqual({
      ...defaultTenantSettings,
      linking: 'off',
      authorization: 'external',
      initialAccess: 'none',
    });
  });

  test('has the rules of the directory alone; one that names a group by its id here goes by what the directory knows it by', () => {
    const config = scratchConfig(source, 'okta', groups);
    expect(config?.rulesLeftOut).toBe(2);
    expect(config?.rules.map(({ match }) => match)).toEqual([
      { kind: 'id', connection: 'okta', value: 'g-7' },
      { kind: 'name', connection: 'okta', value: 'Eight' },
      { kind: 'id', connection: 'okta', value: 'g-1' },
    ]);
    expect(scratchConfig(source, 'entra', groups)).toBeNull();
  });

  test('T37 is only one that replay made, that no file manages and that nobody else has touched', () => {
    const slug = 'acme-try' as TenantSlug;
    const good = { madeByReplay: true, own: true, touched: false };
    expect(refuseAsScratch(slug, good)).toBeNull();
    for (const bad of [{ madeByReplay: false }, { own: false }, { touched: true }])
      expect(refuseAsScratch(slug, { ...good, ...bad })).toMatchObject({ kind: 'refused', code: 'forbidden' });
  });
});
