// One job, measured: the limit and the server in turns, and directories of every size in turns, so that what else the machine does
// meets all of them.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openClient } from './client.ts';
import type { Drawbridge, Target } from './drawbridge.ts';
import type { Filled, Job } from './jobs.ts';
import type { Load, LoadResult } from './load.ts';
import type { Options } from './options.ts';
import type { Pgbench } from './pgbench.ts';
import { hottest } from './profile.ts';
import { count, say } from './progress.ts';
import type { Seed } from './seed.ts';
import { SpoiledShot, unspoiled } from './spoiled-shot.ts';
import { type Traffic, writer } from './traffic.ts';

export type Measured = {
  readonly job: string;
  readonly users: number;
  /** Per second; users where a request makes many. */
  readonly ops: number;
  /** Milliseconds of a request. */
  readonly p50: number;
  readonly p99: number;
  /** Of the server, per thing done. */
  readonly cpuMicros: number;
  /** Sent to the database per request. */
  readonly statements: number;
  readonly limit: number;
  readonly bar: number | null;
  /** Per second, in the order of the rounds: what was measured one after the other is compared. */
  readonly rounds: readonly { readonly ops: number; readonly limit: number }[];
};

export type Bench = {
  readonly options: Options;
  readonly load: Load;
  readonly pgbench: Pgbench;
};

/** A directory of one size, and the server that has it. */
export type Site = Filled & { readonly drawbridge: Drawbridge; readonly target: Target; readonly seed: Seed };

// Numbers never used before, so that every created user is new.
let next = 1;
const fresh = (): number => {
  next += 10_000_000;
  return next;
};

const WARM_UP_SECONDS = 2;
/** The compiler takes its time to see what is hot: warming up goes on until two shots in a row were not so much quicker. */
const STILL_WARMING = 1.03;
/** More additions a second than there can be: each is of somebody who is not yet a member, and of those there are only so many. */
const MOST_ADDITIONS = 9_500;

function secondsOf({ groupSize }: Job, { users }: Filled, { secondsPerRound }: Options): number {
  if (groupSize === null) return secondsPerRound;
  return Math.min(secondsPerRound, Math.max(1, Math.floor((users - groupSize) / MOST_ADDITIONS)));
}

/**
 * The jobs on each of the directories that are given for them, in turns: what is compared was measured in the same minutes. Throws where
 * answers are not what they expect: a bench of errors would be quick.
 */
export async function measure(
  bench: Bench,
  pairs: readonly { readonly job: Job; readonly site: Site }[],
): Promise<readonly Measured[]> {
  const all = pairs.map(({ job, site }) => ({ job, site, rounds: [] as Round[] }));
  for (const { job, site } of all) await warmUp(bench, job, site);
  for (let round = 0; round < bench.options.rounds; round += 1)
    for (const { job, site, rounds } of all)
      rounds.push(
        await unspoiled(
          () => measureOnce(bench, job, site),
          () => reset(job, site, 0),
        ),
      );
  return all.map(({ job, site, rounds }) => {
    const of = (value: (round: Round) => number) => median(rounds.map(value));
    const perRequest = job.perRequest(site);
    const measured = {
      job: job.name,
      users: site.users,
      ops: of((round) => (round.requests * perRequest) / round.seconds),
      p50: of((round) => round.p50),
      p99: of((round) => round.p99),
      cpuMicros: of((round) => round.cpuMicros / round.requests / perRequest),
      statements: of((round) => round.statements / round.requests),
      limit: of((round) => round.limit),
      bar: job.bar,
      rounds: rounds.map(({ requests, seconds, limit }) => ({ ops: (requests * perRequest) / seconds, limit })),
    };
    const told = `${count(measured.ops)}/s of ${count(measured.limit)}/s, ${measured.statements.toFixed(1)} statements a request`;
    say(`${job.name}, ${count(site.users)} users: ${told}`);
    return measured;
  });
}

type Round = LoadResult & { readonly cpuMicros: number; readonly statements: number; readonly limit: number };

/** Shots that count for nothing. */
export async function warmUp(bench: Bench, job: Job, site: Site): Promise<void> {
  await tryOnce(site.target, job.traffic(site, fresh()));
  const seconds = Math.min(WARM_UP_SECONDS, secondsOf(job, site, bench.options));
  for (let shots = 0, inVain = 0, best = 0; shots < bench.options.mostWarmUps && inVain < 2; shots += 1) {
    const rate = await rateOf(bench, job, site, seconds);
    inVain = rate < best * STILL_WARMING ? inVain + 1 : 0;
    best = Math.max(best, rate);
  }
}

/** Things done per second in one shot, of the usual length where none is given. */
export async function rateOf(
  bench: Bench,
  job: Job,
  site: Site,
  seconds = secondsOf(job, site, bench.options),
): Promise<number> {
  const { requests, seconds: taken } = await unspoiled(
    () => shoot(bench, job, site, seconds),
    () => reset(job, site, 0),
  );
  const done = requests * job.perRequest(site);
  await reset(job, site, done);
  return done / taken;
}

/** The limit, and then the server. */
async function measureOnce(bench: Bench, job: Job, site: Site): Promise<Round> {
  const { drawbridge, target } = site;
  const seconds = secondsOf(job, site, bench.options);
  const { variables, ...limit } = job.limit(site, fresh());
  const whose = { tenant: drawbridge.tenantId, connection: target.connectionId };
  const given = { ...limit, variables: { ...whose, ...variables } };
  const most = await bench.pgbench.measure(drawbridge.databaseUrl, given, seconds);
  await reset(job, site, 0);
  const [before, statements] = [await drawbridge.process.ask('usage'), await drawbridge.statements()];
  const result = await profiled(bench, job, site, () => shoot(bench, job, site, seconds));
  const cpuMicros = (await drawbridge.process.ask('usage')).cpuMicros - before.cpuMicros;
  const sent = (await drawbridge.statements()) - statements;
  await reset(job, site, result.requests * job.perRequest(site));
  return { ...result, cpuMicros, statements: sent, limit: most };
}

async function shoot({ load }: Bench, job: Job, site: Site, seconds: number): Promise<LoadResult> {
  const { baseUrl, token } = site.target;
  const result = await load.send(baseUrl, token, job.traffic(site, fresh()), seconds);
  if (result.refused + result.broken > result.requests / 1000)
    throw new SpoiledShot(
      `${job.name}: ${result.refused} of ${result.requests} requests were refused, ${result.broken} broken`,
    );
  return result;
}

/** Puts the tables back to what they were. Throws where less is in them than was acknowledged. */
async function reset({ name, groupSize, creates }: Job, { seed }: Site, expected: number): Promise<void> {
  const done = groupSize !== null ? await seed.resetGroup(groupSize) : creates ? await seed.strangers() : null;
  if (done !== null && done < expected * 0.98)
    throw new Error(`${name}: ${expected} were acknowledged, ${done} are in the tables`);
  if (creates) await seed.removeStrangers();
}

async function tryOnce(target: Target, traffic: Traffic): Promise<void> {
  const client = openClient(target.baseUrl, target.token, 1);
  const { path, body } = writer(traffic)();
  const answer = await client.send(traffic.method, path, body ?? undefined);
  client.close();
  const empty = answer.body.includes('"totalResults":0');
  if (answer.status !== traffic.status || empty || /"status":"?[45]/.test(answer.body))
    throw new Error(`${traffic.method} ${path} was answered with ${answer.status}: ${answer.body.slice(0, 500)}`);
}

async function profiled<T>({ options }: Bench, job: Job, site: Site, act: () => Promise<T>): Promise<T> {
  const { drawbridge, users } = site;
  if (options.profile === null) return act();
  await drawbridge.process.ask('startProfile');
  const result = await act();
  mkdirSync(options.profile, { recursive: true });
  const profile = await drawbridge.process.ask('endProfile');
  writeFileSync(join(options.profile, `${job.name.replaceAll(' ', '-')}-${users}.cpuprofile`), profile);
  for (const line of hottest(profile, 15)) say(`  ${line}`);
  return result;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
