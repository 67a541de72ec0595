// Requests of all kinds, each from what is known and from chance.

import { anyId, type Body, bodyOf, group, jsonText, mutated, patch, search, user } from './bodies.ts';
import { bulk } from './bulks.ts';
import { attributePath, filter } from './filters.ts';
import { type Json, junkText } from './junk.ts';
import { type Known, recent } from './known.ts';
import type { Random } from './random.ts';
import { rawRequest } from './raw-requests.ts';

export type Header = readonly [name: string, value: string];

/** How a body is sent: at once, in chunks, in chunks with trailers, or a few bytes at a time. */
export type Framing = 'length' | 'chunked' | 'trailers' | 'slow';

export type Sending = {
  readonly kind: string;
  readonly method: string;
  /** As it stands in the request line. */
  readonly target: string;
  readonly headers: readonly Header[];
  readonly body: Uint8Array | null;
  readonly framing: Framing;
};

/** Bytes as they are. `whole`: by the rules of HTTP this is all of a request, so that an answer is owed. */
export type RawSending = { readonly kind: string; readonly raw: Uint8Array; readonly whole: boolean };

export type Fuzzed = Sending | RawSending;

const encoded = (text: string): string => encodeURIComponent(text.toWellFormed());

/** As it is where a request line can hold it, else escaped; sometimes escaped twice, or wrongly. */
function inTarget(random: Random, text: string): string {
  switch (random.below(8)) {
    case 0:
      return /^[\x21-\x22\x24-\x3e\x40-\x7e]*$/.test(text) ? text : encoded(text);
    case 1:
      return encoded(encoded(text));
    case 2:
      return encoded(text) + random.pick(['%', '%0', '%zz', '%ff', '%00', '%c0%af', '%ed%a0%80', '+', '%E2%80%A8']);
    default:
      return encoded(text);
  }
}

type Parameter = readonly [name: string, text: string];

function parameters(random: Random, known: Known): readonly Parameter[] {
  const ids = [anyId(random, known), anyId(random, known)];
  const number = () =>
    random.pick([
      '0',
      '1',
      '-1',
      '200',
      '201',
      '1e9',
      '1e308',
      '2147483647',
      '2147483648',
      '99999999999999999999',
      '1.5',
      '',
      ' 1',
      '0x10',
      '١',
      junkText(random),
    ]);
  const list = () =>
    random.oneIn(8)
      ? Array.from({ length: random.pick([500, 2_000]) }, (_, index) => `a${index}`).join(',')
      : [attributePath(random), ...random.some(4, () => attributePath(random))].join(
          random.pick([',', ', ', ',,', ';']),
        );
  const one = (): Parameter =>
    random.pick<() => Parameter>([
      () => ['filter', filter(random, ids)],
      () => ['filter', filter(random, ids)],
      () => ['count', number()],
      () => ['startIndex', number()],
      () => ['sortBy', random.oneIn(5) ? list() : attributePath(random)],
      () => ['sortOrder', random.pick(['ascending', 'descending', 'DESCENDING', '', junkText(random)])],
      () => ['attributes', list()],
      () => ['excludedAttributes', list()],
      () => ['cursor', random.oneIn(3) ? '' : cursor(random, known)],
      () => [junkText(random), junkText(random)],
    ])();
  return random.some(4, one);
}

/** One that was given, with a bit of it turned, or one that never was. */
function cursor(random: Random, known: Known): string {
  if (known.cursors.length === 0 || random.oneIn(5)) return junkText(random);
  const given = recent(random, known.cursors);
  if (random.oneIn(4)) return given;
  const bytes = Buffer.from(given, 'base64url');
  const at = random.below(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return random.pick([
    bytes.toString('base64url'),
    given.slice(0, -1),
    `${given}A`,
    given + given,
    bytes.toString('base64'),
  ]);
}

function queryOf(random: Random, list: readonly Parameter[]): string {
  if (list.length === 0) return random.oneIn(20) ? random.pick(['?', '?&&', '?=', '?%', '?filter', '??']) : '';
  return `?${list.map(([name, text]) => `${inTarget(random, name)}=${inTarget(random, text)}`).join('&')}`;
}

const strangePaths = [
  '/Users/',
  '/Users//',
  '//Users',
  '/users',
  '/USERS',
  '/Users/..;/Groups',
  '/..;/Users',
  '/Users/%2e%2e/Groups',
  '/Users/..%2fGroups',
  '/Users%2f{id}',
  '/Users/{id}/',
  '/Users/{id}/x',
  '/Users/{id}%00',
  '/Users/{id}%20',
  '/Users/{id};a=b',
  '/Users/{id}.json',
  '/Users/%',
  '/Users/%ff',
  '/Users/%c0%ae',
  '/Users/%u0041',
  '/Users/.search',
  '/Users/.search/x',
  '/.search',
  '/.SEARCH',
  '/Users/{long}',
  '/{long}/{long}',
  '/Bulk/x',
  '/Bulk',
  '/Me',
  '/Me/x',
  '/Schemas',
  '/Schemas/{junk}',
  '/Schemas/urn:ietf:params:scim:schemas:core:2.0:User',
  '/ResourceTypes',
  '/ResourceTypes/{junk}',
  '/ServiceProviderConfig',
  '/ServiceProviderConfig/x',
  '/__proto__',
  '/constructor/prototype',
  '/Users/__proto__',
  '/{junk}',
  '/Users/{junk}',
  '/Groups/{junk}',
  '',
  '/',
  '/#x',
  '/\\',
  '/Users/\\..\\Groups',
] as const;

/** Below the directory, or beside it. */
function strangeTarget(random: Random, known: Known): string {
  const path = random
    .pick(strangePaths)
    .replaceAll('{id}', () => encoded(anyId(random, known)))
    .replaceAll('{junk}', () => inTarget(random, junkText(random)))
    .replaceAll('{long}', () => 'a'.repeat(random.pick([300, 5_000, 14_000])));
  if (!random.oneIn(4)) return known.base + path;
  const name = () => (random.oneIn(2) ? random.pick(known.names) : inTarget(random, junkText(random)));
  return random.pick([
    `/scim/v2/${name()}/${name()}${path}`,
    `/scim/v2/${name()}${path}`,
    `/scim/v2${path}`,
    `/SCIM/V2/target/okta${path}`,
    `/scim/v2//target/okta${path}`,
    `/scim/v2/target/okta/../../other/okta${path}`,
    `/scim/v2/target%2fokta${path}`,
    `/scim/v3/target/okta${path}`,
    `/scim%2fv2/target/okta${path}`,
  ]);
}

const strangeMethods = [
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'SEARCH',
  'QUERY',
  'LINK',
  'PURGE',
  'GET',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
];
const contentTypes = [
  'application/json',
  'APPLICATION/SCIM+JSON',
  'application/scim+json; charset=utf-8',
  'application/scim+json; charset=utf-16',
  'application/scim+json; charset=',
  'application/scim+json;;;',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/html',
  'text/plain',
  'application/xml',
  '*/*',
  ',',
  ';',
  '',
];
const strangeHeaders: readonly ((random: Random, known: Known) => Header)[] = [
  (random) => [
    'If-Match',
    random.pick([
      'W/"1"',
      '"1"',
      'W/"0"',
      '*',
      '',
      'W/"',
      '1',
      `${'W/"1",'.repeat(1_000)}"2"`,
      'W/"99999999999999999999"',
      junkText(random),
    ]),
  ],
  (random) => ['If-None-Match', random.pick(['W/"1"', '*', '"', junkText(random)])],
  (random) => ['If-Modified-Since', junkText(random)],
  (random) => [
    'Accept',
    random.pick([
      'text/html',
      'application/xml',
      'application/json',
      'application/json;q=0',
      '',
      '*',
      ','.repeat(2_000),
      junkText(random),
    ]),
  ],
  (random) => ['Accept-Encoding', random.pick(['gzip', 'br;q=1', junkText(random)])],
  (random) => ['Accept-Language', junkText(random)],
  (random) => ['X-HTTP-Method-Override', random.pick(['DELETE', 'PUT', junkText(random)])],
  (random) => ['X-Method-Override', random.pick(['DELETE', 'PATCH'])],
  (random) => ['X-Forwarded-Host', random.pick(['evil.example', junkText(random)])],
  (random) => ['X-Forwarded-Proto', random.pick(['https', 'javascript', junkText(random)])],
  (random) => ['X-Forwarded-For', random.pick(['203.0.113.7', '::1', ','.repeat(500), junkText(random)])],
  (random) => ['Forwarded', random.pick(['host=evil.example;proto=https', junkText(random)])],
  () => ['X-Original-URL', '/scim/v2/other/okta/Users'],
  () => ['X-Rewrite-URL', '/livez'],
  (random) => ['Range', random.pick(['bytes=0-1', 'bytes=-1', junkText(random)])],
  (random) => ['Cookie', random.pick(['a=b', '_session=x; _session=y', junkText(random)])],
  (random) => ['Origin', random.pick(['null', 'https://evil.example', junkText(random)])],
  (random) => ['User-Agent', random.pick(['Okta SCIM Client 1.0.0', 'a'.repeat(4_000), junkText(random)])],
  (random) => ['traceparent', junkText(random)],
  (random) => ['Expect', random.pick(['100-continue', '100-Continue', 'x'])],
  (random) => ['Host', random.pick(['evil.example', '', 'localhost:1', '[::1', 'a'.repeat(300)])],
  (random) => ['X-Request-Id', junkText(random)],
  (random) => ['Connection', random.pick(['close', 'keep-alive, X-Request-Id', 'Upgrade'])],
  (random) => ['Upgrade', random.pick(['websocket', 'h2c'])],
  (random, known) => [
    'Authorization',
    random.pick([
      `Bearer ${random.pick(known.wrongTokens)}`,
      `bearer  ${known.token} `,
      `Basic ${known.token}`,
      'Bearer',
      `Bearer ${known.token},${known.token}`,
      `Bearer ${known.token}x`,
      junkText(random),
    ]),
  ],
];

const headerText = (text: string): string => text.replace(/[^\x20-\x7e\x80-\xff]/g, '').trim();

function headersFor(random: Random, known: Known, body: Body | null): readonly Header[] {
  const type = random.oneIn(25)
    ? headerText(random.pick([...contentTypes, junkText(random)]))
    : 'application/scim+json';
  const given: Header[] = [
    ['Host', 'localhost'],
    ['Authorization', `Bearer ${known.token}`],
    ...(body === null ? [] : [['Content-Type', type] as const]),
    ...(body?.encoding === undefined ? [] : [['Content-Encoding', body.encoding] as const]),
  ];
  if (random.oneIn(4)) {
    for (const make of [random.pick(strangeHeaders), ...random.some(2, () => random.pick(strangeHeaders))]) {
      const [name, value] = make(random, known);
      const at = given.findIndex(([other]) => other.toLowerCase() === name.toLowerCase());
      if (at !== -1) given.splice(at, 1);
      given.push([name, headerText(value)]);
    }
  }
  return given;
}

type Make = (
  random: Random,
  known: Known,
) => { readonly method: string; readonly target: string; readonly good?: Json };

const idIn = (random: Random, known: Known, list: readonly string[]): string =>
  random.oneIn(5) ? inTarget(random, anyId(random, known)) : recent(random, list);
const short = (random: Random, known: Known): string =>
  random.oneIn(5) ? queryOf(random, parameters(random, known)) : '';

/** Weights stand in front. */
const kinds: readonly (readonly [weight: number, kind: string, make: Make])[] = [
  [6, 'POST user', (r, k) => ({ method: 'POST', target: `${k.base}/Users${short(r, k)}`, good: user(r, k) })],
  [
    5,
    'PUT user',
    (r, k) => ({ method: 'PUT', target: `${k.base}/Users/${idIn(r, k, k.users)}${short(r, k)}`, good: user(r, k) }),
  ],
  [
    9,
    'PATCH user',
    (r, k) => ({ method: 'PATCH', target: `${k.base}/Users/${idIn(r, k, k.users)}${short(r, k)}`, good: patch(r, k) }),
  ],
  [3, 'POST group', (r, k) => ({ method: 'POST', target: `${k.base}/Groups${short(r, k)}`, good: group(r, k) })],
  [
    3,
    'PUT group',
    (r, k) => ({ method: 'PUT', target: `${k.base}/Groups/${idIn(r, k, k.groups)}`, good: group(r, k) }),
  ],
  [
    6,
    'PATCH group',
    (r, k) => ({
      method: 'PATCH',
      target: `${k.base}/Groups/${idIn(r, k, k.groups)}${short(r, k)}`,
      good: patch(r, k),
    }),
  ],
  [
    2,
    'DELETE',
    (r, k) => ({ method: 'DELETE', target: `${k.base}/${r.pick(['Users', 'Groups'])}/${inTarget(r, anyId(r, k))}` }),
  ],
  [
    4,
    'GET one',
    (r, k) => ({
      method: r.pick(['GET', 'HEAD']),
      target: `${k.base}/${r.pick(['Users', 'Groups'])}/${idIn(r, k, k.users)}${queryOf(r, parameters(r, k))}`,
    }),
  ],
  [
    14,
    'GET list',
    (r, k) => ({
      method: 'GET',
      target: `${k.base}${r.pick(['/Users', '/Users', '/Groups', ''])}${queryOf(r, parameters(r, k))}`,
    }),
  ],
  [
    3,
    'GET next page',
    (r, k) => ({
      method: 'GET',
      target: `${k.base}/Users?count=2&cursor=${r.oneIn(2) ? '' : inTarget(r, cursor(r, k))}`,
    }),
  ],
  [
    6,
    'POST .search',
    (r, k) => ({
      method: 'POST',
      target: `${k.base}${r.pick(['/Users', '/Groups', ''])}/.search`,
      good: search(r, parameters(r, k)),
    }),
  ],
  [5, 'POST bulk', (r, k) => ({ method: 'POST', target: `${k.base}/Bulk`, good: bulk(r, k) })],
  [
    6,
    'strange path',
    (r, k) => ({
      method: r.pick(strangeMethods),
      target: strangeTarget(r, k),
      ...(r.oneIn(2) ? { good: user(r, k) } : {}),
    }),
  ],
];
const RAW_ONE_IN = 12;

/** The next request. A bulk is sent as it should be more often than others: what is wrong stands in its operations. */
export function nextRequest(random: Random, known: Known): Fuzzed {
  if (random.oneIn(RAW_ONE_IN)) return rawRequest(random, known);
  const [kind, make] = weighed(random);
  const { method, target, good } = make(random, known);
  const plain = kind === 'POST bulk' && !random.oneIn(4);
  const body =
    good === undefined
      ? null
      : plain
        ? { bytes: Buffer.from(jsonText(random.oneIn(3) ? mutated(random, good) : good)) }
        : bodyOf(random, good);
  const framing = body === null || !random.oneIn(10) ? 'length' : random.pick<Framing>(['chunked', 'trailers', 'slow']);
  return { kind, method, target, headers: headersFor(random, known, body), body: body?.bytes ?? null, framing };
}

function weighed(random: Random): readonly [string, Make] {
  let left = random.below(kinds.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, kind, make] of kinds) {
    if (left < weight) return [kind, make];
    left -= weight;
  }
  throw new Error('the weights do not add up');
}
