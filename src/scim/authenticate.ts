// Who is calling: a directory, by the bearer token in its Authorization header, before a byte of the body is read.

import { hash } from 'node:crypto';
import type { Context } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import { remember } from '../core/recent.ts';
import { authenticateDirectory } from '../operations/authenticate-directory.ts';

export type Address = { readonly tenant: string; readonly connection: string };

export type Authentication =
  | { readonly kind: 'known'; readonly directory: Directory }
  /** `presented`: there was a token, and it opens nothing here. */
  | { readonly kind: 'unknown'; readonly presented: boolean }
  | { readonly kind: 'too_many'; readonly retryAfterSeconds: number };

export type Authenticate = (
  ctx: Context,
  at: Address,
  authorization: string | undefined,
  ip: string,
) => Promise<Authentication>;

const NAME = 'authorization';

/**
 * Whether a request has more than one Authorization header. Node keeps the first and is silent about the others, where a proxy before
 * it may have gone by another one: nobody could say who is calling (RFC 6750 §3.1).
 */
export function hasTwoAuthorizations(rawHeaders: readonly string[]): boolean {
  let found = false;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    // The length first: this is done for every request, and hardly any other header is as long.
    if (name.length !== NAME.length || name.toLowerCase() !== NAME) continue;
    if (found) return true;
    found = true;
  }
  return false;
}

/** Only to find ids by: each statement asks again whether the credential may be used. */
const KEPT_MS = 1_000;
/** A token that opened its directory within this time is looked up whatever others at its address do wrong. */
const PROVEN_MS = 24 * 60 * 60_000;
/** So many wrong ones a minute are told that they are wrong. */
const WRONG_PER_MINUTE = 20;
/** So many are looked up. */
const LOOKED_UP_PER_MINUTE = 200;
const MINUTE = 60_000;
const MAX_ENTRIES = 10_000;

const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i;

/**
 * Finds the directory of a request. Twenty wrong tokens a minute from one address, then `too_many` for every wrong one until the
 * minute is over (T51). Identity providers send for many customers from one address, so the right one opens its directory all the
 * same; only behind two hundred wrong ones is nothing looked up but what was right within a day.
 *
 * Unknown tenant, unknown connection and wrong token are the same `unknown`. Keeps no token: only hashes, for a moment.
 */
export function authenticator(): Authenticate {
  const kept = new Map<string, { readonly directory: Directory; readonly at: number }>();
  const wrong = new Map<string, { count: number; readonly until: number }>();
  // A directory that sends a hundred requests at once asks once: they would stand in everybody's way (FT20).
  const asking = new Map<string, Promise<Directory | null>>();
  const ask = (ctx: Context, at: Address, token: string, key: string, ip: string): Promise<Directory | null> => {
    const source = ip === '' ? null : ip;
    const asked = asking.get(key) ?? authenticateDirectory(ctx, at, token, source).finally(() => asking.delete(key));
    asking.set(key, asked);
    return asked;
  };

  return async (ctx, at, authorization, ip) => {
    const token = BEARER.exec(authorization ?? '')?.[1];
    if (token === undefined) return { kind: 'unknown', presented: false };
    const now = ctx.now();
    const key = hash('sha256', JSON.stringify([at.tenant, at.connection, token]), 'base64');
    const known = kept.get(key);
    if (known !== undefined && now - known.at < KEPT_MS) return { kind: 'known', directory: known.directory };
    const proven = known !== undefined && now - known.at < PROVEN_MS;
    const blind = proven ? 0 : waitFor(wrong, ip, now, LOOKED_UP_PER_MINUTE);
    if (blind > 0) return { kind: 'too_many', retryAfterSeconds: blind };
    const directory = await ask(ctx, at, token, key, ip);
    if (directory === null) {
      kept.delete(key);
      const waits = waitFor(wrong, ip, now, WRONG_PER_MINUTE);
      countWrong(wrong, ip, now);
      if (waits > 0) return { kind: 'too_many', retryAfterSeconds: waits };
      return { kind: 'unknown', presented: true };
    }
    remember(kept, MAX_ENTRIES, key, { directory, at: now });
    return { kind: 'known', directory };
  };
}

type Wrong = Map<string, { count: number; readonly until: number }>;

/** Seconds that an address has to wait which sent so many wrong ones in its minute. */
function waitFor(wrong: Wrong, ip: string, now: number, most: number): number {
  const entry = wrong.get(ip);
  if (entry === undefined || entry.until <= now || entry.count < most) return 0;
  return Math.ceil((entry.until - now) / 1000);
}

function countWrong(wrong: Wrong, ip: string, now: number): void {
  const entry = wrong.get(ip);
  if (entry !== undefined && entry.until > now) entry.count += 1;
  else remember(wrong, MAX_ENTRIES, ip, { count: 1, until: now + MINUTE });
}
