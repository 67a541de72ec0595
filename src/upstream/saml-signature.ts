// XML signatures as SAML allows them (SAML Core 5.4), and nothing more of XML Signature: one reference to the signed element itself, two
// fixed transforms, keys from our configuration. Canonical bytes come from the parser, the mathematics from OpenSSL.

import { createHash, type KeyObject, verify, X509Certificate } from 'node:crypto';
import { BridgeError } from '../core/errors.ts';
import type { Check } from './saml-expectation.ts';
import { attributeOf, childrenOf, DSIG, leafText, type OpenXml, onlyChild, type XmlElement } from './saml-xml.ts';

const EXCLUSIVE_C14N = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const ENVELOPED = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature';

type SignatureMethod = { readonly hash: string; readonly keyType: 'rsa' | 'ec' };

// A Map, so that no URI of a message can name a property of Object.
const signatureMethods: ReadonlyMap<string, SignatureMethod> = new Map([
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', { hash: 'sha256', keyType: 'rsa' }],
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha384', { hash: 'sha384', keyType: 'rsa' }],
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha512', { hash: 'sha512', keyType: 'rsa' }],
  ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256', { hash: 'sha256', keyType: 'ec' }],
  ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384', { hash: 'sha384', keyType: 'ec' }],
  ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512', { hash: 'sha512', keyType: 'ec' }],
  ['http://www.w3.org/2000/09/xmldsig#rsa-sha1', { hash: 'sha1', keyType: 'rsa' }],
]);
const digestMethods: ReadonlyMap<string, string> = new Map([
  ['http://www.w3.org/2001/04/xmlenc#sha256', 'sha256'],
  ['http://www.w3.org/2001/04/xmldsig-more#sha384', 'sha384'],
  ['http://www.w3.org/2001/04/xmlenc#sha512', 'sha512'],
  ['http://www.w3.org/2000/09/xmldsig#sha1', 'sha1'],
]);

/** A signature where it stands: on the element that holds it and that it must cover. */
export type PlacedSignature = {
  readonly element: XmlElement;
  readonly parent: XmlElement;
  /** The bytes that the key signed. */
  readonly signedInfoBytes: () => string;
  /** The bytes that the digest is of: the parent without this signature. The only bytes that may be read as signed. */
  readonly parentBytes: () => string;
};

export function placedSignature(xml: OpenXml, element: XmlElement, parent: XmlElement): PlacedSignature {
  const { signedInfo, method, canonicalTransform } = parts(element);
  let bytes: string | undefined;
  return {
    element,
    parent,
    signedInfoBytes: () => (signedInfo === null ? '' : xml.canonical(signedInfo, inclusivePrefixes(method))),
    parentBytes: () => {
      bytes ??= xml.canonical(parent, inclusivePrefixes(canonicalTransform), element);
      return bytes;
    },
  };
}

/** What every signature must be; the key is asked before the digest, so that only the IdP's own messages cost more than that. */
export const signatureChecks: readonly Check<PlacedSignature>[] = [
  holdsNothingButASignature,
  refersToItsParentOnly,
  usesTheTwoTransformsOnly,
  usesAllowedAlgorithms,
  madeByAPinnedKey,
  digestIsOfTheParent,
];

type SignatureParts = {
  readonly signedInfo: XmlElement | null;
  readonly method: XmlElement | null;
  readonly reference: XmlElement | null;
  readonly transforms: readonly XmlElement[];
  readonly canonicalTransform: XmlElement | null;
};

function parts(signature: XmlElement): SignatureParts {
  const signedInfo = onlyChild(signature, DSIG, 'SignedInfo');
  const reference = onlyChild(signedInfo, DSIG, 'Reference');
  const transforms = onlyChild(reference, DSIG, 'Transforms')?.children ?? [];
  return {
    signedInfo,
    method: onlyChild(signedInfo, DSIG, 'CanonicalizationMethod'),
    reference,
    transforms,
    canonicalTransform: transforms[1] ?? null,
  };
}

function inclusivePrefixes(transform: XmlElement | null): readonly string[] {
  const list = attributeOf(onlyChild(transform, EXCLUSIVE_C14N, 'InclusiveNamespaces'), 'PrefixList') ?? '';
  return list.split(/\s+/).filter((prefix) => prefix !== '');
}

// A ds:Object is where forged content hides; KeyInfo may stand there and is never read.
function holdsNothingButASignature({ element }: PlacedSignature): string | null {
  const names = element.children.map(({ namespace, name }) => (namespace === DSIG ? name : `{${namespace}}${name}`));
  const found = names.join(' ');
  return ['SignedInfo SignatureValue', 'SignedInfo SignatureValue KeyInfo'].includes(found)
    ? null
    : `signature holds ${found || 'nothing'}`;
}

function refersToItsParentOnly({ element, parent }: PlacedSignature): string | null {
  const { signedInfo, reference } = parts(element);
  const references = signedInfo === null ? 0 : childrenOf(signedInfo, DSIG, 'Reference').length;
  if (references !== 1) return `${references} references, not one`;
  const id = attributeOf(parent, 'ID') ?? '';
  const uri = attributeOf(reference, 'URI');
  return id !== '' && uri === `#${id}` ? null : `reference to ${uri ?? 'nothing'}, not to #${id} of ${parent.name}`;
}

function usesTheTwoTransformsOnly({ element }: PlacedSignature): string | null {
  const { method, transforms } = parts(element);
  const used = [...transforms, ...(method === null ? [] : [method])];
  const uris = used.map((transform) => attributeOf(transform, 'Algorithm'));
  if (uris.join(' ') !== `${ENVELOPED} ${EXCLUSIVE_C14N} ${EXCLUSIVE_C14N}`) return `transforms ${uris.join(' ')}`;
  const [enveloped, ...exclusive] = used;
  const plain =
    enveloped?.children.length === 0 &&
    exclusive.every(
      (transform) =>
        transform.children.length <= 1 &&
        transform.children.length === childrenOf(transform, EXCLUSIVE_C14N, 'InclusiveNamespaces').length &&
        inclusivePrefixes(transform).length <= 20,
    );
  return plain ? null : 'transforms with other parameters than a short list of prefixes';
}

function usesAllowedAlgorithms(
  { element }: PlacedSignature,
  { allowSha1 }: { readonly allowSha1: boolean },
): string | null {
  const { signedInfo, reference } = parts(element);
  const signatureMethod = onlyChild(signedInfo, DSIG, 'SignatureMethod');
  const digestMethod = onlyChild(reference, DSIG, 'DigestMethod');
  const signatureUri = attributeOf(signatureMethod, 'Algorithm') ?? '';
  const digestUri = attributeOf(digestMethod, 'Algorithm') ?? '';
  const hashes = [signatureMethods.get(signatureUri)?.hash, digestMethods.get(digestUri)];
  if (hashes.includes(undefined)) return `algorithms ${signatureUri} and ${digestUri}`;
  if (hashes.includes('sha1') && !allowSha1) return 'SHA-1, which this connection does not allow';
  // HMACOutputLength and the like: a parameter that shortens what is compared.
  const parameters = (signatureMethod?.children.length ?? 0) + (digestMethod?.children.length ?? 0);
  return parameters === 0 ? null : 'algorithms with parameters';
}

function madeByAPinnedKey(
  { element, signedInfoBytes }: PlacedSignature,
  { keys }: { readonly keys: readonly KeyObject[] },
): string | null {
  const method = signatureMethods.get(
    attributeOf(onlyChild(parts(element).signedInfo, DSIG, 'SignatureMethod'), 'Algorithm') ?? '',
  );
  const value = base64(leafText(onlyChild(element, DSIG, 'SignatureValue')));
  if (method === undefined || value === null) return 'no readable signature value';
  const fitting = keys.filter((key) => key.asymmetricKeyType === method.keyType);
  const bytes = Buffer.from(signedInfoBytes());
  // XML Signature writes an ECDSA signature as r and s side by side, not as DER.
  const signed = fitting.some((key) => verify(method.hash, bytes, { key, dsaEncoding: 'ieee-p1363' }, value));
  return signed ? null : `not made by any of the ${fitting.length} ${method.keyType} keys of this connection`;
}

function digestIsOfTheParent({ element, parent, parentBytes }: PlacedSignature): string | null {
  const { reference } = parts(element);
  const hash = digestMethods.get(attributeOf(onlyChild(reference, DSIG, 'DigestMethod'), 'Algorithm') ?? '');
  const value = base64(leafText(onlyChild(reference, DSIG, 'DigestValue')));
  if (hash === undefined || value === null) return 'no readable digest';
  const actual = createHash(hash).update(parentBytes()).digest();
  return actual.equals(value) ? null : `${parent.name} is not what was signed`;
}

/** Bytes of canonical base64 in which only white space may stand between, or null. Empty is null. */
function base64(text: string | null): Buffer | null {
  const packed = text?.replace(/[\t\n\r ]/g, '') ?? '';
  const bytes = Buffer.from(packed, 'base64');
  return packed !== '' && bytes.toString('base64') === packed ? bytes : null;
}

// Certificates are parsed once per process; the map is emptied rather than grown for ever.
const knownKeys = new Map<string, KeyObject>();
const MOST_KNOWN_KEYS = 5_000;

/**
 * The public key of an IdP's signing certificate, PEM or bare base64 DER.
 *
 * Throws `invalid` where there is no certificate to read, or its key is neither RSA of 2,048 bits or more nor ECDSA on P-256, P-384
 * or P-521. Neither the certificate's dates nor its issuer are asked: what is trusted is that an administrator pinned it.
 */
export function signingKey(certificate: string): KeyObject {
  const known = knownKeys.get(certificate);
  if (known !== undefined) return known;
  const key = readSigningKey(certificate);
  if (knownKeys.size >= MOST_KNOWN_KEYS) knownKeys.clear();
  knownKeys.set(certificate, key);
  return key;
}

function readSigningKey(certificate: string): KeyObject {
  let key: KeyObject;
  try {
    key = new X509Certificate(certificate.includes('-----BEGIN') ? certificate : Buffer.from(certificate, 'base64'))
      .publicKey;
  } catch (error) {
    throw new BridgeError(
      'invalid',
      'A signing certificate cannot be read: give X.509 as PEM or base64.',
      String(error),
    );
  }
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  const strong =
    (key.asymmetricKeyType === 'rsa' && modulusLength >= 2048) ||
    (key.asymmetricKeyType === 'ec' && ['prime256v1', 'secp384r1', 'secp521r1'].includes(namedCurve));
  if (strong) return key;
  throw new BridgeError(
    'invalid',
    'A signing certificate must hold an RSA key of 2,048 bits or more, or one on P-256, P-384 or P-521.',
  );
}
