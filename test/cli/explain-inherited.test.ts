// Whom a directory suspended by somebody's names: an administrator reads whose they are, and what lets them in.

import { beforeEach, expect, test } from 'vitest';
import type { CliWorld } from '../../src/cli/command.ts';
import { explain } from '../../src/cli/explain.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type LabsStage, labsStage } from '../support/labs-stage.ts';
import { operator } from '../support/world.ts';

let stage: LabsStage;
beforeEach(async () => {
  stage = await labsStage();
  return stage.close;
});

async function explained(tenant: string, user: string) {
  const cli = { context: stage.world.context() } as Partial<CliWorld> as CliWorld;
  const { text, json } = await explain.run(cli, { tenant, user });
  return { lines: text.split('\n'), inheritedFrom: (json as { inheritedFrom: unknown }).inheritedFrom };
}

test('R21 T118 explain says by whose names somebody is suspended, and the one command that lets them in', async () => {
  const made = await stage.pushed(stage.okta, 'jdoe', { userName: 'jdoe' });
  const subject = { subjectId: made.person.userId, kind: 'user', person: made.person } as const;
  await suspend(stage.world.context(operator), stage.tenants.acme, subject, 'left');
  await stage.okta.patch(`/Users/${made.id}`, { op: 'replace', path: 'userName', value: 'jdoe2' });
  const { person } = await stage.pushed(stage.okta, 'other', { userName: 'jdoe' });
  const { lines, inheritedFrom } = await explained('acme', person.userId);
  expect(inheritedFrom).toEqual({ subjectId: made.person.userId, name: 'jdoe@acme.example' });
  expect(lines).toEqual([
    expect.stringContaining('suspended since'),
    `  they came to have a name, an address or an id of jdoe@acme.example (${made.person.userId}), who was suspended; if they are somebody else: drawbridge user assign-role --tenant acme --user ${person.userId} --role 'Workspace: Role'`,
  ]);
  const own = await explained('acme', made.person.userId);
  expect([own.inheritedFrom, own.lines]).toEqual([null, [expect.stringContaining('suspended since')]]);
});

test('R21 T124 so it does in a tenant below, by a guest’s names', async () => {
  const made = await stage.pushed(stage.okta, 'guest');
  await stage.map(made.person);
  await stage.suspendGuest(made.person);
  const { person } = await stage.pushed(stage.labs, 'guest');
  const { inheritedFrom } = await explained('acme-labs', person.userId);
  expect(inheritedFrom).toEqual({ subjectId: await stage.guestOf(made.person), name: 'guest@acme.example' });
});
