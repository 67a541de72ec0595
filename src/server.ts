// The only file that knows every part: it builds each one and mounts it, in one visible list.

import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import express, { type RequestHandler } from 'express';
import { answerBrokenRequests, refusesUnclear } from './broken-requests.ts';
import { clientAddress } from './client-address.ts';
import { referenceOf } from './core/reference.ts';
import { type Drain, makeDrain } from './drain.ts';
import { healthRouter, type Metrics } from './health.ts';
import { mailDelivery } from './mail/transport.ts';
import { mailTasks } from './mail/worker.ts';
import { requestKeeper } from './operations/keep-scim-requests.ts';
import { pausedDirectories } from './operations/read-directories.ts';
import { pageErrors } from './pages/guard.ts';
import { interactionRouter } from './pages/interaction-router.ts';
import { invitationRouter } from './pages/invitation-router.ts';
import { problemPage } from './pages/problem.ts';
import { sendPage, stylesheetRouter } from './pages/respond.ts';
import { sendSignedOut, sendSignOut } from './pages/sign-out.ts';
import { startPage } from './pages/start.ts';
import { upstreamPages } from './pages/upstream-pages.ts';
import { buildProvider } from './provider/provider.ts';
import { rateLimit } from './rate-limit.ts';
import { brokenRequest } from './scim/broken-request.ts';
import { requestLog } from './scim/request-log.ts';
import { scimRouter } from './scim/router.ts';
import { readSecret } from './settings.ts';
import { cleanUpSchedule, cleanUpTasks } from './store/clean-up.ts';
import { startJobs } from './store/jobs.ts';
import { makeFolder } from './store/make-folder.ts';
import { keepStatistics } from './store/statistics.ts';
import { SignInError } from './upstream/connector.ts';
import { beginLogin, type Upstream } from './upstream/flow.ts';
import { oidcConnector } from './upstream/oidc.ts';
import { passwords } from './upstream/password.ts';
import { passwordLogin } from './upstream/password-login.ts';
import { upstreamRouter } from './upstream/router.ts';
import { samlConnector } from './upstream/saml.ts';
import type { World } from './world.ts';

export type BuiltServer = {
  readonly http: Server;
  readonly drain: Drain;
  /** Stops what works beside the requests: the queue and the following of keys. */
  close(): Promise<void>;
};

const HEADER_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
// Longer than a load balancer keeps a connection, so that it is never the server that closes one under a request.
const KEEP_ALIVE_MS = 65_000;

/** Builds every part over the world. Does not listen yet. */
export async function buildServer(world: World, metrics: Metrics): Promise<BuiltServer> {
  const { settings, log, contextFor } = world;
  const { publicUrl } = settings;
  const drain = makeDrain();
  const closing: (() => Promise<void>)[] = [];

  const provider = await buildProvider({
    database: world.database,
    secrets: world.secrets,
    settings,
    contextFor,
    log,
    requestIdOf: (request) => String(request.res?.locals.requestId ?? randomUUID()),
    renderSignOut: sendSignOut,
    renderSignedOut: sendSignedOut,
    renderError: (response, failure) =>
      sendPage(
        response,
        failure.status,
        problemPage({
          problem: failure.status >= 500 ? 'broken' : failure.status === 404 ? 'not_found' : 'application_refused',
          reference: referenceOf(failure.requestId),
          code: failure.error,
          contact: null,
          again: null,
        }),
      ),
  });
  closing.push(() => provider.close());

  const connectorWorld = {
    now: () => Date.now() as ReturnType<ReturnType<typeof contextFor>['now']>,
    readSecret: async (ref: Parameters<typeof readSecret>[0]) => {
      try {
        return readSecret(ref, settings.configFolder);
      } catch (error) {
        log.error({ error }, 'a sign-in needs a secret that cannot be read');
        throw new SignInError('upstream_unreachable', error instanceof Error ? error.message : 'no secret');
      }
    },
    allowPrivateNetwork: settings.dangerouslyAllowPrivateNetwork,
  };
  const upstream: Upstream = {
    connectors: { oidc: oidcConnector(connectorWorld), saml: samlConnector(connectorWorld) },
    publicUrl,
    contextFor,
  };
  const scimRequests = requestLog({
    write: requestKeeper(contextFor({ actor: { kind: 'system' }, requestId: randomUUID() })),
    log,
  });
  closing.push(() => scimRequests.close());
  metrics.watchPaused(() => pausedDirectories(world.database));
  const local = passwords();
  const pages = { contextFor, publicUrl, log };
  // A sign-in is four or five pages, and a whole office may stand behind one address.
  const limit = rateLimit({ tries: 600, perSeconds: 60 });

  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple').set('trust proxy', settings.trustProxyHops);
  const parts: readonly RequestHandler[] = [
    named,
    healthRouter({
      ping: () => world.database.global.run({ name: 'ping', text: 'select 1' }, []),
      isDraining: drain.isDraining,
      metrics,
      metricsToken: settings.metricsToken,
    }),
    provider.router,
    stylesheetRouter(),
    interactionRouter({
      ...pages,
      interactions: provider.interactions,
      limit,
      passwordLimit: rateLimit({ tries: 20, perSeconds: 300 }),
      signIns: {
        begin: (requestId, start) => beginLogin(upstream, requestId, start),
        password: (requestId, login) => passwordLogin(upstream, local, requestId, login),
      },
    }),
    invitationRouter({
      ...pages,
      limit,
      guessLimit: rateLimit({ tries: 20, perSeconds: 3600 }),
      hashPassword: local.hash,
    }),
    upstreamRouter(upstream, upstreamPages({ limit, log })),
    startPage(),
    nothingHere,
  ];
  for (const part of parts) app.use(part);
  app.use(pageErrors(log));

  const stopJobs = await startJobs({
    url: world.ownerUrl,
    tasks: {
      ...cleanUpTasks,
      ...mailTasks({
        contextFor: (requestId) => contextFor({ actor: { kind: 'system' }, requestId }),
        deliver: mailDelivery({
          smtpUrl: settings.smtpUrl,
          from: settings.mailFrom,
          folder: settings.mailFolder,
          makeFolder,
          log,
        }),
        publicUrl,
        log,
      }),
    },
    schedule: cleanUpSchedule,
    log,
  });
  closing.push(stopJobs, keepStatistics(world.database.global, log));

  // Directories ask more often than everybody else together, and need nothing of Express, which takes a tenth of a look-up's time.
  const scim = scimRouter({
    contextFor,
    publicUrl,
    log,
    addressOf: (request) => clientAddress(request, settings.trustProxyHops),
    requestLog: scimRequests,
  });
  const secure = httpsOnly(publicUrl);
  const answer: RequestListener = (request, response) => {
    if (refusesUnclear(request, response, brokenRequest)) return;
    drain.watch(response);
    metrics.observe(request, response);
    secure(response);
    if (!scim(request, response)) app(request, response);
  };
  const http = createServer(
    {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: HEADER_TIMEOUT_MS,
      maxHeaderSize: 16_384,
      // Refused below, with a word about it.
      requireHostHeader: false,
    },
    answer,
  );
  answerBrokenRequests(http, brokenRequest);
  // What a client expects beyond the standard is passed over, so that it is answered in the form of what it asked for.
  http.on('checkExpectation', answer);
  http.keepAliveTimeout = KEEP_ALIVE_MS;
  return {
    http,
    drain,
    async close() {
      for (const stop of closing.reverse()) await stop();
    },
  };
}

/** Every request has an id of ours, which its answer, its log lines and its audit rows carry; a client's is never taken over. */
const named: RequestHandler = (_request, response, next) => {
  const requestId = randomUUID();
  response.locals.requestId = requestId;
  response.set('x-request-id', requestId);
  next();
};

/** Browsers are told to come by https alone, where that is our address. */
function httpsOnly(publicUrl: string): (response: ServerResponse) => void {
  // Only for the host that this server is: what runs beside it under the same domain is somebody else's.
  if (!publicUrl.startsWith('https:')) return () => {};
  return (response) => void response.setHeader('strict-transport-security', 'max-age=31536000');
}

const nothingHere: RequestHandler = (_request, response) => {
  sendPage(response, 404, problemPage({ problem: 'not_found', reference: null, contact: null, again: null }));
};
