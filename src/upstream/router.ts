// Where identity providers answer, and where they find out about us. One address per connection, so no answer can be taken for
// another provider's (T20).

import { randomUUID } from 'node:crypto';
import express, {
  type ErrorRequestHandler,
  type Request,
  type RequestHandler,
  type Response,
  type Router,
} from 'express';
import type { TenantSlug } from '../core/ids.ts';
import { parseTenantSlug } from '../core/ids.ts';
import { findConnection } from '../operations/find-connection.ts';
import { connectionUrls, type Finished, finishLogin, type Upstream } from './flow.ts';
import { samlMetadata } from './saml.ts';

/** Pages that end a sign-in here. They belong to another part; this one only says when. */
export type UpstreamPages = {
  readonly failed: (response: Response, failure: Extract<Finished, { kind: 'failed' }>) => void;
  readonly arrived: (response: Response, provider: string) => void;
  /** Before anything is read: let the request through, or end it. */
  readonly guards: readonly RequestHandler[];
  readonly errors: ErrorRequestHandler;
};

const MOST_FORM_BYTES = 512 * 1024;

/** Callbacks, assertion consumer services and SAML metadata, under `/t/:tenant`. */
export function upstreamRouter(upstream: Upstream, pages: UpstreamPages): Router {
  const router = express.Router();
  const form = express.urlencoded({ extended: false, limit: MOST_FORM_BYTES, parameterLimit: 10, inflate: false });

  const finish = async (request: Request, response: Response, protocol: 'oidc' | 'saml') => {
    const place = placeOf(request);
    const query = new URL(request.originalUrl, 'http://localhost').searchParams;
    const posted: Readonly<Record<string, unknown>> = request.body ?? {};
    const states = query.getAll('state');
    const finished = await finishLogin(upstream, requestIdOf(response), {
      ...place,
      protocol,
      flowId: protocol === 'saml' ? posted.RelayState : states.length === 1 ? states[0] : null,
      answer: { query, form: posted },
    });
    if (finished.kind === 'resume') response.set('Cache-Control', 'no-store').redirect(303, finished.location);
    else if (finished.kind === 'arrived') pages.arrived(response, finished.provider);
    else pages.failed(response, finished);
  };

  router.get('/t/:tenant/oidc/:connection/callback', ...pages.guards, (request, response) =>
    finish(request, response, 'oidc'),
  );
  // Posted across sites: it carries no cookie of ours, and needs none.
  router.post('/t/:tenant/saml/:connection/acs', ...pages.guards, form, (request, response) =>
    finish(request, response, 'saml'),
  );

  router.get('/t/:tenant/saml/:connection/metadata', async (request, response, next) => {
    const { tenant, connection: key } = placeOf(request);
    const requestId = requestIdOf(response);
    const ctx = upstream.contextFor({ actor: { kind: 'system' }, requestId });
    const found = await findConnection(ctx, tenant, key);
    if (found === null || found.connection.protocol !== 'saml') return next('router');
    response
      .set({ 'Cache-Control': 'no-cache', 'X-Content-Type-Options': 'nosniff' })
      .type('application/samlmetadata+xml')
      .send(samlMetadata(found.connection, connectionUrls(upstream.publicUrl, tenant, found.connection)));
  });

  router.use(pages.errors);
  return router;
}

function placeOf(request: Request): { readonly tenant: TenantSlug; readonly connection: string } {
  // What is no Tenant ID is no tenant's: the lookup finds nothing under it.
  const tenant = parseTenantSlug(String(request.params.tenant)) ?? ('' as TenantSlug);
  return { tenant, connection: String(request.params.connection) };
}

function requestIdOf(response: Response): string {
  const given: unknown = response.locals.requestId;
  return typeof given === 'string' ? given : randomUUID();
}
