// Groups that a directory creates, and those that it removes. How it changes them: see change-group.ts.

import type { Context, TenantTx } from '../context.ts';
import { refusePaused } from '../core/blast-guard.ts';
import type { Directory } from '../core/directory.ts';
import { decideCreateGroup, decideEndGroup, type GroupNames } from '../core/directory-group.ts';
import type { Refusal } from '../core/errors.ts';
import { type DirectoryGroupId, type DirectoryUserId, isUuid } from '../core/ids.ts';
import { groupNameKey } from '../core/profile.ts';
import { apply } from '../store/apply.ts';
import { type DirectoryGroupRow, plainGroup, readGroupFacts, writeNewGroup } from '../store/directory-groups.ts';
import { lockConfig, lockGroup } from '../store/group-locks.ts';
import { enterGuard, guarded, refuseWhilePaused } from './guard-directory.ts';
import { factsOf, mapsNow, noNames, storedOf, writeWithin } from './known-group.ts';
import { lostRace, untilWon } from './lost-race.ts';
import {
  type IfMatch,
  meets,
  type Unauthenticated,
  unauthenticated,
  unknownGroup,
  unknownMember,
  versionMismatch,
} from './precondition.ts';

export type CreateGroupResult =
  | { readonly kind: 'done'; readonly group: DirectoryGroupRow }
  | Refusal
  | Unauthenticated;

/**
 * A new group with its members. At most two statements unless the tenant's rules speak of its name. Refuses `group_name_taken`,
 * `external_id_taken`, and (`invalid`) a member that is no open user of this directory: then nothing is written.
 */
export function createDirectoryGroup(
  ctx: Context,
  directory: Directory,
  pushed: GroupNames,
  members: readonly DirectoryUserId[],
): Promise<CreateGroupResult> {
  const groupId = ctx.newId<DirectoryGroupId>();
  return untilWon(async () => {
    const tx = ctx.hot(directory.tenantId);
    const loaded = await readGroupFacts(tx, directory, null, pushed);
    if (loaded === undefined) return unauthenticated;
    if (loaded.paused)
      return loaded.nameTaken || loaded.externalIdTaken
        ? refuseAsIfNew(ctx, directory, pushed, members)
        : refusePaused();
    const { outcome, changes, events } = decideCreateGroup(pushed, groupId, await factsOf(tx, directory, loaded));
    if (outcome.kind === 'refused') return outcome;
    const plain = plainGroup(changes);
    if (plain === null) return createBound(ctx, directory, pushed, groupId, members);
    const written = await writeNewGroup(ctx, tx, plain, members, loaded.configVersion, events);
    if (written === undefined) return lostRace;
    return written === 'unknown_member'
      ? unknownMember()
      : { kind: 'done', group: { ...plain, ...written, id: groupId, attributes: JSON.stringify(plain.attributes) } };
  });
}

/** A group pushed as if new while the directory has it: that says that it stays, with its rule and these members. */
function refuseAsIfNew(
  ctx: Context,
  directory: Directory,
  pushed: GroupNames,
  ids: readonly DirectoryUserId[],
): Promise<Refusal | Unauthenticated | typeof lostRace> {
  return ctx.transaction(directory.tenantId, async (tx) => {
    await enterGuard(tx, directory, true);
    const loaded = await readGroupFacts(tx, directory, null, pushed);
    if (loaded === undefined) return unauthenticated;
    if (!loaded.paused) return lostRace;
    const { displayName, externalId } = pushed;
    return refuseWhilePaused(tx, directory, null, [
      { kind: 'named_group', nameKey: groupNameKey(displayName), externalId, ids },
    ]);
  });
}

/** Rules are bound one group at a time, under the lock of the tenant's configuration. */
function createBound(
  ctx: Context,
  directory: Directory,
  pushed: GroupNames,
  groupId: DirectoryGroupId,
  members: readonly DirectoryUserId[],
): Promise<CreateGroupResult> {
  return ctx.transaction(directory.tenantId, async (tx): Promise<CreateGroupResult> => {
    await lockConfig(tx);
    const loaded = await readGroupFacts(tx, directory, null, pushed);
    if (loaded === undefined) return unauthenticated;
    if (loaded.paused) return refusePaused();
    const decision = decideCreateGroup(pushed, groupId, await factsOf(tx, directory, loaded));
    await apply(ctx, tx, decision);
    if (decision.outcome.kind === 'refused') return decision.outcome;
    if (members.length > 0)
      await writeWithin(ctx, tx, directory, groupId, { kind: 'change', add: members, remove: [] });
    const made = await readGroupFacts(tx, directory, groupId, noNames);
    if (made === undefined || made.group === null) return unauthenticated;
    return { kind: 'done', group: made.group };
  });
}

export type RemoveGroupResult = { readonly kind: 'ended' } | Refusal | Unauthenticated;

/** DELETE by the directory: the group and its memberships end, and the rules that held for it keep its id alone. */
export async function removeDirectoryGroup(
  ctx: Context,
  directory: Directory,
  id: string,
  ifMatch: IfMatch,
): Promise<RemoveGroupResult> {
  if (!isUuid(id)) return unknownGroup();
  const groupId = id as DirectoryGroupId;
  const remove = async (tx: TenantTx): Promise<RemoveGroupResult> => {
    const guard = await enterGuard(tx, directory, false);
    await lockGroup(tx, groupId);
    const loaded = await readGroupFacts(tx, directory, groupId, noNames);
    if (loaded === undefined) return unauthenticated;
    if (loaded.group === null) return unknownGroup();
    if (!meets(ifMatch, loaded.group.version)) return versionMismatch();
    const asked = { kind: 'remove_group', groupId } as const;
    const harmed = { kind: 'members', groupId, leaving: { kind: 'all' } } as const;
    const harm = (await mapsNow(tx, directory, loaded, loaded.group)) ? { harmed, asked } : null;
    if (guard.paused || loaded.paused) return refuseWhilePaused(tx, directory, harm?.asked ?? null);
    const stopped = harm === null ? null : await guarded(ctx, tx, directory, harm);
    if (stopped !== null) return stopped;
    const decision = decideEndGroup(storedOf(loaded.group));
    await apply(ctx, tx, decision);
    return decision.outcome;
  };
  return ctx.inTurn(directory.tenantId, id, () => ctx.transaction(directory.tenantId, remove));
}
