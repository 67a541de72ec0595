// Hostile XML, read once into plain data. One parser (libxml2) reads, validates and canonicalizes, so that no two of them can disagree
// about one text.

import { readFileSync } from 'node:fs';
import {
  ParseOption,
  XmlBufferInputProvider,
  XmlC14NMode,
  XmlDocument,
  XmlElement as XmlElementNode,
  XmlText,
  XsdValidator,
  xmlCleanupInputProvider,
  xmlRegisterInputProvider,
} from 'libxml2-wasm';

export const SAMLP = 'urn:oasis:names:tc:SAML:2.0:protocol';
export const SAML = 'urn:oasis:names:tc:SAML:2.0:assertion';
export const DSIG = 'http://www.w3.org/2000/09/xmldsig#';
export const XENC = 'http://www.w3.org/2001/04/xmlenc#';
export const XSI = 'http://www.w3.org/2001/XMLSchema-instance';

export type XmlAttribute = { readonly namespace: string; readonly name: string; readonly value: string };

/** An element as plain data: nothing of it points into the parser's memory. */
export type XmlElement = {
  readonly namespace: string;
  readonly name: string;
  readonly attributes: readonly XmlAttribute[];
  readonly children: readonly XmlElement[];
  /** Its own text in one piece, without the text of its children. */
  readonly text: string;
};

/** Text that is not XML as this server reads it. The message is for an operator's log or an administrator, not for a browser. */
export class XmlRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'XmlRefused';
  }
}

// A response that names 2,000 groups has about 4,200 tags and, in Okta's form, 6,000 attributes and namespaces.
const MAX_TAGS = 12_000;
const MAX_ATTRIBUTES = 12_000;

export type TextCheck = (text: string) => string | null;

/** Declarations in XML that steer a parser are refused before any parser sees them; what is left is elements and text. */
export const textChecks: readonly TextCheck[] = [noDeclarationsOrComments, declaredAsUtf8, boundedMarkup];

// In well-formed XML `<!` and `<?` occur nowhere else than where these begin: a bare `<` is legal in no text and no attribute.
function noDeclarationsOrComments(text: string): string | null {
  const body = text.replace(/^<\?xml\s[^?<>]*\?>/, '');
  const found = /<[!?].{0,20}/s.exec(body);
  return found === null
    ? null
    : `DOCTYPE, comment, CDATA section or processing instruction: ${JSON.stringify(found[0])}`;
}

function declaredAsUtf8(text: string): string | null {
  const encoding = /^<\?xml\s[^?<>]*?encoding\s*=\s*["']([^"']*)["']/.exec(text)?.[1];
  return encoding === undefined || encoding.toLowerCase() === 'utf-8' ? null : `declared as ${encoding}, not UTF-8`;
}

// Before parsing, so that the longest stall an attacker can cause is known.
function boundedMarkup(text: string): string | null {
  const tags = text.split('<').length - 1;
  const attributes = text.match(/=\s*["']/g)?.length ?? 0;
  if (tags > MAX_TAGS) return `${tags} tags, more than ${MAX_TAGS}`;
  return attributes > MAX_ATTRIBUTES ? `${attributes} attributes, more than ${MAX_ATTRIBUTES}` : null;
}

/** A parsed document while it is open: what needs the parser is asked here, everything else of {@link XmlElement}. */
export type OpenXml = {
  readonly root: XmlElement;
  /** What is wrong by the SAML 2.0 protocol schema, or null. */
  readonly schemaFault: () => string | null;
  /**
   * Exclusive XML Canonicalization 1.0 without comments of one element where it stands; `without` is left out with all it holds.
   * Throws {@link XmlRefused} where there is no canonical form, as under a relative namespace URI.
   */
  readonly canonical: (element: XmlElement, inclusivePrefixes: readonly string[], without?: XmlElement) => string;
};

/**
 * Parses text and hands it to `read`, which must not keep the {@link OpenXml}; its plain elements may be kept.
 *
 * Throws {@link XmlRefused} for everything that is not one well-formed element: DOCTYPE and entities are refused as text, nesting
 * is limited to 256 by the parser, nothing is fetched. Does not limit the length; callers do.
 */
export function withXml<T>(text: string, read: (xml: OpenXml) => T, checks: readonly TextCheck[] = textChecks): T {
  for (const check of checks) {
    const fault = check(text);
    if (fault !== null) throw new XmlRefused(`${check.name}: ${fault}`);
  }
  return withDocument(text, (document) => {
    const nodes = new Map<XmlElement, XmlElementNode>();
    const root = plain(document.root, nodes);
    return read({
      root,
      schemaFault: () => schemaFault(document),
      canonical: (element, inclusivePrefixes, without) => {
        const node = nodes.get(element);
        if (node === undefined) throw new XmlRefused('no element of this document');
        if (without === undefined) return canonical(document, node, inclusivePrefixes);
        // Removing a node frees it: done on a second copy, so that no element of this one can dangle.
        return withDocument(text, (copy) => {
          nodeAt(copy.root, pathTo(without, root)).remove();
          return canonical(copy, nodeAt(copy.root, pathTo(element, root)), inclusivePrefixes);
        });
      },
    });
  });
}

const PARSE = { option: ParseOption.XML_PARSE_NONET | ParseOption.XML_PARSE_NO_XXE };

function withDocument<T>(text: string, read: (document: XmlDocument) => T): T {
  const document = orRefuse('not well-formed', () => XmlDocument.fromString(text, PARSE));
  try {
    return read(document);
  } finally {
    document.dispose();
  }
}

function orRefuse<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new XmlRefused(`${what}: ${error instanceof Error ? error.message.trim().slice(0, 300) : String(error)}`);
  }
}

function plain(node: XmlElementNode, nodes: Map<XmlElement, XmlElementNode>): XmlElement {
  const children: XmlElement[] = [];
  let text = '';
  for (let child = node.firstChild; child !== null; child = child.next) {
    if (child instanceof XmlElementNode) children.push(plain(child, nodes));
    else if (child instanceof XmlText) text += child.content;
    else throw new XmlRefused('neither an element nor text');
  }
  const attributes = node.attrs.map(({ namespaceUri, name, value }) => ({ namespace: namespaceUri, name, value }));
  const element = { namespace: node.namespaceUri, name: node.name, attributes, children, text };
  nodes.set(element, node);
  return element;
}

function canonical(document: XmlDocument, node: XmlElementNode, inclusiveNamespacePrefixes: readonly string[]): string {
  return orRefuse('no canonical form', () =>
    document.canonicalizeToString({
      mode: XmlC14NMode.XML_C14N_EXCLUSIVE_1_0,
      inclusiveNamespacePrefixes: [...inclusiveNamespacePrefixes],
      // The element and all below it. The library's own function for subtrees does the same at four times the cost.
      nodeSet: new Set([node]),
    }),
  );
}

function pathTo(element: XmlElement, from: XmlElement): readonly number[] {
  if (element === from) return [];
  for (const [index, child] of from.children.entries()) {
    if (child === element) return [index];
    const rest = child.children.length === 0 ? [] : pathTo(element, child);
    if (rest.length > 0) return [index, ...rest];
  }
  return [];
}

function nodeAt(root: XmlElementNode, path: readonly number[]): XmlElementNode {
  return path.reduce((node, index) => {
    let found = -1;
    for (let child = node.firstChild; child !== null; child = child.next) {
      if (child instanceof XmlElementNode) found += 1;
      if (child instanceof XmlElementNode && found === index) return child;
    }
    throw new XmlRefused('no element of this document');
  }, root);
}

// Compiled when this file is loaded: a schema that does not compile is a broken installation, found at the start.
const schema = compileSchema();

function compileSchema(): XsdValidator {
  const read = (file: string) => readFileSync(new URL(`./saml-schema/${file}`, import.meta.url));
  const imported = ['saml-schema-assertion-2.0.xsd', 'xmldsig-core-schema.xsd', 'xenc-schema.xsd'];
  xmlRegisterInputProvider(new XmlBufferInputProvider(Object.fromEntries(imported.map((file) => [file, read(file)]))));
  const protocol = 'saml-schema-protocol-2.0.xsd';
  const document = XmlDocument.fromBuffer(read(protocol), { ...PARSE, url: protocol });
  try {
    return XsdValidator.fromDoc(document);
  } finally {
    document.dispose();
    // From here on the parser can open nothing, whatever xsi:schemaLocation a message carries.
    xmlCleanupInputProvider();
  }
}

function schemaFault(document: XmlDocument): string | null {
  try {
    schema.validate(document);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.trim().slice(0, 300) : String(error);
  }
}

export function childrenOf(element: XmlElement, namespace: string, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.namespace === namespace && child.name === name);
}

/** The child of that name where there is exactly one, else null. */
export function onlyChild(element: XmlElement | null, namespace: string, name: string): XmlElement | null {
  const [first, ...others] = element === null ? [] : childrenOf(element, namespace, name);
  return first === undefined || others.length > 0 ? null : first;
}

/** The value of an attribute without namespace, or null. */
export function attributeOf(element: XmlElement | null, name: string): string | null {
  return element?.attributes.find((attribute) => attribute.namespace === '' && attribute.name === name)?.value ?? null;
}

/** The text of an element that holds nothing but text, or null. */
export function leafText(element: XmlElement | null): string | null {
  return element === null || element.children.length > 0 ? null : element.text;
}

/** The element and everything below it, in document order. */
export function descendants(element: XmlElement): readonly XmlElement[] {
  return [element, ...element.children.flatMap(descendants)];
}
