// /Groups. A group is never loaded to be changed; answers that carry members are made while they are read.

import type { GroupAttributes } from '../core/directory-group.ts';
import { makesByFilter } from '../core/directory-profiles.ts';
import type { DirectoryGroupId } from '../core/ids.ts';
import { updateDirectoryGroup } from '../operations/change-group.ts';
import { createDirectoryGroup, removeDirectoryGroup } from '../operations/provision-group.ts';
import { readDirectoryGroup } from '../operations/read-directory.ts';
import { type Exchange, type Handler, ifMatch, isKnown, readSent, refuseFilter, unlessRefused } from './exchange.ts';
import { decodeGroup, type GroupRow, groupAttributes, groupEncoder, type PushedGroup } from './group-codec.ts';
import { withMembers } from './group-members.ts';
import { decodeGroupPatch, type GroupPlan, readOnlyId } from './group-patch.ts';
import { defaultLimits, type JsonLimits, type JsonObject, type JsonValue } from './json.ts';
import { parseProjection } from './list.ts';
import { etag } from './meta.ts';
import { inTurns, pace, type Steps } from './pace.ts';
import { readPatch } from './patch-message.ts';
import type { Projection } from './projection.ts';
import type { Reply } from './respond.ts';

const groupLimits: JsonLimits = { ...defaultLimits, bytes: 10 * 1024 * 1024 };

type Row = GroupRow & { readonly id: DirectoryGroupId; readonly version: number };

export const getGroup: Handler = async (exchange, id) => {
  const projection = projectionOf(exchange);
  refuseFilter(exchange);
  const { row } = unlessRefused(await readDirectoryGroup(exchange.ctx, exchange.directory, id));
  if (isKnown(exchange, row.version)) return { status: 304, headers: headersOf(exchange, row), body: null };
  return answer(exchange, row, projection, true);
};

export const postGroup: Handler = async (exchange) => {
  const { ctx, directory, baseUrl } = exchange;
  const projection = projectionOf(exchange, everything);
  const { members, ...names } = await newGroup(exchange);
  const { group } = unlessRefused(await createDirectoryGroup(ctx, directory, names, members ?? []));
  const reply = answer(exchange, group, projection, members !== null && members.length > 0);
  return { ...reply, status: 201, headers: { ...reply.headers, Location: `${baseUrl}/Groups/${group.id}` } };
};

async function newGroup(exchange: Exchange): Promise<PushedGroup> {
  const schema = exchange.schemas.group;
  const pushed = await sentGroup(exchange);
  return { ...pushed, attributes: groupAttributes(pushed.attributes, schema) };
}

async function sentGroup(exchange: Exchange): Promise<PushedGroup> {
  const { notes, schemas } = exchange;
  const body = await readSent(exchange, groupLimits);
  return inTurns(decodeGroup(body, { notes, schema: schemas.group }), pace());
}

/** A POST or PUT speaks of all that it leaves (RFC 7643 §7: returned on request). */
const everything = () => true;

/** PUT replaces: a body without members empties the group. */
export const putGroup: Handler = async (exchange, id) => {
  const { ctx, directory } = exchange;
  const schema = exchange.schemas.group;
  const projection = projectionOf(exchange, everything);
  const { members, attributes, ...names } = await sentGroup(exchange);
  const edit = {
    names,
    members: { kind: 'replace', to: members ?? [] },
    attributes: (held: GroupAttributes) => groupAttributes(attributes, schema, held as JsonObject),
  } as const;
  unlessRefused(await updateDirectoryGroup(ctx, directory, id, edit, ifMatch(exchange)));
  const { row } = unlessRefused(await readDirectoryGroup(ctx, directory, id));
  return answer(exchange, row, projection, true);
};

/** What a PATCH asks of a group, in steps: its body may have 100,000 members. */
export function groupPatch({ notes, schemas, directory }: Exchange, body: JsonValue): Steps<GroupPlan> {
  const options = { notes, schema: schemas.group, makesByFilter: makesByFilter(directory.settings.profile) };
  return decodeGroupPatch(readPatch(body, notes), options);
}

export const patchGroup: Handler = async (exchange, id) => {
  const body = await readSent(exchange, groupLimits);
  return changeGroup(exchange, id, await inTurns(groupPatch(exchange, body), pace()));
};

/**
 * Does what a {@link groupPatch} asks. 204: nobody wants a hundred thousand members back for having added one. A request that names
 * `attributes` gets those (§3.5.2).
 */
export async function changeGroup(exchange: Exchange, id: string, plan: GroupPlan): Promise<Reply> {
  const { ctx, directory, query } = exchange;
  if (plan.claimedId !== null && plan.claimedId !== id) throw readOnlyId();
  const projection = projectionOf(exchange);
  const { names, members, attributes } = plan;
  const edit = { names, members, ...(attributes === null ? {} : { attributes: asJson(attributes) }) };
  const { version } = unlessRefused(await updateDirectoryGroup(ctx, directory, id, edit, ifMatch(exchange)));
  if (!query.has('attributes')) return { status: 204, headers: { ETag: etag(version) }, body: null };
  const { row } = unlessRefused(await readDirectoryGroup(ctx, directory, id));
  return answer(exchange, row, projection, projection?.kind === 'only');
}

export const deleteGroup: Handler = async (exchange, id) => {
  unlessRefused(await removeDirectoryGroup(exchange.ctx, exchange.directory, id, ifMatch(exchange)));
  return { status: 204, body: null };
};

/** What is stored was JSON when it came. */
const asJson = (change: (held: JsonObject) => JsonObject) => (held: GroupAttributes) => change(held as JsonObject);

function projectionOf({ query, schemas }: Exchange, written?: () => boolean): Projection | null {
  return parseProjection(query, schemas.group, written);
}

/** What `meta` says of version and location, said to HTTP (RFC 7643 §3.1). */
function headersOf({ baseUrl }: Exchange, { id, version }: Row): Readonly<Record<string, string>> {
  return { ETag: etag(version), 'Content-Location': `${baseUrl}/Groups/${id}` };
}

function answer(exchange: Exchange, row: Row, projection: Projection | null, members: boolean): Reply {
  const encoder = groupEncoder({ baseUrl: exchange.baseUrl, projection, schema: exchange.schemas.group });
  const headers = headersOf(exchange, row);
  if (!members || !encoder.wantsMembers) return { status: 200, headers, body: encoder.encode(row, null) };
  return { status: 200, headers, body: withMembers(exchange, encoder, [row], ['', '']) };
}
