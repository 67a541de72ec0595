// What makes a SAML response a proof (SAML Profiles 4.1.4.3, SAML Core 2 and 5). The lists below are the whole of it, in order.

import { type LoginAnswer, SignInError } from './connector.ts';
import {
  audienceIsUs,
  authenticatedAfreshIfAsked,
  authenticatedInThePast,
  conditionsAreInTime,
  conditionsAreKnown,
  confirmationIsInTime,
  destinationIsThisAcs,
  issuedJustNow,
  issuersAreTheConnection,
  oneAuthentication,
  oneBearerConfirmation,
  type ProvenResponse,
  recipientIsThisAcs,
  responseAnswersOurRequest,
  sessionIsNotOver,
  subjectAnswersOurRequest,
  subjectIsOneName,
  versionsAreTwo,
} from './saml-assertion.ts';
import {
  idpSaysSuccess,
  idsAreUnique,
  isAResponse,
  matchesTheSchema,
  noExtensions,
  noSchemaHints,
  nothingEncrypted,
  oneAssertionInPlace,
  type Received,
  signaturesInPlace,
  somethingIsSigned,
} from './saml-envelope.ts';
import { type Check, type ExpectedResponse, holdAll } from './saml-expectation.ts';
import { type PlacedSignature, placedSignature, signatureChecks } from './saml-signature.ts';
import {
  childrenOf,
  DSIG,
  descendants,
  type OpenXml,
  onlyChild,
  SAML,
  type TextCheck,
  textChecks,
  withXml,
  XmlRefused,
} from './saml-xml.ts';

export type SamlChecks = {
  readonly answer: readonly Check<LoginAnswer>[];
  readonly text: readonly TextCheck[];
  readonly received: readonly Check<Received>[];
  readonly signature: readonly Check<PlacedSignature>[];
  readonly proven: readonly Check<ProvenResponse>[];
};

export const samlChecks: SamlChecks = {
  answer: [postedAsOneValue, relayStateIsThisFlow, unsolicitedOnlyIfAllowed],
  text: textChecks,
  received: [
    isAResponse,
    idpSaysSuccess,
    nothingEncrypted,
    noSchemaHints,
    idsAreUnique,
    oneAssertionInPlace,
    noExtensions,
    signaturesInPlace,
    matchesTheSchema,
    somethingIsSigned,
  ],
  signature: signatureChecks,
  proven: [
    versionsAreTwo,
    issuersAreTheConnection,
    destinationIsThisAcs,
    responseAnswersOurRequest,
    issuedJustNow,
    subjectIsOneName,
    oneBearerConfirmation,
    recipientIsThisAcs,
    subjectAnswersOurRequest,
    confirmationIsInTime,
    conditionsAreKnown,
    audienceIsUs,
    conditionsAreInTime,
    oneAuthentication,
    sessionIsNotOver,
    authenticatedInThePast,
    authenticatedAfreshIfAsked,
  ],
};

/**
 * Proves the answer of an IdP at the assertion consumer service: every check in order, then only the signed bytes are read again.
 *
 * Throws {@link SignInError}: `upstream_refused` where the IdP says that it did not log anybody in, `assertion_rejected` with the
 * failed check's name and reason for everything else. Encrypted assertions are refused. Replay is the caller's: an assertion ID is
 * consumed in the transaction that uses it. `checks` is for tests that show that each of them is needed.
 */
export function checkSamlResponse(
  answer: LoginAnswer,
  expected: ExpectedResponse,
  checks = samlChecks,
): ProvenResponse {
  holdAll(checks.answer, answer, expected);
  const text = decodePosted(answer.form.SAMLResponse);
  try {
    const proven = withXml(text, (xml) => prove(xml, expected, checks), checks.text);
    holdAll(checks.proven, proven, expected);
    return proven;
  } catch (error) {
    if (error instanceof XmlRefused) throw new SignInError('assertion_rejected', error.message);
    throw error;
  }
}

function prove(xml: OpenXml, expected: ExpectedResponse, checks: SamlChecks): ProvenResponse {
  holdAll(checks.received, { ...xml, all: descendants(xml.root) }, expected);
  const signatures = placedSignatures(xml);
  for (const signature of signatures) holdAll(checks.signature, signature, expected);
  const signedElement = (name: string) => {
    const bytes = signatures.find(({ parent }) => parent.name === name)?.parentBytes();
    return bytes === undefined ? null : withXml(bytes, ({ root }) => root);
  };
  const response = signedElement('Response');
  // The assertion comes out of signed bytes or not at all: what was received is not even within reach of the checks that follow.
  const assertion = signedElement('Assertion') ?? onlyChild(response, SAML, 'Assertion');
  if (assertion === null) throw new XmlRefused('no assertion in signed bytes');
  return { assertion, envelope: response ?? xml.root, envelopeSigned: response !== null };
}

/** Text of a posted message; 256 KB at most, since the largest real ones (a thousand groups, two signatures) stay under 150 KB. */
function decodePosted(posted: unknown): string {
  const refuse = (detail: string) => new SignInError('assertion_rejected', detail);
  if (typeof posted !== 'string') throw refuse('SAMLResponse is not one text');
  if (posted.length > 360_000) throw refuse(`SAMLResponse of ${posted.length} characters`);
  // RFC 2045 lets lines break; nothing else but the alphabet and the right padding is base64.
  const packed = posted.replace(/[\r\n]/g, '');
  const bytes = Buffer.from(packed, 'base64');
  if (packed === '' || bytes.toString('base64') !== packed) throw refuse('SAMLResponse is not base64');
  if (bytes.length > 262_144) throw refuse(`SAMLResponse of ${bytes.length} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refuse('SAMLResponse is not UTF-8');
  }
}

function placedSignatures(xml: OpenXml): readonly PlacedSignature[] {
  return [xml.root, ...childrenOf(xml.root, SAML, 'Assertion')].flatMap((parent) =>
    childrenOf(parent, DSIG, 'Signature').map((element) => placedSignature(xml, element, parent)),
  );
}

// The answer

function postedAsOneValue(answer: LoginAnswer): string | null {
  if (answer.query.has('SAMLResponse')) return 'SAMLResponse in the query: a response is posted';
  return typeof answer.form.SAMLResponse === 'string' ? null : 'not exactly one SAMLResponse';
}

function relayStateIsThisFlow(answer: LoginAnswer, { requestId, flowId }: ExpectedResponse): string | null {
  // Where the IdP began, RelayState is its own affair: nothing reads it, so it can send nobody anywhere.
  return requestId === null || answer.form.RelayState === flowId ? null : 'RelayState is not this login flow';
}

function unsolicitedOnlyIfAllowed(_: LoginAnswer, { requestId, allowUnsolicited }: ExpectedResponse): string | null {
  return requestId !== null || allowUnsolicited ? null : 'nobody asked for it, and this connection wants to be asked';
}
