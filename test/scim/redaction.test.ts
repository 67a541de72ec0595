import { expect, test } from 'vitest';
import type { Log } from '../../src/context.ts';
import { shownPath, shownQuery, withoutSecrets } from '../../src/scim/redaction.ts';
import { acme } from '../support/acme.ts';
import { directory, scimServer } from '../support/scim.ts';
import { silent, testWorld } from '../support/world.ts';

const secret = 'Correct-Horse-9';
const filters = [
  `password eq "${secret}"`,
  `password eq ${secret}`,
  `password eq '${secret}'`,
  `password[value eq "${secret}"]`,
  `"${secret}" eq password`,
  `${secret} eq password`,
  `emails[password eq "${secret}"]`,
  `(userName eq "a" and not (Password  sw "${secret}"))`,
  `urn:ietf:params:scim:schemas:core:2.0:User:password co "${secret}"`,
  `userName eq "password" or apiToken.value eq ${secret}`,
  `title eq "${secret}`,
];

test.each(filters)('T113 T45 a query shows no value of a filter that names a secret or is broken: %s', (filter) => {
  const query = shownQuery(new URLSearchParams({ filter, count: '1' }));
  expect(query).toMatch(/^filter=.+&count=1$/);
  expect(query).not.toContain(secret);
});

test.each(filters.slice(0, -1))(
  'T113 nor does the body of a search, of a PATCH by path or by key, or of a bulk: %s',
  (filter) => {
    const search = { schemas: ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'], Filter: filter };
    const bodies = [
      search,
      { Operations: [{ op: 'remove', path: `x[${filter}].y` }] },
      { Operations: [{ op: 'add', value: { [`x[${filter}].y`]: 1 } }] },
      {
        Operations: [
          { method: 'PATCH', path: '/Users/1', data: { Operations: [{ op: 'remove', Path: `x[${filter}]` }] } },
        ],
      },
    ];
    for (const body of bodies) expect(JSON.stringify(withoutSecrets(body))).not.toContain(secret);
  },
);

test('the failing twin: what names no secret stays as it was sent', () => {
  const filter = 'userName eq "password" and emails[type eq "work" and value co "token"]';
  const body = {
    filter,
    Operations: [
      { op: 'remove', path: 'members[value eq "x"]' },
      { op: 'replace', path: 'displayName', value: { 'emails[type eq "work"].value': 'a@b.example' } },
    ],
  };
  expect(withoutSecrets(body)).toEqual(body);
  expect(shownQuery(new URLSearchParams({ filter }))).toBe(`filter=${filter}`);
  expect(withoutSecrets({ op: 'replace', path: 'password', value: secret })).toEqual({
    op: 'replace',
    path: 'password',
    value: '[redacted]',
  });
});

test('T53 T113 nor is a token shown in a path, short or long, nor a control character, nor the whole of a long one', () => {
  const token = `dbs_abcdefgh1234_${'x'.repeat(43)}`;
  expect(shownPath(['Users', token])).toBe('Users/[redacted]');
  expect(shownPath(['dbs_12345678'])).toBe('[redacted]');
  expect(shownPath(['Users', 'Bearer abcdefgh'])).toBe('Users/[redacted]');
  expect(shownPath(['Users', 'a\nb'])).toBe('Users/a\ufffdb');
  expect(shownPath(['Users', 'y'.repeat(5_000)])).toBe(`Users/${'y'.repeat(292)}…`);
  expect(shownPath(['Users', '01a20120-b826-7c46-a19a-bb40af405875'])).toBe(
    'Users/01a20120-b826-7c46-a19a-bb40af405875',
  );
});

test('what is cut of a path, a value or a whole query ends with a mark, and what has just the length does not', () => {
  const query = (value: string) => shownQuery(new URLSearchParams(value));
  expect(query(`attributes=${'a'.repeat(200)}&count=1`)).toBe(`attributes=${'a'.repeat(200)}&count=1`);
  expect(query(`attributes=${'a'.repeat(201)}&count=1`)).toBe(`attributes=${'a'.repeat(199)}…&count=1`);
  const filter = (length: number) => `userName eq "${'x'.repeat(length - 21)}"`;
  expect(query(`filter=${filter(1_000)}`)).toBe(`filter=${filter(1_000)}`);
  expect(query(`filter=${filter(1_001)}`)).toBe(`filter=${filter(1_001).slice(0, 992)}…`);
  expect(query(`filter=${filter(2_500)}&count=1`)).toBe('filter=[too long]&count=1');
  expect(shownPath(['y'.repeat(299)])).toBe('y'.repeat(299));
  // A token is taken out before the value is cut, so that no half of it stays.
  const token = `dbs_abcdefgh1234_${'x'.repeat(43)}`;
  expect(query(`attributes=${'a'.repeat(190)} ${token}`)).toBe(`attributes=${'a'.repeat(190)} [redacte…`);
});

test('T113 nor in the server’s own log', async () => {
  const world = await testWorld();
  const lines: string[] = [];
  const log: Log = { ...silent, info: (facts, text) => lines.push(JSON.stringify([facts, text])) };
  const server = await scimServer(world, { log });
  try {
    const okta = await directory(world, server, (await acme(world)).acme, 'okta');
    expect((await okta.get(`/Users/${okta.token}`)).status).toBe(404);
    expect((await okta.get('/Users')).status).toBe(200);
  } finally {
    await server.close();
    await world.close();
  }
  expect(lines.map((line) => /"path":"(.*?)"/.exec(line)?.[1])).toEqual(['Users/[redacted]', 'Users']);
});
