// What a slow oracle says of a step: who was ever known by what, who is suspended, and what an administrator was asked about. Nothing of
// the code under test decides here.

import type { Picture, Suspension } from './namesakes-stage.ts';

export class Broken extends Error {}

/** What is remembered beside the database. Steps count from 1. */
export type Memory = {
  step: number;
  /** Of accounts: since when they were ever known by a key. */
  readonly ever: Map<string, Map<string, number>>;
  /** Since when an address or a name is their own, without a break. */
  readonly own: Map<string, Map<string, number>>;
  readonly began: Map<string, number>;
  /** Accounts and identities that are linked without a question that is open. */
  readonly proven: Set<string>;
};
export type Done = {
  readonly act: { readonly act: string };
  readonly detail?: unknown;
  readonly assigned?: string;
  readonly came?: Came;
};
export type Came = {
  readonly userId: string;
  readonly tenantId: string;
  readonly shown: readonly string[];
  readonly identity: string;
};

export function know(memory: Memory, userId: string, key: string): void {
  const known = memory.ever.get(userId) ?? new Map<string, number>();
  memory.ever.set(userId, known);
  if (!known.has(key)) known.set(key, memory.step);
}

export function learn(memory: Memory, before: Picture, after: Picture, done: readonly Done[]): void {
  for (const { id } of after.suspensions) if (!memory.began.has(id)) memory.began.set(id, memory.step);
  for (const account of after.accounts.values()) {
    for (const key of [...account.pushed, ...account.linked]) know(memory, account.userId, key);
    const own = memory.own.get(account.userId) ?? new Map<string, number>();
    memory.own.set(account.userId, own);
    for (const key of [...own.keys()]) if (!account.own.has(key)) own.delete(key);
    for (const key of account.own) if (!own.has(key)) own.set(key, memory.step);
  }
  // Whoever inherits at a sign-in is known by all that it showed.
  for (const { came } of done) {
    if (came === undefined || isOpen(before, came.userId)) continue;
    if (!after.suspensions.some((one) => one.open && one.subjectId === came.userId && one.from !== null)) continue;
    for (const key of came.shown) know(memory, came.userId, key);
  }
}

export const isOpen = ({ suspensions }: Picture, subjectId: string) =>
  suspensions.some((one) => one.open && one.subjectId === subjectId);
const accountOf = ({ guests }: Picture, subjectId: string) =>
  guests.find((one) => one.guestId === subjectId)?.userId ?? subjectId;

/** Whether an administrator let the subject in when asked about the key, of whoever `of` is. */
function cleared(memory: Memory, all: Picture, subjectId: string, key: string, of: Suspension): boolean {
  const since = (id: string) => memory.ever.get(accountOf(all, id))?.get(key) ?? Number.POSITIVE_INFINITY;
  return all.suspensions.some((mine) => {
    if (mine.subjectId !== subjectId || mine.open || mine.from === null) return false;
    const at = memory.began.get(mine.id) as number;
    const origin = all.suspensions.find((one) => one.id === mine.from);
    if (origin === undefined || since(subjectId) > at || since(origin.subjectId) > at) return false;
    return origin.id === of.id || (memory.began.get(of.id) as number) <= at || of.from === origin.id;
  });
}

export function check(memory: Memory, before: Picture, after: Picture, done: readonly Done[]): void {
  const assigned = new Set(done.map((one) => one.assigned));
  for (const { id, subjectId } of before.suspensions.filter((one) => one.open)) {
    const now = after.suspensions.find((one) => one.id === id);
    if (now?.open !== true && !assigned.has(subjectId)) throw new Broken(`lifted by nobody: ${id} of ${subjectId}`);
  }
  /** Suspensions that held before the step and after it, of others who were known by the key before it. */
  const behind = (tenantId: string, subjectId: string, key: string) =>
    before.suspensions.filter((one) => {
      const since = memory.ever.get(accountOf(after, one.subjectId))?.get(key) ?? Number.POSITIVE_INFINITY;
      const holds = one.open && after.suspensions.some((now) => now.id === one.id && now.open);
      return holds && one.tenantId === tenantId && one.subjectId !== subjectId && since < memory.step;
    });
  const must = (what: string, subjectId: string, key: string, of: Suspension) => {
    if (isOpen(after, subjectId) || assigned.has(subjectId)) return;
    throw new Broken(`${what}: ${subjectId} has ${key} of ${of.subjectId}, ${of.id}`);
  };
  const created = done.some(({ act }) => act.act === 'create');
  for (const account of after.accounts.values()) {
    const { userId, tenantId } = account;
    const had = before.accounts.get(userId);
    const gained = [...account.pushed].filter(
      (key) => had?.pushed.has(key) !== true || (account.own.has(key) && !had.own.has(key)),
    );
    for (const key of gained)
      for (const of of behind(tenantId, userId, key)) {
        const known = had !== undefined && created && cleared(memory, after, userId, key, of);
        // What they are linked by already, and a directory says as well.
        if (!known) must('given', userId, key, of);
      }
    const fresh = [
      ...gained.filter((key) => had?.pushed.has(key) !== true),
      ...[...account.linked].filter((key) => had?.linked.has(key) !== true),
    ];
    for (const guest of after.guests.filter((one) => one.userId === userId && one.mapped)) {
      const wasMapped = before.guests.some((one) => one.guestId === guest.guestId && one.mapped);
      const given = wasMapped ? fresh : [...(memory.ever.get(userId)?.keys() ?? [])];
      for (const key of given)
        for (const of of behind(guest.tenantId, guest.guestId, key)) {
          const origin = accountOf(after, of.subjectId);
          const theirs = memory.ever.get(origin)?.get(key) as number;
          // Of two who have it at once, nothing tells who was only taken to have it.
          const first =
            theirs > (memory.began.get(of.id) as number) &&
            after.accounts.get(origin)?.pushed.has(key) === true &&
            (memory.ever.get(userId)?.get(key) as number) <= theirs;
          if (wasMapped && (first || cleared(memory, after, guest.guestId, key, of))) continue;
          must(wasMapped ? 'given below' : 'mapped', guest.guestId, key, of);
        }
    }
  }
  for (const { came } of done) {
    if (came === undefined || memory.proven.has(came.identity)) continue;
    const { userId, tenantId, shown } = came;
    const mine = after.suspensions.find((one) => one.open && one.subjectId === userId);
    let unasked = false;
    for (const key of shown)
      for (const of of behind(tenantId, userId, key)) {
        const own = memory.own.get(userId)?.get(key) ?? Number.POSITIVE_INFINITY;
        const theirs = memory.ever.get(accountOf(after, of.subjectId))?.get(key) as number;
        const looked = own <= Math.max(memory.began.get(of.id) as number, theirs);
        if (looked || cleared(memory, after, userId, key, of)) continue;
        must('signed in', userId, key, of);
        // An administrator is asked about the one whose suspension it is, and about nobody else.
        unasked ||= mine !== undefined && mine.from !== of.id && (of.from === null || mine.from !== of.from);
      }
    if (!unasked) memory.proven.add(came.identity);
  }
}
