// Lists of resources: GET on a type or on the directory itself, and the same asked by POST on `.search` (RFC 7644 §3.4.2, §3.4.3).

import { firstFilterParam, type Listed, type ListRequest, listDirectory } from '../operations/read-directory.ts';
import { type Cursors, cursorsOf } from './cursor.ts';
import { ScimError } from './errors.ts';
import { type Exchange, type Handler, readSent, unlessRefused } from './exchange.ts';
import { filterSql } from './filter-sql.ts';
import { groupEncoder } from './group-codec.ts';
import { withMembers } from './group-members.ts';
import { defaultLimits, type JsonLimits } from './json.ts';
import {
  type Envelope,
  type ListQuery,
  listResponse,
  parseListQuery,
  type QueryParameters,
  searchParameters,
  type View,
} from './list.ts';
import { wants } from './projection.ts';
import type { Reply } from './respond.ts';
import { absentKey, type SortKey, sortKey } from './sort-sql.ts';
import { userEncoder } from './user-codec.ts';

type Kinds = readonly ('user' | 'group')[];

const BOTH: Kinds = ['user', 'group'];

export const listUsers: Handler = (exchange) => list(exchange, ['user'], exchange.query);
export const listGroups: Handler = (exchange) => list(exchange, ['group'], exchange.query);
/** Everything that the directory has (RFC 7644 §3.4.2.1). */
export const listAll: Handler = (exchange) => list(exchange, BOTH, exchange.query);

export const searchUsers: Handler = (exchange) => search(exchange, ['user']);
export const searchGroups: Handler = (exchange) => search(exchange, ['group']);
export const searchAll: Handler = (exchange) => search(exchange, BOTH);

/** A filter has 2,000 characters, a list of attributes 10,000. */
const searchLimits: JsonLimits = { ...defaultLimits, bytes: 128 * 1024 };

async function search(exchange: Exchange, kinds: Kinds): Promise<Reply> {
  return list(exchange, kinds, searchParameters(await readSent(exchange, searchLimits), exchange.notes));
}

async function list(exchange: Exchange, kinds: Kinds, parameters: QueryParameters): Promise<Reply> {
  const { ctx, directory, schemas, notes } = exchange;
  const query = parseListQuery(
    parameters,
    kinds.map((kind) => schemas[kind]),
    notes,
  );
  const cursors = query.cursor === null ? null : cursorsOf(ctx, directory, query);
  const listed = unlessRefused(await listDirectory(ctx, directory, requestOf(exchange, query, cursors)));
  if (listed.kind === 'too_costly') {
    throw new ScimError(
      400,
      'tooMany',
      'The query takes too long over so many resources. Narrow its filter, or sort by another attribute.',
    );
  }
  return answer(exchange, query, listed, envelopeOf(query, listed, cursors));
}

function requestOf({ baseUrl }: Exchange, query: ListQuery, cursors: Cursors | null): ListRequest {
  const { views, cursor, startIndex, count, descending } = query;
  const state = cursors === null || cursor === null || cursor === '' ? null : cursors.open(cursor);
  const keys = keysOf(views, baseUrl);
  let param = firstFilterParam;
  let costly = false;
  const parts = views.map(({ schema, filter }, index) => {
    const resource = schema.resource === 'User' ? ('users' as const) : ('groups' as const);
    const condition = filter === null ? null : filterSql(filter, { schema, baseUrl }, param);
    param += condition?.params.length ?? 0;
    const key = keys?.[index] ?? null;
    // Without a filter that leads to a few, everything is looked at: quickly only where an index has the order, and nothing to find.
    if (condition === null ? key?.indexed === false : !condition.selective) costly = true;
    return { resource, filter: condition, key: key?.sql ?? null };
  });
  return {
    parts,
    keyType: keys?.[0]?.type ?? 'uuid',
    descending,
    count,
    // A page of none has no end from which a next one could begin: only the total is asked for.
    from:
      cursors === null || count === 0
        ? { kind: 'index', startIndex }
        : { kind: 'place', at: state?.at ?? null, backwards: state?.backwards ?? false },
    total: state?.total ?? null,
    costly,
    groups: views.some(({ schema, projection }) => schema.resource === 'User' && wants(projection, 'groups')),
  };
}

/** A key for each view, all of one type, or null where all go by their ids. */
function keysOf(views: readonly View[], baseUrl: string): readonly SortKey[] | null {
  const given = views.map(({ schema, sortBy }) => (sortBy === null ? null : sortKey({ schema, baseUrl }, sortBy)));
  const first = given.find((key) => key !== null);
  if (
    first === undefined ||
    views.every(({ sortBy }) => sortBy?.attribute.name === 'id' && sortBy.extension === null)
  ) {
    return null;
  }
  const mixed = given.some((key) => key !== null && key.type !== first.type);
  return given.map((key) => {
    if (key === null) return absentKey(mixed ? 'text' : first.type);
    return mixed && key.type !== 'text' ? { sql: `(${key.sql})::text collate "C"`, type: 'text', indexed: false } : key;
  });
}

function envelopeOf(query: ListQuery, listed: Listed, cursors: Cursors | null): Envelope {
  const { totalResults, before, behind } = listed;
  if (cursors === null) return { totalResults, startIndex: query.startIndex };
  return {
    totalResults,
    startIndex: null,
    previousCursor: before && cursors.seal({ at: before, backwards: true, total: totalResults }),
    nextCursor: behind && cursors.seal({ at: behind, backwards: false, total: totalResults }),
  };
}

/** Stands for a group in the envelope until its members are read: no JSON text can hold it. */
const MARK = '\u0000';

function answer(exchange: Exchange, { views }: ListQuery, { rows }: Listed, envelope: Envelope): Reply {
  const { baseUrl, schemas } = exchange;
  const projectionOf = (resource: 'User' | 'Group') =>
    views.find(({ schema }) => schema.resource === resource)?.projection ?? null;
  const encodeUser = userEncoder({ baseUrl, projection: projectionOf('User'), schema: schemas.user });
  const groups = groupEncoder({ baseUrl, projection: projectionOf('Group'), schema: schemas.group });
  const resources = rows.map((listed) => {
    if (listed.resource === 'users') return encodeUser(listed.row);
    return groups.wantsMembers ? MARK : groups.encode(listed.row, null);
  });
  const text = listResponse(resources, envelope);
  const groupRows = rows.filter((listed) => listed.resource === 'groups').map(({ row }) => row);
  if (groupRows.length === 0 || !groups.wantsMembers) return { status: 200, body: text };
  return { status: 200, body: withMembers(exchange, groups, groupRows, text.split(MARK)) };
}
