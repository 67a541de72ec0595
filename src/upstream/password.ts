// Local passwords: argon2id in the thread pool, a few at a time.

import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { BridgeError } from '../core/errors.ts';

/** RFC 9106. Memory in KiB. */
export type HashParameters = { readonly memory: number; readonly passes: number; readonly parallelism: number };

export type Passwords = {
  /** The text to keep for a new password. */
  hash(password: string): Promise<string>;
  /**
   * Whether the password is the kept one. `stored` null: nobody is there, which takes as long to find out. `renewed` is the text to
   * keep from now on where the old one was made with other parameters.
   */
  check(
    stored: string | null,
    password: string,
  ): Promise<{ readonly matches: boolean; readonly renewed: string | null }>;
};

/** More bytes are refused before anything is computed; NFC of a password within the policy has fewer. */
const MOST_PASSWORD_BYTES = 1_024;

const recommended: HashParameters = { memory: 19_456, passes: 2, parallelism: 1 };
const TAG_BYTES = 32;
const SALT_BYTES = 16;
// What a stored text may ask of this machine, whoever wrote it.
const most: HashParameters = { memory: 262_144, passes: 16, parallelism: 8 };

/**
 * Hashing and checking of passwords, as `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
 *
 * Passwords count in NFC, to the last byte; more than 1,024 bytes never match and are refused as new ones (`invalid`). At most
 * `concurrency` computations run at once and `queue` wait; beyond that both refuse with `unavailable`, so that a flood of sign-ins
 * stalls neither the event loop nor other work of the thread pool (T100). Does not know the policy and counts no failures.
 */
export function passwords(
  options: { readonly concurrency?: number; readonly queue?: number; readonly parameters?: HashParameters } = {},
): Passwords {
  const parameters = options.parameters ?? recommended;
  const turn = turns(options.concurrency ?? Math.max(1, Math.min(4, availableParallelism() - 1)), options.queue ?? 64);
  const derive = (message: Buffer, salt: Buffer, used: HashParameters, tagLength: number) =>
    turn(() => compute(message, salt, used, tagLength));
  // Compared with when nobody is there. No password hashes to zeros by anything but chance.
  const nobody: Kept = { parameters, salt: randomBytes(SALT_BYTES), hash: Buffer.alloc(TAG_BYTES) };

  const hashNew = async (password: string): Promise<string> => {
    const message = bytesOf(password);
    if (message === null) throw new BridgeError('invalid', 'The password is too long.');
    const salt = randomBytes(SALT_BYTES);
    return format({ parameters, salt, hash: await derive(message, salt, parameters, TAG_BYTES) });
  };

  return {
    hash: hashNew,

    async check(stored, password) {
      const message = bytesOf(password);
      if (message === null) return { matches: false, renewed: null };
      const known = stored === null ? null : parse(stored);
      const kept = known ?? nobody;
      const hash = await derive(message, kept.salt, kept.parameters, kept.hash.length);
      const matches = timingSafeEqual(hash, kept.hash) && known !== null;
      return { matches, renewed: matches && !same(kept.parameters, parameters) ? await hashNew(password) : null };
    },
  };
}

type Kept = { readonly parameters: HashParameters; readonly salt: Buffer; readonly hash: Buffer };

function bytesOf(password: string): Buffer | null {
  // Before normalising: composing a megabyte is work too.
  if (password.length > MOST_PASSWORD_BYTES) return null;
  const bytes = Buffer.from(password.normalize('NFC'), 'utf8');
  return bytes.length > MOST_PASSWORD_BYTES ? null : bytes;
}

function compute(message: Buffer, nonce: Buffer, used: HashParameters, tagLength: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    argon2('argon2id', { message, nonce, tagLength, ...used }, (error, hash) =>
      error ? reject(error) : resolve(hash),
    );
  });
}

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');

function format({ parameters: { memory, passes, parallelism }, salt, hash }: Kept): string {
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(hash)}`;
}

function parse(stored: string): Kept | null {
  const found =
    /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/.exec(
      stored,
    );
  if (found === null) return null;
  const [, m, t, p, salt = '', hash = ''] = found;
  const parameters = { memory: Number(m), passes: Number(t), parallelism: Number(p) };
  const fits =
    parameters.memory <= most.memory && parameters.passes <= most.passes && parameters.parallelism <= most.parallelism;
  const possible =
    parameters.passes >= 1 && parameters.parallelism >= 1 && parameters.memory >= 8 * parameters.parallelism;
  return fits && possible ? { parameters, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') } : null;
}

function same(a: HashParameters, b: HashParameters): boolean {
  return a.memory === b.memory && a.passes === b.passes && a.parallelism === b.parallelism;
}

/** Lets `concurrency` jobs run and `queue` wait, in order. */
function turns(concurrency: number, queue: number): <T>(job: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (job) => {
    if (running >= concurrency) {
      if (waiting.length >= queue)
        throw new BridgeError('unavailable', 'The server is busy. Try again.', 'too many passwords at once');
      // Whoever leaves hands over its place, so `running` stays as it is.
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await job();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
