// A person with a browser and an application, request by request, so that a test can stop between any two and choose the server of
// each. What scripts/browser.ts checks for a whole journey is not checked here.

import { createHash, randomBytes } from 'node:crypto';
import type { ClientSettings } from '../../src/core/client.ts';
import { createClient } from '../../src/operations/create-client.ts';
import { type Answer, type Ask, formOf, send, strangeAddress } from './http.ts';
import type { Flow } from './servers.ts';

export type Application = { readonly clientId: string; readonly secret: string; readonly redirectUri: string };

export async function newApplication(
  flow: Pick<Flow, 'world' | 'tenant'>,
  tenant: string,
  more: Partial<ClientSettings> = {},
): Promise<Application> {
  const redirectUri = 'https://app.example/callback';
  const made = await createClient(flow.world.context(), await flow.tenant(tenant), null, {
    name: 'Analytics',
    kind: 'web',
    redirectUris: [redirectUri],
    postLogoutRedirectUris: [],
    resources: [{ identifier: 'https://api.acme.example', scopes: ['read'] }],
    defaultResource: null,
    refreshTokens: true,
    signingAlgorithm: 'ES256',
    publicKeys: null,
    ...more,
  });
  if (made.kind === 'refused') throw new Error(made.message);
  return { clientId: made.clientId, secret: made.secret ?? '', redirectUri };
}

export type Tokens = {
  readonly access_token: string;
  readonly id_token: string;
  readonly refresh_token: string;
};

/** What a token endpoint of any server of the flow says to the application. */
export function tokenRequest(app: Application, fields: Readonly<Record<string, string>>): Ask {
  return formOf({ client_id: app.clientId, client_secret: app.secret, ...fields });
}
export const refreshRequest = (app: Application, refreshToken: string) =>
  tokenRequest(app, { grant_type: 'refresh_token', refresh_token: refreshToken });
export const codeRequest = (app: Application, code: Code) =>
  tokenRequest(app, {
    grant_type: 'authorization_code',
    code: code.code,
    code_verifier: code.verifier,
    redirect_uri: app.redirectUri,
  });

/** What the access or ID token says. The signature is not looked at. */
export function claimsOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString());
}

export type Code = { readonly code: string; readonly verifier: string };

/** The code in an answer that leads back to the application, or null. */
export function codeIn(app: Application, answer: Answer): string | null {
  const location = answer.headers.location ?? '';
  return location.startsWith(app.redirectUri) ? new URL(location).searchParams.get('code') : null;
}

export type Visitor = {
  /** One request to a server of the flow, with this browser's cookies. */
  ask(port: number, path: string, ask?: Ask): Promise<Answer>;
  /** A new authorization: the first answer to it, and the verifier of its code. */
  authorize(
    port: number,
    more?: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ answer: Answer; verifier: string }>;
  /** From a fresh authorization through one of acme's connections; stops before our callback or ACS is called. */
  toCallback(port: number, connection?: 'okta' | 'entra'): Promise<Started>;
  /** The callback and what follows, up to an answer that leads to the application or stays. */
  arrive(port: number, started: Started): Promise<Answer>;
  /** The whole way. Throws where it ends in a page. */
  signIn(port: number): Promise<Code>;
  /** The same person at another browser, still signed in at their provider, with no cookie of ours. */
  again(): Visitor;
  /** Values of the cookies that our servers set here and that still hold. */
  cookies(): readonly string[];
  readonly app: Application;
};
/** A sign-in on its way: the path that comes next at our servers, and what is sent there. */
export type Started = { readonly next: string; readonly ask: Ask; readonly verifier: string };

export type UpstreamLogin = { readonly email: string; readonly login: string; readonly password: string };

type Jar = Map<string, { readonly value: string; readonly path: string; readonly port: number | null }>;

export function visitor(
  flow: Pick<Flow, 'publicUrl'>,
  app: Application,
  who: UpstreamLogin,
  jar: Jar = new Map(),
): Visitor {
  const address = strangeAddress();

  /** `port` null is any server of the flow: to a browser they are one. */
  const exchange = async (to: number, port: number | null, path: string, ask: Ask): Promise<Answer> => {
    const here = path.split('?')[0] ?? '';
    const sent = [...jar].filter(([, one]) => one.port === port && here.startsWith(one.path));
    const cookie = sent.map(([key, one]) => `${key.split(' ')[0]}=${one.value}`).join('; ');
    const host = port === null ? new URL(flow.publicUrl).host : `127.0.0.1:${port}`;
    const headers = {
      host,
      accept: 'text/html',
      'x-forwarded-for': address,
      ...(cookie === '' ? {} : { cookie }),
      ...ask.headers,
    };
    const answer = await send(to, path, { ...ask, headers, keepAlive: port === null });
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [pair = '', ...attributes] = line.split('; ');
      const at = pair.indexOf('=');
      const scope = attributes.find((one) => one.toLowerCase().startsWith('path='))?.slice(5) ?? '/';
      const key = `${pair.slice(0, at)} ${scope} ${port}`;
      if (/expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(key);
      else jar.set(key, { value: pair.slice(at + 1), path: scope, port });
    }
    return answer;
  };
  const ask: Visitor['ask'] = (port, path, more = {}) => exchange(port, null, path, more);

  const authorize: Visitor['authorize'] = async (port, more = {}, headers = {}) => {
    const verifier = randomBytes(32).toString('base64url');
    const query = new URLSearchParams({
      client_id: app.clientId,
      response_type: 'code',
      redirect_uri: app.redirectUri,
      scope: 'openid offline_access',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      state: randomBytes(8).toString('hex'),
      login_hint: who.email,
      ...more,
    });
    return { answer: await ask(port, `/oidc/auth?${query}`, { headers }), verifier };
  };

  /** Follows the upstream provider, filling in its form where it asks, until it sends the browser back to us. */
  const throughUpstream = async (url: URL): Promise<Omit<Started, 'verifier'>> => {
    let at = url;
    let form: Ask = {};
    for (let hop = 0; hop < 10; hop += 1) {
      const answer = await exchange(Number(at.port), Number(at.port), at.pathname + at.search, form);
      form = {};
      const { location } = answer.headers;
      const action = /action="([^"]+)"/.exec(answer.text)?.[1];
      if (location !== undefined) at = new URL(location, at);
      else if (answer.status === 200 && action !== undefined) {
        at = new URL(action, at);
        form = formOf({ ...hiddenIn(answer), login: who.login, password: who.password });
      } else throw new Error(`${answer.status} at ${at}: ${answer.text}`);
      // A post from another site brings none of our cookies.
      const ask = form.body === undefined ? {} : { ...form, headers: { ...form.headers, cookie: '' } };
      if (at.origin === flow.publicUrl) return { next: at.pathname + at.search, ask };
    }
    throw new Error(`${url} leads nowhere`);
  };

  const toCallback: Visitor['toCallback'] = async (port, connection = 'okta') => {
    const { answer, verifier } = await authorize(port);
    const page = await ask(port, pathOf(answer));
    const chosen = formOf({ token: tokenIn(page), email: who.email, tenant: 'acme', connection });
    const onward = await ask(port, `${pathOf(answer)}/connection`, chosen);
    const to = /http-equiv="refresh" content="0; url=([^"]+)"/.exec(onward.text)?.[1];
    if (to === undefined) throw new Error(`no way to the provider: ${onward.status} ${onward.text}`);
    return { ...(await throughUpstream(new URL(unescaped(to)))), verifier };
  };

  const arrive: Visitor['arrive'] = async (port, started) => {
    let answer = await ask(port, started.next, started.ask);
    for (let hop = 0; hop < 4; hop += 1) {
      const { location } = answer.headers;
      if (location === undefined || location.startsWith(app.redirectUri)) return answer;
      answer = await ask(port, pathOf(answer));
    }
    return answer;
  };

  return {
    app,
    ask,
    authorize,
    toCallback,
    arrive,
    cookies: () => [...jar.values()].filter((one) => one.port === null).map(({ value }) => value),
    again: () => visitor(flow, app, who, new Map([...jar].filter(([, one]) => one.port !== null))),
    async signIn(port) {
      const started = await toCallback(port);
      const answer = await arrive(port, started);
      const code = codeIn(app, answer);
      if (code === null) throw new Error(`no code but ${answer.status} ${answer.headers.location}: ${answer.text}`);
      return { code, verifier: started.verifier };
    },
  };
}

/** Where an answer leads on our own server. */
export function pathOf(answer: Answer): string {
  const { location } = answer.headers;
  if (location === undefined) throw new Error(`no redirect but ${answer.status}: ${answer.text.slice(0, 500)}`);
  const url = new URL(location, 'http://localhost');
  return url.pathname + url.search;
}

/** Hidden fields of a page, by name. */
function hiddenIn(page: Answer): Record<string, string> {
  const fields = page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g);
  return Object.fromEntries([...fields].map(([, name = '', value = '']) => [name, unescaped(value)]));
}
const unescaped = (text: string) =>
  text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code))).replaceAll('&amp;', '&');

/** The hidden token of a page's forms. */
export function tokenIn(page: Answer): string {
  const token = /name="token" value="([^"]+)"/.exec(page.text)?.[1];
  if (token === undefined) throw new Error(`no form but ${page.status}: ${page.text.slice(0, 800)}`);
  return token;
}
