// What one request to the provider knows: whom it read, under which epochs, and what it is about to spend.

import { AsyncLocalStorage } from 'node:async_hooks';
import type { Response } from 'express';
import type { Context } from '../context.ts';
import { formatSub, type Person, type TenantSlug } from '../core/ids.ts';
import type { Holder } from '../operations/keep-artifact.ts';
import { type AccessRead, readAccess } from '../operations/read-access.ts';

type Payload = Readonly<Record<string, unknown>>;

export type RequestState = {
  readonly context: Context;
  readonly response: Response;
  /** Where the request came from, as far as the proxies in front are trusted to say. */
  readonly address: string;
  readonly startedAt: number;
  /** Epochs by `sub` and tenant, the first that this request saw: whoever was barred since then gets nothing. */
  readonly holders: Map<string, Holder>;
  /** What was found, so that it is spent under the epochs that it was found with. */
  readonly found: Map<
    string,
    { readonly holder: Holder | null; readonly grantId: string | null; readonly payload: Payload }
  >;
  /** Grants that came along with a token. */
  readonly grants: Map<string, Payload>;
  /** The access that this request's tokens are made from. */
  access: AccessRead | null;
  /** The session as it was read, whose row the session is written back to. */
  sessionId: string | null;
  /** A refresh token that is spent when the next one of its family is written. */
  rotating: string | null;
  /** The rotation of a refresh token that this request made, or may have made. */
  rotated: { readonly spent: string; readonly next: string } | null;
  /** Writes the page that answers this request, once the library is done: it still saves the session after it asked for the page. */
  page: (() => unknown) | null;
};

const storage = new AsyncLocalStorage<RequestState>();

export function runRequest<T>(context: Context, response: Response, address: string, act: () => T): T {
  const state: RequestState = {
    context,
    response,
    address,
    startedAt: performance.now(),
    holders: new Map(),
    found: new Map(),
    grants: new Map(),
    access: null,
    sessionId: null,
    rotating: null,
    rotated: null,
    page: null,
  };
  return storage.run(state, act);
}

export function requestState(): RequestState {
  const state = storage.getStore();
  if (state === undefined) throw new Error('the provider was asked outside a request');
  return state;
}

/** How long this request has been running. */
export function secondsAskedFor(state: RequestState): number {
  return (performance.now() - state.startedAt) / 1000;
}

const key = (sub: string, tenant: string | null) => `${sub} ${tenant ?? ''}`;

/** The epochs under which something may be issued to a person, for a tenant or (null) for the session; undefined where not read. */
export function holderFor(state: RequestState, sub: string, tenant: string | null): Holder | undefined {
  return state.holders.get(key(sub, tenant));
}

export function noteHolder(state: RequestState, holder: Holder, tenant: string | null): void {
  const sub = formatSub(holder.person);
  const note = (at: string, one: Holder) => {
    if (!state.holders.has(at)) state.holders.set(at, one);
  };
  note(key(sub, tenant), holder);
  note(key(sub, null), { ...holder, target: null });
}

/**
 * The person's access for a tenant (null: home), from what holds now. Its claims are null too where the person was barred since
 * this request first read about them, even if they are let in again by now: what they held before is dead.
 */
export async function readAccessOnce(
  state: RequestState,
  person: Person,
  tenant: TenantSlug | null,
): Promise<AccessRead | null> {
  const read = await readAccess(state.context, person, tenant);
  if (read === null) return null;
  const { home: epoch, target } = read.epochs;
  const before = [holderFor(state, formatSub(person), null), holderFor(state, formatSub(person), read.selected)];
  const stale = before.some(
    (one) => one !== undefined && (one.epoch !== epoch || (one.target !== null && one.target.epoch !== target?.epoch)),
  );
  noteHolder(state, { person, epoch, target }, read.selected);
  return stale ? { ...read, claims: null } : read;
}
