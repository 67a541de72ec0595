// What an orchestrator and a monitoring system ask: alive, ready, and how it goes.

import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import express, { type Router } from 'express';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type Metrics = {
  readonly registry: Registry;
  /** Counts and times a request by the part of the server that answers, never by a path with ids in it. Called before it does. */
  readonly observe: (request: IncomingMessage, response: ServerResponse) => void;
  countStatement(statement: string): void;
  /** Tells of paused directories from now on, asked for whenever somebody looks. What cannot be known then is left out. */
  watchPaused(read: () => Promise<readonly { readonly tenant: string; readonly connection: string }[]>): void;
};

const PARTS = ['scim', 'oidc', 'interaction', 't', 'livez', 'readyz', 'metrics'];

export function openMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'drawbridge_http_request_duration_seconds',
    help: 'Requests by part, method and status.',
    labelNames: ['part', 'method', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [registry],
  });
  const statements = new Counter({
    name: 'drawbridge_database_statements_total',
    help: 'Statements sent to the database.',
    registers: [registry],
  });
  return {
    registry,
    observe({ method = '', url = '' }, response) {
      const started = performance.now();
      response.once('close', () => {
        const first = url.split(/[/?]/, 2)[1] ?? '';
        const part = PARTS.includes(first) ? first : 'other';
        requests.observe({ part, method, status: response.statusCode }, (performance.now() - started) / 1000);
      });
    },
    countStatement: () => statements.inc(),
    watchPaused(read) {
      const paused = new Gauge({
        name: 'drawbridge_directory_paused',
        help: 'Directories that their guard has paused, each 1. Every process tells of all of them.',
        labelNames: ['tenant', 'connection'],
        registers: [registry],
        async collect() {
          const found = (await inTime(read)) ?? [];
          paused.reset();
          for (const { tenant, connection } of found) paused.set({ tenant, connection }, 1);
        },
      });
    },
  };
}

export type HealthOptions = {
  /** Resolves if the database answers. */
  readonly ping: () => Promise<object>;
  readonly isDraining: () => boolean;
  readonly metrics: Metrics;
  /** Bearer token for /metrics here; null: /metrics is not here. */
  readonly metricsToken: string | null;
};

/**
 * `/livez` says that the process answers, and touches nothing else; `/readyz` that it should be sent traffic: the database answers
 * and it is not draining (503 otherwise). `/metrics` is here only behind a token.
 */
export function healthRouter(options: HealthOptions): Router {
  const router = express.Router();
  router.get('/livez', (_request, response) => void response.type('text').send('alive\n'));
  router.get('/readyz', async (_request, response) => {
    const ready = !options.isDraining() && (await inTime(options.ping)) !== null;
    response
      .status(ready ? 200 : 503)
      .type('text')
      .send(ready ? 'ready\n' : 'not ready\n');
  });
  if (options.metricsToken !== null) {
    const wanted = Buffer.from(`Bearer ${options.metricsToken}`);
    router.get('/metrics', async (request, response) => {
      const given = Buffer.from(request.get('authorization') ?? '');
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
        response.status(401).set('www-authenticate', 'Bearer').type('text').send('a token is needed\n');
        return;
      }
      response.type(options.metrics.registry.contentType).send(await options.metrics.registry.metrics());
    });
  }
  return router;
}

/** What the database answers; null where it does not, or not soon enough for who asks. */
async function inTime<T extends object>(read: () => Promise<T>): Promise<T | null> {
  const timeout = new Promise<null>((resolve) => setTimeout(resolve, 1_500, null).unref());
  return Promise.race([read().catch(() => null), timeout]);
}

/** /metrics on a loopback port of its own, which needs no token because only this machine reaches it. */
export function serveMetrics(metrics: Metrics, port: number): Promise<Server> {
  const server = createServer(async (request, response) => {
    if (request.url !== '/metrics' || request.method !== 'GET') {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(await metrics.registry.metrics());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
