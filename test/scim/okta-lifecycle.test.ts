// Okta's own requests in Okta's own order, as its SCIM client and its test suites send them.

import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Body, DirectoryClient } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import type { TestWorld } from '../support/world.ts';
import { senderOf } from './payload.ts';

let world: TestWorld;
let client: DirectoryClient;
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, okta: client } = stage);
  return stage.close;
});

/** Ids in the captured bodies, and whom they stand for in this run. */
const USER = '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e01';
const OTHER = '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e02';
const GROUP = '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5eff';
const ids = new Map<string, string>();

const headers = {
  'User-Agent': 'Okta SCIM Client 1.0.0',
  Accept: 'application/scim+json',
  'Accept-Charset': 'utf-8',
};
const send = senderOf('okta', () => client, ids, headers);
const memberIds = async () =>
  ((await send('GET', `/Groups/${GROUP}`)).body.members as Body[]).map((member) => member.value).sort();

describe('Okta, from the test of its credentials to the end of a pushed group', () => {
  test('tests the credentials: a page of two, with integers and a stable order', async () => {
    const { status, body } = await send('GET', '/Users?startIndex=1&count=2');
    expect([status, body.startIndex, body.itemsPerPage, body.totalResults, body.Resources]).toEqual([200, 1, 0, 0, []]);
    expect((await send('GET', '/Groups')).status).toBe(200);
    expect((await send('GET', `/Users/${randomUUID()}`)).body).toMatchObject({
      schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
      status: '404',
      detail: expect.any(String),
    });
  });

  test('looks for the user, creates them with a password that is ignored, and is told 409 when it does so again (T41)', async () => {
    const search = '/Users?filter=userName%20eq%20%22barbara.jensen%40acme.example%22&startIndex=1&count=100';
    expect((await send('GET', search)).body.totalResults).toBe(0);
    const created = await send('POST', '/Users', 'create-user');
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      active: true,
      externalId: '00ujl29u0le5T6Aj10h7',
      locale: 'en-US',
      emails: [{ primary: true }],
    });
    expect(created.text).not.toContain('1mz050nq');
    ids.set(USER, created.body.id);
    expect((await send('POST', '/Users', 'create-user')).status).toBe(409);
    const upper = await send('GET', search.replace('barbara.jensen', 'BARBARA.JENSEN'));
    expect(upper.body).toMatchObject({
      totalResults: 1,
      Resources: [{ id: created.body.id, userName: 'barbara.jensen@acme.example' }],
    });
    expect(await world.sql('select 1 from passwords')).toEqual([]);
  });

  test('creates a user with an extension that nobody knows here', async () => {
    const created = await send('POST', '/Users', 'create-user-custom-extension');
    expect([created.status, created.body.schemas]).toEqual([201, ['urn:ietf:params:scim:schemas:core:2.0:User']]);
    ids.set(OTHER, created.body.id);
  });

  test('imports: every user has what Okta’s suite asks for', async () => {
    const { body } = await send('GET', '/Users?count=100&startIndex=1');
    expect(body.totalResults).toBe(2);
    for (const user of body.Resources) {
      const { id, name, userName, active, emails } = user;
      for (const value of [id, name.familyName, name.givenName, userName, emails[0].value]) expect(value).toBeTruthy();
      expect(typeof active).toBe('boolean');
    }
  });

  test('updates by GET and PUT of the whole body with its id, meta, groups and an empty middleName (I6 the second time)', async () => {
    expect((await send('GET', `/Users/${USER}`)).status).toBe(200);
    const put = await send('PUT', `/Users/${USER}`, 'put-user');
    expect([put.status, put.body.displayName, put.body.name]).toEqual([
      200,
      'Barbara Jensen-Smith',
      { givenName: 'Barbara', familyName: 'Jensen-Smith' },
    ]);
    const again = await send('PUT', `/Users/${USER}`, 'put-user');
    expect(again.body.meta).toEqual(put.body.meta);
  });

  test('T58 deactivates and reactivates by PATCH without a path, answered with the body, and by PUT', async () => {
    const patched = await send('PATCH', `/Users/${USER}`, 'patch-deactivate');
    expect([patched.status, patched.body.active, patched.body.id]).toEqual([200, false, ids.get(USER)]);
    expect((await send('PATCH', `/Users/${USER}`, 'patch-reactivate')).body.active).toBe(true);
    expect((await send('PATCH', `/Users/${USER}`, 'patch-deactivate-no-schemas')).body.active).toBe(false);
    expect((await send('PUT', `/Users/${USER}`, 'put-user')).body.active).toBe(true);
    expect((await send('PUT', `/Users/${USER}`, 'put-user-deactivate')).body.active).toBe(false);
    expect((await send('GET', `/Users/${USER}`)).body.active).toBe(false);
    expect((await send('PUT', `/Users/${USER}`, 'put-user')).body.active).toBe(true);
  });

  test('T41 pushes a password, which is ignored, and an address bare', async () => {
    const before = (await send('GET', `/Users/${USER}`)).body.meta;
    const pushed = await send('PATCH', `/Users/${USER}`, 'patch-password');
    expect([pushed.status, pushed.body.meta]).toEqual([200, before]);
    const added = await send('PATCH', `/Users/${USER}`, 'patch-add-email-bare');
    expect(added.body.emails).toHaveLength(2);
  });

  test('pushes a group, renames it to its own name with its id before each change of members, and keeps them', async () => {
    const created = await send('POST', '/Groups', 'create-group');
    expect(created.status).toBe(201);
    ids.set(GROUP, created.body.id);
    expect((await send('POST', '/Groups', 'create-group')).status).toBe(409);
    const rename = () => send('PATCH', `/Groups/${GROUP}`, 'patch-rename-group');
    expect([(await rename()).status, (await rename()).text]).toEqual([204, '']);
    expect((await send('PATCH', `/Groups/${GROUP}`, 'patch-members-full')).status).toBe(204);
    expect(await memberIds()).toEqual([ids.get(USER), ids.get(OTHER)].sort());
    expect((await rename()).status).toBe(204);
    expect(await memberIds()).toHaveLength(2);
    expect((await send('PATCH', `/Groups/${GROUP}`, 'patch-members-pathless')).status).toBe(204);
    expect(await memberIds()).toEqual([ids.get(USER)]);
  });

  test('takes one member out and another in, in one request; PUTs them all with display null', async () => {
    expect((await send('PATCH', `/Groups/${GROUP}`, 'patch-members')).status).toBe(204);
    expect(await memberIds()).toEqual([ids.get(OTHER)]);
    const put = await send('PUT', `/Groups/${GROUP}`, 'put-group');
    expect([put.status, put.body.members.length]).toEqual([200, 2]);
    const again = await send('PUT', `/Groups/${GROUP}`, 'put-group');
    expect(again.body.meta).toEqual(put.body.meta);
    expect((await send('GET', `/Users/${USER}`)).body.groups).toMatchObject([
      { value: ids.get(GROUP), display: 'Engineering' },
    ]);
  });

  test('unlinks the pushed group; the users stay', async () => {
    expect((await send('DELETE', `/Groups/${GROUP}`)).status).toBe(204);
    expect((await send('GET', `/Groups/${GROUP}`)).status).toBe(404);
    expect((await send('DELETE', `/Groups/${GROUP}`)).status).toBe(404);
    expect((await send('GET', '/Groups?count=100')).body.totalResults).toBe(0);
    expect((await send('GET', `/Users/${USER}`)).body).not.toHaveProperty('groups');
    expect((await send('POST', '/Groups', 'create-group')).status).toBe(201);
  });
});
