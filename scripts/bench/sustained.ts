// What an identity provider asks for, all the time: 25 requests a second for each of ten directories, on one core.

import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { type Client, openClient, percentile } from './client.ts';
import type { Drawbridge, Target } from './drawbridge.ts';
import { sleep } from './measured-process.ts';
import { say } from './progress.ts';
import { judged, type Row, rate, times } from './report.ts';
import { addMember, byUserName, group, setTitle, user } from './scim-messages.ts';

const PER_SECOND = 25;
const DIRECTORIES = 10;

export type Sustained = {
  readonly seconds: number;
  readonly requests: number;
  readonly perSecond: number;
  readonly failed: number;
  /** Milliseconds from when a request was due, so that a server that falls behind is seen to. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly cpuShare: number;
  readonly pinned: boolean;
  /** The most of it. */
  readonly rssBytes: number;
  /** Growth over the second half of what is left after a collection, bytes per hour; null: too short to say. */
  readonly leakPerHour: number | null;
};

export async function measureSustained(drawbridge: Drawbridge, seconds: number): Promise<Sustained> {
  const targets: Target[] = [];
  for (let index = 0; index < DIRECTORIES; index += 1) targets.push(await drawbridge.directory(`d${index}`));
  const cycles = await Promise.all(targets.map((target) => openCycle(target)));
  const { pid } = drawbridge.process;
  const pinned = availableParallelism() > 1 && pin(pid, '0');
  say(
    `sustained: ${PER_SECOND} requests/s for each of ${DIRECTORIES} directories, ${seconds} s${pinned ? ', one core' : ''}`,
  );
  const taken: number[] = [];
  const tellsLeaks = seconds >= 1_800;
  let kept = 0;
  let rssBytes = 0;
  let failed = 0;
  const before = await drawbridge.process.ask('usage');
  const started = performance.now();
  const total = seconds * PER_SECOND * DIRECTORIES;
  const gap = 1000 / (PER_SECOND * DIRECTORIES);
  const flying: Promise<void>[] = [];
  for (let sent = 0; sent < total; sent += 1) {
    const due = started + sent * gap;
    const early = due - performance.now();
    if (early > 1) await sleep(early);
    flying.push(
      (cycles[sent % DIRECTORIES] as Cycle).next().then(
        (isGood) => {
          taken.push(performance.now() - due);
          if (!isGood) failed += 1;
        },
        () => {
          failed += 1;
        },
      ),
    );
    if (tellsLeaks && sent === total / 2) kept = await leastKept(drawbridge);
    if (sent % (total / seconds) === 0) {
      rssBytes = Math.max(rssBytes, (await drawbridge.process.ask('usage')).rssBytes);
      if (sent > 0 && sent % ((total / seconds) * 60) === 0) say(`sustained: ${sent} of ${total} requests`);
    }
  }
  const leakPerHour = tellsLeaks ? ((await leastKept(drawbridge)) - kept) / (seconds / 2 / 3_600) : null;
  await Promise.all(flying);
  const elapsed = (performance.now() - started) / 1000;
  const after = await drawbridge.process.ask('usage');
  if (pinned) pin(pid, `0-${availableParallelism() - 1}`);
  for (const cycle of cycles) cycle.close();
  const sorted = taken.sort((a, b) => a - b);
  return {
    seconds,
    requests: total,
    perSecond: total / elapsed,
    failed,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    max: percentile(sorted, 1),
    cpuShare: (after.cpuMicros - before.cpuMicros) / 1e6 / elapsed,
    pinned,
    rssBytes,
    leakPerHour,
  };
}

/** Puts every thread of a process on these cores; false where that cannot be done here. */
function pin(pid: number, cores: string): boolean {
  return spawnSync('taskset', ['-a', '-c', '-p', cores, String(pid)], { stdio: 'ignore' }).status === 0;
}

type Cycle = { next(): Promise<boolean>; close(): void };

/** Match, create, change, put into a group, read: over and over, one after the other in one directory as providers do. */
async function openCycle(target: Target): Promise<Cycle> {
  const client: Client = openClient(target.baseUrl, target.token, 25);
  const domain = `${target.connection}.example`;
  const prefix = `cycle${Date.now().toString(36)}x`;
  const made = await client.send('POST', '/Groups', group(`Cycle ${prefix}`));
  const { id: groupId } = JSON.parse(made.body) as { id: string };
  let step = 0;
  let known: string | undefined;
  const steps = [
    async (round: number) => (await client.send('GET', byUserName(`${prefix}${round}@${domain}`))).status === 200,
    async (round: number) => {
      const answer = await client.send('POST', '/Users', user(`${prefix}${round}`, domain));
      if (answer.status === 201) known = (JSON.parse(answer.body) as { id: string }).id;
      return answer.status === 201;
    },
    async (round: number) => (await client.send('PATCH', `/Users/${known}`, setTitle(`T${round}`))).status === 200,
    async () => (await client.send('PATCH', `/Groups/${groupId}`, addMember(known ?? ''))).status === 204,
    async () => (await client.send('GET', `/Users/${known}`)).status === 200,
  ];
  // A step that needs the user waits for the one that makes it.
  let before: Promise<unknown> = Promise.resolve();
  return {
    next() {
      const act = steps[step % steps.length] as (typeof steps)[number];
      const round = Math.floor(step / steps.length);
      step += 1;
      const answered = before.then(() => act(round));
      before = answered.catch(() => {});
      return answered;
    },
    close: () => client.close(),
  };
}

/** The least of several looks: the requests that are under way at one are in it. */
async function leastKept(drawbridge: Drawbridge): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 5; look += 1) {
    least = Math.min(least, await drawbridge.process.ask('keptBytes'));
    await sleep(200);
  }
  return least;
}

export function sustainedRows(result: Sustained): readonly Row[] {
  const { seconds, perSecond, failed, p50, p99, cpuShare, pinned, rssBytes, leakPerHour } = result;
  const mega = 1024 * 1024;
  const where = pinned ? 'on one core' : 'not pinned to a core (no taskset)';
  const row: Row = {
    job: `25 requests/s for each of 10 directories, ${seconds} s, ${where}: p99`,
    ours: rate(perSecond),
    times: times(p50, p99),
    cpu: ((cpuShare / perSecond) * 1e6).toFixed(0),
    limit: null,
    ...judged(p99, { most: 250 }, ' ms'),
  };
  const none = { ours: null, times: null, cpu: null, limit: null };
  return [
    row,
    { ...none, job: 'requests of these that failed', ...judged(failed, { most: 0 }) },
    {
      ...none,
      job: `memory of the server in these ${seconds} s, the most`,
      ...judged(rssBytes / mega, { most: 300 }, ' MB'),
    },
    ...(leakPerHour === null
      ? []
      : [
          {
            ...none,
            job: 'growth in its second half of what is left after a collection',
            ...judged(leakPerHour / mega, { most: 1 }, ' MB/h'),
          },
        ]),
  ];
}
