// The OpenID provider, behind one router and the seam of the pages.

import { randomUUID } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import express, { type Request, type Response, type Router } from 'express';
import Provider, { errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Caller, Context, Log } from '../context.ts';
import type { Interactions } from '../interactions.ts';
import { endClientOfSession } from '../operations/end-artifacts.ts';
import { type KeyTiming, keyTiming, type SigningKey } from '../operations/signing-keys.ts';
import { newRefreshTokenId, takeBackRotation } from './adapter.ts';
import { type ClientThrottle, clientThrottle } from './client-throttle.ts';
import { clientFinder, compareSecretHashes } from './clients.ts';
import { type ConfigurationParts, configurationOf, type SignOutView } from './configuration.ts';
import { interactionsOf } from './interactions.ts';
import { followSigningKeys } from './keys.ts';
import { promptsAsked } from './prompts.ts';
import { requestState, runRequest } from './request-state.ts';
import { nameScimAccessTokens, scimClientMetadata } from './scim-clients.ts';

/** A refusal that a person sees. The texts are for them; what the operator needs is in the log under the same request id. */
export type ProtocolFailure = {
  readonly status: number;
  /** The code of OAuth, such as `invalid_request`. */
  readonly error: string;
  readonly description: string | null;
  readonly requestId: string;
};

export type ProviderOptions = {
  readonly database: { listen(channel: string, onNotice: () => void): Promise<() => Promise<void>> };
  readonly secrets: { readonly cookieKeys: readonly string[]; subkey(use: string): Buffer };
  readonly settings: { readonly publicUrl: string };
  contextFor(caller: Caller): Context;
  readonly log: Log;
  renderError(response: Response, failure: ProtocolFailure): unknown;
  renderSignOut(response: Response, view: SignOutView): unknown;
  renderSignedOut(response: Response): unknown;
  /** Default: a new one. */
  readonly requestIdOf?: (request: Request) => string;
  readonly keyTiming?: KeyTiming;
  readonly keyPollSeconds?: number;
};

export type BuiltProvider = {
  /** Mounted at the root, before any body parser: `/oidc` and the well-known addresses of its discovery. */
  readonly router: Router;
  readonly interactions: Interactions;
  close(): Promise<void>;
};

// Applications may keep the key set and the discovery document this long; a new key is published longer before it signs.
const PUBLISHED_SECONDS = 600;
const WELL_KNOWN = [
  '/.well-known/openid-configuration',
  '/.well-known/openid-configuration/oidc',
  '/.well-known/oauth-authorization-server',
  '/.well-known/oauth-authorization-server/oidc',
];

/**
 * Builds the provider with issuer `<public URL>/oidc`. Its signing keys are made at the first start and followed from then on; a
 * change of keys swaps the library's instance behind the router, and sessions and tokens go on.
 */
export async function buildProvider(options: ProviderOptions): Promise<BuiltProvider> {
  const { publicUrl } = options.settings;
  const system: Context = options.contextFor({ actor: { kind: 'system' }, requestId: 'provider' });
  const findClient = clientFinder(() => system);
  const throttle = clientThrottle();
  let current: { readonly provider: Provider; readonly handle: ReturnType<Provider['callback']> } | undefined;
  const inUse = () => {
    if (current === undefined) throw new Error('the provider has no keys yet');
    return current;
  };

  const showError: ConfigurationParts['showError'] = (ctx, out, error) =>
    show(ctx, (response) => options.renderError(response, failureOf(out, error)));

  const use = (keys: readonly SigningKey[]) => {
    const provider = new Provider(
      `${publicUrl}/oidc`,
      configurationOf({
        publicUrl,
        keys,
        cookieKeys: options.secrets.cookieKeys,
        dpopSecret: options.secrets.subkey('dpop-nonce'),
        findClient: (clientId) => {
          throttle.admit();
          return findClient(clientId);
        },
        findScimClient: (key) => {
          throttle.admit();
          return scimClientMetadata(system, publicUrl, key);
        },
        admitScimToken: throttle.admitToken,
        showError,
        showSignOut: (ctx, view) => show(ctx, (response) => options.renderSignOut(response, view)),
        showSignedOut: (ctx) => show(ctx, (response) => options.renderSignedOut(response)),
      }),
    );
    adapt(provider, system, throttle, showError);
    report(provider, options.log);
    current = { provider, handle: provider.callback() };
  };

  const inRequest = <T>(request: Request, response: Response, act: () => T): T => {
    const requestId = options.requestIdOf?.(request) ?? randomUUID();
    return runRequest(options.contextFor({ actor: { kind: 'system' }, requestId }), response, request.ip ?? '', act);
  };
  const handle = (request: Request, response: Response) => {
    // Some clients accept HTML unless told otherwise, and can read none (RFC 6749 §5.2: the refusal is JSON).
    if (FOR_CLIENTS.test(request.path)) request.headers.accept = 'application/json';
    response.set(HEADERS);
    return inRequest(request, response, async () => {
      // Not before: where the request came from is said by the headers that this takes away.
      pinOrigin(request, publicUrl);
      await inUse().handle(request, response);
      if (!response.headersSent) await requestState().page?.();
    });
  };

  const stop = await followSigningKeys(
    {
      context: system,
      listen: (channel, onNotice) => options.database.listen(channel, onNotice),
      log: options.log,
      timing: options.keyTiming ?? keyTiming,
      pollSeconds: options.keyPollSeconds ?? 60,
    },
    use,
  );
  const router = express.Router();
  router.use('/oidc', handle);
  router.all(WELL_KNOWN, (request, response) => {
    request.url = '/.well-known/openid-configuration';
    return handle(request, response);
  });
  return {
    router,
    interactions: interactionsOf({ provider: () => inUse().provider, findClient, inRequest }),
    close: stop,
  };
}

// The library adds the hash of its own script to script-src where it posts a form by itself. form-action would also be asked for
// where that form's answer goes on to, which is another origin's.
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'",
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  'Referrer-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

// What no person looks at.
const FOR_CLIENTS = /^\/(token|userinfo|request|jwks|\.well-known)(\/|$)/;

/** T61, T88: whatever the request calls this server, it has one name. */
function pinOrigin(request: Request, publicUrl: string): void {
  const { host, protocol } = new URL(publicUrl);
  for (const name of Object.keys(request.headers)) {
    if (name === 'forwarded' || name.startsWith('x-forwarded-')) delete request.headers[name];
  }
  request.headers.host = host;
  request.headers['x-forwarded-proto'] = protocol.slice(0, -1);
}

/** What the library has no setting for. */
function adapt(
  provider: Provider,
  system: Context,
  throttle: ClientThrottle,
  showError: ConfigurationParts['showError'],
): void {
  // Only for the protocol, which pinOrigin has set: secure cookies need it.
  provider.proxy = true;
  compareSecretHashes(provider, () => system);
  Object.defineProperty(provider.RefreshToken.prototype, 'generateTokenId', { value: newRefreshTokenId });
  nameScimAccessTokens(provider);
  Object.defineProperties(provider.OIDCContext.prototype, {
    // By itself the library writes the request's host into every address that it gives out.
    urlFor: { value: (name: string, opt?: Record<string, unknown>) => provider.urlFor(name, opt) },
    prompts: {
      get(this: { params?: { prompt?: unknown } }) {
        return promptsAsked(this.params?.prompt);
      },
    },
  });
  provider.use(async (ctx: KoaContextWithOIDC, next) => {
    await next().catch((error: Error) => failedBeyond(provider, ctx, error, showError));
    throttle.note(ctx);
    const { route, session, params } = ctx.oidc ?? {};
    if (ctx.status === 200 && (route === 'jwks' || route === 'discovery')) {
      ctx.set('cache-control', `public, max-age=${PUBLISHED_SECONDS}`);
    }
    if (ctx.status >= 400) await takeBackRotation();
    if (ctx.status === 503) ctx.set('retry-after', '2');
    if (ctx.status === 404 && ctx.body === undefined && requestState().page === null) await nothingHere(ctx, showError);
    // "Stay signed in" after an application asked for the logout: that application is logged out all the same.
    const left = ctx.oidc?.entities.Client?.clientId;
    if (route === 'end_session_confirm' && ctx.status === 303 && params?.logout === undefined && session && left) {
      await endClientOfSession(system, session.uid, left);
    }
  });
}

/** By itself the library says no more than "Not Found", to a person and to a program. */
function nothingHere(ctx: KoaContextWithOIDC, showError: ConfigurationParts['showError']): Promise<void> {
  const out = { error: 'invalid_request', error_description: 'nothing answers at this address by this method' };
  return refuse(ctx, 404, out, showError);
}

/** What fails where the library catches nothing: the session could not be read, or not be saved once the answer was ready. */
function failedBeyond(
  provider: Provider,
  ctx: KoaContextWithOIDC,
  error: Error,
  showError: ConfigurationParts['showError'],
): Promise<void> {
  provider.emit('server_error', ctx, error);
  // The answer that was ready is not given: its code and its cookie belong to a session that was not kept.
  for (const name of ['location', 'set-cookie']) ctx.remove(name);
  const known = error instanceof errors.OIDCProviderError && error.expose;
  const out = known
    ? { error: error.error, error_description: error.error_description }
    : { error: 'server_error', error_description: 'the server failed' };
  return refuse(ctx, known ? error.statusCode : 500, out, showError);
}

/** In the form that whoever asked can read. */
async function refuse(
  ctx: KoaContextWithOIDC,
  status: number,
  out: { error: string; error_description?: string | undefined },
  showError: ConfigurationParts['showError'],
): Promise<void> {
  if (ctx.accepts('json', 'html') === 'html') {
    await showError(ctx, out, Object.assign(new Error(), { statusCode: status }));
  } else {
    ctx.respond = true;
    ctx.body = out;
  }
  ctx.status = status;
}

/** Leaves the answer to a page of ours. */
function show(ctx: KoaContextWithOIDC, write: (response: Response) => unknown): void {
  const state = requestState();
  ctx.respond = false;
  state.page = () => write(state.response);
}

function failureOf(out: { error: string; error_description?: string | undefined }, error: Error): ProtocolFailure {
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500;
  const description = status >= 500 ? null : (out.error_description ?? null);
  return { status, error: out.error, description, requestId: requestState().context.caller.requestId };
}

/** Says in the log what the answer did not. */
function report(provider: Provider, log: Log): void {
  const refused = (endpoint: string) => (ctx: KoaContextWithOIDC, error: Error) => {
    const detail = 'error_detail' in error ? error.error_detail : undefined;
    const description = 'error_description' in error ? error.error_description : undefined;
    const client = ctx.oidc?.client?.clientId;
    log.info({ endpoint, client, error: error.message, description, detail }, 'the provider refused a request');
  };
  provider.on('authorization.error', refused('authorization'));
  provider.on('grant.error', refused('token'));
  provider.on('userinfo.error', refused('userinfo'));
  provider.on('revocation.error', refused('revocation'));
  provider.on('pushed_authorization_request.error', refused('pushed authorization request'));
  provider.on('end_session.error', refused('end session'));
  provider.on('end_session_confirm.error', refused('end session'));
  const failed = (error: Error, ctx: KoaContextWithOIDC | undefined) => {
    // Whoever hangs up within a request, or sends what is none, is no failure of ours.
    const ended =
      ctx?.req.complete === false ||
      ('code' in error && /^(HPE_|ECONNRESET|ECONNABORTED|EPIPE)/.test(String(error.code)));
    if (ended) log.info({ error: error.message }, 'a request ended before it was whole');
    else log.error({ error }, 'the provider failed');
  };
  provider.on('server_error', (ctx: KoaContextWithOIDC, error: Error) => failed(error, ctx));
  const emitter: EventEmitter = provider;
  emitter.on('error', failed);
}
