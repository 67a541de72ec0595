// What a directory reads back of what it pushed. Each read is one statement, which asks whether the credential may still be used.

import type { Context } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import { type Refusal, refused } from '../core/errors.ts';
import { type DirectoryGroupId, type DirectoryUserId, type Instant, isUuid } from '../core/ids.ts';
import type { DirectoryGroupRow } from '../store/directory-groups.ts';
import {
  type Condition,
  countMatches,
  FIRST_FILTER_PARAM,
  type MemberRow,
  type Page,
  type PageQuery,
  readGroup,
  readGroupsPage,
  readMembers,
  readUser,
  readUsersPage,
} from '../store/directory-pages.ts';
import type { DirectoryUserRow } from '../store/directory-person.ts';
import { type Unauthenticated, unauthenticated } from './precondition.ts';

/** Number of a filter's first parameter: those before it are the page's own. */
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
  const row = await readUser(ctx.hot(directory.tenantId), directory, id as DirectoryUserId, wants.groups);
  if (row === undefined) return unauthenticated;
  return row === null ? unknownUser() : { kind: 'found', row };
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

const unknownUser = () => refused('unknown_user', 'This directory has no such user.');
const unknownGroup = () => refused('unknown_group', 'This directory has no such group.');

export type ListRequest = {
  /** A condition on `d` whose parameters are numbered from {@link firstFilterParam}. */
  readonly filter: Condition | null;
  /** From 1. */
  readonly startIndex: number;
  readonly count: number;
};

export type ListOutcome<Row> =
  | { readonly kind: 'listed'; readonly rows: readonly Row[]; readonly totalResults: number }
  | Unauthenticated;

/** A page of the directory's users in the order of their ids, which is that of their creation. */
export function listDirectoryUsers(
  ctx: Context,
  directory: Directory,
  request: ListRequest,
  wants: { readonly groups: boolean },
): Promise<ListOutcome<DirectoryUserRow>> {
  const tx = ctx.hot(directory.tenantId);
  return list(ctx, directory, 'users', request, (query) => readUsersPage(tx, directory, query, wants.groups));
}

/** A page of the directory's groups, without members. */
export function listDirectoryGroups(
  ctx: Context,
  directory: Directory,
  request: ListRequest,
): Promise<ListOutcome<DirectoryGroupRow>> {
  const tx = ctx.hot(directory.tenantId);
  return list(ctx, directory, 'groups', request, (query) => readGroupsPage(tx, directory, query));
}

async function list<Row extends { readonly id: string }>(
  ctx: Context,
  directory: Directory,
  resource: 'users' | 'groups',
  request: ListRequest,
  readPage: (query: PageQuery) => Promise<Page<Row> | undefined>,
): Promise<ListOutcome<Row>> {
  const { filter, startIndex, count } = request;
  const scan = JSON.stringify([directory.connectionId, resource, filter]);
  const after = recall(ctx.now(), scan, startIndex);
  const page = await readPage({ filter, after, offset: startIndex - 1, limit: count });
  if (page === undefined) return unauthenticated;
  const { rows } = page;
  const last = rows.at(-1);
  if (last !== undefined && rows.length === count) remember(ctx.now(), scan, startIndex + count, last.id);
  if (page.total !== null || filter === null) return { kind: 'listed', rows, totalResults: page.total ?? rows.length };
  const totalResults = await countMatches(ctx.hot(directory.tenantId), directory, resource, filter);
  return { kind: 'listed', rows, totalResults };
}

// Where the page before ended, by where the next one starts: a client that pages by startIndex then reads on behind the last id it
// saw, whatever was deleted meanwhile, and deep pages cost what the first does. A page that nobody led up to is counted off.
const anchors = new Map<string, { readonly after: string; readonly at: Instant }>();
const MAX_ANCHORS = 2_000;
const ANCHOR_LIFE = 10 * 60_000;

function remember(now: Instant, scan: string, startIndex: number, after: string): void {
  const key = `${startIndex} ${scan}`;
  anchors.delete(key);
  anchors.set(key, { after, at: now });
  for (const oldest of anchors.keys()) {
    if (anchors.size <= MAX_ANCHORS) break;
    anchors.delete(oldest);
  }
}

function recall(now: Instant, scan: string, startIndex: number): string | null {
  const anchor = startIndex === 1 ? undefined : anchors.get(`${startIndex} ${scan}`);
  return anchor !== undefined && now - anchor.at < ANCHOR_LIFE ? anchor.after : null;
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
