import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ConnectionId } from '../../src/core/ids.ts';
import type { ScimLogBatch } from '../../src/core/scim-request.ts';
import { requestKeeper } from '../../src/operations/keep-scim-requests.ts';
import { type RequestLog, requestLog } from '../../src/scim/request-log.ts';
import { cleanUpTasks } from '../../src/store/clean-up.ts';
import { type Acme, acme } from '../support/acme.ts';
import { type NewServers, newServers, setDirectory } from '../support/directory-settings.ts';
import {
  type Answer,
  type DirectoryClient,
  directory,
  type ScimServer,
  scimServer,
  through,
  userBody,
} from '../support/scim.ts';
import { silent, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let servers: NewServers;
let server: ScimServer;
let okta: DirectoryClient;
let entra: DirectoryClient;
/** Stands in for the database while a test breaks it. */
let broken: Error | null = null;
let log: RequestLog;
const warnings: string[] = [];
const batches: ScimLogBatch[] = [];

beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  await setDirectory(world, tenants.okta, { requestLog: { days: 30, bodyHours: 1 } });
  const keep = requestKeeper(world.context());
  const write = async (batch: ScimLogBatch) => {
    if (broken !== null) throw broken;
    await keep(batch);
    batches.push(batch);
  };
  log = requestLog({ write, log: { ...silent, warn: (_, message) => void warnings.push(message) }, flushMs: 20 });
  servers = newServers(world, { requestLog: log });
  server = await servers.server();
  okta = await directory(world, server, tenants.acme, 'okta');
  entra = await directory(world, server, tenants.acme, 'entra');
});
afterAll(async () => {
  await servers?.close();
  await log?.close();
  await world?.close();
});
beforeEach(async () => {
  await log.close();
  batches.length = 0;
  warnings.length = 0;
  for (const table of ['scim_requests', 'scim_request_bodies', 'scim_request_counts'])
    await world.sql(`delete from ${table}`);
});
afterEach(async () => {
  broken = null;
  await setDirectory(world, tenants.entra, {});
});

type Row = Record<string, unknown> & { readonly occurred_at: Date; readonly body: string | null };
/** What was written down, the oldest first. */
async function rows(connection: ConnectionId = tenants.okta): Promise<Row[]> {
  await log.close();
  return world.sql<Row>(
    `select r.*, b.content_type, b.body, b.omitted, b.refusal from scim_requests r
     left join scim_request_bodies b using (tenant_id, connection_id, occurred_at, request_id)
     where r.connection_id = $1 order by r.occurred_at, r.request_id`,
    [connection],
  );
}
async function row(connection?: ConnectionId): Promise<Row> {
  const [first, ...others] = await rows(connection);
  expect(others).toEqual([]);
  return first as Row;
}

const userAgent = 'Okta SCIM Client 1.0.0';
const captured = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
let serial = 0;
const fresh = () => `log${++serial}`;
/** Everything in the log's tables, as text. */
async function everything(): Promise<string> {
  await log.close();
  const tables = ['scim_requests', 'scim_request_bodies', 'scim_request_counts', 'directory_activity'];
  const texts = await Promise.all(tables.map((table) => world.sql(`select to_jsonb(t)::text as row from ${table} t`)));
  return JSON.stringify(texts);
}

describe('what is kept of a request', () => {
  test('when, who, from where, what, the answer, how long and how much', async () => {
    const body = JSON.stringify(userBody(fresh()));
    const answer = await okta.call('POST', '/Users', body, { 'User-Agent': userAgent, 'X-Forwarded-For': '192.0.2.7' });
    const [credential] = await world.sql<{ id: string }>(
      `select credential_id as id from scim_credentials where connection_id = $1`,
      [tenants.okta],
    );
    const kept = await row();
    expect(kept).toMatchObject({
      tenant_id: tenants.acme.tenantId,
      connection_id: tenants.okta,
      credential_id: credential?.id,
      request_id: answer.headers.get('x-request-id'),
      source: '192.0.2.7',
      method: 'POST',
      path: '/Users',
      query: null,
      status: 201,
      scim_type: null,
      duration_ms: expect.any(Number),
      notes: null,
      user_agent: userAgent,
      bytes_in: Buffer.byteLength(body),
      bytes_out: Buffer.byteLength(answer.text),
    });
    expect(Math.abs(kept.occurred_at.getTime() - Date.now())).toBeLessThan(30_000);
  });

  test('a refusal with its scimType, and what was read otherwise with who is known to send it', async () => {
    const { id } = (await entra.post('/Users', userBody(fresh()))).body;
    await entra.call('PATCH', `/Users/${id}`, captured('entra/patch-active-false-string.json'));
    await entra.get('/Users?filter=nickNames%20eq%20%22x%22');
    const [, patched, refused] = await rows(tenants.entra);
    expect(patched?.notes).toEqual([
      { note: "op 'Replace' read as 'replace'", sentBy: 'Entra ID' },
      { note: 'active as text read as false', sentBy: 'Entra ID' },
    ]);
    expect(refused).toMatchObject({ status: 400, scim_type: 'invalidFilter', query: 'filter=nickNames eq "x"' });
  });

  test('an answer in pieces is counted, a client that hung up has no status', async () => {
    const { id } = (await okta.post('/Users', userBody(fresh()))).body;
    const group = await okta.post('/Groups', { displayName: fresh(), members: [{ value: id }] });
    const read = await okta.get(`/Groups/${group.body.id}`);
    const { hostname, port } = new URL(server.url);
    const half = httpRequest({ hostname, port, method: 'POST', path: '/scim/v2/acme/okta/Users' });
    half.on('error', () => {});
    for (const [name, value] of [
      ['Authorization', `Bearer ${okta.token}`],
      ['Content-Type', 'application/json'],
      ['Content-Length', '900'],
      ['Expect', '100-continue'],
    ] as const)
      half.setHeader(name, value);
    half.write('{"userName":');
    // The server has the request; a moment later it knows whose it is, and listens.
    half.on('continue', () => setTimeout(() => half.destroy(), 200));
    await expect.poll(async () => (await rows()).map((one) => one.status)).toEqual([201, 201, 200, null]);
    expect((await rows()).at(2)?.bytes_out).toBe(Buffer.byteLength(read.text));
  });

  test('requests of nobody, and of another directory, are not in it', async () => {
    await fetch(`${server.url}/scim/v2/acme/okta/Users`, { headers: { Authorization: 'Bearer nothing' } });
    await entra.get('/Users');
    expect(await rows()).toEqual([]);
    expect(await rows(tenants.entra)).toHaveLength(1);
  });

  test('no longer than is good: paths, user agents and filters of any length are cut', async () => {
    await okta.get(`/Users/${'x'.repeat(3_000)}`, { 'User-Agent': 'y'.repeat(3_000) });
    await okta.get(`/Users?filter=${'z'.repeat(5_000)}`);
    const [long, filter] = await rows();
    expect(long).toMatchObject({ path: `/Users/${'x'.repeat(292)}…`, user_agent: 'y'.repeat(200) });
    expect(filter?.query).toBe('filter=[too long]');
  });
});

describe('secrets', () => {
  const password = 'Correct-Horse-9';
  const jwt = `eyJ${'hbGciOiJub25lIn0'}.eyJzdWIiOiJhIn0.c2lnbmF0dXJl`;

  test('T53 T113 no token and no password is ever in the log, wherever a client puts it', async () => {
    const { token } = okta;
    const { id } = (await okta.post('/Users', userBody(fresh(), { password, nickName: `Bearer ${token}` }))).body;
    await okta.patch(`/Users/${id}`, { op: 'replace', path: 'password', value: password });
    await okta.patch(`/Users/${id}`, { op: 'replace', value: { password } });
    await okta.patch(`/Users/${id}`, { op: 'add', path: 'urn:acme:2.0:User:apiToken', value: { x: [password] } });
    await okta.patch(`/Users/${id}`, { value: password, path: 'Password', op: 'Replace' });
    await okta.call(
      'PUT',
      `/Users/${id}`,
      userBody(fresh(), { PassWord: password, 'urn:x:1.0:User': { clientSecret: password } }),
    );
    await okta.call('POST', '/Users', `{"password":"${password}`);
    await okta.call('POST', '/Users', `{"a":"x", "password":"${password}"} trailing`);
    await okta.get(`/Users?access_token=${token}&${token}=1&attributes=${token}&sortBy=${jwt}`);
    await okta.get(`/Users?filter=${encodeURIComponent(`password eq "${password}"`)}`);
    await okta.get(`/Users?filter=${encodeURIComponent(`(userName eq "a" and not (Password  sw "${password}"))`)}`);
    await okta.get(`/Users?filter=${encodeURIComponent(`userName eq "${password}`)}`);
    await okta.get(`/Users?filter=${encodeURIComponent(`userName eq "${token}" or title eq "${jwt}"`)}`);
    await okta.get(`/Users/${token}`, { 'User-Agent': `curl ${jwt}`, Cookie: `password=${password}` });
    await okta.get(`/${jwt}/${encodeURIComponent(`Bearer ${token}`)}`);
    const text = await everything();
    expect(await rows()).toHaveLength(15);
    expect(text).toContain('[redacted]');
    for (const secret of [password, token, token.slice(17), jwt, jwt.slice(-12)]) expect(text).not.toContain(secret);
  });

  test('what is not secret stays as it was sent, so that it can be sent again', async () => {
    const sent = userBody(fresh(), { 'urn:example:tokens:2.0:User': { shoe: 7 }, password, passport: 'x' });
    await okta.call('POST', '/Users', sent, { 'Content-Type': 'application/json;charset=utf-8' });
    const kept = await row();
    expect(kept.content_type).toBe('application/json;charset=utf-8');
    expect(JSON.parse(kept.body ?? '')).toEqual({ ...sent, password: '[redacted]' });
    expect(Object.keys(JSON.parse(kept.body ?? ''))).toEqual(Object.keys(sent));
  });

  test('whom a provider looked for is shown, beside the form of its question', async () => {
    await okta.get(`/Users?filter=${encodeURIComponent('userName eq "ann@acme.example"')}&startIndex=1&count=100&x=y`);
    expect((await row()).query).toBe(
      'filter=userName eq "ann@acme.example"&startIndex=1&count=100&1 parameter not shown',
    );
  });
});

describe('bodies', () => {
  test('are kept only where the directory says so, and refusals with them', async () => {
    await entra.post('/Users', userBody(fresh(), { userName: '' }));
    expect(await row(tenants.entra)).toMatchObject({ status: 400, body: null, content_type: null, refusal: null });
    expect(await world.sql('select from scim_request_bodies')).toEqual([]);
    const refused = await okta.post('/Users', userBody(fresh(), { userName: '' }));
    expect(await row()).toMatchObject({ refusal: refused.body.detail, body: expect.stringContaining('"userName":""') });
  });

  test('of a request without a body its media type, so that it is answered the same when it is sent again', async () => {
    const refused = await okta.call('POST', '/Users', '');
    expect(refused.status).toBe(400);
    expect(await row()).toMatchObject({
      content_type: expect.stringMatching(/^application\/scim\+json/),
      body: null,
      omitted: null,
    });
  });

  test('too large ones are marked as cut, others that are no JSON as such; neither is kept', async () => {
    await okta.post('/Users', userBody(fresh(), { title: 'x'.repeat(300_000) }));
    await okta.call('POST', '/Users', '{"userName":');
    await okta.call('POST', '/Users', 'x'.repeat(2_000_000));
    expect((await rows()).map(({ body, omitted, bytes_in }) => [body, omitted, Number(bytes_in) > 0])).toEqual([
      [null, 'cut', true],
      [null, 'not_json', true],
      [null, 'cut', true],
    ]);
  });
});

describe('writing it down', () => {
  const many = (count: number, path = '/Users?count=0'): Promise<Answer[]> =>
    Promise.all(Array.from({ length: count }, () => okta.get(path)));

  test('costs a request no statement: a batch is one, whatever its size', async () => {
    await okta.get('/Users?count=0');
    await log.close();
    world.takeStatements();
    batches.length = 0;
    await many(60);
    await log.close();
    const sent = world
      .takeStatements()
      .filter((one) => one.startsWith('scim_requests') || one.startsWith('directory_activity'));
    expect(batches.flatMap((batch) => batch.requests)).toHaveLength(60);
    expect(sent).toEqual(batches.map(() => 'scim_requests_keep'));
    expect(sent.length).toBeLessThan(30);
  });

  test('a log that cannot be written disturbs no request, and is written later', async () => {
    broken = new Error('no database');
    expect((await many(5)).map((answer) => answer.status)).toEqual([200, 200, 200, 200, 200]);
    await expect.poll(() => warnings).toEqual(['the log of SCIM requests is not written']);
    broken = null;
    await expect.poll(async () => (await world.sql('select from scim_requests')).length, { timeout: 10_000 }).toBe(5);
  });

  test('a batch that the database will never take does not hold up those behind it for ever', async () => {
    const written: ScimLogBatch[] = [];
    let first: ScimLogBatch | undefined;
    const lost: string[] = [];
    const write = async (batch: ScimLogBatch) => {
      first ??= batch;
      if (batch === first) throw new Error('no such row can be');
      written.push(batch);
    };
    const small = requestLog({ write, log: { ...silent, warn: (_, text) => void lost.push(text) }, flushMs: 1 });
    const other = await scimServer(world, { requestLog: small });
    const client = await directory(world, other, tenants.globex, 'okta');
    await client.get('/Users?count=0');
    await expect.poll(() => first).toBeDefined();
    await client.get('/Users?count=1');
    await expect
      .poll(() => written.flatMap((batch) => batch.requests.map(({ request }) => request.query)))
      .toEqual(['count=1']);
    expect(lost).toEqual(['the log of SCIM requests is not written', 'SCIM requests are lost from their log']);
    await other.close();
    await small.close();
  });

  test('of a flood two hundred a second are kept, the others counted', async () => {
    const kept: ScimLogBatch[] = [];
    const small = requestLog({ write: async (batch) => void kept.push(batch), log: silent, perSecond: 3 });
    const flooded = await scimServer(world, { requestLog: small });
    const client = through(flooded, entra);
    await Promise.all(Array.from({ length: 50 }, () => client.get('/Users?count=0')));
    await small.close();
    await flooded.close();
    const ticks = kept.flatMap((batch) => batch.ticks);
    const lines = kept.flatMap((batch) => batch.requests).length;
    expect(ticks.reduce((sum, tick) => sum + tick.requests, 0)).toBe(50);
    expect(lines + ticks.reduce((sum, tick) => sum + tick.notKept, 0)).toBe(50);
    expect(lines).toBeGreaterThanOrEqual(3);
    expect(lines).toBeLessThan(40);
  });

  test('several processes write of one directory at once, and nothing is lost', async () => {
    const writers = await Promise.all(
      [0, 1, 2].map(async () => {
        const one = requestLog({ write: requestKeeper(world.context()), log: silent, flushMs: 5 });
        const at = await scimServer(world, { requestLog: one });
        return { one, at };
      }),
    );
    const calls = Array.from({ length: 60 }, (_, index) => {
      const to = writers[index % 3]?.at.url;
      const [path, token] = index % 2 === 0 ? ['okta', okta.token] : ['entra', entra.token];
      return fetch(`${to}/scim/v2/acme/${path}/Users?count=0`, { headers: { Authorization: `Bearer ${token}` } });
    });
    await Promise.all(calls);
    for (const { one, at } of writers) {
      await at.close();
      await one.close();
    }
    const sum = await world.sql(`select sum(requests)::int as n from scim_request_counts group by connection_id`);
    expect(sum).toEqual([{ n: 30 }, { n: 30 }]);
    expect(await world.sql(`select from scim_requests`)).toHaveLength(60);
  });

  test('where requests are kept for no day they are counted all the same', async () => {
    await setDirectory(world, tenants.entra, { requestLog: { days: 0, bodyHours: 5 } });
    await (await servers.of('entra', entra.token)).get('/Users');
    expect(await rows(tenants.entra)).toEqual([]);
    expect(await world.sql('select requests from scim_request_counts')).toEqual([{ requests: 1 }]);
  });
});

describe('retention', () => {
  const job = {
    id: '1',
    createdAt: 0,
    attempts: 1,
    addJob: async () => {},
    owner: {
      run: <R>(statement: { text: string }, values: readonly unknown[]) => world.sql<R>(statement.text, values),
    },
  };
  const plant = (table: string, connection: ConnectionId, count: number, age: string) =>
    world.sql(
      `insert into ${table} (tenant_id, connection_id, occurred_at, request_id
         ${table === 'scim_requests' ? ', credential_id, method, path, duration_ms, bytes_in, bytes_out' : ''})
       select $1, $2, now() - interval '${age}', gen_random_uuid()
         ${table === 'scim_requests' ? `, gen_random_uuid(), 'GET', '/', 1, 0, 0` : ''} from generate_series(1, $3)`,
      [tenants.acme.tenantId, connection, count],
    );
  const counted = async (table: string, connection: ConnectionId) =>
    (await world.sql(`select from ${table} where connection_id = $1`, [connection])).length;

  test('each directory’s requests and bodies go when its own settings say so, in bites', async () => {
    await setDirectory(world, tenants.entra, { requestLog: { days: 2, bodyHours: 48 } });
    await plant('scim_requests', tenants.okta, 25_000, '31 days');
    await plant('scim_requests', tenants.okta, 10, '29 days');
    await plant('scim_requests', tenants.entra, 10, '3 days');
    await plant('scim_request_bodies', tenants.okta, 10, '2 hours');
    await plant('scim_request_bodies', tenants.okta, 10, '30 minutes');
    await plant('scim_request_bodies', tenants.entra, 10, '47 hours');
    await plant('scim_request_bodies', tenants.entra, 10, '50 hours');
    await cleanUpTasks.clean_up?.({}, job);
    expect(await counted('scim_requests', tenants.okta)).toBe(10);
    expect(await counted('scim_requests', tenants.entra)).toBe(0);
    expect(await counted('scim_request_bodies', tenants.okta)).toBe(10);
    expect(await counted('scim_request_bodies', tenants.entra)).toBe(10);
  });

  test('the server itself can change and remove nothing of it', async () => {
    const tx = world.context().hot(tenants.acme.tenantId);
    for (const text of [
      'delete from scim_requests',
      `update scim_requests set path = '/'`,
      'delete from scim_request_bodies',
    ])
      await expect(tx.run({ name: null, text }, [])).rejects.toThrow(/permission denied/);
  });
});
