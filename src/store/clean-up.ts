// What is kept for a time only, and what has to be there in time. Runs as the schema's owner, since the server itself may remove
// nothing but what it keeps for a sign-in.

import type { Query } from '../context.ts';
import { defaultDirectorySettings } from '../core/directory-settings.ts';
import type { Tasks } from './jobs.ts';
import { removeExpired as removeExpiredArtifacts } from './oidc-artifacts.ts';
import { removeOldRequests } from './scim-requests.ts';

// Small bites, so that no statement holds many rows or runs long.
const BITE = 1_000;
const MOST_BITES = 100;
// A hundred directories at work write more in ten minutes than small bites would take.
const LOG_BITE = 10_000;

const expired = {
  login_flows: 'expires_at < now()',
  sign_in_handles: 'expires_at < now()',
  // An hour more: the clocks of identity providers may differ from ours.
  seen_assertions: "expires_at < now() - interval '1 hour'",
  mail_windows: "opened_at < now() - interval '1 day' and sending = '[]' and waiting = '[]'",
} as const;

const MONTHS_AHEAD = 3;
// Longer than any task of ours runs. A killed server's jobs would otherwise stay with it for the queue's own four hours.
const ABANDONED_AFTER = '10 minutes';

/** How often each task runs, as crontab patterns. */
export const cleanUpSchedule = { clean_up: '*/10 * * * *', prepare_audit_months: '17 * * * *' } as const;

/** Tasks that need nothing but the database. Each may run at any time, on any server, twice. */
export const cleanUpTasks: Tasks = {
  async clean_up(_payload, { owner }) {
    await releaseAbandonedJobs(owner);
    for (const [table, condition] of Object.entries(expired)) {
      await inBites(() => removeExpired(owner, table, condition));
    }
    await inBites(() => removeExpiredArtifacts(owner, BITE));
    await inBites(() => removeOldRequests(owner, LOG_BITE, defaultDirectorySettings.requestLog), LOG_BITE);
  },
  async prepare_audit_months(_payload, { owner }) {
    for (let months = 1; months <= MONTHS_AHEAD; months += 1) await prepareAuditMonth(owner, months);
  },
};

async function removeExpired(owner: Query, table: string, condition: string): Promise<number> {
  // Rows that a sign-in holds just now are left for the next time.
  const rows = `select ctid from ${table} where ${condition} limit ${BITE} for update skip locked`;
  const text = `delete from ${table} where ctid = any (array(${rows})) returning 1`;
  return (await owner.run({ name: null, text }, [])).length;
}

async function inBites(bite: () => Promise<number>, size = BITE): Promise<void> {
  for (let bites = 0; bites < MOST_BITES; bites += 1) if ((await bite()) < size) return;
}

async function releaseAbandonedJobs(owner: Query): Promise<void> {
  const text = `
select graphile_worker.force_unlock_workers(array(
  select distinct locked_by from graphile_worker.jobs
  where locked_by is not null and locked_at < now() - interval '${ABANDONED_AFTER}'))`;
  await owner.run({ name: null, text }, []);
}

/**
 * A partition of the audit trail for a month to come. What no partition takes goes to the one for the rest, so a month that was
 * missed loses nothing and stays there.
 */
async function prepareAuditMonth(owner: Query, monthsAhead: number): Promise<void> {
  const [month] = await owner.run<{ name: string; from: string; until: string; there: boolean }>(
    {
      name: null,
      text: `
select 'audit_events_' || to_char(m, 'YYYY_MM') as name, to_char(m, 'YYYY-MM-DD') as from,
  to_char(m + interval '1 month', 'YYYY-MM-DD') as until, to_regclass('audit_events_' || to_char(m, 'YYYY_MM')) is not null as there
from (select date_trunc('month', now() at time zone 'UTC') + make_interval(months => $1) as m) next`,
    },
    [monthsAhead],
  );
  if (month === undefined || month.there) return;
  // Taking the lock must not queue the server's own writes behind it for long (FT16).
  const text = `
do $$ begin
  perform set_config('lock_timeout', '2s', true);
  create table if not exists ${month.name} partition of audit_events
    for values from ('${month.from} 00:00:00+00') to ('${month.until} 00:00:00+00');
  create trigger ${month.name}_no_truncate before truncate on ${month.name} for each statement execute function refuse_change();
end $$`;
  await owner.run({ name: null, text }, []);
}
