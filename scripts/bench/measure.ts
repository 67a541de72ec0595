// One job, measured: the limit and the server in turns, so that what else the machine does meets both.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openClient } from './client.ts';
import type { Drawbridge, Target } from './drawbridge.ts';
import type { Job, Stage } from './jobs.ts';
import type { Load, LoadResult } from './load.ts';
import type { Options } from './options.ts';
import type { Pgbench } from './pgbench.ts';
import { hottest } from './profile.ts';
import { count, say } from './progress.ts';
import type { Seed } from './seed.ts';
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
};

export type Bench = {
  readonly options: Options;
  readonly drawbridge: Drawbridge;
  readonly target: Target;
  readonly load: Load;
  readonly pgbench: Pgbench;
  readonly seed: Seed;
};

// Numbers never used before, so that every created user is new.
let next = 1;
const fresh = (): number => {
  next += 10_000_000;
  return next;
};

const WARM_UP_SECONDS = 2;
/** The compiler takes its time to see what is hot: warming up goes on while that makes the server so much quicker. */
const STILL_WARMING = 1.05;
/** More additions a second than there can be: each is of somebody who is not yet a member, and of those there are only so many. */
const MOST_ADDITIONS = 9_500;

function secondsOf({ groupSize }: Job, { users }: Stage, { secondsPerRound }: Options): number {
  if (groupSize === null) return secondsPerRound;
  return Math.min(secondsPerRound, Math.max(1, Math.floor((users - groupSize) / MOST_ADDITIONS)));
}

/** Throws where answers are not what the job expects: a bench of errors would be quick. */
export async function measure(bench: Bench, job: Job, stage: Stage): Promise<Measured> {
  const { options, drawbridge, target, load, pgbench, seed } = bench;
  const seconds = secondsOf(job, stage, options);
  await tryOnce(target, job.traffic(stage, fresh()));
  const shoot = async (length: number): Promise<LoadResult> => {
    const result = await load.send(target.baseUrl, target.token, job.traffic(stage, fresh()), length);
    if (result.refused + result.broken > result.requests / 1000)
      throw new Error(
        `${job.name}: ${result.refused} of ${result.requests} requests were refused, ${result.broken} broken`,
      );
    return result;
  };
  const perRequest = job.perRequest(stage);
  const reset = async (expected: number) => {
    const done =
      job.groupSize !== null ? await seed.resetGroup(job.groupSize) : job.creates ? await seed.strangers() : null;
    if (done !== null && done < expected * 0.98)
      throw new Error(`${job.name}: ${expected} were acknowledged, ${done} are in the tables`);
    if (job.creates) await seed.removeStrangers();
  };

  for (let warmUps = 0, best = 0; warmUps < options.mostWarmUps; warmUps += 1) {
    const warmed = await shoot(Math.min(seconds, WARM_UP_SECONDS));
    await reset(warmed.requests * perRequest);
    const rate = warmed.requests / warmed.seconds;
    if (rate < best * STILL_WARMING) break;
    best = Math.max(best, rate);
  }
  const limits: number[] = [];
  const rounds: (LoadResult & { readonly cpuMicros: number; readonly statements: number })[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const { variables, ...limit } = job.limit(stage, fresh());
    const whose = { tenant: drawbridge.tenantId, connection: target.connectionId };
    const given = { ...limit, variables: { ...whose, ...variables } };
    limits.push(await pgbench.measure(drawbridge.databaseUrl, given, seconds));
    await reset(0);
    const [before, statements] = [await drawbridge.process.ask('usage'), await drawbridge.statements()];
    const result = await profiled(bench, `${job.name} ${stage.users}`, () => shoot(seconds));
    const cpuMicros = (await drawbridge.process.ask('usage')).cpuMicros - before.cpuMicros;
    rounds.push({ ...result, cpuMicros, statements: (await drawbridge.statements()) - statements });
    await reset(result.requests * perRequest);
  }
  const of = (value: (round: (typeof rounds)[number]) => number) => median(rounds.map(value));
  const measured = {
    job: job.name,
    users: stage.users,
    ops: of((round) => (round.requests * perRequest) / round.seconds),
    p50: of((round) => round.p50),
    p99: of((round) => round.p99),
    cpuMicros: of((round) => round.cpuMicros / round.requests / perRequest),
    statements: of((round) => round.statements / round.requests),
    limit: median(limits),
    bar: job.bar,
  };
  const told = `${count(measured.ops)}/s of ${count(measured.limit)}/s, ${measured.statements.toFixed(1)} statements a request`;
  say(`${job.name}, ${count(stage.users)} users: ${told}`);
  return measured;
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

async function profiled<T>({ options, drawbridge }: Bench, name: string, act: () => Promise<T>): Promise<T> {
  if (options.profile === null) return act();
  await drawbridge.process.ask('startProfile');
  const result = await act();
  mkdirSync(options.profile, { recursive: true });
  const profile = await drawbridge.process.ask('endProfile');
  writeFileSync(join(options.profile, `${name.replaceAll(' ', '-')}.cpuprofile`), profile);
  for (const line of hottest(profile, 15)) say(`  ${line}`);
  return result;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
