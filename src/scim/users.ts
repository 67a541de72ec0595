// /Users: each handler reads its request, calls one operation and writes its answer.

import type { PushedUser } from '../core/change.ts';
import { makesByFilter } from '../core/directory-profiles.ts';
import type { CurrentUser } from '../operations/known-user.ts';
import { createDirectoryUser, removeDirectoryUser, updateDirectoryUser } from '../operations/provision-user.ts';
import { readDirectoryUser } from '../operations/read-directory.ts';
import { type Exchange, type Handler, ifMatch, isKnown, readSent, refuseFilter, unlessRefused } from './exchange.ts';
import { type JsonObject, type JsonValue, userLimits } from './json.ts';
import { parseProjection } from './list.ts';
import { etag } from './meta.ts';
import { type PatchOperation, readPatch } from './patch-message.ts';
import { type Projection, wants } from './projection.ts';
import type { Reply } from './respond.ts';
import type { AttributeDefinition, AttributePath } from './schema.ts';
import { type DecodedUser, decodeUser, pushedUser, type UserRow, userEncoder } from './user-codec.ts';
import { applyUserPatch } from './user-patch.ts';

export const getUser: Handler = async (exchange, id) => {
  const projection = projectionOf(exchange);
  refuseFilter(exchange);
  const read = await readDirectoryUser(exchange.ctx, exchange.directory, id, { groups: wants(projection, 'groups') });
  const { row } = unlessRefused(read);
  if (isKnown(exchange, row.version)) return { status: 304, headers: headersOf(exchange, row), body: null };
  return answer(exchange, row, projection);
};

export const postUser: Handler = async (exchange) => {
  const projection = projectionOf(exchange, everything);
  const pushed = newUser(exchange, await readSent(exchange, userLimits));
  const { user } = unlessRefused(await createDirectoryUser(exchange.ctx, exchange.directory, pushed));
  const reply = answer(exchange, user, projection);
  return { ...reply, status: 201, headers: { ...reply.headers, Location: `${exchange.baseUrl}/Users/${user.id}` } };
};

/** The user that a POST asks for, sent by itself or in a bulk. */
export function newUser({ notes, schemas }: Exchange, body: JsonValue): DecodedUser {
  return decodeUser(body, { notes, schema: schemas.user });
}

type Edit = (current: CurrentUser) => PushedUser;

/** What a PUT makes of a user, sent by itself or in a bulk; see {@link decodeUser} for what it leaves. */
export function replacing({ notes, schemas }: Exchange, body: JsonValue): Edit {
  return ({ attributes }) => decodeUser(body, { notes, schema: schemas.user, held: attributes as JsonObject });
}

export const putUser: Handler = async (exchange, id) =>
  update(exchange, id, replacing(exchange, await readSent(exchange, userLimits)), everything);

/** What the operations of a PATCH make of a user. `written` is filled with the attributes that they speak of. */
export function patching(
  { notes, baseUrl, directory, schemas }: Exchange,
  operations: readonly PatchOperation[],
  written: Set<AttributeDefinition> = new Set(),
): Edit {
  const schema = schemas.user;
  const makes = makesByFilter(directory.settings.profile);
  const encode = userEncoder({ baseUrl, schema });
  return ({ row, attributes }) => {
    const { id: sameId, meta, groups = [] } = JSON.parse(encode({ ...row, attributes: '{}' })) as JsonObject;
    const readOnly = { id: sameId, meta, groups } as JsonObject;
    const context = { notes, schema, readOnly, written, makesByFilter: makes };
    return pushedUser(applyUserPatch(attributes as JsonObject, operations, context).attributes);
  };
}

export const patchUser: Handler = async (exchange, id) => {
  const operations = readPatch(await readSent(exchange, userLimits), exchange.notes);
  const written = new Set<AttributeDefinition>();
  const edit = patching(exchange, operations, written);
  return update(exchange, id, edit, ({ attribute, sub }) => written.has(sub ?? attribute));
};

type Written = (path: AttributePath) => boolean;

/** A POST or PUT speaks of all that it leaves (RFC 7643 §7: returned on request). */
const everything: Written = () => true;

async function update(exchange: Exchange, id: string, edit: Edit, written: Written): Promise<Reply> {
  // Before anything is written: a projection that cannot be is a request that did nothing.
  projectionOf(exchange);
  const updated = await updateDirectoryUser(exchange.ctx, exchange.directory, id, edit, ifMatch(exchange));
  return answer(exchange, unlessRefused(updated).user, projectionOf(exchange, written));
}

export const deleteUser: Handler = async (exchange, id) => {
  unlessRefused(await removeDirectoryUser(exchange.ctx, exchange.directory, id, ifMatch(exchange)));
  return { status: 204, body: null };
};

function projectionOf({ query, schemas }: Exchange, written?: Written): Projection | null {
  return parseProjection(query, schemas.user, written);
}

type Row = UserRow & { readonly version: number };

/** What `meta` says of version and location, said to HTTP (RFC 7643 §3.1). */
function headersOf({ baseUrl }: Exchange, { id, version }: Row): Readonly<Record<string, string>> {
  return { ETag: etag(version), 'Content-Location': `${baseUrl}/Users/${id}` };
}

function answer(exchange: Exchange, row: Row, projection: Projection | null): Reply {
  const { baseUrl, schemas } = exchange;
  const encode = userEncoder({ baseUrl, projection, schema: schemas.user });
  return { status: 200, headers: headersOf(exchange, row), body: encode(row) };
}
