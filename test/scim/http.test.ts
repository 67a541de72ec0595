import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { TenantRef } from '../../src/operations/standing.ts';
import { openDatabase } from '../../src/store/database.ts';
import { type Acme, acme } from '../support/acme.ts';
import {
  type DirectoryClient,
  directory,
  directoryClient,
  newScimToken,
  publicUrl,
  type ScimServer,
  scimServer,
  userBody,
} from '../support/scim.ts';
import { errorUrn } from '../support/urns.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
let okta: DirectoryClient;
const logged: { level: string; facts: Record<string, unknown> }[] = [];
const level = (name: string) => (facts: object) =>
  void logged.push({ level: name, facts: facts as Record<string, unknown> });
/** Stands in for the world while a test breaks it. */
let contextFor: ((caller: Context['caller']) => Context) | undefined;

beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  const log = { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') };
  server = await scimServer(world, {
    log,
    contextFor: (caller) => contextFor?.(caller) ?? { ...world.context(caller.actor), caller },
  });
  okta = await directory(world, server, tenants.acme, 'okta');
});
afterEach(() => {
  contextFor = undefined;
});
afterAll(async () => {
  await server?.close();
  await world?.close();
});

let serial = 0;
const fresh = () => `http${++serial}`;
/** A token of a directory that has no other, but the one that all tests send. */
async function newToken(tenant: TenantRef, connection: string): Promise<string> {
  const others = `update scim_credentials s set ended_at = now() from connections c
    where c.connection_id = s.connection_id and c.tenant_id = $1 and c.key = $2 and s.ended_at is null and s.prefix <> $3`;
  await world.sql(others, [tenant.tenantId, connection, prefixOf(okta.token)]);
  return newScimToken(world, tenant, connection);
}
const prefixOf = (token: string) => token.split('_')[1] ?? '';
/** Of somebody who sent nothing yet. */
const newAddress = () => `203.0.113.${++serial}`;
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

type Raw = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string };
/** Sends exactly what it is given: no path is tidied, no header added. */
function raw(
  method: string,
  path: string,
  headers: Readonly<Record<string, string | string[]>>,
  body?: string | Buffer,
  agent?: Agent,
): Promise<Raw> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ hostname, port, method, path, headers, ...(agent ? { agent } : {}) }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function expectScimError(
  answer: { readonly status: number; readonly text: string },
  status: number,
  scimType?: string,
): void {
  const body = JSON.parse(answer.text);
  expect({ status: answer.status, body }).toMatchObject({
    status,
    body: { schemas: [errorUrn], status: String(status), ...(scimType === undefined ? {} : { scimType }) },
  });
  expect(typeof body.detail).toBe('string');
}

describe('who calls', () => {
  test('RFC 6750 §3.1 two Authorization headers are 400, whichever of them is right, and nobody is looked up', async () => {
    const [right, wrong] = [`Bearer ${okta.token}`, `Bearer ${'x'.repeat(40)}`];
    for (const both of [
      [right, wrong],
      [wrong, right],
      [right, right],
      [right, 'Basic eDp5'],
      ['', right],
    ]) {
      for (const path of ['/scim/v2/acme/okta/Users?count=1', '/scim/v2/acme/okta/ServiceProviderConfig']) {
        world.takeStatements();
        logged.length = 0;
        const answer = await raw('GET', path, { Authorization: both });
        expectScimError(answer, 400);
        expect(answer.headers['www-authenticate']).toBe('Bearer realm="scim", error="invalid_request"');
        expect(world.takeStatements()).toEqual([]);
        expect(logged).toMatchObject([{ facts: { status: 400, presented: 'two Authorization headers' } }]);
        expect(JSON.stringify(logged)).not.toContain(okta.token);
      }
    }
    // The failing twin: one, however it is spelled, beside others of its length.
    const spelled = { aUTHORIZATION: right, 'X-Thirteen-ab': ['1', '2'], 'Accept-Things': '*/*' };
    expect((await raw('GET', '/scim/v2/acme/okta/Users?count=1', spelled)).status).toBe(200);
  });

  test('T52 a wrong secret is looked for and answered alike, whether its prefix is a token’s of this directory, of another or of nobody', async () => {
    const others = await newToken(tenants.acme, 'entra');
    const secret = 'A'.repeat(43);
    const address = newAddress();
    const tried = [prefixOf(okta.token), prefixOf(others), 'a'.repeat(12)].map((prefix) => `dbs_${prefix}_${secret}`);
    const seen: unknown[] = [];
    for (const token of tried) {
      world.takeStatements();
      const { status, headers, text } = await raw('GET', '/scim/v2/acme/okta/Users', {
        ...bearer(token),
        'X-Forwarded-For': address,
      });
      const { 'x-request-id': _, date: __, ...told } = headers;
      seen.push({ status, told, text, statements: world.takeStatements() });
    }
    expect(seen[0]).toMatchObject({ status: 401, statements: ['scim_credential_find'] });
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
    // The failing twin: with its own secret the token opens the directory.
    expect((await okta.get('/Users?count=1')).status).toBe(200);
  });

  test('T53 T54 nobody, a wrong token, another tenant’s, another connection’s and a token of another form are the same 401', async () => {
    const entra = await newToken(tenants.acme, 'entra');
    const globex = await newToken(tenants.globex, 'okta');
    const forged = okta.token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    const jwt = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.';
    const addresses = ['/scim/v2/acme/okta/Users', '/scim/v2/nobody/okta/Users', '/scim/v2/acme/nothing/Users'];
    const answers: Raw[] = [];
    const address = newAddress();
    for (const token of [forged, entra, globex, jwt, 'x']) {
      answers.push(await raw('GET', '/scim/v2/acme/okta/Users', { ...bearer(token), 'X-Forwarded-For': address }));
    }
    for (const path of addresses.slice(1)) {
      answers.push(await raw('GET', path, { ...bearer(okta.token), 'X-Forwarded-For': address }));
    }
    for (const answer of answers) {
      expectScimError(answer, 401);
      expect(answer.text).toBe(answers[0]?.text);
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="scim", error="invalid_token"');
    }
    const none = await raw('GET', addresses[0] ?? '', {});
    expectScimError(none, 401);
    expect(none.headers['www-authenticate']).toBe('Bearer realm="scim"');
  });

  test('T53 a token in the query, in a cookie or under another scheme opens nothing, and no log line holds it', async () => {
    const path = `/scim/v2/acme/okta/Users?access_token=${okta.token}`;
    expect((await raw('GET', path, {})).status).toBe(401);
    expect((await raw('GET', '/scim/v2/acme/okta/Users', { Cookie: `token=${okta.token}` })).status).toBe(401);
    expect((await raw('GET', '/scim/v2/acme/okta/Users', { Authorization: `Basic ${okta.token}` })).status).toBe(401);
    const twin = await raw('GET', path, bearer(okta.token));
    expect(twin.status).toBe(200);
    expect(JSON.stringify(logged)).not.toContain(okta.token);
  });

  test('an expired token, an ended one, a disabled connection and an inactive tenant are refused at once', async () => {
    const tenant = tenants.globex;
    const client = directoryClient(server, 'globex', 'okta', await newToken(tenant, 'okta'));
    const status = async () => (await client.get('/Users')).status;
    expect(await status()).toBe(200);
    for (const [off, on] of [
      [`update scim_credentials set expires_at = now()`, `update scim_credentials set expires_at = null`],
      [`update scim_credentials set ended_at = now()`, `update scim_credentials set ended_at = null`],
      [`update connections set enabled = false`, `update connections set enabled = true`],
      [`update connections set scim = false`, `update connections set scim = true`],
      [`update tenants set active = false`, `update tenants set active = true`],
    ] as const) {
      await world.sql(`${off} where tenant_id = $1`, [tenant.tenantId]);
      // Well within the second for which ids are kept.
      expect([off, await status()]).toEqual([off, 401]);
      await world.sql(`${on} where tenant_id = $1`, [tenant.tenantId]);
      expect([on, await status()]).toEqual([on, 200]);
    }
  });

  test('T58 a write with a token that was ended after the request was let in changes nothing', async () => {
    const token = await newToken(tenants.acme, 'entra');
    const entra = directoryClient(server, 'acme', 'entra', token);
    const made = await entra.post('/Users', userBody(fresh()));
    await world.sql('update scim_credentials set ended_at = now() where prefix = $1', [prefixOf(token)]);
    for (const answer of [
      await entra.post('/Users', userBody(fresh())),
      await entra.put(`/Users/${made.body.id}`, userBody('x')),
      await entra.delete(`/Users/${made.body.id}`),
      await entra.post('/Groups', { displayName: fresh() }),
      await entra.patch(`/Groups/${made.body.id}`, { op: 'add', path: 'members', value: [{ value: made.body.id }] }),
      await entra.delete(`/Groups/${made.body.id}`),
    ]) {
      expectScimError(answer, 401);
    }
  });

  test('T51 twenty wrong tokens from one address, then 429 for each; who sends the right one from there goes on', async () => {
    const [crowded, calm] = [newAddress(), newAddress()];
    const attacker = { 'X-Forwarded-For': crowded };
    const other = directoryClient(server, 'acme', 'entra', await newToken(tenants.acme, 'entra'));
    await okta.get('/Users', attacker);
    const guess = (number: number) =>
      raw('GET', '/scim/v2/acme/okta/Users', { ...attacker, ...bearer(`dbs_guess_${number}`) });
    const guesses: Awaited<ReturnType<typeof guess>>[] = [];
    for (let number = 0; number < 22; number += 1) guesses.push(await guess(number));
    expect(guesses.map(({ status }) => status)).toEqual([...Array(20).fill(401), 429, 429]);
    const blocked = guesses.at(-1) as (typeof guesses)[number];
    expectScimError(blocked, 429);
    expect(Number(blocked.headers['retry-after'])).toBeGreaterThan(0);
    expect((await other.get('/Users?count=1', attacker)).status).toBe(200);
    // Behind two hundred nothing is looked up but what was right lately.
    await Promise.all(Array.from({ length: 180 }, (_, number) => guess(number + 22)));
    const late = directoryClient(server, 'acme', 'okta', await newToken(tenants.acme, 'okta'));
    expect((await late.get('/Users?count=1', attacker)).status).toBe(429);
    expect((await late.get('/Users?count=1', { 'X-Forwarded-For': calm })).status).toBe(200);
    expect((await okta.get('/Users?count=1', attacker)).status).toBe(200);
  });

  test('nobody’s body is read: a stranger is answered before the body is there', async () => {
    const { hostname, port } = new URL(server.url);
    const status = await new Promise((resolve, reject) => {
      const headers = { 'Content-Type': 'application/scim+json', 'Content-Length': '1000' };
      const sent = httpRequest(
        { hostname, port, method: 'POST', path: '/scim/v2/acme/okta/Users', headers },
        (response) => {
          resolve(response.statusCode);
          sent.destroy();
        },
      );
      sent.on('error', reject);
      sent.flushHeaders();
    });
    expect(status).toBe(401);
  });
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
    const { id } = (await okta.post('/Users', userBody('allowed'))).body;
    const group = (await okta.post('/Groups', { displayName: 'Allowed' })).body.id;
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
    contextFor = (caller) => ({
      ...world.context(caller.actor),
      caller,
      hot: away.hot,
      transaction: away.transaction,
      global: away.global,
    });
    const answer = await raw('GET', path, bearer(okta.token), undefined, agent);
    expectScimError(answer, 503);
    expect(answer.headers['retry-after']).toBe('1');
    expectScimError(await raw('DELETE', path, bearer(okta.token), undefined, agent), 503);
    contextFor = undefined;
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

test('T53 T113 the log line of a request with a wrong token says which directory it was for and which token, and holds no secret', async () => {
  logged.length = 0;
  const [, prefix] = okta.token.split('_');
  const wrong = `dbs_${prefix}_${'A'.repeat(43)}`;
  expect((await raw('GET', '/scim/v2/acme/okta/Users/x?filter=y', bearer(wrong))).status).toBe(401);
  expect(logged.map(({ facts }) => facts)).toEqual([
    expect.objectContaining({
      status: 401,
      tenant: 'acme',
      connection: 'okta',
      presented: 'a token of a directory',
      prefix,
    }),
  ]);
  expect(logged[0]?.facts).not.toHaveProperty('path');
  expect(JSON.stringify(logged)).not.toContain('A'.repeat(10));
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
