// Guessing the secret of a client is held up by address, whether the client exists or not; tokens without end by client.

import { hash } from 'node:crypto';
import Provider, { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { remember } from '../core/recent.ts';
import { requestState } from './request-state.ts';

export type ClientThrottle = {
  /** Refuses a secret from an address that showed too many wrong ones. Called before the client is looked for. */
  admit(): void;
  /** Refuses a directory's client its token after too many of them. Called once it has proven who it is. */
  admitToken(clientId: string): void;
  /** Notes how a request that showed a secret ended. */
  note(ctx: KoaContextWithOIDC): void;
};

const WRONG_PER_MINUTE = 20;
/** Each is a row for an hour. One is enough for that hour; ten a second leave room for a provider that asks for one with every request. */
const TOKENS_PER_MINUTE = 600;
const MINUTE = 60_000;
/** A secret that was right within this time is let through whatever others at its address do wrong. Some are shown once an hour. */
const PROVEN_MS = 24 * 60 * MINUTE;
const MAX_ENTRIES = 10_000;
// Where clients authenticate themselves.
const ROUTES = ['token', 'revocation', 'pushed_authorization_request'];

/**
 * Twenty wrong secrets a minute from one address, then 429 with Retry-After until the minute is over (T51). Applications and
 * identity providers share addresses, so a secret that was right lately is never held up. Keeps no secret: only hashes, for a day.
 * Six hundred tokens a minute for one client of a directory, then 429 in the same way: only who knows its secret can use them up.
 */
export function clientThrottle(now = () => Date.now()): ClientThrottle {
  const wrong: Counts = new Map();
  const tokens: Counts = new Map();
  const proven = new Map<string, number>();
  const wait = ({ until }: Count, why: string): never => {
    Provider.ctx?.set('retry-after', String(Math.ceil((until - now()) / 1000)));
    throw tooMany(why);
  };
  return {
    admit() {
      const { ctx } = Provider;
      const shown = ctx === undefined ? null : shownSecret(ctx);
      if (ctx === undefined || shown === null) return;
      const entry = wrong.get(requestState().address);
      if (entry === undefined || entry.until <= now() || entry.count < WRONG_PER_MINUTE) return;
      if (now() - (proven.get(shown) ?? Number.NEGATIVE_INFINITY) < PROVEN_MS) return;
      wait(entry, 'too many wrong secrets came from this address');
    },
    admitToken(clientId) {
      const entry = counted(tokens, clientId, now());
      if (entry.count > TOKENS_PER_MINUTE) wait(entry, 'too many tokens were asked for: use one until it expires');
    },
    note(ctx) {
      const shown = ctx.oidc === undefined ? null : shownSecret(ctx);
      if (shown === null) return;
      if (ctx.status < 300) return remember(proven, MAX_ENTRIES, shown, now());
      const { body } = ctx;
      const failed = typeof body === 'object' && body !== null && 'error' in body && body.error === 'invalid_client';
      if (!failed) return;
      proven.delete(shown);
      counted(wrong, requestState().address, now());
    },
  };
}

type Count = { count: number; readonly until: number };
type Counts = Map<string, Count>;

/** One more within the minute that the first one began. */
function counted(counts: Counts, key: string, now: number): Count {
  const entry = counts.get(key);
  if (entry !== undefined && entry.until > now) {
    entry.count += 1;
    return entry;
  }
  const first = { count: 1, until: now + MINUTE };
  remember(counts, MAX_ENTRIES, key, first);
  return first;
}

/** A hash of the client id and secret that a request shows, as it shows them. */
function shownSecret(ctx: KoaContextWithOIDC): string | null {
  const { route, params } = ctx.oidc;
  if (!ROUTES.includes(route)) return null;
  const header = ctx.get('authorization');
  const secret = params?.client_secret ?? (/^basic /i.test(header) ? header : null);
  return secret === null ? null : hash('sha256', JSON.stringify([params?.client_id ?? null, secret]), 'base64');
}

function tooMany(why: string): Error {
  const error = new errors.OIDCProviderError(429, 'temporarily_unavailable');
  error.expose = true;
  error.error_description = why;
  return error;
}
