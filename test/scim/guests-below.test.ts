// A guest whom a tenant below suspended, and what the directory at home makes of them afterwards: whoever comes to the tenant below by it
// begins suspended there.

import { beforeAll, describe, expect, test } from 'vitest';
import type { Person } from '../../src/core/ids.ts';
import type { Email } from '../../src/core/profile.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { bulk, patch, put } from '../support/bulk.ts';
import { assertionOf, enter } from '../support/entering.ts';
import { address, second } from '../support/heirs-stage.ts';
import { type LabsStage, labsStage, type Pushed } from '../support/labs-stage.ts';
import { makeOwner, personOf } from '../support/people.ts';
import { userBody } from '../support/scim.ts';
import { operator } from '../support/world.ts';

let stage: LabsStage;
beforeAll(async () => {
  stage = await labsStage();
  return stage.close;
});

let serial = 0;
const fresh = () => `below${++serial}`;
const elsewhere = (name: string) => `${name}@labs.example` as Email;

type Guest = Pushed & { readonly name: string };
async function guest(): Promise<Guest> {
  const name = fresh();
  const made = await stage.pushed(stage.okta, name);
  expect(await stage.map(made.person)).toMatchObject({ suspended: false });
  return { ...made, name };
}
async function suspended(): Promise<Guest> {
  const made = await guest();
  await stage.suspendGuest(made.person);
  return made;
}
const inLabs = (person: Person) => stage.stateIn(stage.tenants.labs, person);
/** Somebody whom the directory of labs pushes with nothing of the guest's but this address. */
const newInLabs = async (name: string, more: object = {}) =>
  (await stage.pushed(stage.labs, name, { userName: fresh(), externalId: fresh(), ...more })).person;
async function expectHeld(person: Person, by: Person): Promise<void> {
  expect(await inLabs(person)).toBe('suspended');
  const [row] = await stage.world.sql(
    `select o.subject_id as of from suspensions s join suspensions o on o.tenant_id = s.tenant_id and o.suspension_id = s.inherited_from
     where s.subject_id = $1 and s.lifted_at is null`,
    [person.userId],
  );
  expect(row).toEqual({ of: await stage.guestOf(by) });
}

describe('I3 T124 an address that a suspended guest comes by at home', () => {
  const ways: readonly (readonly [string, (guest: Guest, to: string) => Promise<unknown>])[] = [
    ['a PUT', ({ id, name }, to) => stage.okta.put(`/Users/${id}`, userBody(to, { externalId: `ext-${name}` }))],
    ['a PATCH of a second address', ({ id }, to) => stage.okta.patch(`/Users/${id}`, second(to))],
    [
      'a PATCH of the userName',
      ({ id }, to) => stage.okta.patch(`/Users/${id}`, { op: 'replace', path: 'userName', value: address(to) }),
    ],
    [
      'a bulk of several',
      async ({ id }, to) => {
        const other = await stage.pushed(stage.okta, fresh());
        const results = await bulk(stage.okta, [
          patch(`/Users/${other.id}`, second(fresh())),
          put({ id }, userBody(to, { externalId: fresh() })),
        ]);
        expect(results.map(({ status }) => status)).toEqual(['200', '200']);
      },
    ],
    [
      'a DELETE and a POST with the same externalId',
      async ({ id, name, person }, to) => {
        await stage.okta.delete(`/Users/${id}`);
        const back = await stage.pushed(stage.okta, to, { externalId: `ext-${name}` });
        expect(back.person).toEqual(person);
      },
    ],
    [
      'a second DELETE and POST, in a bulk',
      async ({ id, name }, to) => {
        await stage.okta.delete(`/Users/${id}`);
        const data = userBody(to, { externalId: `ext-${name}` });
        const beside = userBody(fresh());
        const results = await bulk(stage.okta, [
          { method: 'POST', path: '/Users', bulkId: 'a', data: beside },
          { method: 'POST', path: '/Users', bulkId: 'b', data },
        ]);
        expect(results.map(({ status }) => status)).toEqual(['201', '201']);
      },
    ],
    [
      'somebody else who takes over their address, and is renamed',
      async ({ id, name, person }, to) => {
        await stage.okta.delete(`/Users/${id}`);
        const taker = await stage.pushed(stage.okta, name, { externalId: fresh() });
        expect(taker.person).not.toEqual(person);
        await stage.okta.put(`/Users/${taker.id}`, userBody(to, { externalId: fresh() }));
      },
    ],
    [
      'somebody new who has an address that they gave up, and this one',
      async ({ id, name }, to) => {
        await stage.okta.put(`/Users/${id}`, userBody(fresh(), { externalId: `ext-${name}` }));
        const emails = [{ value: address(to), primary: true }, { value: address(name) }];
        await stage.pushed(stage.okta, fresh(), { emails });
      },
    ],
    [
      'the third in line',
      async ({ id, name }, to) => {
        await stage.okta.delete(`/Users/${id}`);
        const taker = await stage.pushed(stage.okta, name, { externalId: fresh() });
        const between = fresh();
        await stage.okta.put(`/Users/${taker.id}`, userBody(between, { externalId: fresh() }));
        await stage.okta.delete(`/Users/${taker.id}`);
        const third = await stage.pushed(stage.okta, between, { externalId: fresh() });
        await stage.okta.put(`/Users/${third.id}`, userBody(to, { externalId: fresh() }));
      },
    ],
  ];
  test.each(ways)('by %s is theirs in the tenant below, too', async (_, change) => {
    const made = await suspended();
    const to = fresh();
    await change(made, to);
    await expectHeld(await newInLabs(to), made.person);
  });

  test('by another directory that adopts them, with a second address', async () => {
    const made = await suspended();
    // Whoever is mapped is linked by an administrator alone: the mapping ended, and the suspension did not.
    await stage.world.sql('update mapping_pointers set ended_at = now() where user_id = $1', [made.person.userId]);
    await stage.world.sql('update guests set ended_at = now() where source_user_id = $1', [made.person.userId]);
    const to = fresh();
    const emails = [{ value: address(made.name), primary: true }, { value: address(to) }];
    const adopted = await stage.pushed(stage.entra, made.name, { externalId: fresh(), emails });
    expect(adopted.person).toEqual(made.person);
    await expectHeld(await newInLabs(to), made.person);
  });

  test('is theirs in any case, with any plus-tag and as a Unicode domain', async () => {
    const { id, person } = await suspended();
    const to = fresh();
    const emails = [{ value: `${to.toUpperCase()}+a@ACME.example` }, { value: `${to}@Bücher.example` }];
    await stage.okta.patch(`/Users/${id}`, { op: 'add', path: 'emails', value: emails });
    await expectHeld(await newInLabs(`${to}+b`), person);
    const other = [{ value: `${to}@xn--bcher-kva.EXAMPLE` }];
    await expectHeld(await newInLabs(fresh(), { emails: other }), person);
  });

  test('that they gave up before they were suspended is theirs as well', async () => {
    const made = await guest();
    const emails = { op: 'replace', path: 'emails', value: [{ value: address(fresh()) }] };
    const userName = { op: 'replace', path: 'userName', value: fresh() };
    expect((await stage.okta.patch(`/Users/${made.id}`, emails, userName)).status).toBe(200);
    await stage.suspendGuest(made.person);
    await expectHeld(await newInLabs(made.name), made.person);
  });

  test('the failing twin: it is free where the guest is not suspended, or was let in', async () => {
    for (const before of [async () => undefined, stage.letInGuest]) {
      const made = before === stage.letInGuest ? await suspended() : await guest();
      await before(made.person);
      const to = fresh();
      await stage.okta.patch(`/Users/${made.id}`, second(to));
      expect(await inLabs(await newInLabs(to))).toBe('no_access');
    }
  });

  test('the failing twin: nobody is held at home, nor in another tenant, nor whose names only look alike', async () => {
    const { id } = await suspended();
    const [to, name] = [fresh(), fresh()];
    await stage.okta.put(`/Users/${id}`, userBody(to, { userName: name, externalId: fresh() }));
    await stage.okta.delete(`/Users/${id}`);
    const atHome = await stage.pushed(stage.okta, to, { externalId: fresh() });
    expect(await stage.stateIn(null, atHome.person)).toBe('no_access');
    const beside = await stage.pushed(stage.globex, to);
    expect(await stage.stateIn(null, beside.person)).toBe('no_access');
    // What they are called in a directory of acme says nothing in one of labs.
    expect(await inLabs(await newInLabs(fresh(), { userName: name }))).toBe('no_access');
  });
});

describe('I3 T124 the tenant below does not take them for a stranger', () => {
  async function renamed(): Promise<Guest & { readonly to: string }> {
    const made = await suspended();
    const to = fresh();
    await stage.okta.put(`/Users/${made.id}`, userBody(to, { externalId: `ext-${made.name}` }));
    const email = { type: 'other', value: elsewhere(to) };
    await stage.okta.patch(`/Users/${made.id}`, { op: 'add', path: 'emails', value: [email] });
    return { ...made, to };
  }

  test('in a bulk', async () => {
    const { to, person } = await renamed();
    const [one, other] = await bulk(stage.labs, [
      { method: 'POST', path: '/Users', bulkId: 'a', data: userBody(to, { externalId: fresh() }) },
      { method: 'POST', path: '/Users', bulkId: 'b', data: userBody(fresh()) },
    ]);
    const personAt = ({ location }: { location: string }) => personOf(stage.world, location.split('/').at(-1) ?? '');
    await expectHeld(await personAt(one), person);
    expect(await inLabs(await personAt(other))).toBe('no_access');
  });

  test('when its directory gives the address to somebody whom it has', async () => {
    const { to, person } = await renamed();
    const had = await stage.pushed(stage.labs, fresh());
    expect((await stage.labs.patch(`/Users/${had.id}`, second(to))).status).toBe(200);
    await expectHeld(had.person, person);
  });

  test('T119 when they sign in there for the first time', async () => {
    const { to, person } = await renamed();
    const email = elsewhere(to);
    const entered = await enter(
      stage.world,
      stage.tenants.labs.tenantId,
      assertionOf(stage.labsOkta, { subject: to, email }),
    );
    if (entered.kind !== 'signed_in') throw new Error(entered.reason);
    await expectHeld(entered.person, person);
  });

  test('T121 by a sign-in that is linked at home only afterwards', async () => {
    const { person, name } = await suspended();
    const subject = fresh();
    const at = { ...assertionOf(stage.tenants.okta, { subject, email: null }), directoryIds: [`ext-${name}`] };
    expect(await enter(stage.world, stage.tenants.acme.tenantId, at)).toMatchObject({ person, created: false });
    // The same identity provider under the same key below.
    const below = { ...assertionOf(stage.labsOkta, { subject, email: elsewhere(fresh()) }), directoryIds: [] };
    const entered = await enter(stage.world, stage.tenants.labs.tenantId, below);
    if (entered.kind !== 'signed_in') throw new Error(entered.reason);
    await expectHeld(entered.person, person);
  });

  test('the failing twin: an account that was there before, under an address of its own, is not touched', async () => {
    const made = await suspended();
    const to = fresh();
    const there = await newInLabs(to);
    await stage.okta.patch(`/Users/${made.id}`, second(to));
    expect(await inLabs(there)).toBe('no_access');
  });

  test('T125 nor somebody at home who has their address by now and is mapped', async () => {
    const { to, id } = await renamed();
    await stage.okta.delete(`/Users/${id}`);
    const taker = await stage.pushed(stage.okta, to, { externalId: fresh() });
    expect(await stage.map(taker.person)).toMatchObject({ suspended: true });
    // As a guest who began suspended, they are known by all of theirs.
    const own = fresh();
    await stage.okta.patch(`/Users/${taker.id}`, second(own));
    expect(await inLabs(await newInLabs(own))).toBe('suspended');
  });
});

describe('I3 a guest whom the directory at home gives the keys of somebody suspended below', () => {
  /** Suspended as a user of labs. */
  async function suspendedInLabs(): Promise<{ readonly name: string; readonly person: Person }> {
    const name = fresh();
    const { person } = await stage.pushed(stage.labs, name);
    const subject = { subjectId: person.userId, kind: 'user', person } as const;
    await suspend(stage.world.context(operator), stage.tenants.labs, subject, null);
    return { name, person };
  }

  test('T121 T125 is suspended there with them, out at once, and let in by an administrator alone', async () => {
    const made = await guest();
    const { name } = await suspendedInLabs();
    expect(await inLabs(made.person)).toBe('active');
    await stage.okta.patch(`/Users/${made.id}`, second(name));
    expect([await inLabs(made.person), await stage.stateIn(null, made.person)]).toEqual(['suspended', 'no_access']);
    const guestId = await stage.guestOf(made.person);
    expect(
      await stage.world.sql(
        `select tenant_id, outcome from audit_events where kind = 'user.suspension_inherited' and object_id = $1`,
        [guestId],
      ),
    ).toEqual([{ tenant_id: stage.tenants.labs.tenantId, outcome: 'done' }]);
    await stage.letInGuest(made.person);
    // Once they were let in with the address, it is not asked again.
    await stage.okta.patch(`/Users/${made.id}`, { op: 'remove', path: `emails[value eq "${address(name)}"]` });
    await stage.okta.patch(`/Users/${made.id}`, second(name));
    expect(await inLabs(made.person)).toBe('active');
  });

  test('the failing twin: an address of nobody suspended suspends nobody', async () => {
    const made = await guest();
    const { person } = await stage.pushed(stage.labs, `${made.name}x`);
    await stage.okta.patch(`/Users/${made.id}`, second(`${made.name}x`));
    expect([await inLabs(made.person), await inLabs(person)]).toEqual(['active', 'no_access']);
  });

  test('D12 I15 the last owner of the tenant below stays, and the push is refused whole, which labs has on record', async () => {
    const made = await guest();
    const { name } = await suspendedInLabs();
    const guestId = await stage.guestOf(made.person);
    await makeOwner(stage.world, { tenantId: stage.tenants.labs.tenantId, userId: guestId as never });
    const answer = await stage.okta.patch(`/Users/${made.id}`, second(name));
    expect([answer.status, answer.body.detail]).toEqual([403, expect.stringContaining('one active owner')]);
    expect((await stage.okta.get(`/Users/${made.id}`)).text).not.toContain(address(name));
    expect(await inLabs(made.person)).toBe('active');
    expect(
      await stage.world.sql(
        `select tenant_id, kind, reason from audit_events where outcome = 'refused' and object_id = $1`,
        [guestId],
      ),
    ).toEqual([{ tenant_id: stage.tenants.labs.tenantId, kind: 'user.suspension_inherited', reason: 'last_owner' }]);
    await stage.world.sql('update local_group_members set ended_at = now() where subject_id = $1', [guestId]);
  });

  test('D12 I15 the last owner of the tenant below stays, and a sign-in that would suspend them is refused and recorded', async () => {
    const made = await guest();
    const subject = fresh();
    const below = assertionOf(stage.labsOkta, { subject, email: elsewhere(fresh()) });
    const entered = await enter(stage.world, stage.tenants.labs.tenantId, below);
    if (entered.kind !== 'signed_in') throw new Error(entered.reason);
    const { person } = entered;
    const bearer = { subjectId: person.userId, kind: 'user', person } as const;
    await suspend(stage.world.context(operator), stage.tenants.labs, bearer, null);
    const guestId = await stage.guestOf(made.person);
    await makeOwner(stage.world, { tenantId: stage.tenants.labs.tenantId, userId: guestId as never });
    // The same identity provider under the same key at home, for somebody whom the directory at home has.
    const atHome = assertionOf(stage.tenants.okta, { subject, email: null });
    const signIn = () =>
      enter(stage.world, stage.tenants.acme.tenantId, { ...atHome, directoryIds: [`ext-${made.name}`] });
    expect(await signIn()).toEqual({ kind: 'refused', reason: 'add_sso' });
    expect(await inLabs(made.person)).toBe('active');
    expect(
      await stage.world.sql(
        `select reason from audit_events where kind = 'sign_in.refused' and tenant_id = $1 order by occurred_at desc limit 1`,
        [stage.tenants.acme.tenantId],
      ),
    ).toEqual([{ reason: 'add_sso' }]);
    await stage.world.sql('update local_group_members set ended_at = now() where subject_id = $1', [guestId]);
    expect(await signIn()).toMatchObject({ kind: 'signed_in', person: made.person });
    expect(await inLabs(made.person)).toBe('suspended');
  });
});

test('T130 T131 a suspension below that races pushes at home knows them by what the last one left', async () => {
  for (let round = 0; round < 8; round += 1) {
    const made = await guest();
    const [one, other] = [fresh(), fresh()];
    await Promise.all([
      stage.suspendGuest(made.person),
      stage.okta.put(`/Users/${made.id}`, userBody(one, { externalId: fresh() })),
      stage.okta.patch(`/Users/${made.id}`, second(other)),
      stage.okta.patch(`/Users/${made.id}`, { op: 'replace', path: 'active', value: true }),
    ]);
    for (const name of [made.name, one]) await expectHeld(await newInLabs(name), made.person);
    // The PUT may have come last, and taken the second address away again: it was theirs all the same.
    await expectHeld(await newInLabs(other), made.person);
  }
});

test('I3 a sign-in below that says an address in another form meets them', async () => {
  const made = await suspended();
  const to = fresh();
  const emails = [{ type: 'other', value: elsewhere(to.toUpperCase()) }];
  await stage.okta.patch(`/Users/${made.id}`, { op: 'add', path: 'emails', value: emails });
  const email = `${to}+tag@labs.example` as Email;
  const entered = await enter(
    stage.world,
    stage.tenants.labs.tenantId,
    assertionOf(stage.labsOkta, { subject: to, email }),
  );
  if (entered.kind !== 'signed_in') throw new Error(entered.reason);
  await expectHeld(entered.person, made.person);
});
