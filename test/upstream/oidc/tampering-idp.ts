// An OpenID provider that was written by somebody else, with a hand on every answer that it gives.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OAuth2Issuer, OAuth2Service } from 'oauth2-mock-server';
import { defaultDirectorySettings } from '../../../src/core/directory-settings.ts';
import type { ConnectionId, Instant, TenantId, TenantSlug } from '../../../src/core/ids.ts';
import type { Connection, OidcSettings } from '../../../src/core/tenant.ts';
import {
  type Connector,
  type ConnectorWorld,
  type LoginStart,
  type ProvenAssertion,
  SignInError,
} from '../../../src/upstream/connector.ts';
import { oidcConnector } from '../../../src/upstream/oidc.ts';

export type Json = Record<string, unknown>;
type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** What the provider does to its answers; each hook changes its argument in place. */
export type Tampering = {
  metadata?: (document: Json) => void;
  redirect?: (location: URL) => void;
  idToken?: (payload: Json, header: Json) => void;
  tokens?: (body: Json, request: { status: (code: number) => void }) => void | Promise<void>;
  userinfo?: (body: Json) => void;
  /** Whole answers, by path. */
  paths?: Record<string, Handler>;
};

export type TamperingIdp = {
  readonly issuer: string;
  /** `METHOD /path` of every request, in order. */
  readonly requests: string[];
  tampering: Tampering;
  readonly service: OAuth2Service;
  close(): Promise<void>;
};

export const clientId = 'drawbridge';

export async function startTamperingIdp(): Promise<TamperingIdp> {
  const issuer = new OAuth2Issuer();
  await issuer.keys.generate('RS256');
  const service = new OAuth2Service(issuer);
  const requests: string[] = [];
  const idp: { tampering: Tampering } = { tampering: {} };
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    requests.push(`${request.method} ${path}`);
    (idp.tampering.paths?.[path] ?? service.requestHandler)(request, response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  issuer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  service.on('beforeWellKnownOpenIdConfiguration', ({ body }) => idp.tampering.metadata?.(body));
  service.on('beforeAuthorizeRedirect', ({ url }) => idp.tampering.redirect?.(url));
  service.on('beforeUserinfo', ({ body }) => idp.tampering.userinfo?.(body));
  service.on('beforeTokenSigning', ({ header, payload }) => {
    // The access token is built by the same hand, and has a scope.
    if ('scope' in payload) return;
    Object.assign(payload, { email: 'john@acme.example', email_verified: true });
    idp.tampering.idToken?.(payload, header);
  });
  service.on('beforeResponse', (answer) => {
    idp.tampering.tokens?.(answer.body, {
      status: (code) => {
        answer.statusCode = code;
      },
    });
  });

  return Object.assign(idp, {
    issuer: issuer.url,
    requests,
    service,
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  });
}

export const urls = {
  tenant: 'acme' as TenantSlug,
  callback: 'https://bridge.example/t/acme/oidc/okta/callback',
  entityId: 'https://bridge.example/t/acme/oidc/okta',
};

export type OidcConnection = Extract<Connection, { protocol: 'oidc' }>;

export function connectionTo(issuer: string | null, settings: Partial<OidcSettings> = {}): OidcConnection {
  return {
    connectionId: '0197f000-0000-7000-8000-000000000001' as ConnectionId,
    tenantId: '0197f000-0000-7000-8000-000000000002' as TenantId,
    key: 'okta',
    displayName: 'Okta',
    enabled: true,
    scim: false,
    scimHeld: false,
    directory: defaultDirectorySettings,
    issuer,
    domains: ['acme.example'],
    protocol: 'oidc',
    oidc: {
      clientId,
      clientSecret: null,
      scopes: ['email', 'profile'],
      groupsClaim: null,
      directoryIdClaim: 'sub',
      trustsEmail: false,
      ...settings,
    },
  };
}

/** The world as it is, with a clock that a test may move. */
export function testWorld(overrides: Partial<ConnectorWorld> = {}): ConnectorWorld & { skipMs: number } {
  const world: ConnectorWorld & { skipMs: number } = {
    skipMs: 0,
    now: () => (Date.now() + world.skipMs) as Instant,
    readSecret: async () => 'the client secret',
    allowPrivateNetwork: true,
    ...overrides,
  };
  return world;
}

export type Attempt = {
  readonly connection: OidcConnection;
  readonly connector?: Connector<'oidc'>;
  readonly forceLogin?: boolean;
  /** The answer as it arrives at the callback, and what the flow kept. */
  readonly onTheWay?: (query: URLSearchParams, start: LoginStart) => LoginStart | undefined;
};

let flows = 0;

/** A whole sign-in as a person without a will of their own makes it: begin, the provider's redirect, finish. */
export async function signIn({ connection, ...attempt }: Attempt): Promise<ProvenAssertion> {
  const connector = attempt.connector ?? oidcConnector(testWorld());
  flows += 1;
  const id = `flow-${flows}`;
  const start = await connector.begin(connection, urls, {
    id,
    loginHint: null,
    forceLogin: attempt.forceLogin ?? false,
  });
  const answer = await fetch(start.redirectTo, { redirect: 'manual' });
  const query = new URL(answer.headers.get('location') ?? '').searchParams;
  const { secrets } = attempt.onTheWay?.(query, start) ?? start;
  return connector.finish(connection, urls, { id, secrets }, { query, form: {} });
}

/** The refusal that some work ends in. */
export async function refusalOf(work: Promise<unknown>): Promise<SignInError> {
  const outcome: unknown = await work.then(
    () => 'it was not refused',
    (error) => error,
  );
  if (outcome instanceof SignInError) return outcome;
  throw new Error(`expected a SignInError: ${outcome instanceof Error ? outcome.stack : String(outcome)}`);
}
