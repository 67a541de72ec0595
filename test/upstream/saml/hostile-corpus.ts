/**
 * Hostile messages, each made from an honest one, with the check that is to refuse it. Those that the IdP itself signed
 * (`signed`) are wrong in what they say; those changed after signing (`tampered`) in how they were put together.
 */
import { createHmac, createPublicKey } from 'node:crypto';
import type { SamlSettings } from '../../../src/core/tenant.ts';
import type { FlowSecrets } from '../../../src/upstream/connector.ts';
import {
  ENVELOPED,
  EXCLUSIVE,
  keyInfo,
  type ResponseContent,
  type SignatureTwist,
  samlForm,
  signElement,
  type TestIdp,
  testIdp,
  unsignedResponse,
  withoutPlaces,
} from '../../support/saml-idp.ts';
import { content, flow, idp, now, requestId, urls, victim } from './support.ts';

export type HostileCase = {
  readonly name: string;
  /** How the private detail begins: mostly the name of the check. */
  readonly refusedBy: string;
  readonly code?: 'upstream_refused';
  readonly form: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly secrets?: FlowSecrets;
  readonly settings?: Partial<SamlSettings>;
};

const attacker = 'mallory@evil.example';
const other = testIdp('https://idp.evil.example/saml');
const elliptic = testIdp(idp.entityId, 'ec');
const place = { assertion: 'Assertion', response: 'Response' } as const;
type Signed = 'assertion' | 'response' | 'both';
type Edit = (xml: string) => string;

/** A message that is edited, then signed by the IdP. */
export function signed(
  edit: Edit,
  options: { by?: Signed; twist?: SignatureTwist; content?: Partial<ResponseContent>; idp?: TestIdp } = {},
): string {
  const { by = 'assertion', twist = {} } = options;
  let xml = edit(unsignedResponse(options.idp ?? idp, { ...content, ...options.content }));
  if (by !== 'response') xml = signElement(xml, options.idp ?? idp, place.assertion, twist);
  if (by !== 'assertion') xml = signElement(xml, options.idp ?? idp, place.response, twist);
  return withoutPlaces(xml);
}
const same: Edit = (xml) => xml;
export const post = (xml: string) => samlForm(xml, flow.id);

/** Replaces what must be there, so that no case can turn harmless unseen. */
export function swap(xml: string, from: string | RegExp, to: string): string {
  const changed = xml.replace(from, () => to);
  if (changed === xml) throw new Error(`nothing to replace: ${from}`);
  return changed;
}
const swapping =
  (from: string | RegExp, to: string): Edit =>
  (xml) =>
    swap(xml, from, to);
const part = (xml: string, pattern: RegExp): string => {
  const found = pattern.exec(xml)?.[0];
  if (found === undefined) throw new Error(`no ${pattern}`);
  return found;
};
const ASSERTION = /<saml2:Assertion [\s\S]*<\/saml2:Assertion>/;
const SIGNATURE = /<ds:Signature [\s\S]*?<\/ds:Signature>/;
const STATUS = '<saml2p:Status>';
const time = (offsetSeconds: number) => new Date(now + offsetSeconds * 1000).toISOString();
const object = (inner: string) => `<ds:Object>${inner}</ds:Object></ds:Signature>`;
const CONDITIONS_END = '</saml2:Conditions>';
const AUDIENCE = /<saml2:AudienceRestriction>.*<\/saml2:AudienceRestriction>/;

/** The assertion of another person: own ID, no signature. */
const forge = (assertion: string) =>
  swap(swap(assertion.replace(SIGNATURE, ''), victim, attacker), /ID="[^"]*"/, 'ID="_forged"');

function wrapped(by: 'assertion' | 'response', wrap: (parts: Parts) => string): string {
  const xml = signed(same, { by });
  const assertion = part(xml, ASSERTION);
  return wrap({ xml, assertion, forged: forge(assertion), signature: part(xml, SIGNATURE) });
}
type Parts = {
  readonly xml: string;
  readonly assertion: string;
  readonly forged: string;
  readonly signature: string;
};
const bare = (xml: string) => xml.replace(/^<\?xml[^>]*\?>/, '');

/** Signature wrapping 1 to 8 as the literature numbers them (T1). */
const wrapping: readonly HostileCase[] = [
  {
    name: 'T1 XSW1: a forged Response holds the signature, the signature holds the original Response',
    refusedBy: 'oneAssertionInPlace',
    form: post(
      wrapped('response', ({ xml, signature }) => {
        const original = bare(xml.replace(signature, ''));
        const evil = swap(swap(xml, victim, attacker), /ID="[^"]*"/, 'ID="_evil"');
        return swap(evil, '</ds:Signature>', object(original.replaceAll(/ ID="_(?!evil)/g, ' ID="_')));
      }).replace(/(<saml2:Assertion [^>]*ID=")/, '$1_x'),
    ),
  },
  {
    name: 'T1 XSW2: the same with the original Response before the signature',
    refusedBy: 'oneAssertionInPlace',
    form: post(
      wrapped('response', ({ xml, signature }) => {
        const original = bare(xml.replace(signature, ''));
        const evil = swap(swap(xml, victim, attacker), /ID="[^"]*"/, 'ID="_evil"');
        return swap(evil, '<ds:Signature ', `${original}<ds:Signature `);
      }).replace(/(<saml2:Assertion [^>]*ID=")/, '$1_x'),
    ),
  },
  {
    name: 'T1 XSW3: a forged assertion before the signed one',
    refusedBy: 'oneAssertionInPlace',
    form: post(wrapped('assertion', ({ xml, assertion, forged }) => swap(xml, assertion, forged + assertion))),
  },
  {
    name: 'T1 XSW4: the signed assertion inside the forged one',
    refusedBy: 'oneAssertionInPlace',
    form: post(
      wrapped('assertion', ({ xml, assertion, forged }) =>
        swap(xml, assertion, forged.replace('</saml2:Assertion>', `${assertion}</saml2:Assertion>`)),
      ),
    ),
  },
  {
    name: 'T1 XSW5: the signature in the forged assertion, the original after it',
    refusedBy: 'oneAssertionInPlace',
    form: post(
      wrapped('assertion', ({ xml, assertion, forged, signature }) =>
        swap(
          xml,
          assertion,
          swap(forged, '<saml2:Subject>', `${signature}<saml2:Subject>`) + assertion.replace(signature, ''),
        ),
      ),
    ),
  },
  {
    name: 'T1 XSW6: the signature in the forged assertion, the original inside the signature',
    refusedBy: 'oneAssertionInPlace',
    form: post(
      wrapped('assertion', ({ xml, assertion, forged, signature }) => {
        const holding = swap(signature, '</ds:Signature>', object(assertion.replace(signature, '')));
        return swap(xml, assertion, swap(forged, '<saml2:Subject>', `${holding}<saml2:Subject>`));
      }),
    ),
  },
  {
    name: 'T1 XSW7: a forged assertion in Extensions',
    refusedBy: 'oneAssertionInPlace',
    form: post(
      wrapped('assertion', ({ xml, forged }) =>
        swap(xml, STATUS, `<saml2p:Extensions>${forged}</saml2p:Extensions>${STATUS}`),
      ),
    ),
  },
  {
    name: 'T1 XSW8: the original in an Object of the forged one’s signature',
    refusedBy: 'oneAssertionInPlace',
    form: post(
      wrapped('assertion', ({ xml, assertion, forged, signature }) => {
        const holding = swap(signature, '</ds:Signature>', object(assertion.replace(signature, '')));
        return swap(xml, assertion, swap(forged, '<saml2:Subject>', `${holding}<saml2:Subject>`));
      }),
    ),
  },
  {
    name: 'T1 the forged assertion alone, the original in an Object of the Response’s signature',
    refusedBy: 'oneAssertionInPlace',
    form: post(
      wrapped('response', ({ xml, assertion, forged }) =>
        swap(swap(xml, assertion, forged), '</ds:Signature>', object(assertion)),
      ),
    ),
  },
  {
    name: 'T1 another name written into the signed assertion',
    refusedBy: 'digestIsOfTheParent',
    form: post(wrapped('assertion', ({ xml }) => swap(xml, victim, attacker))),
  },
  {
    name: 'T2 a genuine error with a forged assertion put into it',
    refusedBy: 'idpSaysSuccess: the IdP says',
    code: 'upstream_refused',
    form: post(
      (() => {
        const honest = unsignedResponse(idp, content);
        const error = swap(swap(honest, ASSERTION, ''), 'status:Success', 'status:Requester');
        const assertion = forge(part(honest, ASSERTION)).replace('{{Assertion}}', '');
        const signedError = withoutPlaces(signElement(error, idp, 'Response'));
        return swap(signedError, '</saml2p:Response>', `${assertion}</saml2p:Response>`);
      })(),
    ),
  },
  {
    name: 'T2 a genuine assertion in an error',
    refusedBy: 'idpSaysSuccess: the IdP says',
    code: 'upstream_refused',
    form: post(swap(signed(same), 'status:Success', 'status:Requester')),
  },
  {
    name: 'T3 an EncryptedAssertion beside the signed one',
    refusedBy: 'nothingEncrypted',
    form: post(
      wrapped('assertion', ({ xml, assertion }) =>
        swap(
          xml,
          assertion,
          `${assertion}<saml2:EncryptedAssertion xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion"><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"><xenc:CipherData><xenc:CipherValue>AAAA</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml2:EncryptedAssertion>`,
        ),
      ),
    ),
  },
  {
    name: 'T3 an EncryptedID in place of the NameID',
    refusedBy: 'nothingEncrypted',
    form: post(
      signed(
        swapping(
          /<saml2:NameID .*<\/saml2:NameID>/,
          '<saml2:EncryptedID><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"><xenc:CipherData><xenc:CipherValue>AAAA</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml2:EncryptedID>',
        ),
      ),
    ),
  },
  {
    name: 'T3 an assertion inside Advice, signed by the IdP',
    refusedBy: 'oneAssertionInPlace',
    form: post(
      signed((xml) => {
        const advice = forge(part(xml, ASSERTION)).replace('{{Assertion}}', '');
        return swap(xml, CONDITIONS_END, `${CONDITIONS_END}<saml2:Advice>${advice}</saml2:Advice>`);
      }),
    ),
  },
  {
    name: 'T3 no assertion at all',
    refusedBy: 'oneAssertionInPlace',
    form: post(signed(swapping(ASSERTION, ''), { by: 'response' })),
  },
];

const split = (inside: string) =>
  post(
    swap(
      signed(same, { content: { nameId: 'admin@corp.example.evil.example' } }),
      'admin@corp.example.evil',
      `admin@corp.example${inside}.evil`,
    ),
  );

/** What a parser may be talked into (T4, T5, T6). */
const markup: readonly HostileCase[] = [
  { name: 'T4 a comment that cuts the NameID', refusedBy: 'noDeclarationsOrComments', form: split('<!---->') },
  { name: 'T4 an instruction that cuts the NameID', refusedBy: 'noDeclarationsOrComments', form: split('<?x y?>') },
  {
    name: 'T4 a CDATA section that cuts the NameID',
    refusedBy: 'noDeclarationsOrComments',
    form: split('<![CDATA[]]>'),
  },
  {
    name: 'T4 an element inside the NameID, signed by the IdP',
    refusedBy: 'matchesTheSchema',
    form: post(signed(swapping(victim, 'admin@corp.example<x/>.evil.example'))),
  },
  {
    name: 'T4 two NameIDs, signed by the IdP',
    refusedBy: 'matchesTheSchema',
    form: post(
      signed((xml) => swap(xml, '</saml2:NameID>', `</saml2:NameID><saml2:NameID>${attacker}</saml2:NameID>`)),
    ),
  },
  {
    name: 'T5 a DOCTYPE with nothing in it',
    refusedBy: 'noDeclarationsOrComments',
    form: post(swap(signed(same), '<saml2p:Response ', '<!DOCTYPE Response><saml2p:Response ')),
  },
  {
    name: 'T5 a DOCTYPE that gives the Response an attribute',
    refusedBy: 'noDeclarationsOrComments',
    form: post(
      swap(
        signed(same),
        '<saml2p:Response ',
        '<!DOCTYPE x [<!ATTLIST saml2p:Response Consent CDATA "urn:x">]><saml2p:Response ',
      ),
    ),
  },
  {
    name: 'T5 one ID on two elements',
    refusedBy: 'idsAreUnique',
    form: post(
      (() => {
        const xml = signed(same);
        const id = part(part(xml, ASSERTION), /ID="[^"]*"/);
        return swap(xml, /ID="[^"]*"/, id);
      })(),
    ),
  },
  {
    name: 'T5 one ID in two spellings',
    refusedBy: 'idsAreUnique',
    form: post(
      (() => {
        const xml = signed(same);
        const id = part(part(xml, ASSERTION), /(?<=ID=")[^"]*/);
        return swap(xml, '<ds:KeyInfo>', `<ds:KeyInfo Id="${id}">`);
      })(),
    ),
  },
  {
    name: 'T5 one ID in a foreign namespace, signed by the IdP',
    refusedBy: 'idsAreUnique',
    form: post(
      signed((xml) => {
        const id = part(part(xml, ASSERTION), /(?<=ID=")[^"]*/);
        return swap(
          xml,
          '<saml2:SubjectConfirmationData ',
          `<saml2:SubjectConfirmationData xmlns:x="urn:x" x:ID="${id}" `,
        );
      }),
    ),
  },
  {
    name: 'T5 a relative namespace, under which there is no canonical form',
    refusedBy: 'no canonical form',
    form: post(swap(signed(same), '<saml2p:Response ', '<saml2p:Response xmlns:q="a/b" ')),
  },
  {
    name: 'T5 a relative namespace inside the signature',
    refusedBy: 'no canonical form',
    form: post(swap(signed(same), '<ds:SignedInfo xmlns', '<ds:SignedInfo xmlns:q="a/b" xmlns')),
  },
  {
    name: 'T5 an attribute in a foreign namespace on the Response',
    refusedBy: 'matchesTheSchema',
    form: post(swap(signed(same), '<saml2p:Response ', '<saml2p:Response xmlns:q="urn:q" q:InResponseTo="_x" ')),
  },
  {
    name: 'T5 an element that the schema does not know beside the assertion',
    refusedBy: 'matchesTheSchema',
    form: post(swap(signed(same), '</saml2p:Response>', '<saml2p:Assertion/></saml2p:Response>')),
  },
  {
    name: 'T5 a schema named by the message',
    refusedBy: 'noSchemaHints',
    form: post(
      swap(
        signed(same),
        '<saml2p:Response ',
        '<saml2p:Response xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x file:///etc/passwd" ',
      ),
    ),
  },
  {
    name: 'T6 an external entity',
    refusedBy: 'noDeclarationsOrComments',
    form: post(
      swap(
        swap(signed(same), victim, '&x;'),
        '<saml2p:Response ',
        '<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]><saml2p:Response ',
      ),
    ),
  },
  {
    name: 'T6 a billion laughs',
    refusedBy: 'noDeclarationsOrComments',
    form: post(
      `<!DOCTYPE x [<!ENTITY a "ha">${Array.from({ length: 9 }, (_, n) => `<!ENTITY a${n} "${`&a${n === 0 ? '' : n - 1};`.repeat(10)}">`).join('')}]><x>&a8;</x>`,
    ),
  },
  {
    name: 'T6 an entity that nobody declared',
    refusedBy: 'not well-formed',
    form: post(swap(signed(same), victim, '&x;')),
  },
  {
    name: 'T6 elements 5,000 deep',
    refusedBy: 'not well-formed: Excessive depth',
    form: post(`${'<a>'.repeat(5_000)}${'</a>'.repeat(5_000)}`),
  },
  {
    name: 'T6 elements 50,000 deep',
    refusedBy: 'SAMLResponse of',
    form: post(`${'<a>'.repeat(50_000)}${'</a>'.repeat(50_000)}`),
  },
  { name: 'T6 ten megabytes', refusedBy: 'SAMLResponse of', form: post(`<a>${'x'.repeat(10_000_000)}</a>`) },
  { name: 'T6 one byte more than the limit', refusedBy: 'SAMLResponse of', form: post('x'.repeat(262_145)) },
  {
    name: 'T6 more tags than any response has, signed by the IdP',
    refusedBy: 'boundedMarkup',
    form: post(
      signed(
        swapping(
          '</saml2:AuthnStatement>',
          `</saml2:AuthnStatement><saml2:AttributeStatement><saml2:Attribute Name="x"><saml2:AttributeValue>${'<a/>'.repeat(12_001)}</saml2:AttributeValue></saml2:Attribute></saml2:AttributeStatement>`,
        ),
      ),
    ),
  },
  {
    name: 'T6 more tags than any response has, outside of what is signed',
    refusedBy: 'boundedMarkup',
    form: post(
      swap(
        signed(same),
        '</saml2p:Status>',
        `<saml2p:StatusDetail>${'<a xmlns="urn:x"/>'.repeat(12_001)}</saml2p:StatusDetail></saml2p:Status>`,
      ),
    ),
  },
  {
    name: 'T6 more attributes than any response has, signed by the IdP',
    refusedBy: 'boundedMarkup',
    form: post(
      signed(
        swapping(
          '<saml2:SubjectConfirmationData ',
          `<saml2:SubjectConfirmationData xmlns:x="urn:x" ${Array.from({ length: 12_001 }, (_, n) => `x:a${n}=""`).join(' ')} `,
        ),
      ),
    ),
  },
  { name: 'text after the Response', refusedBy: 'not well-formed', form: post(`${signed(same)}x`) },
  { name: 'a second root', refusedBy: 'not well-formed', form: post(`${signed(same)}<x/>`) },
  { name: 'no XML', refusedBy: 'not well-formed', form: post('hello') },
  {
    name: 'another encoding than UTF-8, by declaration',
    refusedBy: 'declaredAsUtf8',
    form: post(swap(signed(same), 'UTF-8', 'ISO-8859-1')),
  },
  {
    name: 'UTF-16',
    refusedBy: 'SAMLResponse is not UTF-8',
    form: { ...post(''), SAMLResponse: Buffer.from(`\uFEFF${signed(same)}`, 'utf16le').toString('base64') },
  },
  {
    name: 'a byte that is no UTF-8',
    refusedBy: 'SAMLResponse is not UTF-8',
    form: { ...post(''), SAMLResponse: Buffer.from(swap(signed(same), victim, 'é'), 'latin1').toString('base64') },
  },
];

const hmac = (method: string): SignatureTwist => ({
  signatureMethod: method,
  signBytes: (bytes, hash) =>
    createHmac(hash, createPublicKey(idp.privateKey).export({ type: 'spki', format: 'pem' }))
      .update(bytes)
      .digest(),
});
const RSA_SHA1 = 'http://www.w3.org/2000/09/xmldsig#rsa-sha1';
const SHA1 = 'http://www.w3.org/2000/09/xmldsig#sha1';
const transform = (algorithm: string) => `<ds:Transform Algorithm="${algorithm}"></ds:Transform>`;
const twisted = (name: string, refusedBy: string, twist: SignatureTwist): HostileCase => ({
  name,
  refusedBy,
  form: post(signed(same, { twist })),
});

/** Signatures that are missing, foreign, weak or of something else (T7, T8). */
const signatures: readonly HostileCase[] = [
  { name: 'T7 unsigned', refusedBy: 'somethingIsSigned', form: post(withoutPlaces(unsignedResponse(idp, content))) },
  { name: 'T7 the signature removed', refusedBy: 'somethingIsSigned', form: post(swap(signed(same), SIGNATURE, '')) },
  {
    name: 'T7 an empty SignatureValue',
    refusedBy: 'madeByAPinnedKey',
    form: post(swap(signed(same), /<ds:SignatureValue>[^<]*/, '<ds:SignatureValue>')),
  },
  {
    name: 'T7 an empty DigestValue, signed by the IdP',
    refusedBy: 'madeByAPinnedKey',
    form: post(swap(signed(same), /<ds:DigestValue>[^<]*/, '<ds:DigestValue>')),
  },
  {
    name: 'T7 no key pinned',
    refusedBy: 'madeByAPinnedKey',
    settings: { certificates: [] },
    form: post(signed(same)),
  },
  {
    name: 'T8 the attacker’s key with the attacker’s KeyInfo',
    refusedBy: 'madeByAPinnedKey',
    form: post(signed(same, { idp: { ...other, entityId: idp.entityId } })),
  },
  {
    name: 'T8 the attacker’s key with the IdP’s KeyInfo',
    refusedBy: 'madeByAPinnedKey',
    form: post(signed(same, { idp: { ...other, entityId: idp.entityId }, twist: { after: keyInfo(idp.certificate) } })),
  },
  {
    name: 'T8 a key of another kind',
    refusedBy: 'madeByAPinnedKey',
    form: post(signed(same, { idp: elliptic })),
  },
  {
    name: 'T8 an RSA signature that calls itself ECDSA',
    refusedBy: 'madeByAPinnedKey',
    form: post(signed(same, { twist: { signatureMethod: 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256' } })),
  },
  twisted(
    'T8 HMAC-SHA1 with the public key as secret',
    'usesAllowedAlgorithms',
    hmac('http://www.w3.org/2000/09/xmldsig#hmac-sha1'),
  ),
  twisted(
    'T8 HMAC-SHA256 with the public key as secret',
    'usesAllowedAlgorithms',
    hmac('http://www.w3.org/2001/04/xmldsig-more#hmac-sha256'),
  ),
  twisted('T8 SHA-1 in the signature', 'usesAllowedAlgorithms: SHA-1', { signatureMethod: RSA_SHA1 }),
  twisted('T8 SHA-1 in the digest', 'usesAllowedAlgorithms: SHA-1', { digestMethod: SHA1 }),
  twisted('T8 an algorithm named like a property of Object', 'usesAllowedAlgorithms', {
    signatureMethod: 'constructor',
  }),
  twisted('T8 a digest named like a property of Object', 'usesAllowedAlgorithms', { digestMethod: '__proto__' }),
  twisted('an output length that shortens the signature', 'usesAllowedAlgorithms', {
    methodParameters: '<ds:HMACOutputLength>8</ds:HMACOutputLength>',
  }),
  twisted('two references', 'refersToItsParentOnly', {
    moreReferences: `<ds:Reference URI="#_x"><ds:Transforms>${transform(ENVELOPED)}${transform(EXCLUSIVE)}</ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>`,
  }),
  twisted('a reference to the whole document', 'refersToItsParentOnly', { uri: '' }),
  twisted('a reference to another element', 'refersToItsParentOnly', { uri: '#_other' }),
  twisted('an XPointer', 'refersToItsParentOnly', { uri: "#xpointer(id('x'))" }),
  twisted('only one transform', 'usesTheTwoTransformsOnly', { transforms: transform(ENVELOPED) }),
  twisted('the transforms in the other order', 'usesTheTwoTransformsOnly', {
    transforms: transform(EXCLUSIVE) + transform(ENVELOPED),
  }),
  twisted('51 transforms', 'usesTheTwoTransformsOnly', {
    transforms: transform(ENVELOPED) + transform(EXCLUSIVE).repeat(50),
  }),
  twisted('an XSLT transform', 'usesTheTwoTransformsOnly', {
    transforms: transform(ENVELOPED) + transform(EXCLUSIVE) + transform('http://www.w3.org/TR/1999/REC-xslt-19991116'),
  }),
  twisted('an XPath inside a transform', 'usesTheTwoTransformsOnly', {
    transforms: `<ds:Transform Algorithm="${ENVELOPED}"><ds:XPath>ancestor::x</ds:XPath></ds:Transform>${transform(EXCLUSIVE)}`,
  }),
  twisted('canonicalization with comments', 'usesTheTwoTransformsOnly', {
    transforms: transform(ENVELOPED) + transform(`${EXCLUSIVE}WithComments`),
  }),
  twisted('inclusive canonicalization', 'usesTheTwoTransformsOnly', {
    transforms: transform(ENVELOPED) + transform('http://www.w3.org/TR/2001/REC-xml-c14n-20010315'),
  }),
  twisted('inclusive canonicalization of SignedInfo', 'usesTheTwoTransformsOnly', {
    canonicalizationMethod: 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315',
  }),
  twisted('canonicalization of SignedInfo with comments', 'usesTheTwoTransformsOnly', {
    canonicalizationMethod: `${EXCLUSIVE}WithComments`,
  }),
  twisted('more prefixes than a response has', 'usesTheTwoTransformsOnly', {
    inclusivePrefixes: Array.from({ length: 21 }, (_, index) => `p${index}`),
  }),
  twisted('a ds:Object in the signature', 'holdsNothingButASignature', {
    after: `${keyInfo(idp.certificate)}<ds:Object>x</ds:Object>`,
  }),
  {
    name: 'a signature inside a signature',
    refusedBy: 'signaturesInPlace',
    form: post(
      (() => {
        const xml = signed(same);
        return swap(
          xml,
          '</ds:KeyInfo>',
          `${part(xml, SIGNATURE).replaceAll(/<ds:KeyInfo>.*<\/ds:KeyInfo>/g, '')}</ds:KeyInfo>`,
        );
      })(),
    ),
  },
  {
    name: 'a signature inside an attribute, signed by the IdP',
    refusedBy: 'signaturesInPlace',
    form: post(
      signed(
        swapping(
          '</saml2:AuthnStatement>',
          `</saml2:AuthnStatement><saml2:AttributeStatement><saml2:Attribute Name="x"><saml2:AttributeValue>${part(signed(same), SIGNATURE)}</saml2:AttributeValue></saml2:Attribute></saml2:AttributeStatement>`,
        ),
      ),
    ),
  },
  {
    name: 'two signatures on one assertion',
    refusedBy: 'signaturesInPlace',
    form: post(
      (() => {
        const xml = signed(same);
        return swap(xml, '<ds:Signature ', `${part(xml, SIGNATURE)}<ds:Signature `);
      })(),
    ),
  },
  {
    name: 'a bad signature of the Response around a good one of the assertion',
    refusedBy: 'digestIsOfTheParent: Response',
    form: post(
      swap(signed(same, { by: 'both' }), 'status:Success"', 'status:Success" ').replace(
        'Version="2.0"',
        'Version="2.0" Consent="urn:x"',
      ),
    ),
  },
  {
    name: 'a bad signature of the assertion inside a good one of the Response',
    refusedBy: 'madeByAPinnedKey',
    form: post(
      withoutPlaces(
        signElement(
          signElement(unsignedResponse(idp, content), { ...other, entityId: idp.entityId }, 'Assertion'),
          idp,
          'Response',
        ),
      ),
    ),
  },
  {
    name: 'the signature of an earlier message',
    refusedBy: 'refersToItsParentOnly',
    form: post(swap(signed(same), SIGNATURE, part(signed(same), SIGNATURE))),
  },
];

/** Rightly signed, but not for us, not now, not asked for (T10, T11, T12, T14, T15, T16). */
const claims: readonly HostileCase[] = [
  {
    name: 'T10 the Response answers another request',
    refusedBy: 'responseAnswersOurRequest',
    form: post(swap(signed(same), requestId, '_other')),
  },
  {
    name: 'T10 the subject answers another request',
    refusedBy: 'subjectAnswersOurRequest',
    form: post(swap(signed(same, { content: { inResponseTo: '_other' } }), '_other', requestId)),
  },
  {
    name: 'T10 the Response answers nobody',
    refusedBy: 'responseAnswersOurRequest',
    form: post(swap(signed(same), ` InResponseTo="${requestId}"`, '')),
  },
  {
    name: 'T10 the subject answers nobody',
    refusedBy: 'subjectAnswersOurRequest',
    form: post(
      signed(swapping(`<saml2:SubjectConfirmationData InResponseTo="${requestId}"`, '<saml2:SubjectConfirmationData')),
    ),
  },
  {
    name: 'T10 nobody asked, and the connection wants to be asked',
    refusedBy: 'unsolicitedOnlyIfAllowed',
    secrets: {},
    form: post(signed(same, { content: { inResponseTo: null } })),
  },
  {
    name: 'T10 the IdP begins where it may, with an answer to another request',
    refusedBy: 'responseAnswersOurRequest',
    secrets: {},
    settings: { insecureAllowUnsolicited: true },
    form: post(signed(same)),
  },
  {
    name: 'T11 another audience',
    refusedBy: 'audienceIsUs',
    form: post(signed(same, { content: { audience: 'https://bridge.example/t/globex/saml/corp/metadata' } })),
  },
  {
    name: 'T11 an audience one letter off',
    refusedBy: 'audienceIsUs',
    form: post(signed(same, { content: { audience: `${urls.entityId}/` } })),
  },
  { name: 'T11 no audience', refusedBy: 'audienceIsUs', form: post(signed(swapping(AUDIENCE, ''))) },
  {
    name: 'T11 a second restriction to somebody else',
    refusedBy: 'audienceIsUs',
    form: post(
      signed(
        swapping(
          CONDITIONS_END,
          `<saml2:AudienceRestriction><saml2:Audience>urn:other</saml2:Audience></saml2:AudienceRestriction>${CONDITIONS_END}`,
        ),
      ),
    ),
  },
  {
    name: 'T11 the recipient of another tenant',
    refusedBy: 'recipientIsThisAcs',
    form: post(
      signed(swapping(`Recipient="${urls.callback}"`, 'Recipient="https://bridge.example/t/globex/saml/corp/acs"')),
    ),
  },
  {
    name: 'T11 no recipient',
    refusedBy: 'recipientIsThisAcs',
    form: post(signed(swapping(` Recipient="${urls.callback}"`, ''))),
  },
  {
    name: 'T11 the destination of another tenant',
    refusedBy: 'destinationIsThisAcs',
    form: post(
      swap(
        signed(same),
        `Destination="${urls.callback}"`,
        'Destination="https://bridge.example/t/globex/saml/corp/acs"',
      ),
    ),
  },
  {
    name: 'T11 a signed Response without destination',
    refusedBy: 'destinationIsThisAcs',
    form: post(signed(swapping(` Destination="${urls.callback}"`, ''), { by: 'response' })),
  },
  {
    name: 'T12 another connection’s issuer',
    refusedBy: 'issuersAreTheConnection',
    form: post(signed(same, { idp: { ...idp, entityId: other.entityId } })),
  },
  {
    name: 'T12 another tenant’s IdP under its own name',
    refusedBy: 'madeByAPinnedKey',
    form: post(signed(same, { idp: other })),
  },
  {
    name: 'T12 another issuer of the Response only',
    refusedBy: 'issuersAreTheConnection',
    form: post(swap(signed(same), idp.entityId, other.entityId)),
  },
  {
    name: 'T12 an issuer in another format than an entity',
    refusedBy: 'issuersAreTheConnection',
    form: post(
      signed(
        swapping(
          /(?<=ID="[^"]*" Version="2.0" IssueInstant="[^"]*">)<saml2:Issuer>/,
          '<saml2:Issuer Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified">',
        ),
      ),
    ),
  },
  {
    name: 'T12 a signed Response without issuer',
    refusedBy: 'issuersAreTheConnection',
    form: post(signed(swapping(/<saml2:Issuer xmlns.*?<\/saml2:Issuer>/, ''), { by: 'response' })),
  },
  {
    name: 'T14 not valid for ten minutes',
    refusedBy: 'conditionsAreInTime',
    form: post(signed(swapping(/NotBefore="[^"]*"/, `NotBefore="${time(600)}"`))),
  },
  {
    name: 'T14 conditions that are over',
    refusedBy: 'conditionsAreInTime',
    form: post(signed(swapping(/(?<=NotBefore="[^"]*" )NotOnOrAfter="[^"]*"/, `NotOnOrAfter="${time(-61)}"`))),
  },
  {
    name: 'T14 conditions that last for years',
    refusedBy: 'conditionsAreInTime',
    form: post(signed(swapping(/(?<=NotBefore="[^"]*" )NotOnOrAfter="[^"]*"/, 'NotOnOrAfter="9999-12-31T23:59:59Z"'))),
  },
  {
    name: 'T14 a confirmation that is over',
    refusedBy: 'confirmationIsInTime',
    form: post(signed(swapping(/NotOnOrAfter="[^"]*"/, `NotOnOrAfter="${time(-60)}"`))),
  },
  {
    name: 'T14 a confirmation that never ends',
    refusedBy: 'confirmationIsInTime',
    form: post(signed(swapping(/ NotOnOrAfter="[^"]*"/, ''))),
  },
  {
    name: 'T14 a confirmation until a year of six digits',
    refusedBy: 'confirmationIsInTime',
    form: post(signed(swapping(/NotOnOrAfter="[^"]*"/, 'NotOnOrAfter="999999-01-01T00:00:00Z"'))),
  },
  {
    name: 'T14 a confirmation without a time zone',
    refusedBy: 'confirmationIsInTime',
    form: post(signed(swapping(/NotOnOrAfter="[^"]*"/, `NotOnOrAfter="${time(300).replace('Z', '')}"`))),
  },
  {
    name: 'T14 a bearer confirmation with NotBefore',
    refusedBy: 'confirmationIsInTime',
    form: post(signed(swapping(/ NotOnOrAfter="/, ` NotBefore="${time(-600)}" NotOnOrAfter="`))),
  },
  {
    name: 'T14 a session that is over',
    refusedBy: 'sessionIsNotOver',
    form: post(signed(swapping('<saml2:AuthnStatement ', `<saml2:AuthnStatement SessionNotOnOrAfter="${time(-61)}" `))),
  },
  {
    name: 'T14 a login in the future',
    refusedBy: 'authenticatedInThePast',
    form: post(signed(swapping(/AuthnInstant="[^"]*"/, `AuthnInstant="${time(61)}"`))),
  },
  {
    name: 'T14 an assertion from the future',
    refusedBy: 'issuedJustNow: Assertion',
    form: post(signed(swapping(/(?<=<saml2:Assertion .*)IssueInstant="[^"]*"/, `IssueInstant="${time(61)}"`))),
  },
  {
    name: 'T14 an assertion of this morning that still lasts',
    refusedBy: 'issuedJustNow: Assertion',
    form: post(signed(swapping(/(?<=<saml2:Assertion .*)IssueInstant="[^"]*"/, `IssueInstant="${time(-661)}"`))),
  },
  {
    name: 'T14 a Response of this morning',
    refusedBy: 'issuedJustNow: Response',
    form: post(swap(signed(same), /IssueInstant="[^"]*"/, `IssueInstant="${time(-661)}"`)),
  },
  {
    name: 'T14 no Conditions',
    refusedBy: 'conditionsAreKnown',
    form: post(signed(swapping(/<saml2:Conditions .*<\/saml2:Conditions>/, ''))),
  },
  {
    name: 'a condition that nobody knows',
    refusedBy: 'conditionsAreKnown',
    form: post(
      signed(
        swapping(
          CONDITIONS_END,
          `<saml2:Condition xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="saml2:OneTimeUseType"/>${CONDITIONS_END}`,
        ),
      ),
    ),
  },
  {
    name: 'no AuthnStatement',
    refusedBy: 'oneAuthentication',
    form: post(signed(swapping(/<saml2:AuthnStatement .*<\/saml2:AuthnStatement>/, ''))),
  },
  {
    name: 'a login older than the fresh one that was asked for',
    refusedBy: 'authenticatedAfreshIfAsked',
    secrets: { requestId, freshSince: String(now - 5_000) },
    form: post(signed(swapping(/AuthnInstant="[^"]*"/, `AuthnInstant="${time(-66)}"`))),
  },
  {
    name: 'no bearer confirmation',
    refusedBy: 'oneBearerConfirmation',
    form: post(signed(swapping('cm:bearer', 'cm:holder-of-key'))),
  },
  {
    name: 'a bearer confirmation without data',
    refusedBy: 'oneBearerConfirmation',
    form: post(signed(swapping(/<saml2:SubjectConfirmationData [^>]*\/>/, ''))),
  },
  {
    name: 'two confirmations',
    refusedBy: 'oneBearerConfirmation',
    form: post(
      signed((xml) =>
        swap(
          xml,
          '</saml2:Subject>',
          `${part(xml, /<saml2:SubjectConfirmation .*<\/saml2:SubjectConfirmation>/)}</saml2:Subject>`,
        ),
      ),
    ),
  },
  { name: 'an empty NameID', refusedBy: 'subjectIsOneName', form: post(signed(swapping(victim, ' '))) },
  {
    name: 'no NameID',
    refusedBy: 'subjectIsOneName',
    form: post(signed(swapping(/<saml2:NameID .*<\/saml2:NameID>/, ''))),
  },
  {
    name: 'a NameID for one session only',
    refusedBy: 'subjectIsOneName',
    form: post(signed(same, { content: { nameIdFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient' } })),
  },
  {
    name: 'a NameID that is no name',
    refusedBy: 'subjectIsOneName',
    form: post(signed(same, { content: { nameId: 'x'.repeat(1001) } })),
  },
  {
    name: 'SAML 1.1 in the assertion',
    refusedBy: 'versionsAreTwo',
    form: post(signed(swapping(/(?<=<saml2:Assertion .*)Version="2.0"/, 'Version="1.1"'))),
  },
  {
    name: 'SAML 1.1 in the Response',
    refusedBy: 'versionsAreTwo',
    form: post(swap(signed(same), 'Version="2.0"', 'Version="1.1"')),
  },
  {
    name: 'T2 the IdP refuses',
    refusedBy:
      'idpSaysSuccess: the IdP says: urn:oasis:names:tc:SAML:2.0:status:Responder urn:oasis:names:tc:SAML:2.0:status:AuthnFailed no luck',
    code: 'upstream_refused',
    form: post(
      signed(
        (xml) =>
          swap(
            swap(xml, ASSERTION, ''),
            /<saml2p:StatusCode .*?\/>/,
            '<saml2p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"><saml2p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"/></saml2p:StatusCode><saml2p:StatusMessage>no luck</saml2p:StatusMessage>',
          ),
        { by: 'response' },
      ),
    ),
  },
  {
    name: 'Extensions, signed by the IdP',
    refusedBy: 'noExtensions',
    form: post(
      signed(swapping(STATUS, `<saml2p:Extensions><x xmlns="urn:x"/></saml2p:Extensions>${STATUS}`), {
        by: 'response',
      }),
    ),
  },
  {
    name: 'T15 a captured assertion inside a LogoutRequest',
    refusedBy: 'isAResponse',
    form: post(bare(signed(same)).replaceAll('saml2p:Response', 'saml2p:LogoutRequest')),
  },
  {
    name: 'another message of the protocol with the assertion in it',
    refusedBy: 'isAResponse',
    form: post(signed((xml) => xml.replaceAll('saml2p:Response', 'saml2p:ArtifactResponse'))),
  },
  { name: 'an assertion as root', refusedBy: 'isAResponse', form: post(part(signed(same), ASSERTION)) },
  {
    name: 'a Response of another namespace',
    refusedBy: 'isAResponse',
    form: post(swap(signed(same), 'urn:oasis:names:tc:SAML:2.0:protocol', 'urn:oasis:names:tc:SAML:1.0:protocol')),
  },
  ...['//evil.example', 'javascript:alert(1)', 'x'.repeat(10_000), 'flow-1\r\nSet-Cookie: x', 'flow-2', ''].map(
    (state) => ({
      name: `T16 RelayState ${JSON.stringify(state.slice(0, 30))}`,
      refusedBy: 'relayStateIsThisFlow',
      form: { ...post(signed(same)), RelayState: state },
    }),
  ),
  { name: 'T16 no RelayState', refusedBy: 'relayStateIsThisFlow', form: samlForm(signed(same)) },
  {
    name: 'RelayState twice',
    refusedBy: 'relayStateIsThisFlow',
    form: { ...post(signed(same)), RelayState: [flow.id, flow.id] },
  },
];

const honest = Buffer.from(signed(same)).toString('base64');
const transport: readonly HostileCase[] = [
  { name: 'SAMLResponse twice', refusedBy: 'postedAsOneValue', form: { ...post(''), SAMLResponse: [honest, honest] } },
  { name: 'no SAMLResponse', refusedBy: 'postedAsOneValue', form: { RelayState: flow.id } },
  {
    name: 'SAMLResponse in the query too',
    refusedBy: 'postedAsOneValue',
    form: post(signed(same)),
    query: { SAMLResponse: honest },
  },
  { name: 'an empty SAMLResponse', refusedBy: 'SAMLResponse is not base64', form: { ...post(''), SAMLResponse: '' } },
  {
    name: 'base64 with a character too much',
    refusedBy: 'SAMLResponse is not base64',
    form: { ...post(''), SAMLResponse: `${honest}!` },
  },
  {
    name: 'base64 with a space',
    refusedBy: 'SAMLResponse is not base64',
    form: { ...post(''), SAMLResponse: honest.replace(/^..../, '$& ') },
  },
  {
    name: 'base64 for URLs',
    refusedBy: 'SAMLResponse is not base64',
    form: { ...post(''), SAMLResponse: Buffer.from(signed(same)).toString('base64url') },
  },
  {
    name: 'base64 with bits left over',
    refusedBy: 'SAMLResponse is not base64',
    form: { ...post(''), SAMLResponse: `${honest.replace(/=+$/, '')}AB==` },
  },
];

export const hostileCases: readonly HostileCase[] = [...wrapping, ...markup, ...signatures, ...claims, ...transport];
