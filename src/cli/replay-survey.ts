// A first look at the recorded requests: what they made, and what they speak of that was there before them.

import type { Instant } from '../core/ids.ts';
import { groupNameKey, userNameKey } from '../core/profile.ts';
import { creationsOf, type RecordedRequest, recordedRequests, type SourceNames } from '../operations/replay-source.ts';
import type { TenantRef } from '../operations/standing.ts';
import { CliError, type CliWorld } from './command.ts';
import { idsIn } from './replay-ids.ts';
import { member } from './scim-http.ts';

export type Source = {
  readonly tenant: TenantRef;
  readonly connection: string;
  readonly since: Instant;
  readonly until: Instant;
};

export type Creation = {
  readonly id: string;
  readonly kind: 'Users' | 'Groups';
  readonly externalId: string | null;
  readonly name: string;
};

export type Survey = {
  readonly requests: number;
  /** There are more, which are not looked at. */
  readonly more: boolean;
  /** By the id of the request. */
  readonly creations: ReadonlyMap<string, readonly Creation[]>;
  readonly createdIds: ReadonlySet<string>;
  /** Everything else that is named, by id or by a name that was taken. */
  readonly named: SourceNames;
};

/** Differences of so many are read by nobody. */
export const MOST_REQUESTS = 100_000;

export async function survey({ context }: CliWorld, source: Source): Promise<Survey> {
  const creations = new Map<string, readonly Creation[]>();
  const ids = new Set<string>();
  const taken = noNames();
  const made = noNames();
  let requests = 0;
  for await (const page of pagesOf(context, source)) {
    for (const [request, made] of await creationsOf(context, source.tenant, source.connection, page))
      creations.set(request, made);
    for (const request of page) {
      for (const id of idsIn(textOf(request))) ids.add(id);
      if (request.method !== 'POST' || request.status === null) continue;
      if (request.status < 300) noteNames(request, made, null);
      if (request.status === 409) noteNames(request, taken, made);
    }
    requests += page.length;
  }
  const createdIds = new Set([...creations.values()].flat().map(({ id }) => id));
  const named = {
    ids: [...ids].filter((id) => !createdIds.has(id)),
    userNames: [...taken.userNames],
    externalIds: [...taken.externalIds],
    groupNames: [...taken.groupNames],
  };
  return { requests: Math.min(requests, MOST_REQUESTS), more: requests > MOST_REQUESTS, creations, createdIds, named };
}

/** The requests, the oldest first; the page in which there are too many is the last. */
export async function* pagesOf(
  context: CliWorld['context'],
  { tenant, connection, since, until }: Source,
): AsyncGenerator<readonly RecordedRequest[]> {
  const pages = recordedRequests(context, tenant, connection, { since, until });
  let requests = 0;
  while (requests <= MOST_REQUESTS) {
    const next = await pages.next();
    if (next.done) {
      if (next.value !== undefined) throw new CliError(next.value.message);
      return;
    }
    requests += next.value.length;
    yield next.value;
  }
}

export function textOf({ path, query, kept }: RecordedRequest): string {
  return `${path} ${query ?? ''} ${kept?.body ?? ''}`;
}

type Names = Readonly<Record<'userNames' | 'externalIds' | 'groupNames', Set<string>>>;

const noNames = (): Names => ({ userNames: new Set(), externalIds: new Set(), groupNames: new Set() });

/**
 * The names that a creation gives, as they are compared. Whom or what a refused one met was there before it, unless one of these
 * requests `made` it: then it is there again when its turn comes.
 */
function noteNames(request: RecordedRequest, names: Names, made: Names | null): void {
  const body = jsonOf(request.kept?.body ?? null);
  const note = (name: string, of: keyof Names, key: (text: string) => string) => {
    const value = member(body, name);
    if (typeof value === 'string' && value !== '' && !made?.[of].has(key(value))) names[of].add(key(value));
  };
  note('externalId', 'externalIds', (text) => text);
  if (request.path === '/Users') note('userName', 'userNames', userNameKey);
  if (request.path === '/Groups') note('displayName', 'groupNames', groupNameKey);
}

export function jsonOf(text: string | null): unknown {
  try {
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
