// An OpenID provider as a customer has one ("Okta-like"): its own issuer, its own people, its own login form.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import express, { type Request, type Response } from 'express';
import { type AccountClaims, type Configuration, Provider } from 'oidc-provider';
import { listen } from './listen.ts';
import { loginPage, type Roster } from './roster.ts';

export type OpenIdProviderOptions = {
  readonly host: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly redirectUris: readonly string[];
  /** Where people's claims are told: in the ID token, or only at userinfo. */
  readonly claimsIn: 'id_token' | 'userinfo';
};

export type OpenIdProvider = {
  readonly issuer: string;
  readonly server: Server;
  addRedirectUri(uri: string): void;
};

/** Claims beyond the standard's that people may have. */
const directoryClaims = ['oid', 'tid', 'azp', 'preferred_username', '_claim_names', '_claim_sources'];

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: 'upstream-1', alg: 'RS256', use: 'sig' };
}

export async function startOpenIdProvider(options: OpenIdProviderOptions, roster: Roster): Promise<OpenIdProvider> {
  const server = createServer();
  const issuer = `http://${options.host}:${await listen(server, options.host)}`;
  const redirectUris = new Set(options.redirectUris);

  const configuration: Configuration = {
    clients: [
      {
        client_id: options.clientId,
        client_secret: options.clientSecret,
        // The client needs one to be valid; which ones count is decided below, since they may be added later.
        redirect_uris: [options.redirectUris[0] ?? 'https://nowhere.invalid/callback'],
      },
    ],
    jwks: { keys: [signingKey()] },
    // Two providers on one host must not take each other's cookies: browsers do not tell ports apart.
    cookies: {
      keys: [randomBytes(32).toString('base64url')],
      names: { interaction: 'okta_interaction', resume: 'okta_resume', session: 'okta_session' },
    },
    claims: {
      openid: ['sub', ...directoryClaims],
      email: ['email', 'email_verified'],
      profile: ['name', 'given_name', 'family_name', 'locale', 'zoneinfo'],
      groups: ['groups'],
    },
    conformIdTokenClaims: options.claimsIn === 'userinfo',
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount(_, sub) {
      const claims = roster.bySub(sub)?.oidc?.claims;
      if (claims === undefined) return undefined;
      return { accountId: sub, claims: (): AccountClaims => ({ ...claims, sub }) };
    },
    // The customer's administrator has consented for everybody.
    async loadExistingGrant(ctx) {
      const { client, session, params } = ctx.oidc;
      if (client === undefined || session?.accountId === undefined) return undefined;
      const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope(String(params?.scope ?? 'openid'));
      await grant.save();
      return grant;
    },
    ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 3600, IdToken: 300, Interaction: 600, Session: 3600 },
  };

  const provider = new Provider(issuer, configuration);
  provider.Client.prototype.redirectUriAllowed = (uri) => redirectUris.has(uri);

  const app = express();
  app.disable('x-powered-by');
  app.get('/interaction/:uid', async (req, res) => {
    const { uid, params } = await provider.interactionDetails(req, res);
    res.send(loginForm(uid, String(params.login_hint ?? '')));
  });
  app.post('/interaction/:uid/login', express.urlencoded({ extended: false }), async (req: Request, res: Response) => {
    const { uid } = await provider.interactionDetails(req, res);
    if (req.body.action === 'cancel') {
      const denied = { error: 'access_denied', error_description: 'The person cancelled the sign-in.' };
      await provider.interactionFinished(req, res, denied, { mergeWithLastSubmission: false });
      return;
    }
    const sub = roster.authenticate(req.body.login, req.body.password)?.oidc?.sub;
    if (sub === undefined) res.status(401).send(loginForm(uid, String(req.body.login ?? ''), true));
    else
      await provider.interactionFinished(req, res, { login: { accountId: sub } }, { mergeWithLastSubmission: false });
  });
  app.use(provider.callback());
  server.on('request', app);
  return { issuer, server, addRedirectUri: (uri) => void redirectUris.add(uri) };
}

function loginForm(uid: string, hint: string, failed = false): string {
  return loginPage({ title: 'Okta-like: sign in', action: `/interaction/${uid}/login`, hint, failed });
}
