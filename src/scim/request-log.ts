// The log of requests, per directory: gathered in memory and written down several times a second, so that no request waits for it.
// A debugging aid and not the audit trail: what a crash, a flood or a database that is away takes from it is lost, and counted.

import type { Log } from '../context.ts';
import type { ConnectionId, Instant } from '../core/ids.ts';
import type { DirectoryRef, DirectoryTick, KeptBody, ScimLogBatch, ScimRequest } from '../core/scim-request.ts';
import { clean } from './redaction.ts';
import { type Answered, loggedRequest, MAX_USER_AGENT, type SeenRequest, seenRequest } from './request-entry.ts';

export type RequestLog = {
  /** Notes a request that was answered. Never throws, never waits. */
  keep(answered: Answered): void;
  /** Writes down what is left, and stops. */
  close(): Promise<void>;
};

export type RequestLogOptions = {
  /** One statement for the whole batch. */
  readonly write: (batch: ScimLogBatch) => Promise<void>;
  readonly log: Log;
  readonly flushMs?: number;
  readonly perSecond?: number;
};

const FLUSH_MS = 250;
const FLUSH_ENTRIES = 500;
/** Of each directory; more are only counted. */
const PER_SECOND = 200;
/** Of one batch; more are only counted. */
const MAX_LINES = 2_000;
const MAX_BATCHES = 10;
const MAX_TRIES = 20;
/** A failed flush is tried again after ever longer, up to so many times the usual. */
const MOST_WAITS = 20;
/** Of one batch. More bodies are left out, and marked as cut. */
const MAX_BODIES = 2 * 1024 * 1024;
const MAX_LOOK_UPS = 5_000;
const MAX_PAGES = 100;
const MAX_AGENTS = 20;
const CLOSE_MS = 2_000;

/** A directory's sum while it grows. */
type Sum = {
  -readonly [Key in keyof DirectoryTick]: DirectoryTick[Key] extends readonly (infer Item)[]
    ? Item[]
    : DirectoryTick[Key];
} & { readonly keys: Set<string>; readonly agents: Set<string>; readonly forms: Set<string> };

type Line = DirectoryRef & { readonly request: ScimRequest; readonly kept: KeptBody | null };
type Gathering = { readonly lines: Line[]; readonly sums: Map<ConnectionId, Sum>; bodyCharacters: number };

/** A log that writes by `write`, every {@link FLUSH_MS} while there is something to write. */
export function requestLog(options: RequestLogOptions): RequestLog {
  const { write, log, flushMs = FLUSH_MS, perSecond = PER_SECOND } = options;
  const room = roomPerSecond(perSecond);
  const waiting: ScimLogBatch[] = [];
  let gathering = nothingYet();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | null = null;
  let failures = 0;

  const cut = (): void => {
    if (gathering.sums.size === 0) return;
    waiting.push(batchOf(gathering));
    gathering = nothingYet();
    if (waiting.length > MAX_BATCHES) drop();
  };
  /** The oldest: whoever looks wants to see what happens now. */
  const drop = (): void => {
    const lost = waiting.shift()?.ticks.reduce((sum, tick) => sum + tick.requests, 0);
    log.warn({ requests: lost }, 'SCIM requests are lost from their log');
  };
  const flush = async (): Promise<void> => {
    cut();
    for (let batch = waiting[0]; batch !== undefined; batch = waiting[0]) {
      try {
        await write(batch);
        failures = 0;
        if (waiting[0] === batch) waiting.shift();
      } catch (error) {
        failures += 1;
        // A batch that fails while others pass would stop the log for ever.
        if (failures % MAX_TRIES === 0 && waiting[0] === batch) drop();
        if (failures % MAX_TRIES === 1) log.warn({ error, failures }, 'the log of SCIM requests is not written');
        return;
      }
    }
  };
  const start = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    writing ??= flush().finally(() => {
      writing = null;
      if (waiting.length > 0 || gathering.sums.size > 0) later(flushMs * Math.min(2 ** failures, MOST_WAITS));
    });
    return writing;
  };
  const later = (ms: number): void => {
    if (timer !== undefined) return;
    timer = setTimeout(() => void start(), ms);
    timer.unref();
  };

  return {
    keep(answered) {
      try {
        const { tenantId, connectionId, settings } = answered.directory;
        const kept = room(connectionId, answered.at) && gathering.lines.length < MAX_LINES;
        add(gathering, { tenantId, connectionId }, seenRequest(answered), kept);
        if (kept && settings.requestLog.days > 0)
          addLine(gathering, { tenantId, connectionId, ...loggedRequest(answered) });
        const full = gathering.lines.length >= FLUSH_ENTRIES || gathering.bodyCharacters > MAX_BODIES / 2;
        if (full && failures === 0) void start();
        else later(flushMs);
      } catch (error) {
        log.warn({ error }, 'a SCIM request is not in its log');
      }
    },
    async close() {
      const end = AbortSignal.timeout(CLOSE_MS);
      while (!end.aborted && (waiting.length > 0 || gathering.sums.size > 0 || writing !== null)) {
        await Promise.race([start(), new Promise((resolve) => end.addEventListener('abort', resolve, { once: true }))]);
        if (failures > 0) break;
      }
      clearTimeout(timer);
    },
  };
}

function nothingYet(): Gathering {
  return { lines: [], sums: new Map(), bodyCharacters: 0 };
}

/** Whether this second still has room for a directory's request. */
function roomPerSecond(most: number): (connectionId: ConnectionId, at: Instant) => boolean {
  let second = 0;
  let taken = new Map<ConnectionId, number>();
  return (connectionId, at) => {
    const now = Math.floor(at / 1000);
    // Forwards only: requests end in another order than they began.
    if (now > second) {
      second = now;
      taken = new Map();
    }
    const count = taken.get(connectionId) ?? 0;
    taken.set(connectionId, count + 1);
    return count < most;
  };
}

function addLine(gathering: Gathering, line: Line): void {
  const { kept } = line;
  const characters = (kept?.body?.length ?? 0) + (kept?.refusal?.length ?? 0);
  const fits = gathering.bodyCharacters + characters <= MAX_BODIES;
  if (fits) gathering.bodyCharacters += characters;
  gathering.lines.push(kept === null || fits ? line : { ...line, kept: { ...kept, body: null, omitted: 'cut' } });
}

function add(gathering: Gathering, directory: DirectoryRef, seen: SeenRequest, kept: boolean): void {
  const { at, read, wrote, signs, userAgent } = seen;
  const sum = gathering.sums.get(directory.connectionId) ?? newSum(directory, at);
  gathering.sums.set(directory.connectionId, sum);
  sum.requests += 1;
  if (!kept) sum.notKept += 1;
  if (seen.end !== 'answered') sum[seen.end] += 1;
  if (at > sum.lastAt) sum.lastAt = at;
  if (at < sum.firstAt) sum.firstAt = at;
  if (wrote) sum.lastWriteAt = at;
  if (read?.kind === 'look_up' && sum.keys.size < MAX_LOOK_UPS) sum.keys.add(read.key);
  if (read?.kind === 'page' && sum.pages.length < MAX_PAGES) sum.pages.push(read.page);
  if (userAgent !== null && sum.agents.size < MAX_AGENTS) sum.agents.add(userAgent);
  for (const sign of signs) sum.forms.add(sign);
}

function newSum(directory: DirectoryRef, at: Instant): Sum {
  return {
    ...directory,
    requests: 0,
    refused: 0,
    limited: 0,
    failed: 0,
    notKept: 0,
    firstAt: at,
    lastAt: at,
    lastWriteAt: null,
    lookUps: 0,
    pages: [],
    userAgents: [],
    signs: [],
    keys: new Set(),
    agents: new Set(),
    forms: new Set(),
  };
}

function batchOf({ lines, sums }: Gathering): ScimLogBatch {
  const ticks = [...sums.values()].map(
    ({ keys, agents, forms, ...sum }): DirectoryTick => ({
      ...sum,
      lookUps: keys.size,
      userAgents: Array.from(agents, (agent) => clean(agent, MAX_USER_AGENT)),
      signs: [...forms],
    }),
  );
  return { requests: lines, ticks };
}
