// What an account was given for a moment, or lists beside its own, when a suspended person comes to sign in to it.

import { beforeAll, describe, expect, test } from 'vitest';
import { changeSettings } from '../support/acme.ts';
import { assertionOf, enter } from '../support/entering.ts';
import { address, type HeirsStage, heirsStage, second, set } from '../support/heirs-stage.ts';
import { userBody } from '../support/scim.ts';

let stage: HeirsStage;
beforeAll(async () => {
  stage = await heirsStage('moment');
  await changeSettings(stage.world, stage.tenants.acme, { provisioningMode: 'jit' });
  return stage.close;
});

const first = (name: string) => set('emails', [{ value: address(name), primary: true }]);
const notSecond = (name: string) => ({ op: 'remove', path: `emails[value eq "${address(name)}"]` });
/** By okta, to names that nobody has. */
const renamed = async (id: string) => {
  const names = userBody(stage.fresh(), { externalId: stage.fresh() });
  expect((await stage.okta.put(`/Users/${id}`, names)).status).toBe(200);
};
/** Somebody of entra who has access. */
async function active(more: object = {}) {
  const made = await stage.pushed(stage.entra, stage.fresh(), more);
  await stage.letIn(made.person);
  expect(await stage.stateOf(made.person)).toBe('active');
  return made;
}

describe('T121 I3 a suspended person does not come in by an account', () => {
  test.each([
    ['a name', (name: string) => name],
    ['an address', address],
  ])('that was called so for a moment, by %s, and then has it as its id', async (_, form) => {
    const [name, nameId] = [stage.fresh(), form(stage.fresh())];
    await stage.suspended((await stage.pushed(stage.okta, name)).person);
    const other = await active();
    await stage.patch(other.id, set('userName', nameId), set('userName', stage.fresh()), set('externalId', nameId));
    expect(await stage.stateOf(other.person)).toBe('active');
    expect(await stage.comesIn(nameId, address(name))).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('suspended');
  });

  test('that was called so while it was kept out for another reason', async () => {
    const name = stage.fresh();
    const left = await stage.pushed(stage.entra, stage.fresh(), { userName: name });
    await stage.suspended(left.person);
    await stage.entra.delete(`/Users/${left.id}`);
    const other = await stage.pushed(stage.entra, stage.fresh());
    await stage.suspended(other.person);
    await stage.patch(other.id, set('userName', name));
    await stage.letIn(other.person);
    expect(await stage.comesIn(name, null)).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('suspended');
    // Asked once: whoever comes by it from now on is whom an administrator let in.
    await stage.letIn(other.person);
    expect(await stage.comesIn(name, null)).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('active');
  });

  test('that was let in of somebody else’s suspension since it listed their address for a moment', async () => {
    const [name, nameId, another] = [stage.fresh(), stage.fresh(), stage.fresh()];
    await stage.suspended((await stage.pushed(stage.okta, name)).person);
    const other = await active({ externalId: nameId });
    await stage.suspended(other.person);
    await stage.patch(other.id, second(name), notSecond(name));
    await stage.letIn(other.person);
    await stage.suspended((await stage.pushed(stage.okta, another)).person);
    await stage.patch(other.id, second(another), notSecond(another));
    expect(await stage.stateOf(other.person)).toBe('suspended');
    await stage.letIn(other.person);
    expect(await stage.comesIn(nameId, address(name))).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('suspended');
  });

  test('that was called so for a moment before they were suspended, and again while it was kept out itself', async () => {
    const name = stage.fresh();
    const other = await active();
    await stage.patch(other.id, set('userName', name), set('userName', stage.fresh()));
    const left = await stage.pushed(stage.entra, stage.fresh(), { userName: name });
    await stage.suspended(left.person);
    await stage.entra.delete(`/Users/${left.id}`);
    await stage.suspended(other.person);
    await stage.patch(other.id, set('userName', name));
    await stage.letIn(other.person);
    expect(await stage.comesIn(name, null)).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('suspended');
  });

  test('that has the one of two ids, and had it before', async () => {
    const [sub, oid] = [stage.fresh(), stage.fresh()];
    const left = await stage.pushed(stage.entra, stage.fresh(), { externalId: oid });
    await stage.suspended(left.person);
    await stage.entra.delete(`/Users/${left.id}`);
    const other = await active({ externalId: sub });
    await stage.patch(other.id, set('externalId', stage.fresh()), set('externalId', sub));
    const at = { ...assertionOf(stage.tenants.entra, { subject: sub, email: null }), directoryIds: [sub, oid] };
    expect(await enter(stage.world, stage.tenants.acme.tenantId, at)).toMatchObject({ person: other.person });
    expect(await stage.stateOf(other.person)).toBe('suspended');
  });

  test('that had their id before them, and is called so now', async () => {
    const id = stage.fresh();
    const other = await active({ externalId: id });
    await stage.patch(other.id, set('externalId', stage.fresh()));
    const left = await stage.pushed(stage.entra, stage.fresh(), { externalId: id });
    await stage.suspended(left.person);
    await stage.entra.delete(`/Users/${left.id}`);
    await stage.patch(other.id, set('userName', id));
    expect(await stage.stateOf(other.person)).toBe('active');
    expect(await stage.comesIn(id, null)).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('suspended');
  });

  test('that had their address while it was suspended for something else, and was let in of that', async () => {
    const [name, nameId] = [stage.fresh(), stage.fresh()];
    await stage.suspended((await stage.pushed(stage.okta, name)).person);
    const other = await active({ externalId: nameId });
    await stage.suspended(other.person);
    await stage.patch(other.id, second(name), notSecond(name));
    await stage.letIn(other.person);
    expect(await stage.comesIn(nameId, address(name))).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('suspended');
    // Let in of this as well, it is not asked again, where the links went.
    await stage.letIn(other.person);
    await stage.world.sql('update identities set ended_at = now() where user_id = $1', [other.person.userId]);
    expect(await stage.comesIn(nameId, address(name))).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('active');
  });

  test.each([
    ['a second address', (name: string) => second(name)],
    ['its userName', (name: string) => set('userName', address(name))],
  ])('that listed the address of theirs before, as %s', async (_, listed) => {
    const [name, nameId] = [stage.fresh(), stage.fresh()];
    const { person } = await stage.pushed(stage.okta, name);
    const other = await active({ externalId: nameId });
    await stage.patch(other.id, listed(name));
    await stage.suspended(person);
    expect(await stage.stateOf(other.person)).toBe('active');
    expect(await stage.comesIn(nameId, `${name}+tag@acme.example`)).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('suspended');
  });

  test.each([
    ['a second address', (name: string) => second(name)],
    ['its first address, that was not free then', (name: string) => first(name)],
    ['its userName', (name: string) => set('userName', address(name))],
  ])('that had the address of theirs before, as %s, though they are renamed since', async (_, listed) => {
    const [name, nameId] = [stage.fresh(), stage.fresh()];
    const left = await stage.pushed(stage.okta, name);
    const other = await active({ externalId: nameId });
    await stage.patch(other.id, listed(name));
    await stage.suspended(left.person);
    await renamed(left.id);
    expect(await stage.stateOf(other.person)).toBe('active');
    expect(await stage.comesIn(nameId, address(name))).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('suspended');
  });

  test.each([
    ['first address', first],
    ['userName', (name: string) => set('userName', address(name))],
  ])('that listed the address of theirs before, and has it as its %s from then on', async (_, called) => {
    const name = stage.fresh();
    const left = await stage.pushed(stage.okta, name);
    const other = await active();
    await stage.patch(other.id, second(name));
    await stage.suspended(left.person);
    await renamed(left.id);
    expect(await stage.stateOf(other.person)).toBe('active');
    await stage.patch(other.id, called(name));
    expect(await stage.stateOf(other.person)).toBe('suspended');
    // Let in, they keep it whatever else is said of them.
    await stage.letIn(other.person);
    await stage.patch(other.id, set('title', 'still here'), second(stage.fresh()));
    expect(await stage.stateOf(other.person)).toBe('active');
  });

  test.each([
    ['userName', 'first address', (name: string) => set('userName', address(name)), first],
    ['first address, that was not free then', 'userName', first, (name: string) => set('userName', address(name))],
  ])(
    'that had the address of theirs before as its %s, and has it as its %s from then on',
    async (_, __, before, called) => {
      const name = stage.fresh();
      const left = await stage.pushed(stage.okta, name);
      const other = await active();
      await stage.patch(other.id, before(name));
      await stage.suspended(left.person);
      await renamed(left.id);
      expect(await stage.stateOf(other.person)).toBe('active');
      await stage.patch(other.id, called(name));
      expect(await stage.stateOf(other.person)).toBe('suspended');
    },
  );

  test('that was called so before them, until its directory removed it', async () => {
    const [name, externalId] = [stage.fresh(), stage.fresh()];
    const other = await active({ userName: name, externalId });
    await stage.entra.delete(`/Users/${other.id}`);
    expect((await stage.pushed(stage.entra, stage.fresh(), { externalId })).person).toEqual(other.person);
    const left = await stage.pushed(stage.entra, stage.fresh(), { userName: name });
    await stage.suspended(left.person);
    await stage.patch(left.id, set('userName', stage.fresh()));
    expect(await stage.stateOf(other.person)).toBe('active');
    expect(await stage.comesIn(name, null)).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('suspended');
  });
});

test('the failing twin: by a second address of somebody who is not suspended, they come in as they are', async () => {
  const [name, nameId] = [stage.fresh(), stage.fresh()];
  await stage.pushed(stage.okta, name);
  const other = await active({ externalId: nameId });
  await stage.patch(other.id, second(name));
  expect(await stage.comesIn(nameId, address(name))).toEqual(other.person);
  expect(await stage.stateOf(other.person)).toBe('active');
});

test('R21 who was let in with a NameID that a suspended person had is led by their own address through another connection, too', async () => {
  const name = stage.fresh();
  const left = await stage.pushed(stage.okta, name);
  await renamed(left.id);
  await stage.suspended(left.person);
  const own = address(stage.fresh());
  const person = await stage.comesIn(address(name), own);
  if (typeof person === 'string') throw new Error(person);
  expect(await stage.stateOf(person)).toBe('suspended');
  const byOkta = () =>
    enter(stage.world, stage.tenants.acme.tenantId, {
      ...assertionOf(stage.tenants.okta, { subject: address(name), email: own }),
      method: 'saml',
      directoryUserName: address(name),
    });
  expect(await byOkta()).toEqual({ kind: 'refused', reason: 'add_sso' });
  await stage.letIn(person);
  expect(await byOkta()).toMatchObject({ kind: 'signed_in', person });
  expect(await stage.stateOf(person)).toBe('active');
});

test('R21 who was let in is not asked again for whomever their directory gives the address next', async () => {
  const [name, nameId] = [stage.fresh(), stage.fresh()];
  await stage.suspended((await stage.pushed(stage.okta, name)).person);
  const other = await active({ externalId: nameId });
  expect(await stage.comesIn(nameId, address(name))).toEqual(other.person);
  expect(await stage.stateOf(other.person)).toBe('suspended');
  await stage.letIn(other.person);
  const next = await stage.pushed(stage.entra, stage.fresh());
  await stage.patch(next.id, second(name));
  expect(await stage.stateOf(next.person)).toBe('suspended');
  await stage.world.sql('update identities set ended_at = now() where user_id = $1', [other.person.userId]);
  expect(await stage.comesIn(nameId, address(name))).toEqual(other.person);
  expect(await stage.stateOf(other.person)).toBe('active');
});
