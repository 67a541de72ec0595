import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { oidcConnector } from '../../../src/upstream/oidc.ts';
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

describe('the redirect to the provider', () => {
  const flow = { id: 'the-flow', loginHint: null as string | null, forceLogin: false };
  const begin = async (overrides: Partial<typeof flow> = {}) => {
    const connection = connectionTo(idp.issuer, { scopes: ['email', 'openid', 'groups'] });
    const start = await oidcConnector(testWorld()).begin(connection, urls, { ...flow, ...overrides });
    return { ...start, url: new URL(start.redirectTo) };
  };

  test('it asks for a code with PKCE S256, the flow as state, and a nonce (T19, T21)', async () => {
    const { url, secrets } = await begin();
    expect(url.origin + url.pathname).toBe(`${idp.issuer}/authorize`);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: urls.callback,
      scope: 'openid email groups',
      state: 'the-flow',
      nonce: secrets.nonce,
      code_challenge: createHash('sha256')
        .update(secrets.verifier ?? '')
        .digest('base64url'),
      code_challenge_method: 'S256',
    });
    expect(url.href).not.toContain(secrets.verifier);
  });

  test('nonce and verifier are new for each flow, and long', async () => {
    const [one, other] = [await begin(), await begin()];
    for (const name of ['nonce', 'verifier']) {
      expect(one.secrets[name]).not.toBe(other.secrets[name]);
      expect(one.secrets[name]?.length).toBeGreaterThanOrEqual(43);
    }
  });

  test('a login hint and a fresh login are passed on', async () => {
    const { url } = await begin({ loginHint: 'a@acme.example', forceLogin: true });
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      login_hint: 'a@acme.example',
      prompt: 'login',
      max_age: '0',
    });
  });

  test('a provider that offers PKCE without S256 is refused; one that lists nothing is not (T21)', async () => {
    idp.tampering.metadata = (document) =>
      void Object.assign(document, { code_challenge_methods_supported: ['plain'] });
    expect(await refusalOf(begin())).toMatchObject({
      code: 'assertion_rejected',
      detail: expect.stringContaining('S256'),
    });
    idp.tampering.metadata = (document) => void delete document.code_challenge_methods_supported;
    await expect(begin()).resolves.toBeDefined();
  });
});

describe('the answer belongs to the flow (T19, T20, T21)', () => {
  const connection = () => connectionTo(idp.issuer);
  const tampered = (onTheWay: NonNullable<Parameters<typeof signIn>[0]['onTheWay']>) =>
    refusalOf(signIn({ connection: connection(), onTheWay }));

  test('a state that is missing, another, or given twice is refused before the code is used', async () => {
    const changes: readonly ((query: URLSearchParams) => void)[] = [
      (query) => query.delete('state'),
      (query) => query.set('state', 'flow-of-another-browser'),
      (query) => query.append('state', 'second'),
    ];
    for (const change of changes) {
      const refusal = await tampered((query) => {
        change(query);
        return undefined;
      });
      expect(refusal).toMatchObject({ code: 'assertion_rejected', detail: expect.stringContaining('state') });
    }
    expect(idp.requests).not.toContain('POST /token');
  });

  test('a code given twice, and none at all, are refused', async () => {
    const twice = await tampered((query) => void query.append('code', 'second'));
    expect(twice).toMatchObject({ code: 'assertion_rejected', detail: expect.stringContaining('code') });
    expect((await tampered((query) => void query.delete('code'))).code).toBe('assertion_rejected');
  });

  test('the nonce of another flow is refused', async () => {
    const refusal = await tampered((_, start) => ({
      ...start,
      secrets: { ...start.secrets, nonce: 'of another flow' },
    }));
    expect(refusal).toMatchObject({ code: 'assertion_rejected', detail: expect.stringContaining('nonce') });
  });

  test('a flow without nonce or verifier is refused before the code is used', async () => {
    for (const missing of ['nonce', 'verifier']) {
      const refusal = await tampered((_, start) => {
        const { [missing]: _gone, ...secrets } = start.secrets;
        return { ...start, secrets };
      });
      expect(refusal).toMatchObject({ code: 'assertion_rejected', detail: expect.stringContaining(missing) });
    }
    expect(idp.requests).not.toContain('POST /token');
  });

  test('the answer of another issuer is refused, whether or not the provider says that it names itself (RFC 9207)', async () => {
    for (const advertised of [undefined, true]) {
      idp.tampering.metadata = (document) => {
        if (advertised) document.authorization_response_iss_parameter_supported = true;
      };
      const refusal = await tampered((query) => void query.set('iss', 'https://evil.example'));
      expect(refusal).toMatchObject({ code: 'assertion_rejected', detail: expect.stringContaining('"iss"') });
    }
    expect(idp.requests).not.toContain('POST /token');
  });

  test('where the provider says that it names itself, an answer without the name is refused, and one with it is taken', async () => {
    idp.tampering.metadata = (document) => {
      document.authorization_response_iss_parameter_supported = true;
    };
    expect((await tampered(() => undefined)).detail).toContain('"iss"');
    idp.tampering.redirect = (location) => location.searchParams.set('iss', idp.issuer);
    await expect(signIn({ connection: connection() })).resolves.toBeDefined();
  });

  test('a flow that was begun with another issuer or client is not finished by this connection', async () => {
    for (const change of [{ issuer: 'https://evil.example' }, { clientId: 'another' }]) {
      const refusal = await tampered((_, start) => ({ ...start, secrets: { ...start.secrets, ...change } }));
      expect(refusal).toMatchObject({ code: 'assertion_rejected', detail: expect.stringContaining('begun with') });
    }
    expect(idp.requests).not.toContain('POST /token');
  });

  test('an ID token in the redirect is not what was asked for', async () => {
    const refusal = await tampered((query) => void query.set('id_token', 'x.y.z'));
    expect(refusal.code).toBe('assertion_rejected');
  });

  test('values of the form are not read', async () => {
    const connector = oidcConnector(testWorld());
    const form = { state: 'the-flow', code: 'posted' };
    const start = await connector.begin(connection(), urls, { id: 'the-flow', loginHint: null, forceLogin: false });
    const answer = { query: new URLSearchParams(), form };
    const finish = connector.finish(connection(), urls, { id: 'the-flow', secrets: start.secrets }, answer);
    expect((await refusalOf(finish)).detail).toContain('state');
  });
});

describe('a fresh login', () => {
  const seconds = () => Math.floor(Date.now() / 1000);
  const fresh = () => signIn({ connection: connectionTo(idp.issuer), forceLogin: true });

  test('it is refused where the provider does not prove it, and where the login is older than the flow', async () => {
    expect(await refusalOf(fresh())).toMatchObject({
      code: 'assertion_rejected',
      detail: expect.stringContaining('auth_time'),
    });
    idp.tampering.idToken = (payload) => void Object.assign(payload, { auth_time: seconds() - 300 });
    expect((await refusalOf(fresh())).detail).toContain('auth_time');
  });

  test('it is taken where the login is as young as the flow; and an old login where none was asked for', async () => {
    idp.tampering.idToken = (payload) => void Object.assign(payload, { auth_time: seconds() });
    await expect(fresh()).resolves.toBeDefined();
    const old = seconds() - 86_400;
    idp.tampering.idToken = (payload) => void Object.assign(payload, { auth_time: old });
    const { assertion } = await signIn({ connection: connectionTo(idp.issuer) });
    expect(assertion.authenticatedAt).toBe(old * 1000);
  });

  test('no login is authenticated later than now', async () => {
    idp.tampering.idToken = (payload) => void Object.assign(payload, { auth_time: seconds() + 50 });
    const { assertion } = await signIn({ connection: connectionTo(idp.issuer) });
    expect(assertion.authenticatedAt).toBeLessThanOrEqual(Date.now());
  });
});

describe('the client', () => {
  const withSecret = () => connectionTo(idp.issuer, { clientSecret: { env: 'OKTA_SECRET' } });
  let seen: { authorization: string | undefined; body: string }[] = [];
  beforeEach(() => {
    seen = [];
    idp.tampering.paths = {
      '/token': (request, response) => {
        let body = '';
        request.on('data', (chunk) => {
          body += chunk;
        });
        request.on('end', () => {
          seen.push({ authorization: request.headers.authorization, body });
          response.writeHead(400, { 'content-type': 'application/json' });
          response.end('{"error":"invalid_client","error_description":"no such client"}');
        });
      },
    };
  });
  const methods = (list: readonly string[] | undefined) => {
    idp.tampering.metadata = (document) => {
      if (list === undefined) delete document.token_endpoint_auth_methods_supported;
      else document.token_endpoint_auth_methods_supported = list;
    };
  };
  const basic = `Basic ${Buffer.from(`${clientId}:the+client+secret`).toString('base64')}`;

  test.each([
    [['client_secret_post', 'client_secret_basic'], basic],
    [undefined, basic],
    [['private_key_jwt', 'client_secret_post'], undefined],
  ])('with methods %j the secret goes by header: %s', async (list, authorization) => {
    methods(list);
    await refusalOf(signIn({ connection: withSecret() }));
    expect(seen[0]?.authorization).toBe(authorization);
    expect(new URLSearchParams(seen[0]?.body).get('client_secret')).toBe(
      authorization === undefined ? 'the client secret' : null,
    );
  });

  test('a provider that takes no secret is not given one', async () => {
    methods(['private_key_jwt']);
    expect((await refusalOf(signIn({ connection: withSecret() }))).detail).toContain('private_key_jwt');
    expect(seen).toEqual([]);
  });

  test('a public client sends its name and the verifier alone', async () => {
    let verifier: string | undefined;
    const onTheWay = (_: URLSearchParams, start: { secrets: Readonly<Record<string, string>> }) => {
      verifier = start.secrets.verifier;
      return undefined;
    };
    await refusalOf(signIn({ connection: connectionTo(idp.issuer), onTheWay }));
    expect(seen[0]?.authorization).toBeUndefined();
    expect(Object.fromEntries(new URLSearchParams(seen[0]?.body))).toMatchObject({
      client_id: clientId,
      code_verifier: verifier,
      redirect_uri: urls.callback,
    });
  });

  test('a secret that cannot be read is a broken machine, not a refusal', async () => {
    const readSecret = async () => {
      throw new Error('OKTA_SECRET is not set');
    };
    const connector = oidcConnector(testWorld({ readSecret }));
    await expect(signIn({ connector, connection: withSecret() })).rejects.toThrow('OKTA_SECRET is not set');
  });
});

describe('what the provider answers instead', () => {
  const connection = () => connectionTo(idp.issuer);
  const json = (status: number, body: Json) => ({
    '/token': (_: unknown, response: import('node:http').ServerResponse) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    },
  });

  test('its error in the redirect is told as its refusal, and only with the right state', async () => {
    const refuse = (query: URLSearchParams) => {
      query.delete('code');
      query.set('error', 'access_denied');
      query.set('error_description', 'not assigned to this app');
    };
    const refusal = await refusalOf(signIn({ connection: connection(), onTheWay: (query) => void refuse(query) }));
    expect(refusal).toMatchObject({
      code: 'upstream_refused',
      detail: expect.stringContaining('not assigned to this app'),
    });
    const forged = signIn({
      connection: connection(),
      onTheWay: (query) => {
        refuse(query);
        query.set('state', 'another');
        return undefined;
      },
    });
    expect((await refusalOf(forged)).code).toBe('assertion_rejected');
  });

  test('its error at the token endpoint is told as its refusal, without the code or the verifier', async () => {
    idp.tampering.paths = json(400, { error: 'invalid_grant', error_description: 'the code was used\r\nbefore' });
    let secret = '';
    let code = '';
    const refusal = await refusalOf(
      signIn({
        connection: connection(),
        onTheWay: (query, start) => {
          code = query.get('code') ?? '';
          secret = start.secrets.verifier ?? '';
          return undefined;
        },
      }),
    );
    expect(refusal).toMatchObject({ code: 'upstream_refused', detail: expect.stringContaining('"invalid_grant"') });
    expect(refusal.detail).toMatch(/^[^\r\n]*$/);
    for (const hidden of [code, secret]) {
      expect(hidden.length).toBeGreaterThan(10);
      expect(refusal.detail).not.toContain(hidden);
    }
  });

  test('a challenge at the token endpoint is a refusal', async () => {
    idp.tampering.paths = {
      '/token': (_, response) => response.writeHead(401, { 'www-authenticate': 'Basic realm="idp"' }).end(),
    };
    expect((await refusalOf(signIn({ connection: connection() }))).code).toBe('upstream_refused');
  });

  test.each([
    ['a server error', 500, { error: 'server_error' }],
    ['a page', 200, null],
  ])('%s at the token endpoint is no usable answer', async (_, status, body) => {
    idp.tampering.paths =
      body !== null
        ? json(status, body)
        : { '/token': (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>') };
    expect((await refusalOf(signIn({ connection: connection() }))).code).toBe('upstream_unreachable');
  });

  test('a redirect at the token endpoint is not followed, so that the secret stays here', async () => {
    idp.tampering.paths = {
      '/token': (_, response) => response.writeHead(307, { location: `${idp.issuer}/elsewhere` }).end(),
    };
    const refusal = await refusalOf(signIn({ connection: connection() }));
    expect(refusal).toMatchObject({ code: 'upstream_unreachable', detail: expect.stringContaining('redirect') });
    expect(idp.requests).not.toContain('POST /elsewhere');
  });

  test('answers of the wrong shape are refused, never an exception of another kind', async () => {
    for (const body of [
      {},
      [],
      { access_token: 7, token_type: 'bearer', id_token: 'x' },
      { access_token: 'a', token_type: 'bearer', id_token: 'not a token' },
      { access_token: 'a', token_type: 'bearer', id_token: 'e30.e30.e30' },
      { access_token: 'a', token_type: 'mac', id_token: 'e30.e30.e30' },
    ]) {
      idp.tampering.paths = json(200, body as Json);
      expect((await refusalOf(signIn({ connection: connection() }))).code).toBe('assertion_rejected');
    }
  });
});
