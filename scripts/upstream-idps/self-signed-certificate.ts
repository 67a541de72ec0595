import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';

/** One DER element (X.690 §8): tag, length, contents. */
function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const significant = length.subarray(length.findIndex((octet) => octet !== 0));
  return Buffer.concat([Buffer.from([tag, 0x80 | significant.length]), significant, body]);
}
const sequence = (...contents: readonly Uint8Array[]) => der(0x30, ...contents);
const integer = (value: number) => der(0x02, Buffer.from([value]));
const utcTime = (at: Date) =>
  der(
    0x17,
    Buffer.from(
      at
        .toISOString()
        .replace(/^..|[-:T]|\..*/g, '')
        .concat('Z'),
    ),
  );
const bitString = (octets: Uint8Array) => der(0x03, Buffer.from([0]), octets);

const commonName = Buffer.from('0603550403', 'hex');
const sha256WithRsa = sequence(Buffer.from('06092a864886f70d01010b', 'hex'), der(0x05));

/**
 * A new RSA key and a certificate that it signs itself (RFC 5280), both as PEM: what a SAML IdP publishes. Valid for ten years
 * from yesterday. Made at every start, so that no private key lies in the repository.
 */
export function selfSignedCertificate(name: string): { readonly key: string; readonly certificate: string } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const subject = sequence(der(0x31, sequence(commonName, der(0x0c, Buffer.from(name)))));
  const day = 86_400_000;
  const validity = sequence(utcTime(new Date(Date.now() - day)), utcTime(new Date(Date.now() + 3650 * day)));
  const version3 = der(0xa0, integer(2));
  const toBeSigned = sequence(version3, integer(1), sha256WithRsa, subject, validity, subject, publicKey);
  const signature = sign('sha256', toBeSigned, createPrivateKey(privateKey));
  const base64 = sequence(toBeSigned, sha256WithRsa, bitString(signature)).toString('base64');
  const lines = base64.match(/.{1,64}/g) ?? [];
  return {
    key: privateKey,
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
  };
}
