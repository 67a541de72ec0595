// The people-facing server on a real port, over a real database, with real connectors. In place of the OpenID provider stands an
// application that only notes what it is told.

import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import express, { type Request, type Response } from 'express';
import type { Log } from '../../src/context.ts';
import type { Person, TenantSlug } from '../../src/core/ids.ts';
import type { Interactions, PendingInteraction } from '../../src/interactions.ts';
import { pageErrors } from '../../src/pages/guard.ts';
import { interactionRouter } from '../../src/pages/interaction-router.ts';
import { invitationRouter } from '../../src/pages/invitation-router.ts';
import { stylesheetRouter } from '../../src/pages/respond.ts';
import { upstreamPages } from '../../src/pages/upstream-pages.ts';
import { beginLogin, type Upstream } from '../../src/upstream/flow.ts';
import { oidcConnector } from '../../src/upstream/oidc.ts';
import { passwords } from '../../src/upstream/password.ts';
import { passwordLogin } from '../../src/upstream/password-login.ts';
import { upstreamRouter } from '../../src/upstream/router.ts';
import { samlConnector } from '../../src/upstream/saml.ts';
import { contextOf } from '../../src/world.ts';
import type { TestWorld } from '../support/world.ts';

export type Told =
  | { readonly kind: 'signed_in'; readonly person: Person; readonly method: string }
  | { readonly kind: 'tenant'; readonly tenant: TenantSlug }
  | { readonly kind: 'denied' };

export type Site = {
  readonly origin: string;
  /** What the application was told, in order. */
  readonly told: Told[];
  readonly logged: { readonly level: string; readonly facts: object; readonly message: string }[];
  /** Puts an authorization in place and gives the browser that waits for it. */
  browser(pending?: Partial<PendingInteraction>): Browser;
  close(): Promise<void>;
};

export type Answer = {
  readonly status: number;
  readonly location: string | null;
  readonly text: string;
  readonly headers: Headers;
};

/** A browser as far as this server can tell: its cookie, and honest headers. It follows nothing by itself. */
export type Browser = {
  readonly uid: string;
  /** Where the interaction begins. */
  readonly start: string;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  /** A form of one of our pages, posted as browsers post. */
  post(path: string, form: Record<string, string> | string, headers?: Record<string, string>): Promise<Answer>;
  /** Like {@link get} to the interaction's page; the token that its forms carry. */
  token(): Promise<string>;
};

export const application = 'https://app.example';

export async function testSite(
  world: TestWorld,
  options: {
    readonly limit?: () => number | null;
    readonly passwordLimit?: () => number | null;
    readonly guessLimit?: () => number | null;
  } = {},
): Promise<Site> {
  const logged: Site['logged'] = [];
  const note = (level: string) => (facts: object, message: string) => void logged.push({ level, facts, message });
  const log: Log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  const app = express();
  const server = app.listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const pendings = new Map<string, PendingInteraction>();
  const told: Told[] = [];
  const leave = (response: Response, what: Told) => {
    told.push(what);
    response.redirect(303, `${application}/callback`);
  };
  const interactions: Interactions = {
    async current(request: Request) {
      const uid = /(?:^|; )interaction=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
      return uid === undefined ? null : (pendings.get(uid) ?? null);
    },
    signIn: async (_request, response, signedIn) => leave(response, { kind: 'signed_in', ...signedIn }),
    chooseTenant: async (_request, response, tenant) => leave(response, { kind: 'tenant', tenant }),
    deny: async (_request, response) => leave(response, { kind: 'denied' }),
  };

  const connectorWorld = { now: world.context().now, readSecret: async () => 'secret', allowPrivateNetwork: true };
  const upstream: Upstream = {
    connectors: { oidc: oidcConnector(connectorWorld), saml: samlConnector(connectorWorld) },
    publicUrl: origin,
    contextFor: (caller) => contextOf({ ...world, log }, caller),
  };
  // Weak on purpose: the tests prove what is done with a hash, not how long it takes.
  const local = passwords({ parameters: { memory: 64, passes: 1, parallelism: 1 } });
  const { contextFor } = upstream;
  const limit = options.limit ?? (() => null);
  const shared = { contextFor, publicUrl: origin, limit, log };
  app.use(stylesheetRouter());
  app.use(
    interactionRouter({
      ...shared,
      interactions,
      passwordLimit: options.passwordLimit ?? (() => null),
      signIns: {
        begin: (requestId, start) => beginLogin(upstream, requestId, start),
        password: (requestId, login) => passwordLogin(upstream, local, requestId, login),
      },
    }),
  );
  app.use(invitationRouter({ ...shared, hashPassword: local.hash, guessLimit: options.guessLimit ?? (() => null) }));
  app.use(upstreamRouter(upstream, upstreamPages({ limit, log })));
  app.use(pageErrors(log));

  const browser = (pending: Partial<PendingInteraction> = {}): Browser => {
    const uid = randomBytes(32).toString('base64url');
    const client = { clientId: 'wiki', name: 'Acme Wiki' };
    pendings.set(uid, {
      uid,
      prompt: 'login',
      client,
      tenant: null,
      loginHint: null,
      forceLogin: false,
      person: null,
      ...pending,
    });
    return browserOf(origin, uid);
  };
  return {
    origin,
    told,
    logged,
    browser,
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** A browser that holds this interaction's cookie (or one of nobody's). */
export function browserOf(origin: string, uid: string): Browser {
  const send = async (path: string, init: RequestInit): Promise<Answer> => {
    const answer = await fetch(new URL(path, origin), { redirect: 'manual', ...init });
    const { status, headers } = answer;
    return { status, location: headers.get('location'), text: await answer.text(), headers };
  };
  const cookie = { cookie: `interaction=${uid}` };
  const start = `/interaction/${uid}`;
  const get: Browser['get'] = (path, headers = {}) => send(path, { headers: { ...cookie, ...headers } });
  return {
    uid,
    start,
    get,
    post: (path, form, headers = {}) =>
      send(path, {
        method: 'POST',
        headers: {
          ...cookie,
          origin,
          'sec-fetch-site': 'same-origin',
          'content-type': 'application/x-www-form-urlencoded',
          ...headers,
        },
        body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
      }),
    token: async () => tokenIn(await get(`${start}?choose=1`)),
  };
}

/** The token that the forms of a page carry. */
export function tokenIn(answer: Answer): string {
  const token = /name="token" value="([^"]+)"/.exec(answer.text)?.[1];
  if (token === undefined) throw new Error(`no form in: ${answer.status} ${answer.text.slice(0, 400)}`);
  return token;
}

/** Where a page goes on by itself. */
export function onward(answer: Answer): string {
  const to = /<meta http-equiv="refresh" content="0; url=([^"]+)">/.exec(answer.text)?.[1];
  if (to === undefined) throw new Error(`a page that stays: ${answer.status} ${answer.text.slice(0, 400)}`);
  return decoded(to);
}

export const decoded = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');

/** What a person reads: the words of the page without its markup. */
export function wordsOf(answer: Answer): string {
  const body = answer.text.slice(answer.text.indexOf('<main>'));
  return decoded(body.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ')).trim();
}
