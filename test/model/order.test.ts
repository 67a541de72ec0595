import fc from 'fast-check';
import { expect, test } from 'vitest';
import { testWorld } from '../support/world.ts';
import { expectedAtHome, picture } from './slow-model.ts';
import { type ConnectionKey, emailOf, realSystem, type System, subjectOf } from './system.ts';

// Pushes that touch disjoint (object, attribute) pairs: each person's switch in each directory, each membership.
const pushes = (['okta', 'entra'] as const).flatMap((connection) =>
  [0, 1, 2].flatMap((person) => [
    { act: 'active' as const, connection, person, on: person !== 1 },
    { act: 'member' as const, connection, person, on: true },
  ]),
);
type Push = { act: 'active' | 'member'; connection: ConnectionKey; person: number; on: boolean };

async function outcomeOf(order: readonly Push[]): Promise<unknown> {
  const world = await testWorld();
  try {
    const system: System = await realSystem(world);
    for (const connection of ['okta', 'entra'] as const) {
      for (const person of [0, 1, 2]) await system.push(connection, person, subjectOf(connection, person));
    }
    for (const { act, connection, person, on } of order) {
      await (act === 'active' ? system.pushActive(connection, person, on) : system.setMember(connection, person, on));
    }
    const all = await picture(world);
    const users = (all.users ?? []).filter((row) => row.tenant_id === system.tenants.acme.tenantId);
    return [0, 1, 2].map((person) => {
      const user = users.find((row) => row.email === emailOf(person));
      return [person, expectedAtHome(all, system.tenants.acme.tenantId, String(user?.user_id))];
    });
  } finally {
    await world.close();
  }
}

test('I5 pushes that touch different things give the same access in any order', { timeout: 240_000 }, async () => {
  const inOrder = await outcomeOf(pushes);
  expect(inOrder).toMatchObject([
    [0, { state: 'active', roles: ['Analytics: Editor', 'Analytics: Viewer'] }],
    [1, { state: 'deactivated', roles: [] }],
    [2, { state: 'active', roles: ['Analytics: Editor', 'Analytics: Viewer'] }],
  ]);
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(pushes, { minLength: pushes.length }), async (order) => {
      expect(await outcomeOf(order)).toEqual(inOrder);
    }),
    { seed: 5, numRuns: 12 },
  );
});
