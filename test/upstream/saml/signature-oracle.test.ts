/** The same messages before xml-crypto, which shares neither parser nor canonicalization with what is tested here. */
import { DOMParser } from '@xmldom/xmldom';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SignedXml } from 'xml-crypto';
import { samlConnector } from '../../../src/upstream/saml.ts';
import { placedSignature } from '../../../src/upstream/saml-signature.ts';
import { childrenOf, DSIG, onlyChild, SAML, withXml } from '../../../src/upstream/saml-xml.ts';
import { type SamlShape, signedSamlResponse } from '../../support/saml-idp.ts';
import { post, signed } from './hostile-corpus.ts';
import { content, flow, idp, posted, samlConnection, urls, victim, world } from './support.ts';

const saml = samlConnector(world);

/** What xml-crypto says was signed, element by element; throws where a signature is bad. */
function signedByTheOracle(xml: string): readonly string[] {
  const document = new DOMParser().parseFromString(xml, 'text/xml');
  return Array.from(document.getElementsByTagNameNS(DSIG, 'Signature')).map((signature) => {
    const oracle = new SignedXml({ publicCert: idp.certificate });
    oracle.loadSignature(signature as unknown as Node);
    expect(oracle.checkSignature(xml)).toBe(true);
    expect(oracle.getSignedReferences()).toHaveLength(1);
    return oracle.getSignedReferences()[0] ?? '';
  });
}

function signedByUs(xml: string): readonly string[] {
  return withXml(xml, (opened) =>
    [opened.root, onlyChild(opened.root, SAML, 'Assertion')].flatMap((parent) =>
      parent === null
        ? []
        : childrenOf(parent, DSIG, 'Signature').map((element) =>
            placedSignature(opened, element, parent).parentBytes(),
          ),
    ),
  );
}

// XML 1.0 characters, with what canonicalization treats in its own way.
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom('&', '<', '>', '"', "'", ' ', '\t', '\n', 'é', '😀', '\u00A0', ']]>'),
    fc.string({ minLength: 1, maxLength: 3, unit: 'grapheme-ascii' }),
  ),
  maxLength: 30,
});

test.for(['okta', 'entra', 'google'] as const)(
  'in the shape of %s, the bytes that are read as signed are those of xml-crypto, whatever the texts',
  (shape: SamlShape) => {
    fc.assert(
      fc.property(text, text, fc.constantFrom('assertion', 'response', 'both'), (name, value, by) => {
        const said = { ...content, shape, attributes: { [`n${name}`]: [value, 'x'] } };
        const xml = signedSamlResponse(idp, said, by as 'both');
        expect(signedByUs(xml)).toEqual(signedByTheOracle(xml));
      }),
      { numRuns: 25 },
    );
  },
);

const honest = (['assertion', 'response', 'both'] as const).map((by) => signed((xml) => xml, { by }));
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  remove: fc.integer({ min: 0, max: 40 }),
  insert: fc.oneof(
    fc.constant(''),
    fc.string({ maxLength: 5 }),
    fc.constantFrom(
      '<!---->',
      '<?x?>',
      '<![CDATA[]]>',
      '<x/>',
      '&amp;',
      ' ',
      '\n',
      'mallory',
      '"',
      ' a="b"',
      '</saml2:NameID>',
    ),
  ),
});

test('T4 T5 whatever is changed at random in a signed message, it is refused or says what it said', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...honest), fc.array(edit, { minLength: 1, maxLength: 3 }), async (xml, edits) => {
      const twisted = edits.reduce((before, { at, remove, insert }) => {
        const from = Math.floor(at * before.length);
        return before.slice(0, from) + insert + before.slice(from + remove);
      }, xml);
      const proven = await saml.finish(samlConnection(), urls, flow, posted(post(twisted))).catch((error) => error);
      if (proven instanceof Error) expect(proven.name).toBe('SignInError');
      else expect(proven.assertion).toMatchObject({ subject: victim, email: victim, issuer: idp.entityId });
    }),
    { numRuns: 400 },
  );
});
