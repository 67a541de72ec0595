import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { UpstreamAssertion } from '../../src/core/identity.ts';
import type { ConnectionId, Instant, Person } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { endRole } from '../../src/operations/end-role.ts';
import { mapGuest, unmapGuest } from '../../src/operations/map-guest.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { openRequest, requestAccess } from '../../src/operations/request-access.ts';
import { setActive } from '../../src/operations/set-active.ts';
import { signIn } from '../../src/operations/sign-in.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, acme, addUser, changeSettings } from '../support/acme.ts';
import { assertionOf } from '../support/entering.ts';
import { operator, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
});
afterAll(() => world?.close());

let serial = 0;
const assertion = (
  email: string,
  connectionId: ConnectionId,
  more: Partial<UpstreamAssertion> = {},
): UpstreamAssertion => ({
  ...assertionOf(connectionId, { subject: `sub-${email}`, email }),
  issuer: 'https://okta.acme.example',
  ...more,
});
const proof = (given: UpstreamAssertion) => ({
  assertion: given,
  replayKey: null,
  expiresAt: (Date.now() + 60_000) as Instant,
});
const newEmail = () => `person${++serial}@acme.example`;

async function person(): Promise<{
  email: string;
  who: Person;
  subject: { subjectId: Person['userId']; kind: 'user'; person: Person };
}> {
  const email = newEmail();
  const userId = await addUser(world, tenants.acme, email);
  const who = { tenantId: tenants.acme.tenantId, userId };
  return { email, who, subject: { subjectId: userId, kind: 'user', person: who } };
}
const stateOf = async (who: Person, tenant: 'acme-labs' | null = null) =>
  (await readAccess(world.context(), who, tenant as Parameters<typeof readAccess>[2]))?.access.state;

describe('sign-in', () => {
  test('R3 T89 invite-only: an unknown address is refused, and nothing is written but the refusal', async () => {
    const email = newEmail();
    expect(await signIn(world.context(), tenants.acme.tenantId, proof(assertion(email, tenants.okta)))).toEqual({
      kind: 'refused',
      reason: 'unknown_person',
    });
    expect(await world.sql(`select 1 from users where email = $1`, [email])).toEqual([]);
    expect(
      await world.sql(`select reason from audit_events where kind = 'sign_in.refused' and reason = 'unknown_person'`),
    ).not.toEqual([]);
  });

  test('R4 R7 a verified address in the connection’s own domain links to the account that an administrator made', async () => {
    const { email, who } = await person();
    expect(await signIn(world.context(), tenants.acme.tenantId, proof(assertion(email, tenants.okta)))).toEqual({
      kind: 'signed_in',
      person: who,
      created: false,
      epoch: 1,
    });
    expect(await world.sql(`select linked_by from identities where user_id = $1`, [who.userId])).toEqual([
      { linked_by: 'email' },
    ]);
  });

  test('T26 T33 an unverified address links to nobody', async () => {
    const { email, who } = await person();
    const outcome = await signIn(
      world.context(),
      tenants.acme.tenantId,
      proof(assertion(email, tenants.okta, { emailVerified: false })),
    );
    expect(outcome).toEqual({ kind: 'refused', reason: 'add_sso' });
    expect(await world.sql(`select 1 from identities where user_id = $1`, [who.userId])).toEqual([]);
  });

  test('T35 D5 a new subject with the address of somebody linked on this connection is nobody we know', async () => {
    const { email } = await person();
    await signIn(world.context(), tenants.acme.tenantId, proof(assertion(email, tenants.okta)));
    const outcome = await signIn(
      world.context(),
      tenants.acme.tenantId,
      proof(assertion(email, tenants.okta, { subject: 'another', directoryIds: ['another'] })),
    );
    expect(outcome).toEqual({ kind: 'refused', reason: 'add_sso' });
  });

  test('R5 R8 JIT: an unknown address gets an account with no access; T9 the same proof is used once', async () => {
    await changeSettings(world, tenants.acme, { provisioningMode: 'jit' });
    const given = { ...proof(assertion(newEmail(), tenants.okta)), replayKey: `assertion-${++serial}` };
    const outcomes = await Promise.all([1, 2].map(() => signIn(world.context(), tenants.acme.tenantId, given)));
    expect(outcomes.map((one) => one.kind).sort()).toEqual(['refused', 'signed_in']);
    const created = outcomes.find((one) => one.kind === 'signed_in');
    expect(created?.kind === 'signed_in' && (await stateOf(created.person))).toBe('no_access');
    await changeSettings(world, tenants.acme, { provisioningMode: 'invite_only' });
  });

  test('R78 C1 a first sign-in is given the default role where the tenant sets one; no later sign-in gives it again', async () => {
    const { who: known, email: knownEmail } = await person();
    await changeSettings(world, tenants.acme, {
      provisioningMode: 'jit',
      initialAccess: 'default_role',
      defaultRole: 'Analytics: Viewer',
    });
    const email = newEmail();
    const enter = (address: string) =>
      signIn(world.context(), tenants.acme.tenantId, proof(assertion(address, tenants.okta)));
    const accessOf = async (who: Person) => {
      const access = (await readAccess(world.context(), who, null))?.access;
      return [access?.state, ...(access?.roles.map(({ role }) => role) ?? [])];
    };
    const outcome = await enter(email);
    if (outcome.kind !== 'signed_in') throw new Error(outcome.reason);
    const who = outcome.person;
    expect(await accessOf(who)).toEqual(['active', 'Analytics: Viewer']);
    expect(
      await world.sql(`select source from role_grants where subject_id = $1 and ended_at is null`, [who.userId]),
    ).toEqual([{ source: 'default' }]);
    const subject = { subjectId: who.userId, kind: 'user', person: who } as const;
    await endRole(world.context(), tenants.acme, subject, 'Analytics: Viewer', operator);
    expect((await enter(email)).kind).toBe('signed_in');
    expect(await accessOf(who)).toEqual(['no_access']);
    // Whom an administrator made has what the administrator gave.
    expect((await enter(knownEmail)).kind).toBe('signed_in');
    expect(await accessOf(known)).toEqual(['no_access']);
    await changeSettings(world, tenants.acme, {
      provisioningMode: 'invite_only',
      initialAccess: 'mapped_roles',
      defaultRole: null,
    });
  });

  test('two first sign-ins at once make one account', async () => {
    await changeSettings(world, tenants.acme, { provisioningMode: 'jit' });
    const email = newEmail();
    const outcomes = await Promise.all(
      [1, 2, 3].map(() => signIn(world.context(), tenants.acme.tenantId, proof(assertion(email, tenants.okta)))),
    );
    expect(new Set(outcomes.map((one) => (one.kind === 'signed_in' ? one.person.userId : one.reason))).size).toBe(1);
    await changeSettings(world, tenants.acme, { provisioningMode: 'invite_only' });
  });
});

describe('sticky suspend', () => {
  test('R19 R20 R21 C7 D16 from suspend until an administrator assigns a data role there is no access, whatever signs in', async () => {
    const { email, who, subject } = await person();
    await assignRole(world.context(), tenants.acme, subject, 'Analytics: Viewer', operator);
    expect(await stateOf(who)).toBe('active');
    const [before] = await world.sql<{ access_epoch: number }>(
      `select access_epoch::int from subjects where subject_id = $1`,
      [who.userId],
    );
    expect(await suspend(world.context(), tenants.acme, subject, 'left')).toEqual({
      kind: 'suspended',
      already: false,
    });
    expect(await stateOf(who)).toBe('suspended');
    const [after] = await world.sql<{ access_epoch: number }>(
      `select access_epoch::int from subjects where subject_id = $1`,
      [who.userId],
    );
    expect(after?.access_epoch).toBeGreaterThan(before?.access_epoch ?? 0);

    const groups = { kind: 'named', values: ['Editors'] } as const;
    expect(
      await signIn(world.context(), tenants.acme.tenantId, proof(assertion(email, tenants.okta, { groups }))),
    ).toMatchObject({ kind: 'signed_in' });
    expect(await stateOf(who)).toBe('suspended');
    expect(await requestAccess(world.context(), who, null, 'please')).toEqual({ kind: 'requested', again: false });
    expect(await openRequest(world.context(), who, null)).toMatchObject({ message: 'please' });
    expect(await stateOf(who)).toBe('suspended');
    await setActive(world.context(), tenants.acme, subject, false, null);
    await setActive(world.context(), tenants.acme, subject, true, null);
    expect(await stateOf(who)).toBe('suspended');
    expect(await suspend(world.context(), tenants.acme, subject, null)).toEqual({ kind: 'suspended', already: true });

    expect(await assignRole(world.context(), tenants.acme, subject, 'editor', operator)).toEqual({
      kind: 'assigned',
      role: 'Analytics: Editor',
      lifted: true,
      already: false,
    });
    const read = await readAccess(world.context(), who, null);
    // The grant of before stays ended: lifting restores only what was assigned now.
    expect(read?.claims).toEqual({
      tenant_id: 'acme',
      home_tenant_id: 'acme',
      roles: ['Analytics: Editor'],
      allowed_tenants: ['acme'],
    });
  });

  test('NO_ACCESS is no role that could be assigned', async () => {
    const { subject } = await person();
    expect(await assignRole(world.context(), tenants.acme, subject, 'NO_ACCESS', operator)).toMatchObject({
      kind: 'refused',
      code: 'unknown_role',
    });
  });

  test('I1 the database closes a suspension only by an administrator’s grant made after it began', async () => {
    const { subject, who } = await person();
    await assignRole(world.context(), tenants.acme, subject, 'Analytics: Viewer', operator);
    await suspend(world.context(), tenants.acme, subject, null);
    await expect(
      world.sql(`update suspensions set lifted_at = now() where subject_id = $1`, [who.userId]),
    ).rejects.toThrow();
    await expect(
      world.sql(
        `update suspensions s set lifted_at = g.granted_at, lifted_grant_id = g.grant_id, lifted_source = 'admin'
         from role_grants g where g.subject_id = s.subject_id and s.subject_id = $1`,
        [who.userId],
      ),
    ).rejects.toThrow(/check constraint/);
    await expect(world.sql(`delete from suspensions where subject_id = $1`, [who.userId])).rejects.toThrow(
      /never changed or removed/,
    );
    await expect(
      world.sql(
        `update suspensions set subject_id = (select subject_id from subjects where kind = 'user' and subject_id <> $1 limit 1) where subject_id = $1`,
        [who.userId],
      ),
    ).rejects.toThrow(/only ever lifted/);
  });

  test('T119 I3 JIT: a fresh account whose address the suspended person ever held begins suspended', async () => {
    const { email, who, subject } = await person();
    await suspend(world.context(), tenants.acme, subject, null);
    // The address goes to nobody, as after a new employee's push; a new subject arrives with it, plus a tag.
    await world.sql(`update users set email = null where user_id = $1`, [who.userId]);
    await changeSettings(world, tenants.acme, { provisioningMode: 'jit' });
    const tagged = email.replace('@', '+new@');
    const other = `fresh-${email}`;
    const outcome = await signIn(
      world.context(),
      tenants.acme.tenantId,
      proof(assertion(tagged, tenants.okta, { subject: other, directoryIds: [other] })),
    );
    await changeSettings(world, tenants.acme, { provisioningMode: 'invite_only' });
    expect(outcome).toMatchObject({ kind: 'signed_in', created: true });
    expect(outcome.kind === 'signed_in' && outcome.person.userId).not.toBe(who.userId);
    expect(outcome.kind === 'signed_in' && (await stateOf(outcome.person))).toBe('suspended');
  });
});

describe('cross-tenant mappings', () => {
  test('I7 R120 R129 R130 a mapping puts the target into allowed_tenants, with roles of its own, and its removal takes it out', async () => {
    const { who, subject } = await person();
    await assignRole(world.context(), tenants.acme, subject, 'Viewer', operator);
    const gift = { roles: ['Analytics: Editor'], groups: ['TenantOwners'] };
    expect(await mapGuest(world.context(), tenants.labs, who, gift, operator)).toMatchObject({
      kind: 'mapped',
      already: false,
      suspended: false,
    });
    expect((await readAccess(world.context(), who, null))?.claims?.allowed_tenants).toEqual(['acme', 'acme-labs']);
    expect((await readAccess(world.context(), who, tenants.labs.slug))?.claims).toEqual({
      tenant_id: 'acme-labs',
      home_tenant_id: 'acme',
      roles: ['Analytics: Editor'],
      allowed_tenants: ['acme', 'acme-labs'],
    });
    // A tenant keeps one owner.
    await mapGuest(
      world.context(),
      tenants.labs,
      (await person()).who,
      { roles: [], groups: ['TenantOwners'] },
      operator,
    );
    expect(await unmapGuest(world.context(), tenants.labs, who, operator)).toEqual({ kind: 'unmapped' });
    expect((await readAccess(world.context(), who, null))?.claims?.allowed_tenants).toEqual(['acme']);
    expect((await readAccess(world.context(), who, tenants.labs.slug))?.claims).toBeNull();
  });

  test('R112 I9 T73 a mapping upwards or sideways is refused, and the database could not hold it', async () => {
    const { who } = await person();
    expect(await mapGuest(world.context(), tenants.system, who, { roles: [], groups: [] }, operator)).toMatchObject({
      code: 'not_downwards',
    });
    expect(await mapGuest(world.context(), tenants.globex, who, { roles: [], groups: [] }, operator)).toMatchObject({
      code: 'not_downwards',
    });
    await world.sql(`insert into subjects (tenant_id, subject_id, kind) values ($1, $2, 'guest')`, [
      tenants.globex.tenantId,
      who.userId,
    ]);
    await expect(
      world.sql(
        `insert into guests (tenant_id, guest_id, source_tenant_id, source_user_id, mapped_by) values ($1, $2, $3, $2, '{}')`,
        [tenants.globex.tenantId, who.userId, who.tenantId],
      ),
    ).rejects.toThrow(/foreign key/);
  });

  test('T124 T125 suspended in the child: out there only, and a new mapping does not lift it; suspended at home: out everywhere', async () => {
    const { who, subject } = await person();
    await assignRole(world.context(), tenants.acme, subject, 'Viewer', operator);
    const mapped = await mapGuest(world.context(), tenants.labs, who, { roles: ['Viewer'], groups: [] }, operator);
    if (mapped.kind !== 'mapped') throw new Error(mapped.message);
    const guest = { subjectId: mapped.guestId, kind: 'guest', person: who } as const;
    await suspend(world.context(), tenants.labs, guest, null);
    expect(await stateOf(who, 'acme-labs')).toBe('suspended');
    expect((await readAccess(world.context(), who, null))?.claims?.allowed_tenants).toEqual(['acme']);
    await unmapGuest(world.context(), tenants.labs, who, operator);
    expect(
      await mapGuest(world.context(), tenants.labs, who, { roles: ['Editor'], groups: [] }, operator),
    ).toMatchObject({ suspended: true });
    expect(await stateOf(who, 'acme-labs')).toBe('suspended');
    await assignRole(world.context(), tenants.labs, guest, 'Editor', operator);
    expect(await stateOf(who, 'acme-labs')).toBe('active');
    await suspend(world.context(), tenants.acme, subject, null);
    expect(await stateOf(who, 'acme-labs')).toBe('suspended');
    expect((await readAccess(world.context(), who, tenants.labs.slug))?.allowed).toEqual([]);
  });

  test('T125 I3 mapped again, after the target suspended its own account of the same address, a guest begins suspended', async () => {
    const { who, email } = await person();
    const gift = { roles: ['Viewer'], groups: [] };
    await mapGuest(world.context(), tenants.labs, who, gift, operator);
    await unmapGuest(world.context(), tenants.labs, who, operator);
    const local = await addUser(world, tenants.labs, email);
    const account = { tenantId: tenants.labs.tenantId, userId: local };
    await suspend(world.context(), tenants.labs, { subjectId: local, kind: 'user', person: account }, null);
    expect(await mapGuest(world.context(), tenants.labs, who, gift, operator)).toMatchObject({ suspended: true });
    expect(await stateOf(who, 'acme-labs')).toBe('suspended');
  });

  test('I15 a group that a mapped guest is let into is audited at both ends, and once', async () => {
    const { who } = await person();
    await mapGuest(world.context(), tenants.labs, who, { roles: ['Viewer'], groups: [] }, operator);
    const rows = () =>
      world.sql<{ groups: number }>(
        `select jsonb_array_length(detail -> 'groups') as groups from audit_events
         where kind = 'mapping.added' and (object_id = $1 or object_id in (select guest_id from guests where source_user_id = $1))
         order by occurred_at`,
        [who.userId],
      );
    for (const _ of ['first', 'again'])
      await mapGuest(world.context(), tenants.labs, who, { roles: [], groups: ['TenantOwners'] }, operator);
    expect((await rows()).map((row) => row.groups)).toEqual([0, 0, 1, 1]);
  });

  test('T74 allowed_tenants is never transitive', async () => {
    const { who } = await person();
    const read = await readAccess(world.context(), who, null);
    expect(read?.allowed).toEqual(['acme']);
    expect(await mapGuest(world.context(), tenants.labs, who, { roles: [], groups: [] }, operator)).toMatchObject({
      kind: 'mapped',
    });
    expect((await readAccess(world.context(), who, null))?.allowed).toEqual(['acme', 'acme-labs']);
  });
});

test('the token read is one statement while the configuration stands', async () => {
  const { who } = await person();
  await readAccess(world.context(), who, null);
  world.takeStatements();
  await readAccess(world.context(), who, null);
  expect(world.takeStatements()).toEqual(['subject_read']);
});

test('I15 the audit trail can be added to and read, by right, and nothing else', async () => {
  const tx = world.database.hot(tenants.acme.tenantId);
  for (const text of [
    'update audit_events set reason = $1',
    'delete from audit_events where reason is distinct from $1',
  ]) {
    await expect(tx.run({ name: null, text }, ['x'])).rejects.toThrow(/permission denied/);
    await expect(world.sql(text, ['x'])).rejects.toThrow(/never changed or removed/);
  }
});
