// The judge of hostile requests is judged: each fault that it is there for is planted once.

import { expect, test } from 'vitest';
import { prototypesNow } from '../../scripts/fuzz/inside-facts.ts';
import type { Known } from '../../scripts/fuzz/known.ts';
import { faultOf } from '../../scripts/fuzz/oracle.ts';
import { randomOf } from '../../scripts/fuzz/random.ts';
import { type Fuzzed, nextRequest, type Sending } from '../../scripts/fuzz/requests.ts';
import type { Answer, Outcome } from '../../scripts/fuzz/wire.ts';

const asked: Sending = {
  kind: 'x',
  method: 'GET',
  target: '/scim/v2/a/b/Users',
  headers: [],
  body: null,
  framing: 'length',
};
const SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:Error';
const error = (status: number, more: object = {}) =>
  JSON.stringify({ schemas: [SCHEMA], status: String(status), detail: 'This is refused.', ...more });
const answered = (status: number, body: string, more: Partial<Answer> = {}): Outcome => ({
  kind: 'answered',
  answer: { status, body, ms: 1, headers: new Map([['content-type', 'application/scim+json']]), ...more },
});
const plain = (connection: string) => ({
  headers: new Map([
    ['connection', connection],
    ['content-type', 'text/plain; charset=utf-8'],
  ]),
});
const typed = (type: string) => ({ headers: new Map([['content-type', type]]) });

test.each<readonly [string, Outcome]>([
  ['a resource', answered(200, '{"id":"x"}')],
  ['a refusal', answered(400, error(400))],
  ['a refusal as plain JSON', answered(404, error(404), typed('application/json; charset=utf-8'))],
  ['a bare refusal of what is no HTTP', answered(400, '', { headers: new Map([['connection', 'close']]) })],
  ['a plain sentence about what is no HTTP', answered(400, 'No.\n', plain('close'))],
])('T60 %s is as it should be', (_, outcome) => {
  expect(faultOf(asked, outcome)).toBeNull();
});

test.each<readonly [string, Outcome]>([
  ['a failure of the server', answered(500, error(500))],
  ['a gateway without a database', answered(503, error(503))],
  ['a page', answered(404, '<html></html>', typed('text/html'))],
  ['a plain sentence while the connection goes on', answered(400, 'No.\n', plain('keep-alive'))],
  ['a plain sentence about what was understood', answered(404, 'No.\n', plain('close'))],
  [
    'a plain sentence that tells of its machine',
    answered(400, 'TypeError: x\n    at f (/srv/a.ts:3:1)', plain('close')),
  ],
  ['no type', answered(400, error(400), { headers: new Map() })],
  ['text that is no JSON', answered(200, '{"id":')],
  ['an error without a detail', answered(400, error(400, { detail: undefined }))],
  ['an error whose status is a number', answered(400, error(400, { status: 400 }))],
  ['an error of another status', answered(400, error(404))],
  ['a stack', answered(400, error(400, { detail: 'TypeError: x\n    at handle (/srv/src/scim/users.ts:3:1)' }))],
  ['SQL', answered(400, error(400, { detail: 'select 1 from users where x' }))],
  ['a constraint', answered(409, error(409, { detail: 'violates unique constraint "users_open"' }))],
  [
    'a failure within a bulk',
    answered(200, JSON.stringify({ Operations: [{ status: '500', response: JSON.parse(error(500)) }] })),
  ],
  [
    'an error within a bulk that is none of SCIM',
    answered(200, JSON.stringify({ Operations: [{ status: '400', response: {} }] })),
  ],
  ['an answer that takes too long', answered(200, '{}', { ms: 6_000 })],
  ['no answer', { kind: 'silent' }],
  ['a connection that is cut', { kind: 'reset' }],
  ['a connection that is closed', { kind: 'closed' }],
])('T60 %s is found', (_, outcome) => {
  expect(faultOf(asked, outcome)).not.toBeNull();
});

test('T48 a bulk is answered within five seconds; what it did not begin in three it may refuse, and nothing before', () => {
  const bulk = { ...asked, method: 'POST', target: '/scim/v2/a/b/Bulk' };
  const late = error(503, { detail: 'The bulk took too long, and this operation was not begun. Send it again.' });
  const text = JSON.stringify({ Operations: [{ status: '503', response: JSON.parse(late) }] });
  expect(faultOf(bulk, answered(200, text, { ms: 3_100 }))).toBeNull();
  expect(faultOf(bulk, answered(200, text, { ms: 500 }))).not.toBeNull();
  expect(faultOf(bulk, answered(200, text, { ms: 5_100 }))).not.toBeNull();
  expect(faultOf(bulk, answered(503, late, { ms: 3_100 }))).not.toBeNull();
});

test('RFC 7644 §3.7.2 a bulk that ends between the halves of a creation may say so: after another error, or late, and else not', () => {
  const bulk = { ...asked, method: 'POST', target: '/scim/v2/a/b/Bulk' };
  const detail =
    'The user was created, but the bulk ended before their manager was given. Send a PATCH with the manager.';
  const half = { status: '503', response: JSON.parse(error(503, { detail })) };
  const refused = { status: '404', response: JSON.parse(error(404)) };
  const text = (...operations: readonly object[]) => JSON.stringify({ Operations: operations });
  expect(faultOf(bulk, answered(200, text(half, refused)))).toBeNull();
  expect(faultOf(bulk, answered(200, text(half), { ms: 3_100 }))).toBeNull();
  expect(faultOf(bulk, answered(200, text(half)))).not.toBeNull();
  expect(faultOf(bulk, answered(200, text(half, { status: '503', response: JSON.parse(error(503)) })))).not.toBeNull();
});

test('FT18 an answer is owed to every whole request, and to no half of one', () => {
  const half: Fuzzed = { kind: 'raw', raw: Buffer.from('GET / HTTP/1.1\r\n'), whole: false };
  expect(faultOf(half, { kind: 'silent' })).toBeNull();
  expect(faultOf({ ...half, whole: true }, { kind: 'silent' })).not.toBeNull();
});

test('T43 a prototype that is given something is another one', () => {
  const before = prototypesNow();
  Object.defineProperty(Object.prototype, 'polluted', { value: 'yes', configurable: true });
  try {
    expect(prototypesNow()).not.toBe(before);
  } finally {
    Reflect.deleteProperty(Object.prototype, 'polluted');
  }
  expect(prototypesNow()).toBe(before);
});

test('the same seed asks the same, another seed something else', () => {
  const known: Known = {
    base: '/scim/v2/a/b',
    token: 't',
    wrongTokens: ['w'],
    users: ['u'],
    groups: ['g'],
    cursors: [],
    suspended: { id: 's', userName: 's@x.example', externalId: 'e' },
    foreign: ['f'],
    names: ['a', 'b'],
    userTemplates: [{ userName: 'x' }],
    groupTemplates: [{ displayName: 'x' }],
    patchTemplates: [{ Operations: [] }],
  };
  const asks = (seed: number) => {
    const random = randomOf(seed);
    return Array.from({ length: 200 }, () => nextRequest(random, known)).map((one) =>
      'raw' in one ? one.kind : one.target,
    );
  };
  expect(asks(1)).toEqual(asks(1));
  expect(asks(1)).not.toEqual(asks(2));
});
