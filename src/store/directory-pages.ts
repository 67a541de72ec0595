// Pages of a directory's users and groups.

import type { TenantTx } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import type { DirectoryGroupRow } from './directory-groups.ts';
import {
  direction,
  MOST_ROWS,
  type PagePart,
  type PageQuery,
  type Place,
  type Position,
  plainText,
  sortedText,
} from './directory-page-text.ts';
import type { DirectoryUserRow } from './directory-person.ts';
import { FIELD, type GroupsOf, groupOf, groupsOfPage, ID_LENGTH, ownGroups, ROW, userOf } from './directory-rows.ts';
import { prepared } from './prepared.ts';

export type ListedRow =
  | { readonly resource: 'users'; readonly row: DirectoryUserRow }
  | { readonly resource: 'groups'; readonly row: DirectoryGroupRow };

export type Page = {
  readonly rows: readonly ListedRow[];
  /** The place of the row at an index, from the end where it is negative; null where there is no such row. */
  placeOf(index: number): Position | null;
  /** How many match; null where nobody asked. */
  readonly total: number | null;
};

/** The page of a query that a look-up answers: in rows each of its own, which are put in order and counted here. */
export function lookedUpPage(query: PageQuery, texts: readonly string[]): Page {
  const { at, limit, offset, parts } = query;
  const [part] = parts as readonly [PagePart];
  const ascending = direction(query) === 'asc';
  // Each begins with its id.
  const all = [...texts].sort();
  if (!ascending) all.reverse();
  const isBehind = (text: string): boolean => at === null || (ascending ? idOf(text) > at.id : idOf(text) < at.id);
  const from = at === null ? offset : 0;
  const found = all.filter(isBehind).slice(from, from + limit);
  const groups = query.groups && part.resource === 'users';
  return pageOf(
    query,
    found.map((text, index): Found => ({ part, key: null, text, place: index + 1 })),
    groups ? ownGroups : null,
    all.length,
  );
}

type PageRow = {
  readonly total: number | null;
  readonly page: string | null;
  readonly groups?: string | null;
};

/** For the rest of the transaction; one that takes longer throws StatementTimeout. */
export async function limitStatements(tx: TenantTx, milliseconds: number): Promise<void> {
  await tx.run({ name: null, text: `set local statement_timeout = ${milliseconds}` }, []);
}

/** A page of the directory. `once`: its text is not worth preparing. Undefined: the credential may not be used. One statement. */
export async function readPage(
  tx: TenantTx,
  directory: Directory,
  query: PageQuery,
  { once }: { readonly once: boolean },
): Promise<Page | undefined> {
  if (query.limit > MOST_ROWS) throw new RangeError(`A page has ${MOST_ROWS} rows at most.`);
  const { parts, at, limit, offset, groups } = query;
  const [only, ...more] = parts as readonly [PagePart, ...PagePart[]];
  const plain = more.length === 0 && only.key === null;
  const values: unknown[] = [tx.tenantId, directory.credentialId, directory.connectionId];
  for (const { filter } of parts) values.push(...(filter?.params ?? []));
  const add = (value: unknown): string => `$${values.push(value)}`;
  const place: Place = {
    limit: add(limit),
    id: at === null ? null : add(at.id),
    key: at === null || parts.every(({ key }) => key === null) ? null : add(at.key),
    offset: at !== null || offset === 0 ? null : add(offset),
  };
  const write = () => (plain ? plainText(only, query, place) : sortedText(query, place));
  const statement = once ? { name: null, text: write() } : prepared(tx.tenantId, shapeOf(query, place), write);
  const [row] = await tx.run<PageRow>(statement, values);
  if (row === undefined) return undefined;
  const texts = row.page === null ? [] : row.page.split(ROW);
  const found = texts.map((text, index) => {
    const place = index + 1;
    return plain ? { part: only, key: null, text, place } : { ...sortedOf(parts, text), place };
  });
  const groupsOf = groups ? groupsOfPage(row.groups ?? null) : null;
  return pageOf(query, found, groupsOf, row.total);
}

/** All that a statement's text depends on. */
function shapeOf({ parts, keyType, counts, groups, ...query }: PageQuery, place: Place): string {
  const { id, key, offset } = place;
  const asked = parts.map(({ resource, filter, key: sorted }) => [resource, sorted, filter?.sql, filter?.selective]);
  return JSON.stringify([
    asked,
    keyType,
    counts,
    groups,
    direction({ parts, keyType, counts, groups, ...query }),
    id,
    key,
    offset,
  ]);
}

/** A row that was found: its type, its key as JSON, its text, and at which place, from 1. */
type Found = { readonly part: PagePart; readonly key: string | null; readonly text: string; readonly place: number };

function sortedOf(parts: readonly PagePart[], text: string): Omit<Found, 'place'> {
  const behindPart = text.indexOf(FIELD) + 1;
  const behindKey = text.indexOf(FIELD, behindPart) + 1;
  return {
    part: parts[Number(text.slice(0, behindPart - 1))] as PagePart,
    key: text.slice(behindPart, behindKey - 1),
    text: text.slice(behindKey),
  };
}

const idOf = (text: string): string => text.slice(0, ID_LENGTH);

/** Rows as they were looked for, as a page has them. */
function pageOf(query: PageQuery, found: Found[], groups: GroupsOf | null, total: number | null): Page {
  if (query.backwards) found.reverse();
  return {
    rows: found.map(({ part, text, place }) =>
      part.resource === 'users'
        ? { resource: 'users', row: userOf(text, groups, place) }
        : { resource: 'groups', row: groupOf(text) },
    ),
    placeOf(index) {
      const row = found.at(index);
      return row === undefined ? null : { key: row.key === null ? null : JSON.parse(row.key), id: idOf(row.text) };
    },
    total,
  };
}
