// Bulks: nested, cyclic, large, with paths that lead elsewhere.

import { anyId, group, mutated, patch, user } from './bodies.ts';
import { ENTERPRISE } from './filters.ts';
import { type Json, junkJson, junkText, objectOf } from './junk.ts';
import type { Known } from './known.ts';
import type { Random } from './random.ts';

const SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';

const paths = [
  '/Users',
  'Users',
  '/Groups',
  '/Users/bulkId:b0',
  '/Groups/bulkId:b1',
  '/Users/bulkId:',
  '/Users/bulkId:none',
  '/Bulk',
  '/Me',
  '/',
  '',
  '/Users/../Groups',
  '/Users/%2e%2e/Groups',
  '/Users//',
  '/Users/.search',
  '/users',
  '//evil.example/Users',
  'https://evil.example/scim/v2/other/okta/Users',
  '/scim/v2/other/okta/Users',
  '/../../other/okta/Users',
  '/Users?attributes=userName',
  '/Users#x',
  '/Schemas',
  '/ServiceProviderConfig',
] as const;

function operation(random: Random, known: Known, index: number): Json {
  const method = random.pick([
    'POST',
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    random.oneIn(5) ? junkText(random) : 'POST',
    'GET',
    'post',
  ]);
  const place = random.oneIn(4)
    ? random.pick(paths)
    : method === 'POST'
      ? random.pick(['/Users', '/Groups'])
      : `${random.pick(['/Users', '/Groups'])}/${anyId(random, known)}`;
  const made =
    method === 'PATCH' ? patch(random, known) : place.includes('Group') ? group(random, known) : user(random, known);
  const members: (readonly [string, Json])[] = [
    ['method', method],
    ['path', place],
    ['bulkId', random.oneIn(6) ? junkText(random) : `b${random.oneIn(8) ? 0 : index}`],
    ['data', random.oneIn(4) ? mutated(random, made) : made],
  ];
  if (random.oneIn(6)) members.push(['version', random.pick(['W/"1"', '*', '"1"', junkText(random)])]);
  if (random.oneIn(8)) members.push([junkText(random), junkJson(random)]);
  return objectOf(members.filter(() => !random.oneIn(14)));
}

const refer = (to: string) => `bulkId:${to}`;
const made = (bulkId: string, path: string, data: Json) => ({ method: 'POST', path, bulkId, data });
const members = (...ids: readonly string[]) => ids.map((value) => ({ value }));

/** References that lead in circles, to themselves, to nobody, or through thousands. */
const tangles: readonly ((random: Random, known: Known) => readonly Json[])[] = [
  (random, known) => [
    made('b0', '/Groups', { ...(group(random, known) as object), members: members(refer('b1')) } as Json),
    made('b1', '/Groups', { ...(group(random, known) as object), members: members(refer('b0')) } as Json),
  ],
  (random, known) => [
    made('b0', '/Groups', { ...(group(random, known) as object), members: members(refer('b0')) } as Json),
  ],
  (random, known) => {
    const size = random.pick([3, 50, 400]);
    return Array.from({ length: size }, (_, index) => {
      const manager = { value: refer(`b${(index + 1) % size}`) };
      return made(`b${index}`, '/Users', { ...(user(random, known) as object), [ENTERPRISE]: { manager } } as Json);
    });
  },
  (random, known) => [
    made('b0', '/Users', user(random, known)),
    { method: 'DELETE', path: `/Users/${refer('b0')}` },
    { method: 'PATCH', path: `/Users/${refer('b0')}`, data: patch(random, known) },
    made('b0', '/Users', user(random, known)),
  ],
  (random, known) => [
    made('b0', '/Bulk', { schemas: [SCHEMA], Operations: [made('b1', '/Users', user(random, known))] } as Json),
  ],
  (random, known) =>
    Array.from({ length: random.pick([999, 1_000, 1_001]) }, (_, index) =>
      made(`b${index}`, '/Users', index % 2 === 0 ? user(random, known) : {}),
    ),
  (random, known) => [
    made('b0', '/Groups', {
      ...(group(random, known) as object),
      members: members(...Array.from({ length: 5_000 }, (_, index) => refer(`b${index}`))),
    } as Json),
  ],
];

export function bulk(random: Random, known: Known): Json {
  const operations = random.oneIn(5)
    ? random.pick(tangles)(random, known)
    : Array.from({ length: random.pick([1, 2, 5, 20]) }, (_, index) => operation(random, known, index));
  return objectOf([
    ['schemas', [SCHEMA]],
    ...(random.oneIn(3) ? [['failOnErrors', random.pick<Json>([1, 2, 0, -1, 1.5, '1', null, 1e308])] as const] : []),
    ['Operations', operations],
  ]);
}
