// The message as it was received: its shape, before any signature is looked at. Nothing here believes a word of it.

import { SignInError } from './connector.ts';
import {
  attributeOf,
  childrenOf,
  DSIG,
  descendants,
  leafText,
  onlyChild,
  SAML,
  SAMLP,
  XENC,
  type XmlElement,
  XSI,
} from './saml-xml.ts';

export type Received = {
  readonly root: XmlElement;
  /** Every element of the message, the root first. */
  readonly all: readonly XmlElement[];
  readonly schemaFault: () => string | null;
};

export function isAResponse({ root }: Received): string | null {
  return root.namespace === SAMLP && root.name === 'Response'
    ? null
    : `a {${root.namespace}}${root.name}, not a Response`;
}

// Before the schema: an IdP's refusal is mostly unsigned, sometimes sloppy, and can do no more than end this login.
export function idpSaysSuccess({ root }: Received): SignInError | null {
  const status = onlyChild(root, SAMLP, 'Status');
  const code = onlyChild(status, SAMLP, 'StatusCode');
  if (attributeOf(code, 'Value') === 'urn:oasis:names:tc:SAML:2.0:status:Success') return null;
  const codes = code === null ? [] : descendants(code).map((element) => attributeOf(element, 'Value') ?? '');
  const said = [...codes, leafText(onlyChild(status, SAMLP, 'StatusMessage')) ?? ''].filter((text) => text !== '');
  return new SignInError('upstream_refused', `the IdP says: ${said.join(' ').slice(0, 300) || 'no status'}`);
}

export function nothingEncrypted({ all }: Received): string | null {
  const encrypted = all.find(
    ({ namespace, name }) => namespace === XENC || (namespace === SAML && name.startsWith('Encrypted')),
  );
  return encrypted === undefined ? null : `${encrypted.name}: encryption is not supported, turn it off at the IdP`;
}

export function noSchemaHints({ all }: Received): string | null {
  const hint = all
    .flatMap(({ attributes }) => attributes)
    .find(
      ({ namespace, name }) => namespace === XSI && (name === 'schemaLocation' || name === 'noNamespaceSchemaLocation'),
    );
  return hint === undefined ? null : `xsi:${hint.name}`;
}

export function idsAreUnique({ all }: Received): string | null {
  const ids = all
    .flatMap(({ attributes }) => attributes)
    .filter(({ name }) => name.toLowerCase() === 'id')
    .map(({ value }) => value);
  return new Set(ids).size === ids.length ? null : 'one ID twice';
}

export function oneAssertionInPlace({ root, all }: Received): string | null {
  const everywhere = all.filter(({ namespace, name }) => namespace === SAML && name === 'Assertion');
  const inPlace = childrenOf(root, SAML, 'Assertion');
  return everywhere.length === 1 && inPlace.length === 1
    ? null
    : `${everywhere.length} assertions, ${inPlace.length} of them directly in the Response`;
}

export function noExtensions({ all }: Received): string | null {
  const found = all.find(({ namespace, name }) => namespace === SAMLP && name === 'Extensions');
  return found === undefined ? null : 'samlp:Extensions';
}

export function signaturesInPlace({ root, all }: Received): string | null {
  const everywhere = all.filter(({ namespace, name }) => namespace === DSIG && name === 'Signature');
  const perParent = [root, ...childrenOf(root, SAML, 'Assertion')].map(
    (parent) => childrenOf(parent, DSIG, 'Signature').length,
  );
  const inPlace = perParent.reduce((sum, count) => sum + count, 0);
  return everywhere.length === inPlace && perParent.every((count) => count <= 1)
    ? null
    : `${everywhere.length} signatures, ${inPlace} of them in place`;
}

export function matchesTheSchema({ schemaFault }: Received): string | null {
  return schemaFault();
}

export function somethingIsSigned({ root }: Received): string | null {
  const signed = [root, onlyChild(root, SAML, 'Assertion')].some(
    (element) => onlyChild(element, DSIG, 'Signature') !== null,
  );
  return signed ? null : 'neither the Response nor the Assertion is signed';
}
