// Answers that carry members of groups: made while the members are read, so that a group of any size is never in memory.

import type { DirectoryGroupId } from '../core/ids.ts';
import { membersOf } from '../operations/read-directory.ts';
import { CredentialEnded, type Exchange } from './exchange.ts';
import type { GroupEncoder, GroupMemberRow, GroupRow } from './group-codec.ts';

type Reader = Pick<Exchange, 'ctx' | 'directory'>;
type Row = GroupRow & { readonly id: DirectoryGroupId };

/** Pieces are gathered to this many characters before they are sent: a small answer goes out whole. */
const PIECE = 64 * 1024;

/** Groups as JSON text between the pieces of `around`, their members written while they are read. */
export async function* withMembers(
  reader: Reader,
  encoder: GroupEncoder,
  rows: readonly Row[],
  around: readonly string[],
): AsyncGenerator<string> {
  const ids = rows.map((row) => row.id);
  const runs = isAscending(ids) ? runsById(reader, ids) : runsInTurn(reader, ids);
  let run = (await runs.next()).value;
  let text = '';
  for (const [index, row] of rows.entries()) {
    const { head, tail } = encoder.around(row);
    text += around[index] + head;
    for (let first = true; run?.groupId === row.id; first = false) {
      text += (first ? '' : ',') + encoder.members(run.members);
      run = (await runs.next()).value;
      if (text.length < PIECE) continue;
      yield text;
      text = '';
    }
    text += tail;
  }
  yield text + around[rows.length];
}

const isAscending = (ids: readonly string[]): boolean =>
  ids.every((id, index) => index === 0 || id > (ids[index - 1] ?? ''));

type Run = { readonly groupId: DirectoryGroupId; readonly members: readonly GroupMemberRow[] };

/** Members of one group at a time, in the order of the groups' ids. */
async function* runsById(
  { ctx, directory }: Reader,
  groupIds: readonly DirectoryGroupId[],
): AsyncGenerator<Run, undefined> {
  const batches = membersOf(ctx, directory, groupIds);
  for (;;) {
    const batch = await batches.next();
    if (batch.done) {
      if (batch.value === 'unauthenticated') throw new CredentialEnded();
      return;
    }
    yield* Map.groupBy(batch.value, (member) => member.groupId)
      .entries()
      .map(([groupId, members]) => ({ groupId, members }));
  }
}

/** Groups that are asked for together, in the hope that they are small. */
const TOGETHER = 25;

/** Members of one group at a time, in the order in which the groups are given. */
async function* runsInTurn(reader: Reader, groupIds: readonly DirectoryGroupId[]): AsyncGenerator<Run, undefined> {
  for (let start = 0; start < groupIds.length; start += TOGETHER) {
    const chunk = groupIds.slice(start, start + TOGETHER);
    const batches = membersOf(reader.ctx, reader.directory, chunk);
    const first = await batches.next();
    const second = first.done ? first : await batches.next();
    if (second.done) {
      if (second.value === 'unauthenticated') throw new CredentialEnded();
      const members = Map.groupBy(first.done ? [] : first.value, (member) => member.groupId);
      for (const groupId of chunk) yield { groupId, members: members.get(groupId) ?? [] };
    } else {
      // More than one batch: then each is read for itself, whose end comes before the next one's beginning.
      for (const groupId of chunk) yield* runsById(reader, [groupId]);
    }
  }
}
