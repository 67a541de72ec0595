// Whoever was let in, when a suspended person comes to sign in to their account by what an administrator was never asked about.

import { beforeAll, describe, expect, test } from 'vitest';
import type { Person } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { assertionOf, enter } from '../support/entering.ts';
import { type HeirsStage, heirsStage } from '../support/heirs-stage.ts';
import { operator } from '../support/world.ts';

let stage: HeirsStage;
beforeAll(async () => {
  stage = await heirsStage('asked');
  return stage.close;
});

const address = (name: string) => `${name}@acme.example`;
const set = (path: string, value: unknown) => ({ op: 'replace', path, value });
const second = (name: string) => ({ op: 'add', path: 'emails', value: [{ type: 'other', value: address(name) }] });
async function patch(id: string, ...changes: readonly object[]): Promise<void> {
  for (const change of changes) expect((await stage.entra.patch(`/Users/${id}`, change)).status).toBe(200);
}
const letIn = (person: Person) =>
  assignRole(
    stage.world.context(),
    stage.tenants.acme,
    { subjectId: person.userId, kind: 'user', person },
    'Analytics: Viewer',
    operator,
  );
async function comesIn(nameId: string, email: string | null): Promise<Person | string> {
  const entered = await enter(stage.world, stage.tenants.acme.tenantId, {
    ...assertionOf(stage.tenants.entra, { subject: nameId, email }),
    method: 'saml',
    directoryUserName: nameId,
  });
  return entered.kind === 'signed_in' ? entered.person : entered.reason;
}

describe('T121 I3 a suspended person does not come in by an account', () => {
  test('that was kept out for another reason when they first tried', async () => {
    const nameId = stage.fresh();
    const left = await stage.pushed(stage.entra, stage.fresh(), { externalId: nameId });
    await stage.suspended(left.person);
    await stage.entra.delete(`/Users/${left.id}`);
    const other = await stage.pushed(stage.entra, stage.fresh());
    await stage.suspended(other.person);
    await patch(other.id, set('externalId', nameId));
    expect(await comesIn(nameId, null)).toEqual(other.person);
    await letIn(other.person);
    expect(await comesIn(nameId, null)).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('suspended');
    // Asked once: whoever comes by it from now on is whom an administrator let in.
    await letIn(other.person);
    expect(await comesIn(nameId, null)).toEqual(other.person);
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
      await letIn(other.person);
    }
  });

  test('the failing twin: its own bearer, who tries while it is kept out, comes in once it is let in', async () => {
    const nameId = stage.fresh();
    const { person } = await stage.pushed(stage.entra, stage.fresh(), { externalId: nameId });
    await stage.suspended(person);
    expect(await comesIn(nameId, null)).toEqual(person);
    await letIn(person);
    expect(await comesIn(nameId, null)).toEqual(person);
    expect(await stage.stateOf(person)).toBe('active');
  });

  test('that inherited from somebody else, who came to have their name only afterwards', async () => {
    const [name, alias] = [stage.fresh(), stage.fresh()];
    const other = await stage.pushed(stage.entra, stage.fresh());
    await letIn(other.person);
    await patch(other.id, set('userName', name), set('userName', stage.fresh()));
    const left = await stage.pushed(stage.entra, stage.fresh(), { userName: name });
    await stage.suspended(left.person);
    await stage.entra.delete(`/Users/${left.id}`);
    const third = await stage.pushed(stage.entra, stage.fresh());
    await patch(third.id, second(alias));
    await stage.suspended(third.person);
    await patch(other.id, second(alias));
    expect(await stage.stateOf(other.person)).toBe('suspended');
    await patch(third.id, set('userName', name), set('userName', stage.fresh()));
    await patch(other.id, set('userName', name));
    await letIn(other.person);
    expect(await stage.stateOf(other.person)).toBe('active');
    expect(await comesIn(name, null)).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('suspended');
    await letIn(other.person);
    expect(await comesIn(name, null)).toEqual(other.person);
    expect(await stage.stateOf(other.person)).toBe('active');
  });
});
