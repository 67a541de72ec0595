// Users whom a directory pushes for the first time, several at once: what is known of each, and what one look at all of them says.

import type { Context } from '../context.ts';
import { refusePaused } from '../core/blast-guard.ts';
import type { PushedUser } from '../core/change.ts';
import { type Directory, knownBy } from '../core/directory.ts';
import { decideCreate } from '../core/directory-create.ts';
import { BridgeError, type Refusal } from '../core/errors.ts';
import { userNameKey } from '../core/profile.ts';
import {
  type Newcomer,
  type NewUser,
  readNewcomers,
  type SeenNewcomer,
  writeNewUsers,
} from '../store/directory-batch.ts';
import { plainCreate, readNewcomer, writeNewUser } from '../store/directory-newcomers.ts';
import type { DirectoryUserRow } from '../store/directory-person.ts';
import { raced } from './lost-race.ts';
import { type Unauthenticated, unauthenticated } from './precondition.ts';

/** `keys`: two users who share one have to see each other. */
export type Known = Newcomer & { readonly keys: readonly string[] };

export function know(ctx: Context, directory: Directory, pushed: PushedUser): Known {
  const texts = knownBy(pushed, directory);
  const keys = [...texts, `userName ${userNameKey(pushed.userName)}`];
  if (pushed.email !== null) keys.push(`email ${pushed.email}`);
  return { pushed, hashes: texts.map((text) => ctx.keyHash(text)), keys };
}

/** `met`: they meet somebody, so that it takes locks to decide. */
export type Step = { readonly kind: 'met' } | ({ readonly kind: 'fresh' } & Omit<NewUser, 'hashes'>) | Refusal;

/** What becomes of one after the first look. */
export function stepOf({ pushed }: Newcomer, { facts, met }: SeenNewcomer, ctx: Context): Step {
  // Whom a push would take something from, or give it back to, is noted with its refusal.
  if (facts.paused) return met || facts.userNameTaken || facts.externalIdTaken ? { kind: 'met' } : refusePaused();
  const { outcome, changes, events } = decideCreate(pushed, facts, ctx);
  if (outcome.kind === 'refused') return outcome;
  const plain = met ? null : plainCreate(changes);
  return plain === null ? { kind: 'met' } : { kind: 'fresh', plain, events, requestId: ctx.caller.requestId };
}

/** A user whom one request pushes. */
export type Arrival = Known & { readonly ctx: Context };

export type Arrived =
  | { readonly kind: 'made'; readonly user: Omit<DirectoryUserRow, 'attributes'> }
  /** Nothing was done: they meet somebody. */
  | { readonly kind: 'met' }
  /** Nothing was done: somebody came between. */
  | { readonly kind: 'alone' }
  | Refusal
  | Unauthenticated;

const alone = { kind: 'alone' } as const;

/**
 * Makes those who are plainly new, of one credential, whom as many requests push at the same moment: one statement that looks at all of
 * them, one that writes them, an answer and audit rows for each. Never waits for anybody's lock. For several it throws `unavailable` alone.
 */
export async function makeArrivals(directory: Directory, arrivals: readonly Arrival[]): Promise<readonly Arrived[]> {
  const [first, ...others] = arrivals;
  if (first === undefined) return [];
  if (others.length === 0) return [await makeArrival(directory, first)];
  try {
    return await makeAll(directory, arrivals, first.ctx);
  } catch (error) {
    // Each by itself would wait once more for what did not answer all of them.
    if (error instanceof BridgeError) throw error;
    // Nothing of them was done, and each by itself says what was the matter.
    return arrivals.map(() => alone);
  }
}

/** One of them by itself. */
export async function makeArrival(directory: Directory, { ctx, pushed, hashes }: Arrival): Promise<Arrived> {
  const tx = ctx.hot(directory.tenantId);
  const read = await readNewcomer(tx, directory, pushed, hashes);
  if (read === undefined) return unauthenticated;
  const step = stepOf({ pushed, hashes }, read, ctx);
  if (step.kind !== 'fresh') return step;
  const written = await writeNewUser(ctx, tx, step.plain, step.events, hashes).catch(raced);
  if (written === undefined || 'kind' in written) return alone;
  return { kind: 'made', user: { ...written, id: step.plain[1].directoryUserId } };
}

async function makeAll(directory: Directory, arrivals: readonly Arrival[], ctx: Context): Promise<readonly Arrived[]> {
  const tx = ctx.hot(directory.tenantId);
  const strangers = withoutSharedKeys(arrivals);
  const seen = await readNewcomers(tx, directory, strangers);
  if (seen === undefined) return arrivals.map(() => unauthenticated);
  const outcomes = new Map<Arrival, Arrived>();
  const fresh: (NewUser & { readonly arrival: Arrival })[] = [];
  for (const [index, arrival] of strangers.entries()) {
    const step = stepOf(arrival, seen[index] as SeenNewcomer, arrival.ctx);
    if (step.kind === 'fresh') fresh.push({ ...step, hashes: arrival.hashes, arrival });
    else outcomes.set(arrival, step);
  }
  const [newest] = fresh;
  if (newest !== undefined) {
    const { met, at } = await writeNewUsers(ctx, tx, newest.plain[1].connectionId, fresh);
    const row = { version: 1, createdAt: at, lastModifiedAt: at };
    for (const [index, { arrival, plain }] of fresh.entries()) {
      const user = { ...row, id: plain[1].directoryUserId };
      if (!met.includes(index)) outcomes.set(arrival, { kind: 'made', user });
    }
  }
  return arrivals.map((arrival) => outcomes.get(arrival) ?? alone);
}

/** The first of those who share a key. */
function withoutSharedKeys(arrivals: readonly Arrival[]): readonly Arrival[] {
  const taken = new Set<string>();
  return arrivals.filter(({ keys }) => {
    if (keys.some((key) => taken.has(key))) return false;
    for (const key of keys) taken.add(key);
    return true;
  });
}
