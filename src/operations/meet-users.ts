// New users who meet somebody: an account that they are linked to, a person who left, an address or a name that somebody has. Those who
// meet different people are looked at and written together, under the locks of everybody whom they may touch.

import type { Context, TenantTx } from '../context.ts';
import { refusePaused } from '../core/blast-guard.ts';
import type { Directory } from '../core/directory.ts';
import { decideCreate } from '../core/directory-create.ts';
import type { Refusal } from '../core/errors.ts';
import type { DirectoryUserId, SubjectId, UserId } from '../core/ids.ts';
import { applyTogether } from '../store/apply-together.ts';
import { LostRace } from '../store/database.ts';
import { type Newcomer, readCreateFactsOfAll } from '../store/directory-batch.ts';
import type { ReadCreateFacts } from '../store/directory-newcomers.ts';
import { lockSubjects, readSuspendedByKeys } from '../store/directory-user-sets.ts';
import type { Gift } from '../store/guests-below.ts';
import { carryKeysBelow } from './carry-keys-below.ts';
import { touched } from './known-user.ts';
import { type Unauthenticated, unauthenticated } from './precondition.ts';
import { peopleOf, silencedBy } from './silenced-groups.ts';

export type MetOutcome =
  | { readonly kind: 'done'; readonly id: DirectoryUserId; readonly version: number }
  | Refusal
  | Unauthenticated;

/** Those whom {@link createMet} can take, and the people whom they touch. */
export type Meeting = { readonly met: readonly Newcomer[]; readonly people: ReadonlySet<SubjectId> };

/**
 * The first of them, as many as {@link createMet} can take: they touch different people, and what becomes of one of them hangs on
 * nothing that another one does. Those alone have to be: who meets an administrator, whom the guard may count, and who comes back or
 * is linked under a suspended person's keys: then whatever they were ever known by is a suspended person's, or they were let in with these.
 */
export async function meetingOf(tx: TenantTx, directory: Directory, met: readonly Newcomer[]): Promise<Meeting> {
  const people = new Set<SubjectId>();
  const facts = (met.length === 0 ? undefined : await readCreateFactsOfAll(tx, directory, met)) ?? [];
  const silenced = await silencedBy(tx, directory, facts);
  for (const [index, one] of facts.entries()) {
    const ids = touched(one);
    if (isAlone(directory, met[index] as Newcomer, one, silenced) || ids.some((id) => people.has(id)))
      return { met: met.slice(0, index), people };
    for (const id of ids) people.add(id);
  }
  return { met, people };
}

function isAlone(
  { settings }: Directory,
  { pushed }: Newcomer,
  facts: ReadCreateFacts,
  silenced: ReadonlySet<UserId>,
): boolean {
  const { byExternalId, byEmail, suspended } = facts;
  if (peopleOf(facts).some(({ administers, userId }) => administers || silenced.has(userId))) return true;
  if (facts.paused || (settings.guard !== null && !pushed.active)) return true;
  return [byExternalId, byEmail].some(
    (person) => person !== null && suspended.some(({ subjectId }) => subjectId !== person.userId),
  );
}

/**
 * Makes of each what {@link createDirectoryUser} would. Outcomes come in their order and may be fewer: the rest was not begun, since
 * somebody came between, or with `stopAtRefusal`, since one outcome is another than `done`. Where it throws, nothing was done.
 */
export function createMet(
  ctx: Context,
  directory: Directory,
  { met, people: locked }: Meeting,
  stopAtRefusal: boolean,
): Promise<readonly MetOutcome[]> {
  return ctx.transaction(directory.tenantId, async (tx): Promise<readonly MetOutcome[]> => {
    await lockSubjects(tx, [...locked]);
    const facts = await readCreateFactsOfAll(tx, directory, met);
    if (facts === undefined) return met.map(() => unauthenticated);
    const silenced = await silencedBy(tx, directory, facts);
    const outcomes: MetOutcome[] = [];
    const decisions: ReturnType<typeof decideCreate>[] = [];
    const gifts: Gift[] = [];
    const people = new Set<string>();
    for (const [index, one] of facts.entries()) {
      const newcomer = met[index] as Newcomer;
      const ids = touched(one);
      if (isAlone(directory, newcomer, one, silenced) || ids.some((id) => !locked.has(id) || people.has(id))) break;
      for (const id of ids) people.add(id);
      const decision = one.paused ? null : decideCreate(newcomer.pushed, one, ctx);
      if (decision !== null) decisions.push(decision);
      const outcome = decision === null ? refusePaused() : decision.outcome;
      if (outcome.kind === 'created') gifts.push({ userId: outcome.userId, hashes: newcomer.hashes, had: [] });
      outcomes.push(outcome.kind === 'refused' ? outcome : { kind: 'done', id: outcome.directoryUserId, version: 1 });
      if (outcome.kind === 'refused' && stopAtRefusal) break;
    }
    await applyTogether(ctx, tx, decisions);
    const known = new Set<string>([
      ...facts.flatMap(({ suspended }) => suspended.map(({ subjectId }) => subjectId)),
      ...decisions.flatMap(({ changes }) => changes.flatMap((one) => (one.kind === 'suspend' ? one.subjectId : []))),
    ]);
    const keys = met.slice(0, outcomes.length).map(({ hashes }) => ({ of: null, hashes }));
    const suspended = await readSuspendedByKeys(tx, keys);
    // Written by now, so whoever is suspended from here on finds them.
    if (suspended.some((id) => !known.has(id) && !people.has(id))) throw new LostRace('a suspension began meanwhile');
    await carryKeysBelow(ctx, tx, gifts);
    return outcomes;
  });
}
