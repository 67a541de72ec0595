// Any filter and any order, asked over HTTP, against the same question answered slowly over the resources as they are served.

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Acme, acme } from '../support/acme.ts';
import { type NewServers, newServers, setDirectory } from '../support/directory-settings.ts';
import { type Body, type DirectoryClient, newScimToken } from '../support/scim.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

const urn = 'urn:example:params:scim:schemas:extension:acme:2.0:User';
const plain = {
  multiValued: false,
  description: '',
  required: false,
  caseExact: false,
  mutability: 'readWrite',
  returned: 'default',
  canonicalValues: [],
  subAttributes: [],
} as const;
const attribute = (name: string, type: string, more: object = {}) => ({ ...plain, name, type, ...more });
const schema = {
  urn,
  resource: 'User',
  name: 'Acme',
  description: '',
  attributes: [
    attribute('badge', 'string', { caseExact: true }),
    attribute('nick', 'string'),
    attribute('level', 'integer'),
    attribute('score', 'decimal'),
    attribute('since', 'dateTime'),
    attribute('remote', 'boolean'),
    attribute('link', 'reference'),
    attribute('key', 'binary'),
    attribute('tags', 'string', { multiValued: true }),
    attribute('marks', 'integer', { multiValued: true }),
    attribute('days', 'dateTime', { multiValued: true }),
    attribute('seat', 'complex', {
      subAttributes: [attribute('room', 'string'), attribute('floor', 'integer'), attribute('from', 'dateTime')],
    }),
    attribute('devices', 'complex', {
      multiValued: true,
      subAttributes: [
        attribute('value', 'string', { caseExact: true }),
        attribute('type', 'string'),
        attribute('primary', 'boolean'),
        attribute('weight', 'decimal'),
        attribute('bought', 'dateTime'),
      ],
    }),
  ],
};

type Kind = 'text' | 'exact' | 'number' | 'date' | 'boolean' | 'binary';
/** Where a value is: in the extension or the core, under a name, below a sub-attribute. */
type Path = {
  readonly text: string;
  readonly kind: Kind;
  readonly extension: boolean;
  readonly name: string;
  readonly sub: string | null;
  readonly multi: boolean;
};
const path = (text: string, kind: Kind, { own = true, multi = false } = {}): Path => {
  const [name = '', sub = null] = text.split('.');
  return { text: own ? `${urn}:${text}` : text, kind, extension: own, name, sub, multi };
};
const paths: readonly Path[] = [
  path('badge', 'exact'),
  path('nick', 'text'),
  path('level', 'number'),
  path('score', 'number'),
  path('since', 'date'),
  path('remote', 'boolean'),
  path('link', 'exact'),
  path('key', 'binary'),
  path('tags', 'text', { multi: true }),
  path('marks', 'number', { multi: true }),
  path('days', 'date', { multi: true }),
  path('seat.room', 'text'),
  path('seat.floor', 'number'),
  path('seat.from', 'date'),
  path('devices.value', 'exact', { multi: true }),
  path('devices.type', 'text', { multi: true }),
  path('devices.primary', 'boolean', { multi: true }),
  path('devices.weight', 'number', { multi: true }),
  path('devices.bought', 'date', { multi: true }),
  path('userName', 'text', { own: false }),
  path('externalId', 'exact', { own: false }),
  path('title', 'text', { own: false }),
  path('active', 'boolean', { own: false }),
  path('id', 'exact', { own: false }),
  path('name.familyName', 'text', { own: false }),
  path('emails.value', 'text', { own: false, multi: true }),
  path('emails.primary', 'boolean', { own: false, multi: true }),
  path('meta.created', 'date', { own: false }),
  path('meta.location', 'exact', { own: false }),
];

const words = ['a', 'A', 'ab', 'aB', 'É', 'é', '%', '_b', '\\', '"', 'z', 'a b', '\u{1f600}', '\ufffd'];
const dates = [
  '2025-01-01T00:00:00Z',
  '2025-01-01T01:00:00+01:00',
  '2025-01-01T00:00:00',
  '2024-12-31T23:59:59.999Z',
  '2025-06-01T12:30:00.5-14:00',
  '2025-06-01T12:30:00.123Z',
  '0001-01-02T00:00:00Z',
];
const numbers = [-5, 0, 1, 2, 10, 1000];
const decimals = [-0.5, 0, 0.1, 1.5, 1e21, 3];
const binaries = ['YQ==', 'Yg==', 'YWI='];
const of = (kind: Kind, name: string): readonly (string | number | boolean)[] => {
  switch (kind) {
    case 'number':
      return name === 'score' || name === 'weight' ? decimals : numbers;
    case 'date':
      return dates;
    case 'boolean':
      return [true, false];
    case 'binary':
      return binaries;
    default:
      return words;
  }
};
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const one = (kind: Kind, name = '') => fc.constantFrom(...of(kind, name));
const several = (kind: Kind) => fc.array(one(kind), { maxLength: 3 });

const person = fc.record({
  title: some(one('text')),
  externalId: some(one('exact')),
  active: fc.boolean(),
  name: some(fc.record({ familyName: some(one('text')), givenName: fc.constant('g') })),
  emails: fc.array(fc.record({ value: one('text'), primary: some(fc.boolean()) }), { maxLength: 2 }),
  [urn]: fc.record({
    badge: some(one('exact')),
    nick: some(one('text')),
    level: some(one('number')),
    score: some(one('number', 'score')),
    since: some(one('date')),
    remote: some(fc.boolean()),
    link: some(one('exact')),
    key: some(one('binary')),
    tags: several('text'),
    marks: several('number'),
    days: several('date'),
    seat: some(fc.record({ room: some(one('text')), floor: some(one('number')), from: some(one('date')) })),
    devices: fc.array(
      fc.record({
        value: one('exact'),
        type: some(one('text')),
        primary: some(fc.boolean()),
        weight: some(one('number', 'weight')),
        bought: some(one('date')),
      }),
      { maxLength: 3 },
    ),
  }),
});

/** The values of a path, as the resource has them; absent ones are left out. */
function held(user: Body, { extension, name, sub, multi }: Path): readonly Body[] {
  const value = (extension ? user[urn] : user)?.[name];
  const all = value === undefined ? [] : multi ? value : [value];
  return sub === null ? all : all.map((element: Body) => element[sub]);
}

const instant = (text: string): number => Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text}Z`);
function comparable(kind: Kind, value: Body): Body {
  if (kind === 'date') return instant(value);
  return kind === 'text' ? String(value).toLowerCase() : value;
}
const byCodePoint = (a: Body, b: Body): number => {
  if (typeof a !== 'string') return Number(a > b) - Number(a < b);
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
};

type Op = 'eq' | 'ne' | 'co' | 'sw' | 'ew' | 'gt' | 'ge' | 'lt' | 'le';
const operators = {
  text: ['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le'],
  exact: ['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le'],
  number: ['eq', 'ne', 'gt', 'ge', 'lt', 'le'],
  date: ['eq', 'ne', 'gt', 'ge', 'lt', 'le'],
  boolean: ['eq', 'ne'],
  binary: ['eq', 'ne'],
} as const satisfies Record<Kind, readonly Op[]>;

function compares(kind: Kind, op: Op, value: Body, literal: Body): boolean {
  if (value === undefined) return op === 'ne';
  const [a, b] = [comparable(kind, value), comparable(kind, literal)];
  const sign = byCodePoint(a, b);
  switch (op) {
    case 'eq':
      return a === b;
    case 'ne':
      return a !== b;
    case 'co':
      return a.includes(b);
    case 'sw':
      return a.startsWith(b);
    case 'ew':
      return a.endsWith(b);
    case 'gt':
      return sign > 0;
    case 'ge':
      return sign >= 0;
    case 'lt':
      return sign < 0;
    case 'le':
      return sign <= 0;
  }
}

type Term = { readonly text: string; readonly holds: (user: Body) => boolean };
/** An element that does not say so is not primary (RFC 7643 §2.4). */
const stated = (at: Path, value: Body): Body => (at.sub === 'primary' ? (value ?? false) : value);

const comparison = (
  at: Path,
  name: string,
  values: (of: Body) => readonly Body[],
  single: boolean,
): fc.Arbitrary<Term> =>
  fc.tuple(fc.constantFrom(...operators[at.kind]), one(at.kind, at.sub ?? at.name)).map(([op, literal]) => ({
    text: `${name} ${op} ${JSON.stringify(literal)}`,
    holds: (subject: Body) => {
      const all = values(subject);
      // One value, or none; of several at least one has to satisfy it.
      if (single) return compares(at.kind, op, stated(at, all[0]), literal);
      return all.some((value) => compares(at.kind, op, stated(at, value), literal));
    },
  }));
const presence = (name: string, values: (of: Body) => readonly Body[]): fc.Arbitrary<Term> =>
  fc.constantFrom('pr', 'eq null', 'ne null').map((asked) => ({
    text: `${name} ${asked}`,
    holds: (subject: Body) => values(subject).some((value) => value !== undefined) === (asked !== 'eq null'),
  }));
const leafOf = (at: Path): fc.Arbitrary<Term> =>
  fc.oneof(
    { weight: 3, arbitrary: comparison(at, at.text, (user) => held(user, at), !at.multi) },
    { weight: 1, arbitrary: presence(at.text, (user) => held(user, at)) },
  );

const combined = (leaf: fc.Arbitrary<Term>, depth: number): fc.Arbitrary<Term> =>
  depth === 0
    ? leaf
    : fc.oneof(
        { weight: 3, arbitrary: leaf },
        {
          weight: 1,
          arbitrary: combined(leaf, depth - 1).map((term) => ({
            text: `not (${term.text})`,
            holds: (subject: Body) => !term.holds(subject),
          })),
        },
        {
          weight: 2,
          arbitrary: fc
            .tuple(combined(leaf, depth - 1), fc.constantFrom('and', 'or'), combined(leaf, depth - 1))
            .map(([a, op, b]) => ({
              text: `(${a.text} ${op} ${b.text})`,
              holds: (subject: Body) =>
                op === 'and' ? a.holds(subject) && b.holds(subject) : a.holds(subject) || b.holds(subject),
            })),
        },
      );

/** `devices[…]`: one element has to satisfy all. */
const valuePath = (name: string, multi: boolean): fc.Arbitrary<Term> => {
  const parts = paths.filter((at) => at.name === name);
  const leaf = fc.constantFrom(...parts).chain((at) => {
    const values = (element: Body): readonly Body[] => [element[at.sub as string]];
    return fc.oneof(comparison(at, at.sub as string, values, true), presence(at.sub as string, values));
  });
  return combined(leaf, 2).map(({ text, holds }) => ({
    text: `${urn}:${name}[${text}]`,
    holds: (user) => held(user, { ...(parts[0] as Path), sub: null, multi }).some(holds),
  }));
};

const filter = combined(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...paths).chain(leafOf) },
    { weight: 1, arbitrary: valuePath('devices', true) },
    { weight: 1, arbitrary: valuePath('seat', false) },
  ),
  3,
);

/** What a resource is sorted by (RFC 7644 §3.4.2.3): the primary element's value, else the first one's. */
function sortValue(user: Body, at: Path): Body {
  const whole = at.multi ? held(user, { ...at, sub: null }) : held(user, at);
  const element = at.multi ? (whole.find((item) => item?.primary === true) ?? whole[0]) : whole[0];
  const value = at.multi && at.sub !== null ? element?.[at.sub] : element;
  return value === undefined ? undefined : comparable(at.kind, value);
}

function sorted(users: readonly Body[], at: Path | null, descending: boolean): readonly Body[] {
  const order = users.toSorted((a, b) => {
    const [x, y] = at === null ? [0, 0] : [sortValue(a, at), sortValue(b, at)];
    const missing = Number(x === undefined) - Number(y === undefined);
    const sign = missing !== 0 ? missing : x === undefined ? 0 : byCodePoint(x, y);
    return sign === 0 ? byCodePoint(a.id, b.id) : sign;
  });
  return descending ? order.toReversed() : order;
}

let world: TestWorld;
let tenants: Acme;
let servers: NewServers;
let okta: DirectoryClient;
let users: readonly Body[];
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  servers = newServers(world);
  await setDirectory(world, tenants.okta, { schemas: [schema] });
  okta = await servers.of('okta', await newScimToken(world, tenants.acme, 'okta'));
  const bodies = fc.sample(person, { numRuns: 40, seed: 7 });
  const names = new Set<string>();
  for (const [index, body] of bodies.entries()) {
    // externalId is unique within a directory.
    const externalId =
      body.externalId === undefined || names.has(String(body.externalId)) ? undefined : body.externalId;
    names.add(String(externalId));
    const answer = await okta.post('/Users', {
      ...body,
      externalId,
      userName: `${words[index % words.length]}${index}`,
    });
    if (answer.status !== 201) throw new Error(answer.text);
  }
  users = (await okta.get('/Users?count=200')).body.Resources;
});
afterAll(async () => {
  await servers?.close();
  await world?.close();
});

async function walk(parameters: Readonly<Record<string, string>>): Promise<{ ids: string[]; totals: Set<number> }> {
  const ids: string[] = [];
  const totals = new Set<number>();
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const answer = await okta.post('/Users/.search', { ...parameters, cursor, attributes: ['id'] });
    if (answer.status !== 200) throw new Error(`${answer.text} ${JSON.stringify(parameters)}`);
    ids.push(...answer.body.Resources.map((user: Body) => user.id));
    totals.add(answer.body.totalResults);
    cursor = answer.body.nextCursor;
  }
  return { ids, totals };
}

test('RFC 7644 §3.4.2.2 any filter finds what it finds in the resources one by one', { timeout: 120_000 }, async () => {
  expect(users).toHaveLength(40);
  let found = 0;
  await fc.assert(
    fc.asyncProperty(filter, async ({ text, holds }) => {
      const expected = users.filter(holds).map((user) => user.id);
      const answer = await okta.post('/Users/.search', { filter: text, count: 200, attributes: ['id'] });
      expect([answer.status, answer.body.Resources?.map((user: Body) => user.id)]).toEqual([200, expected]);
      expect(answer.body.totalResults).toBe(expected.length);
      if (expected.length > 0 && expected.length < 40) found += 1;
    }),
    { numRuns: 250, seed: 11 },
  );
  // The filters are worth asking: most of them tell some from others.
  expect(found).toBeGreaterThan(100);
});

test('RFC 7644 §3.4.2.3 RFC 9865 §2 any order with any filter is the same by cursor as sorted here', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.option(fc.constantFrom(...paths), { freq: 8 }),
      fc.boolean(),
      fc.option(filter, { freq: 2 }),
      fc.constantFrom(3, 7, 40, 100),
      async (at, descending, term, count) => {
        const expected = sorted(term === null ? users : users.filter(term.holds), at, descending);
        const { ids, totals } = await walk({
          ...(at === null ? {} : { sortBy: at.text }),
          sortOrder: descending ? 'descending' : 'ascending',
          ...(term === null ? {} : { filter: term.text }),
          count: String(count),
        });
        expect(ids).toEqual(expected.map((user) => user.id));
        expect([...totals]).toEqual([expected.length]);
      },
    ),
    { numRuns: 80, seed: 13 },
  );
});

test('a schema that changes its mind about types makes no value an error', async () => {
  const types = ['string', 'integer', 'dateTime', 'boolean', 'decimal', 'complex'];
  const turned = schema.attributes.map((declared, index) => {
    const type = types[index % types.length] ?? 'string';
    const subAttributes = type === 'complex' ? [attribute('value', 'dateTime'), attribute('primary', 'integer')] : [];
    return { ...declared, type, multiValued: !declared.multiValued, subAttributes };
  });
  await setDirectory(world, tenants.okta, { schemas: [{ ...schema, attributes: turned }] });
  const client = await servers.of('okta', okta.token);
  for (const { name, type } of turned) {
    const sub = type === 'complex' ? '.value' : '';
    const literal = { string: '"a"', boolean: 'true', integer: '1', decimal: '0.5' }[type] ?? `"${dates[0]}"`;
    for (const filter of [`${name} pr`, `${name}${sub} eq ${literal}`, `not (${name}${sub} ne ${literal})`]) {
      const answer = await client.post('/Users/.search', { filter, sortBy: `${urn}:${name}`, count: 1 });
      expect([answer.status, filter, answer.text]).toEqual([200, filter, expect.any(String)]);
    }
  }
});
