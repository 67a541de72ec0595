/** Auth0's samlp as IdP, unchanged, over HTTP: it reads our AuthnRequest and writes a Response of its own make. */
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import express, { type RequestHandler } from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Instant } from '../../../src/core/ids.ts';
import { samlConnector } from '../../../src/upstream/saml.ts';
import { idp, posted, samlConnection, urls } from './support.ts';

// It has no types of its own.
type Samlp = Readonly<Record<'auth' | 'sendError', (options: Readonly<Record<string, unknown>>) => RequestHandler>>;
const samlp: Samlp = createRequire(import.meta.url)('samlp');

// samlp writes the time of its own clock.
const saml = samlConnector({ now: () => Date.now() as Instant, readSecret: async () => '', allowPrivateNetwork: true });
const user = {
  id: 'alice-1',
  displayName: 'Alice Liddell',
  name: { givenName: 'Alice', familyName: 'Liddell' },
  emails: [{ value: 'alice@corp.example' }],
};
let server: Server;
let base: string;

beforeAll(async () => {
  const app = express();
  const options = {
    issuer: idp.entityId,
    cert: idp.certificate,
    key: idp.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    recipient: urls.callback,
    destination: urls.callback,
    getUserFromRequest: () => user,
    getPostURL: (_audience: string, _request: unknown, _req: unknown, done: (error: null, url: string) => void) =>
      done(null, urls.callback),
  };
  app.get('/assertion', samlp.auth({ ...options }));
  app.get('/response', samlp.auth({ ...options, signAssertion: false, signResponse: true }));
  app.get('/both', samlp.auth({ ...options, signResponse: true, digestAlgorithm: 'sha256' }));
  app.get('/sha1', samlp.auth({ ...options, signatureAlgorithm: 'rsa-sha1', digestAlgorithm: 'sha1' }));
  app.get('/unsigned', samlp.auth({ ...options, signAssertion: false }));
  app.get('/no', (req, res, next) => {
    const getPostURL = (_: unknown, done: (error: null, url: string) => void) => done(null, urls.callback);
    const error = { description: 'no' };
    samlp.sendError({ ...options, RelayState: req.query.RelayState, error, getPostURL })(req, res, next);
  });
  server = createServer(app).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

/** Follows the redirect as a browser would and takes the form that the IdP's page would post. */
async function signIn(path: string) {
  const connection = samlConnection({ signOnUrl: `${base}${path}` });
  const login = await saml.begin(connection, urls, { id: 'flow-1', loginHint: null, forceLogin: false });
  const page = await (await fetch(login.redirectTo)).text();
  const field = (name: string) => new RegExp(`name="${name}"\\s+value="([^"]*)"`).exec(page)?.[1];
  expect(/action="([^"]*)"/.exec(page)?.[1]).toBe(urls.callback);
  const form = { SAMLResponse: field('SAMLResponse'), RelayState: field('RelayState') };
  const finish = (secrets = login.secrets) => saml.finish(connection, urls, { id: 'flow-1', secrets }, posted(form));
  return { finish };
}

test.for(['/assertion', '/response', '/both'])('a login at samlp with %s signed is proven', async (path) => {
  const { finish } = await signIn(path);
  const { assertion } = await finish();
  expect(assertion).toMatchObject({
    issuer: idp.entityId,
    subject: 'alice-1',
    email: 'alice@corp.example',
    givenName: 'Alice',
    familyName: 'Liddell',
    emailVerified: true,
  });
});

test('T10 the same answer to the request of another browser is refused', async () => {
  const { finish } = await signIn('/assertion');
  await expect(finish({ requestId: '_another' })).rejects.toMatchObject({
    detail: expect.stringMatching(/^responseAnswers/),
  });
});

test.for([
  ['/sha1', 'assertion_rejected', /^usesAllowedAlgorithms: SHA-1/],
  ['/unsigned', 'assertion_rejected', /^somethingIsSigned/],
  ['/no', 'upstream_refused', /status:Responder/],
] as const)('samlp at %s ends in %s', async ([path, code, detail]) => {
  const { finish } = await signIn(path);
  await expect(finish()).rejects.toMatchObject({ code, detail: expect.stringMatching(detail) });
});
