// Customers at work at once, each with requests of its own: as if each were alone.

import { randomUUID } from 'node:crypto';
import { afterAll, expect, test } from 'vitest';
import { randomOf } from '../flow/random.ts';
import { begun } from '../support/begun.ts';
import type { Answer, Body, DirectoryClient } from '../support/scim.ts';
import { enterpriseUrn } from '../support/urns.ts';
import { bulkOf, closeCustomers, customers, person, UUID } from './customers.ts';

afterAll(closeCustomers);

/** One customer’s requests, the same ones for the same seed. Ids are numbered as they come, since no two runs have the same. */
async function history(
  client: DirectoryClient,
  seed: number,
  mark: string,
  length: number,
  strangers: readonly string[],
): Promise<readonly Answer[]> {
  const random = randomOf(seed);
  const pick = <T>(from: readonly T[]): T => from[random(2 ** 30) % from.length] as T;
  const [users, groups]: [string[], string[]] = [[], []];
  const answers: Answer[] = [];
  const name = () => `n${random(12)}`;
  const anyId = () => {
    const [stranger, own] = [random(6) === 0, random(2)];
    return stranger && strangers.length > 0 ? pick(strangers) : (pick(own === 0 ? users : groups) ?? randomUUID());
  };
  let cursor = '';
  const acts: readonly (() => Promise<Answer>)[] = [
    () => client.post('/Users', person(name(), mark, { [enterpriseUrn]: { manager: { value: anyId() } } })),
    () => client.post('/Users', person(name(), mark)),
    () => client.put(`/Users/${anyId()}`, person(name(), mark, { title: `t${random(9)}` })),
    () =>
      client.patch(`/Users/${anyId()}`, {
        op: 'replace',
        value: { active: random(2) === 0, nickName: `${mark} ${random(9)}` },
      }),
    () => client.call('DELETE', `/${pick(['Users', 'Groups'])}/${anyId()}`),
    () =>
      client.post('/Groups', {
        displayName: `Group ${random(5)}`,
        members: users.slice(-random(4)).map((value) => ({ value })),
      }),
    () =>
      client.patch(`/Groups/${anyId()}`, { op: pick(['add', 'remove']), path: 'members', value: [{ value: anyId() }] }),
    () =>
      client.put(`/Groups/${anyId()}`, {
        displayName: `Group ${random(5)}`,
        externalId: `g${random(5)}`,
        members: [{ value: anyId() }],
      }),
    () => client.get(`/${pick(['Users', 'Groups'])}/${anyId()}`),
    () => client.get(`/Users?filter=${encodeURIComponent(`userName sw "${name()}" or manager eq "${anyId()}"`)}`),
    () => client.get(`/Groups?filter=${encodeURIComponent(`members eq "${anyId()}"`)}`),
    () =>
      client.get(
        `/Users?sortBy=${pick(['userName', 'name.familyName', 'meta.lastModified'])}&count=${1 + random(5)}&startIndex=${1 + random(4)}`,
      ),
    () => client.get(`/Users?count=3&cursor=${cursor}`),
    () => client.call('POST', `${pick(['/Users', '/Groups', ''])}/.search`, { filter: 'displayName pr', count: 5 }),
    () =>
      client.post(
        '/Bulk',
        bulkOf(
          { method: 'POST', path: '/Users', bulkId: 'a', data: person(name(), mark) },
          {
            method: 'POST',
            path: '/Groups',
            bulkId: 'b',
            data: { displayName: `Group ${random(5)}`, members: [{ value: 'bulkId:a' }, { value: anyId() }] },
          },
          { method: 'DELETE', path: `/Users/${anyId()}` },
        ),
      ),
  ];
  for (let step = 0; step < length; step += 1) {
    const answer = await pick(acts)();
    answers.push(answer);
    for (const { id, type } of createdBy(answer)) (type === 'Users' ? users : groups).push(id);
    cursor = answer.body?.nextCursor ?? '';
  }
  return answers;
}

/** What a request created, by itself or within a bulk. */
function createdBy({ status, headers, body }: Answer): readonly { readonly id: string; readonly type: string }[] {
  const bulk = (body?.Operations ?? []).filter((one: Body) => one.method === 'POST' && one.status === '201');
  const locations: string[] = status === 201 ? [headers.get('location') ?? ''] : bulk.map((one: Body) => one.location);
  return locations.map((location) => {
    const [type = '', id = ''] = location.split('/').slice(-2);
    return { id, type };
  });
}

const SEEDS = [1, 2, 3];
const STEPS = 150;

/** Every id, number of a page and address in an answer, wherever it stands. */
function addressesIn(value: Body): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(addressesIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    (name === '$ref' || name === 'location') && typeof inner === 'string' ? [inner] : addressesIn(inner),
  );
}

test.each(SEEDS)(
  'T37 T61 I10 of two tenants and a second directory at work at once none is told an id, a word or an address of another (seed %i)',
  async (seed) => {
    const { acme: one, sibling, globex } = await customers();
    const strangers = new Map(
      await Promise.all(
        [one, sibling, globex].map(async (client) => {
          const { id } = (await client.post('/Users', person('first', 'nobody'))).body;
          return [client, id as string] as const;
        }),
      ),
    );
    const others = (client: DirectoryClient) =>
      [...strangers].filter(([other]) => other !== client).map(([, id]) => id);
    const clients = [
      [one, 'acme-word'],
      [sibling, 'sibling-word'],
      [globex, 'globex-word'],
    ] as const;
    const told = await Promise.all(
      clients.map(([client, mark], index) => history(client, seed * 10 + index, mark, STEPS, others(client))),
    );

    const idsOf = (answers: readonly Answer[]) => new Set(answers.flatMap(createdBy).map(({ id }) => id));
    for (const [index, [client, mark]] of clients.entries()) {
      const answers = told[index] ?? [];
      const known = told.flatMap((theirs, other) => (other === index ? [] : [...idsOf(theirs)]));
      const secret = new Set([...known].filter((id) => !others(client).includes(id)));
      expect(secret.size).toBeGreaterThan(20);
      for (const { status, headers, text, body } of answers) {
        expect([mark, status < 500 ? '' : text]).toEqual([mark, '']);
        expect([mark, (text.match(UUID) ?? []).filter((id) => secret.has(id))]).toEqual([mark, []]);
        for (const [, word] of clients) if (word !== mark) expect([mark, text.includes(word)]).toEqual([mark, false]);
        const location = headers.get('location');
        const addresses = [...addressesIn(body), ...(location === null ? [] : [location])];
        for (const address of addresses) expect(address.slice(0, client.base.length + 1)).toBe(`${client.base}/`);
        // What two may have been told before belongs to neither.
        if (status === 200 && body?.id !== undefined) expect(others(client)).not.toContain(body.id);
      }
    }
  },
);

test('I10 a tenant is answered alike whether another is there and at work, or not', async () => {
  const alone = await customers();
  const beside = await customers();
  const quiet = begun(history(alone.acme, 77, 'acme-word', STEPS, []));
  let over = false;
  const noise = async () => {
    for (let turn = 0; !over; turn += 1) await history(beside.globex, turn, 'globex-word', 20, []);
  };
  const loud = history(beside.acme, 77, 'acme-word', STEPS, []).finally(() => {
    over = true;
  });
  const [disturbed] = await Promise.all([loud, noise()]);
  expect(shapes(disturbed)).toEqual(shapes(await quiet));
});

/** Answers without what no two runs have in common: ids are numbered as they come, times left out, cursors counted. */
function shapes(answers: readonly Answer[]): readonly unknown[] {
  const numbers = new Map<string, number>();
  const numbered = (text: string) =>
    text
      .replaceAll(UUID, (id) => {
        if (!numbers.has(id)) numbers.set(id, numbers.size);
        return `id${numbers.get(id)}`;
      })
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'time')
      .replaceAll(/("(?:next|previous)Cursor":")[^"]+/g, '$1cursor');
  return answers.map(({ status, headers, text }) => {
    const kept = [...headers].filter(([name]) => !['date', 'x-request-id', 'content-length'].includes(name));
    return { status, headers: kept.map(([name, value]) => [name, numbered(value)]), text: numbered(text) };
  });
}
