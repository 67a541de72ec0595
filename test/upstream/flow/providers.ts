// acme's two identity providers as they answer: SAML signed by a key of the test, OIDC by a server that somebody else wrote.

import { inflateRawSync } from 'node:zlib';
import { type Answer, type Browser, onward, type Site, tokenIn } from '../../pages/site.ts';
import { type Acme, touchConfig } from '../../support/acme.ts';
import { type ResponseContent, samlForm, signedSamlResponse, type TestIdp, testIdp } from '../../support/saml-idp.ts';
import type { TestWorld } from '../../support/world.ts';
import { startTamperingIdp, type TamperingIdp } from '../oidc/tampering-idp.ts';

export type Providers = {
  readonly saml: TestIdp;
  readonly oidc: TamperingIdp;
  close(): Promise<void>;
};

export const ssoUrl = 'https://entra.acme.example/sso';

/** Gives acme's connections keys and addresses that answer. */
export async function connectProviders(world: TestWorld, tenants: Acme): Promise<Providers> {
  const saml = testIdp('https://entra.acme.example');
  const oidc = await startTamperingIdp();
  await saveSaml(world, tenants, saml, {});
  await world.sql(`update connections set display_name = 'Okta', issuer = $2, settings = $3 where connection_id = $1`, [
    tenants.okta,
    oidc.issuer,
    {
      clientId: 'drawbridge',
      clientSecret: null,
      scopes: ['email', 'profile'],
      groupsClaim: null,
      directoryIdClaim: 'sub',
      trustsEmail: false,
    },
  ]);
  await touchConfig(world);
  return { saml, oidc, close: oidc.close };
}

export async function saveSaml(world: TestWorld, tenants: Acme, idp: TestIdp, more: object): Promise<void> {
  await world.sql(
    `update connections set display_name = 'Entra ID', issuer = $2, settings = $3 where connection_id = $1`,
    [
      tenants.entra,
      idp.entityId,
      {
        signOnUrl: ssoUrl,
        certificates: [idp.certificate],
        nameIdFormat: null,
        emailAttribute: null,
        groupsAttribute: null,
        givenNameAttribute: null,
        familyNameAttribute: null,
        trustsEmail: true,
        insecureAllowUnsolicited: false,
        insecureAllowSha1: false,
        clockSkewSeconds: 60,
        ...more,
      },
    ],
  );
  await touchConfig(world);
}

export const acs = '/t/acme/saml/entra/acs';

/** Begins at the page, chooses the connection, and gives the provider's address that the browser is taken to. */
export async function begin(browser: Browser, email: string, connection: 'entra' | 'okta'): Promise<URL> {
  const page = await browser.post(`${browser.start}/email`, { token: await browser.token(), email });
  const form = { token: tokenIn(page), email, tenant: 'acme', connection };
  return new URL(onward(await browser.post(`${browser.start}/connection`, form)));
}

export type SamlRequest = { readonly requestId: string; readonly relayState: string };
export function samlRequest(redirect: URL): SamlRequest {
  const xml = inflateRawSync(Buffer.from(redirect.searchParams.get('SAMLRequest') ?? '', 'base64')).toString();
  const requestId = /\bID="([^"]+)"/.exec(xml)?.[1] ?? '';
  return { requestId, relayState: redirect.searchParams.get('RelayState') ?? '' };
}

/** The form that the provider's page posts for this person. */
export function samlAnswer(
  site: Site,
  idp: TestIdp,
  nameId: string,
  request: SamlRequest | null,
  more: Partial<ResponseContent> = {},
) {
  const content = {
    acs: `${site.origin}${acs}`,
    audience: `${site.origin}/t/acme/saml/entra/metadata`,
    inResponseTo: request?.requestId ?? null,
    nameId,
    ...more,
  };
  return samlForm(signedSamlResponse(idp, content), request?.relayState);
}

/** As a browser posts it from the provider's page: across sites, and so without any cookie of ours. */
export async function postAcross(site: Site, path: string, form: Record<string, string>): Promise<Answer> {
  const answer = await fetch(new URL(path, site.origin), {
    method: 'POST',
    redirect: 'manual',
    headers: {
      origin: 'https://entra.acme.example',
      'sec-fetch-site': 'cross-site',
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams(form).toString(),
  });
  return {
    status: answer.status,
    headers: answer.headers,
    location: answer.headers.get('location'),
    text: await answer.text(),
  };
}

/** A whole SAML sign-in up to the page that the person sees, or the redirect to the application. */
export async function samlSignIn(site: Site, browser: Browser, idp: TestIdp, email: string): Promise<Answer> {
  const request = samlRequest(await begin(browser, email, 'entra'));
  const posted = await postAcross(site, acs, samlAnswer(site, idp, email, request));
  if (posted.location === null) throw new Error(`no way back: ${posted.status} ${posted.text}`);
  return browser.get(posted.location);
}
