// Customers beside each other, with the same names in all of them: none of them is ever told anything of another.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer, Body, DirectoryClient } from '../support/scim.ts';
import { enterpriseUrn } from '../support/urns.ts';
import { bulkOf, type Customers, closeCustomers, customers, patchOf, person } from './customers.ts';

afterAll(closeCustomers);

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
