// scimmy as the reader of our answers: what its schemas refuse, a receiver built on it would refuse too. Its PATCH is applied beside
// ours, and both should come to the same.

import { isDeepStrictEqual } from 'node:util';
import SCIMMY from 'scimmy';
import type { Directory } from './directories.ts';
import type { Found } from './verdict.ts';

type Json = Record<string, unknown>;

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

/** A value for every attribute that RFC 7643 §4.1 and §4.3 let a client write. */
const wholeUser = (userName: string): Json => ({
  schemas: [USER, ENTERPRISE],
  userName,
  externalId: `external-${userName}`,
  name: {
    formatted: 'Ms. Barbara J Jensen, III',
    familyName: 'Jensen',
    givenName: 'Barbara',
    middleName: 'Jane',
    honorificPrefix: 'Ms.',
    honorificSuffix: 'III',
  },
  displayName: 'Babs Jensen',
  nickName: 'Babs',
  profileUrl: 'https://login.example/babs',
  title: 'Tour Guide',
  userType: 'Employee',
  preferredLanguage: 'en-US',
  locale: 'en-US',
  timezone: 'America/Los_Angeles',
  active: true,
  emails: [
    { value: `${userName}@work.example`, type: 'work', primary: true, display: 'Work' },
    { value: `${userName}@home.example`, type: 'home' },
  ],
  phoneNumbers: [{ value: 'tel:+1-201-555-0123', type: 'work' }],
  ims: [{ value: 'someaimhandle', type: 'aim' }],
  photos: [{ value: 'https://photos.example/babs.jpg', type: 'photo' }],
  addresses: [
    {
      type: 'work',
      streetAddress: '100 Universal City Plaza',
      locality: 'Hollywood',
      region: 'CA',
      postalCode: '91608',
      country: 'US',
      formatted: '100 Universal City Plaza\nHollywood, CA 91608 USA',
      primary: true,
    },
  ],
  entitlements: [{ value: 'badge', type: 'door' }],
  // Without a type: scimmy knows of none for roles, whatever RFC 7643 §4.1.2 leaves open.
  roles: [{ value: 'guide', display: 'Guide', primary: true }],
  x509Certificates: [{ value: 'MIIDQzCCAqygAwIBAgICEAAwDQYJKoZIhvcNAQEFBQAwTjELMAkGA1UEBhMCVVM=' }],
  [ENTERPRISE]: {
    employeeNumber: '701984',
    costCenter: '4130',
    organization: 'Universal Studios',
    division: 'Theme Park',
    department: 'Tour Operations',
  },
});

const patches: Readonly<Record<string, readonly Json[]>> = {
  'add to a list': [{ op: 'add', path: 'phoneNumbers', value: [{ value: '+49 1', type: 'mobile' }] }],
  'add without a path': [{ op: 'add', value: { title: 'Lead', name: { middleName: 'M' } } }],
  'replace a sub-attribute': [{ op: 'replace', path: 'name.familyName', value: 'Voss' }],
  'replace by filter': [{ op: 'replace', path: 'emails[type eq "home"].value', value: 'new@home.example' }],
  'replace without a path': [{ op: 'replace', value: { displayName: 'New', active: false } }],
  'remove by filter': [{ op: 'remove', path: 'emails[type eq "home"]' }],
  'remove a list': [{ op: 'remove', path: 'phoneNumbers' }],
  'in their order': [
    { op: 'add', path: 'emails', value: [{ value: 'o@x.example', type: 'other' }] },
    { op: 'replace', path: 'emails[type eq "other"].value', value: 'o2@x.example' },
    { op: 'remove', path: 'nickName' },
  ],
};

export async function scimmyParser(directory: Directory): Promise<readonly Found[]> {
  const found: Found[] = [];
  const check = async (name: string, body: () => Promise<void>) => {
    try {
      await body();
      found.push({ check: name, outcome: 'passed', detail: '' });
    } catch (error) {
      found.push({ check: name, outcome: 'failed', detail: String(error instanceof Error ? error.message : error) });
    }
  };
  const send = async (method: string, path: string, body?: Json): Promise<Json> => {
    const answer = await fetch(`${directory.baseUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${directory.token}`, 'content-type': 'application/scim+json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await answer.json()) as Json;
  };
  SCIMMY.Schemas.User.definition.extend(SCIMMY.Schemas.EnterpriseUser.definition, false);
  const readUser = (user: Json) => new SCIMMY.Schemas.User(structuredClone(user), 'both');

  await check('a user with every attribute is read without complaint, and holds what was sent', async () => {
    const sent = wholeUser('whole');
    const created = await send('POST', '/Users', sent);
    for (const [name, value] of Object.entries(sent)) same(value, created[name], name);
    same(plain(created, 'meta'), plain(readUser(created), 'meta'), 'as scimmy reads it');
    same(created, await send('GET', `/Users/${created.id}`), 'as it is read again');
  });
  await check('a list is a ListResponse of users', async () => {
    const list = await send('GET', '/Users?startIndex=1&count=10');
    const read = new SCIMMY.Messages.ListResponse(list as never) as unknown as Json;
    same(list.totalResults, read.totalResults, 'totalResults');
    for (const user of list.Resources as readonly Json[]) readUser(user);
  });
  await check('a group is read without complaint', async () => {
    const { id } = await send('POST', '/Users', wholeUser('member'));
    const group = await send('POST', '/Groups', { schemas: [GROUP], displayName: 'Guides', members: [{ value: id }] });
    const read = new SCIMMY.Schemas.Group(structuredClone(group) as never, 'both');
    same(plain(group, 'meta'), plain(read, 'meta'), 'as scimmy reads it');
  });
  await check('what the server says of itself is read without complaint', async () => {
    const config = await send('GET', '/ServiceProviderConfig');
    const read = new SCIMMY.Schemas.ServiceProviderConfig(structuredClone(config) as never, 'both');
    same(config.patch, plain(read).patch, 'patch');
    const types = await send('GET', '/ResourceTypes');
    for (const type of types.Resources as readonly Json[]) new SCIMMY.Schemas.ResourceType(type as never, 'both');
  });
  for (const [name, method, path, body] of [
    ['404', 'GET', '/Users/none', undefined],
    ['400 invalidFilter', 'GET', '/Users?filter=userName', undefined],
    ['400 invalidValue', 'POST', '/Users', { schemas: [USER] }],
    ['409 uniqueness', 'POST', '/Users', wholeUser('whole')],
  ] as const) {
    await check(`the error ${name} has a status and a keyword of RFC 7644 §3.12 that belong together`, async () => {
      const { schemas, ...error } = await send(method, path, body);
      same(['urn:ietf:params:scim:api:messages:2.0:Error'], schemas, 'schemas');
      const read = new SCIMMY.Messages.ErrorResponse(error as never);
      same(name, [read.status, read.scimType].filter(Boolean).join(' '), 'error');
    });
  }
  for (const [name, operations] of Object.entries(patches)) {
    await check(`patch: ${name}`, async () => {
      const before = await send('POST', '/Users', wholeUser(`patch-${name.replaceAll(' ', '-')}`));
      const request = { schemas: [PATCH], Operations: operations };
      const applied = new SCIMMY.Messages.PatchOp(structuredClone(request) as never);
      const expected =
        (await applied.apply(readUser(before) as never, async (user: unknown) => user as never)) ?? before;
      const answered = await send('PATCH', `/Users/${before.id}`, request);
      same(plain(expected, 'meta'), plain(answered, 'meta'), 'the user');
    });
  }
  return found;
}

/** As JSON would have it, without some of its members. */
function plain(value: unknown, ...without: readonly string[]): Json {
  const copy = JSON.parse(JSON.stringify(value)) as Json;
  for (const name of without) delete copy[name];
  return copy;
}

function same(expected: unknown, actual: unknown, what: string): void {
  if (isDeepStrictEqual(expected, actual)) return;
  throw new Error(`${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(actual)}`);
}
