// What a list request asks for, by a URL or by a search message, and the envelope of its answer (RFC 7644 §3.4.2, §3.4.3).

import { invalidCount, invalidFilter, invalidValue } from './errors.ts';
import { type FilterNode, parseFilter } from './filter.ts';
import { asObject, isArray, type JsonValue, readMembers } from './json.ts';
import { checkMessage } from './patch-message.ts';
import { compileProjection, type Projection } from './projection.ts';
import type { Notes } from './quirks.ts';
import { type AttributePath, findAttribute, nameKey, type ResourceSchema } from './schema.ts';
import { sortPath } from './sort-sql.ts';

/** Parameters as a URL has them; `URLSearchParams` is one. */
export type QueryParameters = { readonly getAll: (name: string) => readonly string[] };

/** What a query means for one type of resource. */
export type View = {
  readonly schema: ResourceSchema;
  readonly filter: FilterNode | null;
  /** Null where the query asks for no order, and where this type has no such attribute. */
  readonly sortBy: AttributePath | null;
  readonly projection: Projection | null;
};

export type ListQuery = {
  /** Of the first resource wanted, from 1. */
  readonly startIndex: number;
  /** Null: pages go by index. Empty: the first page of those that go by cursor (RFC 9865 §2). */
  readonly cursor: string | null;
  readonly count: number;
  readonly descending: boolean;
  /** One for each type of resource that is asked. */
  readonly views: readonly View[];
};

export const DEFAULT_COUNT = 100;
export const MAX_COUNT = 200;
const MAX_INDEX = 2 ** 31 - 1;
const MAX_LIST_LENGTH = 10_000;

/**
 * The parameters of a list request, into a new object: the request's own is never changed.
 *
 * `startIndex` below 1 is 1, a negative `count` is 0, a large one is 200 (RFC 7644 §3.4.2.4, RFC 9865 §2). Refuses with 400
 * invalidCount a count of another form; with 400 invalidValue a startIndex of another form or out of any range (T47), a parameter given
 * twice, startIndex beside a cursor, and a `sortBy` that no resource has; with 400 invalidFilter what {@link parseFilter} refuses, and
 * an empty filter: a client that lost its filter must not be answered with everybody. Does not look into the cursor.
 */
export function parseListQuery(
  parameters: QueryParameters,
  schemas: readonly ResourceSchema[],
  notes: Notes,
): ListQuery {
  const cursor = one(parameters, 'cursor');
  const startIndex = one(parameters, 'startIndex');
  if (cursor !== null && startIndex !== null) throw invalidValue('startIndex and cursor exclude each other.');
  const filter = one(parameters, 'filter');
  const sortBy = one(parameters, 'sortBy');
  const sortOrder = one(parameters, 'sortOrder');
  if (filter !== null && filter.trim() === '') throw invalidFilter('The filter is empty.');
  const sorted = schemas.map((schema) => (sortBy === null ? null : readSortBy(sortBy, schema)));
  if (sortBy !== null && sorted.every((path) => path === null)) {
    throw invalidValue('sortBy names no attribute of this resource.');
  }
  return {
    startIndex: readStartIndex(startIndex),
    cursor,
    count: readCount(one(parameters, 'count')),
    descending: sortOrder !== null && readDescending(sortOrder),
    views: schemas.map((schema, index) => {
      const others = schemas.filter((other) => other !== schema);
      return {
        schema,
        filter: filter === null ? null : parseFilter(filter, schema, notes, others),
        sortBy: sorted[index] ?? null,
        projection: parseProjection(parameters, schema),
      };
    }),
  };
}

/**
 * The projection that any request may ask for, of a list or of one resource. Refuses with 400 invalidValue lists that are too long,
 * and both of them at once: they exclude each other (RFC 7644 §3.9). `written`: what the request itself spoke of.
 */
export function parseProjection(
  parameters: QueryParameters,
  schema: ResourceSchema,
  written?: (path: AttributePath) => boolean,
): Projection | null {
  return compileProjection(names(parameters, 'attributes'), names(parameters, 'excludedAttributes'), schema, written);
}

function one(parameters: QueryParameters, name: string): string | null {
  const values = parameters.getAll(name);
  if (values.length > 1) throw invalidValue(`${name} is given twice.`);
  return values[0] ?? null;
}

function names(parameters: QueryParameters, name: string): readonly string[] | null {
  const list = one(parameters, name);
  if (list === null) return null;
  if (list.length > MAX_LIST_LENGTH) throw invalidValue(`${name} is too long.`);
  const given = list
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return given.length === 0 ? null : given;
}

const INTEGER = /^[+-]?[0-9]{1,15}$/;

function readStartIndex(text: string | null): number {
  if (text === null || text === '') return 1;
  if (!INTEGER.test(text)) throw invalidValue('startIndex is not an integer.');
  if (Number(text) > MAX_INDEX) throw invalidValue('startIndex is out of range.');
  return Math.max(1, Number(text));
}

function readCount(text: string | null): number {
  if (text === null || text === '') return DEFAULT_COUNT;
  if (!INTEGER.test(text)) throw invalidCount('count is not an integer.');
  return Math.min(MAX_COUNT, Math.max(0, Number(text)));
}

function readSortBy(text: string, schema: ResourceSchema): AttributePath | null {
  const path = findAttribute(schema, text);
  return path === undefined || path.attribute.returned === 'never' ? null : sortPath(path);
}

function readDescending(text: string): boolean {
  const order = nameKey(text);
  if (order !== 'ascending' && order !== 'descending') throw invalidValue('sortOrder is ascending or descending.');
  return order === 'descending';
}

const SEARCH_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest';
const LISTS: ReadonlySet<string> = new Set(['attributes', 'excludedAttributes']);

/**
 * The parameters that a search message carries (RFC 7644 §3.4.3). Members with the value null are as if they were not there; members
 * of other names are passed over. Refuses with 400 invalidSyntax a body of another form or message, with 400 invalidValue a member of
 * another type.
 */
export function searchParameters(body: JsonValue, notes: Notes): QueryParameters {
  const members = readMembers(asObject(body));
  checkMessage(members.get('schemas'), SEARCH_SCHEMA, notes);
  return {
    getAll: (name) => {
      const value = members.get(nameKey(name)) ?? null;
      return value === null ? [] : [textOf(name, value)];
    },
  };
}

function textOf(name: string, value: JsonValue): string {
  if (LISTS.has(name) && isArray(value) && value.every((item) => typeof item === 'string')) return value.join(',');
  if ((name === 'startIndex' || name === 'count') && typeof value === 'number') return String(value);
  if (typeof value === 'string') return value;
  throw invalidValue(`${name} has a value of the wrong type.`);
}

const LIST_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:ListResponse';

export type Envelope = {
  readonly totalResults: number;
  /** Null where pages go by cursor. */
  readonly startIndex: number | null;
  readonly previousCursor?: string | null;
  readonly nextCursor?: string | null;
};

/** The answer around resources that are JSON text already. `totalResults` counts all that match, not only this page. */
export function listResponse(resources: readonly string[], envelope: Envelope): string {
  const { totalResults, startIndex, previousCursor = null, nextCursor = null } = envelope;
  let text = `{"schemas":["${LIST_SCHEMA}"],"totalResults":${totalResults},`;
  if (startIndex !== null) text += `"startIndex":${startIndex},`;
  text += `"itemsPerPage":${resources.length},`;
  if (previousCursor !== null) text += `"previousCursor":"${previousCursor}",`;
  if (nextCursor !== null) text += `"nextCursor":"${nextCursor}",`;
  // Put together as bytes are made of it: `join` would copy every resource twice before.
  let list = '';
  for (const resource of resources) list += list === '' ? resource : `,${resource}`;
  return `${text}"Resources":[${list}]}`;
}
