// Whom a directory may not touch, whom it may adopt, and what an identity provider is told where it may not.

import { beforeAll, describe, expect, test } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, addRule, addUser, changeSettings, touchConfig } from '../support/acme.ts';
import { makeOwner, personOf } from '../support/people.ts';
import {
  type Answer,
  type Body,
  type DirectoryClient,
  directoryClient,
  scimServer,
  userBody,
} from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import { operator, type TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
let entra: DirectoryClient;
const groups: Record<'okta' | 'entra', Body> = { okta: null, entra: null };
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta, entra } = stage);
  const role = tenants.role(tenants.acme, 'Admin');
  for (const [key, connection, client] of [
    ['okta', tenants.okta, okta],
    ['entra', tenants.entra, entra],
  ] as const) {
    await addRule(world, tenants.acme, { connection, kind: 'name', value: `${key} admins`, role });
    groups[key] = (await client.post('/Groups', { displayName: `${key} admins` })).body;
  }
  await world.sql(
    `insert into mapping_rules (tenant_id, rule_id, key, match_kind, match_value, role_id) values ($1, gen_random_uuid(), 'local', 'local', 'Desk', $2)`,
    [tenants.acme.tenantId, role],
  );
  await world.sql(`insert into local_groups (tenant_id, local_group_id, name) values ($1, gen_random_uuid(), 'Desk')`, [
    tenants.acme.tenantId,
  ]);
  await touchConfig(world);
  return stage.close;
});

let serial = 0;
const fresh = () => `guarded${++serial}`;
const addressOf = (name: string) => `${name}@acme.example`;
const ref = (userId: UserId) =>
  ({ subjectId: userId, kind: 'user', person: { tenantId: tenants.acme.tenantId, userId } }) as const;
const rolesOf = async (userId: UserId) => {
  const access = (await readAccess(world.context(), ref(userId).person, null))?.access;
  return [access?.state, ...(access?.roles.map((role) => role.role) ?? [])];
};
const made = async (client: DirectoryClient, body: Body): Promise<Body> => {
  const answer = await client.post('/Users', body);
  if (answer.status !== 201) throw new Error(answer.text);
  return answer.body;
};
const refusals = async (userId: UserId) =>
  (
    await world.sql<{ kind: string; reason: string }>(
      `select kind, reason from audit_events where object_id = $1 and outcome = 'refused' order by occurred_at, event_id`,
      [userId],
    )
  ).map(({ kind, reason }) => `${kind} ${reason}`);
const off = { op: 'replace', path: 'active', value: false };
const join = (client: DirectoryClient, group: Body, id: string) =>
  client.patch(`/Groups/${group.id}`, { op: 'add', path: 'members', value: [{ value: id }] });

describe('T105 rights that the directory did not give protect their holder, who has them', () => {
  const ways: readonly (readonly [string, (userId: UserId, name: string) => Promise<unknown>])[] = [
    ['by a grant', (userId) => assignRole(world.context(), tenants.acme, ref(userId), 'Admin', operator)],
    ['as an owner', (userId) => makeOwner(world, { tenantId: tenants.acme.tenantId, userId })],
    [
      'by a group of the tenant’s own',
      (userId) =>
        world.sql(
          `insert into local_group_members (tenant_id, membership_id, local_group_id, subject_id)
           select tenant_id, gen_random_uuid(), local_group_id, $2 from local_groups where tenant_id = $1 and name = 'Desk'`,
          [tenants.acme.tenantId, userId],
        ),
    ],
  ];

  test.each(ways)('%s: against PUT, PATCH, DELETE', async (_, give) => {
    const name = fresh();
    const userId = await addUser(world, tenants.acme, addressOf(name));
    const { id } = await made(okta, userBody(name));
    await give(userId, name);
    const before = await rolesOf(userId);
    const tries: readonly (() => Promise<Answer>)[] = [
      () => okta.put(`/Users/${id}`, userBody(name, { active: false })),
      () => okta.put(`/Users/${id}`, userBody(name, { userName: 'renamed' })),
      () => okta.patch(`/Users/${id}`, off),
      () => okta.patch(`/Users/${id}`, { op: 'replace', path: 'emails', value: [{ value: 'other@acme.example' }] }),
      () => okta.delete(`/Users/${id}`),
    ];
    for (const attempt of tries) expect((await attempt()).status).toBe(403);
    expect(await rolesOf(userId)).toEqual(before);
    expect(await refusals(userId)).toEqual([
      ...Array.from({ length: 4 }, () => 'user.update protected_user'),
      'user.remove protected_user',
    ]);
  });

  test.each(ways)('%s: against adoption', async (_, give) => {
    const name = fresh();
    const userId = await addUser(world, tenants.acme, addressOf(name));
    await give(userId, name);
    expect((await okta.post('/Users', userBody(name, { active: false }))).status).toBe(403);
    expect((await okta.post('/Users', userBody(name))).status).toBe(403);
    expect(
      await world.sql('select 1 from directory_users where user_id = $1 and connection_id = $2', [
        userId,
        tenants.okta,
      ]),
    ).toEqual([]);
    expect(await refusals(userId)).toEqual(['user.adopt protected_user', 'user.adopt protected_user']);
  });

  test.each(ways)('%s: against being taken back', async (_, give) => {
    const name = fresh();
    const userId = await addUser(world, tenants.acme, addressOf(name));
    const { id } = await made(okta, userBody(name));
    expect((await okta.delete(`/Users/${id}`)).status).toBe(204);
    await give(userId, name);
    expect((await okta.post('/Users', userBody(name))).status).toBe(403);
    expect(await refusals(userId)).toContain('user.create protected_user');
  });
});

test('T105 rights by another directory’s group go with that group: the person may be in this directory, too', async () => {
  const name = fresh();
  const userId = await addUser(world, tenants.acme, addressOf(name));
  const there = await made(entra, userBody(name));
  await join(entra, groups.entra, there.id);
  const before = await rolesOf(userId);
  expect(before[1]).toBeDefined();
  const here = await made(okta, userBody(name));
  expect((await okta.patch(`/Users/${here.id}`, off)).status).toBe(200);
  // The other directory still says active.
  expect(await rolesOf(userId)).toEqual(before);
  expect((await okta.delete(`/Users/${here.id}`)).status).toBe(204);
  expect(await rolesOf(userId)).toEqual(before);
});

test('T105 the failing twin: rights by the directory’s own group are its to give and to take, and its people its own', async () => {
  const name = fresh();
  const userId = await addUser(world, tenants.acme, addressOf(name));
  const { id } = await made(okta, userBody(name));
  await join(okta, groups.okta, id);
  expect(await rolesOf(userId)).toEqual(['active', 'Operations: Admin']);
  expect(
    (await okta.patch(`/Groups/${groups.okta.id}`, { op: 'remove', path: `members[value eq "${id}"]` })).status,
  ).toBe(204);
  expect(await rolesOf(userId)).toEqual(['no_access']);
  expect((await okta.patch(`/Users/${id}`, off)).status).toBe(200);
  const { id: own } = await made(okta, userBody(fresh()));
  const administrator = await personOf(world, own);
  await assignRole(world.context(), tenants.acme, ref(administrator.userId), 'Admin', operator);
  expect((await okta.patch(`/Users/${own}`, off)).status).toBe(200);
});

describe('a POST of a user whose address somebody has is answered with what to do', () => {
  const detailOf = async (client: DirectoryClient, body: Body) => {
    const { status, body: answer } = await client.post('/Users', body);
    return [status, answer.scimType, answer.detail];
  };

  test('where another user of the directory has it', async () => {
    const name = fresh();
    await made(okta, userBody(name));
    expect(await detailOf(okta, userBody(fresh(), { emails: [{ value: addressOf(name) }] }))).toEqual([
      409,
      'uniqueness',
      'This directory has another user with this address.',
    ]);
  });

  test('where the person has access to other tenants', async () => {
    const name = fresh();
    const userId = await addUser(world, tenants.acme, addressOf(name));
    const mapped = await mapGuest(
      world.context(),
      tenants.labs,
      ref(userId).person,
      { roles: ['Viewer'], groups: [] },
      operator,
    );
    expect(mapped.kind).toBe('mapped');
    expect(await detailOf(okta, userBody(name))).toEqual([
      409,
      'uniqueness',
      'A person with access to other tenants has this address. Let an administrator take that back; then send the user again.',
    ]);
  });

  test('T121 where the pushed names are a suspended one’s', async () => {
    const [name, out] = [fresh(), fresh()];
    const other = await addUser(world, tenants.acme, addressOf(out));
    await suspend(world.context(), tenants.acme, ref(other), null);
    await addUser(world, tenants.acme, addressOf(name));
    expect(
      await detailOf(
        okta,
        userBody(name, { emails: [{ value: addressOf(name), primary: true }, { value: addressOf(out) }] }),
      ),
    ).toEqual([
      409,
      'uniqueness',
      'A person of the tenant has this address, and other names are not theirs. Let an administrator look.',
    ]);
  });
});

test('C13 an address outside the connection’s domains is stored unproved, whatever domainScope says, and links to nobody', async () => {
  for (const domainScope of ['owned_domains', 'any'] as const) {
    await changeSettings(world, tenants.acme, { domainScope });
    const foreign = `${fresh()}@elsewhere.example`;
    const { id, emails } = await made(okta, userBody(fresh(), { emails: [{ value: foreign }] }));
    expect(emails).toEqual([{ value: foreign }]);
    const [user] = await world.sql<{ email: string; proved: boolean }>(
      `select u.email, u.email_verified_at is not null as proved from users u join directory_users d using (tenant_id, user_id) where d.directory_user_id = $1`,
      [id],
    );
    expect(user).toEqual({ email: foreign, proved: false });
    // The other directory does not own the domain either: nobody is linked, nobody is duplicated.
    expect((await entra.post('/Users', userBody(fresh(), { emails: [{ value: foreign }] }))).status).toBe(409);
  }
});

describe('T62 within a second of the answer to', () => {
  const acts: readonly (readonly [string, (id: string) => Promise<Answer>])[] = [
    ['active false', (id) => okta.patch(`/Users/${id}`, off)],
    ['DELETE', (id) => okta.delete(`/Users/${id}`)],
  ];
  test.each(acts)(
    '%s everything that was issued is dead, in mapped tenants too, and the row is kept',
    async (_, act) => {
      const name = fresh();
      const { id } = await made(okta, userBody(name));
      const { userId } = await personOf(world, id);
      await assignRole(world.context(), tenants.acme, ref(userId), 'Viewer', operator);
      await mapGuest(world.context(), tenants.labs, ref(userId).person, { roles: ['Viewer'], groups: [] }, operator);
      const labs = async () => (await readAccess(world.context(), ref(userId).person, tenants.labs.slug))?.access.state;
      expect([await labs(), (await rolesOf(userId))[0]]).toEqual(['active', 'active']);
      await world.sql(
        `insert into oidc_artifacts (model, id_hash, token_hash, payload_sealed, account_tenant_id, account_user_id, account_epoch, expires_at)
       select m, decode(md5(m || $2), 'hex'), case when m = 'RefreshToken' then decode(md5($2), 'hex') end, '', $1, $2::uuid, 0,
         now() + interval '1 hour' from unnest(array['Session', 'RefreshToken', 'AuthorizationCode']) m`,
        [tenants.acme.tenantId, userId],
      );
      expect((await act(id)).status).toBeLessThan(300);
      const answered = performance.now();
      expect([await labs(), (await rolesOf(userId))[0]]).toEqual(['deactivated', 'deactivated']);
      expect(await world.sql('select 1 from oidc_artifacts where account_user_id = $1', [userId])).toEqual([]);
      expect(performance.now() - answered).toBeLessThan(1_000);
      expect(await world.sql('select 1 from users where user_id = $1 and ended_at is null', [userId])).toHaveLength(1);
    },
  );
});

test('T63 a server that dies between the commit and the answer: the POST again is 409, and the filter that follows finds the one user', async () => {
  let dies = true;
  /** The statement is done, and what it answered is lost with the process. */
  const dying = (ctx: Context): Context => ({
    ...ctx,
    hot: (tenantId) => {
      const tx = ctx.hot(tenantId);
      const run: typeof tx.run = async (statement, values) => {
        const rows = await tx.run<never>(statement, values);
        if (dies && statement.name === 'directory_user_create') throw new Error('killed');
        return rows;
      };
      return { ...tx, run };
    },
  });
  const crashing = await scimServer(world, { contextFor: (caller) => dying(world.context(caller.actor)) });
  try {
    const client = directoryClient(crashing, 'acme', 'okta', okta.token);
    const body = userBody(fresh());
    expect((await client.post('/Users', body)).status).toBe(500);
    dies = false;
    const again = await client.post('/Users', body);
    expect([again.status, again.body.scimType]).toEqual([409, 'uniqueness']);
    const found = await client.get(`/Users?filter=${encodeURIComponent(`userName eq "${body.userName}"`)}`);
    expect(found.body).toMatchObject({ totalResults: 1, Resources: [{ externalId: body.externalId }] });
    expect(await world.sql('select 1 from users where email = $1', [body.userName])).toHaveLength(1);
  } finally {
    await crashing.close();
  }
});
