// Whom an administrator names, where directories choose the names of others.

import { beforeEach, expect, test } from 'vitest';
import { nameSubject } from '../../src/operations/standing.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, addUser } from '../support/acme.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
beforeEach(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta } = stage);
  return stage.close;
});

const named = (text: string) => nameSubject(world.context(), tenants.acme.tenantId, text);

test('R19 an id names its bearer alone, so that nobody can be hidden from a suspension behind userNames', async () => {
  const eve = await addUser(world, tenants.acme, 'eve@acme.example');
  // Removed and pushed anew, each of them is another person of that name.
  for (let at = 0; at < 12; at += 1) {
    const { status, body } = await okta.post(
      '/Users',
      userBody(`hider${at}`, { userName: eve.toUpperCase(), emails: [{ value: `hider${at}@acme.example` }] }),
    );
    expect(status).toBe(201);
    if (at < 11) expect((await okta.delete(`/Users/${body.id}`)).status).toBe(204);
  }
  const found = await named(eve);
  if (!('subjectId' in found)) throw new Error(found.message);
  expect(found.subjectId).toBe(eve);
  expect(await suspend(world.context(), tenants.acme, found, null)).toMatchObject({ kind: 'suspended' });
});

test('the failing twin: an address that is somebody else’s userName names several, and says to use the id', async () => {
  const ada = await addUser(world, tenants.acme, 'ada@acme.example');
  await okta.post('/Users', userBody('twin', { userName: 'ADA@acme.example' }));
  expect(await named('ada@acme.example')).toMatchObject({ kind: 'refused', code: 'invalid' });
  expect(await named(ada)).toMatchObject({ subjectId: ada });
});
