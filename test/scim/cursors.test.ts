// RFC 9865: a list page by page, by cursors that nobody can change or lend.

import { beforeAll, describe, expect, test } from 'vitest';
import { namesOf, type ReadingStage, readingStage, refused } from '../support/reading-stage.ts';
import { type Answer, type Body, type DirectoryClient, scimServer } from '../support/scim.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let okta: DirectoryClient;
let entra: DirectoryClient;
let globex: DirectoryClient;
let get: ReadingStage['get'];
let search: ReadingStage['search'];
beforeAll(async () => {
  const stage = await readingStage();
  ({ world, okta, entra, globex, get, search } = stage);
  return stage.close;
});

describe('RFC 9865 §2', () => {
  const walk = async (path: string, parameters: Readonly<Record<string, string>>) => {
    const pages: Answer[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined; cursor = pages.at(-1)?.body.nextCursor) {
      const page = await get(path, { ...parameters, cursor });
      if (page.status !== 200 || pages.length > 20) throw new Error(page.text);
      pages.push(page);
    }
    return pages;
  };

  test.each([
    ['/Users', {}],
    ['/Users', { sortBy: 'userName' }],
    ['/Users', { sortBy: 'title', sortOrder: 'descending' }],
    ['/Users', { sortBy: 'emails.value', filter: 'active eq true' }],
    ['/Users', { filter: 'userName pr', sortOrder: 'descending' }],
    ['/Users', { sortBy: 'meta.lastModified' }],
    ['/Users', { sortBy: 'active' }],
    ['/Groups', { sortBy: 'displayName' }],
    ['/Groups', { filter: 'members pr' }],
    ['', { sortBy: 'displayName' }],
    ['', {}],
  ])('%s by cursor with %j is the list, page by page, and back again', async (path, parameters) => {
    const whole = await get(path, parameters);
    const pages = await walk(path, { ...parameters, count: '2' });
    expect(pages.flatMap(namesOf)).toEqual(namesOf(whole));
    for (const [index, { body }] of pages.entries()) {
      expect(body.totalResults).toBe(whole.body.totalResults);
      expect(body.itemsPerPage).toBe(body.Resources.length);
      expect(body).not.toHaveProperty('startIndex');
      expect('previousCursor' in body).toBe(index > 0);
      expect('nextCursor' in body).toBe(index < pages.length - 1);
      // RFC 9865 §2: nothing but unreserved characters (RFC 3986 §2.3).
      for (const cursor of [body.previousCursor ?? '', body.nextCursor ?? ''])
        expect(cursor).toMatch(/^[A-Za-z0-9._~-]*$/);
    }
    // Backwards from the last page, and forwards again from the first.
    let back: Answer | undefined = pages.at(-1);
    for (const page of pages.slice(0, -1).toReversed()) {
      back = await get(path, { ...parameters, count: '2', cursor: back?.body.previousCursor });
      expect(namesOf(back)).toEqual(namesOf(page));
      expect(back.body.nextCursor).toEqual(expect.any(String));
    }
    expect(back?.body).not.toHaveProperty('previousCursor');
    if (pages.length > 1) {
      const again = await get(path, { ...parameters, count: '2', cursor: back?.body.nextCursor });
      expect(namesOf(again)).toEqual(namesOf(pages[1] as Answer));
    }
  });

  test('a list that fits on one page has no cursor, nor has an empty one', async () => {
    for (const filter of ['userName eq "alpha"', 'userName eq "nobody"']) {
      const { body } = await get('/Users', { filter, cursor: '' });
      expect(body).not.toHaveProperty('nextCursor');
      expect(body).not.toHaveProperty('previousCursor');
    }
    const { body } = await okta.get('/Users?cursor&count=5');
    expect([body.totalResults, body.itemsPerPage, body.nextCursor]).toEqual([5, 5, undefined]);
  });

  test('pages go by index where nobody asks for a cursor, as /ServiceProviderConfig says (RFC 9865 §4)', async () => {
    const { body } = await get('/Users', { count: '2' });
    expect(body).toMatchObject({ startIndex: 1, itemsPerPage: 2, totalResults: 5 });
    expect(body).not.toHaveProperty('nextCursor');
    expect((await okta.get('/ServiceProviderConfig')).body).toMatchObject({
      sort: { supported: true },
      pagination: {
        cursor: true,
        index: true,
        defaultPaginationMethod: 'index',
        defaultPageSize: 100,
        maxPageSize: 200,
        cursorTimeout: 3600,
      },
    });
  });

  const cursorOf = async (parameters: Readonly<Record<string, string>> = {}): Promise<string> =>
    (await get('/Users', { count: '2', cursor: '', ...parameters })).body.nextCursor;

  test('§2.1 a cursor that was changed anywhere is 400 invalidCursor, and says nothing to its reader', async () => {
    const cursor = await cursorOf({ sortBy: 'userName' });
    expect(Buffer.from(cursor, 'base64url').toString('latin1')).not.toMatch(/alpha|bravo|[0-9a-f]{8}-/i);
    const parameters = { count: '2', sortBy: 'userName' };
    for (const at of [0, 1, 5, 20, 40, cursor.length - 3]) {
      const changed = cursor.slice(0, at) + (cursor[at] === 'A' ? 'B' : 'A') + cursor.slice(at + 1);
      expect([at, ...refused(await get('/Users', { ...parameters, cursor: changed }))]).toEqual([
        at,
        400,
        'invalidCursor',
      ]);
    }
    for (const none of [
      'x',
      '%00',
      '1',
      'null',
      cursor.slice(0, -4),
      `${cursor}AAAA`,
      `${cursor}=`,
      'A'.repeat(9_000),
    ]) {
      expect(refused(await get('/Users', { ...parameters, cursor: none }))).toEqual([400, 'invalidCursor']);
    }
    expect((await get('/Users', { ...parameters, cursor })).status).toBe(200);
  });

  test('§2.1 so is one whose last character was changed, where it has bits that stand for nothing', async () => {
    const alphabet = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'];
    // Of different lengths.
    for (const asked of [{}, { sortBy: 'active' }, { sortBy: 'userName' }, { sortBy: 'displayName' }]) {
      const cursor = await cursorOf(asked);
      const answers = await Promise.all(
        alphabet.map((last) => get('/Users', { count: '2', cursor: cursor.slice(0, -1) + last, ...asked })),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(answers.filter(({ body }) => body.scimType === 'invalidCursor')).toHaveLength(63);
    }
  });

  test('§2.1 T37 a cursor opens only for its own directory, filter and order', async () => {
    const cursor = await cursorOf({ filter: 'userName pr', sortBy: 'userName' });
    const same = { filter: 'userName pr', sortBy: 'userName', count: '2', cursor };
    const other = async (client: DirectoryClient, path: string, changes: object): Promise<unknown> =>
      refused(await client.get(`${path}?${new URLSearchParams({ ...same, ...changes })}`));
    const invalid = [400, 'invalidCursor'];
    expect(await other(entra, '/Users', {})).toEqual(invalid);
    expect(await other(globex, '/Users', {})).toEqual(invalid);
    expect(await other(okta, '', {})).toEqual(invalid);
    expect(await other(okta, '/Users', { filter: 'displayName pr' })).toEqual(invalid);
    expect(await other(okta, '/Users', { sortBy: 'title' })).toEqual(invalid);
    expect(await other(okta, '/Users', { sortOrder: 'descending' })).toEqual(invalid);
    // The same filter in another spelling is the same filter; how much of each resource is wanted is no part of the order.
    expect((await get('/Users', { ...same, filter: 'USERNAME  pr'.replace('  ', ' ') })).status).toBe(200);
    expect((await get('/Users', { ...same, attributes: 'userName', count: '1' })).status).toBe(200);
    expect((await search('/Users', { ...same, count: 2 })).status).toBe(200);
  });

  test('§2.1 a cursor is good for an hour, then it is 400 expiredCursor', async () => {
    let late = 0;
    const clock = await scimServer(world, {
      contextFor: (caller) => {
        const ctx = world.context(caller.actor);
        return { ...ctx, now: () => (ctx.now() + late) as ReturnType<typeof ctx.now> };
      },
    });
    const at = (cursor: string) =>
      fetch(`${clock.url}/scim/v2/acme/okta/Users?count=2&cursor=${cursor}`, {
        headers: { Authorization: `Bearer ${okta.token}` },
      }).then(async (response) => [response.status, ((await response.json()) as Body).scimType]);
    const cursor = await cursorOf();
    late = 3_590_000;
    expect(await at(cursor)).toEqual([200, undefined]);
    late = 3_602_000;
    expect(await at(cursor)).toEqual([400, 'expiredCursor']);
    await clock.close();
  });

  test.each(['x', '1.5'])('§2.1 with a cursor, count=%s is 400 invalidCount', async (count) =>
    expect(refused(await get('/Users', { cursor: '', count }))).toEqual([400, 'invalidCount']),
  );

  test.each(['0', '-1'])('§2 with a cursor, count=%s asks for the total alone', async (count) => {
    for (const cursor of ['', await cursorOf()]) {
      const { status, body } = await get('/Users', { cursor, count });
      expect([status, body]).toEqual([200, { schemas: body.schemas, totalResults: 5, itemsPerPage: 0, Resources: [] }]);
    }
    expect(refused(await get('/Users', { cursor: 'none', count }))).toEqual([400, 'invalidCursor']);
  });

  test('a startIndex beside a cursor is 400: a list has one way of paging', async () =>
    expect(refused(await get('/Users', { cursor: '', startIndex: '1' }))).toEqual([400, 'invalidValue']));

  test('more than the page size is the page size', async () =>
    expect((await get('/Users', { cursor: '', count: '1000000' })).body.itemsPerPage).toBe(5));

  test('pages are stable: what comes and goes meanwhile moves nobody to another page', async () => {
    const path = '/Users';
    const made = [];
    for (const index of [1, 3, 5, 7, 9]) made.push((await globex.post(path, { userName: `u${index}` })).body);
    const page = async (cursor: string) => (await globex.get(`${path}?sortBy=userName&count=2&cursor=${cursor}`)).body;
    const names = (body: Body) => body.Resources.map((user: Body) => user.userName);
    const first = await page('');
    expect(names(first)).toEqual(['u1', 'u3']);
    // Before, at and behind the place where the cursor stands.
    for (const userName of ['u0', 'u2', 'u4']) await globex.post(path, { userName });
    for (const user of [made[0], made[1], made[3]]) await globex.delete(`${path}/${user.id}`);
    const second = await page(first.nextCursor);
    expect(names(second)).toEqual(['u4', 'u5']);
    expect(names(await page(second.nextCursor))).toEqual(['u9']);
    expect(names(await page(second.previousCursor))).toEqual(['u0', 'u2']);
    // All that the page before had is gone: what is left begins here.
    for (const user of (await page('')).Resources) await globex.delete(`${path}/${user.id}`);
    const start = await page(second.previousCursor);
    expect([names(start), start.previousCursor]).toEqual([['u4', 'u5'], undefined]);
  });
});
