import { afterEach, beforeEach, expect, test } from 'vitest';
import { approveGroup, ruleBindings } from '../../src/operations/approve-group.ts';
import { authenticateDirectory } from '../../src/operations/authenticate-directory.ts';
import { createScimCredential } from '../../src/operations/create-scim-credential.ts';
import { createDirectoryGroup, removeDirectoryGroup } from '../../src/operations/provision-group.ts';
import { readConfigInForce } from '../../src/store/config-in-force.ts';
import { type Acme, acme, addRule } from '../support/acme.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
beforeEach(async () => {
  world = await testWorld();
  tenants = await acme(world);
});
afterEach(() => world?.close());

test('T56 a group that is made again under a mapped name gives nothing until an administrator approves it', async () => {
  const ctx = world.context();
  const rule = await addRule(world, tenants.acme, {
    connection: tenants.okta,
    kind: 'name',
    value: 'Admins',
    role: tenants.role(tenants.acme, 'Admin'),
  });
  const token = await createScimCredential(ctx, tenants.acme, 'okta', null);
  if (token.kind === 'refused') throw new Error(token.message);
  const directory = await authenticateDirectory(ctx, { tenant: 'acme', connection: 'okta' }, token.token);
  if (directory === null) throw new Error('no directory');
  const make = async () => {
    const made = await createDirectoryGroup(ctx, directory, { displayName: 'Admins', externalId: null }, []);
    if (made.kind !== 'done') throw new Error(made.kind);
    return made.group.id;
  };
  const bound = async () => (await readConfigInForce(world.database.hot(tenants.acme.tenantId)))?.rules[0]?.boundGroups;

  const first = await make();
  expect(await bound()).toEqual([first]);
  await removeDirectoryGroup(ctx, directory, first, null);
  const second = await make();
  expect(await bound()).not.toContain(second);
  expect(await ruleBindings(ctx, tenants.acme)).toMatchObject([{ state: 'held', ruleId: rule, groupId: second }]);
  expect(await approveGroup(ctx, tenants.acme, 'name:Admins', 'Others')).toMatchObject({ code: 'unknown_group' });
  expect(await approveGroup(ctx, tenants.globex, 'name:Admins', 'Admins')).toMatchObject({ code: 'unknown_group' });
  expect(await approveGroup(ctx, tenants.acme, 'name:Admins', 'Admins')).toMatchObject({ kind: 'bound' });
  expect(await bound()).toContain(second);
  expect(await approveGroup(ctx, tenants.acme, 'name:Admins', 'Admins')).toMatchObject({ code: 'unknown_group' });
});
