import { afterEach, beforeEach, expect, test } from 'vitest';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { type Acme, acme, addUser } from '../support/acme.ts';
import { operator, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
beforeEach(async () => {
  world = await testWorld();
  tenants = await acme(world);
});
afterEach(() => world?.close());

test('D17 T76 a mapping whose source is no longer above its target opens nothing there, and the rest stays', async () => {
  const ctx = world.context();
  const person = { tenantId: tenants.acme.tenantId, userId: await addUser(world, tenants.acme, 'ann@acme.example') };
  const gift = { roles: ['Viewer'], groups: [] };
  expect((await mapGuest(ctx, tenants.labs, person, gift, operator)).kind).toBe('mapped');
  const claims = async () => (await readAccess(ctx, person, tenants.labs.slug))?.claims;
  const allowed = async () => (await readAccess(ctx, person, null))?.allowed;
  expect([(await claims())?.roles, await allowed()]).toEqual([['Analytics: Viewer'], ['acme', 'acme-labs']]);

  // No act moves a tenant yet, and the database keeps a tree that a mapping stands on: the rule holds by itself.
  const above = 'from tenant_ancestors where tenant_id = $1 and ancestor_id = $2';
  const tree = [tenants.labs.tenantId, tenants.acme.tenantId];
  await expect(world.sql(`delete ${above}`, tree)).rejects.toThrow(/foreign key/);
  const [key] = await world.sql<{ name: string }>(
    `select conname as name from pg_constraint where conrelid = 'guests'::regclass and confrelid = 'tenant_ancestors'::regclass`,
  );
  await world.sql(`alter table guests drop constraint ${key?.name}`);
  await world.sql(`delete ${above}`, tree);
  expect([await claims(), await allowed()]).toEqual([null, ['acme']]);
});
