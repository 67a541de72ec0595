// An attack: requests in batches, and after each a look at the server from inside and outside.

import { type Known, remember } from './known.ts';
import { faultOf, parsed } from './oracle.ts';
import { randomOf } from './random.ts';
import { type Fuzzed, nextRequest } from './requests.ts';
import type { Stage } from './stage.ts';
import { headOf, type Outcome, openWire, type Wire } from './wire.ts';

export type Options = {
  readonly seed: number;
  /** Whichever comes first. */
  readonly requests: number;
  readonly milliseconds: number;
  readonly onProgress?: (line: string) => void;
};

/** Something that a sound server does not do. */
export type Finding = { readonly fault: string; readonly request: string | null; readonly answer: string | null };

export type Report = {
  readonly requests: number;
  readonly byKind: ReadonlyMap<string, number>;
  readonly byStatus: ReadonlyMap<string, number>;
  readonly findings: readonly Finding[];
  /** The longest work of the server's thread without a turn for others; only one that comes again with its request alone is a finding. */
  readonly longestStallMs: number;
  readonly slowestAnswer: Measured;
  /** Of those in whose company a stall was seen: the one that takes longest of the thread by itself. */
  readonly heaviest: Measured;
  /** Of /livez every 20 ms: what this machine and everything on it let through. */
  readonly livezMs: { readonly p50: number; readonly max: number };
};

const LANES = 8;
const BATCH = 64;
const STALL_MS = 100;
const AUTHORITY_EVERY = 8;
const MAX_FINDINGS = 25;

export type Measured = { readonly ms: number; readonly request: string };
const none: Measured = { ms: 0, request: '' };
const more = (one: Measured, ms: number, fuzzed: Fuzzed): Measured =>
  one.ms >= ms ? one : { ms, request: shown(fuzzed) };

type Attack = {
  readonly stage: Stage;
  readonly findings: Finding[];
  readonly byKind: Map<string, number>;
  readonly byStatus: Map<string, number>;
  slowest: Measured;
  heaviest: Measured;
  longest: number;
};

/** Attacks until the options say that it is enough, or there is too much to tell already. */
export async function attack(stage: Stage, options: Options): Promise<Report> {
  const random = randomOf(options.seed);
  const run: Attack = {
    stage,
    findings: [],
    byKind: new Map(),
    byStatus: new Map(),
    slowest: none,
    heaviest: none,
    longest: 0,
  };
  const authority = await stage.authority();
  const { prototypes } = await stage.facts();
  const wires = Array.from({ length: LANES }, () => openWire(stage.port));
  const probe = probeLiveness(stage.port);
  const until = performance.now() + options.milliseconds;
  let sent = 0;
  for (let batch = 1; sent < options.requests && performance.now() < until; batch += 1) {
    const requests = Array.from({ length: Math.min(BATCH, options.requests - sent) }, () =>
      nextRequest(random, stage.known),
    );
    sent += requests.length;
    await Promise.all(wires.map((wire, lane) => sendLane(run, wire, requests, lane)));
    await lookInside(run, requests, prototypes);
    const last = sent >= options.requests || performance.now() >= until;
    if (batch % AUTHORITY_EVERY === 0 || last)
      expectSame(run, 'what it may not touch', authority, await stage.authority());
    if (stage.ended() !== null || run.findings.length >= MAX_FINDINGS) break;
    await stage.replenish();
    if (batch % 10 === 0) options.onProgress?.(`${sent} requests, ${run.findings.length} findings`);
  }
  for (const wire of wires) wire.close();
  const { byKind, byStatus, findings, longest, slowest, heaviest } = run;
  const report = {
    requests: sent,
    byKind,
    byStatus,
    findings,
    longestStallMs: longest,
    slowestAnswer: slowest,
    heaviest,
  };
  return { ...report, livezMs: await probe.stop() };
}

async function sendLane(run: Attack, wire: Wire, requests: readonly Fuzzed[], lane: number): Promise<void> {
  for (let index = lane; index < requests.length; index += LANES) {
    const fuzzed = requests[index] as Fuzzed;
    const outcome = await wire.exchange(fuzzed).catch((error: Error) => error);
    if (outcome instanceof Error) {
      run.findings.push({ fault: `no connection: ${outcome.message}`, request: shown(fuzzed), answer: null });
      return;
    }
    count(run.byKind, fuzzed.kind);
    count(run.byStatus, outcome.kind === 'answered' ? String(outcome.answer.status) : outcome.kind);
    if (outcome.kind === 'answered' && !isSlow(fuzzed)) run.slowest = more(run.slowest, outcome.answer.ms, fuzzed);
    const fault = faultOf(fuzzed, outcome);
    if (fault !== null) {
      // What came before over the same connection may have its part in it.
      const before = index < LANES ? '' : `\n  after ${shown(requests[index - LANES] as Fuzzed)}`;
      run.findings.push({ fault, request: shown(fuzzed), answer: told(outcome) + before });
    }
    learn(run.stage.known, outcome);
  }
}

const isSlow = (fuzzed: Fuzzed) => 'framing' in fuzzed && fuzzed.framing === 'slow';
const count = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);

/** Ids and cursors that an answer gives away. */
function learn(known: Known, outcome: Outcome): void {
  if (outcome.kind !== 'answered' || outcome.answer.status >= 300 || outcome.answer.body.length > 200_000) return;
  const body = parsed(outcome.answer.body) as Readonly<Record<string, unknown>> | undefined;
  if (typeof body !== 'object' || body === null) return;
  const { id, meta, nextCursor, previousCursor } = body;
  if (outcome.answer.status === 201 && typeof id === 'string') {
    const type = (meta as { resourceType?: unknown } | undefined)?.resourceType;
    remember(type === 'Group' ? known.groups : known.users, id);
  }
  for (const cursor of [nextCursor, previousCursor]) if (typeof cursor === 'string') remember(known.cursors, cursor);
}

async function lookInside(run: Attack, requests: readonly Fuzzed[], prototypes: string): Promise<void> {
  const { stage } = run;
  const end = stage.ended();
  if (end !== null) {
    run.findings.push({ fault: `the server ended: ${end}`, request: requests.map(shown).join('\n'), answer: null });
    return;
  }
  const facts = await stage.facts();
  expectSame(run, 'prototypes', prototypes, facts.prototypes);
  run.longest = Math.max(run.longest, facts.longestMs);
  if (facts.longestMs > STALL_MS) await findStall(run, requests);
  for (const line of stage.takeFailures())
    run.findings.push({ fault: `the log tells of a failure: ${line}`, request: null, answer: null });
}

function expectSame(run: Attack, what: string, before: string, after: string): void {
  if (before === after) return;
  const lines = after.split('\n').filter((line) => !before.includes(line));
  run.findings.push({ fault: `${what} changed: ${lines.join(' ').slice(0, 1_000)}`, request: null, answer: null });
}

/** Sends the requests of a batch again, one at a time: a stall that a busy machine makes does not come back, one of ours does. */
async function findStall(run: Attack, requests: readonly Fuzzed[]): Promise<void> {
  const { stage } = run;
  const wire = openWire(stage.port);
  for (const fuzzed of requests) {
    let shortest = Number.POSITIVE_INFINITY;
    for (let turn = 0; turn < 3 && shortest > STALL_MS; turn += 1) {
      await stage.facts();
      await wire.exchange(fuzzed).catch(() => null);
      shortest = Math.min(shortest, (await stage.facts()).longestMs);
    }
    run.heaviest = more(run.heaviest, shortest, fuzzed);
    if (shortest > STALL_MS) {
      run.findings.push({
        fault: `holds everybody up for ${Math.round(shortest)} ms`,
        request: shown(fuzzed),
        answer: null,
      });
    }
  }
  wire.close();
}

const MAX_SHOWN = { head: 400, header: 300, body: 1_500 };

/** A request so that it can be read. */
function shown(fuzzed: Fuzzed): string {
  const text = Buffer.from(bytesOf(fuzzed))
    .toString('latin1')
    .replace(/(Bearer )[^\s]{30,}/g, '$1…');
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...headers] = (end === -1 ? text : text.slice(0, end)).split('\r\n');
  const lines = [cut(first, MAX_SHOWN.head), ...headers.slice(0, 20).map((line) => cut(line, MAX_SHOWN.header))];
  const body = end === -1 ? '' : cut(text.slice(end + 4), MAX_SHOWN.body);
  const framing = 'framing' in fuzzed ? `, ${fuzzed.framing}` : '';
  return `${fuzzed.kind}${framing}: ${JSON.stringify(lines)} ${JSON.stringify(body)}`;
}

const cut = (text: string, most: number) => (text.length > most ? `${text.slice(0, most)}… (${text.length})` : text);

function bytesOf(fuzzed: Fuzzed): Uint8Array {
  return 'raw' in fuzzed ? fuzzed.raw : Buffer.concat([headOf(fuzzed), fuzzed.body ?? new Uint8Array()]);
}

function told(outcome: Outcome): string {
  if (outcome.kind !== 'answered') return outcome.kind;
  const { status, headers, body, ms } = outcome.answer;
  return `${status} in ${Math.round(ms)} ms ${JSON.stringify([...headers])} ${body.slice(0, 500)}`;
}

function probeLiveness(port: number): { stop(): Promise<Report['livezMs']> } {
  const times: number[] = [];
  let stopped = false;
  const probing = (async () => {
    while (!stopped) {
      const begun = performance.now();
      await fetch(`http://127.0.0.1:${port}/livez`)
        .then((answer) => answer.arrayBuffer())
        .catch(() => null);
      times.push(performance.now() - begun);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return {
    async stop() {
      stopped = true;
      await probing;
      const sorted = times.sort((a, b) => a - b);
      return { p50: sorted[sorted.length >> 1] ?? 0, max: sorted.at(-1) ?? 0 };
    },
  };
}
