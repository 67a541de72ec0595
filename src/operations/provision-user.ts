// What a directory pushes about its users. Plain pushes are one statement that reads and one that writes; the others take the
// rows of the people whom they touch, read again and decide in a transaction.

import type { Context, TenantTx } from '../context.ts';
import { directoriesBar } from '../core/access.ts';
import { refusePaused } from '../core/blast-guard.ts';
import type { Change, Decision, PushedUser } from '../core/change.ts';
import { barsByAdopting, type Directory, knownBy, type PersonFacts, type StoredUser } from '../core/directory.ts';
import { type CreateFacts, type CreateOutcome, decideCreate } from '../core/directory-create.ts';
import { changesKeys, decideEnd, decideUpdate, keysBrought, type UpdateFacts } from '../core/directory-update.ts';
import type { Refusal } from '../core/errors.ts';
import { type DirectoryUserId, isUuid, type KeyHash, type UserId } from '../core/ids.ts';
import { userNameKey } from '../core/profile.ts';
import { apply } from '../store/apply.ts';
import type { Restored } from '../store/blast-guard.ts';
import { LostRace } from '../store/database.ts';
import { readCreateFacts } from '../store/directory-newcomers.ts';
import { type DirectoryUserRow, isAddressFree, readWritten, type WrittenRow } from '../store/directory-person.ts';
import { type LoadedUser, plainUpdate, readUserFacts, writeUserUpdate } from '../store/directory-users.ts';
import { lockSubject } from '../store/subject.ts';
import { readSuspendedBehind, readSuspendedOthers } from '../store/suspended-namesakes.ts';
import { carryKeysBelow } from './carry-keys-below.ts';
import { enterGuard, guarded, type Harm, refuseWhilePaused } from './guard-directory.ts';
import { type CurrentUser, nameTaken, storedOf, touched, withOwner, withOwners } from './known-user.ts';
import { lostRace, untilWon } from './lost-race.ts';
import { type Arrival, type Arrived, know, makeArrival, makeArrivals } from './newcomers.ts';
import {
  type IfMatch,
  meets,
  type Unauthenticated,
  unauthenticated,
  unknownUser,
  versionMismatch,
} from './precondition.ts';
import { silencedBy } from './silenced-groups.ts';
import { holdKeysOfInheritors } from './standing.ts';

export type ProvisionOutcome =
  | { readonly kind: 'done'; readonly user: DirectoryUserRow; readonly changed: boolean }
  | Refusal
  | Unauthenticated;

/**
 * A user whom the directory pushes for the first time; see {@link decideCreate}. At most two statements if they are plainly new, which
 * are those of others as well who come at the same moment; the largest users go by themselves.
 */
export async function createDirectoryUser(
  ctx: Context,
  directory: Directory,
  pushed: PushedUser,
): Promise<ProvisionOutcome> {
  const { tenantId, connectionId, credentialId } = directory;
  const arrival: Arrival = { ctx, ...know(ctx, directory, pushed) };
  const make = (arrivals: readonly Arrival[]) => makeArrivals(directory, arrivals);
  // While one act waits for the disk, the next may look and write: of whoever is pushed twice, the unique keys let one be made.
  const line = { rowId: `newcomers ${connectionId}`, like: `newcomers ${credentialId}`, atOnce: 2 } as const;
  let first: Arrived | null =
    pushed.json.length > FEW_CHARACTERS ? null : await ctx.together(tenantId, line, arrival, make);
  return untilWon(async () => {
    const arrived = first ?? (await makeArrival(directory, arrival));
    first = null;
    switch (arrived.kind) {
      case 'made':
        return created(pushed, arrived.user);
      case 'met':
        return createTogether(ctx, directory, pushed, arrival.hashes);
      case 'alone':
        return lostRace;
      default:
        return arrived;
    }
  });
}

/** Of a user as JSON: sixty-four of the longest would be one statement of sixteen megabytes, written in one piece. */
const FEW_CHARACTERS = 16 * 1024;

/** Under the locks of everybody whom the push may touch. */
function createTogether(
  ctx: Context,
  directory: Directory,
  pushed: PushedUser,
  hashes: readonly KeyHash[],
): Promise<ProvisionOutcome> {
  return ctx.transaction(directory.tenantId, async (tx): Promise<ProvisionOutcome> => {
    const seen = await readCreateFacts(tx, directory, pushed, hashes);
    if (seen === undefined) return unauthenticated;
    const mayTake = !pushed.active || seen.suspended.length > 0 || (await silencedBy(tx, directory, [seen])).size > 0;
    if (mayTake || seen.paused) await enterGuard(tx, directory, seen.paused);
    const locked = touched(seen);
    for (const subjectId of locked) await lockSubject(tx, subjectId);
    const facts = await readCreateFacts(tx, directory, pushed, hashes);
    if (facts === undefined) return unauthenticated;
    if (touched(facts).some((subjectId) => !locked.includes(subjectId))) {
      throw new LostRace('somebody else came to have the keys of a pushed user');
    }
    const { byEmail, suspended } = facts;
    const suspendedBehind =
      byEmail === null || suspended.length === 0
        ? suspended
        : await readSuspendedBehind(tx, directory.connectionId, byEmail.userId, { hashes, userName: pushed.userName });
    const decision = decideCreate(pushed, await withOwners(tx, { ...facts, suspendedBehind }), ctx);
    const harm = harmOfMeeting(pushed, facts, decision, await silencedBy(tx, directory, [facts]));
    if (harm !== null && !mayTake) throw new LostRace('somebody came to have groups by a sign-in meanwhile');
    // Of one that was paused meanwhile the guard may not be locked any more: it is sent again.
    if (facts.paused && !seen.paused && !mayTake) return refusePaused();
    if (facts.paused) return refuseWhilePaused(tx, directory, harm?.asked ?? null, restoredByNew(pushed, facts));
    const stopped = harm === null ? null : await guarded(ctx, tx, directory, harm);
    if (stopped !== null) return stopped;
    await apply(ctx, tx, decision);
    if (decision.outcome.kind === 'refused') return decision.outcome;
    await holdKeysOfInheritors(ctx, tx, decision.changes);
    await carryKeysBelow(ctx, tx, [{ userId: decision.outcome.userId, hashes, had: [] }]);
    const id = decision.outcome.directoryUserId;
    return created(pushed, { ...(await readWritten(tx, id)), id });
  });
}

/**
 * Somebody is adopted as inactive, or comes back under a suspended person's names while another directory has them active, or their
 * groups of sign-ins count no more. Only who it is is recorded: the identity provider sends a refused creation again.
 */
function harmOfMeeting(
  pushed: PushedUser,
  { byEmail, byExternalId, directory }: CreateFacts,
  { outcome, changes }: Decision<CreateOutcome>,
  silenced: ReadonlySet<UserId>,
): Harm | null {
  if (outcome.kind === 'refused') return null;
  const takes =
    silenced.has(outcome.userId) ||
    (outcome.as === 'adopted'
      ? !pushed.active && byEmail !== null && barsByAdopting(byEmail, directory)
      : outcome.as === 'returned' &&
        byExternalId !== null &&
        !directoriesBar(byExternalId.directoryUsers) &&
        changes.some((change) => change.kind === 'suspend'));
  return takes ? touching(outcome.userId) : null;
}

function created(pushed: PushedUser, row: Omit<DirectoryUserRow, 'attributes'>): ProvisionOutcome {
  return { kind: 'done', user: { ...row, attributes: pushed.json }, changed: true };
}

/**
 * A push of a user whom the directory has: `edit` says what they are to be, from what they are; it may run again if somebody else
 * wrote meanwhile, and may throw the edge's own refusals. At most two statements unless keys change, an administrator is met, or the
 * directory's guard has to count.
 * Refuses `unknown_user`, `version_mismatch`, names that are taken, and what {@link decideUpdate} refuses.
 */
export async function updateDirectoryUser(
  ctx: Context,
  directory: Directory,
  id: string,
  edit: (current: CurrentUser) => PushedUser,
  ifMatch: IfMatch,
): Promise<ProvisionOutcome> {
  if (!isUuid(id)) return unknownUser();
  const directoryUserId = id as DirectoryUserId;
  const once = async (): Promise<ProvisionOutcome> => {
    const tx = ctx.hot(directory.tenantId);
    const step = await prepare(tx, directory, directoryUserId, edit, ifMatch);
    if (step.kind !== 'ready') return step;
    const { loaded, stored, next } = step;
    const counts = directory.settings.guard !== null && stored.active && !next.active;
    if (changesKeys(stored, next) || loaded.person.administers || counts || loaded.paused)
      return updateTogether(ctx, directory, loaded, edit, ifMatch);
    const facts: UpdateFacts = { ...loaded, stored, addressFree: false, suspended: [] };
    const { outcome, changes, events } = decideUpdate(next, facts, ctx);
    if (outcome.kind === 'refused') return outcome;
    if (!outcome.changed) return { kind: 'done', user: loaded.row, changed: false };
    const plain = plainUpdate(changes);
    if (plain === null) return updateTogether(ctx, directory, loaded, edit, ifMatch);
    const written = await writeUserUpdate(ctx, tx, loaded, plain, events);
    // Somebody else is at this user: wait in line for them rather than race again.
    return written === undefined
      ? updateTogether(ctx, directory, loaded, edit, ifMatch)
      : updated(loaded, next, written);
  };
  return ctx.inTurn(directory.tenantId, id, () => untilWon(once, nameTaken));
}

type Step =
  | { readonly kind: 'ready'; readonly loaded: LoadedUser; readonly stored: StoredUser; readonly next: PushedUser }
  | Refusal
  | Unauthenticated;

async function prepare(
  tx: TenantTx,
  directory: Directory,
  id: DirectoryUserId,
  edit: (current: CurrentUser) => PushedUser,
  ifMatch: IfMatch,
): Promise<Step> {
  const loaded = await readUserFacts(tx, directory, id);
  if (loaded === undefined) return unauthenticated;
  if (loaded === null) return unknownUser();
  if (!meets(ifMatch, loaded.row.version)) return versionMismatch();
  const stored = storedOf(loaded);
  return { kind: 'ready', loaded, stored, next: edit({ row: loaded.row, attributes: stored.attributes }) };
}

/** Under the person's lock: what a suspension goes by is about to change, or an administrator is, or the guard has a say. */
function updateTogether(
  ctx: Context,
  directory: Directory,
  before: LoadedUser,
  edit: (current: CurrentUser) => PushedUser,
  ifMatch: IfMatch,
): Promise<ProvisionOutcome> {
  return ctx.transaction(directory.tenantId, async (tx): Promise<ProvisionOutcome> => {
    const guard = await enterGuard(tx, directory, before.paused);
    await lockSubject(tx, before.person.userId);
    const step = await prepare(tx, directory, before.row.id, edit, ifMatch);
    if (step.kind !== 'ready') return step;
    const { loaded, stored, next } = step;
    const person = await withOwner(tx, loaded.person);
    const addressFree = await isAddressFree(tx, next.email, person.userId);
    const { connectionId } = loaded.directory;
    const { keys, userName } = keysBrought(stored, next, loaded.directory);
    const hashes = keys.map((text) => ctx.keyHash(text));
    const had = hashes.length === 0 ? [] : knownBy(stored, loaded.directory).map((text) => ctx.keyHash(text));
    const suspended = await readSuspendedOthers(tx, connectionId, person.userId, { hashes, userName });
    const decision = decideUpdate(next, { ...loaded, person, stored, addressFree, suspended }, ctx);
    if (decision.outcome.kind === 'updated') {
      const harm = harmOf(stored, next, person, decision.changes);
      if (guard.paused || loaded.paused)
        return refuseWhilePaused(tx, directory, harm?.asked ?? null, restoredBy(edit, loaded, stored));
      const stopped = harm === null ? null : await guarded(ctx, tx, directory, harm);
      if (stopped !== null) return stopped;
    }
    await apply(ctx, tx, decision);
    if (decision.outcome.kind === 'refused') return decision.outcome;
    await holdKeysOfInheritors(ctx, tx, decision.changes);
    await carryKeysBelow(ctx, tx, [{ userId: person.userId, hashes, had }]);
    if (!decision.outcome.changed) return { kind: 'done', user: loaded.row, changed: false };
    return updated(loaded, next, await readWritten(tx, loaded.row.id));
  });
}

/** Of what has to be sent again to be done. */
function touching(userId: UserId): Harm {
  return { harmed: { kind: 'user', userId }, asked: { kind: 'touch_user', userId } };
}

/** Deactivated, or suspended by somebody else's keys. */
function harmOf(
  stored: StoredUser,
  next: PushedUser,
  { userId }: PersonFacts,
  changes: readonly Change[],
): Harm | null {
  const { directoryUserId } = stored;
  if (stored.active && !next.active)
    return { harmed: { kind: 'user', userId }, asked: { kind: 'deactivate_user', directoryUserId } };
  return changes.some((change) => change.kind === 'suspend') ? touching(userId) : null;
}

/** Whether the push says that the user is active, and not only leaves them so: it would make an inactive one active. */
function restoredBy(
  edit: (current: CurrentUser) => PushedUser,
  { row }: LoadedUser,
  { directoryUserId, attributes }: StoredUser,
): readonly Restored[] {
  const { active } = edit({ row, attributes: { ...attributes, active: false } });
  return active ? [{ kind: 'user', directoryUserId }] : [];
}

/** A user pushed as if new while the directory has them: that says that they are active, too. */
function restoredByNew({ userName, externalId, active }: PushedUser, facts: CreateFacts): readonly Restored[] {
  const there = facts.userNameTaken || facts.externalIdTaken;
  return active && there ? [{ kind: 'named', userNameKey: userNameKey(userName), externalId }] : [];
}

function updated({ row }: LoadedUser, next: PushedUser, written: WrittenRow): ProvisionOutcome {
  return { kind: 'done', user: { ...row, ...written, attributes: next.json }, changed: true };
}

export type RemoveOutcome = { readonly kind: 'ended' } | Refusal | Unauthenticated;

/** DELETE by the directory; see {@link decideEnd}. Refuses `unknown_user` and `version_mismatch`. */
export async function removeDirectoryUser(
  ctx: Context,
  directory: Directory,
  id: string,
  ifMatch: IfMatch,
): Promise<RemoveOutcome> {
  if (!isUuid(id)) return unknownUser();
  const remove = async (tx: TenantTx): Promise<RemoveOutcome> => {
    const before = await readUserFacts(tx, directory, id as DirectoryUserId);
    if (before === undefined) return unauthenticated;
    if (before === null) return unknownUser();
    const guard = await enterGuard(tx, directory, before.paused);
    await lockSubject(tx, before.person.userId);
    const loaded = await readUserFacts(tx, directory, id as DirectoryUserId);
    if (loaded === undefined) return unauthenticated;
    if (loaded === null) return unknownUser();
    if (!meets(ifMatch, loaded.row.version)) return versionMismatch();
    const stored = storedOf(loaded);
    const decision = decideEnd({ person: await withOwner(tx, loaded.person), stored });
    if (decision.outcome.kind === 'ended') {
      const { directoryUserId, active } = stored;
      const asked = { kind: 'remove_user', directoryUserId } as const;
      if (guard.paused || loaded.paused) return refuseWhilePaused(tx, directory, asked);
      const harm: Harm | null = active ? { harmed: { kind: 'user', userId: loaded.person.userId }, asked } : null;
      const stopped = harm === null ? null : await guarded(ctx, tx, directory, harm);
      if (stopped !== null) return stopped;
    }
    await apply(ctx, tx, decision);
    return decision.outcome;
  };
  return ctx.inTurn(directory.tenantId, id, () => ctx.transaction(directory.tenantId, remove));
}
