// Who a proven assertion is about, in the words of the core.

import type { AssertedGroups, UpstreamAssertion } from '../core/identity.ts';
import type { Instant } from '../core/ids.ts';
import { domainMatches, type Email, emailDomain, parseEmail } from '../core/profile.ts';
import type { Connection, SamlSettings } from '../core/tenant.ts';
import { SignInError } from './connector.ts';
import { authenticatedAt, nameIdOf } from './saml-assertion.ts';
import { attributeOf, childrenOf, leafText, SAML, type XmlElement } from './saml-xml.ts';

// As Entra ID and AD FS, Shibboleth and SimpleSAMLphp (OIDs), and Okta, Google and Keycloak by habit name them.
const emailNames = [
  'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress',
  'urn:oid:0.9.2342.19200300.100.1.3',
  'email',
  'mail',
  'emailAddress',
];
const givenNames = [
  'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname',
  'urn:oid:2.5.4.42',
  'givenName',
  'firstName',
  'first_name',
];
const familyNames = [
  'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname',
  'urn:oid:2.5.4.4',
  'familyName',
  'lastName',
  'last_name',
  'surname',
  'sn',
];
const displayNames = [
  'http://schemas.microsoft.com/identity/claims/displayname',
  'urn:oid:2.16.840.1.113730.3.1.241',
  'displayName',
  'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name',
];

/** Entra ID sends this attribute in place of the groups where they are more than 150; the URL in it is never asked. */
const OVERAGE = 'http://schemas.microsoft.com/claims/groups.link';
const MOST_GROUPS = 2_000;
const LONGEST_GROUP = 1_000;
const LONGEST_NAME = 256;

/**
 * The assertion of a proven response. Subject and directory keys are the NameID's text as it stands.
 *
 * The address comes from the connection's attribute; without one from a NameID of the address format, else from the usual attribute
 * names. Throws {@link SignInError} `assertion_rejected` where that attribute holds several values or none that is one address
 * (T17). It counts as verified only within the connection's own domains, and only where the operator vouches for the IdP. Groups
 * are a set of texts as they stand; more than 2,000 are an overage, since a part of them says nothing about the rest; one of more
 * than 1,000 characters is no group's name and left out.
 */
export function samlIdentity(
  assertion: XmlElement,
  connection: Extract<Connection, { protocol: 'saml' }>,
  issuer: string,
  now: Instant,
): UpstreamAssertion {
  const { saml: settings } = connection;
  const subject = leafText(nameIdOf(assertion)) ?? '';
  const email = assertedEmail(assertion, settings, subject);
  return {
    connectionId: connection.connectionId,
    method: 'saml',
    issuer,
    subject,
    directoryIds: [subject],
    directoryUserName: subject,
    email,
    emailVerified: email !== null && settings.trustsEmail && domainMatches(emailDomain(email), connection.domains),
    givenName: assertedName(assertion, settings.givenNameAttribute, givenNames),
    familyName: assertedName(assertion, settings.familyNameAttribute, familyNames),
    displayName: assertedName(assertion, null, displayNames),
    groups: assertedGroups(assertion, settings.groupsAttribute),
    authenticatedAt: Math.min(authenticatedAt(assertion), now) as Instant,
  };
}

/** Values of every attribute of that name, blank ones left out; null where there is no such attribute. */
function valuesOf(assertion: XmlElement, name: string): readonly string[] | null {
  const named = childrenOf(assertion, SAML, 'AttributeStatement')
    .flatMap((statement) => childrenOf(statement, SAML, 'Attribute'))
    .filter((attribute) => attributeOf(attribute, 'Name') === name);
  if (named.length === 0) return null;
  const values = named
    .flatMap((attribute) => childrenOf(attribute, SAML, 'AttributeValue'))
    .map((value) => {
      const text = leafText(value);
      if (text === null) throw new SignInError('assertion_rejected', `attribute ${name} holds elements, not text`);
      return text;
    });
  return values.filter((value) => value.trim() !== '');
}

function assertedEmail(assertion: XmlElement, settings: SamlSettings, subject: string): Email | null {
  if (settings.emailAttribute !== null) return onlyAddress(assertion, settings.emailAttribute);
  const format = attributeOf(nameIdOf(assertion), 'Format') ?? '';
  // Many IdPs call any login name an address: such a NameID is merely no address.
  const fromNameId = format.endsWith(':nameid-format:emailAddress') ? parseEmail(subject) : null;
  if (fromNameId !== null) return fromNameId;
  const present = emailNames.find((name) => (valuesOf(assertion, name)?.length ?? 0) > 0);
  return present === undefined ? null : onlyAddress(assertion, present);
}

function onlyAddress(assertion: XmlElement, name: string): Email | null {
  const [value, ...others] = valuesOf(assertion, name) ?? [];
  if (value === undefined) return null;
  const email = others.length === 0 ? parseEmail(value) : null;
  if (email !== null) return email;
  const found = JSON.stringify([value, ...others]).slice(0, 300);
  throw new SignInError('assertion_rejected', `attribute ${name} is not exactly one address: ${found}`);
}

function assertedName(assertion: XmlElement, configured: string | null, usual: readonly string[]): string | null {
  for (const name of configured === null ? usual : [configured]) {
    const value = valuesOf(assertion, name)?.[0]?.trim();
    if (value !== undefined && value.length <= LONGEST_NAME) return value;
  }
  return null;
}

function assertedGroups(assertion: XmlElement, name: string | null): AssertedGroups {
  if (name === null) return { kind: 'absent' };
  if (valuesOf(assertion, OVERAGE) !== null) return { kind: 'overage' };
  const values = valuesOf(assertion, name);
  if (values === null) return { kind: 'absent' };
  const groups = [...new Set(values)].filter((value) => value.length <= LONGEST_GROUP);
  return groups.length > MOST_GROUPS ? { kind: 'overage' } : { kind: 'named', values: groups };
}
