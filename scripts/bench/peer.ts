// The peer in the same run: Ory Polis as a library, in a database of its own on the same PostgreSQL.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../demo/processes.ts';
import { each, openClient } from './client.ts';
import { install } from './install.ts';
import { jobsFor } from './jobs.ts';
import type { LoadResult } from './load.ts';
import { type Bench, median, rateOf, type Site, warmUp } from './measure.ts';
import { startMeasured } from './measured-process.ts';
import type { Place } from './place.ts';
import { count, say } from './progress.ts';
import { judged, type Row, rate, times } from './report.ts';
import { addMember, byUserName, group, user } from './scim-messages.ts';
import { userPrefix } from './seed.ts';
import type { Traffic } from './traffic.ts';

const PEER = '@boxyhq/saml-jackson';
export const PEER_VERSION = '26.2.0';
/** As many as it takes for members to be new ones to the end, and no more: its list reads all of them. */
export const PEER_USERS = 3_000;
const DOMAIN = 'd0.example';

export type PeerJob = {
  readonly job: string;
  /** Per second, the medians. */
  readonly ops: number;
  readonly ours: number;
  /** How many times as quick ours is, the median of the rounds: in each both were asked one after the other. */
  readonly times: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuMicros: number;
  readonly bar: number;
};

/**
 * Starts the peer, measures it and the server of `site` in turns, and stops the peer. Throws a sentence that says what to do where it
 * cannot be installed.
 */
export async function measurePeer(bench: Bench, place: Place, site: Site): Promise<readonly PeerJob[]> {
  const { load, options } = bench;
  const entry = await install(`${PEER}@${PEER_VERSION}`, PEER);
  const file = join(place.folder, 'peer.json');
  const { DATABASE_URL: _ours, ...env } = process.env;
  say(`starting the peer, Ory Polis ${PEER_VERSION}`);
  const peer = await startMeasured({
    file: fileURLToPath(new URL('./peer-server.ts', import.meta.url)),
    args: [entry, String(await freePort()), await place.database('peer'), file],
    env: { ...env, BOXYHQ_NO_ANALYTICS: '1', DO_NOT_TRACK: '1' },
    logFile: join(place.folder, 'peer.log'),
    isReady: async () => existsSync(file) && readFileSync(file, 'utf8').endsWith('}'),
  });
  try {
    const { baseUrl, token } = JSON.parse(readFileSync(file, 'utf8')) as { baseUrl: string; token: string };
    const groupIds = await fill(baseUrl, token, options.rounds + 1);
    const jobs: PeerJob[] = [];
    for (const { traffic, against, weight, ...told } of trafficFor(groupIds)) {
      const ours = jobsFor(site).find(({ name }) => name === against);
      if (ours === undefined) continue;
      const rounds: Round[] = [];
      const shoot = (round: number, seconds: number) => load.send(baseUrl, token, traffic(round), seconds);
      await shoot(0, 2);
      await warmUp(bench, ours, site);
      for (let round = 1; round <= options.rounds; round += 1) {
        const before = (await peer.ask('usage')).cpuMicros;
        const result = await shoot(round, options.secondsPerRound);
        if (result.refused + result.broken > 0)
          throw new Error(`the peer refused ${result.refused} requests: ${told.job}`);
        const cpuMicros = ((await peer.ask('usage')).cpuMicros - before) / result.requests;
        const ops = result.requests / result.seconds;
        rounds.push({ ...result, cpuMicros, ops, ours: weight * (await rateOf(bench, ours, site)) });
      }
      const of = (value: (round: Round) => number) => median(rounds.map(value));
      jobs.push({
        ...told,
        ops: of(({ ops }) => ops),
        ours: of((round) => round.ours),
        times: of((round) => round.ours / round.ops),
        p50: of(({ p50 }) => p50),
        p99: of(({ p99 }) => p99),
        cpuMicros: of(({ cpuMicros }) => cpuMicros),
      });
      say(
        `against the peer: ${told.job}: ${count(jobs.at(-1)?.ours ?? 0)}/s of ours, ${count(jobs.at(-1)?.ops ?? 0)}/s`,
      );
    }
    return jobs;
  } finally {
    await peer.stop();
  }
}

/** The users, and a group for each round. */
async function fill(baseUrl: string, token: string, groups: number): Promise<readonly string[]> {
  const client = openClient(baseUrl, token, 8);
  const must = async (path: string, body: object): Promise<string> => {
    const made = await client.send('POST', path, body);
    if (made.status !== 201) throw new Error(`the peer refused ${path}: ${made.status} ${made.body}`);
    return made.body;
  };
  await each(PEER_USERS, 8, async (index) => {
    const userId = `${userPrefix}${(index + 1).toString(16).padStart(12, '0')}`;
    await must('/Users', { ...user(`bench${index + 1}`, DOMAIN), userId });
  });
  const ids = new Array<string>(groups);
  await each(groups, 1, async (index) => {
    ids[index] = (JSON.parse(await must('/Groups', group(`Hot group ${index}`))) as { id: string }).id;
  });
  client.close();
  return ids;
}

type Round = LoadResult & { readonly cpuMicros: number; readonly ops: number; readonly ours: number };

type Shape = Pick<PeerJob, 'job' | 'bar'> & {
  /** The job of ours that it is compared with. */
  readonly against: string;
  /** Our operations for one of its: a page of ours has a hundred users, one of its fifty. */
  readonly weight: number;
  readonly traffic: (round: number) => Traffic;
};

function trafficFor(groupIds: readonly string[]): readonly Shape[] {
  const read = { method: 'GET', body: null, from: 1, status: 200 } as const;
  return [
    {
      job: 'get by userName filter',
      against: 'get by userName filter',
      weight: 1,
      bar: 7,
      traffic: () => ({ ...read, path: byUserName(`bench{r}@${DOMAIN}`), pool: PEER_USERS }),
    },
    {
      job: 'list 50, per user',
      against: 'list 100',
      weight: 2,
      bar: 6,
      traffic: () => ({ ...read, path: '/Users?startIndex=1&count=50', pool: 1 }),
    },
    {
      job: 'add 1 member',
      against: 'add 1 member to 10',
      weight: 1,
      bar: 4,
      traffic: (round) => ({
        method: 'PATCH',
        path: `/Groups/${groupIds[round]}`,
        body: JSON.stringify(addMember(`${userPrefix}{nx}`)),
        pool: 1,
        from: 1,
        status: 200,
      }),
    },
    {
      job: 'create user',
      against: 'create user',
      weight: 1,
      bar: 7,
      traffic: (round) => ({
        method: 'POST',
        path: '/Users',
        body: JSON.stringify(user('pushed{n}', DOMAIN)),
        pool: 1,
        from: 1 + round * 10_000_000,
        status: 201,
      }),
    },
  ];
}

/** Our figures over the peer's; the peer's stand where the limit does. */
export function peerRows(peer: readonly PeerJob[]): readonly Row[] {
  return peer.map(({ job, ours, ops, p50, p99, cpuMicros, bar, times: multiple }) => ({
    job: `against Ory Polis: ${job}`,
    ours: rate(ours),
    times: times(p50, p99),
    cpu: cpuMicros.toFixed(0),
    limit: rate(ops),
    ...judged(multiple, { least: bar }, ' ×'),
  }));
}
