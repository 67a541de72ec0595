import { describe, expect, test } from 'vitest';
import { type ClientSettings, checkClient, isClientId } from '../../src/core/client.ts';

const web: ClientSettings = {
  name: 'Analytics',
  kind: 'web',
  redirectUris: ['https://app.example/callback'],
  postLogoutRedirectUris: ['https://app.example/'],
  resources: [{ identifier: 'https://api.example/', scopes: ['reports:read'] }],
  defaultResource: null,
  refreshTokens: true,
  signingAlgorithm: 'ES256',
  publicKeys: null,
};
const refusal = (settings: Partial<ClientSettings>) => {
  const checked = checkClient({ ...web, ...settings });
  return 'code' in checked ? checked.message : null;
};

test('a client with exact https addresses is taken as it is', () => {
  expect(checkClient(web)).toEqual(web);
});

describe('T70 redirect URIs', () => {
  test.each([
    ['http://app.example/cb', 'http'],
    ['https://app.example/cb#x', 'fragment'],
    ['https://app.example/cb#', 'fragment'],
    ['https://user@app.example/cb', 'names a user'],
    ['https://app.example@evil.example/cb', 'names a user'],
    ['https://*.app.example/cb', 'characters'],
    ['https://app.example/\\evil', 'characters'],
    ['https://app.example/c b', 'characters'],
    ['https://app.example/\u0000', 'characters'],
    ['javascript:alert(1)', 'scheme'],
    ['data:text/html,x', 'scheme'],
    ['/callback', 'not an absolute URI'],
    ['com.example.app:/cb', 'scheme'],
  ])('%s is refused for a web client', (uri, why) => {
    expect(refusal({ redirectUris: [uri] })).toContain(why);
    expect(refusal({ postLogoutRedirectUris: [uri] })).toContain(why);
  });

  test('http is for this machine only', () => {
    for (const uri of ['http://localhost:5000/cb', 'http://127.0.0.1/cb', 'http://[::1]:9/cb']) {
      expect(refusal({ redirectUris: [uri] })).toBeNull();
    }
    expect(refusal({ redirectUris: ['http://localhost.evil.example/cb'] })).toContain('http');
  });

  test('a native app may have a private scheme with a dot, and no https of this machine', () => {
    expect(refusal({ kind: 'native', redirectUris: ['com.example.app:/cb', 'http://127.0.0.1/cb'] })).toBeNull();
    for (const uri of ['javascript:alert(1)', 'myapp:/cb', 'https://localhost/cb', 'http://app.example/cb']) {
      expect(refusal({ kind: 'native', redirectUris: [uri] })).not.toBeNull();
    }
  });

  test('at least one is needed', () => {
    expect(refusal({ redirectUris: [] })).toContain('at least one');
  });
});

test('an API’s scopes are its own, and its address is whole', () => {
  expect(refusal({ resources: [{ identifier: 'https://api.example', scopes: ['openid'] }] })).toContain('openid');
  expect(refusal({ resources: [{ identifier: 'https://api.example', scopes: ['a b'] }] })).toContain('scope');
  expect(refusal({ resources: [{ identifier: 'api', scopes: [] }] })).toContain('absolute URI');
  expect(refusal({ resources: [{ identifier: 'https://api.example#x', scopes: [] }] })).toContain('absolute URI');
  expect(refusal({ defaultResource: 'https://other.example' })).toContain('default resource');
});

test('a client’s keys are public, and only a web client has any', () => {
  const key = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' };
  expect(refusal({ publicKeys: [key] })).toBeNull();
  expect(refusal({ publicKeys: [{ ...key, d: 'secret' }] })).toContain('private part');
  expect(refusal({ publicKeys: [{ kty: 'oct', k: 'secret' }] })).toContain('private part');
  expect(refusal({ publicKeys: [] })).toContain('at least one');
  expect(refusal({ kind: 'browser', publicKeys: [key] })).toContain('web client');
});

test('a client id is short, printable and safe wherever it is written', () => {
  expect(['app', 'a', '0190c2b4-aaaa', 'my.app_1'].every(isClientId)).toBe(true);
  expect(['', ' a', 'a b', "a'b", 'a\u0000', '../x', '-a', 'a'.repeat(101), 'é'].some(isClientId)).toBe(false);
});
