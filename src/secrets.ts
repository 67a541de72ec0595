// Every secret of the installation hangs from its master key: one subkey for each use, so that none can stand in for another.

import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, randomBytes } from 'node:crypto';
import type { SealedFor, Vault } from './context.ts';
import type { KeyHash } from './core/ids.ts';

export type Secrets = {
  readonly vault: Vault;
  /** Keyed hash, hex: recognises a text again without keeping it. */
  keyHash(text: string): KeyHash;
  /** Keys that sign cookies; the first signs, all are accepted. */
  readonly cookieKeys: readonly string[];
  /** 32 bytes for one named use; the same for the same master key, unrelated to every other use's. */
  subkey(use: string): Buffer;
};

const NONCE = 12;
const TAG = 16;

/**
 * The secrets of an installation. The master key is 32 random bytes.
 *
 * A sealed value is `key id (1 byte) | nonce (12) | AES-256-GCM ciphertext | tag (16)`. The key id says which master key sealed
 * it, so that a wrong key is told apart from a damaged value.
 *
 * Throws where the master key has another length. Does not read or keep the key anywhere.
 */
export function deriveSecrets(masterKey: Uint8Array): Secrets {
  if (masterKey.length !== 32) throw new Error('the master key has 32 bytes');
  const subkey = (use: string) => Buffer.from(hkdfSync('sha256', masterKey, '', `drawbridge/${use}`, 32));
  const keyId = subkey('key-id').subarray(0, 1);
  // Bytes would be made a key object for each hash, which takes five times as long as hashing.
  const hashKey = createSecretKey(subkey('key-hash'));
  const sealKeys = new Map<SealedFor, Buffer>();
  const rowKey = (use: SealedFor, owner: string) => {
    const useKey = sealKeys.get(use) ?? subkey(`seal/${use}`);
    sealKeys.set(use, useKey);
    // A key for each row: random nonces are safe for 2^32 values under one key, which a busy server would seal in weeks.
    return createHmac('sha256', useKey).update(owner).digest();
  };
  return {
    vault: {
      seal(use, owner, plain) {
        const nonce = randomBytes(NONCE);
        const cipher = createCipheriv('aes-256-gcm', rowKey(use, owner), nonce).setAAD(keyId);
        return Buffer.concat([keyId, nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
      },
      open(use, owner, sealed) {
        if (sealed.length < 1 + NONCE + TAG) throw new Error('a sealed value is cut off');
        if (sealed[0] !== keyId[0]) throw new Error('a sealed value belongs to another master key');
        const nonce = sealed.subarray(1, 1 + NONCE);
        const decipher = createDecipheriv('aes-256-gcm', rowKey(use, owner), nonce, { authTagLength: TAG })
          .setAAD(keyId)
          .setAuthTag(sealed.subarray(-TAG));
        return Buffer.concat([decipher.update(sealed.subarray(1 + NONCE, -TAG)), decipher.final()]);
      },
    },
    keyHash: (text) => createHmac('sha256', hashKey).update(text).digest('hex') as KeyHash,
    cookieKeys: [subkey('cookies').toString('base64url')],
    subkey,
  };
}
