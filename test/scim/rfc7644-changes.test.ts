// RFC 7644 §3.5, sentence by sentence: what PUT and PATCH do to a resource.

import { beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import { enterpriseUrn, patchUrn, userSchemaUrn } from '../support/urns.ts';

let okta: DirectoryClient;
beforeAll(async () => {
  const stage = await scimStage();
  ({ okta } = stage);
  return stage.close;
});

let serial = 0;
const refusedAs = (answer: Answer) => [answer.status, answer.body?.scimType ?? null];
const at = ({ id }: Body) => `/Users/${id}`;
async function made(more: Body = {}): Promise<Body> {
  const answer = await okta.post('/Users', userBody(`changed${++serial}`, more));
  if (answer.status !== 201) throw new Error(answer.text);
  return answer.body;
}
/** The user after a PATCH that has to succeed. */
async function patched(user: Body, ...operations: object[]): Promise<Body> {
  const { status, text, body } = await okta.patch(at(user), ...operations);
  if (status !== 200) throw new Error(text);
  expect((await okta.get(at(user))).body).toEqual(body);
  return body;
}
/** The refusal of a PATCH, which has to leave the user as they were. */
async function refused(user: Body, ...operations: object[]): Promise<readonly unknown[]> {
  const answer = await okta.patch(at(user), ...operations);
  expect((await okta.get(at(user))).body).toEqual(user);
  return refusedAs(answer);
}
const work = { type: 'work', value: '1', primary: true };
const home = { type: 'home', value: '2' };
const fax = { type: 'fax', value: '3' };
const address = { type: 'work', streetAddress: 'S', locality: 'L', postalCode: 'P' };

describe('§3.5.1 PUT', () => {
  test('values that it provides replace those that are there; what it leaves out is cleared', async () => {
    const user = await made({ title: 'T', nickName: 'N', phoneNumbers: [work, home] });
    const { title, phoneNumbers, ...rest } = user;
    const { status, body } = await okta.put(at(user), { ...rest, nickName: 'M', phoneNumbers: [fax] });
    expect([status, body.nickName, body.title, body.phoneNumbers]).toEqual([200, 'M', undefined, [fax]]);
    expect((await okta.get(at(user))).body).toEqual(body);
  });

  test('values of what is read-only are ignored', async () => {
    const user = await made();
    const { body } = await okta.put(at(user), { ...user, id: 'x', meta: {}, groups: [{ value: 'g' }], title: 'T' });
    expect([body.id, body.groups, body.meta.location, body.title]).toEqual([
      user.id,
      undefined,
      user.meta.location,
      'T',
    ]);
  });

  test('what is required has to be there', async () => {
    const { userName, ...rest } = await made();
    expect(refusedAs(await okta.put(at(rest), rest))).toEqual([400, 'invalidValue']);
  });

  test('makes nobody: an id that is not there is 404', async () => {
    const answer = await okta.put('/Users/0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5eff', userBody('nobody'));
    expect(answer.status).toBe(404);
  });

  test('the same again changes neither version nor time (I6)', async () => {
    const user = await made({ title: 'T' });
    expect((await okta.put(at(user), user)).body).toEqual(user);
  });
});

describe('§3.5.2 PATCH', () => {
  test('its body names PatchOp in schemas and has at least one operation, each with an op of three', async () => {
    const user = await made();
    const schemas = [patchUrn];
    const operation = { op: 'add', path: 'title', value: 'T' };
    for (const body of [
      { schemas: [userSchemaUrn], Operations: [operation] },
      { schemas, Operations: [] },
      { schemas },
      { schemas, Operations: operation },
      { schemas, Operations: [{ ...operation, op: 'move' }] },
      { schemas, Operations: [{ path: 'title', value: 'T' }] },
    ]) {
      expect([body, ...refusedAs(await okta.call('PATCH', at(user), body))]).toEqual([body, 400, 'invalidSyntax']);
    }
    expect((await okta.get(at(user))).body).toEqual(user);
  });

  test.each([['userName', 'title', 'name.givenName', 'emails', `${userSchemaUrn}:title`]])(
    'its path names an attribute, a part of one, or one by its URN',
    async (...paths) => {
      for (const path of paths) {
        const user = await made({ name: { givenName: 'G', familyName: 'F' } });
        const value = path === 'emails' ? [{ value: `x${++serial}@acme.example` }] : `v${++serial}`;
        expect((await okta.patch(at(user), { op: 'replace', path, value })).status).toBe(200);
      }
    },
  );

  test.each([
    '',
    'nothing',
    'name.nothing',
    'title.x',
    'emails[',
    'emails[type eq "work"',
    'emails[type eq "work"]value',
    'a b',
    '.title',
    `${enterpriseUrn}:nothing`,
    'urn:example:x:title',
  ])('a path that is none, or names nothing, is 400 invalidPath or invalidFilter: %j', async (path) => {
    const [status, scimType] = await refused(await made(), { op: 'replace', path, value: 'x' });
    expect([status, ['invalidPath', 'invalidFilter'].includes(String(scimType))]).toEqual([400, true]);
  });

  test('all operations are applied in order, or none', async () => {
    const user = await made({ title: 'T' });
    const title = { op: 'replace', path: 'title', value: 'U' };
    expect(await refused(user, title, { op: 'replace', path: 'active', value: 'perhaps' })).toEqual([
      400,
      'invalidValue',
    ]);
    expect(await refused(user, { op: 'remove', path: 'title' }, { op: 'add', path: 'nothing', value: 1 })).toEqual([
      400,
      'invalidPath',
    ]);
    expect((await patched(user, title, { op: 'remove', path: 'title' }, { ...title, value: 'V' })).title).toBe('V');
  });

  test('what is read-only is not changed: 400 mutability', async () => {
    const user = await made();
    for (const operation of [
      { op: 'replace', path: 'id', value: 'x' },
      { op: 'add', path: 'meta.version', value: 'W/"9"' },
      { op: 'remove', path: 'meta' },
      { op: 'add', path: 'groups', value: [{ value: 'g' }] },
      { op: 'replace', value: { id: 'x' } },
      { op: 'replace', path: `${enterpriseUrn}:manager.displayName`, value: 'Boss' },
      { op: 'remove', path: 'schemas' },
      { op: 'add', path: 'schemas', value: ['urn:example:other'] },
    ]) {
      expect([operation, ...(await refused(user, operation))]).toEqual([operation, 400, 'mutability']);
    }
  });

  test('schemas follows from what there is: to add or remove what it says changes nothing, values do', async () => {
    const user = await made();
    expect(await patched(user, { op: 'add', path: 'schemas', value: [enterpriseUrn] })).toEqual(user);
    const extended = await patched(user, { op: 'add', path: `${enterpriseUrn}:department`, value: 'D' });
    expect(extended.schemas).toEqual([userSchemaUrn, enterpriseUrn]);
    expect((await patched(user, { op: 'remove', path: `${enterpriseUrn}:department` })).schemas).toEqual([
      userSchemaUrn,
    ]);
  });

  test('to make one value primary makes the others not primary, by add, by replace and by a part', async () => {
    const all = { phoneNumbers: [work, home, fax] };
    const primaries = async (operation: object) =>
      (await patched(await made(all), operation)).phoneNumbers.map(({ type, primary = false }: Body) => [
        type,
        primary,
      ]);
    const onlyHome = [
      ['work', false],
      ['home', true],
      ['fax', false],
    ];
    expect(await primaries({ op: 'replace', path: 'phoneNumbers[type eq "home"].primary', value: true })).toEqual(
      onlyHome,
    );
    expect(await primaries({ op: 'add', path: 'phoneNumbers', value: [{ ...home, primary: true }] })).toEqual(onlyHome);
    const whole = { op: 'replace', path: 'phoneNumbers[type eq "home"]', value: { ...home, primary: true } };
    expect(await primaries(whole)).toEqual(onlyHome);
    const pager = { type: 'pager', value: '4', primary: true };
    expect(await primaries({ op: 'add', path: 'phoneNumbers', value: [pager] })).toEqual([
      ['work', false],
      ['home', false],
      ['fax', false],
      ['pager', true],
    ]);
  });

  test('answers 200 with the whole resource, or with the attributes that the request asks for', async () => {
    const user = await made();
    const operation = { op: 'add', path: 'title', value: 'T' };
    const answer = await okta.patch(`${at(user)}?attributes=title`, operation);
    expect([answer.status, answer.body]).toEqual([200, { schemas: user.schemas, id: user.id, title: 'T' }]);
    expect(answer.headers.get('etag')).toBe('W/"2"');
  });
});

describe('§3.5.2.1 add', () => {
  test('without a value is 400', async () => {
    expect((await refused(await made(), { op: 'add', path: 'title' }))[0]).toBe(400);
  });

  test('without a path, its value is a set of attributes to be added', async () => {
    const user = await made({ title: 'T' });
    const value = {
      nickName: 'N',
      title: 'U',
      emails: [{ type: 'home', value: `h${++serial}@acme.example` }],
      name: { middleName: 'M' },
    };
    const body = await patched(user, { op: 'add', value });
    expect([body.nickName, body.title, body.name]).toEqual(['N', 'U', { ...user.name, middleName: 'M' }]);
    expect(body.emails).toEqual([...user.emails, ...value.emails]);
    expect(await refused(body, { op: 'add', value: 'T' })).toEqual([400, 'invalidValue']);
  });

  test('a target that does not exist comes into being with the value', async () => {
    const body = await patched(
      await made(),
      { op: 'add', path: 'title', value: 'T' },
      { op: 'add', path: 'ims', value: [{ value: 'i' }] },
    );
    expect([body.title, body.ims]).toEqual(['T', [{ value: 'i' }]]);
  });

  test('a complex target takes the sub-attributes of the value, and keeps the others', async () => {
    const user = await made({ name: { givenName: 'G', familyName: 'F' } });
    expect(
      (await patched(user, { op: 'add', path: 'name', value: { givenName: 'H', formatted: 'H F' } })).name,
    ).toEqual({
      givenName: 'H',
      familyName: 'F',
      formatted: 'H F',
    });
    expect((await okta.patch(at(user), { op: 'add', path: 'name', value: 'H F' })).body.scimType).toBe('invalidValue');
  });

  test('a multi-valued target gets a new value', async () => {
    const user = await made({ phoneNumbers: [work] });
    expect((await patched(user, { op: 'add', path: 'phoneNumbers', value: [home, fax] })).phoneNumbers).toEqual([
      work,
      home,
      fax,
    ]);
  });

  test('a single-valued target has its value replaced', async () => {
    expect((await patched(await made({ title: 'T' }), { op: 'add', path: 'title', value: 'U' })).title).toBe('U');
  });

  test('of a value that is there already changes nothing, neither version nor time (I6)', async () => {
    const user = await made({ title: 'T', phoneNumbers: [work, home], addresses: [address] });
    for (const operation of [
      { op: 'add', path: 'title', value: 'T' },
      { op: 'add', path: 'phoneNumbers', value: [home] },
      { op: 'add', path: 'phoneNumbers[type eq "work"].value', value: '1' },
      { op: 'add', path: 'addresses', value: [address] },
      { op: 'add', value: { name: { givenName: user.name.givenName }, title: 'T' } },
    ]) {
      expect(await patched(user, operation)).toEqual(user);
    }
  });
});

describe('§3.5.2.2 remove', () => {
  test('without a path is 400 noTarget', async () => {
    expect(await refused(await made(), { op: 'remove' })).toEqual([400, 'noTarget']);
    expect(await refused(await made(), { op: 'remove', value: { title: 'T' } })).toEqual([400, 'noTarget']);
  });

  test('of a single-valued attribute leaves it unassigned', async () => {
    const body = await patched(
      await made({ title: 'T' }),
      { op: 'remove', path: 'title' },
      { op: 'remove', path: 'name.givenName' },
    );
    expect([body.title, body.name]).toEqual([undefined, { familyName: 'Example' }]);
  });

  test('of a multi-valued attribute without a filter takes all values', async () => {
    expect(
      await patched(await made({ phoneNumbers: [work, home] }), { op: 'remove', path: 'phoneNumbers' }),
    ).not.toHaveProperty('phoneNumbers');
  });

  test('with a filter takes the values that it matches; with the last one the attribute is unassigned', async () => {
    const user = await made({ phoneNumbers: [work, home, fax] });
    const filter = 'type eq "work" or (value ne "3" and not (type eq "work"))';
    expect((await patched(user, { op: 'remove', path: `phoneNumbers[${filter}]` })).phoneNumbers).toEqual([fax]);
    expect(await patched(user, { op: 'remove', path: 'phoneNumbers[value pr]' })).not.toHaveProperty('phoneNumbers');
  });

  test('with a filter and a sub-attribute takes that away from the values matched', async () => {
    const user = await made({
      phoneNumbers: [
        { ...work, display: 'W' },
        { ...home, display: 'H' },
      ],
    });
    expect((await patched(user, { op: 'remove', path: 'phoneNumbers[type eq "work"].display' })).phoneNumbers).toEqual([
      work,
      { ...home, display: 'H' },
    ]);
    expect((await patched(user, { op: 'remove', path: 'phoneNumbers[type eq "work"].value' })).phoneNumbers).toEqual([
      { ...home, display: 'H' },
    ]);
  });

  test('of what is required is 400 mutability', async () => {
    expect(await refused(await made(), { op: 'remove', path: 'userName' })).toEqual([400, 'mutability']);
  });

  test('of what is not there changes nothing: a client that repeats itself does not fail for ever', async () => {
    const user = await made({ phoneNumbers: [work] });
    expect(
      await patched(user, { op: 'remove', path: 'title' }, { op: 'remove', path: 'phoneNumbers[type eq "fax"]' }),
    ).toEqual(user);
  });
});

describe('§3.5.2.3 replace', () => {
  test('without a path, its value is a list of attributes to be replaced', async () => {
    const user = await made({ title: 'T', phoneNumbers: [work], nickName: 'N' });
    const body = await patched(user, { op: 'replace', value: { title: 'U', phoneNumbers: [home] } });
    expect([body.title, body.phoneNumbers, body.nickName]).toEqual(['U', [home], 'N']);
  });

  test('of a single-valued attribute replaces its value', async () => {
    expect((await patched(await made({ title: 'T' }), { op: 'replace', path: 'title', value: 'U' })).title).toBe('U');
  });

  test('of a multi-valued attribute without a filter replaces all values', async () => {
    expect(
      (await patched(await made({ phoneNumbers: [work, home] }), { op: 'replace', path: 'phoneNumbers', value: [fax] }))
        .phoneNumbers,
    ).toEqual([fax]);
  });

  test('of what does not exist is an add', async () => {
    const body = await patched(
      await made(),
      { op: 'replace', path: 'title', value: 'T' },
      { op: 'replace', path: 'addresses', value: [address] },
    );
    expect([body.title, body.addresses]).toEqual(['T', [address]]);
  });

  test('of a complex attribute replaces the sub-attributes that the value has, and leaves the others', async () => {
    const user = await made({ name: { givenName: 'G', familyName: 'F' } });
    expect((await patched(user, { op: 'replace', path: 'name', value: { familyName: 'E' } })).name).toEqual({
      givenName: 'G',
      familyName: 'E',
    });
  });

  test('with a filter replaces every value that it matches', async () => {
    const user = await made({ addresses: [address, { ...address, type: 'home' }, { type: 'other', locality: 'O' }] });
    const value = { type: 'work', streetAddress: 'New' };
    const body = await patched(user, { op: 'replace', path: 'addresses[locality eq "L" and type eq "work"]', value });
    expect(body.addresses).toEqual([value, { ...address, type: 'home' }, { type: 'other', locality: 'O' }]);
  });

  test('with a filter and a sub-attribute replaces that in every value matched', async () => {
    const user = await made({ addresses: [address, { ...address, type: 'home' }, { type: 'other', locality: 'O' }] });
    const body = await patched(user, { op: 'replace', path: 'addresses[locality eq "L"].streetAddress', value: 'New' });
    expect(body.addresses.map(({ streetAddress }: Body) => streetAddress)).toEqual(['New', 'New', undefined]);
  });

  test('with a filter that matches nothing is 400 noTarget, unless the filter says what the value is to be (Entra ID)', async () => {
    const user = await made({ phoneNumbers: [work] });
    for (const filter of [
      'type ne "work"',
      'type sw "f"',
      'type eq "fax" or type eq "home"',
      'not (type eq "work")',
      'type eq "fax" and type eq "home"',
    ]) {
      const operation = { op: 'replace', path: `phoneNumbers[${filter}].value`, value: '9' };
      expect([filter, ...(await refused(user, operation))]).toEqual([filter, 400, 'noTarget']);
    }
    const body = await patched(user, { op: 'replace', path: 'phoneNumbers[type eq "fax"].value', value: '3' });
    expect(body.phoneNumbers).toEqual([work, fax]);
  });
});

test('§3.5.2 several operations build one value (Entra ID)', async () => {
  const part = (name: string, value: string) => ({ op: 'Add', path: `addresses[type eq "work"].${name}`, value });
  const body = await patched(await made(), part('streetAddress', 'S'), part('locality', 'L'), part('postalCode', 'P'));
  expect(body.addresses).toEqual([address]);
});
