// /Bulk over HTTP: RFC 7644 §3.7, section by section.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Acme, acme } from '../support/acme.ts';
import {
  type Answer,
  type Body,
  type DirectoryClient,
  directory,
  groupSchemaUrn,
  type ScimServer,
  scimServer,
  userBody,
} from '../support/scim.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

const requestUrn = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';
const responseUrn = 'urn:ietf:params:scim:api:messages:2.0:BulkResponse';
const errorUrn = 'urn:ietf:params:scim:api:messages:2.0:Error';
const patchUrn = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
const enterpriseUrn = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
let okta: DirectoryClient;
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  server = await scimServer(world);
  okta = await directory(world, server, tenants.acme, 'okta');
});
afterAll(async () => {
  await server?.close();
  await world?.close();
});

let serial = 0;
const fresh = () => `bulk${++serial}`;

const send = (operations: readonly unknown[], more: object = {}): Promise<Answer> =>
  okta.post('/Bulk', { schemas: [requestUrn], Operations: operations, ...more });
async function bulk(operations: readonly unknown[], more: object = {}): Promise<readonly Body[]> {
  const answer = await send(operations, more);
  expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
  expect(answer.body.schemas).toEqual([responseUrn]);
  return answer.body.Operations;
}
const create = (bulkId: string, data: object = userBody(fresh())) => ({ method: 'POST', path: '/Users', bulkId, data });
const group = (bulkId: string, members: readonly unknown[] = [], displayName = fresh()) => ({
  method: 'POST',
  path: '/Groups',
  bulkId,
  data: { schemas: [groupSchemaUrn], displayName, members },
});
const patch = (path: string, ...operations: readonly object[]) => ({
  method: 'PATCH',
  path,
  data: { schemas: [patchUrn], Operations: operations },
});
const managed = (by: string, name = fresh()) => userBody(name, { [enterpriseUrn]: { manager: { value: by } } });
const idOf = (result: Body): string => result.location.split('/').at(-1);
const pathOf = (result: Body): string => result.location.slice(okta.base.length);
const statuses = (results: readonly Body[]) => results.map((result) => result.status);
const failure = (status: string, scimType?: string) =>
  expect.objectContaining({
    status,
    response: {
      schemas: [errorUrn],
      status,
      ...(scimType === undefined ? {} : { scimType }),
      detail: expect.any(String),
    },
  });

describe('RFC 7644 §3.7 a bulk', () => {
  test('creates, replaces, changes and removes, and says of each its method, address, version and status', async () => {
    const user = (await okta.post('/Users', userBody(fresh()))).body;
    const other = (await okta.post('/Users', userBody(fresh()))).body;
    const held = (await okta.post('/Groups', { displayName: fresh() })).body;
    const results = await bulk([
      create('a'),
      { method: 'PUT', path: `/Users/${user.id}`, data: { ...user, title: 'Dr' } },
      patch(`/Users/${other.id}`, { op: 'replace', path: 'active', value: false }),
      group('g', [{ value: user.id }]),
      patch(`/Groups/${held.id}`, { op: 'add', path: 'members', value: [{ value: user.id }] }),
      { method: 'DELETE', path: `/Users/${other.id}` },
      { method: 'DELETE', path: `/Groups/${held.id}` },
    ]);
    expect(results).toEqual([
      { method: 'POST', bulkId: 'a', location: expect.any(String), version: 'W/"1"', status: '201' },
      { method: 'PUT', location: `${okta.base}/Users/${user.id}`, version: 'W/"2"', status: '200' },
      { method: 'PATCH', location: `${okta.base}/Users/${other.id}`, version: 'W/"2"', status: '200' },
      { method: 'POST', bulkId: 'g', location: expect.any(String), version: 'W/"1"', status: '201' },
      { method: 'PATCH', location: `${okta.base}/Groups/${held.id}`, status: '204' },
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
    const results = await bulk([
      create('taken', taken),
      create('nameless', { schemas: taken.schemas }),
      patch(gone, { op: 'replace', path: 'title', value: 'Dr' }),
      { method: 'DELETE', path: gone },
      create('fine'),
    ]);
    expect(statuses(results)).toEqual(['409', '400', '404', '404', '201']);
    expect(results[0]).toEqual({ method: 'POST', bulkId: 'taken', status: '409', response: single.body });
    expect(results[1]).toEqual(failure('400', 'invalidValue'));
    expect(results[2]).toMatchObject({ method: 'PATCH', location: okta.base + gone, response: { status: '404' } });
    expect(results[3]).toMatchObject({ method: 'DELETE', location: okta.base + gone, response: { status: '404' } });
  });

  test('each operation leaves the audit row of the single request, under the one request', async () => {
    const [name, other] = [fresh(), fresh()];
    const results = await bulk([create('a', userBody(name)), create('b', userBody(other))]);
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
    const results = await bulk([
      group('team', [{ type: 'User', value: 'bulkId:late' }]),
      patch('/Groups/bulkId:team', { op: 'add', path: 'members', value: [{ value: 'bulkId:early' }] }),
      create('report', managed('bulkId:late')),
      create('early'),
      create('late'),
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

  test('that nobody claims, its own, one that two claim, and none at all where one is needed are 400 invalidValue', async () => {
    const results = await bulk([
      group('g', [{ value: 'bulkId:nobody' }]),
      create('self', managed('bulkId:self')),
      create('twice'),
      create('twice'),
      group('of-twice', [{ value: 'bulkId:twice' }]),
      { method: 'POST', path: '/Users', data: userBody(fresh()) },
      { method: 'DELETE', path: '/Users/bulkId:nobody' },
      create('fine'),
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

  test('of what was not created takes its referrers with it: 409', async () => {
    const taken = userBody(fresh());
    await okta.post('/Users', taken);
    const results = await bulk([
      group('g', [{ value: 'bulkId:taken' }]),
      create('taken', taken),
      create('report', managed('bulkId:taken')),
      patch('/Users/bulkId:taken', { op: 'replace', path: 'title', value: 'Dr' }),
      patch('/Groups/bulkId:g', { op: 'add', path: 'members', value: [] }),
    ]);
    expect(statuses(results)).toEqual(['409', '409', '409', '409', '409']);
    expect(results.every((result) => result.location === undefined)).toBe(true);
  });
});
