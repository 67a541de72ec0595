import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { importJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  clientId,
  connectionTo,
  type Json,
  refusalOf,
  signIn,
  startTamperingIdp,
  type TamperingIdp,
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

const attempt = () => signIn({ connection: connectionTo(idp.issuer) });

/** Changes the ID token after it was signed; `again` gets header and payload. */
function resigned(again: (header: Json, payload: Json) => Promise<string> | string): void {
  const decode = (part = '') => JSON.parse(Buffer.from(part, 'base64url').toString()) as Json;
  idp.tampering.paths = {
    '/token': (request, response) => {
      // The service answers first; its answer is held back and rewritten.
      const end = response.end.bind(response);
      response.end = ((text: string) => {
        const body = JSON.parse(text) as Json;
        const [header, payload] = String(body.id_token).split('.');
        void Promise.resolve(again(decode(header), decode(payload))).then((idToken) => {
          const changed = JSON.stringify({ ...body, id_token: idToken });
          response.setHeader('content-length', Buffer.byteLength(changed));
          end(changed);
        });
        return response;
      }) as typeof response.end;
      idp.service.requestHandler(request, response);
    },
  };
}
const part = (value: Json) => Buffer.from(JSON.stringify(value)).toString('base64url');
const publishedKey = () => idp.service.issuer.keys.toJSON()[0] ?? {};
const sign = (header: Json, payload: Json, key: KeyObject) =>
  new SignJWT(payload).setProtectedHeader({ ...header, alg: String(header.alg) }).sign(key);

test('an honest ID token is taken: issuer, subject and expiry are the signed ones', async () => {
  const { assertion, replayKey, expiresAt } = await attempt();
  expect(assertion).toMatchObject({
    method: 'oidc',
    issuer: idp.issuer,
    subject: 'johndoe',
    directoryIds: ['johndoe'],
  });
  expect(replayKey).toBeNull();
  expect(expiresAt).toBeGreaterThan(Date.now() + 3_500_000);
});

describe('signature (T22)', () => {
  test('a token signed again by nobody (alg none) is refused, with and without the rest of the signature', async () => {
    resigned((header, payload) => `${part({ ...header, alg: 'none' })}.${part(payload)}.`);
    expect(await refusalOf(attempt())).toMatchObject({
      code: 'assertion_rejected',
      detail: expect.stringContaining('alg'),
    });
    resigned((header, payload) => `${part({ ...header, alg: 'none' })}.${part(payload)}.c2ln`);
    expect((await refusalOf(attempt())).code).toBe('assertion_rejected');
  });

  test('alg none is refused even if the provider advertises it', async () => {
    idp.tampering.metadata = (document) => {
      document.id_token_signing_alg_values_supported = ['none', 'RS256'];
    };
    resigned((header, payload) => `${part({ ...header, alg: 'none' })}.${part(payload)}.`);
    expect((await refusalOf(attempt())).code).toBe('assertion_rejected');
  });

  test.each([
    [
      'the public key as PEM',
      () => createPublicKey({ key: publishedKey(), format: 'jwk' }).export({ type: 'spki', format: 'pem' }),
    ],
    ['the client secret', () => 'the client secret'],
  ])('HS256 keyed with %s is refused, advertised or not', async (_, secret) => {
    for (const advertised of [['RS256'], ['HS256', 'RS256']]) {
      idp.tampering.metadata = (document) => {
        document.id_token_signing_alg_values_supported = advertised;
        document.token_endpoint_auth_methods_supported = ['client_secret_basic'];
      };
      resigned((header, payload) => {
        const input = `${part({ ...header, alg: 'HS256' })}.${part(payload)}`;
        return `${input}.${createHmac('sha256', secret()).update(input).digest('base64url')}`;
      });
      const connection = connectionTo(idp.issuer, { clientSecret: { env: 'OKTA_SECRET' } });
      expect((await refusalOf(signIn({ connection }))).code).toBe('assertion_rejected');
    }
  });

  test('a signature that does not fit is refused: another payload, another key under the same kid, an empty one', async () => {
    resigned((header, payload) => `${part(header)}.${part({ ...payload, sub: 'admin' })}.c2ln`);
    expect((await refusalOf(attempt())).detail).toContain('signature verification failed');
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    resigned((header, payload) => sign(header, { ...payload, sub: 'admin' }, privateKey));
    expect((await refusalOf(attempt())).detail).toContain('signature verification failed');
    resigned((header, payload) => `${part(header)}.${part(payload)}.`);
    expect((await refusalOf(attempt())).code).toBe('assertion_rejected');
  });

  test('a key that the token brings along is not used, and no address in the header is called', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    for (const kid of [undefined, '../../../../dev/null', "' or 1=1--", 'of another time']) {
      resigned((header, payload) => {
        const planted = `${idp.issuer}/planted`;
        const { kid: _, ...rest } = header;
        const named = kid === undefined ? rest : { ...rest, kid };
        return sign(
          { ...named, jwk: publicKey.export({ format: 'jwk' }), jku: planted, x5u: planted },
          payload,
          privateKey,
        );
      });
      expect((await refusalOf(attempt())).code).toBe('assertion_rejected');
    }
    expect(idp.requests).not.toContain('GET /planted');
    expect(idp.requests.filter((line) => line === 'POST /token')).toHaveLength(4);
  });

  test('a critical header that nobody here understands is refused', async () => {
    idp.tampering.idToken = (_, header) => {
      header.crit = ['b64'];
      header.b64 = true;
    };
    expect((await refusalOf(attempt())).code).toBe('assertion_rejected');
  });

  test('RS256, PS256, ES256 and EdDSA are taken; RS384, ES512 and what is not advertised are not', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const keys: readonly (readonly [string, { publicKey: KeyObject; privateKey: KeyObject }, boolean])[] = [
      ['RS256', rsa, true],
      ['PS256', rsa, true],
      ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' }), true],
      ['EdDSA', generateKeyPairSync('ed25519'), true],
      ['RS384', rsa, false],
      ['ES512', generateKeyPairSync('ec', { namedCurve: 'P-521' }), false],
    ];
    for (const [alg, { publicKey, privateKey }, taken] of keys) {
      for (const advertised of [true, false]) {
        idp.tampering.metadata = (document) => {
          document.jwks_uri = `${idp.issuer}/own-keys`;
          document.id_token_signing_alg_values_supported = advertised ? [alg] : ['HS512'];
        };
        resigned((_, payload) => sign({ alg, kid: alg }, payload, privateKey));
        idp.tampering.paths = {
          ...idp.tampering.paths,
          '/own-keys': (_, response) => {
            response.setHeader('content-type', 'application/json');
            response.end(JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: alg }] }));
          },
        };
        if (taken && advertised) expect((await attempt()).assertion.subject, alg).toBe('johndoe');
        else expect((await refusalOf(attempt())).code, alg).toBe('assertion_rejected');
      }
    }
  });
});

describe('claims', () => {
  const now = () => Math.floor(Date.now() / 1000);
  type Change = (payload: Json) => void;
  const set =
    (claims: () => Json): Change =>
    (payload) =>
      void Object.assign(payload, claims());
  const without =
    (name: string): Change =>
    (payload) =>
      void delete payload[name];

  const refused: readonly (readonly [string, RegExp, Change])[] = [
    ['another issuer (T22)', /"iss"/, set(() => ({ iss: 'https://evil.example' }))],
    ['the issuer with a slash at its end (T22)', /"iss"/, set(() => ({ iss: `${idp.issuer}/` }))],
    ['another audience: the ID token of another client (T24)', /"aud"/, set(() => ({ aud: 'another' }))],
    ['an audience that begins like ours (T22)', /"aud"/, set(() => ({ aud: `${clientId}2` }))],
    ['a list of audiences without azp (T22)', /"aud".*untrusted/, set(() => ({ aud: [clientId, 'another'] }))],
    ['a list of audiences for another party (T22)', /"azp"/, set(() => ({ aud: [clientId, 'x'], azp: 'x' }))],
    ['one audience and the azp of another party (T24)', /^azp "another"/, set(() => ({ azp: 'another' }))],
    ['an expiry of 61 seconds ago (T22)', /"exp"/, set(() => ({ exp: now() - 61 }))],
    ['an expiry in words (T22)', /"exp"/, set(() => ({ exp: 'tomorrow' }))],
    ['no expiry (T22)', /"exp"/, without('exp')],
    ['an issue time 65 seconds ahead (T22)', /^iat .* future/, set(() => ({ iat: now() + 65 }))],
    ['an issue time one day ahead (T22)', /^iat .* future/, set(() => ({ iat: now() + 86_400 }))],
    ['no issue time (T22)', /"iat"/, without('iat')],
    ['a beginning two minutes ahead (T22)', /"nbf"/, set(() => ({ nbf: now() + 120 }))],
    ['another nonce (T19)', /"nonce"/, set(() => ({ nonce: 'of another flow' }))],
    ['no nonce (T19)', /"nonce"/, without('nonce')],
    ['no subject', /"sub"/, without('sub')],
    ['an empty subject', /^sub /, set(() => ({ sub: '' }))],
    ['a number as subject', /"sub"/, set(() => ({ sub: 7 }))],
    ['a subject longer than the standard allows', /^sub /, set(() => ({ sub: 'x'.repeat(256) }))],
    ['a subject with NUL', /^sub /, set(() => ({ sub: 'john\u0000doe' }))],
  ];
  test.each(refused)('an ID token with %s is refused', async (_, detail, change) => {
    idp.tampering.idToken = change;
    expect(await refusalOf(attempt())).toMatchObject({
      code: 'assertion_rejected',
      detail: expect.stringMatching(detail),
    });
  });

  const taken: readonly (readonly [string, Change])[] = [
    ['our audience in a list of one', set(() => ({ aud: [clientId] }))],
    ['a list of audiences and our azp', set(() => ({ aud: [clientId, 'another'], azp: clientId }))],
    ['an expiry of 50 seconds ago', set(() => ({ exp: now() - 50 }))],
    ['an issue time 50 seconds ahead', set(() => ({ iat: now() + 50 }))],
    ['the longest subject', set(() => ({ sub: 'x'.repeat(255) }))],
  ];
  test.each(taken)('an ID token with %s is taken', async (_, change) => {
    idp.tampering.idToken = change;
    await expect(attempt()).resolves.toBeDefined();
  });

  test.each(['at+jwt', 'application/at+jwt', 'logout+jwt', 'AT+JWT', 7])(
    'a token of type %s is not taken for an ID token (T24)',
    async (typ) => {
      idp.tampering.idToken = (_, header) => void Object.assign(header, { typ });
      expect(await refusalOf(attempt())).toMatchObject({
        code: 'assertion_rejected',
        detail: expect.stringContaining('type'),
      });
    },
  );

  test('the access token in the place of the ID token is refused, and so is none (T24)', async () => {
    idp.tampering.tokens = (body) => void Object.assign(body, { id_token: body.access_token });
    expect((await refusalOf(attempt())).code).toBe('assertion_rejected');
    idp.tampering.tokens = (body) => void delete body.id_token;
    expect((await refusalOf(attempt())).code).toBe('assertion_rejected');
  });

  test('the refusal names the claim that is wrong, for the operator alone', async () => {
    idp.tampering.idToken = (payload) => void Object.assign(payload, { aud: 'another', secret: 'canary' });
    const refusal = await refusalOf(attempt());
    expect(refusal.detail).toContain(`expected "${clientId}"; aud "another"`);
    expect(refusal.detail).not.toContain('canary');
    expect(refusal.message).toBe('assertion_rejected');
  });

  test('an ID token that is signed once more by the same key is an ID token', async () => {
    // The twin of every re-signed token above: the helper itself does not make tokens wrong.
    const key = (await importJWK(idp.service.issuer.keys.toJSON(true)[0] ?? {}, 'RS256')) as unknown as KeyObject;
    resigned((header, payload) => sign(header, payload, key));
    expect((await attempt()).assertion.subject).toBe('johndoe');
  });
});
