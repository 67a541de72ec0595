// RFC 7644 §3.4: lists in their order, searches by POST, pages by index.

import { beforeAll, describe, expect, test } from 'vitest';
import { namesOf, type ReadingStage, readingStage, refused, searchUrn } from '../support/reading-stage.ts';
import type { Body, DirectoryClient } from '../support/scim.ts';
import { enterpriseUrn, patchUrn } from '../support/urns.ts';

let okta: DirectoryClient;
let entra: DirectoryClient;
let ids: ReadingStage['ids'];
let groupIds: ReadingStage['groupIds'];
let get: ReadingStage['get'];
let search: ReadingStage['search'];
beforeAll(async () => {
  const stage = await readingStage();
  ({ okta, entra, ids, groupIds, get, search } = stage);
  return stage.close;
});

describe('RFC 7644 §3.4.2.3 a list', () => {
  test.each([
    ['userName', 'Alpha bravo charlie delta echo'],
    ['USERNAME', 'Alpha bravo charlie delta echo'],
    // By code point of the folded text; what has none comes last.
    ['displayName', 'Alpha echo delta bravo charlie'],
    ['name.familyName', 'bravo Alpha delta charlie echo'],
    // The same title in other case is the same: the id decides.
    ['title', 'bravo delta Alpha echo charlie'],
    // Case exact: capitals come first.
    ['externalId', 'Alpha delta echo charlie bravo'],
    ['active', 'delta Alpha charlie bravo echo'],
    // The primary address, not the first.
    ['emails', 'bravo charlie delta Alpha echo'],
    ['emails.value', 'bravo charlie delta Alpha echo'],
    ['emails.type', 'charlie bravo delta Alpha echo'],
    ['emails.primary', 'bravo charlie delta Alpha echo'],
    ['roles.value', 'echo delta Alpha charlie bravo'],
    // Text is sorted as text, whatever it holds.
    ['employeeNumber', 'charlie bravo delta Alpha echo'],
    [`${enterpriseUrn}:department`, 'charlie delta Alpha bravo echo'],
    ['manager', 'delta Alpha charlie bravo echo'],
    ['manager.value', 'delta Alpha charlie bravo echo'],
    ['id', 'delta Alpha charlie bravo echo'],
    ['meta.created', 'delta Alpha charlie bravo echo'],
    ['meta.lastModified', 'delta Alpha charlie bravo echo'],
    ['meta.resourceType', 'delta Alpha charlie bravo echo'],
    ['meta.version', 'delta Alpha charlie bravo echo'],
    ['meta.location', 'delta Alpha charlie bravo echo'],
    ['schemas', 'delta Alpha charlie bravo echo'],
    ['groups.display', 'Alpha delta echo charlie bravo'],
    ['groups', 'delta echo Alpha charlie bravo'],
    ['groups.$ref', 'delta echo Alpha charlie bravo'],
    ['groups.type', 'delta Alpha echo charlie bravo'],
  ])('of users is sorted by %s; descending is the same the other way round', async (sortBy, order) => {
    const expected = sortBy === 'emails.type' || sortBy === 'emails.primary' ? null : order.split(' ');
    const up = namesOf(await get('/Users', { sortBy }));
    if (expected !== null) expect(up).toEqual(expected);
    expect(namesOf(await get('/Users', { sortBy, sortOrder: 'ascending' }))).toEqual(up);
    expect(namesOf(await get('/Users', { sortBy, sortOrder: 'descending' }))).toEqual(up.toReversed());
    // The same order by pages, of either kind.
    const pages = await Promise.all(
      [1, 3, 5].map((startIndex) => get('/Users', { sortBy, startIndex: `${startIndex}`, count: '2' })),
    );
    expect(pages.flatMap(namesOf)).toEqual(up);
  });

  test.each([
    ['displayName', 'amber Green Yellow'],
    ['members.display', 'amber Yellow Green'],
    ['members', 'Yellow amber Green'],
    ['members.value', 'Yellow amber Green'],
    ['members.$ref', 'Yellow amber Green'],
    ['meta.created', 'Yellow amber Green'],
  ])('of groups is sorted by %s, and every group has its own members', async (sortBy, order) => {
    const answer = await get('/Groups', { sortBy });
    expect(namesOf(answer)).toEqual(order.split(' '));
    const members = Object.fromEntries(
      answer.body.Resources.map((group: Body) => [
        group.displayName,
        (group.members ?? []).map((member: Body) => member.display),
      ]),
    );
    expect(members).toEqual({ Yellow: ['Zoë', 'Bob'], amber: ['anna'], Green: [] });
    expect(namesOf(await get('/Groups', { sortBy, sortOrder: 'descending' }))).toEqual(order.split(' ').toReversed());
  });

  test('is sorted with a filter, and sortOrder alone turns the order of ids', async () => {
    const found = await get('/Users', { filter: 'title pr', sortBy: 'displayName', sortOrder: 'descending' });
    expect(namesOf(found)).toEqual(['bravo', 'delta', 'echo', 'Alpha']);
    expect(found.body.totalResults).toBe(4);
    expect(namesOf(await get('/Users', { sortOrder: 'descending' }))).toEqual([...ids.keys()].toReversed());
  });

  test.each(['name', 'meta', 'nothing', 'password', 'emails.nothing', 'addresses'])(
    'is not sorted by %s: 400 invalidValue',
    async (sortBy) => expect(refused(await get('/Users', { sortBy }))).toEqual([400, 'invalidValue']),
  );
});

describe('RFC 7644 §3.4.3 a search by POST', () => {
  test('answers as the list does, with the same parameters in its message', async () => {
    const filter = 'title pr';
    const expected = await get('/Users', {
      filter,
      sortBy: 'title',
      startIndex: '2',
      count: '2',
      attributes: 'userName,title',
    });
    const asked = { filter, sortBy: 'title', startIndex: 2, count: 2, attributes: ['userName', 'title'] };
    const answer = await search('/Users', asked);
    expect([answer.status, answer.body]).toEqual([200, expected.body]);
    expect(answer.body.schemas).toEqual(['urn:ietf:params:scim:api:messages:2.0:ListResponse']);
    expect(answer.headers.get('content-type')).toContain('application/scim+json');
  });

  test('of groups leaves out what it says', async () => {
    const { body } = await search('/Groups', { excludedAttributes: ['members', 'meta'], sortBy: 'displayName' });
    expect(body.Resources.map((group: Body) => Object.keys(group).sort())).toEqual(
      Array(3).fill(['displayName', 'id', 'schemas']),
    );
  });

  test('pages by cursor (RFC 9865 §3)', async () => {
    const first = await search('/Users', { cursor: '', count: 4, sortBy: 'userName' });
    const second = await search('/Users', { cursor: first.body.nextCursor, count: 4, sortBy: 'userName' });
    expect([...namesOf(first), ...namesOf(second)]).toEqual(['Alpha', 'bravo', 'charlie', 'delta', 'echo']);
    expect(second.body).not.toHaveProperty('nextCursor');
  });

  test('at the root finds users and groups together, sorted together, with members and groups', async () => {
    const answer = await search('', { sortBy: 'displayName' });
    expect(answer.body.Resources.map((resource: Body) => resource.displayName ?? null)).toEqual([
      'amber',
      'anna',
      'Bob',
      'Green',
      'Yellow',
      'Zoë',
      'Émile',
      null,
    ]);
    expect(answer.body.totalResults).toBe(8);
    expect(answer.body.Resources.map((resource: Body) => resource.meta.resourceType).join(' ')).toBe(
      'Group User User Group Group User User User',
    );
    const yellow = answer.body.Resources[4];
    expect(yellow.members.map((member: Body) => member.display)).toEqual(['Zoë', 'Bob']);
    expect(answer.body.Resources[1].groups).toEqual([expect.objectContaining({ display: 'amber' })]);
  });

  test.each([
    // RFC 7644 §3.4.2.1: an attribute of the other type is one without value.
    ['userName sw "a"', ['Alpha']],
    ['not (userName pr)', ['Yellow', 'amber', 'Green']],
    ['userName ne "alpha"', ['delta', 'charlie', 'bravo', 'echo', 'Yellow', 'amber', 'Green']],
    ['userName eq null and displayName sw "g"', ['Green']],
    ['emails.type ne "work"', ['charlie']],
    ['emails[type eq "home"]', ['charlie']],
    ['members pr or displayName eq "bob"', ['echo', 'Yellow', 'amber']],
    ['meta.resourceType eq "Group" and displayName co "e"', ['Yellow', 'amber', 'Green']],
    ['meta.resourceType eq "User" and active eq false', ['delta']],
    ['displayName co "a"', ['Alpha', 'amber']],
    ['schemas eq "urn:ietf:params:scim:schemas:core:2.0:Group"', ['Yellow', 'amber', 'Green']],
  ])('RFC 7644 §3.4.2.1 at the root by %s finds %j, by GET too', async (filter, found) => {
    const posted = await search('', { filter });
    expect([namesOf(posted), posted.body.totalResults]).toEqual([found, found.length]);
    expect((await get('', { filter })).body).toEqual(posted.body);
    const small = await search('', { filter, count: 1, startIndex: found.length });
    expect([namesOf(small), small.body.totalResults]).toEqual([found.slice(-1), found.length]);
  });

  test('in any case of its members’ names; null is as if it were not there', async () => {
    const answer = await search('/Users', {
      FILTER: 'userName eq "echo"',
      startIndex: null,
      Attributes: null,
      cursor: null,
    });
    expect(namesOf(answer)).toEqual(['echo']);
    // As a PATCH, without its schemas or with its own alone.
    for (const schemas of [{}, { schemas: [] }, { schemas: searchUrn }]) {
      const bare = await okta.post('/Users/.search', { ...schemas, count: 1 });
      expect([schemas, bare.body.itemsPerPage]).toEqual([schemas, 1]);
    }
  });

  test.each([
    [{ filter: '' }, 'invalidFilter'],
    [{ filter: 'nothing pr' }, 'invalidFilter'],
    [{ filter: 'password pr' }, 'invalidFilter'],
    [{ filter: 5 }, 'invalidValue'],
    [{ count: 1.5 }, 'invalidCount'],
    [{ count: 'x' }, 'invalidCount'],
    [{ count: {} }, 'invalidValue'],
    [{ startIndex: 1e308 }, 'invalidValue'],
    [{ sortBy: ['userName'] }, 'invalidValue'],
    [{ sortOrder: 'up', sortBy: 'userName' }, 'invalidValue'],
    [{ attributes: [1] }, 'invalidValue'],
    [{ attributes: ['a'], excludedAttributes: ['b'] }, 'invalidValue'],
    [{ cursor: 'x' }, 'invalidCursor'],
    [{ schemas: [patchUrn] }, 'invalidSyntax'],
    [[], 'invalidSyntax'],
  ])('with %j is 400 %s, at every level', async (body, scimType) => {
    for (const path of ['/Users/.search', '/Groups/.search', '/.search']) {
      const sent = Array.isArray(body) ? body : { schemas: [searchUrn], ...body };
      expect(refused(await okta.post(path, sent))).toEqual([400, scimType]);
    }
  });

  test('by another method is 405, elsewhere 404, and another type of body 415', async () => {
    for (const path of ['/.search', '/Users/.search', '/Groups/.search']) {
      for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
        const answer = await okta.call(method, path);
        expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
      }
      expect((await okta.call('POST', path, '{}', { 'Content-Type': 'text/plain' })).status).toBe(415);
    }
    for (const path of ['/Schemas/.search', '/Me/.search', `/Users/${ids.get('echo')}/.search`]) {
      expect((await okta.post(path, {})).status).toBe(404);
    }
    expect((await okta.post('', {})).status).toBe(405);
  });
});

describe('RFC 7644 §3.4.2.4 pages by index', () => {
  test.each([
    [{ count: '0' }, 5, 1, 0],
    [{ count: '-3' }, 5, 1, 0],
    [{ count: '0', filter: 'title pr' }, 4, 1, 0],
    [{ count: '0', filter: 'title pr', sortBy: 'title' }, 4, 1, 0],
    [{ startIndex: '6' }, 5, 6, 0],
    [{ startIndex: '100', filter: 'title pr' }, 4, 100, 0],
    [{ startIndex: '4', count: '2', filter: 'title pr' }, 4, 4, 1],
    [{ startIndex: '0', count: '2' }, 5, 1, 2],
    [{ startIndex: '-5', count: '2', sortBy: 'userName' }, 5, 1, 2],
    [{ startIndex: '5', count: '5', sortBy: 'userName' }, 5, 5, 1],
    [{ filter: 'userName eq "nobody"' }, 0, 1, 0],
  ])('with %j count %d, begin at %d and hold %d', async (parameters, totalResults, startIndex, itemsPerPage) => {
    const { body } = await get('/Users', parameters);
    expect(body).toMatchObject({ totalResults, startIndex, itemsPerPage });
    expect(body.Resources).toHaveLength(itemsPerPage);
  });

  test('count users and groups together at the root', async () => {
    expect((await get('', { count: '0' })).body).toMatchObject({ totalResults: 8, startIndex: 1, itemsPerPage: 0 });
    const pages = await Promise.all(
      [1, 4, 7].map((startIndex) => get('', { startIndex: `${startIndex}`, count: '3' })),
    );
    expect(pages.flatMap(namesOf)).toEqual([...ids.keys(), ...groupIds.keys()]);
  });

  test('in an order are stable while others come and go', async () => {
    for (const { id } of (await entra.get('/Users')).body.Resources ?? []) await entra.delete(`/Users/${id}`);
    const made = [];
    for (const index of [1, 2, 3, 4, 5, 6]) made.push((await entra.post('/Users', { userName: `e${index}` })).body);
    const page = async (startIndex: number) =>
      (await entra.get(`/Users?sortBy=userName&count=2&startIndex=${startIndex}`)).body.Resources.map(
        (user: Body) => user.userName,
      );
    expect(await page(1)).toEqual(['e1', 'e2']);
    await entra.delete(`/Users/${made[0].id}`);
    await entra.post('/Users', { userName: 'e0' });
    expect(await page(3)).toEqual(['e3', 'e4']);
    await entra.delete(`/Users/${made[2].id}`);
    expect(await page(5)).toEqual(['e5', 'e6']);
  });
});

describe('RFC 7644 §3.11 /Me', () => {
  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])(
    '%s is 501: a directory is nobody, and the answer says so',
    async (method) => {
      const answer = await okta.call(method, '/Me', method === 'GET' ? undefined : {});
      expect([answer.status, answer.body.status]).toEqual([501, '501']);
      expect(answer.body.detail).toMatch(/no person/);
    },
  );
});
