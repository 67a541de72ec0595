// Many users whom a directory pushes one after the other, as in a bulk: runs of them are read together and written together, the plainly
// new ones and those who meet somebody. Each is decided by itself, and becomes what they would have become alone, in the same order.

import type { Context, TenantTx } from '../context.ts';
import type { PushedUser } from '../core/change.ts';
import type { Directory } from '../core/directory.ts';
import { BridgeError, type Refusal } from '../core/errors.ts';
import type { DirectoryUserId } from '../core/ids.ts';
import { type NewUser, readNewcomers, type SeenNewcomer, writeNewUsers } from '../store/directory-batch.ts';
import { createMet, type Meeting, meetingOf } from './meet-users.ts';
import { type Known, know, type Step, stepOf } from './newcomers.ts';
import { type Unauthenticated, unauthenticated } from './precondition.ts';
import { createDirectoryUser } from './provision-user.ts';

export type BatchOutcome =
  | { readonly kind: 'done'; readonly id: DirectoryUserId; readonly version: number }
  /** With what {@link createDirectoryUser} would have thrown. */
  | { readonly kind: 'failed'; readonly error: unknown }
  | Refusal
  | Unauthenticated;

export type UserBatch = {
  /**
   * The users become what {@link createDirectoryUser} would have made of them one after the other, after all that were added before.
   * Outcomes come in the users' order. Whoever has none was not begun, since `goesOn` said no or, with `stopAtRefusal`, since one of
   * the outcomes is another than `done`. Never throws.
   */
  add(users: readonly PushedUser[], stopAtRefusal: boolean): Promise<Outcomes>;
};

type Outcomes = readonly (BatchOutcome | undefined)[];

/** `at`: their place among the users of an `add`. */
type Placed = Known & { readonly at: number };
type Fresh = Placed & NewUser;

type Batch = {
  readonly ctx: Context;
  readonly tx: TenantTx;
  readonly directory: Directory;
  readonly goesOn: () => boolean;
  readonly writing: Set<Promise<void>>;
  /** Keys of those who are being written. */
  readonly inFlight: Set<string>;
  /** How many are looked at: fewer after a look that was in vain for most of them. */
  look: number;
};

const MOST_LOOKED_AT = 200;

/** One `add`: what became of its users so far, and what is still on its way. */
type Added = {
  readonly users: readonly Known[];
  readonly stopAtRefusal: boolean;
  readonly outcomes: (BatchOutcome | undefined)[];
  readonly writes: Promise<void>[];
};

/**
 * A batch of users of one directory. An `add` is decided once those before it were; what they write may still be on its way then,
 * where the two share no key. `goesOn` is asked before each step.
 */
export function userBatch(ctx: Context, directory: Directory, goesOn: () => boolean): UserBatch {
  const tx = ctx.hot(directory.tenantId);
  const batch: Batch = { ctx, tx, directory, goesOn, writing: new Set(), inFlight: new Set(), look: MOST_LOOKED_AT };
  let turn: Promise<void> = Promise.resolve();
  return {
    async add(pushed, stopAtRefusal) {
      const users = pushed.map((user) => know(ctx, directory, user));
      const added: Added = { users, stopAtRefusal, outcomes: users.map(() => undefined), writes: [] };
      const before = turn;
      const { promise, resolve } = Promise.withResolvers<void>();
      turn = promise;
      try {
        await before;
        await work(batch, added);
      } finally {
        resolve();
      }
      await Promise.all(added.writes);
      return added.outcomes;
    },
  };
}

/** Decides users until all are, or it has to stop. */
async function work(batch: Batch, added: Added): Promise<void> {
  const { users } = added;
  let at = 0;
  while (at < users.length && batch.goesOn()) {
    const part = strangers(batch, users, at);
    if (part.length === 0) {
      await Promise.all(batch.writing);
      continue;
    }
    const { decided, stops } = await together(batch, added, part, at);
    batch.look = decided === part.length ? Math.min(2 * batch.look, MOST_LOOKED_AT) : Math.max(1, decided);
    at += decided;
    if (stops) return;
  }
}

/** Users from `from` on who share no key with each other, nor with anybody who is being written. */
function strangers({ inFlight, look }: Batch, users: readonly Known[], from: number): readonly Known[] {
  const taken = new Set<string>();
  let to = from;
  for (; to < users.length && to < from + look; to += 1) {
    const { keys } = users[to] as Known;
    if (keys.some((key) => taken.has(key) || inFlight.has(key))) break;
    for (const key of keys) taken.add(key);
  }
  return users.slice(from, to);
}

type Decided = { readonly decided: number; readonly stops: boolean };

/** Decides users by one look at all of them, up to the first for whom the others have to be through: the next look begins there. */
async function together(batch: Batch, added: Added, part: readonly Known[], from: number): Promise<Decided> {
  const { outcomes, stopAtRefusal } = added;
  let steps: readonly (Step | Unauthenticated)[];
  let met: readonly Placed[];
  let meeting: Meeting;
  try {
    steps = await stepsOf(batch, part, stopAtRefusal);
    met = steps.flatMap(({ kind }, index) => (kind === 'met' ? [{ ...(part[index] as Known), at: from + index }] : []));
    meeting = await meetingOf(batch.tx, batch.directory, met);
  } catch (error) {
    const decided = stopAtRefusal ? 1 : part.length;
    outcomes.fill({ kind: 'failed', error }, from, from + decided);
    return { decided, stops: stopAtRefusal };
  }
  const cut = met[meeting.met.length];
  if (cut !== undefined && cut.at === from) {
    await Promise.all(batch.writing);
    await eachAlone(batch, added, [cut]);
    return { decided: 1, stops: mustStop(added, from, 1) };
  }
  const decided = cut === undefined ? steps.length : cut.at - from;
  const fresh: Fresh[] = [];
  for (const [index, step] of steps.slice(0, decided).entries()) {
    if (step.kind === 'fresh') fresh.push({ ...(part[index] as Known), ...step, at: from + index });
    else if (step.kind !== 'met') outcomes[from + index] = step;
  }
  begin(batch, added, fresh);
  await meet(batch, added, meeting, met);
  if (stopAtRefusal) await Promise.all(batch.writing);
  return { decided, stops: mustStop(added, from, decided) };
}

/** Whether nobody is to be begun after these. Asked when they are through. */
function mustStop({ stopAtRefusal, outcomes }: Added, from: number, decided: number): boolean {
  return stopAtRefusal && outcomes.slice(from, from + decided).some((outcome) => outcome?.kind !== 'done');
}

/**
 * What {@link createDirectoryUser} does after its first look. `onlyAlike`: of those alone who are to be tried like the first of them,
 * and of the first alone where it is refused.
 */
async function stepsOf(
  batch: Batch,
  part: readonly Known[],
  onlyAlike: boolean,
): Promise<readonly (Step | Unauthenticated)[]> {
  const seen = await readNewcomers(batch.tx, batch.directory, part);
  if (seen === undefined) return part.map(() => unauthenticated);
  const steps = part.map((known, index) => stepOf(known, seen[index] as SeenNewcomer, batch.ctx));
  if (!onlyAlike) return steps;
  const other = steps.findIndex(({ kind }) => kind !== steps[0]?.kind || kind === 'refused');
  return other === -1 ? steps : steps.slice(0, Math.max(1, other));
}

/** Whoever cannot be written with the others, since somebody came between, is tried alone. */
async function meet(batch: Batch, added: Added, meeting: Meeting, met: readonly Placed[]): Promise<void> {
  const { outcomes, stopAtRefusal } = added;
  const together = met.slice(0, meeting.met.length);
  if (together.length === 0) return;
  const done = await createMet(batch.ctx, batch.directory, meeting, stopAtRefusal).catch(() => []);
  for (const [index, outcome] of done.entries()) outcomes[(together[index] as Placed).at] = outcome;
  if (done.every(({ kind }) => kind === 'done') || !stopAtRefusal)
    await eachAlone(batch, added, together.slice(done.length));
}

/** One after the other, as long as it goes on. */
async function eachAlone(batch: Batch, { outcomes, stopAtRefusal }: Added, users: readonly Placed[]): Promise<void> {
  for (const { pushed, at } of users) {
    if (!batch.goesOn()) return;
    const outcome = await alone(batch, pushed);
    outcomes[at] = outcome;
    if (stopAtRefusal && outcome.kind !== 'done') return;
  }
}

async function alone({ ctx, directory }: Batch, pushed: PushedUser): Promise<BatchOutcome> {
  try {
    const outcome = await createDirectoryUser(ctx, directory, pushed);
    return outcome.kind === 'done' ? { kind: 'done', id: outcome.user.id, version: outcome.user.version } : outcome;
  } catch (error) {
    return { kind: 'failed', error };
  }
}

function begin(batch: Batch, added: Added, users: readonly Fresh[]): void {
  const [first] = users;
  if (first === undefined) return;
  for (const { keys } of users) for (const key of keys) batch.inFlight.add(key);
  const written = write(batch, added, users, first).finally(() => {
    batch.writing.delete(written);
    for (const { keys } of users) for (const key of keys) batch.inFlight.delete(key);
  });
  batch.writing.add(written);
  added.writes.push(written);
}

/** Whoever cannot be written with the others, since somebody came between, is tried alone. */
async function write(batch: Batch, added: Added, users: readonly Fresh[], first: Fresh): Promise<void> {
  const { outcomes, stopAtRefusal } = added;
  let again: ReadonlySet<number>;
  try {
    again = new Set((await writeNewUsers(batch.ctx, batch.tx, first.plain[1].connectionId, users)).met);
  } catch (error) {
    // Nothing of them was done. Where the database is away, it is so for each; anything else may be the matter of one.
    if (error instanceof BridgeError) {
      for (const { at } of stopAtRefusal ? [first] : users) outcomes[at] = { kind: 'failed', error };
      return;
    }
    again = new Set(users.keys());
  }
  for (const [index, { at, plain }] of users.entries()) {
    if (!again.has(index)) outcomes[at] = { kind: 'done', id: plain[1].directoryUserId, version: 1 };
  }
  await eachAlone(
    batch,
    added,
    users.filter((_, index) => again.has(index)),
  );
}
