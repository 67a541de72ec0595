import type { Context } from '../context.ts';
import { type AuditEvent, done } from '../core/change.ts';
import type { Instant } from '../core/ids.ts';
import { apply } from '../store/apply.ts';
import {
  hasDueKeys,
  insertSigningKey,
  moveDueKeys,
  newSigningKey,
  notify,
  readSigningKeys,
  type SigningAlgorithm,
  type SigningKeyRow,
  signingAlgorithms,
} from '../store/signing-keys.ts';
import { systemTenantId } from './create-tenant.ts';

/** The channel on which servers tell each other that the set of keys changed. */
export const keysChanged = 'drawbridge_signing_keys';

export type SigningKey = Pick<SigningKeyRow, 'kid' | 'algorithm' | 'state'> & {
  readonly jwk: Readonly<Record<string, unknown>> & { readonly kid: string };
};

/** How long a key is published before it signs (longer than applications cache the key set), and after it signed last. */
export type KeyTiming = { readonly publishSeconds: number; readonly retainSeconds: number };
export const keyTiming: KeyTiming = { publishSeconds: 15 * 60, retainSeconds: 24 * 60 * 60 };

/**
 * All keys that are to be published, with their private parts, the current ones first: at the first start they are made here.
 * Throws where they were sealed under another master key.
 */
export async function loadSigningKeys(ctx: Context): Promise<readonly SigningKey[]> {
  let rows = await readSigningKeys(ctx.global);
  const missing = signingAlgorithms.filter(
    (algorithm) => !rows.some((row) => row.algorithm === algorithm && row.state === 'current'),
  );
  for (const algorithm of missing) await makeKey(ctx, ctx.global, algorithm, 'current');
  // Read again: another server that started at the same moment may have been first.
  if (missing.length > 0) rows = await readSigningKeys(ctx.global);
  const order = ['current', 'retired', 'next'];
  return rows
    .map(({ kid, algorithm, state, sealed }) => ({
      kid,
      algorithm,
      state,
      jwk: JSON.parse(new TextDecoder().decode(ctx.vault.open('signing_key', kid, sealed))),
    }))
    .sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
}

export type KeysRotated = readonly {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly signsFrom: Instant;
}[];

/**
 * Publishes a new key for each algorithm. The running servers sign with it once every application has had time to fetch it; the
 * old one stays published until the last token it signed is long expired. While a new key already waits, nothing changes.
 */
export async function rotateSigningKeys(ctx: Context, timing: KeyTiming = keyTiming): Promise<KeysRotated> {
  return ctx.transaction(await systemTenantId(ctx), async (tx) => {
    const events: AuditEvent[] = [];
    const waiting = new Set(
      (await readSigningKeys(tx)).filter((row) => row.state === 'next').map((row) => row.algorithm),
    );
    for (const algorithm of signingAlgorithms.filter((one) => !waiting.has(one))) {
      const kid = await makeKey(ctx, tx, algorithm, 'next');
      if (kid !== null) events.push(done('key.published', 'key', null, { kid, algorithm }));
    }
    await apply(ctx, tx, { changes: [], events });
    await notify(tx, keysChanged);
    return (await readSigningKeys(tx))
      .filter((row) => row.state === 'next')
      .map(({ kid, algorithm, createdAt }) => ({
        kid,
        algorithm,
        signsFrom: (createdAt + timing.publishSeconds * 1000) as Instant,
      }));
  });
}

/** Lets published keys sign when their time has come, and drops retired ones. Every server asks now and then; one does it. */
export async function advanceSigningKeys(ctx: Context, timing: KeyTiming = keyTiming): Promise<void> {
  if (!(await hasDueKeys(ctx.global, timing.publishSeconds, timing.retainSeconds))) return;
  await ctx.transaction(await systemTenantId(ctx), async (tx) => {
    const moves = await moveDueKeys(tx, timing.publishSeconds, timing.retainSeconds);
    const events = [
      ...moves.promoted.map((kid) => done('key.activated', 'key', null, { kid })),
      ...moves.ended.map((kid) => done('key.ended', 'key', null, { kid })),
    ];
    await apply(ctx, tx, { changes: [], events });
    if (events.length > 0) await notify(tx, keysChanged);
  });
}

/** Null where another server made one first. */
async function makeKey(
  ctx: Context,
  query: Parameters<typeof insertSigningKey>[0],
  algorithm: SigningAlgorithm,
  state: 'next' | 'current',
): Promise<string | null> {
  const jwk = await newSigningKey(algorithm);
  const { d, p, q, dp, dq, qi, ...publicJwk } = jwk;
  const sealed = ctx.vault.seal('signing_key', jwk.kid, new TextEncoder().encode(JSON.stringify(jwk)));
  return (await insertSigningKey(query, { kid: jwk.kid, algorithm, sealed, state }, publicJwk)) ? jwk.kid : null;
}
