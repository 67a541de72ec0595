// Entra ID's own requests in its own order: its provisioning cycle, its documented bodies and what its validator sends.

import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Body, DirectoryClient } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import { enterpriseUrn } from '../support/urns.ts';
import { senderOf } from './payload.ts';

let client: DirectoryClient;
beforeAll(async () => {
  const stage = await scimStage();
  ({ entra: client } = stage);
  return stage.close;
});

/** Ids in the captured bodies, and whom they stand for in this run. */
const USER = '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e01';
const OTHER = '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e02';
const GROUP = 'GROUP';
const ids = new Map<string, string>();

const send = senderOf('entra', () => client, ids);
const patch = async (file: string): Promise<Body> => {
  const answer = await send('PATCH', `/Users/${USER}`, file);
  expect([file, answer.status]).toEqual([file, 200]);
  return answer.body;
};
const find = async (resource: 'Users' | 'Groups', filter: string): Promise<Body> => {
  for (const [captured, id] of ids) filter = filter.replaceAll(captured, id);
  const excluded = resource === 'Groups' ? 'excludedAttributes=members&' : '';
  const answer = await client.get(`/${resource}?${excluded}filter=${encodeURIComponent(filter)}`);
  expect(answer.status).toBe(200);
  return answer.body;
};

describe('Entra ID, with users', () => {
  test('tests the connection by looking for nobody: 200 and an empty list, never 404', async () => {
    for (const [resource, attribute] of [
      ['Users', 'userName'],
      ['Groups', 'displayName'],
    ] as const) {
      expect(await find(resource, `${attribute} eq "${randomUUID()}"`)).toMatchObject({
        totalResults: 0,
        Resources: [],
      });
    }
    const schemas = await send('GET', '/Schemas');
    expect([schemas.status, schemas.text.includes('null')]).toEqual([200, false]);
  });

  test('creates a user whose extension is declared without data, and finds them by every matching attribute', async () => {
    const created = await send('POST', '/Users', 'create-user');
    expect([created.status, created.body.active]).toEqual([201, true]);
    ids.set(USER, created.body.id);
    const { userName, externalId, emails } = created.body;
    expect((await send('POST', '/Users', 'create-user')).status).toBe(409);
    for (const filter of [
      `userName eq "${userName}"`,
      `userName eq "${userName.toUpperCase()}"`,
      `externalId eq "${externalId}"`,
      `emails[type eq "work"].value eq "${emails[0].value}"`,
    ]) {
      expect([filter, (await find('Users', filter)).totalResults]).toEqual([filter, 1]);
    }
  });

  test('creates users with nulls and a misspelled URN, and with booleans and roles as text (T42)', async () => {
    const nulls = await send('POST', '/Users', 'create-user-nulls');
    expect(nulls.status).toBe(201);
    expect(nulls.text).not.toContain('null');
    ids.set(OTHER, nulls.body.id);
    const strings = await send('POST', '/Users', 'create-user-string-booleans');
    expect([
      strings.status,
      strings.body.active,
      strings.body.roles[0].primary,
      strings.body[enterpriseUrn].manager.value,
    ]).toEqual([201, true, true, '26118915-6090-4610-87e4-49d8ca9f808d']);
  });

  test('patches what is there and what is not there yet, in its own spelling', async () => {
    expect((await patch('patch-replace-email')).emails).toEqual([
      { primary: true, type: 'work', value: 'updated@microsoft.com' },
    ]);
    expect((await patch('patch-add-phone')).phoneNumbers).toEqual([{ type: 'mobile', value: '1' }]);
    const { addresses } = await patch('patch-add-address');
    expect(addresses).toEqual([
      { type: 'work', streetAddress: '1 Main St', locality: 'Springfield', postalCode: '12345' },
    ]);
    expect((await patch('patch-add-other-email-capital-value')).emails).toHaveLength(2);
    expect((await patch('patch-add-role-primary')).roles).toEqual([{ primary: true, value: 'admin' }]);
    const dotted = await patch('patch-pathless-dotted');
    expect(dotted).toMatchObject({ displayName: 'Bjfe', name: { givenName: 'Kim', familyName: 'Upton' } });
    expect(dotted[enterpriseUrn].employeeNumber).toBe('AHKNFD');
    const emptied = await patch('patch-null-update');
    expect(emptied).not.toHaveProperty('displayName');
    expect(emptied).not.toHaveProperty('phoneNumbers');
  });

  test('sets, finds and removes the manager in all its forms', async () => {
    const managed = async () => (await find('Users', `id eq "${USER}" and manager eq "${OTHER}"`)).totalResults;
    for (const [add, remove] of [
      ['patch-add-manager-string', 'patch-remove-manager-empty'],
      ['patch-add-manager-array', 'patch-remove-manager-empty-value'],
    ] as const) {
      expect((await patch(add))[enterpriseUrn].manager.value).toBe(ids.get(OTHER));
      expect(await managed()).toBe(1);
      expect((await patch(remove))[enterpriseUrn]?.manager).toBeUndefined();
      expect(await managed()).toBe(0);
    }
  });

  test('T58 soft-deletes by the text "False" or a boolean: the user stays readable, and comes back by "True"', async () => {
    for (const file of ['patch-active-false-string', 'patch-flagged-deactivate']) {
      expect((await patch(file)).active).toBe(false);
      expect((await send('GET', `/Users/${USER}`)).body.active).toBe(false);
      expect((await find('Users', `id eq "${USER}"`)).Resources[0].active).toBe(false);
      expect(await patch('patch-restore')).toMatchObject({ active: true, displayName: 'Back Again' });
    }
  });

  test('hard-deletes: 204, then 404 and no result, twice', async () => {
    const { userName } = (await send('GET', `/Users/${OTHER}`)).body;
    expect((await send('DELETE', `/Users/${OTHER}`)).status).toBe(204);
    expect((await send('DELETE', `/Users/${OTHER}`)).status).toBe(404);
    expect((await send('GET', `/Users/${OTHER}`)).status).toBe(404);
    expect((await find('Users', `userName eq "${userName}"`)).totalResults).toBe(0);
    const again = await send('POST', '/Users', 'create-user-nulls');
    expect(again.status).toBe(201);
    ids.set(OTHER, again.body.id);
  });

  test('pages through eleven users by five', async () => {
    for (let index = 0; index < 8; index += 1) {
      await client.post('/Users', { userName: `page-${index}`, externalId: `page-${index}`, active: true });
    }
    const pages = await Promise.all([1, 6, 11].map((start) => client.get(`/Users?startIndex=${start}&count=5`)));
    expect(pages.map(({ body }) => [body.startIndex, body.itemsPerPage, body.totalResults])).toEqual([
      [1, 5, 11],
      [6, 5, 11],
      [11, 1, 11],
    ]);
    expect(new Set(pages.flatMap(({ body }) => body.Resources.map((user: Body) => user.id))).size).toBe(11);
  });
});

describe('Entra ID, with groups', () => {
  test('creates a group with a schema of its own and no members, and is told 409 the second time', async () => {
    const created = await send('POST', '/Groups', 'create-group');
    expect(created.status).toBe(201);
    ids.set(GROUP, created.body.id);
    expect((await send('POST', '/Groups', 'create-group')).status).toBe(409);
    expect((await find('Groups', 'displayName eq "DISPLAYNAME"')).Resources).toMatchObject([{ id: created.body.id }]);
    expect((await send('GET', `/Groups/${GROUP}?excludedAttributes=members`)).body).not.toHaveProperty('members');
  });

  test('adds and removes members, only those that it lists, answered 204', async () => {
    const isMember = async (id: string) =>
      (await find('Groups', `id eq "${GROUP}" and members eq "${id}"`)).totalResults;
    const steps = [
      ['patch-add-members', 1, 0],
      ['patch-many-members', 0, 1],
      ['patch-add-members', 1, 1],
      ['patch-remove-members', 0, 1],
      ['patch-add-members', 1, 1],
      ['patch-remove-members-flagged', 0, 1],
    ] as const;
    for (const [file, user, other] of steps) {
      expect([file, (await send('PATCH', `/Groups/${GROUP}`, file)).status]).toEqual([file, 204]);
      expect([file, await isMember(USER), await isMember(OTHER)]).toEqual([file, user, other]);
    }
  });

  test('renames it and changes its externalId, then deletes it, twice', async () => {
    expect((await send('PATCH', `/Groups/${GROUP}`, 'patch-group-rename')).status).toBe(204);
    expect((await send('PATCH', `/Groups/${GROUP}`, 'patch-group-external-id')).status).toBe(204);
    const { body } = await send('GET', `/Groups/${GROUP}`);
    expect(body).toMatchObject({
      displayName: '1879db59-3bdf-4490-ad68-ab880a269474updatedDisplayName',
      externalId: 'f3a4',
    });
    expect(body.members).toHaveLength(1);
    expect((await send('DELETE', `/Groups/${GROUP}`)).status).toBe(204);
    expect((await send('DELETE', `/Groups/${GROUP}`)).status).toBe(404);
  });
});
