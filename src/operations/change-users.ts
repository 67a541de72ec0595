// Users of a directory who are changed and removed one after the other, as in a bulk: those who have nothing to do with each other are
// read together and written together. Each is decided by itself, and becomes what they would have become alone, in the same order.

import type { Context, TenantTx } from '../context.ts';
import type { PushedUser } from '../core/change.ts';
import { type Directory, emailKey, knownBy, type StoredUser } from '../core/directory.ts';
import { changedNames, changesKeys, decideEnd, decideUpdate, keysBrought } from '../core/directory-update.ts';
import type { Refusal } from '../core/errors.ts';
import { type DirectoryUserId, isUuid } from '../core/ids.ts';
import { userNameKey } from '../core/profile.ts';
import { applyTogether } from '../store/apply-together.ts';
import { LostRace } from '../store/database.ts';
import {
  type Clash,
  type Given,
  lockPeopleOf,
  readClashes,
  readSuspendedByKeys,
  readUsersFacts,
  readUsersFactsAgain,
} from '../store/directory-user-sets.ts';
import type { LoadedUser } from '../store/directory-users.ts';
import type { Gift } from '../store/guests-below.ts';
import { carryKeysBelow } from './carry-keys-below.ts';
import { type CurrentUser, nameTaken, storedOf } from './known-user.ts';
import {
  type IfMatch,
  meets,
  type Unauthenticated,
  unauthenticated,
  unknownUser,
  versionMismatch,
} from './precondition.ts';
import { removeDirectoryUser, updateDirectoryUser } from './provision-user.ts';

export type UserAct =
  | {
      readonly kind: 'update';
      readonly id: string;
      readonly edit: (current: CurrentUser) => PushedUser;
      readonly ifMatch: IfMatch;
    }
  | { readonly kind: 'remove'; readonly id: string; readonly ifMatch: IfMatch };

export type ActOutcome =
  /** Version of the user, null of one who was removed. */
  | { readonly kind: 'done'; readonly version: number | null }
  /** With what the act by itself would have thrown. */
  | { readonly kind: 'failed'; readonly error: unknown }
  | Refusal
  | Unauthenticated;

export type ActsOptions = {
  /** Asked before each step. */
  readonly goesOn: () => boolean;
  /** Nothing is begun after an outcome that is another than `done`. */
  readonly stopAtRefusal: boolean;
  /** Awaited between pieces of long work. */
  readonly pace: () => Promise<void> | undefined;
};

/** More would hold the rows of too many people at once. */
const MOST_TOGETHER = 100;
/** Of users as JSON, which are written in one piece: a small change may be one of a large user. */
const MOST_CHARACTERS = 1024 * 1024;

/**
 * Does what {@link updateDirectoryUser} and {@link removeDirectoryUser} do, for one user after the other; nobody may be named twice.
 * Outcomes come in the order of the acts and may be fewer: the rest was not begun. Never throws.
 */
export async function changeDirectoryUsers(
  ctx: Context,
  directory: Directory,
  acts: readonly UserAct[],
  options: ActsOptions,
): Promise<readonly ActOutcome[]> {
  const outcomes: ActOutcome[] = [];
  let size = MOST_TOGETHER;
  while (outcomes.length < acts.length && options.goesOn()) {
    const next = acts.slice(outcomes.length, outcomes.length + size);
    const done = next.length === 1 ? [] : await together(ctx, directory, next, options);
    outcomes.push(...done);
    if (mustStop(outcomes, options)) break;
    const left = next[done.length];
    if (left === undefined) {
      size = Math.min(2 * size, MOST_TOGETHER);
      continue;
    }
    if (!options.goesOn()) break;
    // What was read of those behind it is in vain, so fewer are read the next time.
    size = next.length === 1 ? 2 : Math.max(1, done.length);
    outcomes.push(await alone(ctx, directory, left));
    if (mustStop(outcomes, options)) break;
  }
  return outcomes;
}

function mustStop(outcomes: readonly ActOutcome[], { stopAtRefusal }: ActsOptions): boolean {
  const last = outcomes.at(-1);
  return last !== undefined && last.kind !== 'done' && (stopAtRefusal || last.kind === 'unauthenticated');
}

async function alone(ctx: Context, directory: Directory, act: UserAct): Promise<ActOutcome> {
  try {
    if (act.kind === 'remove') {
      const removed = await removeDirectoryUser(ctx, directory, act.id, act.ifMatch);
      return removed.kind === 'ended' ? { kind: 'done', version: null } : removed;
    }
    const updated = await updateDirectoryUser(ctx, directory, act.id, act.edit, act.ifMatch);
    return updated.kind === 'done' ? { kind: 'done', version: updated.user.version } : updated;
  } catch (error) {
    return { kind: 'failed', error };
  }
}

/** An act that writes; `next` null: the user goes. */
type Writing = {
  readonly at: number;
  readonly loaded: LoadedUser;
  readonly stored: StoredUser;
  readonly next: PushedUser | null;
};

/** Outcomes of the first acts, up to one that has to be done by itself. */
async function together(
  ctx: Context,
  directory: Directory,
  acts: readonly UserAct[],
  options: ActsOptions,
): Promise<readonly ActOutcome[]> {
  try {
    const { outcomes, writings } = await sift(ctx, directory, acts, options);
    if (writings.length === 0) return outcomes;
    const written = await ctx.transaction(directory.tenantId, (tx) => write(ctx, tx, directory, writings, options));
    for (const [index, { at }] of writings.entries()) {
      const outcome = written[index];
      if (outcome === undefined) return outcomes.slice(0, at);
      outcomes[at] = outcome;
      if (mustStop(outcomes.slice(0, at + 1), options)) return outcomes.slice(0, at + 1);
    }
    return outcomes;
  } catch {
    // Nothing of them was done, and each by itself says what was the matter.
    return [];
  }
}

const toBeWritten: ActOutcome = { kind: 'failed', error: new Error('not written') };

/** What the first look says of each. */
async function sift(
  ctx: Context,
  directory: Directory,
  acts: readonly UserAct[],
  options: ActsOptions,
): Promise<{ readonly outcomes: ActOutcome[]; readonly writings: readonly Writing[] }> {
  const ids = acts.map(({ id }) => id).filter(isUuid) as DirectoryUserId[];
  const users = await readUsersFacts(ctx.hot(directory.tenantId), directory, ids);
  if (users === undefined) return { outcomes: acts.map(() => unauthenticated), writings: [] };
  const outcomes: ActOutcome[] = [];
  const writings: Writing[] = [];
  const taken = new Set<string>();
  let characters = 0;
  for (const [at, act] of acts.entries()) {
    await options.pace();
    const step = look(directory, act, users.get(act.id as DirectoryUserId));
    if (step === 'alone') break;
    if (!('stored' in step)) {
      outcomes.push(step);
      if (mustStop(outcomes, options)) break;
      continue;
    }
    const keys = keysOf(directory, step);
    characters += step.next?.json.length ?? 0;
    if (keys.some((key) => taken.has(key)) || (at > 0 && characters > MOST_CHARACTERS)) break;
    for (const key of keys) taken.add(key);
    outcomes.push(toBeWritten);
    writings.push({ at, ...step });
  }
  return { outcomes, writings };
}

/** Administrators are decided about with all the others in view, and whom the guard counts are counted one by one. */
function look(
  { settings }: Directory,
  act: UserAct,
  loaded: LoadedUser | undefined,
): ActOutcome | Omit<Writing, 'at'> | 'alone' {
  if (loaded === undefined) return unknownUser();
  if (!meets(act.ifMatch, loaded.row.version)) return versionMismatch();
  const stored = storedOf(loaded);
  if (loaded.person.administers || loaded.paused) return 'alone';
  if (act.kind === 'remove') return settings.guard === null ? { loaded, stored, next: null } : 'alone';
  try {
    const next = act.edit({ row: loaded.row, attributes: stored.attributes });
    if (changedNames(stored, next).length === 0) return { kind: 'done', version: loaded.row.version };
    return settings.guard !== null && stored.active && !next.active ? 'alone' : { loaded, stored, next };
  } catch (error) {
    return { kind: 'failed', error };
  }
}

/** Two acts that share one have to see each other. */
function keysOf(directory: Directory, { loaded, stored, next }: Omit<Writing, 'at'>): readonly string[] {
  const { userId, profile } = loaded.person;
  const keys = [`person ${userId}`, `userName ${userNameKey(stored.userName)}`, ...knownBy(stored, directory)];
  if (next !== null) keys.push(`userName ${userNameKey(next.userName)}`, ...knownBy(next, directory));
  if (profile.email !== null) keys.push(emailKey(profile.email));
  return keys;
}

/** Under the locks of all of them. Outcomes of the first, up to one who has to be looked at alone. */
async function write(
  ctx: Context,
  tx: TenantTx,
  directory: Directory,
  writings: readonly Writing[],
  { stopAtRefusal }: ActsOptions,
): Promise<readonly ActOutcome[]> {
  const ids = writings.map(({ stored }) => stored.directoryUserId);
  await lockPeopleOf(tx, ids);
  const users = await readUsersFactsAgain(tx, directory, ids);
  if (users === undefined) return writings.map(() => unauthenticated);
  const now = writings.map(({ stored: { directoryUserId, version } }) => {
    const loaded = users.get(directoryUserId);
    return loaded?.row.version === version && !loaded.paused && !loaded.person.administers ? loaded : undefined;
  });
  const given = givenKeys(ctx, directory, writings);
  const read = await readClashes(tx, directory, given);
  const clashes = new Map(given.map(({ index }, at) => [index, read[at] ?? noClash]));
  const outcomes: ActOutcome[] = [];
  const decisions: Parameters<typeof applyTogether>[2][number][] = [];
  for (const [index, { stored, next }] of writings.entries()) {
    const loaded = now[index];
    const clash = clashes.get(index) ?? noClash;
    // Whom a suspension comes over takes it from somebody, and may pass it on.
    if (loaded === undefined || clash.suspended) break;
    const { person } = loaded;
    const decision =
      next === null
        ? decideEnd({ person, stored })
        : decideUpdate(next, { ...loaded, stored, addressFree: !clash.addressTaken, suspended: [] }, ctx);
    // As the database says it of a single push.
    const taken = decision.outcome.kind === 'refused' ? null : takenName(clash);
    if (taken === null) decisions.push(decision);
    const refusal = decision.outcome.kind === 'refused' ? decision.outcome : taken;
    outcomes.push(refusal ?? { kind: 'done', version: next === null ? null : loaded.row.version + 1 });
    if (refusal !== null && stopAtRefusal) break;
  }
  await applyTogether(ctx, tx, decisions);
  // Written by now, so whoever is suspended from here on finds them.
  const keys = given.flatMap(({ index, userId, hashes }) => (index < outcomes.length ? { of: userId, hashes } : []));
  if ((await readSuspendedByKeys(tx, keys)).length > 0) throw new LostRace('a suspension began meanwhile');
  await carryKeysBelow(
    ctx,
    tx,
    given.filter(({ index }) => outcomes[index]?.kind === 'done'),
  );
  return outcomes;
}

const noClash: Clash = { userNameTaken: false, externalIdTaken: false, addressTaken: false, suspended: false };

function takenName({ userNameTaken, externalIdTaken }: Clash): Refusal | null {
  if (externalIdTaken) return nameTaken.directory_users_open_external_id;
  return userNameTaken ? nameTaken.directory_users_open_user_name : null;
}

/** What they are given that they did not have, those to whom that happens. */
function givenKeys(
  ctx: Context,
  directory: Directory,
  writings: readonly Writing[],
): readonly (Given & Gift & { readonly index: number })[] {
  return writings.flatMap(({ loaded, stored, next }, index) => {
    if (next === null || !changesKeys(stored, next)) return [];
    const { keys, userName } = keysBrought(stored, next, directory);
    return {
      index,
      id: stored.directoryUserId,
      userId: loaded.person.userId,
      userNameKey: userName === null ? null : userNameKey(userName),
      externalId: next.externalId === stored.externalId ? null : next.externalId,
      email: next.email === stored.email ? null : next.email,
      hashes: keys.map((key) => ctx.keyHash(key)),
      had: knownBy(stored, directory).map((key) => ctx.keyHash(key)),
    };
  });
}
