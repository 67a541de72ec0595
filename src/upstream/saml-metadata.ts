import { BridgeError } from '../core/errors.ts';
import { signingKey } from './saml-signature.ts';
import { attributeOf, childrenOf, DSIG, onlyChild, SAMLP, withXml, type XmlElement, XmlRefused } from './saml-xml.ts';

const METADATA = 'urn:oasis:names:tc:SAML:2.0:metadata';
const HTTP_REDIRECT = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';

export type IdpMetadata = {
  readonly issuer: string;
  readonly signOnUrl: string;
  /** Base64 DER, in the order of the document. */
  readonly certificates: readonly string[];
};

/**
 * What a SAML connection needs of its IdP's metadata: entity ID, HTTP-Redirect sign-on URL, and every signing certificate whose key
 * can be used ({@link signingKey}).
 *
 * Throws `invalid` for text that is not one EntityDescriptor with an IDPSSODescriptor of SAML 2.0, for more than 1 MB, for any
 * DOCTYPE, and where no usable signing certificate is left, a key without certificate among them (T7). SAML Metadata 2.4. Does not
 * verify a signature of the metadata: whoever may save the connection vouches for it.
 */
export function readIdpMetadata(xml: string): IdpMetadata {
  if (xml.length > 1_048_576) throw new BridgeError('invalid', 'IdP metadata must be smaller than 1 MB.');
  try {
    // Comments are usual in metadata and mean nothing; what a comment could hide, a CDATA section or an instruction, is refused.
    return withXml(xml.replace(/^\uFEFF/, '').replace(/<!--[\s\S]*?-->/g, ''), ({ root }) => read(root));
  } catch (error) {
    if (!(error instanceof XmlRefused)) throw error;
    throw new BridgeError('invalid', 'IdP metadata cannot be read: it must be plain XML.', error.message);
  }
}

function read(root: XmlElement): IdpMetadata {
  if (root.namespace !== METADATA || root.name !== 'EntityDescriptor') {
    throw new BridgeError('invalid', 'IdP metadata must be one EntityDescriptor.');
  }
  const issuer = attributeOf(root, 'entityID') ?? '';
  if (issuer === '' || issuer.length > 1024) throw new BridgeError('invalid', 'IdP metadata must have an entityID.');
  const role = onlyChild(root, METADATA, 'IDPSSODescriptor');
  const protocols = attributeOf(role, 'protocolSupportEnumeration')?.split(/\s+/) ?? [];
  if (role === null || !protocols.includes(SAMLP)) {
    throw new BridgeError('invalid', 'IdP metadata must have one IDPSSODescriptor for SAML 2.0.');
  }
  return { issuer, signOnUrl: signOnUrl(role), certificates: certificates(role) };
}

function signOnUrl(role: XmlElement): string {
  const services = childrenOf(role, METADATA, 'SingleSignOnService');
  const location = attributeOf(
    services.find((service) => attributeOf(service, 'Binding') === HTTP_REDIRECT) ?? null,
    'Location',
  );
  const url = location === null ? null : URL.parse(location);
  if (location !== null && url !== null && ['https:', 'http:'].includes(url.protocol) && url.hash === '')
    return location;
  throw new BridgeError('invalid', 'IdP metadata must name an HTTP-Redirect SingleSignOnService with a web address.');
}

function certificates(role: XmlElement): readonly string[] {
  const found = childrenOf(role, METADATA, 'KeyDescriptor')
    .filter((descriptor) => (attributeOf(descriptor, 'use') ?? 'signing') === 'signing')
    .flatMap((descriptor) => childrenOf(descriptor, DSIG, 'KeyInfo'))
    .flatMap((keyInfo) => childrenOf(keyInfo, DSIG, 'X509Data'))
    .flatMap((data) => childrenOf(data, DSIG, 'X509Certificate'))
    .map((certificate) => certificate.text.replace(/\s+/g, ''));
  const usable = [...new Set(found)].filter(isUsable);
  if (usable.length > 0) return usable;
  throw new BridgeError(
    'invalid',
    'IdP metadata must have a signing certificate with an RSA or ECDSA key that can be used.',
  );
}

function isUsable(certificate: string): boolean {
  try {
    signingKey(certificate);
    return true;
  } catch {
    return false;
  }
}
