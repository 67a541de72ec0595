// What is known of how a directory is doing: its counters, exact and on demand, and one row that its requests keep up to date.

import type { Query, Statement, TenantTx } from '../context.ts';
import type { RecognisedProfile } from '../core/directory-profiles.ts';
import type { DirectoryProfile } from '../core/directory-settings.ts';
import type { ConnectionId, Instant, TenantSlug } from '../core/ids.ts';
import type { DirectoryRef, DirectoryTick } from '../core/scim-request.ts';
import { instant } from './instant.ts';
import { USABLE } from './scim-credentials.ts';

// Reads with a longer pause between them belong to two runs: longer than a provider waits between two pages, shorter than Entra ID
// does between two cycles.
const PAUSE = `interval '15 minutes'`;

/** A tick as the statement takes it: JSON, times as epoch milliseconds. */
export type ActivityRow = Pick<
  DirectoryTick,
  | 'tenantId'
  | 'connectionId'
  | 'requests'
  | 'refused'
  | 'limited'
  | 'failed'
  | 'notKept'
  | 'firstAt'
  | 'lastAt'
  | 'lastWriteAt'
  | 'lookUps'
> & {
  /** Null: what was thought of the directory before stands. */
  readonly profile: DirectoryProfile | null;
  readonly profileBy: RecognisedProfile['by'] | null;
  /** Of pages by index, as a multirange of the resources' numbers. */
  readonly covered: string;
  readonly byCursor: number;
  readonly cursorEnded: boolean;
  readonly total: number | null;
};

// A process that has not heard what another one knows must not overrule it with less.
const rank = (row: string) => `coalesce(array_position(array['nothing', 'shape', 'user_agent'], ${row}.profile_by), 0)`;
const at = (name: string) => `to_timestamp(x."${name}" / 1000.0)`;

/**
 * The parts of a statement that bring ticks (`$3`, {@link ActivityRow}) into the counts and the activity rows: `noted` returns what
 * is thought of each directory now. In the order of the keys, so that processes wait for one another and never in a circle.
 *
 * A row has to be there (see {@link beginActivity}) for a run of reads to be judged.
 */
export const NOTE_ACTIVITY = `
ticks as (
  select x.*, ${at('firstAt')} as first_at, ${at('lastAt')} as last_at, ${at('lastWriteAt')} as last_write_at
  from jsonb_to_recordset($3::jsonb) as x ("tenantId" uuid, "connectionId" uuid, requests bigint, refused bigint, limited bigint,
    failed bigint, "notKept" bigint, "firstAt" bigint, "lastAt" bigint, "lastWriteAt" bigint, "lookUps" bigint, profile text,
    "profileBy" text, covered int8multirange, "byCursor" bigint, "cursorEnded" boolean, total bigint)
), counted as (
  insert into scim_request_counts (tenant_id, connection_id, since, requests, refused, limited, failed, not_kept)
  select "tenantId", "connectionId", date_bin('5 minutes', first_at, 'epoch'), requests, refused, limited, failed, "notKept" from ticks
  order by 1, 2
  on conflict (tenant_id, connection_id, since) do update set requests = scim_request_counts.requests + excluded.requests,
    refused = scim_request_counts.refused + excluded.refused, limited = scim_request_counts.limited + excluded.limited,
    failed = scim_request_counts.failed + excluded.failed, not_kept = scim_request_counts.not_kept + excluded.not_kept
), noted as (
  insert into directory_activity as a (tenant_id, connection_id, profile, profile_by, profile_since, last_request_at, last_write_at,
    run_began_at, run_at, run_covered, run_by_cursor, run_cursor_ended, run_total, run_look_ups)
  select "tenantId", "connectionId", profile, "profileBy", case when profile is not null then last_at end, last_at, last_write_at,
    case when reads then first_at end, case when reads then last_at end, covered, "byCursor", "cursorEnded", total, "lookUps"
  from (select *, covered <> '{}' or "byCursor" > 0 or "cursorEnded" or "lookUps" > 0 or total is not null as reads from ticks) t
  order by 1, 2
  on conflict (tenant_id, connection_id) do update set
    (profile, profile_by, profile_since) = (
      select case when better then excluded.profile else a.profile end, case when better then excluded.profile_by else a.profile_by end,
        case when better and a.profile is distinct from excluded.profile then excluded.profile_since else a.profile_since end
      from (select excluded.profile is not null and ${rank('excluded')} >= ${rank('a')} as better) judged),
    last_request_at = greatest(a.last_request_at, excluded.last_request_at),
    last_write_at = greatest(a.last_write_at, excluded.last_write_at),
    (run_began_at, run_at, run_covered, run_by_cursor, run_cursor_ended, run_total, run_look_ups,
     last_cycle_began_at, last_cycle_at, last_cycle_kind) = (
      select case when done is null then began end, case when done is null then ended end,
        case when done is null then covered else '{}' end, case when done is null then by_cursor else 0 end,
        done is null and cursor_ended, case when done is null then total end, case when done is null then look_ups else 0 end,
        case when done is null then a.last_cycle_began_at else began end,
        case when done is null then a.last_cycle_at else ended end, coalesce(done, a.last_cycle_kind)
      from (
        select run.*, case
          when total > 0 and (covered @> int8range(1, total + 1) or (cursor_ended and by_cursor >= total)) then 'walk'
          when look_ups > 0 and look_ups >= (select nullif(sum(n.count), 0) from directory_counters n
            where n.tenant_id = excluded.tenant_id and n.connection_id = excluded.connection_id and n.resource = 'users')
            then 'look_ups'
        end as done
        from (
          select least(case when goes_on then a.run_began_at end, excluded.run_began_at) as began,
            greatest(case when goes_on then a.run_at end, excluded.run_at) as ended,
            case when goes_on then a.run_covered + excluded.run_covered else excluded.run_covered end as covered,
            case when goes_on then a.run_by_cursor else 0 end + excluded.run_by_cursor as by_cursor,
            (goes_on and a.run_cursor_ended) or excluded.run_cursor_ended as cursor_ended,
            coalesce(excluded.run_total, case when goes_on then a.run_total end) as total,
            case when goes_on then a.run_look_ups else 0 end + excluded.run_look_ups as look_ups
          from (select excluded.run_at is null or excluded.run_began_at <= a.run_at + ${PAUSE} as goes_on) g
        ) run
      ) judged
    )
  returning a.tenant_id, a.connection_id, a.profile, a.profile_by
)`;

export type KnownProfile = { readonly connectionId: ConnectionId; readonly profile: RecognisedProfile | null };

/** Makes the rows of directories that this process has not heard from yet, and tells what is thought of them. */
export async function beginActivity(
  query: Query,
  directories: readonly DirectoryRef[],
): Promise<readonly KnownProfile[]> {
  const values = [directories.map((one) => one.tenantId), directories.map((one) => one.connectionId)];
  const begin: Statement = {
    name: 'directory_activity_begin',
    text: `insert into directory_activity (tenant_id, connection_id) select * from unnest($1::uuid[], $2::uuid[]) order by 1, 2
on conflict do nothing`,
  };
  await query.run(begin, values);
  const find: Statement = {
    name: 'directory_activity_profiles',
    text: `select connection_id, profile, profile_by from directory_activity
where (tenant_id, connection_id) in (select * from unnest($1::uuid[], $2::uuid[]))`,
  };
  return (await query.run<ProfileRow>(find, values)).map(profileOf);
}

export type ProfileRow = {
  readonly connection_id: ConnectionId;
  readonly profile: DirectoryProfile | null;
  readonly profile_by: RecognisedProfile['by'] | null;
};

export function profileOf({ connection_id, profile, profile_by }: ProfileRow): KnownProfile {
  return {
    connectionId: connection_id,
    profile: profile === null || profile_by === null ? null : { profile, by: profile_by },
  };
}

/** Sums over a time that ends now. */
export type RequestCounts = {
  readonly requests: number;
  /** 4xx but 429. */
  readonly refused: number;
  /** 429. */
  readonly limited: number;
  /** 5xx. */
  readonly failed: number;
  /** Requests that the log had no room for. */
  readonly notKept: number;
};

export type DirectoryActivity = {
  readonly users: number;
  readonly activeUsers: number;
  readonly groups: number;
  readonly memberships: number;
  readonly profile: DirectoryProfile | null;
  readonly profileBy: RecognisedProfile['by'] | null;
  readonly profileSince: Instant | null;
  readonly lastRequestAt: Instant | null;
  readonly lastWriteAt: Instant | null;
  readonly cycleBeganAt: Instant | null;
  readonly cycleAt: Instant | null;
  readonly cycleKind: 'walk' | 'look_ups' | null;
  readonly lastHour: RequestCounts;
  readonly lastDay: RequestCounts;
};

const sums = (name: string, since: string) => `
  (select jsonb_build_object('requests', coalesce(sum(requests), 0), 'refused', coalesce(sum(refused), 0),
     'limited', coalesce(sum(limited), 0), 'failed', coalesce(sum(failed), 0), 'notKept', coalesce(sum(not_kept), 0))
   from scim_request_counts where tenant_id = $1 and connection_id = $2 and since > now() - interval '${since}') as "${name}"`;

/** All that is counted of one directory, in one statement. The counts of requests are by five minutes: an hour is up to five longer. */
export async function readActivity(tx: TenantTx, connectionId: ConnectionId): Promise<DirectoryActivity> {
  const [row] = await tx.run<DirectoryActivity>(
    {
      name: 'directory_activity_read',
      text: `
with counted as (
  select coalesce(sum(count) filter (where resource = 'users'), 0)::bigint as users,
    coalesce(sum(count) filter (where resource = 'groups'), 0)::bigint as groups
  from directory_counters where tenant_id = $1 and connection_id = $2
)
select c.users, c.groups,
  c.users - (select count(*) from directory_users where tenant_id = $1 and connection_id = $2 and ended_at is null and not active)
    as "activeUsers",
  (select count(*) from directory_groups g join group_members m on m.tenant_id = g.tenant_id and m.group_id = g.group_id
   where g.tenant_id = $1 and g.connection_id = $2 and g.ended_at is null) as memberships,
  a.profile, a.profile_by as "profileBy", ${instant('a.profile_since')} as "profileSince",
  ${instant('a.last_request_at')} as "lastRequestAt", ${instant('a.last_write_at')} as "lastWriteAt",
  ${instant('a.last_cycle_began_at')} as "cycleBeganAt", ${instant('a.last_cycle_at')} as "cycleAt",
  a.last_cycle_kind as "cycleKind", ${sums('lastHour', '1 hour')}, ${sums('lastDay', '1 day')}
from counted c left join directory_activity a on a.tenant_id = $1 and a.connection_id = $2`,
    },
    [tx.tenantId, connectionId],
  );
  // `counted` is always one row.
  return row as DirectoryActivity;
}

export type DirectoryRow = {
  readonly connectionId: ConnectionId;
  readonly key: string;
  readonly displayName: string;
  readonly enabled: boolean;
  readonly held: boolean;
  /** By its guard. */
  readonly pausedAt: Instant | null;
  readonly users: number;
  readonly groups: number;
  readonly settings: object;
  readonly profile: DirectoryProfile | null;
  readonly profileBy: RecognisedProfile['by'] | null;
  readonly lastRequestAt: Instant | null;
  readonly cycleAt: Instant | null;
  /** Tokens and clients that may be used now. */
  readonly credentials: number;
};

export type PausedDirectory = { readonly tenant: TenantSlug; readonly connection: string };

/** Directories that are paused by their guard, of every tenant: the first so many. */
export async function readPausedDirectories(query: Query, most: number): Promise<readonly PausedDirectory[]> {
  return query.run<PausedDirectory>(
    {
      name: 'directories_paused',
      text: `
select t.slug as tenant, c.key as connection
from directory_guards g
join connections c on c.tenant_id = g.tenant_id and c.connection_id = g.connection_id and c.scim and c.ended_at is null
join tenants t on t.tenant_id = g.tenant_id and t.ended_at is null
where g.paused_at is not null order by t.slug, c.key limit $1`,
    },
    [most],
  );
}

/** The directories of a tenant, or the one of a key: connections that are open and take pushes. */
export async function listDirectoryRows(tx: TenantTx, key: string | null): Promise<readonly DirectoryRow[]> {
  return tx.run<DirectoryRow>(
    {
      name: null,
      text: `
select c.connection_id as "connectionId", c.key, c.display_name as "displayName", c.enabled, c.scim_held as held,
  ${instant('s.paused_at')} as "pausedAt", c.directory as settings, a.profile, a.profile_by as "profileBy", ${instant('a.last_request_at')} as "lastRequestAt",
  ${instant('a.last_cycle_at')} as "cycleAt", coalesce(n.users, 0)::bigint as users, coalesce(n.groups, 0)::bigint as groups,
  (select count(*) from scim_credentials k where k.tenant_id = c.tenant_id and k.connection_id = c.connection_id
     and ${USABLE}) as credentials
from connections c
left join directory_activity a on a.tenant_id = c.tenant_id and a.connection_id = c.connection_id
left join directory_guards s on s.tenant_id = c.tenant_id and s.connection_id = c.connection_id
left join lateral (
  select sum(d.count) filter (where d.resource = 'users') as users, sum(d.count) filter (where d.resource = 'groups') as groups
  from directory_counters d where d.tenant_id = c.tenant_id and d.connection_id = c.connection_id) n on true
where c.tenant_id = $1 and c.scim and c.ended_at is null and ($2::text is null or c.key = $2)
order by c.key limit 1000`,
    },
    [tx.tenantId, key],
  );
}
