// A SAML 2.0 identity provider as a customer has one ("Entra-like"): redirect in, signed response by POST out.

import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import express, { type Request, type Response } from 'express';
import samlp, { type AuthnRequest, type ProfileMapper, type SamlConfig } from 'samlp';
import { listen } from './listen.ts';
import { escapeHtml, loginPage, page, type Roster, type UpstreamPerson } from './roster.ts';
import { selfSignedCertificate } from './self-signed-certificate.ts';

export type ServiceProvider = { readonly entityId: string; readonly acsUrl: string };

export type SamlIdpOptions = {
  readonly host: string;
  /** Entity ID; of Entra ID's form, with the port as a stand-in for the tenant, if left out. */
  readonly issuer: string | undefined;
  readonly serviceProviders: readonly ServiceProvider[];
  readonly signs: 'assertion' | 'response' | 'both';
};

export type SamlIdp = {
  readonly issuer: string;
  readonly signOnUrl: string;
  readonly metadataUrl: string;
  /** PEM. */
  readonly certificate: string;
  readonly server: Server;
  addServiceProvider(serviceProvider: ServiceProvider): void;
};

const persistent = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';
const sessionCookie = 'entra_session';

type Session = { readonly login: string; fresh: boolean };
type Trip = { readonly serviceProvider: ServiceProvider; readonly request: AuthnRequest | null };

/**
 * `/sso` takes AuthnRequests (HTTP-Redirect, signed or not), `/sso/unsolicited?sp=` sends a response that nobody asked for.
 * Answers go to the registered ACS of a registered service provider only. Keeps people signed in by a cookie and honours
 * `ForceAuthn`; *Cancel* answers with a status of failure.
 */
export async function startSamlIdp(options: SamlIdpOptions, roster: Roster): Promise<SamlIdp> {
  const server = createServer();
  const port = await listen(server, options.host);
  const base = `http://${options.host}:${port}`;
  const issuer = options.issuer ?? `https://sts.windows.net/00000000-0000-4000-8000-${String(port).padStart(12, '0')}/`;
  const { key, certificate } = selfSignedCertificate('Entra-like');
  const serviceProviders = new Map(options.serviceProviders.map((provider) => [provider.entityId, provider]));
  const sessions = new Map<string, Session>();

  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  const form = express.urlencoded({ extended: false });

  app.get(
    '/metadata',
    samlp.metadata({
      issuer,
      cert: certificate,
      redirectEndpointPath: '/sso',
      postEndpointPath: '/sso',
      profileMapper,
    }),
  );

  app.get(['/sso', '/sso/unsolicited'], async (req, res) => {
    const trip = await tripOf(req);
    if (trip === null)
      return void res.status(400).send(page('Entra-like', '<p>This application is not registered.</p>'));
    const session = sessionOf(req);
    const person = session === undefined ? undefined : roster.byLogin(session.login);
    const mustLogIn = trip.request?.forceAuthn === 'true' && session?.fresh !== true;
    if (session === undefined || person?.saml === undefined || mustLogIn)
      return void res.send(loginForm(req.originalUrl, ''));
    session.fresh = false;
    await answer(res, trip, person, String(req.query.RelayState ?? ''));
  });

  app.post('/login', form, async (req, res) => {
    const back = String(req.body.back ?? '');
    if (!/^\/sso[/?]/.test(back)) return void res.status(400).send(page('Entra-like', '<p>Nowhere to go.</p>'));
    if (req.body.action === 'cancel') return void res.redirect(303, back.replace('/sso', '/cancel'));
    const person = roster.authenticate(req.body.login, req.body.password);
    if (person?.saml === undefined)
      return void res.status(401).send(loginForm(back, String(req.body.login ?? ''), true));
    const id = randomBytes(24).toString('base64url');
    sessions.set(id, { login: person.login, fresh: true });
    res.cookie(sessionCookie, id, { httpOnly: true, sameSite: 'lax', path: '/' });
    res.redirect(303, back);
  });

  app.get('/cancel', async (req, res, next) => {
    const trip = await tripOf(req);
    if (trip === null) return void res.status(400).end();
    const { acsUrl } = trip.serviceProvider;
    samlp.sendError({
      ...configFor(trip),
      RelayState: String(req.query.RelayState ?? ''),
      error: { code: 'urn:oasis:names:tc:SAML:2.0:status:Responder', description: 'The person cancelled the sign-in.' },
      getPostURL: (_, callback) => callback(null, acsUrl),
    })(req, res, next);
  });

  function sessionOf(req: Request): Session | undefined {
    const [, id = ''] = new RegExp(`(?:^|; )${sessionCookie}=([^;]*)`).exec(req.headers.cookie ?? '') ?? [];
    return sessions.get(id);
  }

  /** Who asks, and where the answer goes; null if they are not registered. */
  async function tripOf(req: Request): Promise<Trip | null> {
    if (req.path === '/sso/unsolicited') {
      const known = serviceProviders.get(String(req.query.sp));
      return known === undefined ? null : { serviceProvider: known, request: null };
    }
    const request = await new Promise<AuthnRequest | undefined>((resolve) =>
      samlp.parseRequest(req, (error, data) => resolve(error === null ? data : undefined)),
    );
    const known = serviceProviders.get(request?.issuer ?? '');
    if (request === undefined || known === undefined) return null;
    const acsUrl = request.assertionConsumerServiceURL ?? known.acsUrl;
    return acsUrl === known.acsUrl ? { serviceProvider: known, request } : null;
  }

  function configFor({ serviceProvider, request }: Trip): SamlConfig {
    return {
      issuer,
      key,
      cert: certificate,
      audience: serviceProvider.entityId,
      destination: serviceProvider.acsUrl,
      recipient: serviceProvider.acsUrl,
      ...(request?.id === undefined ? {} : { inResponseTo: request.id }),
      signAssertion: options.signs !== 'response',
      signResponse: options.signs !== 'assertion',
      signatureAlgorithm: 'rsa-sha256',
      digestAlgorithm: 'sha256',
      lifetimeInSeconds: 300,
      sessionIndex: `_${randomUUID()}`,
      authnContextClassRef: 'urn:oasis:names:tc:SAML:2.0:ac:classes:Password',
      profileMapper,
    };
  }

  async function answer(res: Response, trip: Trip, person: UpstreamPerson, relayState: string): Promise<void> {
    const xml = await new Promise<string>((resolve, reject) =>
      samlp.getSamlResponse(configFor(trip), person, (error, text) =>
        error !== null || text === undefined ? reject(error) : resolve(text),
      ),
    );
    const fields = { SAMLResponse: Buffer.from(xml).toString('base64'), ...(relayState && { RelayState: relayState }) };
    const inputs = Object.entries(fields).map(
      ([name, value]) => `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`,
    );
    res.send(
      page(
        'Working …',
        `<form method="post" action="${escapeHtml(trip.serviceProvider.acsUrl)}">${inputs.join('')}<noscript><button>Continue</button></noscript></form><script>document.forms[0].submit()</script>`,
      ),
    );
  }

  server.on('request', app);
  return {
    issuer,
    signOnUrl: `${base}/sso`,
    metadataUrl: `${base}/metadata`,
    certificate,
    server,
    addServiceProvider: (provider) => void serviceProviders.set(provider.entityId, provider),
  };
}

function loginForm(back: string, hint: string, failed = false): string {
  return loginPage({ title: 'Entra-like: sign in', action: '/login', hint, hidden: { back }, failed });
}

/** samlp asks it what to say of a person, and which attributes to name in the metadata: none, as they are each person's own. */
const profileMapper: ProfileMapper = Object.assign(
  (user: unknown) => {
    const { saml } = user as UpstreamPerson;
    return {
      getClaims: () => saml?.attributes ?? {},
      getNameIdentifier: () => ({
        nameIdentifier: saml?.nameId ?? '',
        nameIdentifierFormat: saml?.nameIdFormat ?? persistent,
      }),
    };
  },
  { prototype: { metadata: [] } },
);
