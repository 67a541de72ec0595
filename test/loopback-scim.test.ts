import { afterEach, beforeEach, expect, test } from 'vitest';
import { done } from '../src/core/change.ts';
import { confined } from '../src/loopback-scim.ts';
import { apply } from '../src/store/apply.ts';
import { type Acme, acme } from './support/acme.ts';
import { type TestWorld, testWorld } from './support/world.ts';

let world: TestWorld;
let tenants: Acme;
beforeEach(async () => {
  world = await testWorld();
  tenants = await acme(world);
});
afterEach(() => world?.close());

test('T37 a confined context acts in its own tenant and fails in every other, by single statements and in transactions', async () => {
  const ctx = confined(world.context(), tenants.labs.tenantId, { letters: true });
  const one = { name: null, text: 'select 1 as one' };
  expect(await ctx.hot(tenants.labs.tenantId).run(one, [])).toEqual([{ one: 1 }]);
  expect(await ctx.transaction(tenants.labs.tenantId, (tx) => tx.run(one, []))).toEqual([{ one: 1 }]);
  expect(() => ctx.hot(tenants.acme.tenantId)).toThrow('another tenant');
  await expect(ctx.transaction(tenants.acme.tenantId, async () => 1)).rejects.toThrow('another tenant');
});

test('a confined context writes no letter, and does the rest of the change', async () => {
  const mail = { template: 'address_kept', to: 'ann@acme.example', tenant: 'acme-labs', connection: 'okta' } as const;
  const change = { kind: 'send_mail', mail: mail as never } as const;
  const letters = () => world.sql('select 1 from graphile_worker.jobs');
  const { tenantId } = tenants.labs;
  const decision = { changes: [change], events: [done('tenant.changed', 'tenant', tenantId)] };
  const ctx = confined(world.context(), tenantId, { letters: false });
  await ctx.transaction(tenantId, (tx) => apply(ctx, tx, decision));
  expect(await letters()).toEqual([]);
  expect(await world.sql(`select 1 from audit_events where kind = 'tenant.changed'`)).toHaveLength(1);
  await world.context().transaction(tenantId, (tx) => apply(ctx, tx, decision));
  expect(await letters()).toHaveLength(1);
});
