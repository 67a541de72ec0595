// Users as directories find them: lists, filters, and the ids of others.

import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import { expectRefused, filter, made, type UsersStage, usersStage } from '../support/users-stage.ts';

let okta: DirectoryClient;
let entra: DirectoryClient;
let globex: DirectoryClient;
let fresh: UsersStage['fresh'];
beforeAll(async () => {
  const stage = await usersStage();
  ({ okta, entra, globex, fresh } = stage);
  return stage.close;
});

describe('T37 an id of another tenant or connection', () => {
  test('is as unknown as a random one, in every method, as member and as manager', async () => {
    const foreign = (await made(globex, userBody(fresh()))).id;
    const sibling = (await made(entra, userBody(fresh()))).id;
    const mine = (await made(okta, userBody(fresh()))).id;
    const group = (await okta.post('/Groups', { displayName: fresh('group') })).body.id;
    const foreignGroup = (await globex.post('/Groups', { displayName: fresh('group') })).body.id;
    const random = randomUUID();
    const probes: ((id: string, groupId: string) => Promise<Answer>)[] = [
      (id) => okta.get(`/Users/${id}`),
      (id) => okta.put(`/Users/${id}`, userBody('probe')),
      (id) => okta.patch(`/Users/${id}`, { op: 'replace', path: 'active', value: false }),
      (id) => okta.delete(`/Users/${id}`),
      (id) => filter(okta, `id eq "${id}"`),
      (id) => okta.patch(`/Groups/${group}`, { op: 'add', path: 'members', value: [{ value: id }] }),
      (id) => okta.patch(`/Groups/${group}`, { op: 'remove', path: `members[value eq "${id}"]` }),
      (id) => okta.put(`/Groups/${group}`, { displayName: 'T37', members: [{ value: mine }, { value: id }] }),
      (id) => okta.post('/Groups', { displayName: 'T37 made', members: [{ value: id }] }),
      (_, groupId) => okta.get(`/Groups/${groupId}`),
      (_, groupId) => okta.put(`/Groups/${groupId}`, { displayName: 'T37' }),
      (_, groupId) => okta.patch(`/Groups/${groupId}`, { op: 'add', path: 'members', value: [{ value: mine }] }),
      (_, groupId) => okta.patch(`/Groups/${groupId}`, { op: 'remove', path: `members[value eq "${mine}"]` }),
      (_, groupId) => okta.delete(`/Groups/${groupId}`),
    ];
    for (const probe of probes) {
      const [unknown, other, beside] = [
        await probe(random, random),
        await probe(foreign, foreignGroup),
        await probe(sibling, foreignGroup),
      ];
      expect([other.status, other.text]).toEqual([unknown.status, unknown.text]);
      expect([beside.status, beside.text]).toEqual([unknown.status, unknown.text]);
    }
    expect((await okta.get(`/Groups/${group}`)).body).toMatchObject({ members: [], meta: { version: 'W/"1"' } });
    expect((await globex.get(`/Users/${foreign}`)).body.active).toBe(true);
    expect((await globex.get(`/Groups/${foreignGroup}`)).status).toBe(200);
    const path = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager';
    const managers = [];
    for (const value of [random, foreign]) {
      const { status, body } = await okta.patch(`/Users/${mine}`, { op: 'add', path, value });
      managers.push([status, Object.keys(body['urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'].manager)]);
    }
    expect(managers[1]).toEqual(managers[0]);
  });
});

describe('a list', () => {
  test('T47 is read page by page without a gap or a repeat, whatever is deleted on the way', async () => {
    const prefix = fresh('page');
    const made10 = [];
    for (let index = 0; index < 10; index += 1)
      made10.push((await made(entra, userBody(`${prefix}-${index}`))).id as string);
    const seen: string[] = [];
    let startIndex = 1;
    for (;;) {
      const { body } = await entra.get(
        `/Users?startIndex=${startIndex}&count=3&filter=${encodeURIComponent(`userName sw "${prefix}-"`)}`,
      );
      expect(body.startIndex).toBe(startIndex);
      seen.push(...body.Resources.map((user: Body) => user.id));
      if (startIndex === 1) expect(body.totalResults).toBe(10);
      if (startIndex === 4) await entra.delete(`/Users/${made10[0]}`);
      if (body.Resources.length < 3) break;
      startIndex += 3;
    }
    expect(seen).toEqual(made10);
  });

  test('T47 counts all, gives 200 at most, and refuses nonsense', async () => {
    const total = (await entra.get('/Users?count=0')).body;
    expect(total).toMatchObject({ itemsPerPage: 0, Resources: [] });
    const whole = (await entra.get('/Users?count=1000000000')).body;
    expect(whole.totalResults).toBe(total.totalResults);
    expect(whole.itemsPerPage).toBe(whole.Resources.length);
    expectRefused(await entra.get('/Users?startIndex=1e308'), 400, 'invalidValue');
    expectRefused(await entra.get('/Users?count=many'), 400, 'invalidCount');
    expect((await entra.get('/Users?startIndex=100000')).body).toMatchObject({
      totalResults: total.totalResults,
      Resources: [],
    });
    const [first, second] = (await entra.get('/Users?count=2')).body.Resources;
    expect((await entra.get('/Users?startIndex=2&count=1')).body.Resources).toEqual([second]);
    expect(first.id < second.id).toBe(true);
  });

  test('T44 T45 filters mean what they say: quotes and wildcards are text, a password is never asked for', async () => {
    const odd = await made(okta, userBody(fresh(), { userName: `o'brien" or 1=1 %_\\ ${fresh()}` }));
    const asked = (text: string) => filter(okta, text).then((answer) => answer.body.totalResults);
    expect(await asked(`userName eq ${JSON.stringify(odd.userName)}`)).toBe(1);
    const literal = await filter(okta, `userName co "%_\\\\"`);
    const names: readonly string[] = literal.body.Resources.map((user: Body) => user.userName);
    expect(names).toContain(odd.userName);
    expect(names.filter((name) => !name.includes('%_\\'))).toEqual([]);
    expect(await asked(`userName co "%'; select pg_sleep(6) --"`)).toBe(0);
    expectRefused(await filter(okta, 'password pr'), 400, 'invalidFilter');
    expectRefused(await filter(okta, 'userName eq'), 400, 'invalidFilter');
    expectRefused(await okta.get('/Users?filter='), 400, 'invalidFilter');
  });

  test('finds by externalId, by an address in any case, by active and by id', async () => {
    const user = await made(okta, userBody(fresh(), { active: false }));
    const one = (text: string) => filter(okta, text).then(({ body }) => body.Resources.map((found: Body) => found.id));
    expect(await one(`externalId eq "${user.externalId}"`)).toEqual([user.id]);
    expect(await one(`emails[type eq "work"].value eq "${user.emails[0].value.toUpperCase()}"`)).toEqual([user.id]);
    expect(await one(`emails.value eq "${user.emails[0].value}" and active eq false`)).toEqual([user.id]);
    expect(await one(`id eq "${user.id}" and meta.created le "${user.meta.created}"`)).toEqual([user.id]);
    expect(await one(`userName eq "${user.userName}" and active eq true`)).toEqual([]);
  });
});
