// What playing a directory's requests again asks of the real one. Reads only.

import type { Context } from '../context.ts';
import type { Refusal } from '../core/errors.ts';
import type { Instant } from '../core/ids.ts';
import { groupNameKey, userNameKey } from '../core/profile.ts';
import { listDirectoryRows } from '../store/directory-activity.ts';
import {
  type Creation,
  readCreations,
  readMembers,
  readResources,
  type SourceResource,
} from '../store/replay-source.ts';
import { listDirectoryRequests, type RequestsPage } from './read-directories.ts';
import type { TenantRef } from './standing.ts';

export type RecordedRequest = RequestsPage['requests'][number];

/** A page of bodies has to fit in memory. */
const PAGE = 200;

/** The directory's requests with their bodies, the oldest first, `since` inclusive and `until` exclusive, a page at a time. */
export async function* recordedRequests(
  ctx: Context,
  tenant: TenantRef,
  connection: string,
  { since, until }: { readonly since: Instant; readonly until: Instant },
): AsyncGenerator<readonly RecordedRequest[], Refusal | undefined> {
  const asked = { status: null, since, until, limit: PAGE, bodies: true, oldestFirst: true } as const;
  for (let before: { at: Instant; requestId: string } | null = null; ; ) {
    const page: RequestsPage | Refusal = await listDirectoryRequests(ctx, tenant, connection, { ...asked, before });
    if (page.kind === 'refused') return page;
    if (page.requests.length > 0) yield page.requests;
    const last = page.requests.at(-1);
    if (last === undefined || page.requests.length < PAGE) return undefined;
    before = { at: last.at, requestId: last.requestId };
  }
}

// The log has the time of a server, the trail that of the database.
const CLOCKS_MS = 5 * 60_000;

/** Which users and groups these requests made, by the requests' ids. */
export async function creationsOf(
  ctx: Context,
  tenant: TenantRef,
  connection: string,
  requests: readonly RecordedRequest[],
): Promise<ReadonlyMap<string, readonly Creation[]>> {
  const making = requests.filter(({ method, status }) => method === 'POST' && status !== null && status < 300);
  const [first, last] = [making[0], making.at(-1)];
  if (first === undefined || last === undefined) return new Map();
  const [directory] = await listDirectoryRows(ctx.hot(tenant.tenantId), connection);
  if (directory === undefined) return new Map();
  const until = Math.max(...making.map(({ at, durationMs }) => at + durationMs));
  const between = [(first.at - CLOCKS_MS) as Instant, (until + CLOCKS_MS) as Instant] as const;
  const ids = making.map(({ requestId }) => requestId);
  const found = await readCreations(ctx.hot(tenant.tenantId), directory.connectionId, ids, between);
  return Map.groupBy(found, (creation) => creation.requestId);
}

/** Names as requests write them. */
export type SourceNames = {
  readonly ids: readonly string[];
  readonly userNames: readonly string[];
  readonly externalIds: readonly string[];
  readonly groupNames: readonly string[];
};

export type SourceGroup = Extract<SourceResource, { kind: 'Groups' }> & { readonly members: readonly string[] };
export type SourceUser = Extract<SourceResource, { kind: 'Users' }>;

/**
 * Users and groups of the directory as they are now, or were when they ended: by id, and open ones by name. Of members only those whom
 * `known` or the answer itself has.
 */
export async function resourcesAsTheyAre(
  ctx: Context,
  tenant: TenantRef,
  connection: string,
  { ids, userNames, externalIds, groupNames }: SourceNames,
  known: readonly string[],
): Promise<{ readonly users: readonly SourceUser[]; readonly groups: readonly SourceGroup[] }> {
  const tx = ctx.hot(tenant.tenantId);
  const [directory] = await listDirectoryRows(tx, connection);
  if (directory === undefined) return { users: [], groups: [] };
  const found = await readResources(tx, directory.connectionId, {
    ids,
    userNames: userNames.map(userNameKey),
    externalIds,
    groupNames: groupNames.map(groupNameKey),
  });
  const users = found.filter((one) => one.kind === 'Users');
  const groups = found.filter((one) => one.kind === 'Groups');
  const members = await readMembers(
    tx,
    groups.map(({ id }) => id),
    [...new Set([...known, ...users.map(({ id }) => id)])],
  );
  return { users, groups: groups.map((group) => ({ ...group, members: members.get(group.id) ?? [] })) };
}
