// People who administer a tenant below the one whose directory pushes them, as guests there.

import { randomUUIDv7 } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { GuestId, Person, TenantSlug } from '../../src/core/ids.ts';
import { mapGuest, unmapGuest } from '../../src/operations/map-guest.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { setActive } from '../../src/operations/set-active.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, addUser, touchConfig } from '../support/acme.ts';
import { makeOwner, personOf } from '../support/people.ts';
import { type Answer, type DirectoryClient, userBody } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import { operator, type TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta } = stage);
  return stage.close;
});
// What other tests left is no owner.
beforeEach(() => world.sql('update local_group_members set ended_at = now() where ended_at is null'));

type Gift = { readonly roles: readonly string[]; readonly groups: readonly string[] };
const asOwner: Gift = { roles: ['Operations: Admin'], groups: ['TenantOwners'] };
const asOwnerAlone: Gift = { roles: ['Viewer'], groups: ['TenantOwners'] };
const asAdmin: Gift = { roles: ['Operations: Admin'], groups: [] };
const asViewer: Gift = { roles: ['Viewer'], groups: [] };

type Pushed = { readonly id: string; readonly name: string; readonly person: Person };
type Guest = Pushed & { readonly guestId: GuestId };
let serial = 0;

/** Whom the directory made, or whom it adopted. */
async function push(how: 'made' | 'adopted'): Promise<Pushed> {
  const name = `below${++serial}`;
  if (how === 'adopted') await addUser(world, tenants.acme, `${name}@acme.example`);
  const { status, body } = await okta.post('/Users', userBody(name));
  expect(status).toBe(201);
  return { id: body.id, name, person: await personOf(world, body.id) };
}

async function mapped(pushed: Pushed, gift: Gift): Promise<Guest> {
  const outcome = await mapGuest(world.context(), tenants.labs, pushed.person, gift, operator);
  if (outcome.kind === 'refused') throw new Error(outcome.message);
  return { ...pushed, guestId: outcome.guestId };
}

const guest = async (how: 'made' | 'adopted', gift: Gift) => mapped(await push(how), gift);
const off = { op: 'replace', path: 'active', value: false };
const deactivate = ({ id }: Pushed) => okta.patch(`/Users/${id}`, off);
const atHome = ({ person }: Pushed) => ({ subjectId: person.userId, kind: 'user', person }) as const;
const asGuest = ({ guestId, person }: Guest) => ({ subjectId: guestId, kind: 'guest', person }) as const;
const refuses = (answer: Answer) =>
  expect(answer.body).toMatchObject({ status: '403', detail: expect.stringContaining('below') });
const stateOf = async ({ person }: Pushed, tenant: string | null = 'acme-labs') =>
  (await readAccess(world.context(), person, tenant as TenantSlug | null))?.access.state;
const refusals = async ({ person }: Pushed) =>
  (
    await world.sql<{ text: string }>(
      `select kind || ' ' || reason as text from audit_events where object_id = $1 and outcome = 'refused' order by event_id`,
      [person.userId],
    )
  ).map((row) => row.text);

/** Members of a group of labs's own that a rule gives rights. */
async function localAdmins(): Promise<string> {
  const name = `Admins ${++serial}`;
  const { tenantId } = tenants.labs;
  await world.sql(`insert into local_groups (tenant_id, local_group_id, name, managed_by) values ($1, $2, $3, 'api')`, [
    tenantId,
    randomUUIDv7(),
    name,
  ]);
  await world.sql(
    `insert into mapping_rules (tenant_id, rule_id, key, match_kind, match_value, role_id) values ($1, $2, $3, 'local', $3, $4)`,
    [tenantId, randomUUIDv7(), name, tenants.role(tenants.labs, 'Admin')],
  );
  await touchConfig(world);
  return name;
}

describe('T105 whoever administers a tenant below, and was not made by the directory', () => {
  test.each([
    ['as its owner', async () => asOwnerAlone],
    ['by a grant', async () => asAdmin],
    ['by a group of its own', async () => ({ roles: [], groups: [await localAdmins()] })],
  ])('is neither deactivated, renamed nor removed by it: %s', async (_, gift) => {
    const admin = await guest('adopted', await gift());
    refuses(await deactivate(admin));
    refuses(await okta.put(`/Users/${admin.id}`, userBody(admin.name, { userName: 'renamed' })));
    refuses(await okta.delete(`/Users/${admin.id}`));
    const results = (
      await okta.post('/Bulk', {
        schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'],
        Operations: [(await push('made')).id, admin.id, (await push('made')).id].map((id) => ({
          method: 'DELETE',
          path: `/Users/${id}`,
        })),
      })
    ).body.Operations as { status: string }[];
    expect(results.map(({ status }) => status)).toEqual(['204', '403', '204']);
    expect(await stateOf(admin)).toBe('active');
    expect(await refusals(admin)).toEqual([
      'user.update protected_user',
      'user.update protected_user',
      'user.remove protected_user',
      'user.remove protected_user',
    ]);
    // Memberships are facts, and no tenant below goes by them.
    const value = [{ value: admin.id }];
    const group = (await okta.post('/Groups', { displayName: `below group ${serial}`, members: value })).body;
    expect((await okta.patch(`/Groups/${group.id}`, { op: 'remove', path: 'members', value })).status).toBe(204);
    expect(await stateOf(admin)).toBe('active');
  });

  test('is not linked to by a push, and gives up no address to one', async () => {
    const name = `below${++serial}`;
    const userId = await addUser(world, tenants.acme, `${name}@acme.example`);
    await mapped({ id: '', name, person: { tenantId: tenants.acme.tenantId, userId } }, asAdmin);
    refuses(await okta.post('/Users', userBody(name)));
  });

  test('is protected no more once the mapping or the grant is gone, and never by a role without rights', async () => {
    const former = await guest('adopted', asAdmin);
    await unmapGuest(world.context(), tenants.labs, former.person, operator);
    const demoted = await guest('adopted', asAdmin);
    await world.sql(`update role_grants set ended_at = now(), ended_by = '{}' where subject_id = $1`, [
      demoted.guestId,
    ]);
    for (const one of [former, demoted, await guest('adopted', asViewer)]) {
      expect((await deactivate(one)).status).toBe(200);
      expect(await stateOf(one)).toBe('deactivated');
    }
  });

  test('is let go by their own administrators, and then keeps nobody from being offboarded', async () => {
    const admin = await guest('adopted', asAdmin);
    expect(await setActive(world.context(), tenants.acme, atHome(admin), false, null)).toMatchObject({ kind: 'set' });
    expect(await stateOf(admin)).toBe('deactivated');
  });

  test('is deactivated by the directory that made them: their home offboards, as it does its own administrators', async () => {
    const admin = await guest('made', asAdmin);
    expect((await okta.patch(`/Users/${admin.id}`, { op: 'replace', path: 'title', value: 'CTO' })).status).toBe(200);
    expect((await deactivate(admin)).status).toBe(200);
    expect(await stateOf(admin)).toBe('deactivated');
  });
});

describe('D12 I18 the last owner of a tenant below', () => {
  test('is neither deactivated nor removed by the directory that made them; a second owner may go', async () => {
    const owner = await guest('made', asOwner);
    refuses(await deactivate(owner));
    refuses(await okta.delete(`/Users/${owner.id}`));
    expect((await okta.patch(`/Users/${owner.id}`, { op: 'replace', path: 'title', value: 'Owner' })).status).toBe(200);
    expect(await refusals(owner)).toEqual(['user.update last_owner', 'user.remove last_owner']);
    expect(await stateOf(owner)).toBe('active');
    const second = await guest('made', asOwner);
    expect((await deactivate(owner)).status).toBe(200);
    expect(await stateOf(owner)).toBe('deactivated');
    refuses(await okta.delete(`/Users/${second.id}`));
  });

  test.each<[string, (second: Guest) => Promise<unknown>]>([
    ['deactivated at home', (it) => setActive(world.context(), tenants.acme, atHome(it), false, null)],
    ['suspended at home', (it) => suspend(world.context(), tenants.acme, atHome(it), null)],
    ['suspended below', (it) => suspend(world.context(), tenants.labs, asGuest(it), null)],
    ['deactivated by the directory', (it) => deactivate(it)],
    ['removed by the directory', (it) => okta.delete(`/Users/${it.id}`)],
    [
      'waiting for approval',
      (it) => world.sql(`update users set approval = 'pending' where user_id = $1`, [it.person.userId]),
    ],
    ['mapped no more', (it) => unmapGuest(world.context(), tenants.labs, it.person, operator)],
  ])('an owner who is %s is no owner left', async (_, goes) => {
    const [owner, second] = [await guest('made', asOwner), await guest('made', asOwner)];
    await goes(second);
    expect(await stateOf(second)).not.toBe('active');
    refuses(await deactivate(owner));
    expect(await suspend(world.context(), tenants.labs, asGuest(owner), null)).toMatchObject({ code: 'last_owner' });
    expect(await stateOf(owner)).toBe('active');
  });

  test('is not suspended, deactivated or taken out by an administrator of either tenant, until there is another', async () => {
    const owner = await guest('made', asOwner);
    const acts = [
      () => suspend(world.context(), tenants.acme, atHome(owner), null),
      () => setActive(world.context(), tenants.acme, atHome(owner), false, null),
      () => suspend(world.context(), tenants.labs, asGuest(owner), null),
      () => unmapGuest(world.context(), tenants.labs, owner.person, operator),
    ];
    for (const act of acts) expect(await act()).toMatchObject({ kind: 'refused', code: 'last_owner' });
    expect(await stateOf(owner)).toBe('active');
    await guest('made', asOwner);
    expect(await unmapGuest(world.context(), tenants.labs, owner.person, operator)).toEqual({ kind: 'unmapped' });
    expect(await suspend(world.context(), tenants.acme, atHome(owner), null)).toMatchObject({ kind: 'suspended' });
  });

  test('is one of the tenant’s own where the home of the others is closed', async () => {
    const { tenantId } = tenants.labs;
    const userId = await addUser(world, tenants.labs, `own${++serial}@labs.example`);
    const own = { subjectId: userId, kind: 'user', person: { tenantId, userId } } as const;
    await makeOwner(world, own.person);
    await guest('made', asOwner);
    const close = (active: boolean) =>
      world.sql('update tenants set active = $2 where tenant_id = $1', [tenants.acme.tenantId, active]);
    await close(false);
    const refused = await suspend(world.context(), tenants.labs, own, null).finally(() => close(true));
    expect(refused).toMatchObject({ code: 'last_owner' });
    expect(await suspend(world.context(), tenants.labs, own, null)).toMatchObject({ kind: 'suspended' });
  });

  test('who cannot come in any more is in nobody’s way', async () => {
    const owner = await guest('made', asOwner);
    const { tenantId } = tenants.labs;
    await world.sql(
      `insert into suspensions (tenant_id, suspension_id, subject_id, suspended_by) values ($1, $2, $3, '{}')`,
      [tenantId, randomUUIDv7(), owner.guestId],
    );
    expect((await deactivate(owner)).status).toBe(200);
    expect(await unmapGuest(world.context(), tenants.labs, owner.person, operator)).toEqual({ kind: 'unmapped' });
  });

  test('is not suspended by a push that gives them the keys of somebody suspended', async () => {
    const owner = await guest('made', asOwner);
    const bad = await push('made');
    await suspend(world.context(operator), tenants.acme, atHome(bad), null);
    const other = { op: 'add', path: 'emails', value: [{ type: 'other', value: `${bad.name}@acme.example` }] };
    refuses(await okta.patch(`/Users/${owner.id}`, other));
    expect([await stateOf(owner, null), await stateOf(owner)]).toEqual(['no_access', 'active']);
    await guest('made', asOwner);
    expect((await okta.patch(`/Users/${owner.id}`, other)).status).toBe(200);
    expect(await stateOf(owner)).toBe('suspended');
  });

  test('of the last two who are deactivated at the same moment one stays', async () => {
    for (let round = 0; round < 5; round++) {
      await world.sql('update local_group_members set ended_at = now() where ended_at is null');
      const both = [await guest('made', asOwner), await guest('made', asOwner)];
      const statuses = (await Promise.all(both.map(deactivate))).map(({ status }) => status);
      expect(statuses.sort()).toEqual([200, 403]);
      expect((await Promise.all(both.map((one) => stateOf(one)))).sort()).toEqual(['active', 'deactivated']);
    }
  });
});
