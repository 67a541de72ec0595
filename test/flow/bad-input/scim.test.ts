import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { userBody } from '../../support/scim.ts';
import { groupSchemaUrn, patchUrn } from '../../support/urns.ts';
import { send, strangeAddress } from '../http.ts';
import { expectRefusals } from '../refusal.ts';
import { LONG, NUL, type Stage, startStage, UNKNOWN } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage?.flow.close());

const names = (text: string | Uint8Array) => JSON.stringify(Buffer.from(text).toString('latin1').slice(0, 60));

describe('SCIM', () => {
  const json = (value: unknown) => JSON.stringify(value);
  let users = 0;
  // A name of their own, so that none is refused for another's sake.
  const user = (more: object) => json(userBody(`new${++users}`, more));
  const brokenJson: readonly (string | Uint8Array)[] = [
    ...[
      '',
      ' ',
      '{',
      '[',
      '}',
      '{"userName"',
      '{"userName":}',
      "{'userName':'x'}",
      '{"a":1}}',
      '{"a":1}{"b":2}',
      'undefined',
    ],
    ...[
      '[]',
      'null',
      'true',
      '1',
      '"text"',
      'NaN',
      '{"a":1e999}',
      '\u{feff}',
      `{"a":"${NUL}"}`,
      '{"a":"\\u0000"}',
      '{"a":"\\ud800"}',
    ],
    ...['{"userName":"a","userName":"b"}', '{"userName":"a","USERNAME":"b"}', '{"__proto__":{"admin":true}}'],
    ...[
      '{"constructor":{"prototype":{"admin":true}}}',
      '{"a":{"prototype":1}}',
      `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
    ],
    ...[
      `{"a":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`,
      json(Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [i, i]))),
    ],
    ...[
      Buffer.from([0xff, 0xfe, 0x7b, 0x7d]),
      Buffer.from('{"userName":"\xe9"}', 'latin1'),
      Buffer.from([0x1f, 0x8b, 8, 0]),
    ],
  ];
  // Not among them: null, [] and {} mean that a value is not there (RFC 7643 §2.5).
  const wrongUsers = [
    ...[1, {}, [], null, '', true, ' ', 'a'.repeat(400), ['a']].map((userName) => ({ userName })),
    ...['yes', 2, {}, [true]].map((active) => ({ active })),
    ...[1, [1], ['x', 1], [[1]], [{ value: 1 }], [{ value: {} }], [{ value: 'a@b.example', primary: 'perhaps' }]].map(
      (emails) => ({ emails }),
    ),
    ...[['x'], 'x', 1, { givenName: 1 }, { givenName: {} }, { familyName: ['x'] }].map((name) => ({ name })),
    ...[{ x: 1 }, ['x'], 1, 'x'.repeat(2_000)].map((externalId) => ({ externalId })),
    ...[1, 'x', [1], ['urn:unknown']].map((schemas) => ({ schemas })),
    ...[{ x: 1 }, 1, ['x']].map((displayName) => ({ displayName })),
    { 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User': 'x' },
    { 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User': { department: { x: 1 } } },
  ];
  const wrongPatches: readonly unknown[] = [
    {},
    { Operations: [] },
    { Operations: {} },
    { Operations: 'x' },
    { Operations: [null] },
    { Operations: [1] },
    { Operations: [{}] },
    ...['', 'move', 1, null, {}, 'constructor', '__proto__', 'toString'].map((op) => ({
      Operations: [{ op, path: 'displayName', value: 'x' }],
    })),
    ...[
      1,
      {},
      [],
      'a[b eq',
      'emails[',
      'emails[type eq "work"',
      'emails[type eq "work"].',
      '.',
      '..',
      'a.b.c.d.e',
      `x${NUL}`,
    ].map((path) => ({
      Operations: [{ op: 'replace', path, value: 'x' }],
    })),
    ...[
      '__proto__',
      '__proto__.polluted',
      'constructor.prototype',
      'emails[__proto__ eq "x"].value',
      "userName'; drop table users; --",
      LONG,
    ].map((path) => ({
      Operations: [{ op: 'add', path, value: 'x' }],
    })),
    ...[1, {}, [], null, '', ['x']].map((value) => ({ Operations: [{ op: 'replace', path: 'userName', value }] })),
    ...['maybe', 7, {}].map((value) => ({ Operations: [{ op: 'replace', path: 'active', value }] })),
    { Operations: [{ op: 'remove' }] },
    { Operations: [{ op: 'remove', path: 'userName' }] },
    { Operations: [{ op: 'replace', value: 'x' }] },
    { Operations: [{ op: 'replace', path: 'id', value: UNKNOWN }] },
    { Operations: Array.from({ length: 20_000 }, () => ({ op: 'replace', path: 'title', value: 'x' })) },
  ];

  test('T43 T49 a body that is no JSON, or JSON that no resource is, changes nothing and is refused in SCIM’s form', async () => {
    const places = [
      ['POST', '/Users'],
      ['PUT', `/Users/${stage.ids.user}`],
      ['PATCH', `/Users/${stage.ids.user}`],
      ['POST', '/Groups'],
      ['PUT', `/Groups/${stage.ids.group}`],
      ['PATCH', `/Groups/${stage.ids.group}`],
    ] as const;
    const tries = places.flatMap(([method, path]) =>
      brokenJson.map((body) => ({
        name: `${method} ${path} ${names(body)}`,
        form: 'scim' as const,
        send: () => stage.scim(method, path, body),
      })),
    );
    await expectRefusals(stage.flow, tries);
  });

  test('T60 values of the wrong type are refused, at creation, replacement and in a PATCH', async () => {
    const patches = wrongPatches.map((body) => ({
      schemas: [patchUrn],
      ...(body as object),
    }));
    const groups = [
      ...[1, {}, [], null, '', 'x'.repeat(2_000)].map((displayName) => ({ displayName })),
      ...[1, 'x', {}, [1], ['x'], [{ value: 1 }], [{ value: 'x' }], [{ value: UNKNOWN }], [{}], [null]].map(
        (members) => ({ members }),
      ),
      ...[stage.ids.foreignUser, stage.ids.entraUser, stage.ids.group].map((value) => ({ members: [{ value }] })),
    ].map((more) => json({ schemas: [groupSchemaUrn], displayName: 'New', ...more }));
    const memberPatches = [
      stage.ids.foreignUser,
      stage.ids.entraUser,
      UNKNOWN,
      1,
      null,
      `${stage.ids.user}${NUL}`,
      "' or 1=1 --",
    ].map((value) =>
      json({ schemas: patches[0]?.schemas, Operations: [{ op: 'add', path: 'members', value: [{ value }] }] }),
    );
    const tries = [
      ...wrongUsers.map((more) => ['POST', '/Users', user(more)] as const),
      ...wrongUsers
        .filter((more) => !('schemas' in more))
        .map((more) => ['PUT', `/Users/${stage.ids.user}`, user(more)] as const),
      ...patches.map((body) => ['PATCH', `/Users/${stage.ids.user}`, json(body)] as const),
      ...groups.map((body) => ['POST', '/Groups', body] as const),
      ...memberPatches.map((body) => ['PATCH', `/Groups/${stage.ids.group}`, body] as const),
    ].map(([method, path, body]) => ({
      name: `${method} ${path} …${body.slice(-200)}`,
      form: 'scim' as const,
      send: () => stage.scim(method, path, body),
    }));
    await expectRefusals(stage.flow, tries);
  });

  test('T44 T46 T47 queries of every wrong kind are refused', async () => {
    const filters = [
      '',
      ' ',
      'userName',
      'userName eq',
      'userName eq "x',
      "userName eq 'x'",
      'eq "x"',
      '(',
      '((((',
      'userName eq "x" and',
      'not',
      '1=1',
    ];
    const more = [
      'userName xx "x"',
      'unknown eq "x"',
      '__proto__ eq "x"',
      'constructor pr',
      'userName eq "\u0000"',
      'password eq "x"',
      `userName eq "${LONG}"`,
    ];
    const deep = [
      `${'('.repeat(5_000)}userName pr${')'.repeat(5_000)}`,
      Array.from({ length: 500 }, () => 'userName pr').join(' and '),
    ];
    const queries = [
      ...[...filters, ...more, ...deep, 'userName eq "x"; drop table users'].map(
        (filter) => `filter=${encodeURIComponent(filter)}`,
      ),
      ...['abc', '1.5', '1e9', '99999999999999999999', '0x10', '%D9%A1', '%00', '1;drop'].flatMap((n) => [
        `startIndex=${n}`,
        `count=${n}`,
      ]),
      ...[
        'filter=userName%20pr&filter=userName%20pr',
        'count=1&count=2',
        'startIndex=1&startIndex=2',
        'attributes=a&attributes=b',
      ],
      ...['filter=%', 'filter=%ff', 'filter=%00', 'filter=userName%20eq%20%22%00%22'],
    ];
    const tries = queries.flatMap((query) =>
      ['/Users', '/Groups'].map((path) => ({
        name: `${path}?${query.slice(0, 80)}`,
        form: 'scim' as const,
        send: () => stage.scim('GET', `${path}?${query}`),
      })),
    );
    await expectRefusals(stage.flow, tries);
  });

  test('T37 T61 ids and addresses that are nobody’s, another directory’s, or nothing at all are not found', async () => {
    const wrong = [
      UNKNOWN,
      stage.ids.foreignUser,
      stage.ids.entraUser,
      'x',
      '%00',
      '%ff',
      '%',
      '%zz',
      '..%2fUsers',
      '..;',
      "'%20or%201=1--",
      'null',
      '-1',
      LONG,
    ];
    const paths = [
      ...wrong.flatMap((id) => [`/Users/${id}`, `/Groups/${id}`]),
      ...[
        `/Users/${stage.ids.user}/x`,
        `/users/${stage.ids.user}`,
        '/Users/../Users/x',
        '//',
        '/%55sers/x',
        '/Unknown',
        '/constructor',
        '/__proto__/x',
        '/Schemas/x',
        '/ResourceTypes/x',
      ],
    ];
    const body = JSON.stringify(userBody('new'));
    const tries = paths.flatMap((path) =>
      (['GET', 'DELETE', 'PUT'] as const).map((method) => ({
        name: `${method} ${path.slice(0, 80)}`,
        form: 'scim' as const,
        send: () => stage.scim(method, path, method === 'PUT' ? body : undefined),
      })),
    );
    await expectRefusals(stage.flow, tries);
    // The same words for what is another's as for what is not there.
    const [theirs, nobodys] = [
      await stage.scim('GET', `/Users/${stage.ids.foreignUser}`),
      await stage.scim('GET', `/Users/${UNKNOWN}`),
    ];
    expect([theirs.status, theirs.text]).toEqual([nobodys.status, nobodys.text]);
  });

  test('T53 no token, a wrong, expired, ended or foreign one, an unknown tenant or connection: one and the same 401', async () => {
    const good = stage.tokens.okta;
    const body = JSON.stringify(userBody('new'));
    const { oktaEnded, entra, entraExpired, globex } = stage.tokens;
    const wrong = [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Basic YTpi',
      `bearer${good}`,
      `Bearer ${good}x`,
      `Bearer ${good} x`,
      `Bearer ${good},${good}`,
      ...[oktaEnded, globex, entra, stage.refreshToken, stage.app.secret, 'x'.repeat(9_000), '\u00e9'].map(
        (token) => `Bearer ${token}`,
      ),
    ];
    const addresses = [
      'acme/unknown',
      'unknown/okta',
      'ACME/okta',
      'system/okta',
      'acme-labs/okta',
      '%00/okta',
      'acme/%ff',
      '..%2facme/okta',
      '__proto__/x',
    ];
    const tries = [
      ...wrong.map((authorization) => ['acme/okta', authorization] as const),
      ['acme/entra', `Bearer ${entraExpired}`] as const,
      ...addresses.map((address) => [address, `Bearer ${good}`] as const),
    ].map(([address, authorization]) => ({
      name: `${address} ${authorization?.slice(0, 60)}`,
      form: 'scim' as const,
      send: async () => {
        const headers = {
          'content-type': 'application/scim+json',
          'x-forwarded-for': strangeAddress(),
          ...(authorization === undefined ? {} : { authorization }),
        };
        const answer = await send(stage.port, `/scim/v2/${address}/Users`, { method: 'POST', body, headers });
        expect([answer.status, JSON.parse(answer.text).detail]).toEqual([
          401,
          'The request needs a token of this directory.',
        ]);
        return answer;
      },
    }));
    await expectRefusals(stage.flow, tries);
  });

  test('T49 T61 wrong methods, types, encodings and sizes are refused before anything is read out of them', async () => {
    const body = JSON.stringify(userBody('new'));
    const types = [
      'text/plain',
      'text/html',
      'application/xml',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/json; charset=utf-16',
      'x',
      '',
    ];
    const huge = JSON.stringify(userBody('new', { title: 'x'.repeat(1_200_000) }));
    const tries: readonly (readonly [string, string, (string | undefined)?, Record<string, string>?])[] = [
      ...['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'PURGE', 'TRACE'].map(
        (method) => [method, '/Users'] as const,
      ),
      ...['POST', 'OPTIONS', 'SEARCH'].map((method) => [method, `/Users/${stage.ids.user}`, body] as const),
      ...['POST', 'DELETE'].map((method) => [method, '/ServiceProviderConfig'] as const),
      ...types.map((type) => ['POST', '/Users', body, { 'content-type': type }] as const),
      ...['gzip', 'br', 'deflate', 'x'].map(
        (encoding) => ['POST', '/Users', body, { 'content-encoding': encoding }] as const,
      ),
      ['POST', '/Users', huge],
      ['GET', '/Users/.search'],
      ['POST', '/Bulk', '{}'],
      ['GET', '/Me'],
      [
        'PATCH',
        `/Users/${stage.ids.user}`,
        JSON.stringify({ Operations: [{ op: 'replace', path: 'title', value: 'x' }] }),
        { 'if-match': 'W/"999"' },
      ],
      ['DELETE', `/Users/${stage.ids.user}`, undefined, { 'if-match': '"x"' }],
      ['POST', `/Users/${stage.ids.user}`, body, { 'x-http-method-override': 'DELETE' }],
    ];
    await expectRefusals(
      stage.flow,
      tries.map(([method, path, sent, headers]) => ({
        name: `${method} ${path} ${JSON.stringify(headers ?? {})}`,
        form: 'scim',
        send: () => stage.scim(method, path, sent, headers),
      })),
    );
  });
});

test('T60 and the server never ended, and logged no failure of its own', async () => {
  expect((await send(stage.port, '/readyz')).status).toBe(200);
  expect(stage.failures()).toEqual([]);
});
