// RFC 7643, section by section: what is said of itself, and what is made of resources like those of its §8.

import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import { enterpriseUrn, groupSchemaUrn, userSchemaUrn } from '../support/urns.ts';

const example = (file: string): Body =>
  JSON.parse(readFileSync(new URL(`rfc7643/${file}.json`, import.meta.url), 'utf8'));

let okta: DirectoryClient;
beforeAll(async () => {
  const stage = await scimStage();
  ({ okta } = stage);
  return stage.close;
});

let serial = 0;
const fresh = () => `reader${++serial}`;
const refusedAs = (answer: Answer) => [answer.status, answer.body?.scimType ?? null];
const post = (more: Body) => okta.post('/Users', userBody(fresh(), more));
async function stored(more: Body): Promise<Body> {
  const { status, text, body } = await post(more);
  if (status !== 201) throw new Error(text);
  expect((await okta.get(`/Users/${body.id}`)).body).toEqual(body);
  return body;
}

describe('resources like those of RFC 7643 §8', () => {
  /** What a server makes itself, and what it is not told: a password is kept by nobody here. */
  const sent = ({ id, meta, groups, password, ...rest }: Body): Body => rest;

  test.each(['user-minimal', 'user-full', 'user-enterprise'])(
    '§8.1-8.3 %s is given back value by value',
    async (file) => {
      const body = { ...example(file), userName: fresh(), externalId: fresh() };
      const emails = body.emails?.map((email: Body) => ({ ...email, value: `${fresh()}@elsewhere.example` }));
      const answer = await okta.post('/Users', emails === undefined ? body : { ...body, emails });
      const expected = sent(emails === undefined ? body : { ...body, emails });
      // Read-only, and not the client's to say (§4.3).
      if (expected[enterpriseUrn] !== undefined) delete expected[enterpriseUrn].manager.displayName;
      const { id, meta, ...given } = (await okta.get(`/Users/${answer.body.id}`)).body;
      expect([answer.status, given]).toEqual([201, { active: true, ...expected }]);
      expect([id, meta.resourceType]).toEqual([answer.body.id, 'User']);
      expect(answer.text).not.toContain('c0rrect');
    },
  );

  test('§8.4 a group is given back with its members', async () => {
    const members = [(await stored({})).id, (await stored({})).id];
    const group = { ...example('group'), displayName: fresh() };
    const answer = await okta.post('/Groups', {
      ...group,
      members: group.members.map((member: Body, index: number) => ({
        ...member,
        value: members[index],
        $ref: undefined,
      })),
    });
    expect([answer.status, answer.body.schemas, answer.body.displayName]).toEqual([
      201,
      [groupSchemaUrn],
      group.displayName,
    ]);
    expect(answer.body.members.map(({ value, $ref }: Body) => [value, $ref]).sort()).toEqual(
      members.map((id) => [id, `${okta.base}/Users/${id}`]).sort(),
    );
    expect(answer.body.id).not.toBe(group.id);
  });
});

describe('§8.7.1 the schemas', () => {
  /** What the standard's list says beside the defaults of §2.2, as far as it is more than words. */
  const characteristics = example('characteristics') as Record<string, Record<string, Body>>;
  const byDefault = {
    type: 'string',
    multiValued: false,
    required: false,
    caseExact: false,
    mutability: 'readWrite',
    returned: 'default',
    uniqueness: 'none',
  };

  /** Where ours say something else than the standard's list, and why. */
  const departures: Record<string, Body> = {
    // §2.3.6, §2.3.7: a binary and a reference are case exact.
    'x509Certificates.value': { caseExact: true },
    profileUrl: { caseExact: true },
    'photos.value': { caseExact: true },
    // No member of a group is a group here; erratum 8471: a user's groups are none of them users.
    'groups.$ref': { caseExact: true, referenceTypes: ['Group'] },
    'members.$ref': { caseExact: true, referenceTypes: ['User'] },
    'members.type': { canonicalValues: ['User'] },
    'manager.$ref': { caseExact: true },
    // Erratum 8472: the id of a resource is case exact.
    'manager.value': { caseExact: true },
  };
  const departuresOf = (urn: string): Record<string, Body> =>
    // §4.2 and erratum 5368: REQUIRED. Unique within its directory.
    urn === groupSchemaUrn ? { ...departures, displayName: { required: true, uniqueness: 'server' } } : departures;

  const flat = (attributes: Body[], above = ''): [string, Body][] =>
    attributes.flatMap(({ name, description: _, subAttributes = [], ...rest }) => [
      [above + name, rest] as [string, Body],
      ...flat(subAttributes, `${above}${name}.`),
    ]);
  /** These say nothing of complex values and of booleans; the standard's list says it of some. */
  const telling = ({ type, caseExact, uniqueness, ...rest }: Body): Body => ({
    type,
    ...rest,
    ...(type === 'complex' || type === 'boolean' ? {} : { caseExact, uniqueness }),
  });

  test.each(Object.keys(characteristics))(
    '%s has the attributes and characteristics that the standard lists',
    async (urn) => {
      const { body } = await okta.get(`/Schemas/${urn}`);
      const ours = new Map(flat(body.attributes).map(([path, is]) => [path, telling(is)]));
      const expected = new Map(
        Object.entries(characteristics[urn] ?? {})
          // No password is taken from a directory, so none is offered.
          .filter(([path]) => path !== 'password')
          .map(([path, is]) => [path, telling({ ...byDefault, ...is, ...departuresOf(urn)[path] })]),
      );
      // Made by the server from the member's own name; in the standard's examples, not in its list.
      if (urn === groupSchemaUrn) {
        expect(ours.get('members.display')).toMatchObject({ mutability: 'readOnly', type: 'string' });
        ours.delete('members.display');
      }
      // §2.4: one of several addresses may be the primary one, as the example of §8.2 has it and the list does not.
      if (urn === userSchemaUrn) {
        expect(ours.get('addresses.primary')).toMatchObject({ type: 'boolean', mutability: 'readWrite' });
        ours.delete('addresses.primary');
      }
      expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(expected));
    },
  );
});

describe('§2 attributes', () => {
  test('§2.1 names are case-insensitive; one in two spellings is refused', async () => {
    const body = await stored({
      DISPLAYNAME: undefined,
      NickName: 'N',
      eMails: undefined,
      PHONENUMBERS: [{ VALUE: '1' }],
    });
    expect([body.nickName, body.phoneNumbers]).toEqual(['N', [{ value: '1' }]]);
    expect(refusedAs(await post({ title: 'a', Title: 'b' }))).toEqual([400, 'invalidSyntax']);
  });

  test.each([
    ['§2.3.1 a string', { title: 1 }],
    ['§2.3.1 a string', { title: true }],
    ['§2.3.1 a string', { title: ['a'] }],
    ['§2.3.2 a boolean', { active: 'on' }],
    ['§2.3.2 a boolean', { active: 0 }],
    ['§2.3.2 a boolean', { emails: [{ value: 'a@b.example', primary: 'yes' }] }],
    ['§2.3.6 a binary', { x509Certificates: [{ value: 'MII=C' }] }],
    ['§2.3.6 a binary', { x509Certificates: [{ value: 'ÄÖ' }] }],
    ['§2.3.6 a binary', { x509Certificates: [{ value: 'A' }] }],
    ['§2.3.7 a reference', { profileUrl: 7 }],
    ['§2.3.7 a reference', { photos: [{ value: {} }] }],
    ['§2.3.8 a complex value', { name: 'Barbara Jensen' }],
    ['§2.3.8 a complex value', { name: [], addresses: ['Street 1'] }],
    ['§2.4 a list of complex values', { phoneNumbers: [7] }],
  ])('%s of another JSON type is 400 invalidValue: %j', async (_, more) =>
    expect(refusedAs(await post(more))).toEqual([400, 'invalidValue']),
  );

  test('§2.3.6 base64 may be without padding, or URL-safe, and stays as it was sent', async () => {
    const x509Certificates = [{ value: 'AQI=' }, { value: 'AQI' }, { value: '_-8' }];
    expect((await stored({ x509Certificates })).x509Certificates).toEqual(x509Certificates);
  });

  test('§2.4 a type beside the canonical ones is taken as it is', async () => {
    const phoneNumbers = [
      { value: '1', type: 'satellite' },
      { value: '2', type: 'Work' },
    ];
    expect((await stored({ phoneNumbers })).phoneNumbers).toEqual(phoneNumbers);
  });

  test('§2.4 primary is true of one value at most: of the last that says so', async () => {
    const phoneNumbers = [
      { value: '1', primary: true },
      { value: '2', primary: true },
    ];
    expect((await stored({ phoneNumbers })).phoneNumbers).toEqual([
      { value: '1', primary: false },
      { value: '2', primary: true },
    ]);
  });

  test('§2.4 the same pair of type and value is not returned twice', async () => {
    const ims = [
      { value: 'x', type: 'aim' },
      { value: 'x', type: 'icq' },
      { value: 'x', type: 'aim', display: 'X' },
    ];
    expect((await stored({ ims })).ims).toEqual([
      { value: 'x', type: 'aim', display: 'X' },
      { value: 'x', type: 'icq' },
    ]);
  });

  test('§2.5 null, an empty list and no value at all are the same: unassigned, and not returned', async () => {
    const body = await stored({
      title: null,
      nickName: '',
      phoneNumbers: [],
      ims: null,
      name: { givenName: null },
      addresses: [{}],
    });
    for (const name of ['title', 'nickName', 'phoneNumbers', 'ims', 'name', 'addresses'])
      expect(body).not.toHaveProperty(name);
    const gone = await okta.put(`/Users/${body.id}`, { ...body, displayName: null });
    expect(gone.body).not.toHaveProperty('displayName');
  });
});

describe('§3 resources', () => {
  test('§3 schemas names the extensions that there are values of, each once', async () => {
    const schemas = [userSchemaUrn, enterpriseUrn, enterpriseUrn];
    expect((await stored({ schemas })).schemas).toEqual([userSchemaUrn]);
    expect((await stored({ schemas, [enterpriseUrn]: { department: 'D' } })).schemas).toEqual([
      userSchemaUrn,
      enterpriseUrn,
    ]);
  });

  test('§3 a body whose schemas name none of the resource is refused', async () => {
    for (const schemas of [
      [groupSchemaUrn],
      ['urn:example:other'],
      [enterpriseUrn.toUpperCase().slice(1)],
      [5],
      userSchemaUrn.slice(1),
    ]) {
      expect([schemas, ...refusedAs(await post({ schemas }))]).toEqual([schemas, 400, 'invalidSyntax']);
    }
  });

  test('§3 attributes that no schema has are passed over', async () => {
    const body = await stored({
      nothing: 1,
      'urn:example:nothing:1.0': { a: 1 },
      name: { givenName: 'G', nothing: 1 },
    });
    expect([body.nothing, body['urn:example:nothing:1.0'], body.name]).toEqual([
      undefined,
      undefined,
      { givenName: 'G' },
    ]);
  });

  test('§3.1 id and meta are the server’s: what a client says of them is passed over', async () => {
    const meta = {
      resourceType: 'Group',
      created: '2001-01-01T00:00:00Z',
      location: 'https://evil.example',
      version: 'W/"9"',
    };
    const body = await stored({ id: 'mine', meta });
    expect(body.id).not.toBe('mine');
    expect(body.meta).toMatchObject({
      resourceType: 'User',
      location: `${okta.base}/Users/${body.id}`,
      version: 'W/"1"',
    });
    const answer = await okta.put(`/Users/${body.id}`, { ...body, id: 'other', meta, title: 'T' });
    expect([answer.body.id, answer.body.meta.created, answer.headers.get('etag')]).toEqual([
      body.id,
      body.meta.created,
      'W/"2"',
    ]);
    expect(answer.body.meta.version).toBe('W/"2"');
  });

  test('§3.1 created and lastModified are dateTimes, and the second goes with a change alone', async () => {
    const body = await stored({});
    expect(body.meta.created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect((await okta.put(`/Users/${body.id}`, body)).body.meta).toEqual(body.meta);
  });

  test('§3.1 externalId is case exact', async () => {
    const { externalId } = await stored({});
    const found = async (text: string) =>
      (await okta.get(`/Users?filter=${encodeURIComponent(`externalId eq "${text}"`)}`)).body.totalResults;
    expect([await found(externalId), await found(externalId.toUpperCase())]).toEqual([1, 0]);
  });

  test('§4.1.1 userName is required, not empty, and unique in any case', async () => {
    expect(refusedAs(await post({ userName: undefined }))).toEqual([400, 'invalidValue']);
    expect(refusedAs(await post({ userName: ' ' }))).toEqual([400, 'invalidValue']);
    const { userName } = await stored({});
    expect(refusedAs(await post({ userName: userName.toUpperCase() }))).toEqual([409, 'uniqueness']);
  });

  test('§4.1.2 groups are read-only: no body puts anybody into one', async () => {
    const { body: group } = await okta.post('/Groups', { displayName: fresh() });
    expect(await stored({ groups: [{ value: group.id }] })).not.toHaveProperty('groups');
  });

  test('§4.2 displayName of a group is required', async () => {
    for (const displayName of [undefined, null, '', ' ']) {
      expect(refusedAs(await okta.post('/Groups', { displayName }))).toEqual([400, 'invalidValue']);
    }
  });

  test('§4.3 the manager is kept as it was sent, without the name that is read-only', async () => {
    const manager = { value: 'no-uuid', $ref: '../Users/no-uuid', displayName: 'Boss' };
    const body = await stored({ [enterpriseUrn]: { manager } });
    expect(body[enterpriseUrn].manager).toEqual({ value: 'no-uuid', $ref: '../Users/no-uuid' });
  });
});
