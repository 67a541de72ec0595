// Cursors (RFC 9865): a place in the order of a query, sealed. A cursor keeps nothing at the server, says nothing to its reader (an
// address stands in access logs, and the place may be a name), and opens only for the query that it was made for.

import type { Context } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import type { Place } from '../operations/read-directory.ts';
import { ScimError } from './errors.ts';
import type { FilterNode } from './filter.ts';
import type { ListQuery } from './list.ts';
import { type AttributePath, pathName } from './schema.ts';

/** Seconds for which a cursor is good, as /ServiceProviderConfig says. */
export const CURSOR_SECONDS = 3_600;

export type CursorState = {
  readonly at: Place;
  /** The page before the place, not the one behind it. */
  readonly backwards: boolean;
  /** How many matched when the first page was made. */
  readonly total: number;
};

export type Cursors = {
  seal(state: CursorState): string;
  /**
   * What a cursor says. Refuses with 400 invalidCursor a text that is no cursor, was changed, or was made for another directory,
   * filter or order, all in the same words; with 400 expiredCursor one that is over an hour old. RFC 9865 §2.1.
   */
  open(cursor: string): CursorState;
};

/** The cursors of one query of one directory. `count`, `attributes` and `excludedAttributes` may change from page to page. */
export function cursorsOf(ctx: Context, directory: Directory, query: ListQuery): Cursors {
  const { tenantId, connectionId } = directory;
  const views = query.views.map(({ schema, filter, sortBy }) => [schema.resource, canonical(filter), order(sortBy)]);
  const owner = JSON.stringify([tenantId, connectionId, views, query.descending]);
  return {
    seal({ at, backwards, total }) {
      const expires = Math.floor(ctx.now() / 1000) + CURSOR_SECONDS;
      const plain = Buffer.from(JSON.stringify([expires, backwards, total, at.id, at.key]));
      return Buffer.from(ctx.vault.seal('scim_cursor', owner, plain)).toString('base64url');
    },
    open(cursor) {
      const [expires, backwards, total, id, key] = unseal(ctx, owner, cursor);
      if (expires * 1000 < ctx.now()) throw expired();
      return { at: { id, key }, backwards, total };
    },
  };
}

type Sealed = [expires: number, backwards: boolean, total: number, id: string, key: string | null];

/** A key has 1,000 characters at most. */
const MAX_LENGTH = 8_000;
const FORM = /^[A-Za-z0-9_-]+$/;

function unseal(ctx: Context, owner: string, cursor: string): Sealed {
  if (cursor.length > MAX_LENGTH || !FORM.test(cursor)) throw invalid();
  const sealed = Buffer.from(cursor, 'base64url');
  // The last character may have bits to spare, which stand for nothing.
  if (sealed.toString('base64url') !== cursor) throw invalid();
  let plain: Uint8Array;
  try {
    plain = ctx.vault.open('scim_cursor', owner, sealed);
  } catch {
    throw invalid();
  }
  return JSON.parse(Buffer.from(plain).toString()) as Sealed;
}

const invalid = () =>
  new ScimError(400, 'invalidCursor', 'The cursor is none of this query. Start again with an empty cursor.');
const expired = () =>
  new ScimError(
    400,
    'expiredCursor',
    `The cursor is older than ${CURSOR_SECONDS} seconds. Start again with an empty cursor.`,
  );

/** What a place's key goes by. A directory may come to give an attribute of its own another type: then it is another order. */
function order(path: AttributePath | null): unknown {
  if (path === null) return null;
  const { type, caseExact, multiValued } = path.sub ?? path.attribute;
  return [pathName(path), type, caseExact, multiValued || path.attribute.multiValued];
}

/** A filter as a value that is the same for equal filters, however they are spelled. */
function canonical(filter: FilterNode | null): unknown {
  switch (filter?.kind) {
    case 'and':
    case 'or':
      return [filter.kind, filter.terms.map(canonical)];
    case 'not':
      return [filter.kind, canonical(filter.term)];
    case 'cmp':
      return [filter.op, pathName(filter.path), filter.value];
    case 'pr':
      return [filter.kind, pathName(filter.path)];
    case 'valuePath':
      return [filter.kind, pathName(filter.path), canonical(filter.filter)];
    case 'constant':
      return filter.holds;
    case undefined:
      return null;
  }
}
