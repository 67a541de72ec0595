// /Bulk over HTTP: RFC 7644 §3.7, section by section.

import { beforeAll, describe, expect, test } from 'vitest';
import type { Acme } from '../support/acme.ts';
import { bulk, bulkBody, create, failure, group, idOf, managed, patch, send, statuses } from '../support/bulk.ts';
import { type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import { enterpriseUrn } from '../support/urns.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta } = stage);
  return stage.close;
});

let serial = 0;
const fresh = () => `bulk${++serial}`;
const push = (operations: readonly unknown[], more?: object) => bulk(okta, operations, more);
const someone = (bulkId: string, more: object = {}) => create(bulkId, userBody(fresh(), more));
const pathOf = (result: Body): string => result.location.slice(okta.base.length);
const managerOf = async (result: Body): Promise<string> =>
  (await okta.get(pathOf(result))).body[enterpriseUrn]?.manager.value;

describe('RFC 7644 §3.7 a bulk', () => {
  test('creates, replaces, changes and removes, and says of each its method, address, version and status', async () => {
    const user = (await okta.post('/Users', userBody(fresh()))).body;
    const other = (await okta.post('/Users', userBody(fresh()))).body;
    const held = (await okta.post('/Groups', { displayName: fresh() })).body;
    const results = await push([
      someone('a'),
      { method: 'PUT', path: `/Users/${user.id}`, data: { ...user, title: 'Dr' } },
      patch(`/Users/${other.id}`, { op: 'replace', path: 'active', value: false }),
      group('g', fresh(), [{ value: user.id }]),
      patch(`/Groups/${held.id}`, { op: 'add', path: 'members', value: [{ value: user.id }] }),
      { method: 'DELETE', path: `/Users/${other.id}` },
      { method: 'DELETE', path: `/Groups/${held.id}` },
    ]);
    expect(results).toEqual([
      { method: 'POST', bulkId: 'a', location: expect.any(String), version: 'W/"1"', status: '201' },
      { method: 'PUT', location: `${okta.base}/Users/${user.id}`, version: 'W/"2"', status: '200' },
      { method: 'PATCH', location: `${okta.base}/Users/${other.id}`, version: 'W/"2"', status: '200' },
      { method: 'POST', bulkId: 'g', location: expect.any(String), version: 'W/"1"', status: '201' },
      { method: 'PATCH', location: `${okta.base}/Groups/${held.id}`, version: 'W/"2"', status: '204' },
      { method: 'DELETE', location: `${okta.base}/Users/${other.id}`, status: '204' },
      { method: 'DELETE', location: `${okta.base}/Groups/${held.id}`, status: '204' },
    ]);
    const made = await okta.get(pathOf(results[0]));
    expect([made.status, made.body.meta.location]).toEqual([200, results[0].location]);
    expect((await okta.get(`/Users/${user.id}`)).body.title).toBe('Dr');
    expect((await okta.get(pathOf(results[3]))).body.members.map((one: Body) => one.value)).toEqual([user.id]);
    expect([(await okta.get(`/Users/${other.id}`)).status, (await okta.get(`/Groups/${held.id}`)).status]).toEqual([
      404, 404,
    ]);
  });

  test('goes on after an error, which has the body that the single request would have had', async () => {
    const taken = userBody(fresh());
    await okta.post('/Users', taken);
    const single = await okta.post('/Users', taken);
    const gone = `/Users/${crypto.randomUUID()}`;
    const results = await push([
      create('taken', taken),
      create('nameless', { schemas: taken.schemas }),
      patch(gone, { op: 'replace', path: 'title', value: 'Dr' }),
      { method: 'DELETE', path: gone },
      someone('fine'),
    ]);
    expect(statuses(results)).toEqual(['409', '400', '404', '404', '201']);
    expect(results[0]).toEqual({ method: 'POST', bulkId: 'taken', status: '409', response: single.body });
    expect(results[1]).toEqual(failure('400', 'invalidValue'));
    expect(results[2]).toMatchObject({ method: 'PATCH', location: okta.base + gone, response: { status: '404' } });
    expect(results[3]).toMatchObject({ method: 'DELETE', location: okta.base + gone, response: { status: '404' } });
  });

  test('each operation leaves the audit row of the single request, under the one request', async () => {
    const [name, other] = [fresh(), fresh()];
    const results = await push([create('a', userBody(name)), create('b', userBody(other))]);
    const rows = await world.sql<{ request_id: string }>(
      `select kind, outcome, actor, connection_id, detail, request_id from audit_events
       where detail ->> 'directoryUserId' = any ($1) order by occurred_at`,
      [results.map(idOf)],
    );
    expect(rows).toEqual(
      results.map((result) => ({
        kind: 'user.created',
        outcome: 'done',
        actor: { kind: 'directory', connectionId: tenants.okta, name: 'okta' },
        connection_id: tenants.okta,
        detail: { origin: 'scim', directoryUserId: idOf(result) },
        request_id: rows[0]?.request_id,
      })),
    );
  });
});

describe('RFC 7644 §3.7.2 a bulkId', () => {
  test('stands for the new user’s id in members, in a manager and in a path, before and after its creation', async () => {
    const results = await push([
      group('team', fresh(), [{ type: 'User', value: 'bulkId:late' }]),
      patch('/Groups/bulkId:team', { op: 'add', path: 'members', value: [{ value: 'bulkId:early' }] }),
      create('report', managed(fresh(), 'bulkId:late')),
      someone('early'),
      someone('late'),
      patch('/Users/bulkId:early', { op: 'add', path: `${enterpriseUrn}:manager`, value: 'bulkId:late' }),
      patch('/Groups/bulkId:team', { op: 'remove', path: 'members[value eq "bulkId:late"]' }),
    ]);
    expect(statuses(results)).toEqual(['201', '204', '201', '201', '201', '200', '204']);
    expect(results.map((result) => result.bulkId)).toEqual([
      'team',
      undefined,
      'report',
      'early',
      'late',
      undefined,
      undefined,
    ]);
    const [team, , report, early, late] = results as Body[];
    expect((await okta.get(pathOf(team))).body.members.map((one: Body) => one.value)).toEqual([idOf(early)]);
    for (const result of [report, early]) {
      expect((await okta.get(pathOf(result))).body[enterpriseUrn].manager.value).toBe(idOf(late));
    }
    expect(results[5].location).toBe(early.location);
  });

  test('makes its referrer wait, and with it what comes later of the same resource, but nothing else', async () => {
    const team = (await okta.post('/Groups', { displayName: fresh() })).body;
    const user = (await okta.post('/Users', userBody(fresh()))).body;
    const results = await push([
      { method: 'DELETE', path: `/Users/${user.id}` },
      patch(`/Groups/${team.id}`, { op: 'add', path: 'members', value: [{ value: 'bulkId:late' }] }),
      { method: 'DELETE', path: `/Groups/${team.id}` },
      create('late', userBody(user.displayName.split(' ')[0])),
    ]);
    expect(statuses(results)).toEqual(['204', '204', '204', '201']);
    expect(idOf(results[3])).not.toBe(user.id);
  });

  test('that nobody claims, its own, one that two claim, and none at all where one is needed are 400 invalidValue', async () => {
    const results = await push([
      group('g', fresh(), [{ value: 'bulkId:nobody' }]),
      create('self', managed(fresh(), 'bulkId:self')),
      someone('twice'),
      someone('twice'),
      group('of-twice', fresh(), [{ value: 'bulkId:twice' }]),
      { method: 'POST', path: '/Users', data: userBody(fresh()) },
      { method: 'DELETE', path: '/Users/bulkId:nobody' },
      someone('fine'),
    ]);
    const refused = failure('400', 'invalidValue');
    expect(results).toEqual([
      ...[refused, refused, refused, refused],
      failure('409'),
      refused,
      refused,
      expect.objectContaining({ status: '201' }),
    ]);
  });

  test('that nobody claims is refused with the address of the resource that the operation is about (§3.7.3)', async () => {
    const user = (await okta.post('/Users', userBody(fresh()))).body;
    const by = { op: 'add', path: `${enterpriseUrn}:manager`, value: 'bulkId:nobody' };
    const results = await push([patch(`/Users/${user.id}`, by), patch('/Users/what is this', by)]);
    expect(results).toEqual([failure('400', 'invalidValue'), failure('400', 'invalidValue')]);
    expect(results[0].location).toBe(`${okta.base}/Users/${user.id}`);
    expect(results[1].location).toBe(`${okta.base}/Users/what%20is%20this`);
  });

  test('of what was not created takes its referrers with it: 409', async () => {
    const taken = userBody(fresh());
    await okta.post('/Users', taken);
    const results = await push([
      group('g', fresh(), [{ value: 'bulkId:taken' }]),
      create('taken', taken),
      create('report', managed(fresh(), 'bulkId:taken')),
      patch('/Users/bulkId:taken', { op: 'replace', path: 'title', value: 'Dr' }),
      patch('/Groups/bulkId:g', { op: 'add', path: 'members', value: [] }),
    ]);
    expect(statuses(results)).toEqual(['409', '409', '409', '409', '409']);
    expect(results.every((result) => result.location === undefined)).toBe(true);
  });
});

describe('RFC 7644 §3.7.1 a circle of references', () => {
  test('of managers is resolved: each is created, and then given its manager', async () => {
    const results = await push([
      create('a', managed(fresh(), 'bulkId:b')),
      create('b', managed(fresh(), 'bulkId:c')),
      create('c', managed(fresh(), 'bulkId:a')),
      patch('/Users/bulkId:a', { op: 'add', path: 'title', value: 'Dr' }),
      group('g', fresh(), [{ value: 'bulkId:a' }, { value: 'bulkId:c' }]),
    ]);
    expect(statuses(results)).toEqual(['201', '201', '201', '200', '201']);
    const [a, b, c] = results as [Body, Body, Body];
    expect([await managerOf(a), await managerOf(b), await managerOf(c)]).toEqual([idOf(b), idOf(c), idOf(a)]);
    // Whoever waited longest has been written twice; the operation on it came after both.
    expect([a.version, results[3].version]).toEqual(['W/"2"', 'W/"3"']);
    expect((await okta.get(pathOf(a))).body).toMatchObject({ title: 'Dr', meta: { version: 'W/"3"' } });
  });

  test('whose other side is refused leaves a user without manager, and says so: 409, with the address', async () => {
    const taken = userBody(fresh());
    await okta.post('/Users', taken);
    const results = await push([
      create('a', managed(fresh(), 'bulkId:b')),
      create('b', { ...taken, [enterpriseUrn]: { manager: { value: 'bulkId:a' } } }),
    ]);
    expect(results).toEqual([failure('409'), failure('409', 'uniqueness')]);
    expect([(await okta.get(pathOf(results[0]))).status, await managerOf(results[0])]).toEqual([200, undefined]);
  });

  test('of groups cannot be: 409, or 400 where they could not be members anyway', async () => {
    const results = await push([
      group('a', fresh(), [{ value: 'bulkId:b' }]),
      group('b', fresh(), [{ value: 'bulkId:a' }]),
      group('c', fresh(), [{ value: 'bulkId:d' }]),
      group('d', fresh()),
      group('e', fresh(), [{ value: 'bulkId:d', type: 'Group' }]),
    ]);
    expect(results).toEqual([
      failure('409'),
      failure('409'),
      failure('400', 'invalidValue'),
      expect.objectContaining({ status: '201' }),
      failure('400', 'invalidValue'),
    ]);
  });
});

describe('RFC 7644 §3.7.3 failOnErrors', () => {
  const gone = () => ({ method: 'DELETE', path: `/Users/${crypto.randomUUID()}` });

  test('ends the bulk at that many errors: what comes after is not tried and not answered', async () => {
    const [before, after] = [fresh(), fresh()];
    const operations = [
      create('a', userBody(before)),
      gone(),
      someone('b'),
      gone(),
      create('c', userBody(after)),
      gone(),
    ];
    expect(statuses(await push(operations, { failOnErrors: 2 }))).toEqual(['201', '404', '201', '404']);
    const found = await Promise.all([before, after].map((name) => named(name)));
    expect(found.map((one) => one.totalResults)).toEqual([1, 0]);
  });

  test('holds inside a run of new users, which are otherwise written together', async () => {
    const taken = userBody(fresh());
    await okta.post('/Users', taken);
    const after = fresh();
    const operations = [someone('a'), create('b', {}), someone('c'), create('d', taken), create('e', userBody(after))];
    expect(statuses(await push(operations, { failOnErrors: 2 }))).toEqual(['201', '400', '201', '409']);
    expect((await named(after)).totalResults).toBe(0);
  });

  test('a circle before the last error is tried and answered (§3.7.1), with what it refers to; one after it is neither', async () => {
    const taken = userBody(fresh());
    await okta.post('/Users', taken);
    const [before, after] = [fresh(), fresh()];
    const results = await push(
      [
        create('a', managed(before, 'bulkId:b')),
        create('b', managed(fresh(), 'bulkId:a')),
        create('c', taken),
        create('d', managed(after, 'bulkId:e')),
        create('e', managed(fresh(), 'bulkId:d')),
      ],
      { failOnErrors: 1 },
    );
    expect(results.map(({ bulkId, status }) => [bulkId, status])).toEqual([
      ['a', '201'],
      ['b', '201'],
      ['c', '409'],
    ]);
    const [a, b] = results as [Body, Body];
    expect([await managerOf(a), await managerOf(b)]).toEqual([idOf(b), idOf(a)]);
    expect((await named(after)).totalResults).toBe(0);
  });

  test('a circle that cannot be resolved is an error in its place', async () => {
    const after = fresh();
    const circle = [group('a', fresh(), [{ value: 'bulkId:b' }]), group('b', fresh(), [{ value: 'bulkId:a' }])];
    const results = await push([...circle, create('c', userBody(after))], { failOnErrors: 1 });
    expect(results.map(({ bulkId, status }) => [bulkId, status])).toEqual([['a', '409']]);
    expect((await named(after)).totalResults).toBe(0);
    // The others go on without it.
    expect(statuses(await push([...circle, create('c', userBody(after))]))).toEqual(['409', '409', '201']);
  });

  test('that is never reached changes nothing, and counts no success', async () => {
    const operations = [gone(), someone('a'), gone(), someone('b')];
    expect(statuses(await push(operations, { failOnErrors: 3 }))).toEqual(['404', '201', '404', '201']);
  });

  test.each([0, -1, 1.5, '1', true])('T48 of %j is 400 invalidValue, and nothing is done', async (failOnErrors) => {
    const name = fresh();
    const answer = await send(okta, [create('a', userBody(name))], { failOnErrors });
    expect([answer.status, answer.body.scimType]).toEqual([400, 'invalidValue']);
    expect((await named(name)).totalResults).toBe(0);
  });

  const named = async (name: string): Promise<Body> =>
    (await okta.get(`/Users?filter=${encodeURIComponent(`userName eq "${name}@acme.example"`)}`)).body;
});

describe('RFC 7644 §3.7.4 a limit', () => {
  test('of operations is the one that is advertised, and is named in the 413', async () => {
    const { bulk: advertised } = (await okta.get('/ServiceProviderConfig')).body;
    expect(advertised).toEqual({ supported: true, maxOperations: 1000, maxPayloadSize: 4 * 1024 * 1024 });
    const many = (count: number) => Array.from({ length: count }, () => ({ method: 'DELETE', path: '/Users/nobody' }));
    expect(statuses(await push(many(1000)))).toEqual(Array.from({ length: 1000 }, () => '404'));
    const answer = await send(okta, many(1001));
    expect([answer.status, answer.body.detail]).toEqual([413, expect.stringContaining('maxOperations (1000)')]);
  });

  test('of bytes is the one that is advertised, and is named in the 413', async () => {
    const { maxPayloadSize } = (await okta.get('/ServiceProviderConfig')).body.bulk;
    const padded = (size: number) => {
      const body = JSON.stringify(bulkBody([{ method: 'DELETE', path: '/Users/nobody' }]));
      return body.replace('[{', `[${' '.repeat(size - body.length)}{`);
    };
    expect((await okta.post('/Bulk', padded(maxPayloadSize))).status).toBe(200);
    const answer = await okta.post('/Bulk', padded(maxPayloadSize + 1));
    expect([answer.status, answer.body.detail]).toEqual([
      413,
      expect.stringContaining(`maxPayloadSize (${maxPayloadSize})`),
    ]);
  });

  test('of a single user holds inside a bulk', async () => {
    const large = { ...userBody(fresh()), title: 'x'.repeat(1024 * 1024) };
    expect(await push([create('a', large), someone('b')])).toEqual([
      failure('413'),
      expect.objectContaining({ status: '201' }),
    ]);
  });
});

describe('a version', () => {
  test('RFC 7644 §3.7 §3.14 stands for If-Match: 412 where it is another, and nothing is changed', async () => {
    const user = (await okta.post('/Users', userBody(fresh()))).body;
    const team = (await okta.post('/Groups', { displayName: fresh() })).body;
    const at = (operation: Body, version: string) => ({ ...operation, version });
    const title = (value: string) => patch(`/Users/${user.id}`, { op: 'replace', path: 'title', value });
    const results = await push([
      at(title('one'), 'W/"7"'),
      at(title('two'), 'W/"1"'),
      at(title('three'), 'W/"1"'),
      at({ method: 'DELETE', path: `/Users/${user.id}` }, 'W/"1"'),
      at(patch(`/Groups/${team.id}`, { op: 'add', path: 'members', value: [{ value: user.id }] }), 'W/"2"'),
      at({ method: 'DELETE', path: `/Groups/${team.id}` }, 'W/"1"'),
      at({ method: 'DELETE', path: `/Users/${user.id}` }, 'what'),
    ]);
    expect(statuses(results)).toEqual(['412', '200', '412', '412', '412', '204', '400']);
    expect((await okta.get(`/Users/${user.id}`)).body.title).toBe('two');
  });
});
