import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { deriveSecrets } from '../src/secrets.ts';

const masterKey = randomBytes(32);
const secrets = deriveSecrets(masterKey);
const plain = Buffer.from('what must not be read');

describe('sealed values', () => {
  test('open with the same master key, use and owner, on any server', () => {
    const sealed = secrets.vault.seal('signing_key', 'kid-1', plain);
    expect(Buffer.from(deriveSecrets(masterKey).vault.open('signing_key', 'kid-1', sealed))).toEqual(plain);
  });

  test('hold nothing of the plain text, and differ each time', () => {
    const [one, two] = [1, 2].map(() => Buffer.from(secrets.vault.seal('signing_key', 'kid-1', plain)));
    expect(one).not.toEqual(two);
    expect(one?.includes(plain)).toBe(false);
  });

  test('do not open for another use, or moved to another row', () => {
    const sealed = secrets.vault.seal('signing_key', 'kid-1', plain);
    expect(() => secrets.vault.open('oidc_artifact', 'kid-1', sealed)).toThrow();
    expect(() => secrets.vault.open('signing_key', 'kid-2', sealed)).toThrow();
  });

  test('do not open when a bit was changed, or the end is missing', () => {
    const sealed = Buffer.from(secrets.vault.seal('signing_key', 'kid-1', plain));
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(() => secrets.vault.open('signing_key', 'kid-1', changed)).toThrow();
    }
    for (let length = 0; length < sealed.length; length += 1)
      expect(() => secrets.vault.open('signing_key', 'kid-1', sealed.subarray(0, length))).toThrow();
  });

  test('of another master key are named as such, as far as one byte can tell', () => {
    let other = deriveSecrets(randomBytes(32));
    let sealed = other.vault.seal('signing_key', 'kid-1', plain);
    while (sealed[0] === secrets.vault.seal('signing_key', 'kid-1', plain)[0]) {
      other = deriveSecrets(randomBytes(32));
      sealed = other.vault.seal('signing_key', 'kid-1', plain);
    }
    expect(() => secrets.vault.open('signing_key', 'kid-1', sealed)).toThrow(/another master key/);
  });
});

test('each use has a subkey of its own, which depends on the whole master key', () => {
  const flipped = Buffer.from(masterKey);
  flipped[31] = (flipped[31] ?? 0) ^ 1;
  const keys = [secrets.subkey('a'), secrets.subkey('b'), deriveSecrets(flipped).subkey('a'), masterKey];
  expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(4);
  expect(secrets.subkey('a')).toEqual(deriveSecrets(masterKey).subkey('a'));
});

test('a keyed hash is the same on every server of the installation and on no other', () => {
  expect(secrets.keyHash('x')).toBe(deriveSecrets(masterKey).keyHash('x'));
  expect(secrets.keyHash('x')).toMatch(/^[0-9a-f]{64}$/);
  expect(deriveSecrets(randomBytes(32)).keyHash('x')).not.toBe(secrets.keyHash('x'));
});

test('a master key of another length is refused', () => {
  expect(() => deriveSecrets(randomBytes(16))).toThrow('32 bytes');
});
