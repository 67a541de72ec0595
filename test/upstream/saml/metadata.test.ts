import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { readIdpMetadata } from '../../../src/upstream/saml-metadata.ts';
import { idpMetadata, keyInfo, testIdp } from '../../support/saml-idp.ts';
import { selfSigned } from '../../support/x509.ts';
import { swap } from './hostile-corpus.ts';
import { idp } from './support.ts';

const metadata = idpMetadata(idp, 'https://idp.corp.example/sso?a=1&b=2');
const der = (certificate: string) => certificate.replace(/-----[^-]+-----|\s/g, '');
const DESCRIPTOR = /<KeyDescriptor.*<\/KeyDescriptor>/;
const descriptor = (certificate: string, use = ' use="signing"') =>
  `<KeyDescriptor${use} xmlns:ds="http://www.w3.org/2000/09/xmldsig#">${keyInfo(certificate)}</KeyDescriptor>`;
const refused = (xml: string) =>
  expect(() => readIdpMetadata(xml)).toThrow(expect.objectContaining({ code: 'invalid' }));

test('metadata gives entity ID, sign-on URL and signing certificates', () => {
  expect(readIdpMetadata(metadata)).toEqual({
    issuer: idp.entityId,
    signOnUrl: 'https://idp.corp.example/sso?a=1&b=2',
    certificates: [der(idp.certificate)],
  });
});

test('every signing key counts, one without a use is for signing too, encryption keys are left out, twins count once', () => {
  const [second, third, encryption] = [testIdp('b', 'ec'), testIdp('c'), testIdp('d')];
  const keys = [
    descriptor(idp.certificate),
    descriptor(second.certificate),
    descriptor(third.certificate, ''),
    descriptor(encryption.certificate, ' use="encryption"'),
    descriptor(idp.certificate),
  ].join('');
  expect(readIdpMetadata(swap(metadata, DESCRIPTOR, keys)).certificates).toEqual(
    [idp, second, third].map(({ certificate }) => der(certificate)),
  );
});

test('comments, a byte order mark, a declaration and line breaks in the certificate are usual', () => {
  const wrapped = der(idp.certificate).replace(/.{64}/g, '$&\r\n    ');
  const xml = `\uFEFF<?xml version="1.0" encoding="UTF-8"?>\n<!-- made <by> hand -->\n${swap(metadata, der(idp.certificate), `\n${wrapped}\n`)}<!---->`;
  expect(readIdpMetadata(xml).certificates).toEqual([der(idp.certificate)]);
});

const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
const foreign = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey;

test.for([
  ['no key', swap(metadata, DESCRIPTOR, '')],
  ['a key for encryption only', swap(metadata, ' use="signing"', ' use="encryption"')],
  ['a key by name only', swap(metadata, /<ds:X509Data>.*<\/ds:X509Data>/, '<ds:KeyName>idp</ds:KeyName>')],
  [
    'a bare key value',
    swap(metadata, /<ds:X509Data>.*<\/ds:X509Data>/, '<ds:KeyValue><ds:RSAKeyValue/></ds:KeyValue>'),
  ],
  ['a certificate that is none', swap(metadata, der(idp.certificate), 'AAAA')],
  ['an empty certificate', swap(metadata, der(idp.certificate), '')],
  ['an RSA key of 1,024 bits', swap(metadata, DESCRIPTOR, descriptor(selfSigned(weak, 'weak')))],
  ['a key on a foreign curve', swap(metadata, DESCRIPTOR, descriptor(selfSigned(foreign, 'foreign')))],
] as const)('T7 metadata with %s is refused', ([, xml]) => refused(xml));

test('T7 a certificate that cannot be used does not hide one that can', () => {
  const keys = descriptor(selfSigned(weak, 'weak')) + descriptor(idp.certificate);
  expect(readIdpMetadata(swap(metadata, DESCRIPTOR, keys)).certificates).toEqual([der(idp.certificate)]);
});

const entity = '<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>';
test.for([
  ['an external entity', entity + swap(metadata, idp.entityId, '&x;')],
  ['a DOCTYPE', `<!DOCTYPE EntityDescriptor>${metadata}`],
  ['a DOCTYPE that a comment hides', `<!<!-- -->DOCTYPE EntityDescriptor>${metadata}`],
  ['a processing instruction', swap(metadata, '<IDPSSODescriptor', '<?xml-stylesheet href="x"?><IDPSSODescriptor')],
  ['50,000 elements inside each other', '<a>'.repeat(50_000) + '</a>'.repeat(50_000)],
  ['more than a megabyte', swap(metadata, '<IDPSSODescriptor', `${' '.repeat(1_048_576)}<IDPSSODescriptor`)],
  ['another root', '<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"/>'],
  ['a service provider', metadata.replaceAll('IDPSSODescriptor', 'SPSSODescriptor')],
  ['SAML 1.1 only', swap(metadata, 'urn:oasis:names:tc:SAML:2.0:protocol', 'urn:oasis:names:tc:SAML:1.1:protocol')],
  ['no entity ID', swap(metadata, /entityID="[^"]*"/, 'entityID=""')],
  ['no redirect binding', swap(metadata, 'HTTP-Redirect', 'HTTP-POST')],
  ['a sign-on URL that is a script', swap(metadata, 'https://idp.corp.example/sso', 'javascript:x')],
  ['no XML', 'hello'],
  ['nothing', ''],
] as const)('metadata with %s is refused', ([, xml]) => refused(xml));
