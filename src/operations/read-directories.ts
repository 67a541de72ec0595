// Directories as their administrators look at them: the same answers for the command line, the API and the console.

import type { Context } from '../context.ts';
import { directoryProfileFacts, type RecognisedProfile } from '../core/directory-profiles.ts';
import { type DirectoryProfile, type DirectorySettings, defaultDirectorySettings } from '../core/directory-settings.ts';
import { type Refusal, refused } from '../core/errors.ts';
import type { ConnectionId, Instant } from '../core/ids.ts';
import {
  type DirectoryActivity,
  type DirectoryRow,
  listDirectoryRows,
  type PausedDirectory,
  type RequestCounts,
  readActivity,
  readPausedDirectories,
} from '../store/directory-activity.ts';
import { listCredentials, type ScimCredential } from '../store/scim-credentials.ts';
import { type LoggedRequest, type RequestQuery, readRequests } from '../store/scim-requests.ts';
import { unknownConnection } from './name-tenant.ts';
import type { TenantRef } from './standing.ts';

/** Whose requests a directory's are. Nothing is served otherwise for it. */
export type ProfileView = {
  /** What counts: set by the tenant's file, else recognised. Null: it has sent nothing yet. */
  readonly profile: DirectoryProfile | null;
  readonly by: 'file' | RecognisedProfile['by'] | null;
  /** What its requests look like, whatever the file says. */
  readonly recognised: DirectoryProfile | null;
};

export type DirectoryListed = ProfileView & {
  readonly connectionId: ConnectionId;
  readonly key: string;
  readonly displayName: string;
  readonly enabled: boolean;
  readonly held: boolean;
  /** By its guard. */
  readonly pausedAt: Instant | null;
  readonly users: number;
  readonly groups: number;
  /** Tokens and OAuth clients that may be used now. */
  readonly credentials: number;
  readonly lastRequestAt: Instant | null;
  readonly lastCycleAt: Instant | null;
};

/** The directories of a tenant: its open connections that take pushes, by key. */
export async function listDirectories(ctx: Context, tenant: TenantRef): Promise<readonly DirectoryListed[]> {
  const rows = await listDirectoryRows(ctx.hot(tenant.tenantId), null);
  return rows.map(({ settings, cycleAt, profileBy, ...row }) => ({
    ...row,
    ...profileView(row.profile, profileBy, settingsOf(settings)),
    lastCycleAt: cycleAt,
  }));
}

/** More at once is one trouble, and not many. */
const MOST_PAUSED = 1_000;

/** The directories that wait for an administrator because their guard has paused them, of all tenants. */
export function pausedDirectories(ctx: Pick<Context, 'global'>): Promise<readonly PausedDirectory[]> {
  return readPausedDirectories(ctx.global, MOST_PAUSED);
}

export type DirectoryView = Pick<
  DirectoryListed,
  'connectionId' | 'key' | 'displayName' | 'enabled' | 'held' | 'pausedAt'
> & {
  readonly settings: DirectorySettings;
  readonly profile: ProfileView & {
    readonly name: string | null;
    readonly since: Instant | null;
    /** Keys of the quirks that such a sender is known for. */
    readonly sends: readonly string[];
    readonly advice: readonly string[];
  };
  readonly counters: Pick<DirectoryActivity, 'users' | 'activeUsers' | 'groups' | 'memberships'>;
  readonly lastHour: RequestRates;
  readonly lastDay: RequestRates;
  readonly lastRequestAt: Instant | null;
  readonly lastWriteAt: Instant | null;
  /** The last time that it was seen to go through all of its users; see docs/scim.md. */
  readonly lastCycle: { readonly beganAt: Instant; readonly at: Instant; readonly kind: 'walk' | 'look_ups' } | null;
  readonly tokens: readonly ScimCredential[];
  readonly clients: readonly ScimCredential[];
};

/** `errorRate`: the share of requests answered with 4xx or 5xx, 0 to 1; null without requests. */
export type RequestRates = RequestCounts & { readonly errorRate: number | null };

/** One directory with all that is known of how it is doing. Refuses `unknown_connection`, also for one without SCIM. */
export async function showDirectory(ctx: Context, tenant: TenantRef, key: string): Promise<DirectoryView | Refusal> {
  const tx = ctx.hot(tenant.tenantId);
  const row = await findDirectory(ctx, tenant, key);
  if ('kind' in row) return row;
  const { connectionId, displayName, enabled, held, pausedAt } = row;
  const settings = settingsOf(row.settings);
  const [activity, tokens, clients] = await Promise.all([
    readActivity(tx, connectionId),
    listCredentials(tx, 'token', connectionId),
    listCredentials(tx, 'client', connectionId),
  ]);
  const { users, activeUsers, groups, memberships, lastRequestAt, lastWriteAt, cycleBeganAt, cycleAt } = activity;
  const view = profileView(activity.profile, activity.profileBy, settings);
  const facts = view.profile === null ? null : directoryProfileFacts[view.profile];
  return {
    connectionId,
    key,
    displayName,
    enabled,
    held,
    pausedAt,
    settings,
    profile: {
      ...view,
      name: facts?.name ?? null,
      since: view.by === 'file' ? null : activity.profileSince,
      sends: facts?.sends ?? [],
      advice: facts?.advice ?? [],
    },
    counters: { users, activeUsers, groups, memberships },
    lastHour: rates(activity.lastHour),
    lastDay: rates(activity.lastDay),
    lastRequestAt,
    lastWriteAt,
    lastCycle:
      cycleBeganAt === null || cycleAt === null || activity.cycleKind === null
        ? null
        : { beganAt: cycleBeganAt, at: cycleAt, kind: activity.cycleKind },
    tokens,
    clients,
  };
}

export type RequestsAsked = {
  /** Both ends belong to it; null: all. */
  readonly status: readonly [number, number] | null;
  readonly since: Instant | null;
  /** The last one of the page before. */
  readonly before: { readonly at: Instant; readonly requestId: string } | null;
  /** 1 to 1000. */
  readonly limit: number;
  readonly bodies: boolean;
  readonly oldestFirst?: true;
  /** Does not belong to it any more. */
  readonly until?: Instant | null;
  /** `/Users`: at this path, or below it. */
  readonly path?: string | null;
};

export type RequestsPage = { readonly kind: 'found'; readonly requests: readonly LoggedRequest[] };

/**
 * Requests of a directory as its log has them, the newest first unless it is asked otherwise, a page at a time. A debugging aid: what
 * was done is told by the audit trail. Refuses `unknown_connection`, and (`invalid`) a limit out of its range.
 */
export async function listDirectoryRequests(
  ctx: Context,
  tenant: TenantRef,
  key: string,
  asked: RequestsAsked,
): Promise<RequestsPage | Refusal> {
  if (!Number.isInteger(asked.limit) || asked.limit < 1 || asked.limit > 1000)
    return refused('invalid', 'The limit is a whole number from 1 to 1000.');
  const row = await findDirectory(ctx, tenant, key);
  if ('kind' in row) return row;
  const query: RequestQuery = asked;
  return { kind: 'found', requests: await readRequests(ctx.hot(tenant.tenantId), row.connectionId, query) };
}

async function findDirectory(ctx: Context, tenant: TenantRef, key: string): Promise<DirectoryRow | Refusal> {
  const [row] = await listDirectoryRows(ctx.hot(tenant.tenantId), key);
  return row ?? unknownConnection(tenant, key);
}

function settingsOf(stored: object): DirectorySettings {
  return { ...defaultDirectorySettings, ...stored };
}

function profileView(
  recognised: DirectoryProfile | null,
  by: RecognisedProfile['by'] | null,
  { profile: given }: DirectorySettings,
): ProfileView {
  return given === null ? { profile: recognised, by, recognised } : { profile: given, by: 'file', recognised };
}

function rates(counts: RequestCounts): RequestRates {
  const { requests, refused: turnedDown, limited, failed } = counts;
  return { ...counts, errorRate: requests === 0 ? null : (turnedDown + limited + failed) / requests };
}
