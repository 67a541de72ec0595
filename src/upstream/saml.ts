// SAML 2.0, web browser SSO: we ask by HTTP-Redirect, the IdP answers by HTTP-POST.

import * as samlify from 'samlify';
import { BridgeError } from '../core/errors.ts';
import type { Instant } from '../core/ids.ts';
import type { Connection } from '../core/tenant.ts';
import {
  type ConnectionUrls,
  type Connector,
  type ConnectorWorld,
  type FlowSecrets,
  SignInError,
} from './connector.ts';
import { assertionId, provenUntil } from './saml-assertion.ts';
import { checkSamlResponse } from './saml-checks.ts';
import type { ExpectedResponse } from './saml-expectation.ts';
import { samlIdentity } from './saml-identity.ts';
import { signingKey } from './saml-signature.ts';

type SamlConnection = Extract<Connection, { protocol: 'saml' }>;

const HTTP_REDIRECT = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';
const HTTP_POST = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST';
const UNSPECIFIED = 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified';
const defaultNameIdFormats = [
  'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
  'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
  UNSPECIFIED,
];
const MOST_CLOCK_SKEW_SECONDS = 300;

/**
 * SAML for every connection that speaks it.
 *
 * `begin` makes an unsigned AuthnRequest whose RelayState is the flow's id; a login hint travels as the `login_hint` parameter, since
 * Entra ID refuses requests with a Subject. It throws `invalid` where the sign-on URL is not https (http too where private networks
 * are allowed). `finish` proves the posted response ({@link checkSamlResponse}); a flow without `requestId` among its secrets is
 * one that the IdP began. The caller consumes `replayKey` in its transaction and follows no RelayState.
 */
export function samlConnector(world: ConnectorWorld): Connector<'saml'> {
  return {
    async begin(connection, urls, flow) {
      const idp = identityProvider(connection, world.allowPrivateNetwork);
      const { nameIdFormat } = connection.saml;
      // Without a setting the IdP chooses: asked for a format that it does not have, it would end every login.
      const sp = serviceProvider(urls, [nameIdFormat ?? UNSPECIFIED]);
      const { id, context } = sp.createLoginRequest(idp, 'redirect', {
        relayState: flow.id,
        ...(flow.forceLogin ? { forceAuthn: true } : {}),
      });
      const hint = flow.loginHint === null ? '' : `&login_hint=${encodeURIComponent(flow.loginHint)}`;
      const secrets = { requestId: id, ...(flow.forceLogin ? { freshSince: String(world.now()) } : {}) };
      return { redirectTo: context + hint, secrets };
    },

    async finish(connection, urls, flow, answer) {
      const now = world.now();
      const expected = expectedResponse(connection, urls, flow, now);
      const proven = checkSamlResponse(answer, expected);
      return {
        assertion: samlIdentity(proven.assertion, connection, expected.issuer, now),
        replayKey: JSON.stringify([expected.issuer, assertionId(proven.assertion)]),
        expiresAt: provenUntil(proven, expected),
      };
    },
  };
}

/** SAML metadata of this service provider for one connection: what its administrator gives to the IdP. SAML Metadata 2.4.4. */
export function samlMetadata(connection: SamlConnection, urls: ConnectionUrls): string {
  const { nameIdFormat } = connection.saml;
  return serviceProvider(urls, nameIdFormat === null ? defaultNameIdFormats : [nameIdFormat]).getMetadata();
}

function serviceProvider(urls: ConnectionUrls, nameIdFormats: string[]) {
  return samlify.ServiceProvider({
    entityID: urls.entityId,
    authnRequestsSigned: false,
    wantAssertionsSigned: true,
    allowCreate: true,
    nameIDFormat: nameIdFormats,
    assertionConsumerService: [{ Binding: HTTP_POST, Location: urls.callback, isDefault: true }],
  });
}

function identityProvider(connection: SamlConnection, allowPrivateNetwork: boolean) {
  const { signOnUrl } = connection.saml;
  const url = URL.parse(signOnUrl);
  const allowed = allowPrivateNetwork ? ['https:', 'http:'] : ['https:'];
  if (url === null || !allowed.includes(url.protocol) || url.hash !== '') {
    throw new BridgeError('invalid', 'The sign-on URL of a SAML connection must be an https address.', signOnUrl);
  }
  const service = [{ Binding: HTTP_REDIRECT, Location: signOnUrl }];
  return samlify.IdentityProvider({
    entityID: issuerOf(connection),
    wantAuthnRequestsSigned: false,
    singleSignOnService: service,
    // Never used; without one samlify writes a warning to the console at every login.
    singleLogoutService: service,
  });
}

function issuerOf(connection: SamlConnection): string {
  if (connection.issuer !== null && connection.issuer !== '') return connection.issuer;
  throw new BridgeError('invalid', 'A SAML connection needs the entity ID of its IdP.', connection.connectionId);
}

function expectedResponse(
  connection: SamlConnection,
  urls: ConnectionUrls,
  flow: { readonly id: string; readonly secrets: FlowSecrets },
  now: Instant,
): ExpectedResponse {
  const { saml } = connection;
  const { requestId, freshSince } = flow.secrets;
  try {
    return {
      flowId: flow.id,
      requestId: requestId ?? null,
      allowUnsolicited: saml.insecureAllowUnsolicited,
      issuer: issuerOf(connection),
      audience: urls.entityId,
      acs: urls.callback,
      keys: saml.certificates.map(signingKey),
      allowSha1: saml.insecureAllowSha1,
      clockSkew: Math.min(Math.max(saml.clockSkewSeconds, 0), MOST_CLOCK_SKEW_SECONDS) * 1000,
      now,
      authenticatedSince: freshSince === undefined ? null : (Number(freshSince) as Instant),
    };
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    throw new SignInError('assertion_rejected', `connection ${connection.connectionId}: ${error.message}`);
  }
}
