// SCIM over HTTP: addresses, methods, types, bodies, failures, and the line of the log.

import { Agent, request as httpRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/store/database.ts';
import { type DirectoryClient, publicUrl, type ScimServer, userBody } from '../support/scim.ts';
import { bearer, expectScimError, type WireStage, wireStage } from '../support/wire-stage.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let server: ScimServer;
let okta: DirectoryClient;
let logged: WireStage['logged'];
let breakWorld: WireStage['breakWorld'];
let fresh: WireStage['fresh'];
let raw: WireStage['raw'];
beforeAll(async () => {
  const stage = await wireStage();
  ({ world, server, okta, logged, breakWorld, fresh, raw } = stage);
  return stage.close;
});

describe('what is asked', () => {
  test('is below /scim/v2 in any case, and not below what only begins like it', async () => {
    const at = (path: string) => raw('GET', path, bearer(okta.token));
    expect((await at('/SCIM/v2/acme/okta/Users?count=1')).status).toBe(200);
    for (const path of ['/scim/v2', '/scim/v2/', '/scim/v2?x', '/scim/v2/acme']) expectScimError(await at(path), 404);
    for (const path of ['/scim/v20/acme/okta/Users', '/scim', '/scim/v2%2Facme/okta/Users'])
      expect(await at(path)).toMatchObject({ status: 404, text: '' });
  });

  test('an address that nobody serves is 404, a method that it does not take is 405 and names those that it does', async () => {
    expectScimError(await okta.get('/Nothing'), 404);
    expectScimError(await okta.get('/Users/a/b'), 404);
    expectScimError(await raw('GET', '/scim/v2/acme', bearer(okta.token)), 404);
    const put = await okta.put('/Users', {});
    expectScimError(put, 405);
    expect(put.headers.get('allow')).toBe('GET, HEAD, POST');
    const post = await okta.post('/ServiceProviderConfig', {});
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test('RFC 9110 §10.2.1 every method that a 405 names works there, and HEAD wherever GET does', async () => {
    const { id } = (await okta.post('/Users', userBody(fresh()))).body;
    const group = (await okta.post('/Groups', { displayName: fresh() })).body.id;
    for (const path of [
      '',
      '/Users',
      `/Users/${id}`,
      '/Groups',
      `/Groups/${group}`,
      '/ServiceProviderConfig',
      '/ResourceTypes',
      '/ResourceTypes/User',
      '/Schemas',
      '/.search',
      '/Users/.search',
      '/Bulk',
    ]) {
      const refused = await okta.call('OPTIONS', path);
      expectScimError(refused, 405);
      const allowed = refused.headers.get('allow')?.split(', ') ?? [];
      const [get, head] = [await okta.get(path), await okta.call('HEAD', path)];
      expect([path, head.status, head.text]).toEqual([path, get.status, '']);
      expect([path, allowed.includes('GET'), allowed.includes('HEAD')]).toEqual([
        path,
        get.status === 200,
        get.status === 200,
      ]);
    }
  });

  test('RFC 7644 §3.11 /Me is answered honestly: 501', async () => {
    expectScimError(await okta.post('/Me', {}), 501);
  });

  test('discovery tells of nothing that is not there', async () => {
    const config = (await okta.get('/ServiceProviderConfig')).body;
    expect(config).toMatchObject({
      bulk: { supported: true, maxOperations: 1000, maxPayloadSize: 4 * 1024 * 1024 },
      sort: { supported: true },
      patch: { supported: true },
    });
    const types = (await okta.get('/ResourceTypes')).body;
    expect(types.Resources.map((type: { name: string }) => type.name)).toEqual(['User', 'Group']);
    expect((await okta.get('/ResourceTypes/User')).body.endpoint).toBe('/Users');
    const urn = 'urn:ietf:params:scim:schemas:core:2.0:User';
    expect((await okta.get(`/Schemas/${encodeURIComponent(urn)}`)).body.id).toBe(urn);
    expectScimError(await okta.get('/Schemas/urn:nothing'), 404);
    expectScimError(await okta.get('/Schemas?filter=id%20eq%20%22x%22'), 403);
    expect((await okta.get('/Schemas')).text).not.toContain('null');
  });

  test.each([
    '/scim/v2/acme/okta/Users/..;/Groups',
    '/scim/v2/acme/okta/Users%2f..%2fGroups',
    '/scim/v2/acme/okta//Users',
    '/scim/v2/acme/okta/%2e%2e/entra/Users',
    '/scim/v2/acme/okta/%E0%A4%A',
    '/scim/v2/acme/okta/Users/%00',
    '/scim/v2/acme/okta/Users/%F0%9F%98',
  ])('T61 the path %s is 404 in SCIM’s own form', async (path) => {
    expectScimError(await raw('GET', path, bearer(okta.token)), 404);
  });

  test('T61 addresses in answers come from the configuration, whatever Host and forwarded headers say', async () => {
    const headers = {
      ...bearer(okta.token),
      Host: 'evil.example',
      'X-Forwarded-Host': 'evil.example',
      Forwarded: 'host=evil.example',
    };
    const made = await okta.post('/Users', userBody(fresh()));
    expect(made.headers.get('location')).toBe(`${publicUrl}/scim/v2/acme/okta/Users/${made.body.id}`);
    const read = await raw('GET', `/scim/v2/acme/okta/Users/${made.body.id}`, headers);
    expect(read.text).not.toContain('evil');
    expect(JSON.parse(read.text).meta.location).toBe(made.headers.get('location'));
  });

  test('T61 a method override is ignored', async () => {
    const made = await okta.post('/Users', userBody(fresh()));
    const path = `/Users/${made.body.id}`;
    await okta.call('GET', path, undefined, { 'X-HTTP-Method-Override': 'DELETE', 'X-Method-Override': 'DELETE' });
    expect((await okta.get(path)).status).toBe(200);
    const head = await okta.call('HEAD', path);
    expect([head.status, head.text]).toEqual([200, '']);
  });

  test('RFC 7644 §3.8 an answer is application/scim+json, and application/json for those who take only that, or rather', async () => {
    const typeFor = async (accept: string) =>
      (await okta.get('/Users?count=0', { Accept: accept })).headers.get('content-type');
    expect(await typeFor('*/*')).toBe('application/scim+json; charset=utf-8');
    expect(await typeFor('application/scim+json, application/json')).toBe('application/scim+json; charset=utf-8');
    expect(await typeFor('application/json')).toBe('application/json; charset=utf-8');
    // RFC 9110 §12.5.1: weights say which of the two is preferred, and 0 that one is not taken.
    for (const accept of [
      'application/json;q=0.9, application/scim+json;q=0.1',
      'application/scim+json;q=0, application/json',
      'APPLICATION/JSON ; charset=utf-8 ; Q=0.5, */*;q=0.1',
    ]) {
      expect(await typeFor(accept)).toBe('application/json; charset=utf-8');
    }
    for (const accept of [
      'application/json;q=0.5, application/scim+json;q=0.9',
      'application/json;q=0, */*',
      'application/json;q=0.5, */*',
      'text/html',
      'application/json;q=x',
      '',
    ]) {
      expect(await typeFor(accept)).toBe('application/scim+json; charset=utf-8');
    }
    const wrong = await raw('GET', '/scim/v2/acme/okta/Users', { Accept: 'application/json' });
    expect(wrong.headers['content-type']).toBe('application/json; charset=utf-8');
  });
});

describe('a body', () => {
  const type = { 'Content-Type': 'application/scim+json' };
  const post = (body: string | Buffer, headers: Readonly<Record<string, string>>, agent?: Agent) =>
    raw('POST', '/scim/v2/acme/okta/Users', { ...bearer(okta.token), ...headers }, body, agent);

  test.each([
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'application/json; charset=latin1',
    '',
  ])('of type %j is 415', async (contentType) => {
    expectScimError(await post('{}', contentType === '' ? {} : { 'Content-Type': contentType }), 415);
  });

  test('T49 that is packed is 415: nothing is ever unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(20 * 1024 * 1024));
    expectScimError(await post(bomb, { ...type, 'Content-Encoding': 'gzip' }), 415);
  });

  test('T49 T116 over 1 MB is 413 for a user, over 10 MB for a group, told or not, and the connection lives on', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const big = Buffer.alloc(1024 * 1024 + 1, ' ');
    expectScimError(await post(big, { ...type, 'Content-Length': String(big.length) }, agent), 413);
    expectScimError(await post(big, { ...type, 'Transfer-Encoding': 'chunked' }, agent), 413);
    const group = Buffer.alloc(10 * 1024 * 1024 + 1, ' ');
    const path = '/scim/v2/acme/okta/Groups';
    expectScimError(await raw('POST', path, { ...bearer(okta.token), ...type }, group, agent), 413);
    const after = await raw('GET', '/scim/v2/acme/okta/Users?count=0', bearer(okta.token), undefined, agent);
    expect(after.status).toBe(200);
    agent.destroy();
  });

  test.each([
    ['no JSON', '{', 'invalidSyntax'],
    ['a list', '[]', 'invalidSyntax'],
    ['nested without end', '['.repeat(100_000), 'invalidSyntax'],
    ['one member twice', '{"userName":"a","userName":"b"}', 'invalidSyntax'],
    ['T43 a prototype', '{"userName":"a","__proto__":{"admin":true}}', 'invalidSyntax'],
    ['a NUL', '{"userName":"a\\u0000"}', 'invalidValue'],
    ['half a surrogate pair', '{"userName":"a\\ud800"}', 'invalidValue'],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'invalidSyntax'],
    ['nothing', '', 'invalidSyntax'],
  ])('T49 that is %s is 400', async (_, body, scimType) => {
    expectScimError(await post(body, type), 400, scimType);
  });

  test('that never comes whole gets no answer and leaves nothing behind', async () => {
    const { hostname, port } = new URL(server.url);
    const headers = { ...bearer(okta.token), ...type, 'Content-Length': '1000' };
    await new Promise<void>((resolve) => {
      const sent = httpRequest({ hostname, port, method: 'POST', path: '/scim/v2/acme/okta/Users', headers });
      sent.on('error', () => resolve()).on('close', () => resolve());
      sent.write('{"userName":"half');
      setTimeout(() => sent.destroy(), 50);
    });
    expect((await okta.get('/Users?count=0')).status).toBe(200);
  });
});

describe('T58 T60 a failure', () => {
  test('of the database is 503 with Retry-After, never 404, and the connection lives on', async () => {
    const away = openDatabase({ url: 'postgres://nobody@127.0.0.1:1/none' });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const path = '/scim/v2/acme/okta/Users/0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e01';
    // Let in first, so that the read of the user is what fails.
    await okta.get('/Users?count=0');
    breakWorld((caller) => ({
      ...world.context(caller.actor),
      caller,
      hot: away.hot,
      transaction: away.transaction,
      global: away.global,
    }));
    const answer = await raw('GET', path, bearer(okta.token), undefined, agent);
    expectScimError(answer, 503);
    expect(answer.headers['retry-after']).toBe('1');
    expectScimError(await raw('DELETE', path, bearer(okta.token), undefined, agent), 503);
    breakWorld(null);
    expectScimError(await raw('GET', path, bearer(okta.token), undefined, agent), 404);
    agent.destroy();
    await away.close();
  });

  test('of another kind is 500 with the request’s id: no stack, no SQL, no name of the schema; the log has them', async () => {
    logged.length = 0;
    await world.sql('alter table directory_users rename to directory_users_away');
    const answer = await okta.post('/Users', userBody(fresh()));
    await world.sql('alter table directory_users_away rename to directory_users');
    expectScimError(answer, 500);
    expect(answer.text).not.toMatch(/directory_users|select|relation| at |\.ts/i);
    const requestId = answer.headers.get('x-request-id') ?? '';
    expect(answer.body.detail).toContain(requestId);
    const line = logged.find((entry) => entry.level === 'error');
    expect(line?.facts).toMatchObject({ requestId });
    expect(String(line?.facts.error)).toContain('directory_users');
  });
});

test('each request is one log line: its id, who, what, the answer and what was read otherwise than sent', async () => {
  logged.length = 0;
  const made = await okta.post('/Users', { ...userBody(fresh()), password: 'T41-canary', active: 'False' });
  const [line, ...others] = logged;
  expect(others).toEqual([]);
  expect(line?.facts).toMatchObject({
    requestId: made.headers.get('x-request-id'),
    method: 'POST',
    tenant: 'acme',
    connection: 'okta',
    path: 'Users',
    status: 201,
    notes: ['active as text read as false', 'password ignored'],
  });
  expect(JSON.stringify(logged)).not.toContain('T41-canary');
  expect(JSON.stringify(logged)).not.toContain('@acme.example');
});
