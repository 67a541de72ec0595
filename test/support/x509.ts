/** Self-signed certificates, so that tests and the demo need no openssl. Just enough DER (ITU-T X.690) for X.509 version 3. */
import { createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';

const tlv = (tag: number, ...content: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(content);
  const length = body.length;
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), body]);
};
const sequence = (...content: readonly Uint8Array[]) => tlv(0x30, ...content);
const oid = (hex: string) => tlv(0x06, Buffer.from(hex, 'hex'));
const utcTime = (at: number) =>
  tlv(
    0x17,
    Buffer.from(
      `${new Date(at)
        .toISOString()
        .replace(/[-:T]|\.\d+/g, '')
        .slice(2)}`,
    ),
  );

const signatureAlgorithms = {
  // sha256WithRSAEncryption, ecdsa-with-SHA256
  rsa: sequence(oid('2a864886f70d01010b'), tlv(0x05)),
  ec: sequence(oid('2a8648ce3d040302')),
};

/** PEM of a certificate for the key, signed by itself with SHA-256, valid from 2020 to 2049. */
export function selfSigned(privateKey: KeyObject, commonName: string): string {
  const algorithm = signatureAlgorithms[privateKey.asymmetricKeyType === 'ec' ? 'ec' : 'rsa'];
  const name = sequence(tlv(0x31, sequence(oid('550403'), tlv(0x0c, Buffer.from(commonName)))));
  const serial = tlv(0x02, Buffer.from([1]), randomBytes(15));
  const validity = sequence(utcTime(Date.UTC(2020, 0, 1)), utcTime(Date.UTC(2049, 0, 1)));
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const version = tlv(0xa0, tlv(0x02, Buffer.from([2])));
  const body = sequence(version, serial, algorithm, name, validity, name, publicKey);
  const signature = tlv(0x03, Buffer.from([0]), sign('sha256', body, privateKey));
  const lines =
    sequence(body, algorithm, signature)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
