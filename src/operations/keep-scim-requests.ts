import type { Context } from '../context.ts';
import { type RecognisedProfile, recogniseProfile } from '../core/directory-profiles.ts';
import type { ConnectionId } from '../core/ids.ts';
import { forgetOldest, remember } from '../core/recent.ts';
import type { DirectoryTick, PageSeen, ScimLogBatch } from '../core/scim-request.ts';
import { type ActivityRow, beginActivity } from '../store/directory-activity.ts';
import { keepRequests } from '../store/scim-requests.ts';

const MAX_REMEMBERED = 10_000;

/**
 * Writes batches of the request log down: the requests, their directories' counts, and what their forms tell of whose they are. One
 * statement a batch; two more for directories that this process has not heard from before.
 *
 * Throws where the database does not take it; the batch can then be given again.
 */
export function requestKeeper(ctx: Pick<Context, 'global'>): (batch: ScimLogBatch) => Promise<void> {
  const remembered = new Map<ConnectionId, RecognisedProfile | null>();
  return async (batch) => {
    const strangers = batch.ticks.filter(({ connectionId }) => !remembered.has(connectionId));
    if (strangers.length > 0) {
      const known = await beginActivity(ctx.global, strangers);
      for (const { connectionId, profile } of known) remembered.set(connectionId, profile);
    }
    const rows = batch.ticks.map((tick) => activityRow(tick, remembered.get(tick.connectionId) ?? null));
    // Another process may have seen more: what is written is what is remembered.
    for (const { connectionId, profile } of await keepRequests(ctx.global, batch, rows)) {
      remember(remembered, MAX_REMEMBERED, connectionId, profile);
    }
    forgetOldest(remembered, MAX_REMEMBERED);
  };
}

function activityRow(tick: DirectoryTick, before: RecognisedProfile | null): ActivityRow {
  const { userAgents, signs, pages, ...counts } = tick;
  const now = recogniseProfile(before, { userAgents, signs });
  const isNews = now.profile !== before?.profile || now.by !== before.by;
  const byIndex = pages.filter((page) => page.from !== null && page.items > 0);
  return {
    ...counts,
    profile: isNews ? now.profile : null,
    profileBy: isNews ? now.by : null,
    covered: `{${byIndex.map(rangeOf).join(',')}}`,
    byCursor: pages.reduce((sum, page) => sum + (page.from === null ? page.items : 0), 0),
    cursorEnded: pages.some((page) => page.last),
    total: pages.at(-1)?.total ?? null,
  };
}

function rangeOf({ from, items }: PageSeen): string {
  return `[${from},${(from ?? 0) + items})`;
}
