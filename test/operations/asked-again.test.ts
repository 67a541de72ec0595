// Whoever was let in, when a suspended person comes to sign in to their account by what an administrator was never asked about.

import { beforeAll, describe, expect, test } from 'vitest';
import { assertionOf, enter } from '../support/entering.ts';
import { address, type HeirsStage, heirsStage, second, set } from '../support/heirs-stage.ts';

let stage: HeirsStage;
beforeAll(async () => {
  stage = await heirsStage('asked');
  return stage.close;
});

describe('T121 I3 a suspended person does not come in by an account', () => {
  test('that was kept out for another reason when they first tried', async () => {
    const nameId = stage.fresh();
    const left = await stage.pushed(stage.entra, stage.fresh(), { externalId: nameId });
    await stage.suspended(left.person);
    await stage.entra.delete(`/Users/${left.id}`);
    const other = await stage.pushed(stage.entra, stage.fresh());
    await stage.suspended(other.person);
    await stage.patch(other.id, set('externalId', nameId));
    expect(await stage.comesIn(nameId, null)).toEqual(other.person);
    await stage.letIn(other.person);
    expect(await stage.comesIn(nameId, null)).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('suspended');
    // Asked once: whoever comes by it from now on is whom an administrator let in.
    await stage.letIn(other.person);
    expect(await stage.comesIn(nameId, null)).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('active');
  });

  test('that was let in of somebody else’s suspension, whose address they showed as well', async () => {
    const [sub, oid, name] = [stage.fresh(), stage.fresh(), stage.fresh()];
    await stage.suspended((await stage.pushed(stage.okta, name)).person);
    const left = await stage.pushed(stage.entra, stage.fresh(), { externalId: oid });
    await stage.suspended(left.person);
    const other = await stage.pushed(stage.entra, stage.fresh(), { externalId: sub });
    const at = assertionOf(stage.tenants.entra, { subject: sub, email: address(name) });
    const both = () => enter(stage.world, stage.tenants.acme.tenantId, { ...at, directoryIds: [sub, oid] });
    await stage.entra.delete(`/Users/${left.id}`);
    for (const state of ['suspended', 'suspended', 'active']) {
      expect(await both()).toMatchObject({ person: other.person });
      expect(await stage.stateOf(other.person)).toBe(state);
      await stage.letIn(other.person);
    }
  });

  test('the failing twin: its own bearer, who tries while it is kept out, comes in once it is let in', async () => {
    const nameId = stage.fresh();
    const { person } = await stage.pushed(stage.entra, stage.fresh(), { externalId: nameId });
    await stage.suspended(person);
    expect(await stage.comesIn(nameId, null)).toEqual(person);
    await stage.letIn(person);
    expect(await stage.comesIn(nameId, null)).toEqual(person);
    expect(await stage.stateOf(person)).toBe('active');
  });

  test('that inherited from somebody else, who came to have their name only afterwards', async () => {
    const [name, alias] = [stage.fresh(), stage.fresh()];
    const other = await stage.pushed(stage.entra, stage.fresh());
    await stage.letIn(other.person);
    await stage.patch(other.id, set('userName', name), set('userName', stage.fresh()));
    const left = await stage.pushed(stage.entra, stage.fresh(), { userName: name });
    await stage.suspended(left.person);
    await stage.entra.delete(`/Users/${left.id}`);
    const third = await stage.pushed(stage.entra, stage.fresh());
    await stage.patch(third.id, second(alias));
    await stage.suspended(third.person);
    await stage.patch(other.id, second(alias));
    expect(await stage.stateOf(other.person)).toBe('suspended');
    await stage.patch(third.id, set('userName', name), set('userName', stage.fresh()));
    await stage.patch(other.id, set('userName', name));
    await stage.letIn(other.person);
    expect(await stage.stateOf(other.person)).toBe('active');
    expect(await stage.comesIn(name, null)).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('suspended');
    await stage.letIn(other.person);
    expect(await stage.comesIn(name, null)).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('active');
  });
});
