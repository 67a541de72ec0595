// A push of a group that the directory has: its names, its members, or both. Members are written as sets, in one statement whatever
// their number.

import type { Context, TenantTx } from '../context.ts';
import { isMapped, losesMapping } from '../core/blast-guard.ts';
import type { Directory } from '../core/directory.ts';
import {
  changedParts,
  decideUpdateGroup,
  editsMembers,
  type GroupAttributes,
  type GroupNames,
  type MemberEdit,
} from '../core/directory-group.ts';
import type { Refusal } from '../core/errors.ts';
import { type DirectoryGroupId, type DirectoryUserId, isUuid } from '../core/ids.ts';
import { apply } from '../store/apply.ts';
import type { Leaving, Restored } from '../store/blast-guard.ts';
import {
  type DirectoryGroupRow,
  type LoadedGroup,
  type MembersWritten,
  type NamesAsked,
  onlyAdds,
  readGroupFacts,
  writeMembers,
} from '../store/directory-groups.ts';
import { type Addition, writeAdditions } from '../store/group-additions.ts';
import { lockConfig, lockGroup, lockJoining } from '../store/group-locks.ts';
import { enterGuard, guarded, type Harm, refuseWhilePaused } from './guard-directory.ts';
import { factsOf, mapsNow, noNames, storedOf, writeWithin } from './known-group.ts';
import { lostRace, raced, untilWon } from './lost-race.ts';
import {
  type IfMatch,
  meets,
  type Unauthenticated,
  unauthenticated,
  unknownGroup,
  unknownMember,
  versionMismatch,
} from './precondition.ts';

export type GroupEdit = {
  readonly names: Partial<Omit<GroupNames, 'attributes'>>;
  readonly members: MemberEdit;
  /** What values of extensions are to be, from what they are; may throw the edge's own refusals. Left out: as they are. */
  readonly attributes?: (held: GroupAttributes) => GroupAttributes;
};

export type UpdateGroupResult =
  /** `version`: what the group is at then. */
  { readonly kind: 'done'; readonly changed: boolean; readonly version: number } | Refusal | Unauthenticated;

/**
 * A push of a group that the directory has: its names, its members, or both. Members that are added cost one statement, others two;
 * new names and values of extensions go by a transaction. Refuses `unknown_group`, `version_mismatch`, `group_name_taken`,
 * `external_id_taken`, and (`invalid`) a member to be added that is no open user of this directory: then nothing is written.
 */
export async function updateDirectoryGroup(
  ctx: Context,
  directory: Directory,
  id: string,
  edit: GroupEdit,
  ifMatch: IfMatch,
): Promise<UpdateGroupResult> {
  if (!isUuid(id)) return unknownGroup();
  const groupId = id as DirectoryGroupId;
  const additions = plainAdditions(edit, ifMatch);
  if (additions !== null && additions.length <= FEW) {
    const added = await addTogether(ctx, directory, groupId, additions);
    if (added.kind !== 'lost_race' && added.kind !== 'paused') return added;
  }
  return ctx.inTurn(directory.tenantId, id, async () => {
    const tx = ctx.hot(directory.tenantId);
    const written =
      additions === null
        ? updateOnce(ctx, tx, directory, groupId, edit, ifMatch)
        : editMembers(ctx, tx, directory, groupId, null, edit.members);
    const once = await written.catch(raced);
    if (once.kind !== 'lost_race' && once.kind !== 'paused') return once;
    // Somebody else is at this group, its names change, or the guard has a say: under its lock.
    const seemsPaused = once.kind === 'paused';
    return untilWon(() => updateTogether(ctx, directory, groupId, edit, ifMatch, seemsPaused));
  });
}

/** Nothing was done: what the push would take or give back is to be noted with its refusal. */
const paused = { kind: 'paused' } as const;

/** What a statement that holds no lock came to. */
type Tried = UpdateGroupResult | typeof lostRace | typeof paused;

/** So many that to wait for them holds nobody up: they may go together with others. */
const FEW = 100;

/** The ids that a push adds where it does nothing else and goes by no version: then nothing has to be read before. */
function plainAdditions(
  { names, members, attributes }: GroupEdit,
  ifMatch: IfMatch,
): readonly DirectoryUserId[] | null {
  if ((ifMatch !== null && ifMatch !== '*') || Object.keys(names).length > 0 || attributes !== undefined) return null;
  return members.kind === 'change' && onlyAdds(members) && editsMembers(members) ? members.add : null;
}

/** A full sync sends the members of a group one by one, many at once. */
async function addTogether(
  ctx: Context,
  directory: Directory,
  groupId: DirectoryGroupId,
  ids: readonly DirectoryUserId[],
): Promise<Tried> {
  const write = (additions: readonly Addition[]) =>
    writeAdditions(ctx.hot(directory.tenantId), directory, groupId, additions);
  const line = { rowId: groupId, like: `additions ${directory.credentialId}`, atOnce: 1 } as const;
  const written = await ctx.together(directory.tenantId, line, { ctx, ids }, write).catch(raced);
  return resultOf(written);
}

async function updateOnce(
  ctx: Context,
  tx: TenantTx,
  directory: Directory,
  groupId: DirectoryGroupId,
  edit: GroupEdit,
  ifMatch: IfMatch,
): Promise<Tried> {
  const { names, members } = edit;
  const loaded = await readGroupFacts(tx, directory, groupId, asked(names));
  if (loaded === undefined) return unauthenticated;
  if (loaded.group === null) return unknownGroup();
  if (!meets(ifMatch, loaded.group.version)) return versionMismatch();
  if (loaded.paused) return paused;
  if (namesAs(loaded.group, edit) !== null) return lostRace;
  const counts = directory.settings.guard !== null && !onlyAdds(members);
  if (counts && (await mapsNow(tx, directory, loaded, loaded.group))) return lostRace;
  if (!editsMembers(members)) return { kind: 'done', changed: false, version: loaded.group.version };
  return editMembers(ctx, tx, directory, groupId, loaded.group.version, members);
}

async function editMembers(
  ctx: Context,
  tx: TenantTx,
  directory: Directory,
  groupId: DirectoryGroupId,
  version: number | null,
  members: MemberEdit,
): Promise<Tried> {
  return resultOf(await writeMembers(ctx, tx, directory, groupId, version, members));
}

function resultOf(written: MembersWritten): Tried {
  switch (written.kind) {
    case 'unauthenticated':
      return unauthenticated;
    case 'unknown_group':
      return unknownGroup();
    case 'unknown_member':
      return unknownMember();
    case 'paused':
      return paused;
    case 'lost_race':
      return lostRace;
    case 'unchanged':
    case 'changed':
      return { kind: 'done', changed: written.kind === 'changed', version: written.version };
  }
}

function asked(names: GroupEdit['names']): NamesAsked {
  return { ...noNames, ...names };
}

/** The group's names and values of extensions after the edit, or null where they stay as they are. */
function namesAs(group: DirectoryGroupRow, { names, attributes }: GroupEdit): GroupNames | null {
  const stored = storedOf(group);
  const { displayName, externalId } = stored;
  const changed = attributes === undefined ? {} : { attributes: attributes(stored.attributes ?? {}) };
  const next = { displayName, externalId, ...names, ...changed };
  return changedParts(next, stored).length === 0 ? null : next;
}

/** Under the locks of the directory's guard, of the configuration and of the group. */
function updateTogether(
  ctx: Context,
  directory: Directory,
  groupId: DirectoryGroupId,
  edit: GroupEdit,
  ifMatch: IfMatch,
  seemsPaused: boolean,
): Promise<UpdateGroupResult> {
  const { names, members } = edit;
  return ctx.transaction(directory.tenantId, async (tx): Promise<UpdateGroupResult> => {
    const guard = await enterGuard(tx, directory, seemsPaused);
    if (Object.keys(names).length > 0) await lockConfig(tx);
    await lockJoining(tx, groupId, members);
    await lockGroup(tx, groupId);
    const loaded = await readGroupFacts(tx, directory, groupId, asked(names));
    if (loaded === undefined) return unauthenticated;
    if (loaded.group === null) return unknownGroup();
    if (!meets(ifMatch, loaded.group.version)) return versionMismatch();
    const next = namesAs(loaded.group, edit);
    const harm = await harmOf(tx, directory, loaded, loaded.group, next, members);
    if (guard.paused || loaded.paused)
      return refuseWhilePaused(tx, directory, harm?.asked ?? null, restoredBy(loaded.group, edit));
    const decision =
      next === null ? null : decideUpdateGroup(next, storedOf(loaded.group), await factsOf(tx, directory, loaded));
    if (decision?.outcome.kind === 'refused') return decision.outcome;
    const stopped = harm === null ? null : await guarded(ctx, tx, directory, harm);
    if (stopped !== null) return stopped;
    if (decision !== null) await apply(ctx, tx, decision);
    const renamed = next !== null;
    if (!editsMembers(members)) {
      return { kind: 'done', changed: renamed, version: loaded.group.version + (renamed ? 1 : 0) };
    }
    const { kind, version } = await writeWithin(ctx, tx, directory, groupId, members);
    return { kind: 'done', changed: renamed || kind === 'changed', version };
  });
}

/** Only groups that rules speak of: to leave another takes nothing from anybody. */
async function harmOf(
  tx: TenantTx,
  directory: Directory,
  loaded: LoadedGroup,
  group: DirectoryGroupRow,
  next: GroupNames | null,
  members: MemberEdit,
): Promise<Harm | null> {
  const leaving = leavingBy(members);
  if (leaving === null && next === null) return null;
  const { rules } = await factsOf(tx, directory, loaded);
  const [here, there] = [{ connectionId: directory.connectionId, held: loaded.held }, storedOf(group)];
  const harmed = { kind: 'members', groupId: group.id } as const;
  if (next !== null && losesMapping(rules, here, there, next))
    return { harmed: { ...harmed, leaving: { kind: 'all' } }, asked: { kind: 'unmap_group', groupId: group.id } };
  if (leaving === null || !isMapped(rules, here, there)) return null;
  return { harmed: { ...harmed, leaving }, asked: { kind: 'leave_group', groupId: group.id, leaving } };
}

function leavingBy(members: MemberEdit): Leaving | null {
  if (members.kind === 'replace') return { kind: 'others', ids: members.to };
  return members.remove.length === 0 ? null : { kind: 'these', ids: members.remove };
}

function restoredBy(group: DirectoryGroupRow, { names, members }: GroupEdit): readonly Restored[] {
  const { id: groupId } = group;
  const ids = members.kind === 'replace' ? members.to : members.add;
  return [
    ...(ids.length === 0 ? [] : [{ kind: 'members', groupId, ids } as const]),
    ...(names.externalId === storedOf(group).externalId ? [{ kind: 'mapping', groupId } as const] : []),
  ];
}
