/**
 * Two identity providers of a customer in a process of their own, for the demo and the tests: a real OpenID provider
 * ("Okta-like", oidc-provider) and a real SAML 2.0 IdP ("Entra-like", samlp), on free loopback ports.
 *
 * As a program: `node scripts/upstream-idps.ts [config as JSON]`, or the configuration as the first line of standard input.
 * Prints one line of JSON with the addresses once both listen; ends when standard input closes, so never outlives its parent.
 */
import { spawn } from 'node:child_process';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { listen } from './upstream-idps/listen.ts';
import { startOpenIdProvider } from './upstream-idps/openid-provider.ts';
import { rosterOf, type UpstreamPerson } from './upstream-idps/roster.ts';
import { type ServiceProvider, startSamlIdp } from './upstream-idps/saml-idp.ts';

export type UpstreamIdpsConfig = {
  /**
   * The host of both IdPs, 127.0.0.1 if left out. Reach the server under test as `localhost`: another port of the same host is
   * the same site to a browser, and would be sent the cookies that a real IdP's POST arrives without.
   */
  readonly host?: string;
  readonly people?: readonly UpstreamPerson[];
  readonly oidc?: {
    readonly clientId?: string;
    readonly clientSecret?: string;
    readonly redirectUris?: readonly string[];
    /** Default `id_token`. */
    readonly claimsIn?: 'id_token' | 'userinfo';
  };
  readonly saml?: {
    readonly issuer?: string;
    readonly serviceProviders?: readonly ServiceProvider[];
    /** Default `assertion`, as Entra ID does. */
    readonly signs?: 'assertion' | 'response' | 'both';
  };
};

type Addresses = {
  readonly oidc: { readonly issuer: string; readonly clientId: string; readonly clientSecret: string };
  readonly saml: {
    readonly issuer: string;
    readonly signOnUrl: string;
    readonly metadataUrl: string;
    readonly certificate: string;
  };
  readonly control: { readonly url: string; readonly token: string };
};

export type UpstreamIdps = Addresses & {
  /** Adds a person, or puts them in the place of whoever had the login: also how claims and groups change. */
  addUser(person: UpstreamPerson): Promise<void>;
  removeUser(login: string): Promise<void>;
  addRedirectUri(uri: string): Promise<void>;
  addServiceProvider(serviceProvider: ServiceProvider): Promise<void>;
  /** Ends the process; resolves when it is gone. */
  stop(): Promise<void>;
};

/** Starts both IdPs in a child process on this very Node. Throws if they do not listen within 20 seconds. */
export async function startUpstreamIdps(config: UpstreamIdpsConfig = {}): Promise<UpstreamIdps> {
  // samlp's age shows in deprecation warnings that concern nobody here.
  const flags = ['--no-warnings', fileURLToPath(import.meta.url)];
  const child = spawn(process.execPath, flags, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.stdin.on('error', () => {});
  child.stdin.write(`${JSON.stringify(config)}\n`);
  const stop = async () => {
    child.stdin.end();
    await ended;
  };
  const lines = createInterface({ input: child.stdout });
  const first = await new Promise<string | null>((resolve) => {
    const timer = setTimeout(() => resolve(null), 20_000);
    const settle = (line: string | null) => {
      clearTimeout(timer);
      resolve(line);
    };
    lines.once('line', settle);
    child.once('error', () => settle(null));
    void ended.then(() => settle(null));
  });
  if (first === null) {
    child.kill('SIGKILL');
    throw new Error('the upstream identity providers did not start; their message is on standard error');
  }
  const addresses = JSON.parse(first) as Addresses;
  const { url, token } = addresses.control;
  const control = async (method: 'POST' | 'DELETE', path: string, body: unknown = {}) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await fetch(`${url}${path}`, { method, headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  };
  return {
    ...addresses,
    addUser: (person) => control('POST', '/control/users', person),
    removeUser: (login) => control('DELETE', `/control/users/${encodeURIComponent(login)}`),
    addRedirectUri: (uri) => control('POST', '/control/redirect-uris', { uri }),
    addServiceProvider: (serviceProvider) => control('POST', '/control/service-providers', serviceProvider),
    stop,
  };
}

/** Both IdPs and their control port in this process. */
async function serve(config: UpstreamIdpsConfig): Promise<Addresses> {
  const { host = '127.0.0.1' } = config;
  const roster = rosterOf(config.people ?? []);
  const client = {
    clientId: config.oidc?.clientId ?? 'drawbridge',
    clientSecret: config.oidc?.clientSecret ?? randomBytes(32).toString('base64url'),
  };
  const oidc = await startOpenIdProvider(
    { host, ...client, redirectUris: config.oidc?.redirectUris ?? [], claimsIn: config.oidc?.claimsIn ?? 'id_token' },
    roster,
  );
  const saml = await startSamlIdp(
    {
      host,
      issuer: config.saml?.issuer,
      serviceProviders: config.saml?.serviceProviders ?? [],
      signs: config.saml?.signs ?? 'assertion',
    },
    roster,
  );

  const token = randomBytes(32).toString('base64url');
  const expected = Buffer.from(`Bearer ${token}`);
  const app = express();
  app.use((req, res, next) => {
    const given = Buffer.from(req.headers.authorization ?? '');
    // A page in a browser on this machine can reach the port, and must not be able to use it.
    if (given.length === expected.length && timingSafeEqual(given, expected)) next();
    else res.status(401).end();
  });
  app.use(express.json({ limit: '1mb' }));
  app.post('/control/users', (req, res) => {
    const person = req.body as UpstreamPerson;
    if (typeof person.login !== 'string' || typeof person.password !== 'string') return void res.status(400).end();
    roster.put(person);
    res.status(204).end();
  });
  app.delete('/control/users/:login', (req, res) => {
    roster.remove(req.params.login);
    res.status(204).end();
  });
  app.post('/control/redirect-uris', (req, res) => {
    oidc.addRedirectUri(String(req.body.uri));
    res.status(204).end();
  });
  app.post('/control/service-providers', (req, res) => {
    saml.addServiceProvider(req.body as ServiceProvider);
    res.status(204).end();
  });
  const port = await listen(createServer(app), '127.0.0.1');

  const { issuer, signOnUrl, metadataUrl, certificate } = saml;
  return {
    oidc: { issuer: oidc.issuer, ...client },
    saml: { issuer, signOnUrl, metadataUrl, certificate },
    control: { url: `http://127.0.0.1:${port}`, token },
  };
}

if (import.meta.main) {
  // Standard output belongs to the one line; and oidc-provider's advice for production is not for these.
  console.log = console.error;
  console.info = () => {};
  console.warn = () => {};
  const input = createInterface({ input: process.stdin });
  input.once('close', () => process.exit(0));
  const config = process.argv[2] ?? (await new Promise<string>((resolve) => input.once('line', resolve)));
  try {
    process.stdout.write(`${JSON.stringify(await serve(JSON.parse(config) as UpstreamIdpsConfig))}\n`);
  } catch (error) {
    console.error(`upstream-idps: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  }
}
