// The last full run as a page of the documentation.

import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import type { Load } from './load.ts';
import type { Options } from './options.ts';
import { PEER_USERS, PEER_VERSION } from './peer.ts';
import type { Pgbench } from './pgbench.ts';
import type { Place } from './place.ts';
import { asMarkdown, type Row } from './report.ts';
import { spoiledShots } from './spoiled-shot.ts';

export type Machine = Readonly<Record<string, string>>;

// Read before the bench adds to it.
const [loadBefore = 0] = loadavg();
const coresBefore = coreTime();

/** Ticks of all cores since the machine began, and those that its host gave to other machines; null where nobody counts them. */
function coreTime(): { readonly all: number; readonly stolen: number } | null {
  if (!existsSync('/proc/stat')) return null;
  // user, nice, system, idle, iowait, irq, softirq, steal
  const ticks = (/^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '').split(' ').slice(0, 8).map(Number);
  return { all: ticks.reduce((sum, one) => sum + one, 0), stolen: ticks[7] ?? 0 };
}

/** Percent of the cores that the host gave to other machines since the bench began. */
function stolenPercent(): number {
  const now = coreTime();
  if (now === null || coresBefore === null || now.all === coresBefore.all) return 0;
  return (100 * (now.stolen - coresBefore.stolen)) / (now.all - coresBefore.all);
}

/** A sentence where other work shares the machine; null where it is quiet. The server is one process, the limit eight: they lose unlike shares. */
export function disturbance(): string | null {
  if (loadBefore < availableParallelism() / 2) return null;
  return `the machine was busy before (load ${loadBefore.toFixed(1)} on ${availableParallelism()} cores): ratios come out too low`;
}

function disturbances(): readonly string[] {
  const [before, stolen, spoiled] = [disturbance(), stolenPercent(), spoiledShots()];
  return [
    ...(before === null ? [] : [before]),
    ...(stolen < 1 ? [] : [`other machines of its host took ${stolen.toFixed(0)} % of its cores meanwhile`]),
    ...(spoiled === 0 ? [] : [`shots repeated, since it stood still meanwhile and requests were refused: ${spoiled}`]),
  ];
}

export function machineOf({ postgres }: Place, load: Load, pgbench: Pgbench): Machine {
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${(totalmem() / 2 ** 30).toFixed(0)} GB, ${process.platform} ${release()}`,
    node: process.versions.node,
    postgres: `${postgres.version}, fsync ${postgres.fsync}, shared_buffers ${postgres.sharedBuffers}`,
    load: load.name,
    limit: pgbench.version,
    peer: `Ory Polis ${PEER_VERSION}`,
    quiet: disturbances().join('; ') || 'yes, nothing else ran',
  };
}

/** docs/performance.md. */
export function asPage(rows: readonly Row[], machine: Machine, options: Options): string {
  const missed = rows.filter(({ met }) => met === false).length;
  return `# Performance of SCIM

What \`npm run bench\` measured last: one server process, PostgreSQL and the load on one machine, everything in one run. Figures per
second move with the machine; ratios taken in one run hold. \`npm run bench -- --help\` says what it can be asked.

${Object.entries(machine)
  .map(([name, value]) => `- ${name}: ${value}`)
  .join('\n')}
${options.quick ? '\nA quick run: short rounds, 10 k users. For orientation only.\n' : ''}
${asMarkdown(rows)}

${missed === 0 ? 'Every bar is met.' : `${missed} of the bars above ${missed === 1 ? 'is' : 'are'} missed.`}

How to read it:

- *ours* is what the server answers over HTTP: a token checked, the body validated, rows and audit row written. *CPU* is the server
  process's own time for one of them. Rates are per second.
- *limit* is PostgreSQL's own pgbench with 8 clients and prepared statements, one statement that touches the same rows
  (\`scripts/bench/pgbench/\`). Limit and server take turns, of the small directory and of the large one, each of which has a server and
  a database of its own; so do the peer and the server. *Ours*, *limit* and *ratio* are each the median of the rounds, the ratio of
  what was measured one after the other. Where two of ours are compared, the *limit* is the one that the other is measured by; against
  the peer it is the peer.
- The load generator, the server and the database share the cores, so that the ratios are worse than with a core for each.
- The directory is filled by copying the rows of one pushed user, its audit row included, and the users that a job creates are taken
  out again before the next one. With \`DATABASE_URL\` they stay, for that takes a superuser.
- The group that members are added to is one group for all clients: its row is locked by one of them at a time.
- The list is the first page, for the server and for the limit.
- The peer is Ory Polis as a library behind a bare HTTP server, without its webhooks and without an audit trail. It has ${PEER_USERS} users:
  its list reads the whole directory for every page.
- The memory is that of a server whose code an earlier start compiled, as in the published package. The first start of a checkout takes
  26 MB more, for what strips the types.
- The memory of a process goes up and down by what its collector has not looked through yet. A leak shows in what is left after a
  collection: that is compared in the middle and at the end of a sustained load of half an hour or more (\`--minutes\`).
- Latencies of the sustained load count from when a request was due, those of the jobs from when it was sent.
`;
}
