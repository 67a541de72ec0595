// Guessing the secret of a client is held up by address, whether the client exists or not.

import { hash } from 'node:crypto';
import Provider, { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { requestState } from './request-state.ts';

export type ClientThrottle = {
  /** Refuses a secret from an address that showed too many wrong ones. Called before the client is looked for. */
  admit(): void;
  /** Notes how a request that showed a secret ended. */
  note(ctx: KoaContextWithOIDC): void;
};

const WRONG_PER_MINUTE = 20;
const MINUTE = 60_000;
/** A secret that was right within this time is let through whatever others at its address do wrong. Some are shown once an hour. */
const PROVEN_MS = 24 * 60 * MINUTE;
const MAX_ENTRIES = 10_000;
// Where clients authenticate themselves.
const ROUTES = ['token', 'revocation', 'pushed_authorization_request'];

/**
 * Twenty wrong secrets a minute from one address, then 429 with Retry-After until the minute is over (T51). Applications and
 * identity providers share addresses, so a secret that was right lately is never held up. Keeps no secret: only hashes, for a day.
 */
export function clientThrottle(now = () => Date.now()): ClientThrottle {
  const wrong = new Map<string, { count: number; readonly until: number }>();
  const proven = new Map<string, number>();
  return {
    admit() {
      const { ctx } = Provider;
      const shown = ctx === undefined ? null : shownSecret(ctx);
      if (ctx === undefined || shown === null) return;
      const entry = wrong.get(requestState().address);
      if (entry === undefined || entry.until <= now() || entry.count < WRONG_PER_MINUTE) return;
      if (now() - (proven.get(shown) ?? Number.NEGATIVE_INFINITY) < PROVEN_MS) return;
      ctx.set('retry-after', String(Math.ceil((entry.until - now()) / 1000)));
      throw tooMany();
    },
    note(ctx) {
      const shown = ctx.oidc === undefined ? null : shownSecret(ctx);
      if (shown === null) return;
      if (ctx.status < 300) return put(proven, shown, now());
      const { body } = ctx;
      const failed = typeof body === 'object' && body !== null && 'error' in body && body.error === 'invalid_client';
      if (!failed) return;
      proven.delete(shown);
      const { address } = requestState();
      const entry = wrong.get(address);
      if (entry !== undefined && entry.until > now()) entry.count += 1;
      else put(wrong, address, { count: 1, until: now() + MINUTE });
    },
  };
}

/** A hash of the client id and secret that a request shows, as it shows them. */
function shownSecret(ctx: KoaContextWithOIDC): string | null {
  const { route, params } = ctx.oidc;
  if (!ROUTES.includes(route)) return null;
  const header = ctx.get('authorization');
  const secret = params?.client_secret ?? (/^basic /i.test(header) ? header : null);
  return secret === null ? null : hash('sha256', JSON.stringify([params?.client_id ?? null, secret]), 'base64');
}

function tooMany(): Error {
  const error = new errors.OIDCProviderError(429, 'temporarily_unavailable');
  error.expose = true;
  error.error_description = 'too many wrong secrets came from this address';
  return error;
}

/** The oldest go first, so that nobody fills the memory with addresses. */
function put<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > MAX_ENTRIES) for (const oldest of map.keys()) if (map.delete(oldest)) break;
}
