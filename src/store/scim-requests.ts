// The log of directories' requests as it is kept: written in batches, read a page at a time, removed by age.

import type { Query, Statement, TenantTx } from '../context.ts';
import type { ConnectionId, Instant } from '../core/ids.ts';
import type { KeptBody, ScimLogBatch, ScimRequest } from '../core/scim-request.ts';
import {
  type ActivityRow,
  type KnownProfile,
  NOTE_ACTIVITY,
  type ProfileRow,
  profileOf,
} from './directory-activity.ts';
import { instant } from './instant.ts';

const KEY = `r."tenantId", r."connectionId", to_timestamp(r.at / 1000.0), r."requestId"`;

// Rows of all tenants at once: what a process heard in one moment costs one round trip.
const KEEP: Statement = {
  name: 'scim_requests_keep',
  text: `
with requests as (
  insert into scim_requests (tenant_id, connection_id, occurred_at, request_id, credential_id, source, method, path, query, status,
    scim_type, duration_ms, notes, user_agent, bytes_in, bytes_out)
  select ${KEY}, r."credentialId", r.source, r.method, r.path, r.query, r.status, r."scimType", r."durationMs", r.notes, r."userAgent",
    r."bytesIn", r."bytesOut"
  from jsonb_to_recordset($1::jsonb) as r ("tenantId" uuid, "connectionId" uuid, at bigint, "requestId" uuid, "credentialId" uuid,
    source text, method text, path text, query text, status smallint, "scimType" text, "durationMs" integer, notes jsonb,
    "userAgent" text, "bytesIn" bigint, "bytesOut" bigint)
  on conflict do nothing
), bodies as (
  insert into scim_request_bodies (tenant_id, connection_id, occurred_at, request_id, content_type, body, omitted, refusal)
  select ${KEY}, r."contentType", r.body, r.omitted, r.refusal
  from jsonb_to_recordset($2::jsonb) as r ("tenantId" uuid, "connectionId" uuid, at bigint, "requestId" uuid, "contentType" text,
    body text, omitted text, refusal text)
  on conflict do nothing
), ${NOTE_ACTIVITY}
select connection_id, profile, profile_by from noted`,
};

/** Writes a batch down, in one statement, and tells what is thought of its directories now. */
export async function keepRequests(
  query: Query,
  batch: Pick<ScimLogBatch, 'requests'>,
  activity: readonly ActivityRow[],
): Promise<readonly KnownProfile[]> {
  const requests = batch.requests.map(({ tenantId, connectionId, request }) => ({
    tenantId,
    connectionId,
    ...request,
    notes: request.notes.length === 0 ? null : request.notes,
  }));
  const bodies = batch.requests.flatMap(({ tenantId, connectionId, request: { at, requestId }, kept }) =>
    kept === null ? [] : [{ tenantId, connectionId, at, requestId, ...kept }],
  );
  const rows = await query.run<ProfileRow>(
    KEEP,
    [requests, bodies, activity].map((part) => JSON.stringify(part)),
  );
  return rows.map(profileOf);
}

/** A request of the log, with its body where that is kept. */
export type LoggedRequest = ScimRequest & { readonly kept: KeptBody | null };

export type RequestQuery = {
  /** Both ends belong to it. Null: all. */
  readonly status: readonly [number, number] | null;
  readonly since: Instant | null;
  /** The page begins with what is older than this one. */
  readonly before: RequestPlace | null;
  readonly limit: number;
  readonly bodies: boolean;
  /** The oldest first; the page then begins with what is younger than `before`. */
  readonly oldestFirst?: true;
  /** Does not belong to it any more. */
  readonly until?: Instant | null;
  /** `/Users`: at this path, or below it. */
  readonly path?: string | null;
};

/** Where a request stands among those of its directory. */
export type RequestPlace = { readonly at: Instant; readonly requestId: string };

type RequestRow = ScimRequest & {
  readonly hasKept: boolean;
  readonly contentType: string | null;
  readonly body: string | null;
  readonly omitted: 'cut' | 'not_json' | null;
  readonly refusal: string | null;
};

/** Requests of one directory, the newest first unless it is asked otherwise. */
export async function readRequests(
  tx: TenantTx,
  connectionId: ConnectionId,
  { status, since, before, limit, bodies, oldestFirst, until = null, path = null }: RequestQuery,
): Promise<readonly LoggedRequest[]> {
  const [beyond, order] = oldestFirst === true ? ['>', 'asc'] : ['<', 'desc'];
  // Refusals have an index of their own, which only a condition that cannot be a parameter lets the database use.
  const refusedOnly = status !== null && status[0] >= 400 ? 'and r.status >= 400' : '';
  const rows = await tx.run<RequestRow>(
    {
      name: null,
      text: `
select ${instant('r.occurred_at')} as at, r.request_id as "requestId", r.credential_id as "credentialId", r.source, r.method, r.path,
  r.query, r.status, r.scim_type as "scimType", r.duration_ms as "durationMs", coalesce(r.notes, '[]') as notes,
  r.user_agent as "userAgent", r.bytes_in as "bytesIn", r.bytes_out as "bytesOut", b.request_id is not null as "hasKept",
  b.content_type as "contentType", b.body, b.omitted, b.refusal
from scim_requests r
left join scim_request_bodies b on $9 and b.tenant_id = r.tenant_id and b.connection_id = r.connection_id
  and b.occurred_at = r.occurred_at and b.request_id = r.request_id
where r.tenant_id = $1 and r.connection_id = $2 and r.occurred_at >= coalesce(to_timestamp($3 / 1000.0), '-infinity')
  and r.occurred_at < coalesce(to_timestamp($10 / 1000.0), 'infinity')
  and ($4::bigint is null or (r.occurred_at, r.request_id) ${beyond} (to_timestamp($4 / 1000.0), $5::uuid))
  and ($6::int is null or r.status between $6 and $7) ${refusedOnly}
  and ($11::text is null or r.path = $11 or starts_with(r.path, $11 || '/'))
order by r.occurred_at ${order}, r.request_id ${order} limit $8`,
    },
    [
      tx.tenantId,
      connectionId,
      since,
      before?.at ?? null,
      before?.requestId ?? null,
      status?.[0] ?? null,
      status?.[1] ?? null,
      limit,
      bodies,
      until,
      path,
    ],
  );
  return rows.map(({ hasKept, contentType, body, omitted, refusal, ...request }) => ({
    ...request,
    kept: hasKept ? { contentType, body, omitted, refusal } : null,
  }));
}

// An ended connection's rows grow old as all others do. Its key first, so that each directory costs one look into the index.
const older = (table: string, time: string, age: string) => `
delete from ${table} where ctid = any (array(
  select r.ctid from connections c cross join lateral (
    select o.ctid from ${table} o
    where o.tenant_id = c.tenant_id and o.connection_id = c.connection_id and o.${time} < now() - ${age}
    order by o.${time} limit $1) r
  limit $1)) returning 1`;

const setting = (name: string, fallback: number) =>
  `coalesce((c.directory -> 'requestLog' ->> '${name}')::integer, ${fallback})`;

/** Removes up to `limit` rows of each table that their directory's settings keep no longer; how many of either at the most. */
export async function removeOldRequests(
  owner: Query,
  limit: number,
  fallback: { readonly days: number; readonly bodyHours: number },
): Promise<number> {
  const days = `make_interval(days => ${setting('days', fallback.days)})`;
  const hours = `make_interval(hours => least(${setting('bodyHours', fallback.bodyHours)}, 24 * ${setting('days', fallback.days)}))`;
  const removed: number[] = [];
  for (const text of [
    older('scim_request_bodies', 'occurred_at', hours),
    older('scim_requests', 'occurred_at', days),
    // Nothing looks further back than a day.
    older('scim_request_counts', 'since', `interval '2 days'`),
  ]) {
    removed.push((await owner.run({ name: null, text }, [limit])).length);
  }
  return Math.max(...removed);
}
