// An application with openid-client, and a person's browser in front of it.

import { createServer, type Server } from 'node:http';
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose';
import * as oidc from 'openid-client';
import { type Browser, browser, type Page } from '../browser.ts';

export type Tokens = { readonly access: JWTPayload; readonly refreshToken: string };

export type Application = {
  /** Where a person begins by hand. */
  readonly start: string;
  readonly redirectUri: string;
  readonly resource: string;
  /** Once the application is registered. */
  connect(issuer: string, clientId: string, clientSecret: string): Promise<void>;
  /** A new authorization in the browser, up to the first page that stays. `tenant` asks for one by acr_values. */
  authorize(person: Browser, tenant?: string): Promise<Arrival>;
  /** Goes on from a page until the browser is back at the application. */
  arrive(arrival: Arrival, page: Page): Promise<Tokens | { readonly page: Page }>;
  refresh(refreshToken: string): Promise<Tokens>;
  close(): void;
};
export type Arrival = { readonly page: Page; readonly verifier: string; readonly state: string };

export async function startApplication(port: number): Promise<Application> {
  const redirectUri = `http://localhost:${port}/callback`;
  const resource = 'https://api.acme.example';
  const start = `http://localhost:${port}/`;
  // Sign-ins that a person began here by hand; the story's own go through `arrive`.
  const begun = new Map<string, string>();
  const server: Server = createServer((request, response) => {
    answer(new URL(request.url ?? '/', start)).then(
      ({ location, text }) =>
        location === undefined
          ? response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(text)
          : response.writeHead(303, { location }).end(),
      (error: Error) => response.writeHead(400, { 'content-type': 'text/plain' }).end(`${error.message}\n`),
    );
  });
  const answer = async (url: URL): Promise<{ location?: string; text?: string }> => {
    if (url.pathname === '/') {
      const verifier = oidc.randomPKCECodeVerifier();
      const state = oidc.randomState();
      begun.set(state, verifier);
      return { location: (await authorizationUrl(verifier, state)).href };
    }
    const state = url.searchParams.get('state') ?? '';
    const verifier = begun.get(state);
    if (verifier === undefined || !begun.delete(state)) return { text: 'back at the application\n' };
    const checks = { pkceCodeVerifier: verifier, expectedState: state };
    const { access } = await checked(await oidc.authorizationCodeGrant(connected(), url, checks, { resource }));
    return { text: `Your access token says:\n\n${JSON.stringify(access, null, 2)}\n` };
  };
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  let config: oidc.Configuration | undefined;
  let keys: ReturnType<typeof createRemoteJWKSet> | undefined;
  const connected = (): oidc.Configuration => {
    if (config === undefined) throw new Error('the application is not registered yet');
    return config;
  };

  /** What any API does with an access token: signature, issuer, audience, time. */
  const checked = async (answer: oidc.TokenEndpointResponse): Promise<Tokens> => {
    if (keys === undefined) throw new Error('no keys');
    const issuer = connected().serverMetadata().issuer;
    const { payload } = await jwtVerify(answer.access_token, keys, {
      issuer,
      audience: resource,
      algorithms: ['ES256'],
    });
    return { access: payload, refreshToken: answer.refresh_token ?? '' };
  };

  const authorizationUrl = async (verifier: string, state: string, tenant?: string): Promise<URL> =>
    oidc.buildAuthorizationUrl(connected(), {
      redirect_uri: redirectUri,
      scope: 'openid email offline_access',
      resource,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      ...(tenant === undefined ? {} : { acr_values: `tenant:${tenant}` }),
    });

  return {
    start,
    redirectUri,
    resource,
    async connect(issuer, clientId, clientSecret) {
      config = await oidc.discovery(new URL(issuer), clientId, clientSecret, undefined, {
        execute: [oidc.allowInsecureRequests],
      });
      keys = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri ?? ''));
    },
    async authorize(person, tenant) {
      const verifier = oidc.randomPKCECodeVerifier();
      const state = oidc.randomState();
      return { page: await person.open(await authorizationUrl(verifier, state, tenant)), verifier, state };
    },
    async arrive({ verifier, state }, page) {
      if (!page.url.href.startsWith(redirectUri)) return { page };
      const answer = await oidc.authorizationCodeGrant(
        connected(),
        page.url,
        { pkceCodeVerifier: verifier, expectedState: state },
        { resource },
      );
      return checked(answer);
    },
    refresh: async (refreshToken) => checked(await oidc.refreshTokenGrant(connected(), refreshToken, { resource })),
    close: () => server.close(),
  };
}

export function newBrowser(): Browser {
  return browser();
}

/** At the sign-in page: the address, the provider, and the provider's own form; back to whatever page stays. */
export async function signInBy(
  person: Browser,
  page: Page,
  how: { readonly email: string; readonly button: string; readonly login: string; readonly password: string },
): Promise<Page> {
  let here = page;
  // The provider answers at once where the browser is still signed in there.
  for (let turn = 0; turn < 10; turn += 1) {
    const fields = here.forms.flatMap((form) => form.fields.map((field) => field.name));
    if (fields.includes('SAMLResponse')) here = await person.submit(here, {}, { button: null });
    else if (fields.includes('login')) here = await person.submit(here, { login: how.login, password: how.password });
    else if (fields.includes('connection')) {
      const position = here.forms.findIndex((form) => form.buttons.some((button) => button.text.includes(how.button)));
      here = await person.submit(here, {}, { form: position });
    } else if (fields.includes('email')) here = await person.submit(here, { email: how.email });
    else if (goesOn(here)) here = await person.click(here, 'Continue');
    else return here;
  }
  return here;
}

/** A page that leads on by itself, as after a form whose answer lies elsewhere. */
function goesOn(page: Page): boolean {
  return page.forms.length === 0 && page.links.some((link) => link.text === 'Continue');
}
