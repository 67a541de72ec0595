// /Groups. A group is never loaded to be changed; answers that carry members are made while they are read.

import type { DirectoryGroupId } from '../core/ids.ts';
import { createDirectoryGroup, removeDirectoryGroup, updateDirectoryGroup } from '../operations/provision-group.ts';
import { firstFilterParam, listDirectoryGroups, membersOf, readDirectoryGroup } from '../operations/read-directory.ts';
import { CredentialEnded, type Exchange, type Handler, ifMatch, isKnown, readSent, unlessRefused } from './exchange.ts';
import { filterSql } from './filter-sql.ts';
import { decodeGroup, type GroupEncoder, type GroupMemberRow, type GroupRow, groupEncoder } from './group-codec.ts';
import { decodeGroupPatch, readOnlyId } from './group-patch.ts';
import { defaultLimits, type JsonLimits } from './json.ts';
import { listResponse, parseListQuery, parseProjection } from './list.ts';
import { etag } from './meta.ts';
import { readPatch } from './patch-message.ts';
import type { Projection } from './projection.ts';
import type { Reply } from './respond.ts';

const groupLimits: JsonLimits = { ...defaultLimits, bytes: 10 * 1024 * 1024 };

type Row = GroupRow & { readonly id: DirectoryGroupId; readonly version: number };

export const listGroups: Handler = async (exchange) => {
  const { ctx, directory, query, baseUrl, notes } = exchange;
  const schema = exchange.schemas.group;
  const { projection, filter, startIndex, count } = parseListQuery(query, schema, notes);
  const condition = filter === null ? null : filterSql(filter, 'Group', firstFilterParam);
  const listed = unlessRefused(await listDirectoryGroups(ctx, directory, { filter: condition, startIndex, count }));
  const encoder = groupEncoder({ baseUrl, projection, schema });
  const { rows, totalResults } = listed;
  if (!encoder.wantsMembers || rows.length === 0) {
    const resources = rows.map((row) => encoder.encode(row, null));
    return { status: 200, body: listResponse(resources, { totalResults, startIndex }) };
  }
  // The envelope around each resource, cut at marks that no JSON text can hold.
  const around = listResponse(
    rows.map(() => MARK),
    { totalResults, startIndex },
  ).split(MARK);
  return { status: 200, body: withMembers(exchange, encoder, rows, around) };
};

const MARK = '\u0000';

export const getGroup: Handler = async (exchange, id) => {
  const projection = projectionOf(exchange);
  const { row } = unlessRefused(await readDirectoryGroup(exchange.ctx, exchange.directory, id));
  if (isKnown(exchange, row.version)) return { status: 304, headers: { ETag: etag(row.version) }, body: null };
  return answer(exchange, row, projection, true);
};

export const postGroup: Handler = async (exchange) => {
  const { ctx, directory, notes, baseUrl } = exchange;
  const projection = projectionOf(exchange);
  const { members, ...names } = decodeGroup(await readSent(exchange, groupLimits), {
    notes,
    schema: exchange.schemas.group,
  });
  const { group } = unlessRefused(await createDirectoryGroup(ctx, directory, names, members ?? []));
  const reply = answer(exchange, group, projection, members !== null && members.length > 0);
  return { ...reply, status: 201, headers: { ...reply.headers, Location: `${baseUrl}/Groups/${group.id}` } };
};

/** PUT replaces: a body without members empties the group. */
export const putGroup: Handler = async (exchange, id) => {
  const { ctx, directory, notes } = exchange;
  const { members, ...names } = decodeGroup(await readSent(exchange, groupLimits), {
    notes,
    schema: exchange.schemas.group,
  });
  const edit = { names, members: { kind: 'replace', to: members ?? [] } } as const;
  unlessRefused(await updateDirectoryGroup(ctx, directory, id, edit, ifMatch(exchange)));
  const { row } = unlessRefused(await readDirectoryGroup(ctx, directory, id));
  return answer(exchange, row, projectionOf(exchange), true);
};

/** 204: nobody wants a hundred thousand members back for having added one. A request that names `attributes` gets those. */
export const patchGroup: Handler = async (exchange, id) => {
  const { ctx, directory, notes, query } = exchange;
  const plan = decodeGroupPatch(readPatch(await readSent(exchange, groupLimits), notes), {
    notes,
    schema: exchange.schemas.group,
  });
  if (plan.claimedId !== null && plan.claimedId !== id) throw readOnlyId();
  const edit = { names: plan.names, members: plan.members };
  unlessRefused(await updateDirectoryGroup(ctx, directory, id, edit, ifMatch(exchange)));
  if (!query.has('attributes')) return { status: 204, body: null };
  const projection = projectionOf(exchange);
  const { row } = unlessRefused(await readDirectoryGroup(ctx, directory, id));
  return answer(exchange, row, projection, projection?.kind === 'only');
};

export const deleteGroup: Handler = async (exchange, id) => {
  unlessRefused(await removeDirectoryGroup(exchange.ctx, exchange.directory, id, ifMatch(exchange)));
  return { status: 204, body: null };
};

function projectionOf({ query, schemas }: Exchange): Projection | null {
  return parseProjection(query, schemas.group);
}

function answer(exchange: Exchange, row: Row, projection: Projection | null, members: boolean): Reply {
  const encoder = groupEncoder({ baseUrl: exchange.baseUrl, projection, schema: exchange.schemas.group });
  const headers = { ETag: etag(row.version) };
  if (!members || !encoder.wantsMembers) return { status: 200, headers, body: encoder.encode(row, null) };
  return { status: 200, headers, body: withMembers(exchange, encoder, [row], ['', '']) };
}

/** Pieces are gathered to this many characters before they are sent: a small answer goes out whole. */
const PIECE = 64 * 1024;

/** Groups as JSON text between the pieces of `around`, their members written while they are read. Both come by group id. */
async function* withMembers(
  { ctx, directory }: Exchange,
  encoder: GroupEncoder,
  rows: readonly Row[],
  around: readonly string[],
): AsyncGenerator<string> {
  const runs = runsOf(
    ctx,
    directory,
    rows.map((row) => row.id),
  );
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

type Run = { readonly groupId: DirectoryGroupId; readonly members: readonly GroupMemberRow[] };

/** Members of one group at a time, in the order of the groups' ids. */
async function* runsOf(
  ctx: Exchange['ctx'],
  directory: Exchange['directory'],
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
