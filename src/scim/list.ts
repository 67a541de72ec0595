// What a list request asks for, and the envelope of its answer (RFC 7644 §3.4.2).

import { invalidFilter, invalidValue } from './errors.ts';
import { type FilterNode, parseFilter } from './filter.ts';
import { compileProjection, type Projection } from './projection.ts';
import type { Notes } from './quirks.ts';
import { type AttributePath, findAttribute, nameKey, type ResourceSchema } from './schema.ts';

/** Parameters as a URL has them; `URLSearchParams` is one. */
export type QueryParameters = { readonly getAll: (name: string) => readonly string[] };

export type ListQuery = {
  /** Of the first resource wanted, from 1. */
  readonly startIndex: number;
  readonly count: number;
  readonly filter: FilterNode | null;
  readonly sortBy: AttributePath | null;
  readonly descending: boolean;
  readonly projection: Projection | null;
};

export const DEFAULT_COUNT = 100;
export const MAX_COUNT = 200;
const MAX_INDEX = 2 ** 31 - 1;
const MAX_LIST_LENGTH = 10_000;

/**
 * The parameters of a list request, into a new object: the request's own is never changed.
 *
 * `startIndex` below 1 is 1, a negative `count` is 0, a large one is 200 (RFC 7644 §3.4.2.4). Refuses with 400 invalidValue
 * numbers of another form or out of any range (T47), a parameter given twice, and a `sortBy` that no resource has; with 400
 * invalidFilter what {@link parseFilter} refuses, and an empty filter: a client that lost its filter must not be answered with
 * everybody.
 */
export function parseListQuery(parameters: QueryParameters, schema: ResourceSchema, notes: Notes): ListQuery {
  const filter = one(parameters, 'filter');
  const sortBy = one(parameters, 'sortBy');
  const sortOrder = one(parameters, 'sortOrder');
  if (filter !== null && filter.trim() === '') throw invalidFilter('The filter is empty.');
  return {
    startIndex: Math.max(1, readInteger(one(parameters, 'startIndex'), 1, 'startIndex')),
    count: Math.min(MAX_COUNT, Math.max(0, readInteger(one(parameters, 'count'), DEFAULT_COUNT, 'count'))),
    filter: filter === null ? null : parseFilter(filter, schema, notes),
    sortBy: sortBy === null ? null : readSortBy(sortBy, schema),
    descending: sortOrder !== null && readDescending(sortOrder),
    projection: parseProjection(parameters, schema),
  };
}

/** The projection that any request may ask for, of a list or of one resource. Refuses with 400 invalidValue lists that are too long. */
export function parseProjection(parameters: QueryParameters, schema: ResourceSchema): Projection | null {
  return compileProjection(names(parameters, 'attributes'), names(parameters, 'excludedAttributes'), schema);
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

function readInteger(text: string | null, fallback: number, name: string): number {
  if (text === null || text === '') return fallback;
  if (!INTEGER.test(text)) throw invalidValue(`${name} is not an integer.`);
  const value = Number(text);
  if (name === 'startIndex' && value > MAX_INDEX) throw invalidValue(`${name} is out of range.`);
  return value;
}

function readSortBy(text: string, schema: ResourceSchema): AttributePath {
  const path = findAttribute(schema, text);
  if (path === undefined || path.attribute.returned === 'never') {
    throw invalidValue('sortBy names no attribute of this resource.');
  }
  return path;
}

function readDescending(text: string): boolean {
  const order = nameKey(text);
  if (order !== 'ascending' && order !== 'descending') throw invalidValue('sortOrder is ascending or descending.');
  return order === 'descending';
}

const LIST_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:ListResponse';

/** The answer around resources that are JSON text already. `totalResults` counts all that match, not only this page. */
export function listResponse(
  resources: readonly string[],
  page: { readonly totalResults: number; readonly startIndex: number },
): string {
  return `{"schemas":["${LIST_SCHEMA}"],"totalResults":${page.totalResults},"startIndex":${page.startIndex},"itemsPerPage":${resources.length},"Resources":[${resources.join(',')}]}`;
}
