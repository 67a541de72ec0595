// How long the event loop is held up while somebody does their worst.

import { openClient, percentile } from './client.ts';
import type { Drawbridge, Target } from './drawbridge.ts';
import { sleep } from './measured-process.ts';
import { say } from './progress.ts';
import { judged, type Row, times } from './report.ts';
import { group } from './scim-messages.ts';
import { userPrefix } from './seed.ts';

const MEMBERS = 10_000;
const PROBE_EVERY_MS = 10;

const idOf = (n: number) => `${userPrefix}${n.toString(16).padStart(12, '0')}`;

type Attack = {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
};

function hostile(groupId: string): readonly Attack[] {
  const many = (count: number, of: (index: number) => string) => Array.from({ length: count }, (_, index) => of(index));
  const keys = `{${many(20_000, (index) => `"k${index}":${index}`).join(',')}}`;
  const filter = (text: string) => `/Users?filter=${encodeURIComponent(text)}`;
  const operations = many(5_000, (index) => `{"op":"replace","path":"title","value":"t${index}"}`).join(',');
  const patch = (items: string) =>
    `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[${items}]}`;
  return [
    { name: 'deep JSON', method: 'POST', path: '/Users', body: `${'['.repeat(500_000)}${']'.repeat(500_000)}` },
    {
      name: 'deep objects',
      method: 'POST',
      path: '/Groups',
      body: `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
    },
    { name: '20 k keys', method: 'POST', path: '/Users', body: keys },
    {
      name: 'a huge filter',
      method: 'GET',
      path: filter(many(300, (index) => `userName eq "u${index}"`).join(' or ')),
      body: undefined,
    },
    {
      name: 'a deep filter',
      method: 'GET',
      path: filter(`${'('.repeat(2_000)}active pr${')'.repeat(2_000)}`),
      body: undefined,
    },
    {
      name: 'a filter that no index answers',
      method: 'GET',
      path: filter('name.familyName co "zzz"'),
      body: undefined,
    },
    { name: '5 k patch operations', method: 'PATCH', path: `/Users/${idOf(1)}`, body: patch(operations) },
    {
      name: '16 MB of members',
      method: 'PUT',
      path: `/Groups/${groupId}`,
      body: JSON.stringify(group('Large', many(290_000, idOf))).slice(0, 16 * 1024 * 1024 - 1),
    },
    {
      name: '100 k members nobody knows',
      method: 'PUT',
      path: `/Groups/${groupId}`,
      body: JSON.stringify(
        group(
          'Large',
          many(100_000, (index) => idOf(100_000_000 + index)),
        ),
      ),
    },
  ];
}

export type Stalls = {
  /** Seen from inside, milliseconds. */
  readonly inside: { readonly p50: number; readonly p999: number; readonly max: number };
  /** Of /livez every 10 ms, which also waits for the machine. */
  readonly outside: { readonly p50: number; readonly p99: number; readonly p999: number; readonly max: number };
  /** The longest stall of each kind of request, sent alone. */
  readonly worst: readonly { readonly name: string; readonly ms: number; readonly status: number }[];
};

/** Needs a directory of at least 10 k seeded users. Throws where a hostile request is answered with 5xx. */
export async function measureStalls(drawbridge: Drawbridge, target: Target, seconds: number): Promise<Stalls> {
  say('stalls: a 10 k-member PUT and hostile requests, with a probe every 10 ms');
  const client = openClient(target.baseUrl, target.token, 2);
  const made = await client.send('POST', '/Groups', group('Large'));
  const { id } = JSON.parse(made.body) as { id: string };
  const members = Array.from({ length: MEMBERS }, (_, index) => idOf(index + 1));
  // Every other PUT takes half of them out, so that each of them writes.
  const puts = [members, members.slice(0, MEMBERS / 2)].map((list) => ({
    name: '10 k-member PUT',
    method: 'PUT',
    path: `/Groups/${id}`,
    body: JSON.stringify(group('Large', list)),
  }));
  const attacks: readonly Attack[] = [...puts, ...hostile(id)];

  const worst: { name: string; ms: number; status: number }[] = [];
  for (const attack of attacks) {
    await drawbridge.process.ask('watchStalls');
    const { status } = await send(client, attack);
    // The timer that sees the end of a stall comes after it.
    await sleep(3 * PROBE_EVERY_MS);
    const { max } = await drawbridge.process.ask('stalls');
    worst.push({ name: attack.name, ms: max, status });
    say(`stalls: ${attack.name}: ${status}, ${max.toFixed(0)} ms`);
  }

  const probes: number[] = [];
  const probe = openClient(drawbridge.url, null, 64);
  const until = Date.now() + seconds * 1000;
  await drawbridge.process.ask('watchStalls');
  const probing = async () => {
    const sent: Promise<unknown>[] = [];
    while (Date.now() < until) {
      const answered = probe.send('GET', '/livez').then(({ ms }) => probes.push(ms));
      // It is told where all of them are waited for.
      answered.catch(() => {});
      sent.push(answered);
      await sleep(PROBE_EVERY_MS);
    }
    await Promise.all(sent);
  };
  const attacking = async () => {
    for (let turn = 0; Date.now() < until; turn += 1) {
      // A PUT beside every hostile request.
      const put = puts[turn % 2];
      const attack = attacks[2 + (turn % (attacks.length - 2))];
      await Promise.all([put, attack].map((one) => one && send(client, one)));
    }
  };
  await Promise.all([probing(), attacking()]);
  const inside = await drawbridge.process.ask('stalls');
  client.close();
  probe.close();
  const sorted = probes.sort((a, b) => a - b);
  const at = (share: number) => percentile(sorted, share);
  return { inside, outside: { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) }, worst };
}

async function send(client: ReturnType<typeof openClient>, { name, method, path, body }: Attack) {
  const answer = await client.send(method, path, body);
  if (answer.status >= 500 && answer.status !== 503)
    throw new Error(`${name} was answered with ${answer.status}: ${answer.body}`);
  return answer;
}

export function stallRows({ inside, outside, worst }: Stalls): readonly Row[] {
  const none = { ours: null, cpu: null, limit: null };
  const longest = [...worst].sort((a, b) => b.ms - a.ms)[0];
  return [
    {
      ...none,
      job: 'event-loop stall under hostile input and 10 k-member PUTs, p99.9',
      times: null,
      ...judged(inside.p999, { most: 100 }, ' ms'),
    },
    {
      ...none,
      job: `the same, longest (${longest?.name} alone: ${longest?.ms.toFixed(0)} ms)`,
      times: null,
      ...judged(Math.max(inside.max, longest?.ms ?? 0), { most: 250 }, ' ms'),
    },
    {
      ...none,
      job: 'the same seen from outside: /livez every 10 ms, p99.9',
      times: times(outside.p50, outside.p99),
      ...judged(outside.p999, null, ' ms'),
    },
  ];
}
