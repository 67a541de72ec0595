// Keys that sign tokens. Private parts are sealed; a key that no token needs any more keeps only its public part.

import { generateKeyPair, hash, type JsonWebKey } from 'node:crypto';
import { promisify } from 'node:util';
import type { Query } from '../context.ts';
import { instant } from './instant.ts';

export const signingAlgorithms = ['ES256', 'RS256'] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];

export type SigningKeyRow = {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly sealed: Uint8Array;
  /** `next` is published and does not sign yet; `retired` is published and signs no more. */
  readonly state: 'next' | 'current' | 'retired';
  readonly createdAt: number;
};

const generate = promisify(generateKeyPair);

/** A new private key as JWK, named by its thumbprint (RFC 7638), so that no `kid` ever stands for two keys. */
export async function newSigningKey(algorithm: SigningAlgorithm): Promise<JsonWebKey & { readonly kid: string }> {
  const { privateKey } =
    algorithm === 'ES256'
      ? await generate('ec', { namedCurve: 'P-256' })
      : await generate('rsa', { modulusLength: 2048, publicExponent: 0x10001 });
  const jwk = privateKey.export({ format: 'jwk' });
  const { crv, e, kty, n, x, y } = jwk;
  const members = kty === 'EC' ? { crv, kty, x, y } : { e, kty, n };
  const kid = hash('sha256', JSON.stringify(members), 'base64url');
  return { ...jwk, kid, alg: algorithm, use: 'sig' };
}

const READ = `select kid, algorithm, private_sealed as sealed, state, ${instant('created_at')} as "createdAt"
from signing_keys where ended_at is null order by created_at, kid`;

export function readSigningKeys(query: Query): Promise<readonly SigningKeyRow[]> {
  return query.run<SigningKeyRow>({ name: 'signing_keys_read', text: READ }, []);
}

/** False where the algorithm has a key in that state already: another server was first. */
export async function insertSigningKey(
  query: Query,
  key: Pick<SigningKeyRow, 'kid' | 'algorithm' | 'sealed' | 'state'>,
  publicJwk: JsonWebKey,
): Promise<boolean> {
  const text = `insert into signing_keys (kid, algorithm, private_sealed, public_jwk, state, activated_at)
    values ($1, $2, $3, $4, $5, case when $5 = 'current' then now() end) on conflict do nothing returning 1`;
  const values = [key.kid, key.algorithm, key.sealed, JSON.stringify(publicJwk), key.state];
  return (await query.run({ name: null, text }, values)).length === 1;
}

const DUE = `ended_at is null and (state = 'next' and created_at <= now() - make_interval(secs => $1)
  or state = 'retired' and retired_at <= now() - make_interval(secs => $2))`;

/** Whether a key is due to sign, or due to go. */
export async function hasDueKeys(query: Query, publishSeconds: number, retainSeconds: number): Promise<boolean> {
  const text = `select 1 from signing_keys where ${DUE} limit 1`;
  return (await query.run({ name: 'signing_keys_due', text }, [publishSeconds, retainSeconds])).length > 0;
}

export type KeyMoves = { readonly promoted: readonly string[]; readonly ended: readonly string[] };

/** Moves the keys that are due; empty lists where another server did it meanwhile. Belongs in a transaction. */
export async function moveDueKeys(tx: Query, publishSeconds: number, retainSeconds: number): Promise<KeyMoves> {
  const run = (text: string, values: readonly unknown[]) =>
    tx.run<{ kid: string; state: string }>({ name: null, text }, values);
  const due = await run(`select kid, state from signing_keys where ${DUE} order by kid for update`, [
    publishSeconds,
    retainSeconds,
  ]);
  const kids = (state: string) => due.filter((row) => row.state === state).map((row) => row.kid);
  const [promoted, ended] = [kids('next'), kids('retired')];
  // Two statements: an algorithm has one current key at every moment.
  await run(
    `update signing_keys set state = 'retired', retired_at = now() where state = 'current' and ended_at is null
     and algorithm in (select algorithm from signing_keys where kid = any ($1))`,
    [promoted],
  );
  await run(`update signing_keys set state = 'current', activated_at = now() where kid = any ($1)`, [promoted]);
  await run(`update signing_keys set ended_at = now(), private_sealed = '' where kid = any ($1)`, [ended]);
  return { promoted, ended };
}

/** Wakes whoever listens on the channel, once the transaction commits. */
export async function notify(tx: Query, channel: string): Promise<void> {
  await tx.run({ name: null, text: `select pg_notify($1, '')` }, [channel]);
}
