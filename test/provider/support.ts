// What tests of the provider share: a client's settings, and the provider over real HTTP.

import type { ClientSettings } from '../../src/core/client.ts';

export const clientSettings = (more: Partial<ClientSettings> = {}): ClientSettings => ({
  name: 'Analytics',
  kind: 'web',
  redirectUris: ['https://app.example/callback'],
  postLogoutRedirectUris: [],
  resources: [],
  defaultResource: null,
  refreshTokens: true,
  signingAlgorithm: 'ES256',
  publicKeys: null,
  ...more,
});
