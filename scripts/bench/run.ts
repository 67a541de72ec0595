// The run from beginning to end.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openClient } from './client.ts';
import { asPage, disturbance, machineOf } from './documentation.ts';
import { startDrawbridge, type Target } from './drawbridge.ts';
import { atEnd, endOnSignals, endRun } from './ending.ts';
import { fullSyncRows, measureFullSync } from './full-sync.ts';
import { GROUP_SIZES, jobsFor } from './jobs.ts';
import { openLoad } from './load.ts';
import { type Bench, type Measured, measure, type Site } from './measure.ts';
import { root } from './measured-process.ts';
import type { Options } from './options.ts';
import { measurePeer, peerRows } from './peer.ts';
import { openPgbench } from './pgbench.ts';
import { openPlace, type Place } from './place.ts';
import { say } from './progress.ts';
import { asText, type Row } from './report.ts';
import { growthRows, jobRow, memberRow, memoryRow } from './rows.ts';
import { openSeed } from './seed.ts';
import { measureStalls, stallRows } from './stall.ts';
import { measureSustained, sustainedRows } from './sustained.ts';

/** Runs what the options ask for and prints the table; the exit code is 0 also where a bar is missed. */
export async function runBench(options: Options): Promise<number> {
  endOnSignals();
  try {
    const disturbed = disturbance();
    if (disturbed !== null) say(disturbed);
    const pgbench = openPgbench();
    const place = await openPlace();
    const load = await openLoad(place.folder);
    const rows: Row[] = [];
    const bench: Bench = { options, load, pgbench };
    const sites: Site[] = [];
    for (const users of options.sizes) sites.push(await openSite(bench, place, users));
    // What is known so far is printed also where a later part fails.
    const failure = await measureAll(bench, place, sites, (more) => rows.push(...more)).catch((error: Error) => error);
    const machine = machineOf(place, load, pgbench);
    if (options.json) process.stdout.write(`${JSON.stringify({ machine, rows }, null, 2)}\n`);
    else process.stdout.write(`${asText(rows)}\n`);
    if (failure instanceof Error) throw failure;
    if (options.write) {
      writeFileSync(join(root, 'docs', 'performance.md'), asPage(rows, machine, options));
      say('written to docs/performance.md');
    }
    return 0;
  } finally {
    await endRun();
  }
}

/** A server with a directory of so many users. */
async function openSite({ options }: Bench, place: Place, users: number): Promise<Site> {
  const drawbridge = await startDrawbridge(place, `drawbridge_${users}`);
  const target = await drawbridge.directory('d0');
  const seed = await openSeed(drawbridge, target);
  atEnd(() => seed.close());
  await seed.growTo(users);
  const sizes = options.wants('member') || options.wants('peer') ? GROUP_SIZES.filter((size) => size * 2 <= users) : [];
  const groups = new Map<number, string>();
  for (const size of sizes) groups.set(size, await seed.group(size));
  return { users, groups, bulkOperations: await bulkOperations(target), drawbridge, target, seed };
}

type Tell = (rows: readonly Row[]) => unknown;

async function measureAll(bench: Bench, place: Place, sites: readonly Site[], tell: Tell): Promise<void> {
  const { options } = bench;
  const [smallest, largest] = [sites[0], sites.at(-1)];
  if (smallest === undefined || largest === undefined) return;
  const measured: Measured[] = [];
  for (const [part, jobs] of Map.groupBy(jobsFor(largest), (job) => job.part)) {
    if (!options.wants(part)) continue;
    const pairs = jobs.flatMap((job) =>
      sites.flatMap((site) => (jobsFor(site).some(({ name }) => name === job.name) ? { job, site } : [])),
    );
    const done = await measure(bench, pairs);
    measured.push(...done);
    tell(done.map(jobRow));
  }
  const of = ({ users }: Site) => measured.filter((one) => one.users === users);
  tell(sites.flatMap((site) => memberRow(of(site))));
  tell(growthRows(measured));
  if (options.wants('peer')) {
    for (const { seed } of sites) await seed.settle();
    // At its own size: the peer reads a whole directory to list a page of it.
    tell(peerRows(await measurePeer(bench, place, smallest)));
  }
  const { drawbridge, target, bulkOperations } = largest;
  if (options.wants('stall')) tell(stallRows(await measureStalls(drawbridge, target, options.quick ? 10 : 60)));
  if (options.wants('sustained')) tell(sustainedRows(await measureSustained(drawbridge, options.sustainedSeconds)));
  if (options.wants('sync')) tell(fullSyncRows(await measureFullSync(drawbridge, options, bulkOperations)));
  tell([memoryRow((await drawbridge.process.ask('usage')).rssBytes)]);
}

/** How many operations a bulk request of ours has; 0 where the server does not advertise bulk. */
async function bulkOperations(target: Target): Promise<number> {
  const client = openClient(target.baseUrl, target.token, 1);
  const { body } = await client.send('GET', '/ServiceProviderConfig');
  client.close();
  const { bulk } = JSON.parse(body) as { bulk?: { supported?: boolean; maxOperations?: number } };
  return bulk?.supported === true ? Math.min(1000, bulk.maxOperations ?? 0) : 0;
}
