// The run from beginning to end.

import { openClient } from './client.ts';
import { startDrawbridge, type Target } from './drawbridge.ts';
import { GROUP_SIZES, jobsFor, type Stage } from './jobs.ts';
import { openLoad } from './load.ts';
import { type Bench, type Measured, measure } from './measure.ts';
import type { Options } from './options.ts';
import { openPgbench } from './pgbench.ts';
import { openPlace } from './place.ts';
import { asText, judged, type Row, rate, times } from './report.ts';
import { openSeed } from './seed.ts';

/** Runs what the options ask for and prints the table; the exit code is 0 also where a bar is missed. */
export async function runBench(options: Options): Promise<number> {
  const closing: (() => Promise<unknown>)[] = [];
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= (async () => {
      for (const one of closing.reverse()) await one().catch(() => {});
    })();
    return closed;
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void close().then(() => process.exit(130)));
  try {
    const pgbench = openPgbench();
    const place = await openPlace();
    closing.push(() => place.close());
    const load = await openLoad(place.folder);
    const drawbridge = await startDrawbridge(place);
    closing.push(() => drawbridge.process.stop());
    const target = await drawbridge.directory('d0');
    const seed = await openSeed(drawbridge, target);
    closing.push(() => seed.close());
    const bench: Bench = { options, drawbridge, target, load, pgbench, seed };
    const rows = await measureAll(bench);
    process.stdout.write(`${asText(rows)}\n`);
    return 0;
  } finally {
    await close();
  }
}

async function measureAll(bench: Bench): Promise<readonly Row[]> {
  const measured: Measured[] = [];
  for (const users of bench.options.stages) measured.push(...(await measureStage(bench, users)));
  return measured.map(rowOf);
}

async function measureStage(bench: Bench, users: number): Promise<readonly Measured[]> {
  const { seed, options, target } = bench;
  await seed.growTo(users);
  const sizes = options.wants('member') ? GROUP_SIZES.filter((size) => size * 2 <= users) : [];
  const groups = new Map<number, string>();
  for (const size of sizes) groups.set(size, await seed.group(size));
  const stage: Stage = { users, groups, bulkOperations: await bulkOperations(target) };
  const measured: Measured[] = [];
  for (const job of jobsFor(stage)) if (options.wants(job.part)) measured.push(await measure(bench, job, stage));
  return measured;
}

/** How many operations a bulk request of ours has; 0 where the server does not advertise bulk. */
async function bulkOperations(target: Target): Promise<number> {
  const client = openClient(target.baseUrl, target.token, 1);
  const { body } = await client.send('GET', '/ServiceProviderConfig');
  client.close();
  const { bulk } = JSON.parse(body) as { bulk?: { supported?: boolean; maxOperations?: number } };
  return bulk?.supported === true ? Math.min(100, bulk.maxOperations ?? 0) : 0;
}

function rowOf(one: Measured): Row {
  return {
    job: `${one.job}, ${rate(one.users)} users`,
    ours: rate(one.ops),
    times: times(one.p50, one.p99),
    cpu: one.cpuMicros.toFixed(0),
    limit: rate(one.limit),
    ...judged(one.ops / one.limit, one.bar === null ? null : { least: one.bar }),
  };
}
