import type { UpstreamAssertion } from '../core/identity.ts';
import type { Instant, TenantSlug } from '../core/ids.ts';
import type { Connection, SecretRef } from '../core/tenant.ts';

/** Where this server is reached for one connection; all of it derived from the configured public URL, never from a request. */
export type ConnectionUrls = {
  readonly tenant: TenantSlug;
  /** OIDC redirect URI, or SAML assertion consumer service. */
  readonly callback: string;
  /** SAML entity ID of this service provider: the URL of its metadata. */
  readonly entityId: string;
};

/** What a login flow keeps between the redirect and its answer: state, nonce and verifier, or the AuthnRequest's ID. */
export type FlowSecrets = Readonly<Record<string, string>>;

export type LoginStart = { readonly redirectTo: string; readonly secrets: FlowSecrets };

/** The browser's answer as it arrived: the callback's query (OIDC) or form (SAML). Values are unchecked text. */
export type LoginAnswer = { readonly query: URLSearchParams; readonly form: Readonly<Record<string, unknown>> };

/** A proven assertion, and the one-time key that the caller consumes in its transaction (SAML: issuer and assertion ID). */
export type ProvenAssertion = {
  readonly assertion: UpstreamAssertion;
  readonly replayKey: string | null;
  /** When the proof itself ends; the replay key is kept until then. */
  readonly expiresAt: Instant;
};

/** The outside world as connectors may use it. */
export type ConnectorWorld = {
  readonly now: () => Instant;
  readonly readSecret: (ref: SecretRef) => Promise<string>;
  /** Loopback and private addresses as issuers: for on-premises IdPs, the demo and tests. */
  readonly allowPrivateNetwork: boolean;
};

/**
 * One protocol, for every connection that speaks it. `begin` makes the redirect; `finish` proves the answer or throws
 * {@link SignInError}. Neither touches the database: the flow, its one-time consumption and the replay key are the caller's.
 */
export type Connector<P extends Connection['protocol']> = {
  begin(
    connection: Extract<Connection, { protocol: P }>,
    urls: ConnectionUrls,
    flow: { readonly id: string; readonly loginHint: string | null; readonly forceLogin: boolean },
  ): Promise<LoginStart>;
  finish(
    connection: Extract<Connection, { protocol: P }>,
    urls: ConnectionUrls,
    flow: { readonly id: string; readonly secrets: FlowSecrets },
    answer: LoginAnswer,
  ): Promise<ProvenAssertion>;
};

export type SignInErrorCode = 'assertion_rejected' | 'upstream_refused' | 'upstream_unreachable' | 'flow_unknown';

/** Two messages per failure: the page shows the code's fixed sentence and a reference; `detail` is for the operator's log only. */
export class SignInError extends Error {
  readonly code: SignInErrorCode;
  readonly detail: string;

  constructor(code: SignInErrorCode, detail: string) {
    super(code);
    this.name = 'SignInError';
    this.code = code;
    this.detail = detail;
  }
}
