// What was proven, against what we asked for (SAML Profiles 4.1.4.3, SAML Core 2). Read from signed bytes.

import type { Instant } from '../core/ids.ts';
import type { ExpectedResponse } from './saml-expectation.ts';
import { attributeOf, childrenOf, leafText, onlyChild, SAML, type XmlElement } from './saml-xml.ts';

/** What of a response may be believed: the assertion is read from signed bytes only. */
export type ProvenResponse = {
  readonly assertion: XmlElement;
  /** The Response around it: read from signed bytes if `envelopeSigned`, else it may only be compared, never believed. */
  readonly envelope: XmlElement;
  readonly envelopeSigned: boolean;
};

export function versionsAreTwo({ envelope, assertion }: ProvenResponse): string | null {
  const versions = [envelope, assertion].map((element) => attributeOf(element, 'Version'));
  return versions.every((version) => version === '2.0') ? null : `versions ${versions.join(' and ')}`;
}

export function issuersAreTheConnection(proven: ProvenResponse, { issuer }: ExpectedResponse): string | null {
  const fault = (element: XmlElement, required: boolean): string | null => {
    const named = onlyChild(element, SAML, 'Issuer');
    if (named === null) return required ? `no issuer of the ${element.name}` : null;
    const format = attributeOf(named, 'Format') ?? 'urn:oasis:names:tc:SAML:2.0:nameid-format:entity';
    return leafText(named) === issuer && format === 'urn:oasis:names:tc:SAML:2.0:nameid-format:entity'
      ? null
      : `issuer ${JSON.stringify(named.text)} of the ${element.name} is not ${JSON.stringify(issuer)}`;
  };
  return fault(proven.assertion, true) ?? fault(proven.envelope, proven.envelopeSigned);
}

export function destinationIsThisAcs(
  { envelope, envelopeSigned }: ProvenResponse,
  { acs }: ExpectedResponse,
): string | null {
  const destination = attributeOf(envelope, 'Destination');
  if (destination === null) return envelopeSigned ? 'signed Response without Destination' : null;
  return destination === acs ? null : `destination ${JSON.stringify(destination)} is not ${acs}`;
}

export function responseAnswersOurRequest(
  { envelope }: ProvenResponse,
  { requestId }: ExpectedResponse,
): string | null {
  return answers(attributeOf(envelope, 'InResponseTo'), requestId, 'Response');
}

function answers(inResponseTo: string | null, requestId: string | null, who: string): string | null {
  if (inResponseTo === requestId) return null;
  return `${who} answers ${JSON.stringify(inResponseTo)}, not ${requestId === null ? 'nobody' : 'our request'}`;
}

const FRESH = 10 * 60_000;
const LONGEST_VALIDITY = 24 * 60 * 60_000;

/** Milliseconds since the epoch of an xs:dateTime with its zone, else NaN, which is in no range. Without a zone it would be local time. */
function instantOf(text: string | null): number {
  return text !== null && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
}

export function issuedJustNow(
  { envelope, assertion }: ProvenResponse,
  { now, clockSkew }: ExpectedResponse,
): string | null {
  const wrong = [envelope, assertion].find((element) => {
    const issued = instantOf(attributeOf(element, 'IssueInstant'));
    return !(issued <= now + clockSkew && issued >= now - FRESH - clockSkew);
  });
  return wrong === undefined
    ? null
    : `${wrong.name} issued at ${attributeOf(wrong, 'IssueInstant')}, it is ${iso(now)}`;
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}

const TRANSIENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient';

export function subjectIsOneName({ assertion }: ProvenResponse): string | null {
  const nameId = nameIdOf(assertion);
  const name = leafText(nameId)?.trim() ?? '';
  if (name === '') return 'no NameID, or an empty one';
  if (name.length > 1000) return `NameID of ${name.length} characters`;
  return attributeOf(nameId, 'Format') === TRANSIENT ? 'a transient NameID names nobody the next time' : null;
}

function confirmation({ assertion }: ProvenResponse): XmlElement | null {
  return onlyChild(onlyChild(assertion, SAML, 'Subject'), SAML, 'SubjectConfirmation');
}

function confirmationData(proven: ProvenResponse): XmlElement | null {
  return onlyChild(confirmation(proven), SAML, 'SubjectConfirmationData');
}

export function oneBearerConfirmation(proven: ProvenResponse): string | null {
  const method = attributeOf(confirmation(proven), 'Method');
  if (method !== 'urn:oasis:names:tc:SAML:2.0:cm:bearer') return `not exactly one bearer confirmation: ${method}`;
  return confirmationData(proven) === null ? 'bearer confirmation without data' : null;
}

export function recipientIsThisAcs(proven: ProvenResponse, { acs }: ExpectedResponse): string | null {
  const recipient = attributeOf(confirmationData(proven), 'Recipient');
  return recipient === acs ? null : `recipient ${JSON.stringify(recipient)} is not ${acs}`;
}

export function subjectAnswersOurRequest(proven: ProvenResponse, { requestId }: ExpectedResponse): string | null {
  return answers(attributeOf(confirmationData(proven), 'InResponseTo'), requestId, 'Subject');
}

export function confirmationIsInTime(proven: ProvenResponse, { now, clockSkew }: ExpectedResponse): string | null {
  const data = confirmationData(proven);
  if (attributeOf(data, 'NotBefore') !== null) return 'bearer confirmation with NotBefore';
  return endsInTime(attributeOf(data, 'NotOnOrAfter'), now, clockSkew);
}

function endsInTime(notOnOrAfter: string | null, now: number, clockSkew: number): string | null {
  const end = instantOf(notOnOrAfter);
  if (!(end > now - clockSkew)) return `over at ${notOnOrAfter}, it is ${iso(now)}`;
  return end <= now + LONGEST_VALIDITY + clockSkew ? null : `valid until ${notOnOrAfter}, which is absurd`;
}

/** The assertion's one NameID, or null. */
export function nameIdOf(assertion: XmlElement): XmlElement | null {
  return onlyChild(onlyChild(assertion, SAML, 'Subject'), SAML, 'NameID');
}

function conditionsOf({ assertion }: ProvenResponse): XmlElement | null {
  return onlyChild(assertion, SAML, 'Conditions');
}

// SAML Core 2.5.1.1: a condition that is not understood makes the assertion's validity unknown.
export function conditionsAreKnown(proven: ProvenResponse): string | null {
  const conditions = conditionsOf(proven);
  if (conditions === null) return 'no Conditions';
  const known = ['AudienceRestriction', 'OneTimeUse', 'ProxyRestriction'];
  const unknown = conditions.children.find(({ namespace, name }) => namespace !== SAML || !known.includes(name));
  return unknown === undefined ? null : `unknown condition ${unknown.name}`;
}

export function audienceIsUs(proven: ProvenResponse, { audience }: ExpectedResponse): string | null {
  const restrictions = childrenOf(conditionsOf(proven) ?? proven.assertion, SAML, 'AudienceRestriction');
  const named = restrictions.map((restriction) => childrenOf(restriction, SAML, 'Audience').map(leafText));
  return named.length > 0 && named.every((audiences) => audiences.includes(audience))
    ? null
    : `audience ${JSON.stringify(named)} is not ${audience}`;
}

export function conditionsAreInTime(proven: ProvenResponse, { now, clockSkew }: ExpectedResponse): string | null {
  const notBefore = attributeOf(conditionsOf(proven), 'NotBefore');
  const notOnOrAfter = attributeOf(conditionsOf(proven), 'NotOnOrAfter');
  if (notBefore !== null && !(instantOf(notBefore) <= now + clockSkew)) {
    return `not valid before ${notBefore}, it is ${iso(now)}`;
  }
  return notOnOrAfter === null ? null : endsInTime(notOnOrAfter, now, clockSkew);
}

function authentication({ assertion }: ProvenResponse): XmlElement | null {
  return onlyChild(assertion, SAML, 'AuthnStatement');
}

export function oneAuthentication(proven: ProvenResponse): string | null {
  return authentication(proven) === null ? 'not exactly one AuthnStatement' : null;
}

export function sessionIsNotOver(proven: ProvenResponse, { now, clockSkew }: ExpectedResponse): string | null {
  const end = attributeOf(authentication(proven), 'SessionNotOnOrAfter');
  return end === null || instantOf(end) > now - clockSkew ? null : `session over at ${end}, it is ${iso(now)}`;
}

export function authenticatedInThePast(proven: ProvenResponse, { now, clockSkew }: ExpectedResponse): string | null {
  const instant = attributeOf(authentication(proven), 'AuthnInstant');
  return instantOf(instant) <= now + clockSkew ? null : `authenticated at ${instant}, it is ${iso(now)}`;
}

// ForceAuthn is a request that an IdP may overlook (SAML Core 3.4.1): what it did is seen here only.
export function authenticatedAfreshIfAsked(proven: ProvenResponse, expected: ExpectedResponse): string | null {
  const { authenticatedSince, clockSkew } = expected;
  const instant = attributeOf(authentication(proven), 'AuthnInstant');
  return authenticatedSince === null || instantOf(instant) >= authenticatedSince - clockSkew
    ? null
    : `authenticated at ${instant}, before a fresh login was asked for at ${iso(authenticatedSince)}`;
}

export function assertionId(assertion: XmlElement): string {
  return attributeOf(assertion, 'ID') ?? '';
}

/** When the login at the IdP was. */
export function authenticatedAt(assertion: XmlElement): Instant {
  return instantOf(attributeOf(onlyChild(assertion, SAML, 'AuthnStatement'), 'AuthnInstant')) as Instant;
}

/** The first instant at which a response that was proven now would be refused as over, on any clock within the tolerated skew. */
export function provenUntil(proven: ProvenResponse, { clockSkew }: ExpectedResponse): Instant {
  const ends = [confirmationData(proven), conditionsOf(proven)].map((element) =>
    instantOf(attributeOf(element, 'NotOnOrAfter')),
  );
  return (Math.min(...ends.filter((end) => !Number.isNaN(end))) + clockSkew) as Instant;
}
