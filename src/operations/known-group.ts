// A group as a push of its directory meets it: what creating, changing and removing one have in common.

import type { Context, TenantTx } from '../context.ts';
import { isMapped } from '../core/blast-guard.ts';
import type { Directory } from '../core/directory.ts';
import type { GroupFacts, MemberEdit, StoredGroup } from '../core/directory-group.ts';
import { BridgeError } from '../core/errors.ts';
import type { DirectoryGroupId } from '../core/ids.ts';
import { configInForce } from '../store/config-in-force.ts';
import {
  type DirectoryGroupRow,
  type LoadedGroup,
  type MembersKept,
  type NamesAsked,
  writeMembers,
} from '../store/directory-groups.ts';
import { UNKNOWN_MEMBER } from './precondition.ts';

/** Asks for nobody else's names. */
export const noNames: NamesAsked = { displayName: null, externalId: null };

/** What a push of a group is decided by, with the tenant's configuration as it is now. */
export async function factsOf(tx: TenantTx, directory: Directory, loaded: LoadedGroup): Promise<GroupFacts> {
  const config = await configInForce(tx, loaded.configVersion);
  return { ...loaded, directory, rules: config.rules, bindings: config.bindings };
}

/**
 * Writes members in a transaction that holds the group's row. What refuses them is thrown and not answered: what the transaction wrote
 * before has to go.
 */
export async function writeWithin(
  ctx: Context,
  tx: TenantTx,
  directory: Directory,
  groupId: DirectoryGroupId,
  edit: MemberEdit,
): Promise<MembersKept> {
  const written = await writeMembers(ctx, tx, directory, groupId, 'locked', edit);
  if (written.kind === 'unknown_member') throw new BridgeError('invalid', UNKNOWN_MEMBER);
  if (written.kind !== 'changed' && written.kind !== 'unchanged')
    throw new BridgeError('unavailable', 'The server is busy. Try again.', written.kind);
  return written;
}

/** Whether the group maps to a role now, so that leaving it takes something. */
export async function mapsNow(
  tx: TenantTx,
  directory: Directory,
  loaded: LoadedGroup,
  group: DirectoryGroupRow,
): Promise<boolean> {
  const { rules } = await factsOf(tx, directory, loaded);
  return isMapped(rules, { connectionId: directory.connectionId, held: loaded.held }, storedOf(group));
}

/** The group as decisions know it. */
export function storedOf({ id, displayName, externalId, attributes, version }: DirectoryGroupRow): StoredGroup {
  return { groupId: id, displayName, externalId, attributes: JSON.parse(attributes), version };
}
