// What tests of the provider share: the provider over real HTTP with pages that say no more than they must, a browser, an application.

import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import * as client from 'openid-client';
import type { Log } from '../../src/context.ts';
import type { ClientSettings } from '../../src/core/client.ts';
import { type Person, parseSub, type TenantSlug } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { createClient } from '../../src/operations/create-client.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import type { TenantRef } from '../../src/operations/standing.ts';
import { sendSignedOut, sendSignOut } from '../../src/pages/sign-out.ts';
import {
  type BuiltProvider,
  buildProvider,
  type ProtocolFailure,
  type ProviderOptions,
} from '../../src/provider/provider.ts';
import { contextOf } from '../../src/world.ts';
import { type Acme, acme, addUser } from '../support/acme.ts';
import { operator, type TestWorld, testWorld } from '../support/world.ts';

export const CALLBACK = 'https://app.example/callback';

export const clientSettings = (more: Partial<ClientSettings> = {}): ClientSettings => ({
  name: 'Analytics',
  kind: 'web',
  redirectUris: [CALLBACK],
  postLogoutRedirectUris: [],
  resources: [],
  defaultResource: null,
  refreshTokens: true,
  signingAlgorithm: 'ES256',
  publicKeys: null,
  ...more,
});

export type Logged = { readonly level: keyof Log; readonly facts: Record<string, unknown>; readonly message: string };

export type TestServer = {
  readonly origin: string;
  /** Where it listens, whatever its public URL says. */
  readonly address: string;
  readonly issuer: string;
  readonly provider: BuiltProvider;
  readonly logged: readonly Logged[];
  readonly failures: readonly ProtocolFailure[];
  close(): Promise<void>;
};

/**
 * A server with the provider. `/interaction/<uid>` shows what waits as JSON; `?sub=` signs in, `?tenant=` chooses, `?deny=` goes
 * back, as the pages do once they are convinced.
 */
export async function serve(
  world: TestWorld,
  more: Partial<ProviderOptions> & { readonly origin?: string } = {},
): Promise<TestServer> {
  // So that a test may come from several addresses.
  const app = express().set('trust proxy', 1);
  const server: Server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const origin = more.origin ?? address;
  const logged: Logged[] = [];
  const note = (level: keyof Log) => (facts: object, message: string) =>
    void logged.push({ level, facts: facts as Record<string, unknown>, message });
  const log: Log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  const failures: ProtocolFailure[] = [];
  const provider = await buildProvider({
    database: world.database,
    secrets: world.secrets,
    settings: { publicUrl: origin },
    contextFor: (caller) => contextOf({ database: world.database, secrets: world.secrets, log }, caller),
    log,
    renderError(response, failure) {
      failures.push(failure);
      response.status(failure.status).type('html').send(`<p>${failure.error}</p>`);
    },
    renderSignOut: sendSignOut,
    renderSignedOut: sendSignedOut,
    ...more,
  });
  app.use(provider.router);
  app.get('/interaction/:uid', async (request, response) => {
    const { sub, tenant, deny, method } = request.query as Record<string, string | undefined>;
    const person = parseSub(sub ?? '');
    const { interactions } = provider;
    if (person !== null)
      return interactions.signIn(request, response, { person, method: (method ?? 'oidc') as 'oidc' });
    if (tenant !== undefined) return interactions.chooseTenant(request, response, tenant as TenantSlug);
    if (deny !== undefined) return interactions.deny(request, response);
    response.json(await interactions.current(request, response));
  });
  app.use((error: Error, _request: express.Request, response: express.Response, _next: express.NextFunction) => {
    response.status(409).send(error.message);
  });
  return {
    origin,
    address,
    issuer: `${origin}/oidc`,
    provider,
    logged,
    failures,
    async close() {
      await provider.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export type Browser = {
  /** Follows redirects until there is a page, or an address outside the servers it knows. */
  go(
    url: string | URL,
    init?: { readonly form?: Record<string, string>; readonly headers?: Record<string, string> },
  ): Promise<Visit>;
  readonly cookies: Map<string, { readonly value: string; readonly path: string; readonly attributes: string }>;
};
export type Visit = {
  readonly url: URL;
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
  readonly hops: readonly string[];
};

/** A browser with nothing but cookies. It stays on loopback: an application's own address is where it ends. */
export function browser(): Browser {
  const cookies: Browser['cookies'] = new Map();
  return {
    cookies,
    async go(start, init = {}) {
      let url = new URL(start);
      let form = init.form;
      const hops: string[] = [];
      for (let hop = 0; hop < 12; hop += 1) {
        hops.push(url.href);
        if (url.hostname !== '127.0.0.1') return { url, status: 0, body: '', headers: new Headers(), hops };
        const sent = [...cookies]
          .filter(([, one]) => url.pathname.startsWith(one.path))
          .map(([key, one]) => `${key.split(' ')[0]}=${one.value}`);
        const response = await fetch(url, {
          redirect: 'manual',
          method: form === undefined ? 'GET' : 'POST',
          headers: { accept: 'text/html', ...init.headers, ...(sent.length === 0 ? {} : { cookie: sent.join('; ') }) },
          ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
        });
        for (const line of response.headers.getSetCookie()) keep(cookies, line);
        const body = await response.text();
        const location = response.headers.get('location');
        if (response.status < 300 || response.status >= 400 || location === null) {
          return { url, status: response.status, body, headers: response.headers, hops };
        }
        url = new URL(location, url);
        form = undefined;
      }
      throw new Error(`redirected without end: ${hops.join(' ')}`);
    },
  };
}

function keep(cookies: Browser['cookies'], line: string): void {
  const [pair = '', ...attributes] = line.split('; ');
  const at = pair.indexOf('=');
  const path = attributes.find((one) => one.toLowerCase().startsWith('path='))?.slice(5) ?? '/';
  const key = `${pair.slice(0, at)} ${path}`;
  if (attributes.some((one) => one.startsWith('expires=Thu, 01 Jan 1970'))) cookies.delete(key);
  else cookies.set(key, { value: pair.slice(at + 1), path, attributes: attributes.join('; ') });
}

export type Application = {
  readonly clientId: string;
  readonly secret: string | null;
  readonly config: client.Configuration;
  /** A fresh authorization: where the browser goes, and what the callback is checked with. */
  begin(
    parameters?: Record<string, string>,
  ): Promise<{ readonly url: URL; readonly checks: client.AuthorizationCodeGrantChecks }>;
  /** The tokens for a callback address. */
  redeem(
    callback: URL,
    checks: client.AuthorizationCodeGrantChecks,
    parameters?: Record<string, string>,
  ): Promise<Tokens>;
  refresh(token: string, parameters?: Record<string, string>): Promise<Tokens>;
};
export type Tokens = client.TokenEndpointResponse & client.TokenEndpointResponseHelpers;

let clients = 0;

/** Registers a client and discovers the issuer, as an application that we did not write would. */
export async function application(
  world: TestWorld,
  tenant: TenantRef,
  server: Pick<TestServer, 'issuer'>,
  settings: Partial<ClientSettings> = {},
  auth?: (secret: string) => client.ClientAuth,
): Promise<Application> {
  const clientId = `app-${++clients}`;
  const created = await createClient(world.context(), tenant, clientId, clientSettings(settings));
  if (created.kind === 'refused') throw new Error(created.message);
  const secret = created.secret ?? null;
  const config = await client.discovery(
    new URL(server.issuer),
    clientId,
    { id_token_signed_response_alg: settings.signingAlgorithm ?? 'ES256' },
    secret === null ? client.None() : (auth ?? client.ClientSecretPost)(secret),
    { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] },
  );
  const redirectUri = settings.redirectUris?.[0] ?? CALLBACK;
  return {
    clientId,
    secret,
    config,
    async begin(parameters = {}) {
      const pkceCodeVerifier = client.randomPKCECodeVerifier();
      const expectedState = client.randomState();
      const expectedNonce = client.randomNonce();
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope: 'openid',
        code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
        state: expectedState,
        nonce: expectedNonce,
        ...parameters,
      });
      return {
        url,
        checks: {
          pkceCodeVerifier,
          expectedState,
          expectedNonce,
          idTokenExpected: (parameters.scope ?? 'openid').includes('openid'),
        },
      };
    },
    redeem: (callback, checks, parameters = {}) => client.authorizationCodeGrant(config, callback, checks, parameters),
    refresh: (token, parameters = {}) => client.refreshTokenGrant(config, token, parameters),
  };
}

/** What waits at the page where the browser stopped. */
export const pendingAt = (visit: Visit) => JSON.parse(visit.body);

/** The whole way: authorization, sign-in as the person, callback. Says where the browser ended. */
export async function signInTo(
  app: Application,
  person: Person | null,
  visitor: Browser,
  parameters: Record<string, string> = {},
): Promise<{ readonly visit: Visit; readonly checks: client.AuthorizationCodeGrantChecks }> {
  const { url, checks } = await app.begin(parameters);
  let visit = await visitor.go(url);
  if (person !== null && visit.url.pathname.startsWith('/interaction/')) {
    visit = await visitor.go(`${visit.url.href}?sub=${person.tenantId}.${person.userId}`);
  }
  return { visit, checks };
}

export async function tokensFor(
  app: Application,
  person: Person | null,
  visitor: Browser = browser(),
  parameters: Record<string, string> = {},
): Promise<Tokens> {
  const { visit, checks } = await signInTo(app, person, visitor, parameters);
  if (visit.status !== 0) throw new Error(`no callback but ${visit.status} at ${visit.url.href}: ${visit.body}`);
  return app.redeem(visit.url, checks, parameters.resource === undefined ? {} : { resource: parameters.resource });
}

/** The code of OAuth that a promise was refused with. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof client.ResponseBodyError || error instanceof client.AuthorizationResponseError)
      return error.error;
    if (error instanceof client.WWWAuthenticateChallengeError) return error.cause[0]?.parameters.error ?? 'challenged';
    throw error;
  }
  return 'not refused';
}

export type Stage = {
  readonly world: TestWorld;
  /** For another server over the same database. */
  readonly masterKey: Uint8Array;
  readonly tenants: Acme;
  readonly server: TestServer;
  /** A person of a tenant, with a role there (null: none). */
  person(tenant: TenantRef, role?: string | null): Promise<Person>;
  /** Maps the person into the target, with a role there (null: none). */
  map(person: Person, target: TenantRef, role?: string | null): Promise<void>;
  close(): Promise<void>;
};

let people = 0;

export async function stage(): Promise<Stage> {
  const masterKey = randomBytes(32);
  const world = await testWorld({ masterKey });
  const tenants = await acme(world);
  const server = await serve(world);
  return {
    world,
    masterKey,
    tenants,
    server,
    async person(tenant, role = 'Viewer') {
      const userId = await addUser(world, tenant, `person${++people}@${tenant.slug}.example`);
      const person = { tenantId: tenant.tenantId, userId };
      const subject = { subjectId: userId, kind: 'user', person } as const;
      if (role !== null) await assignRole(world.context(), tenant, subject, role, operator);
      return person;
    },
    async map(person, target, role = 'Editor') {
      const gift = { roles: role === null ? [] : [role], groups: [] };
      const outcome = await mapGuest(world.context(), target, person, gift, operator);
      if (outcome.kind === 'refused') throw new Error(outcome.message);
    },
    async close() {
      await server.close();
      await world.close();
    },
  };
}
