// What a directory reads back of what it pushed. Each read is one statement, which asks whether the credential may still be used.

import type { Context } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import type { Refusal } from '../core/errors.ts';
import { type DirectoryGroupId, type DirectoryUserId, type Instant, isUuid } from '../core/ids.ts';
import { remember } from '../core/recent.ts';
import { StatementTimeout } from '../store/database.ts';
import type { DirectoryGroupRow } from '../store/directory-groups.ts';
import {
  type LookedUp,
  type LookUp,
  lookedUpUser,
  lookUpOf,
  readLookUp,
  readLookUps,
  userLookUp,
} from '../store/directory-look-ups.ts';
import { FIRST_FILTER_PARAM, type PagePart, type PageQuery, type Position } from '../store/directory-page-text.ts';
import { type ListedRow, limitStatements, lookedUpPage, type Page, readPage } from '../store/directory-pages.ts';
import type { DirectoryUserRow } from '../store/directory-person.ts';
import { type MemberRow, readGroup, readMembers } from '../store/directory-reads.ts';
import { type Unauthenticated, unauthenticated, unknownGroup, unknownUser } from './precondition.ts';

/** A place in the order of a list. */
export type Place = Position;

/** Number of the first filter's first parameter: those before it are the page's own. */
export const firstFilterParam: number = FIRST_FILTER_PARAM;

export type ReadOutcome<Row> = { readonly kind: 'found'; readonly row: Row } | Refusal | Unauthenticated;

/** One user of the directory. Refuses `unknown_user`, also for the id of another directory's (T37). */
export async function readDirectoryUser(
  ctx: Context,
  directory: Directory,
  id: string,
  wants: { readonly groups: boolean },
): Promise<ReadOutcome<DirectoryUserRow>> {
  if (!isUuid(id)) return unknownUser();
  const found = await lookUp(ctx, directory, userLookUp(id as DirectoryUserId, wants.groups));
  if (found === undefined) return unauthenticated;
  const row = lookedUpUser(found, wants.groups);
  return row === null ? unknownUser() : { kind: 'found', row };
}

/** Look-ups that wait meanwhile for those under way go together: asking for many costs little more than asking for one. */
async function lookUp(ctx: Context, directory: Directory, asked: LookUp): Promise<LookedUp | undefined> {
  const { tenantId, connectionId, credentialId } = directory;
  const { together } = asked;
  const tx = ctx.hot(tenantId);
  if (together === null) return readLookUp(tx, directory, asked);
  const read = async (all: readonly LookUp[]) =>
    (await readLookUps(tx, directory, together, all)) ?? all.map(() => undefined);
  // Not the text itself, which a client may make long: it is kept for a while.
  const like = `${credentialId} ${together.name ?? ctx.keyHash(together.text)}`;
  const found = await ctx.together(tenantId, { rowId: `look-ups ${connectionId}`, like, atOnce: 1 }, asked, read);
  // Behind the turn, so that who asks for many keeps nobody waiting who asks for one.
  return found === 'cut' ? readLookUp(tx, directory, asked) : found;
}

/** One group of the directory, without its members: {@link membersOf}. Refuses `unknown_group`. */
export async function readDirectoryGroup(
  ctx: Context,
  directory: Directory,
  id: string,
): Promise<ReadOutcome<DirectoryGroupRow>> {
  if (!isUuid(id)) return unknownGroup();
  const row = await readGroup(ctx.hot(directory.tenantId), directory, id as DirectoryGroupId);
  if (row === undefined) return unauthenticated;
  return row === null ? unknownGroup() : { kind: 'found', row };
}

export type ListRequest = {
  /** What is asked, for each type of resource: conditions and keys on `d`, parameters numbered from {@link firstFilterParam}. */
  readonly parts: readonly PagePart[];
  readonly keyType: string;
  readonly descending: boolean;
  readonly count: number;
  readonly from:
    | { readonly kind: 'index'; readonly startIndex: number }
    /** Behind a place, or before it; from the beginning without one. */
    | { readonly kind: 'place'; readonly at: Place | null; readonly backwards: boolean };
  /** How many match, where that is known. */
  readonly total: number | null;
  /** Without an index that leads to the rows: then it may not take long. */
  readonly costly: boolean;
  /** Whether users come with their groups. */
  readonly groups: boolean;
};

export type Listed = {
  readonly kind: 'listed';
  readonly rows: readonly ListedRow[];
  readonly totalResults: number;
  /** Where the pages before and behind this one are; null where there is none, and where pages go by index. */
  readonly before: Place | null;
  readonly behind: Place | null;
};
export type ListOutcome = Listed | { readonly kind: 'too_costly' } | Unauthenticated;

/** Milliseconds that a costly query may take: a directory must not keep a connection from its other requests. */
const COSTLY_MS = 2_500;

/**
 * A page of the directory's users, groups or both, by id where nothing else is asked: that is the order of their creation.
 *
 * `too_costly`: no index serves the query, or the page is far from the beginning, and it took longer than 2.5 seconds.
 * Pages by place are stable whatever is written meanwhile: none repeats or leaves out what was there all the time.
 */
export async function listDirectory(ctx: Context, directory: Directory, request: ListRequest): Promise<ListOutcome> {
  try {
    const { from } = request;
    return await (from.kind === 'index'
      ? listByIndex(ctx, directory, request, from.startIndex)
      : listByPlace(ctx, directory, request, from));
  } catch (error) {
    if (error instanceof StatementTimeout && isCostly(request)) return { kind: 'too_costly' };
    throw error;
  }
}

/** Rows that are counted off before a page takes as long as a query without an index. */
const DEEP = 10_000;

function isCostly({ costly, from }: ListRequest): boolean {
  return costly || (from.kind === 'index' && from.startIndex > DEEP);
}

async function read(
  ctx: Context,
  directory: Directory,
  request: ListRequest,
  page: Pick<PageQuery, 'at' | 'backwards' | 'offset' | 'limit' | 'counts'>,
): Promise<Page | undefined> {
  const { parts, keyType, descending, groups } = request;
  const query = { parts, keyType, descending, groups, ...page };
  const few = lookUpOf(directory.tenantId, query);
  const found = few === null ? 'many' : await lookUp(ctx, directory, few);
  if (found !== 'many') return found && lookedUpPage(query, found);
  // Where a page before led up to this one, nothing is counted off.
  if (!request.costly && (page.at !== null || !isCostly(request))) {
    return readPage(ctx.hot(directory.tenantId), directory, query, { once: false });
  }
  return ctx.transaction(directory.tenantId, async (tx) => {
    await limitStatements(tx, COSTLY_MS);
    return readPage(tx, directory, query, { once: true });
  });
}

async function listByIndex(
  ctx: Context,
  directory: Directory,
  request: ListRequest,
  startIndex: number,
): Promise<ListOutcome> {
  const { count } = request;
  const at = startIndex === 1 ? null : recall(ctx.now(), scanOf(ctx, directory, request), startIndex);
  const offset = startIndex - 1;
  const page = await read(ctx, directory, request, { at, backwards: false, offset, limit: count, counts: true });
  if (page === undefined) return unauthenticated;
  const last = page.rows.length === count ? page.placeOf(-1) : null;
  if (last !== null) rememberEnd(ctx.now(), scanOf(ctx, directory, request), startIndex + count, last);
  return { kind: 'listed', rows: page.rows, totalResults: page.total ?? 0, before: null, behind: null };
}

async function listByPlace(
  ctx: Context,
  directory: Directory,
  request: ListRequest,
  { at, backwards }: Extract<ListRequest['from'], { kind: 'place' }>,
): Promise<ListOutcome> {
  const { count, total } = request;
  // One more than the page has: then there is another page.
  const limit = count + 1;
  const page = await read(ctx, directory, request, { at, backwards, offset: 0, limit, counts: total === null });
  if (page === undefined) return unauthenticated;
  // All that came before is gone: what is left begins here.
  if (backwards && page.rows.length === 0) {
    return listByPlace(ctx, directory, request, { kind: 'place', at: null, backwards: false });
  }
  const totalResults = total ?? page.total ?? 0;
  const size = Math.min(page.rows.length, count);
  const more = page.rows.length > count;
  const first = backwards && more ? 1 : 0;
  const rows = more ? page.rows.slice(first, first + count) : page.rows;
  const before = backwards ? (more ? page.placeOf(first) : null) : at === null ? null : page.placeOf(0);
  const behind = backwards || more ? page.placeOf(first + size - 1) : null;
  return { kind: 'listed', rows, totalResults, before, behind };
}

// Where the page before ended, by where the next one starts: a client that pages by startIndex then reads on behind the last one it
// saw, whatever was deleted meanwhile, and deep pages cost what the first does. A page that nobody led up to is counted off.
const anchors = new Map<string, { readonly at: Position; readonly since: Instant }>();
const MAX_ANCHORS = 2_000;
const ANCHOR_LIFE = 10 * 60_000;

function scanOf(ctx: Context, { connectionId }: Directory, { parts, descending }: ListRequest): string {
  return ctx.keyHash(JSON.stringify([connectionId, parts, descending]));
}

function rememberEnd(now: Instant, scan: string, startIndex: number, at: Position): void {
  remember(anchors, MAX_ANCHORS, `${startIndex} ${scan}`, { at, since: now });
}

function recall(now: Instant, scan: string, startIndex: number): Position | null {
  const anchor = anchors.get(`${startIndex} ${scan}`);
  return anchor !== undefined && now - anchor.since < ANCHOR_LIFE ? anchor.at : null;
}

const MEMBERS_AT_ONCE = 5_000;

/**
 * The members of some groups, batch by batch, by group and id; each batch is one statement. Ends early where the credential may no
 * longer be used: the caller has to treat that as a broken answer.
 */
export async function* membersOf(
  ctx: Context,
  directory: Directory,
  groupIds: readonly DirectoryGroupId[],
): AsyncGenerator<readonly MemberRow[], 'complete' | 'unauthenticated'> {
  const tx = ctx.hot(directory.tenantId);
  let after: MemberRow | null = null;
  while (groupIds.length > 0) {
    const batch: readonly MemberRow[] | undefined = await readMembers(tx, directory, groupIds, after, MEMBERS_AT_ONCE);
    if (batch === undefined) return 'unauthenticated';
    if (batch.length > 0) yield batch;
    after = batch.at(-1) ?? null;
    if (batch.length < MEMBERS_AT_ONCE) break;
  }
  return 'complete';
}
