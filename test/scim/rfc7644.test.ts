// RFC 7644, section by section: what no other file here is about. Queries are in reading, changes in rfc7644-changes, bulk in bulk,
// discovery in rfc7644-discovery.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Acme, acme } from '../support/acme.ts';
import { type NewServers, newServers, setDirectory } from '../support/directory-settings.ts';
import { type Answer, type Body, type DirectoryClient, directory, type ScimServer, userBody } from '../support/scim.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

const core = (name: string) => `urn:ietf:params:scim:schemas:core:2.0:${name}`;
const message = (name: string) => `urn:ietf:params:scim:api:messages:2.0:${name}`;

let world: TestWorld;
let tenants: Acme;
let servers: NewServers;
let server: ScimServer;
let okta: DirectoryClient;
/** A directory whose file says that no identity provider with ways of its own speaks here. */
let generic: DirectoryClient;
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  await profile('generic');
  servers = newServers(world);
  server = await servers.server();
  okta = await directory(world, server, tenants.acme, 'okta');
  generic = await directory(world, server, tenants.acme, 'entra');
});
afterAll(async () => {
  await servers?.close();
  await world?.close();
});

const profile = (name: string) => setDirectory(world, tenants.entra, { profile: name });
afterEach(() => profile('generic'));

let serial = 0;
const fresh = () => `told${++serial}`;
const refusedAs = (answer: Answer) => [answer.status, answer.body?.scimType ?? null];
async function made(client: DirectoryClient, more: Body = {}): Promise<Body> {
  const answer = await client.post('/Users', userBody(fresh(), more));
  if (answer.status !== 201) throw new Error(answer.text);
  return answer.body;
}
async function group(more: Body = {}): Promise<Body> {
  const answer = await okta.post('/Groups', { schemas: [core('Group')], displayName: fresh(), ...more });
  if (answer.status !== 201) throw new Error(answer.text);
  return answer.body;
}

describe('§3.1 messages', () => {
  test('are told apart by their URNs, and are no schemas that could be discovered', async () => {
    const { body } = await okta.get('/Schemas');
    expect([body.schemas, (await okta.get('/Nothing')).body.schemas]).toEqual([
      [message('ListResponse')],
      [message('Error')],
    ]);
    for (const { id } of body.Resources) expect(id).not.toMatch(/^urn:ietf:params:scim:api:/);
    expect((await okta.get(`/Schemas/${message('PatchOp')}`)).status).toBe(404);
  });
});

describe('§3.3 a resource that was created', () => {
  test.each([
    ['Users', () => userBody(fresh()), 'User'],
    ['Groups', () => ({ schemas: [core('Group')], displayName: fresh() }), 'Group'],
  ])(
    'of %s is 201, and header and body agree on where it is, on its version and its type (§3.3.1, §3.14)',
    async (name, body, type) => {
      const answer = await okta.post(`/${name}`, body());
      const { id, meta } = answer.body;
      expect([answer.status, meta.resourceType, meta.location]).toEqual([201, type, `${okta.base}/${name}/${id}`]);
      expect(meta.lastModified).toBe(meta.created);
      for (const one of [answer, await okta.get(`/${name}/${id}`), await okta.put(`/${name}/${id}`, answer.body)]) {
        expect(one.headers.get('content-location')).toBe(meta.location);
        expect([one.headers.get('etag'), one.body.meta]).toEqual([meta.version, meta]);
      }
      expect(answer.headers.get('location')).toBe(meta.location);
      const known = await okta.get(`/${name}/${id}`, { 'If-None-Match': meta.version });
      expect([known.status, known.text, known.headers.get('etag'), known.headers.get('content-location')]).toEqual([
        304,
        '',
        meta.version,
        meta.location,
      ]);
    },
  );
});

describe('§3.4 a query', () => {
  test('§3.4.2 with parameters that nobody knows is answered as if they were not there', async () => {
    const { userName } = await made(okta);
    const filter = `filter=${encodeURIComponent(`userName eq "${userName}"`)}`;
    const plain = await okta.get(`/Users?${filter}`);
    expect(plain.body.totalResults).toBe(1);
    expect((await okta.get(`/Users?${filter}&nothing=1&$top=0`)).body).toEqual(plain.body);
  });

  test('§3.4.2 that finds nothing is 200 with totalResults 0', async () => {
    const { status, body } = await okta.get(`/Users?filter=${encodeURIComponent('userName eq "nobody at all"')}`);
    expect([status, body.schemas, body.totalResults]).toEqual([200, [message('ListResponse')], 0]);
  });

  test('§3.4.2 of one resource by its id takes no filter: to pass it over would be to say that it holds', async () => {
    const filter = `filter=${encodeURIComponent('active eq false')}`;
    for (const path of [`/Users/${(await made(okta)).id}`, `/Groups/${(await group()).id}`]) {
      expect((await okta.get(path)).status).toBe(200);
      expect(refusedAs(await okta.get(`${path}?${filter}`))).toEqual([400, 'invalidFilter']);
    }
  });

  test.each(['regex', 'eqq', 'is', '=='])(
    '§3.4.2.2 with the operator %s is 400 invalidFilter, and says what is wrong',
    async (operator) => {
      const answer = await okta.get(`/Users?filter=${encodeURIComponent(`userName ${operator} "a"`)}`);
      expect(refusedAs(answer)).toEqual([400, 'invalidFilter']);
      expect(answer.body.detail).toMatch(/operator/);
    },
  );

  test.each(['gt', 'ge', 'lt', 'le'])(
    '§3.4.2.2 that orders booleans or binaries by %s is 400 invalidFilter',
    async (operator) => {
      for (const operand of [`active ${operator} true`, `x509Certificates.value ${operator} "AQI="`]) {
        expect(refusedAs(await okta.get(`/Users?filter=${encodeURIComponent(operand)}`))).toEqual([
          400,
          'invalidFilter',
        ]);
      }
    },
  );
});

describe('§3.5.2 PATCH of a group', () => {
  test('is 204, and 200 with what is asked for where the request names attributes', async () => {
    const { id } = await group();
    const rename = () => ({ op: 'replace', path: 'displayName', value: fresh() });
    const silent = await okta.patch(`/Groups/${id}`, rename());
    expect([silent.status, silent.text, silent.headers.get('etag')]).toEqual([204, '', 'W/"2"']);
    const asked = await okta.patch(`/Groups/${id}?attributes=displayName`, rename());
    expect([asked.status, Object.keys(asked.body).sort()]).toEqual([200, ['displayName', 'id', 'schemas']]);
    expect(asked.headers.get('content-location')).toBe(`${okta.base}/Groups/${id}`);
  });

  test('§3.14 says its version, whatever it did: the one that a GET says then', async () => {
    const { id } = await group();
    const [a, b] = [(await made(okta)).id, (await made(okta)).id];
    const members = (op: string, ...ids: string[]) => ({ op, path: 'members', value: ids.map((value) => ({ value })) });
    const remove = { op: 'remove', path: `members[value eq "${a}"]` };
    const rename = { op: 'replace', path: 'displayName', value: fresh() };
    const versions: (string | null)[] = [];
    for (const operations of [
      [members('add', a)],
      [members('add', a)],
      [members('replace', a, b)],
      [members('replace', a, b)],
      [remove],
      [remove],
      [rename],
      [rename],
      [{ ...rename, value: fresh() }, members('add', a)],
    ]) {
      const answer = await okta.patch(`/Groups/${id}`, ...operations);
      expect([answer.status, answer.headers.get('etag')]).toEqual([
        204,
        (await okta.get(`/Groups/${id}?excludedAttributes=members`)).body.meta.version,
      ]);
      versions.push(answer.headers.get('etag'));
    }
    expect(versions.map((version) => version?.slice(3, -1))).toEqual(['2', '2', '3', '3', '4', '4', '5', '5', '7']);
    const bulk = await okta.post('/Bulk', {
      schemas: [message('BulkRequest')],
      Operations: [
        {
          method: 'PATCH',
          path: `/Groups/${id}`,
          version: 'W/"7"',
          data: { schemas: [message('PatchOp')], Operations: [remove] },
        },
      ],
    });
    expect(bulk.body.Operations).toMatchObject([{ status: '204', version: 'W/"8"' }]);
  });
});

describe('§3.5.2 PATCH without a path', () => {
  test('RFC 7643 §3.1 passes over the meta of a resource that was read before; a path to it is 400 mutability', async () => {
    for (const [path, read] of [
      [`/Users/`, await made(okta)],
      [`/Groups/`, await group()],
    ] as const) {
      const at = path + read.id;
      const { schemas, id, meta } = read;
      for (const displayName of [fresh(), fresh()]) {
        const answer = await okta.patch(at, { op: 'replace', value: { schemas, id, meta, displayName } });
        expect([path, answer.status < 300, (await okta.get(at)).body.displayName]).toEqual([path, true, displayName]);
      }
      const { meta: now } = (await okta.get(at)).body;
      expect([now.created, now.version]).toEqual([meta.created, 'W/"3"']);
      const evil = await okta.patch(at, { op: 'replace', path: 'meta', value: { ...now, version: 'W/"9"' } });
      expect(refusedAs(evil)).toEqual([400, 'mutability']);
    }
  });
});

describe('§3.5.2.3 replace with a value filter that matches nothing', () => {
  const work = { type: 'work', value: '1' };
  const fax = (op: string) => ({ op, path: 'phoneNumbers[type eq "fax"].value', value: '3' });

  test('is 400 noTarget, and changes nothing, where the file names a sender who does not count on more', async () => {
    const user = await made(generic, { phoneNumbers: [work] });
    const title = { op: 'replace', path: 'title', value: 'T' };
    for (const operations of [
      [fax('replace')],
      [title, fax('replace')],
      [{ op: 'replace', path: 'phoneNumbers[type eq "fax"]', value: { type: 'fax', value: '3' } }],
      [{ op: 'replace', value: { 'phoneNumbers[type eq "fax"].value': '3' } }],
    ]) {
      expect(refusedAs(await generic.patch(`/Users/${user.id}`, ...operations))).toEqual([400, 'noTarget']);
      expect((await generic.get(`/Users/${user.id}`)).body).toEqual(user);
    }
    const bulk = await generic.post('/Bulk', {
      schemas: [message('BulkRequest')],
      Operations: [
        {
          method: 'PATCH',
          path: `/Users/${user.id}`,
          data: { schemas: [message('PatchOp')], Operations: [fax('replace')] },
        },
      ],
    });
    expect(bulk.body.Operations[0].response.scimType).toBe('noTarget');
  });

  test('is no hindrance to an add, which makes the value, nor to a remove, which has nothing to do', async () => {
    const user = await made(generic, { phoneNumbers: [work] });
    expect((await generic.patch(`/Users/${user.id}`, fax('remove'))).body).toEqual(user);
    const added = await generic.patch(`/Users/${user.id}`, fax('add'));
    expect(added.body.phoneNumbers).toEqual([work, { type: 'fax', value: '3' }]);
  });

  test.each(['entra', 'entra-legacy'])(
    'makes the value where the file says %s: Entra ID counts on it',
    async (name) => {
      await profile(name);
      const entra = await servers.of('entra', generic.token);
      const user = await made(entra, { phoneNumbers: [work] });
      const { status, body } = await entra.patch(`/Users/${user.id}`, fax('replace'));
      expect([status, body.phoneNumbers]).toEqual([200, [work, { type: 'fax', value: '3' }]]);
    },
  );
});

describe('§3.6 what was deleted', () => {
  test.each(['Users', 'Groups'])('of %s is 404 to every method, in no list, and in nobody’s way', async (name) => {
    const body = name === 'Users' ? userBody(fresh()) : { schemas: [core('Group')], displayName: fresh() };
    const { id } = (await okta.post(`/${name}`, body)).body;
    const path = `/${name}/${id}`;
    const gone = await okta.delete(path);
    expect([gone.status, gone.text]).toEqual([204, '']);
    const patch = { op: 'replace', path: 'displayName', value: 'D' };
    for (const answer of [
      await okta.get(path),
      await okta.put(path, body),
      await okta.patch(path, patch),
      await okta.delete(path),
    ]) {
      expect([answer.status, answer.body.schemas, answer.body.status]).toEqual([404, [message('Error')], '404']);
    }
    expect((await okta.get(`/${name}?filter=${encodeURIComponent(`id eq "${id}"`)}`)).body.totalResults).toBe(0);
    expect((await okta.post(`/${name}`, body)).status).toBe(201);
  });
});

describe('§3.8 text', () => {
  test('is UTF-8, and comes back as it was sent', async () => {
    const title = 'Ærø 東京 🜚 \u0301x \u2028 "\\';
    const user = await made(okta, { title });
    expect([user.title, (await okta.get(`/Users/${user.id}`)).body.title]).toEqual([title, title]);
  });
});

describe('§3.13 the version of the protocol', () => {
  test('may be said right before the endpoint as well, and answers are the same', async () => {
    const { id } = await made(okta);
    for (const path of [`/Users/${id}`, '/Schemas', '/ServiceProviderConfig', `/Users?filter=id%20eq%20%22${id}%22`]) {
      const [plain, said] = [await okta.get(path), await okta.get(`/v2${path}`)];
      expect([said.status, said.text]).toEqual([200, plain.text]);
    }
    expect((await okta.get('/v2/v2/Users')).status).toBe(404);
  });

  test.each(['v1', 'v3', 'V1', 'v1.1'])('%s is 400 invalidVers', async (version) => {
    expect(refusedAs(await okta.get(`/${version}/Users`))).toEqual([400, 'invalidVers']);
    expect(refusedAs(await okta.post(`/${version}/Users`, userBody(fresh())))).toEqual([400, 'invalidVers']);
  });
});

describe('§3.14 a version', () => {
  /** A user and a group, each with what a PUT would make of it. */
  const oneOfEach = async () =>
    [
      [`/Users/${(await made(okta)).id}`, userBody(fresh())],
      [`/Groups/${(await group()).id}`, { schemas: [core('Group')], displayName: fresh() }],
    ] as const;

  test.each(['PUT', 'PATCH', 'DELETE'])(
    'that is not the last one is 412 to %s, and nothing is changed',
    async (method) => {
      for (const [path, body] of await oneOfEach()) {
        const before = (await okta.get(path)).body;
        const patch = {
          schemas: [message('PatchOp')],
          Operations: [{ op: 'replace', path: 'displayName', value: 'D' }],
        };
        const sent = method === 'PUT' ? body : method === 'PATCH' ? patch : undefined;
        const answer = await okta.call(method, path, sent, { 'If-Match': 'W/"2"' });
        expect([answer.status, answer.body.schemas]).toEqual([412, [message('Error')]]);
        expect((await okta.get(path)).body).toEqual(before);
      }
    },
  );

  test.each(['PUT', 'PATCH', 'DELETE'])(
    'that %s is not to meet (If-None-Match) is 412 where it does, and nothing is changed (RFC 9110 §13.1.2)',
    async (method) => {
      for (const [path, body] of await oneOfEach()) {
        const before = (await okta.get(path)).body;
        const sent = method === 'PUT' ? body : method === 'PATCH' ? addition(path, [await made(okta)]) : undefined;
        for (const headers of [
          { 'If-None-Match': '*' },
          { 'If-None-Match': 'W/"9", W/"1"' },
          { 'If-None-Match': '"1"', 'If-Match': 'W/"1"' },
        ]) {
          const answer = await okta.call(method, path, sent, headers);
          expect([answer.status, answer.body?.schemas]).toEqual([412, [message('Error')]]);
          expect((await okta.get(path)).body).toEqual(before);
        }
        const gone = path.replace(/[^/]+$/, '00000000-0000-7000-8000-000000000000');
        expect((await okta.call(method, gone, sent, { 'If-None-Match': '*' })).status).toBe(404);
        const done = await okta.call(method, path, sent, { 'If-None-Match': 'W/"2", W/"9"', 'If-Match': 'W/"1"' });
        expect([200, 204]).toContain(done.status);
      }
    },
  );

  test('that a GET names (If-Match) is 412 where the resource is at another (RFC 9110 §13.1.1, §13.2.2)', async () => {
    for (const path of [`/Users/${(await made(okta)).id}`, `/Groups/${(await group()).id}`]) {
      const status = async (headers: Readonly<Record<string, string>>) => (await okta.get(path, headers)).status;
      expect(await status({ 'If-Match': 'W/"2"' })).toBe(412);
      expect(await status({ 'If-Match': 'W/"2"', 'If-None-Match': 'W/"1"' })).toBe(412);
      expect(await status({ 'If-Match': 'W/"1"', 'If-None-Match': 'W/"1"' })).toBe(304);
      expect(await status({ 'If-Match': 'W/"2", "1"' })).toBe(200);
      expect(await status({ 'If-Match': '*' })).toBe(200);
    }
  });
});

/** A PATCH that adds members to a group, which reads nothing before where it may, or a name to a user. */
const addition = (path: string, members: readonly Body[]) => ({
  schemas: [message('PatchOp')],
  Operations: [
    path.startsWith('/Groups/')
      ? { op: 'add', path: 'members', value: members.map(({ id }) => ({ value: id })) }
      : { op: 'add', path: 'displayName', value: 'D' },
  ],
});

describe('§5 a userName', () => {
  test.each([
    ['width', 'ｂｊ', 'bj'],
    ['case', 'ÆRØ', 'ærø'],
    ['composition', 'e\u0301mile', '\u00e9mile'],
  ])('is the same in another %s: unique, and found', async (_, one, other) => {
    const tail = fresh();
    const user = await made(okta, { userName: `${one}${tail}` });
    const again = await okta.post('/Users', userBody(fresh(), { userName: `${other}${tail}` }));
    expect(refusedAs(again)).toEqual([409, 'uniqueness']);
    const found = await okta.get(`/Users?filter=${encodeURIComponent(`userName eq "${other}${tail}"`)}`);
    expect(found.body.Resources.map(({ id }: Body) => id)).toEqual([user.id]);
    expect(user.userName).toBe(`${one}${tail}`);
  });
});
