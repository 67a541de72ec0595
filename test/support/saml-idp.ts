/**
 * The IdP's side of SAML: responses as Okta, Entra ID and Google Workspace write them, signed or twisted at will.
 *
 * Canonical bytes come from xml-crypto, so that what the server accepts was made by other code than the server's own.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { DOMParser } from '@xmldom/xmldom';
import { ExclusiveCanonicalization } from 'xml-crypto';
import { selfSigned } from './x509.ts';

export type TestIdp = { readonly entityId: string; readonly privateKey: KeyObject; readonly certificate: string };

/** An IdP with a new key and a certificate for it (PEM). */
export function testIdp(entityId: string, keyType: 'rsa' | 'ec' = 'rsa'): TestIdp {
  const { privateKey } =
    keyType === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { entityId, privateKey, certificate: selfSigned(privateKey, entityId) };
}

export type SamlShape = 'okta' | 'entra' | 'google';
export type ResponseContent = {
  /** Assertion consumer service of the service provider: Destination and Recipient. */
  readonly acs: string;
  /** Entity ID of the service provider. */
  readonly audience: string;
  /** ID of the AuthnRequest; null for a login that begins at the IdP. */
  readonly inResponseTo: string | null;
  readonly nameId: string;
  readonly nameIdFormat?: string;
  readonly attributes?: Readonly<Record<string, readonly string[]>>;
  readonly shape?: SamlShape;
  /** Milliseconds since the epoch. */
  readonly now?: number;
  readonly lifetimeSeconds?: number;
};

const SHA256_RSA = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
const SHA256_ECDSA = 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256';
const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256';
export const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
export const ENVELOPED = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature';

export const escapeXml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const iso = (at: number) => new Date(at).toISOString();

/** An unsigned Response with one Assertion; `{{Response}}` and `{{Assertion}}` mark where their signatures belong. */
export function unsignedResponse(idp: TestIdp, content: ResponseContent): string {
  const { acs, audience, inResponseTo, nameId, shape = 'okta', now = Date.now(), lifetimeSeconds = 300 } = content;
  const format = content.nameIdFormat ?? 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress';
  const end = iso(now + lifetimeSeconds * 1000);
  const answering = inResponseTo === null ? '' : ` InResponseTo="${escapeXml(inResponseTo)}"`;
  const [p, a, declareP, declareA] = {
    okta: ['saml2p:', 'saml2:', 'xmlns:saml2p', 'xmlns:saml2'],
    entra: ['samlp:', '', 'xmlns:samlp', 'xmlns'],
    google: ['saml2p:', 'saml2:', 'xmlns:saml2p', 'xmlns:saml2'],
  }[shape] as [string, string, string, string];
  const assertionNs = `${declareA}="urn:oasis:names:tc:SAML:2.0:assertion"`;
  const xsi = 'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';
  const typed = { okta: ` ${xsi} xsi:type="xs:string"`, entra: '', google: ` ${xsi} xsi:type="xs:anyType"` }[shape];
  const attributes = Object.entries(content.attributes ?? {})
    .map(([name, values]) => {
      const texts = values.map((value) => `<${a}AttributeValue${typed}>${escapeXml(value)}</${a}AttributeValue>`);
      return `<${a}Attribute Name="${escapeXml(name)}">${texts.join('')}</${a}Attribute>`;
    })
    .join('');
  const statements = [
    `<${a}AuthnStatement AuthnInstant="${iso(now)}" SessionIndex="_${randomUUID()}"><${a}AuthnContext><${a}AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</${a}AuthnContextClassRef></${a}AuthnContext></${a}AuthnStatement>`,
    attributes === '' ? '' : `<${a}AttributeStatement>${attributes}</${a}AttributeStatement>`,
  ];
  return [
    shape === 'entra' ? '' : `<?xml version="1.0" encoding="UTF-8"${shape === 'google' ? ' standalone="no"' : ''}?>`,
    `<${p}Response ${declareP}="urn:oasis:names:tc:SAML:2.0:protocol" ID="_${randomUUID()}" Version="2.0" IssueInstant="${iso(now)}" Destination="${escapeXml(acs)}"${answering}>`,
    `<${a}Issuer ${assertionNs}>${escapeXml(idp.entityId)}</${a}Issuer>{{Response}}`,
    `<${p}Status><${p}StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></${p}Status>`,
    `<${a}Assertion ${assertionNs} ID="_${randomUUID()}" Version="2.0" IssueInstant="${iso(now)}">`,
    `<${a}Issuer>${escapeXml(idp.entityId)}</${a}Issuer>{{Assertion}}`,
    `<${a}Subject><${a}NameID Format="${format}">${escapeXml(nameId)}</${a}NameID>`,
    `<${a}SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><${a}SubjectConfirmationData${answering} NotOnOrAfter="${end}" Recipient="${escapeXml(acs)}"/></${a}SubjectConfirmation></${a}Subject>`,
    `<${a}Conditions NotBefore="${iso(now)}" NotOnOrAfter="${end}"><${a}AudienceRestriction><${a}Audience>${escapeXml(audience)}</${a}Audience></${a}AudienceRestriction></${a}Conditions>`,
    ...(shape === 'entra' ? statements.toReversed() : statements),
    `</${a}Assertion></${p}Response>`,
  ].join('');
}

export type SignatureTwist = {
  readonly signatureMethod?: string;
  readonly digestMethod?: string;
  readonly canonicalizationMethod?: string;
  /** Reference URI; the signed element's own ID otherwise. */
  readonly uri?: string;
  /** Markup of ds:Transforms' content in canonical form. */
  readonly transforms?: string;
  /** PrefixList of the exclusive canonicalization of the element, as Okta sends `xs`. */
  readonly inclusivePrefixes?: readonly string[];
  /** Markup inside ds:SignatureMethod. */
  readonly methodParameters?: string;
  /** Markup after SignatureValue: KeyInfo, Object. The certificate of the IdP otherwise. */
  readonly after?: string;
  /** A second ds:Reference, in canonical form. */
  readonly moreReferences?: string;
  /** How SignatureValue comes about, where not by the IdP's private key. */
  readonly signBytes?: (bytes: Buffer, hash: string) => Buffer;
};

const hashOf = (uri: string) => /sha(1|256|384|512)$/.exec(uri)?.[0] ?? 'sha256';

/** Fills the place `{{Response}}` or `{{Assertion}}` with a signature of that element as it then is. Signs what it is given. */
export function signElement(
  xml: string,
  idp: TestIdp,
  target: 'Response' | 'Assertion',
  twist: SignatureTwist = {},
): string {
  const bare = xml.replace(`{{${target}}}`, '');
  const document = new DOMParser().parseFromString(bare.replace(/\{\{\w+\}\}/g, ''), 'text/xml');
  const element = document.getElementsByTagNameNS('*', target)[0];
  if (element === undefined) throw new Error(`no ${target}`);
  const ec = idp.privateKey.asymmetricKeyType === 'ec';
  const digestMethod = twist.digestMethod ?? SHA256;
  const signatureMethod = twist.signatureMethod ?? (ec ? SHA256_ECDSA : SHA256_RSA);
  const prefixes = twist.inclusivePrefixes ?? [];
  const canonical = new ExclusiveCanonicalization().process(element as unknown as Element, {
    inclusiveNamespacesPrefixList: [...prefixes],
  });
  const digest = createHash(hashOf(digestMethod)).update(canonical).digest('base64');
  const inclusive = `<ec:InclusiveNamespaces xmlns:ec="${EXCLUSIVE}" PrefixList="${prefixes.join(' ')}"></ec:InclusiveNamespaces>`;
  const transforms =
    twist.transforms ??
    `<ds:Transform Algorithm="${ENVELOPED}"></ds:Transform><ds:Transform Algorithm="${EXCLUSIVE}">${prefixes.length > 0 ? inclusive : ''}</ds:Transform>`;
  // Written in canonical form, so that these very bytes are what is signed.
  const signedInfo = [
    '<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">',
    `<ds:CanonicalizationMethod Algorithm="${twist.canonicalizationMethod ?? EXCLUSIVE}"></ds:CanonicalizationMethod>`,
    `<ds:SignatureMethod Algorithm="${signatureMethod}">${twist.methodParameters ?? ''}</ds:SignatureMethod>`,
    `<ds:Reference URI="${twist.uri ?? `#${element.getAttribute('ID')}`}"><ds:Transforms>${transforms}</ds:Transforms>`,
    `<ds:DigestMethod Algorithm="${digestMethod}"></ds:DigestMethod><ds:DigestValue>${digest}</ds:DigestValue></ds:Reference>`,
    `${twist.moreReferences ?? ''}</ds:SignedInfo>`,
  ].join('');
  const bytes = Buffer.from(signedInfo);
  const hash = hashOf(signatureMethod);
  const value =
    twist.signBytes?.(bytes, hash) ?? sign(hash, bytes, { key: idp.privateKey, dsaEncoding: 'ieee-p1363' as const });
  const signature = `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">${signedInfo}<ds:SignatureValue>${value.toString('base64')}</ds:SignatureValue>${twist.after ?? keyInfo(idp.certificate)}</ds:Signature>`;
  return xml.replace(`{{${target}}}`, () => signature);
}

export function keyInfo(certificate: string): string {
  const der = certificate.replace(/-----[^-]+-----|\s/g, '');
  return `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>${der}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`;
}

/** Removes the places of signatures that nobody made. */
export const withoutPlaces = (xml: string) => xml.replace(/\{\{\w+\}\}/g, '');

/** A signed Response. Both: the Assertion first, then the Response around it. */
export function signedSamlResponse(
  idp: TestIdp,
  content: ResponseContent,
  signed: 'assertion' | 'response' | 'both' = 'assertion',
): string {
  const assertion: SignatureTwist =
    content.shape === undefined || content.shape === 'okta' ? { inclusivePrefixes: ['xs'] } : {};
  let xml = unsignedResponse(idp, content);
  if (signed !== 'response') xml = signElement(xml, idp, 'Assertion', assertion);
  if (signed !== 'assertion') xml = signElement(xml, idp, 'Response', assertion);
  return withoutPlaces(xml);
}

/** The form that the IdP's page posts to the assertion consumer service. */
export function samlForm(
  xml: string,
  relayState?: string,
): { readonly SAMLResponse: string; readonly RelayState?: string } {
  const SAMLResponse = Buffer.from(xml).toString('base64');
  return relayState === undefined ? { SAMLResponse } : { SAMLResponse, RelayState: relayState };
}

/** Metadata of the IdP, as its administrator would give it to us. */
export function idpMetadata(idp: TestIdp, signOnUrl: string): string {
  return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${escapeXml(idp.entityId)}"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">${keyInfo(idp.certificate)}</KeyDescriptor><SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="${escapeXml(signOnUrl)}"/></IDPSSODescriptor></EntityDescriptor>`;
}
