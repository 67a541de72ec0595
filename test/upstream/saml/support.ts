import { randomUUID } from 'node:crypto';
import { defaultDirectorySettings } from '../../../src/core/directory-settings.ts';
import type { ConnectionId, Instant, TenantId, TenantSlug } from '../../../src/core/ids.ts';
import type { Connection, SamlSettings } from '../../../src/core/tenant.ts';
import type { ConnectionUrls, FlowSecrets, LoginAnswer } from '../../../src/upstream/connector.ts';
import { type ResponseContent, type TestIdp, testIdp } from '../../support/saml-idp.ts';

export type SamlConnection = Extract<Connection, { protocol: 'saml' }>;

export const now = Date.UTC(2026, 5, 15, 12) as Instant;
export const world = { now: () => now, readSecret: async () => '', allowPrivateNetwork: false };
export const urls: ConnectionUrls = {
  tenant: 'acme' as TenantSlug,
  callback: 'https://bridge.example/t/acme/saml/corp/acs',
  entityId: 'https://bridge.example/t/acme/saml/corp/metadata',
};
export const idp = testIdp('https://idp.corp.example/saml');
export const requestId = `_${randomUUID()}`;
export const flow: { readonly id: string; readonly secrets: FlowSecrets } = { id: 'flow-1', secrets: { requestId } };
export const victim = 'alice@corp.example';

export function samlConnection(settings: Partial<SamlSettings> = {}, of: TestIdp = idp): SamlConnection {
  return {
    connectionId: '018f0000-0000-7000-8000-000000000001' as ConnectionId,
    tenantId: '018f0000-0000-7000-8000-000000000002' as TenantId,
    key: 'corp',
    displayName: 'Corp',
    enabled: true,
    scim: false,
    scimHeld: false,
    directory: defaultDirectorySettings,
    issuer: of.entityId,
    domains: ['corp.example'],
    protocol: 'saml',
    saml: {
      signOnUrl: 'https://idp.corp.example/sso',
      certificates: [of.certificate],
      nameIdFormat: null,
      emailAttribute: null,
      groupsAttribute: null,
      givenNameAttribute: null,
      familyNameAttribute: null,
      trustsEmail: true,
      insecureAllowUnsolicited: false,
      insecureAllowSha1: false,
      clockSkewSeconds: 60,
      ...settings,
    },
  };
}

/** What an honest IdP says about the person of these tests. */
export const content: ResponseContent = {
  acs: urls.callback,
  audience: urls.entityId,
  inResponseTo: requestId,
  nameId: victim,
  now,
};

export function posted(form: Readonly<Record<string, unknown>>): LoginAnswer {
  return { query: new URLSearchParams(), form };
}
