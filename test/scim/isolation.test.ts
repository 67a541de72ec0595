// Customers beside each other, with the same names in all of them: none of them is ever told anything of another.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomOf } from '../flow/random.ts';
import type { Answer, Body, DirectoryClient, ScimServer } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import { bulkRequestUrn, enterpriseUrn, patchUrn, userSchemaUrn } from '../support/urns.ts';
import type { TestWorld } from '../support/world.ts';

const patchOf = (...Operations: readonly object[]) => ({
  schemas: [patchUrn],
  Operations,
});
const bulkOf = (...Operations: readonly object[]) => ({
  schemas: [bulkRequestUrn],
  Operations,
});
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

type Customers = {
  readonly world: TestWorld;
  readonly server: ScimServer;
  readonly acme: DirectoryClient;
  /** Another directory of the same tenant. */
  readonly sibling: DirectoryClient;
  readonly globex: DirectoryClient;
  readonly close: () => Promise<void>;
};

const open: Customers[] = [];
async function customers(): Promise<Customers> {
  const { okta: acme, entra: sibling, ...stage } = await scimStage();
  const made = { ...stage, acme, sibling };
  open.push(made);
  return made;
}
afterAll(async () => {
  for (const one of open) await one.close();
});

/** The same person in every directory but for what `mark` says. */
const person = (name: string, mark: string, more: object = {}) => ({
  schemas: [userSchemaUrn, enterpriseUrn],
  userName: `${name}@shared.example`,
  externalId: `ext-${name}`,
  name: { givenName: name, familyName: mark },
  displayName: `${name} of ${mark}`,
  active: true,
  ...more,
});

describe('T37 T55 an id of another tenant, or of another directory of the tenant', () => {
  let all: Customers;
  /** Ids that are somebody’s elsewhere: a user and a group of either. */
  let foreign: { readonly user: string; readonly group: string }[];
  let own: { readonly user: string; readonly group: string };
  beforeAll(async () => {
    all = await customers();
    const fill = async (client: DirectoryClient, mark: string) => {
      const user = (await client.post('/Users', person('ann', mark))).body.id as string;
      const group = (
        await client.post('/Groups', { displayName: 'Everybody', externalId: 'g', members: [{ value: user }] })
      ).body.id;
      return { user, group: group as string };
    };
    own = await fill(all.acme, 'acme');
    foreign = [await fill(all.globex, 'globex'), await fill(all.sibling, 'sibling')];
  });

  type Way = (id: string, base: string) => Promise<Answer>;
  /** Every place in which a directory can send an id. `base`: where the other directory has it. */
  function ways(): Readonly<Record<string, Way>> {
    const { acme: client } = all;
    const refs = (id: string, base: string) => [
      { value: id },
      { value: id, $ref: `${base}/Users/${id}`, type: 'User' },
    ];
    const made: Record<string, Way> = {};
    for (const type of ['Users', 'Groups']) {
      const body = type === 'Users' ? person('bea', 'acme') : { displayName: 'Another' };
      const patch = patchOf({ op: 'replace', path: 'displayName', value: 'x' });
      for (const [method, sent] of [
        ['GET'],
        ['HEAD'],
        ['DELETE'],
        ['PUT', body],
        ['PATCH', patch],
        ['POST', body],
      ] as const) {
        for (const headers of [
          {},
          { 'If-Match': 'W/"1"' },
          { 'If-Match': '*' },
          { 'If-Match': 'W/"9"' },
          { 'If-None-Match': 'W/"1"' },
        ]) {
          made[`${method} /${type}/{id} ${JSON.stringify(headers)}`] = (id) =>
            client.call(method, `/${type}/${id}`, sent, headers);
        }
      }
      made[`GET /${type}/{ID}`] = (id) => client.get(`/${type}/${id.toUpperCase()}`);
      made[`GET /${type}/{id}?attributes`] = (id) => client.get(`/${type}/${id}?attributes=id,members`);
      for (const bulk of [
        { method: 'DELETE', path: `/${type}/{id}` },
        { method: 'DELETE', path: `/${type}/{id}`, version: 'W/"1"' },
        { method: 'PUT', path: `/${type}/{id}`, data: body },
        { method: 'PATCH', path: `/${type}/{id}`, data: patch, version: '*' },
      ]) {
        const text = JSON.stringify(bulk);
        made[`bulk ${text}`] = (id) => client.post('/Bulk', bulkOf(JSON.parse(text.replace('{id}', id))));
      }
    }
    for (const index of [0, 1]) {
      const at = (id: string, base: string) => refs(id, base)[index] as object;
      const how = index === 0 ? 'value' : '$ref';
      const group = `/Groups/${own.group}`;
      const user = `/Users/${own.user}`;
      made[`POST group with member ${how}`] = (id, base) =>
        client.post('/Groups', { displayName: 'New', members: [at(id, base)] });
      made[`PUT group with member ${how}`] = (id, base) =>
        client.put(group, { displayName: 'Everybody', members: [at(id, base)] });
      for (const op of ['add', 'replace', 'remove']) {
        made[`PATCH ${op} members ${how}`] = (id, base) =>
          client.patch(group, { op, path: 'members', value: [at(id, base)] });
      }
      made[`PATCH members without a path ${how}`] = (id, base) =>
        client.patch(group, { op: 'add', value: { members: [at(id, base)] } });
      made[`bulk member ${how}`] = (id, base) =>
        client.post(
          '/Bulk',
          bulkOf({
            method: 'PATCH',
            path: group,
            data: patchOf({ op: 'add', path: 'members', value: [at(id, base)] }),
          }),
        );
      made[`PUT manager ${how}`] = (id, base) =>
        client.put(user, person('ann', 'acme', { [enterpriseUrn]: { manager: at(id, base) } }));
      made[`PATCH manager ${how}`] = (id, base) =>
        client.patch(user, { op: 'replace', path: `${enterpriseUrn}:manager`, value: at(id, base) });
      made[`bulk manager ${how}`] = (id, base) =>
        client.post(
          '/Bulk',
          bulkOf({
            method: 'PATCH',
            path: user,
            data: patchOf({ op: 'add', value: { [enterpriseUrn]: { manager: at(id, base) } } }),
          }),
        );
    }
    made['PATCH manager as text'] = (id) =>
      client.patch(`/Users/${own.user}`, { op: 'add', path: `${enterpriseUrn}:manager`, value: id });
    made['PATCH remove members[value eq]'] = (id) =>
      client.patch(`/Groups/${own.group}`, { op: 'remove', path: `members[value eq "${id}"]` });
    made['PATCH group with a claimed id'] = (id) =>
      client.patch(`/Groups/${own.group}`, { op: 'replace', value: { id, displayName: 'Everybody' } });
    made['PUT user with a claimed id'] = (id) => client.put(`/Users/${own.user}`, person('ann', 'acme', { id }));
    for (const filter of [
      'id eq "{id}"',
      'id ne "{id}"',
      'id co "{id}"',
      'id gt "{id}"',
      'meta.location eq "{base}/Users/{id}"',
      'groups eq "{id}"',
      'groups.value eq "{id}"',
      'groups.$ref eq "{base}/Groups/{id}"',
      `${enterpriseUrn}:manager eq "{id}"`,
      `${enterpriseUrn}:manager.value eq "{id}"`,
      `${enterpriseUrn}:manager.$ref eq "{base}/Users/{id}"`,
      `id eq "{own}" and ${enterpriseUrn}:manager eq "{id}"`,
      'members eq "{id}"',
      'members.value eq "{id}"',
      'members[value eq "{id}"]',
      'members.$ref eq "{base}/Users/{id}"',
      'id eq "{group}" and members eq "{id}"',
      'not (members.value eq "{id}")',
    ]) {
      const text = (id: string, base: string) =>
        filter.replace('{id}', id).replace('{base}', base).replace('{own}', own.user).replace('{group}', own.group);
      for (const path of ['/Users', '/Groups', '']) {
        made[`GET ${path}?filter=${filter}`] = (id, base) =>
          client.get(`${path}?filter=${encodeURIComponent(text(id, base))}`);
        made[`POST ${path}/.search ${filter}`] = (id, base) =>
          client.post(`${path}/.search`, { filter: text(id, base) });
      }
    }
    return made;
  }

  /** All of an answer that may depend on what there is, with `id` and what any write changes named by their kind. */
  const told = ({ status, headers, text }: Answer, id: string, base: string) => ({
    status,
    headers: [...headers].filter(([name]) => !['date', 'x-request-id', 'content-length', 'etag'].includes(name)),
    text: text
      .replaceAll(base, '{base}')
      .replaceAll(id, '{id}')
      .replaceAll(id.toUpperCase(), '{ID}')
      .replaceAll(/W\/\\"\d+\\"/g, '{version}')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '{time}'),
  });

  // Over a thousand requests, one after the other.
  test('is answered in the very same bytes as one of nobody, wherever it is sent', { timeout: 180_000 }, async () => {
    const bases = [all.globex.base, all.sibling.base];
    let compared = 0;
    for (const [name, way] of Object.entries(ways())) {
      const nobody = randomUUID();
      // The second time: the first one may have changed what is so already from then on.
      await way(randomUUID(), all.globex.base);
      const expected = told(await way(nobody, all.globex.base), nobody, all.globex.base);
      expect([name, expected.status < 500]).toEqual([name, true]);
      for (const [index, { user, group }] of foreign.entries()) {
        for (const id of [user, group]) {
          const base = bases[index] as string;
          expect([name, told(await way(id, base), id, base)]).toEqual([name, expected]);
          compared += 1;
        }
      }
    }
    expect(compared).toBeGreaterThan(700);
  });

  test('and nothing of those directories has changed by it', async () => {
    for (const [index, client] of [all.globex, all.sibling].entries()) {
      const { user, group } = foreign[index] as (typeof foreign)[number];
      const found = (await client.get(`/Groups/${group}`)).body;
      expect([found.displayName, found.meta.version, found.members.map((one: Body) => one.value)]).toEqual([
        'Everybody',
        'W/"1"',
        [user],
      ]);
      expect((await client.get(`/Users/${user}`)).body.meta.version).toBe('W/"1"');
    }
  });

  test('RFC 9865 §2.1 nor is a cursor of theirs anything but a wrong one', async () => {
    for (const client of [all.globex, all.sibling]) {
      await client.post('/Users', person('zoe', 'other'));
      const { nextCursor } = (await client.get('/Users?cursor=&count=1')).body;
      expect(nextCursor).toMatch(/^[\w-]+$/);
      const wrong = `A${nextCursor.slice(1)}`;
      const [theirs, nobodys] = await Promise.all(
        [nextCursor, wrong].map((cursor) => all.acme.get(`/Users?count=1&cursor=${cursor}`)),
      );
      expect([theirs?.status, theirs?.body.scimType]).toEqual([400, 'invalidCursor']);
      expect(theirs?.text).toBe(nobodys?.text);
    }
  });
});

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
  const quiet = history(alone.acme, 77, 'acme-word', STEPS, []);
  let over = false;
  const noise = (async () => {
    for (let turn = 0; !over; turn += 1) await history(beside.globex, turn, 'globex-word', 20, []);
  })();
  const disturbed = await history(beside.acme, 77, 'acme-word', STEPS, []);
  over = true;
  await noise;
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
