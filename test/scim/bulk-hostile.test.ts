// /Bulk for whoever means harm: a bulk is no way around what a single request meets.

import { beforeAll, describe, expect, test } from 'vitest';
import type { Acme } from '../support/acme.ts';
import { bulk, create, failure, group, idOf, patch, send, statuses } from '../support/bulk.ts';
import { type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import { type ScimStage, scimStage } from '../support/scim-stage.ts';
import { patchUrn } from '../support/urns.ts';
import type { TestWorld } from '../support/world.ts';

let stage: ScimStage;
let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
beforeAll(async () => {
  stage = await scimStage();
  ({ world, tenants, okta } = stage);
  return stage.close;
});

let serial = 0;
const fresh = () => `hostile${++serial}`;
const push = (operations: readonly unknown[], more?: object) => bulk(okta, operations, more);
const someone = (bulkId: string, more: object = {}) => create(bulkId, userBody(fresh(), more));
const pathOf = (result: Body): string => result.location.slice(okta.base.length);

describe('T48 a hostile bulk', () => {
  test.each([
    ['', {}],
    ['[]', []],
    ['no operations', { schemas: [] }],
    ['operations that are none', { Operations: {} }],
    ['no operation', { Operations: [] }],
    ['an operation that is none', { Operations: [1] }],
    [
      'another schema',
      {
        schemas: [patchUrn],
        Operations: [{ method: 'DELETE', path: '/Users/a' }],
      },
    ],
    ['two lists', '{"Operations":[{"method":"DELETE","path":"/Users/a"}],"operations":[]}'],
    ['the same list twice', '{"Operations":[{"method":"DELETE","path":"/Users/a"}],"Operations":[]}'],
    ['a comma too many', '{"Operations":[{"method":"DELETE","path":"/Users/a"},]}'],
    ['a comma too few', '{"Operations":[{"method":"DELETE","path":"/Users/a"}{}]}'],
    ['a bracket that does not match', '{"Operations":[{"method":"DELETE","path":"/Users/a"}}]'],
    ['no end', '{"Operations":[{"method":"DELETE","path":"/Users/a"}'],
    ['no end of a text', '{"Operations":[{"method":"DELETE'],
    ['more behind it', '{"Operations":[{"method":"DELETE","path":"/Users/a"}]} {}'],
    ['too much depth', `{"Operations":[${'['.repeat(100)}${']'.repeat(100)}]}`],
    ['bad bytes', Buffer.from('7b224f7065726174696f6e73223a5b22ff225d7d', 'hex')],
  ])('of the wrong form (%s) is 400 as a whole', async (_, body) => {
    const answer = await okta.post('/Bulk', body);
    expect([answer.status, answer.body.scimType]).toEqual([400, 'invalidSyntax']);
  });

  test('with much beside its operations is 413', async () => {
    expect((await send(okta, [someone('a')], { more: 'x'.repeat(70_000) })).status).toBe(413);
  });

  test.each([
    '/Bulk',
    '/Me',
    '/Schemas',
    '/ServiceProviderConfig',
    '/Users?count=1',
    '/Users/',
    '/Users/a/b',
    '/Users/a?b',
    '/users',
    'https://id.example/scim/v2/acme/okta/Users',
    '//id.example/Users',
    '/scim/v2/globex/okta/Users',
    '../../globex/okta/Users',
    '/Users/../Groups',
    '',
    null,
    7,
  ])('T61 the path %j of one operation is refused, and the others are done', async (path) => {
    const results = await push([
      { method: 'POST', bulkId: 'a', path, data: userBody(fresh()) },
      { method: 'PUT', path, data: userBody(fresh()) },
      someone('b'),
    ]);
    const refused = failure('400', 'invalidPath');
    expect(results).toEqual([refused, refused, expect.objectContaining({ status: '201' })]);
  });

  test.each(['get', 'GET', 'post', 'HEAD', 'OPTIONS', '', null, 7])(
    'RFC 9110 §9.1 the method %j of one operation is refused, and the others are done',
    async (method) => {
      const results = await push([{ method, bulkId: 'a', path: '/Users', data: userBody(fresh()) }, someone('b')]);
      expect(results).toEqual([failure('400', 'invalidSyntax'), expect.objectContaining({ status: '201' })]);
    },
  );

  test.each([
    ['', ''],
    ['long ', `"extra":${JSON.stringify(Array(20_000).fill({}))},`],
  ])(
    'T43 T49 a single %soperation with a doubled member, a prototype, a NUL or half a surrogate breaks no other',
    async (_, more) => {
      const data = JSON.stringify(userBody(fresh()));
      const operation = (part: string) => `{"method":"POST","path":"/Users","bulkId":"x${part.length}",${more}${part}}`;
      const answer = await okta.post(
        '/Bulk',
        `{"Operations":[${[
          operation(`"data":${data},"data":${data}`),
          operation(`"data":{"__proto__":{"admin":true},"userName":"a"}`),
          operation(`"data":{"userName":"a\\u0000b"}`),
          operation(`"data":{"userName":"\\ud800"}`),
          operation(`"constructor":1,"data":${data}`),
          operation(`"data":${data}`),
        ].join(',')}]}`,
      );
      expect(statuses(answer.body.Operations)).toEqual(['400', '400', '400', '400', '400', '201']);
      expect(answer.body.Operations[1]).toMatchObject({ method: 'POST', bulkId: expect.stringMatching(/^x/) });
      expect(({} as { admin?: boolean }).admin).toBeUndefined();
    },
  );

  test('T49 with a long operation that is no JSON is 400 as a whole, with 600,000 values 413', async () => {
    const before = (await okta.get('/Users?count=0')).body.totalResults;
    const bulkOf = (list: string) =>
      `{"Operations":[${JSON.stringify(someone('a'))},{"method":"POST","data":[${list}]}]}`;
    const broken = await okta.post('/Bulk', bulkOf(`${'{},'.repeat(20_000)}`));
    expect([broken.status, broken.body.scimType]).toEqual([400, 'invalidSyntax']);
    expect((await okta.post('/Bulk', bulkOf(`${'[],'.repeat(300_001)}[]`))).status).toBe(413);
    expect((await okta.get('/Users?count=0')).body.totalResults).toBe(before);
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'bulkId:a', '"', '%2f..', ' '])(
    'T43 a bulkId of %j is a name like any other',
    async (name) => {
      const results = await push([
        group('g', fresh(), [{ value: `bulkId:${name}` }]),
        someone(name),
        patch(`/Users/bulkId:${name}`, { op: 'add', path: 'title', value: 'Dr' }),
      ]);
      expect(statuses(results)).toEqual(['201', '201', '200']);
      expect(results[1].bulkId).toBe(name);
      expect((await okta.get(pathOf(results[0]))).body.members[0].value).toBe(idOf(results[1]));
    },
  );

  test('a text that only begins like a reference, or holds one, is a text', async () => {
    const data = userBody(fresh(), { title: 'see bulkId:b', nickName: 'bulkId:' });
    const [made] = await push([create('b', data)]);
    expect((await okta.get(pathOf(made))).body).toMatchObject({ title: 'see bulkId:b', nickName: 'bulkId:' });
  });

  test('T42 grants nothing: what a single request ignores, a bulk ignores', async () => {
    const more = {
      id: crypto.randomUUID(),
      roles: [{ value: 'Owner' }],
      suspended: false,
      tenant_id: tenants.globex.tenantId,
      password: 'Secret123!',
    };
    const [made] = await push([someone('a', more)]);
    const read = await okta.get(pathOf(made));
    expect(read.body.id).not.toBe(more.id);
    expect([read.body.roles, read.body.suspended, read.body.password]).toEqual([
      [{ value: 'Owner' }],
      undefined,
      undefined,
    ]);
    const [row] = await world.sql(
      `select count(*)::int as count from role_grants where subject_id = (select user_id from directory_users where directory_user_id = $1)`,
      [read.body.id],
    );
    expect(row).toEqual({ count: 0 });
  });

  test('T37 an id of another tenant or connection is as unknown as a random one', async () => {
    const { globex, entra } = stage;
    const team = (await okta.post('/Groups', { displayName: fresh() })).body;
    const about = (id: string) => [
      { method: 'PUT', path: `/Users/${id}`, data: userBody(fresh()) },
      patch(`/Users/${id}`, { op: 'replace', path: 'active', value: false }),
      { method: 'DELETE', path: `/Users/${id}` },
      patch(`/Groups/${id}`, { op: 'replace', path: 'displayName', value: 'x' }),
      { method: 'DELETE', path: `/Groups/${id}` },
      group('g', fresh(), [{ value: id }]),
      patch(`/Groups/${team.id}`, { op: 'add', path: 'members', value: [{ value: id }] }),
    ];
    const seen = async (id: string) => JSON.stringify(await push(about(id))).replaceAll(id, 'the id');
    const random = await seen(crypto.randomUUID());
    for (const other of [globex, entra]) {
      const user = (await other.post('/Users', userBody(fresh(), { emails: [] }))).body;
      const theirs = (await other.post('/Groups', { displayName: fresh() })).body;
      expect(await seen(user.id)).toBe(random);
      expect(await seen(theirs.id)).toBe(random);
      expect([(await other.get(`/Users/${user.id}`)).body, (await other.get(`/Groups/${theirs.id}`)).status]).toEqual([
        user,
        200,
      ]);
    }
  });

  test('is 405 for every method but POST', async () => {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      const answer = await okta.call(method, '/Bulk', method === 'GET' ? undefined : {});
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
    }
  });
});
