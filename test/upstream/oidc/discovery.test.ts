import { generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { oidcConnector } from '../../../src/upstream/oidc.ts';
import { entraTenant, issuerFault } from '../../../src/upstream/oidc-issuer.ts';
import {
  clientId,
  connectionTo,
  type Json,
  refusalOf,
  signIn,
  startTamperingIdp,
  type TamperingIdp,
  testWorld,
  urls,
} from './tampering-idp.ts';

let idp: TamperingIdp;
beforeAll(async () => {
  idp = await startTamperingIdp();
});
afterAll(() => idp.close());
beforeEach(() => {
  idp.tampering = {};
  idp.requests.length = 0;
});
const count = (line: string) => idp.requests.filter((request) => request === line).length;
const discovery = 'GET /.well-known/openid-configuration';
const hour = 3_600_000;
const tenantId = '8b2f1c6e-1111-4222-8333-0123456789ab';

describe('issuers (T23, T25)', () => {
  test.each([
    ['https://login.microsoftonline.com/{tenantid}/v2.0', /many tenants/],
    ['https://login.microsoftonline.com/common/v2.0', /many tenants/],
    ['https://login.microsoftonline.com/organizations/v2.0', /many tenants/],
    ['https://login.microsoftonline.com/consumers/v2.0', /many tenants/],
    ['https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0', /many tenants/],
    ['https://LOGIN.microsoftonline.com/common/v2.0', /many tenants/],
    ['https://login.microsoftonline.us/common/v2.0', /many tenants/],
    ['https://sts.windows.net/common/', /many tenants/],
    ['https://contoso.ciamlogin.com/common/v2.0', /many tenants/],
    ['https://any.example/{tenant}/v2.0', /many tenants/],
    ['http://idp.example', /https/],
    ['https://idp.example/?tenant=a', /query/],
    ['https://idp.example/#a', /query/],
    ['https://me:secret@idp.example', /credentials/],
    ['javascript:alert(1)', /https/],
    ['idp.example', /not a URL/],
    ['', /not a URL/],
  ])('%s cannot be the issuer of a connection', (issuer, reason) => {
    expect(issuerFault(issuer, false)).toMatch(reason);
  });

  test.each([
    `https://login.microsoftonline.com/${tenantId}/v2.0`,
    `https://sts.windows.net/${tenantId}/`,
    'https://acme.okta.com',
    'https://acme.okta.com/oauth2/default',
    'https://accounts.google.com',
    'https://common.example/organizations',
  ])('%s can', (issuer) => {
    expect(issuerFault(issuer, false)).toBeNull();
  });

  test('the tenant is read from the issuer, and from no other host', () => {
    expect(entraTenant(`https://login.microsoftonline.com/${tenantId}/v2.0`)).toBe(tenantId);
    expect(entraTenant(`https://login.microsoftonline.com.evil.example/${tenantId}/v2.0`)).toBeNull();
  });

  test('a connection to such an issuer is refused at both ends of the flow, before anybody is asked', async () => {
    for (const issuer of ['https://login.microsoftonline.com/common/v2.0', null]) {
      const connection = connectionTo(issuer);
      const connector = oidcConnector(testWorld());
      const begin = connector.begin(connection, urls, { id: 'f', loginHint: null, forceLogin: false });
      expect((await refusalOf(begin)).code).toBe('assertion_rejected');
      const secrets = { nonce: 'n', verifier: 'v', issuer: issuer ?? '', clientId };
      const answer = { query: new URLSearchParams({ state: 'f', code: 'c' }), form: {} };
      const finish = connector.finish(connection, urls, { id: 'f', secrets }, answer);
      expect((await refusalOf(finish)).code).toBe('assertion_rejected');
    }
  });

  test('without allowPrivateNetwork the same provider on loopback is out of reach, by http and by https (T18)', async () => {
    const connector = oidcConnector(testWorld({ allowPrivateNetwork: false }));
    expect((await refusalOf(signIn({ connector, connection: connectionTo(idp.issuer) }))).detail).toContain('https');
    const secure = connectionTo(idp.issuer.replace('http:', 'https:'));
    expect(await refusalOf(signIn({ connector, connection: secure }))).toMatchObject({
      code: 'upstream_unreachable',
      detail: expect.stringContaining('special-use'),
    });
    expect(idp.requests).toEqual([]);
  });

  test('nor may a public issuer point its endpoints there', async () => {
    // The guard sits in every request, not at the discovery alone: an address that is never a server shows it here.
    idp.tampering.metadata = (document) => {
      document.token_endpoint = 'http://169.254.169.254/latest/meta-data';
    };
    expect(await refusalOf(signIn({ connection: connectionTo(idp.issuer) }))).toMatchObject({
      code: 'upstream_unreachable',
      detail: expect.stringContaining('special-use'),
    });
  });
});

describe('the discovery document (T23)', () => {
  test.each(['https://evil.example', 'with a slash', 'in other letters', 7, undefined])(
    'one that names %s as its issuer is refused',
    async (named) => {
      const { issuer } = idp;
      const spelled = { 'with a slash': `${issuer}/`, 'in other letters': issuer.replace('http:', 'HTTP:') };
      idp.tampering.metadata = (document) => {
        document.issuer = spelled[named as keyof typeof spelled] ?? named;
      };
      const flow = { id: 'the-flow', loginHint: null, forceLogin: false };
      const begin = oidcConnector(testWorld()).begin(connectionTo(issuer), urls, flow);
      expect((await refusalOf(begin)).code).toBe('assertion_rejected');
    },
  );

  test.each(['authorization_endpoint', 'token_endpoint', 'jwks_uri'])('one without %s is of no use', async (name) => {
    for (const value of [undefined, 7, 'not a url']) {
      idp.tampering.metadata = (document) => void Object.assign(document, { [name]: value });
      const refusal = await refusalOf(signIn({ connection: connectionTo(idp.issuer) }));
      expect(refusal).toMatchObject({ code: 'upstream_unreachable', detail: expect.stringContaining(name) });
    }
  });

  test('the browser is sent nowhere but to a web address', async () => {
    idp.tampering.metadata = (document) => {
      document.authorization_endpoint = 'javascript:alert(document.cookie)';
    };
    const refusal = await refusalOf(signIn({ connection: connectionTo(idp.issuer) }));
    expect(refusal.detail).toContain('no usable authorization_endpoint');
  });

  test('lists that are none are read as the standard says for missing ones, not as a broken machine', async () => {
    idp.tampering.metadata = (document) => {
      for (const name of ['code_challenge_methods', 'token_endpoint_auth_methods', 'id_token_signing_alg_values']) {
        document[`${name}_supported`] = 7;
      }
    };
    const connection = connectionTo(idp.issuer, { clientSecret: { env: 'OKTA_SECRET' } });
    await expect(signIn({ connection })).resolves.toBeDefined();
  });

  test('no answer, an error, a page and nonsense are an unreachable provider', async () => {
    const path = '/.well-known/openid-configuration';
    const answers: Record<string, (response: import('node:http').ServerResponse) => void> = {
      dropped: (response) => response.destroy(),
      missing: (response) => response.writeHead(404).end(),
      page: (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      redirect: (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      endless: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('x'.repeat(1_100_000)),
    };
    for (const [name, answer] of Object.entries(answers)) {
      idp.tampering.paths = { [path]: (_, response) => answer(response) };
      const refusal = await refusalOf(signIn({ connection: connectionTo(idp.issuer) }));
      expect(refusal.code, `${name}: ${refusal.detail}`).toBe('upstream_unreachable');
    }
    const nobody = await refusalOf(signIn({ connection: connectionTo('http://127.0.0.1:1') }));
    expect(nobody).toMatchObject({ code: 'upstream_unreachable', detail: expect.stringContaining('ECONNREFUSED') });
  });

  test('it is asked for once an hour, for every connection to the issuer', async () => {
    const world = testWorld();
    const connector = oidcConnector(world);
    for (const trustsEmail of [true, false]) {
      await signIn({ connector, connection: connectionTo(idp.issuer, { trustsEmail }) });
    }
    expect(count(discovery)).toBe(1);
    world.skipMs = hour;
    await signIn({ connector, connection: connectionTo(idp.issuer) });
    expect(count(discovery)).toBe(2);
  });

  test.each([
    ['its issuer', (document: Json) => void Object.assign(document, { issuer: 'https://evil.example' })],
    ['the host of its keys', (document: Json) => void Object.assign(document, { jwks_uri: 'http://localhost:1/jwks' })],
    [
      'the host of its tokens',
      (document: Json) => void Object.assign(document, { token_endpoint: 'http://localhost:1/t' }),
    ],
    [
      'where people sign in',
      (document: Json) => void Object.assign(document, { authorization_endpoint: 'http://a.test/' }),
    ],
  ])(
    'one that later changes %s is not believed: the last good one serves, and the operator can see why',
    async (_, change) => {
      const world = testWorld();
      const connector = oidcConnector(world);
      const connection = connectionTo(idp.issuer);
      await signIn({ connector, connection });
      idp.tampering.metadata = change;
      world.skipMs = hour;
      await expect(signIn({ connector, connection })).resolves.toBeDefined();
      expect(count(discovery)).toBe(2);
      expect(count('GET /jwks')).toBeGreaterThan(0);
      idp.tampering.idToken = (payload) => void Object.assign(payload, { aud: 'another', iat: payload.iat });
      expect((await refusalOf(signIn({ connector, connection }))).detail).toMatch(/last good metadata/);
    },
  );

  test('a change of path on the same hosts is believed', async () => {
    const world = testWorld();
    const connector = oidcConnector(world);
    const connection = connectionTo(idp.issuer);
    await signIn({ connector, connection });
    idp.tampering.metadata = (document) => {
      document.jwks_uri = `${idp.issuer}/jwks/?v=2`;
    };
    world.skipMs = hour;
    await signIn({ connector, connection });
    expect(count('GET /jwks/')).toBe(1);
  });

  test('the last good one serves while discovery is down', async () => {
    const world = testWorld();
    const connector = oidcConnector(world);
    await signIn({ connector, connection: connectionTo(idp.issuer) });
    idp.tampering.paths = { '/.well-known/openid-configuration': (_, response) => response.destroy() };
    world.skipMs = 5 * hour;
    idp.tampering.idToken = shiftedBy(world);
    await expect(signIn({ connector, connection: connectionTo(idp.issuer) })).resolves.toBeDefined();
  });
});

/** The provider's clock follows the test's. */
function shiftedBy(world: { readonly skipMs: number }) {
  return (payload: Json) => {
    for (const name of ['iat', 'exp', 'nbf']) payload[name] = Number(payload[name]) + world.skipMs / 1000;
  };
}

describe('keys', () => {
  type Key = { readonly kid: string; readonly jwk: Json; sign(payload: Json): Promise<string> };
  const newKey = (kid: string): Key => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return {
      kid,
      jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' },
      sign: (payload) => new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey),
    };
  };
  let published: readonly Key[] | 'down' = [];
  let signing: Key;
  let nonce = '';
  const world = testWorld();
  const asked = () => count('GET /own-keys');

  beforeEach(() => {
    signing = newKey('first');
    published = [signing];
    world.skipMs = 0;
    idp.tampering = {
      metadata: (document) => {
        document.jwks_uri = `${idp.issuer}/own-keys`;
        document.id_token_signing_alg_values_supported = ['ES256'];
      },
      paths: {
        '/own-keys': (_, response) => {
          if (published === 'down') return void response.destroy();
          response.writeHead(200, { 'content-type': 'application/json' });
          response.end(JSON.stringify({ keys: published.map((key) => key.jwk) }));
        },
        '/token': async (_, response) => {
          const seconds = Math.floor(world.now() / 1000);
          const claims = { iss: idp.issuer, aud: clientId, sub: 'jane', email: 'jane@acme.example', nonce };
          const id_token = await signing.sign({ ...claims, iat: seconds, exp: seconds + 300 });
          response.writeHead(200, { 'content-type': 'application/json' });
          response.end(JSON.stringify({ access_token: 'a', token_type: 'Bearer', id_token }));
        },
      },
    };
  });
  const attempt = (connector: ReturnType<typeof oidcConnector>) =>
    signIn({
      connector,
      connection: connectionTo(idp.issuer),
      onTheWay: (_, start) => {
        nonce = start.secrets.nonce ?? '';
        return undefined;
      },
    });

  test('they are fetched once in ten minutes', async () => {
    const connector = oidcConnector(world);
    await attempt(connector);
    await attempt(connector);
    expect(asked()).toBe(1);
    world.skipMs = 600_000;
    await attempt(connector);
    expect(asked()).toBe(2);
  });

  test('an unknown key is looked for at once, and at most once a minute', async () => {
    const connector = oidcConnector(world);
    await attempt(connector);
    world.skipMs = 61_000;
    signing = newKey('second');
    published = [...(published as Key[]), signing];
    await expect(attempt(connector)).resolves.toBeDefined();
    expect(asked()).toBe(2);

    signing = newKey('never published');
    for (let time = 0; time < 5; time += 1)
      expect((await refusalOf(attempt(connector))).detail).toContain('no applicable keys');
    expect(asked()).toBe(2);
    world.skipMs += 61_000;
    await refusalOf(attempt(connector));
    await refusalOf(attempt(connector));
    expect(asked()).toBe(3);
  });

  test('a withdrawn key is good for ten minutes at most while the provider can be asked', async () => {
    const connector = oidcConnector(world);
    await attempt(connector);
    published = [newKey('second')];
    world.skipMs = 600_000;
    expect((await refusalOf(attempt(connector))).code).toBe('assertion_rejected');
  });

  test('the last good keys serve while their address is down, is empty, or has nonsense', async () => {
    const connector = oidcConnector(world);
    await attempt(connector);
    for (const [index, trouble] of (['down', []] as const).entries()) {
      published = trouble;
      world.skipMs += 600_000;
      await expect(attempt(connector)).resolves.toBeDefined();
      expect(asked()).toBe(index + 2);
    }
    signing = newKey('second');
    expect((await refusalOf(attempt(connector))).detail).toMatch(
      /no applicable keys.*last good .* keys .*without keys/,
    );
  });

  test('without any good keys the sign-in waits for nothing: the provider is unreachable, and its code is not used', async () => {
    published = 'down';
    expect((await refusalOf(attempt(oidcConnector(world)))).code).toBe('upstream_unreachable');
    expect(idp.requests).not.toContain('POST /token');
  });

  test('two keys that fit are not guessed between; a key for encryption does not verify', async () => {
    published = [signing, { ...newKey('first') }];
    expect((await refusalOf(attempt(oidcConnector(world)))).code).toBe('assertion_rejected');
    published = [{ ...signing, jwk: { ...signing.jwk, use: 'enc' } }];
    expect((await refusalOf(attempt(oidcConnector(world)))).code).toBe('assertion_rejected');
    published = [{ ...signing, jwk: { kty: 'EC', crv: 'P-256', x: 7, kid: 'first' } }];
    expect((await refusalOf(attempt(oidcConnector(world)))).code).toBe('assertion_rejected');
  });
});
