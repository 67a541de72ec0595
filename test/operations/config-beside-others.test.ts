import { beforeEach, describe, expect, test } from 'vitest';
import type { TenantSlug } from '../../src/core/ids.ts';
import { applyConfig } from '../../src/operations/apply-config.ts';
import { createTenant } from '../../src/operations/create-tenant.ts';
import { configDrift, planConfig } from '../../src/operations/plan-config.ts';
import { addUser } from '../support/acme.ts';
import { tenantIdOf } from '../support/config.ts';
import { acme, type ConfigStage, configStage } from '../support/config-stage.ts';

let stage: ConfigStage;
beforeEach(async () => {
  stage = await configStage();
  return stage.close;
});

describe('what the console or the API manages is left alone', () => {
  test('roles, connections, rules and allowed domains of theirs stay through every change of the files', async () => {
    stage.folder.write({ acme: acme('allowedDomains: [acme.example]') });
    await stage.bringIntoForce();
    const t = await tenantIdOf(stage.world, 'acme');
    await stage.world.sql(
      `insert into roles (tenant_id, role_id, workspace, name, managed_by) values ($1, gen_random_uuid(), 'Ops', 'Runner', 'api')`,
      [t],
    );
    await stage.world.sql(
      `insert into connections (tenant_id, connection_id, key, display_name, scim, managed_by) values ($1, gen_random_uuid(), 'extra', 'Extra', true, 'api')`,
      [t],
    );
    await stage.world.sql(
      `insert into mapping_rules (tenant_id, rule_id, key, match_kind, match_value, role_id, managed_by)
      select $1, gen_random_uuid(), 'theirs', 'local', 'TenantOwners', role_id, 'api' from roles where name = 'Runner'`,
      [t],
    );
    await stage.world.sql(
      `insert into allowed_domains (tenant_id, domain, managed_by) values ($1, 'other.example', 'api')`,
      [t],
    );
    const theirs = async () => [
      await stage.world.sql(`select * from roles where managed_by <> 'config' order by role_id`),
      await stage.world.sql(`select * from connections where managed_by = 'api'`),
      await stage.world.sql(`select * from mapping_rules where managed_by = 'api'`),
      await stage.world.sql(`select * from allowed_domains where managed_by = 'api'`),
    ];
    const before = await theirs();
    expect((await stage.planned()).changes).toEqual([]);
    stage.folder.write({ acme: 'tenant: acme\nname: Acme\n' });
    await stage.bringIntoForce();
    expect(await theirs()).toEqual(before);
    expect(await stage.world.sql(`select 1 from connections where ended_at is null and key = 'okta'`)).toEqual([]);
  });

  test('a file that wants a name of theirs, a tenant’s other parent or a kept domain is told so at its place', async () => {
    stage.folder.write({ acme: 'tenant: acme\nname: Acme\n' });
    await stage.bringIntoForce();
    await createTenant(stage.world.context(), {
      slug: 'initech',
      displayName: 'I',
      parent: 'system' as TenantSlug,
      settings: {},
      managedBy: 'api',
    });
    const acmeId = await tenantIdOf(stage.world, 'acme');
    const initech = await tenantIdOf(stage.world, 'initech');
    await stage.world.sql(
      `insert into connections (tenant_id, connection_id, key, display_name, scim, managed_by) values
      ($1, '00000000-0000-7000-8000-000000000001', 'okta', 'O', true, 'api'), ($2, '00000000-0000-7000-8000-000000000002', 'okta', 'O', true, 'api')`,
      [acmeId, initech],
    );
    await stage.world.sql(`insert into domain_owners values ('initech.example', $1)`, [initech]);
    await stage.world.sql(
      `insert into connection_domains values ($1, '00000000-0000-7000-8000-000000000002', 'initech.example')`,
      [initech],
    );
    await stage.world.sql(
      `insert into roles (tenant_id, role_id, workspace, name, managed_by) values ($1, gen_random_uuid(), 'analytics', 'viewer', 'api')`,
      [acmeId],
    );
    stage.folder.write({
      acme: acme('parent: initech').replace('acme.example]', 'acme.example, initech.example]'),
      lost: 'tenant: lost\nname: L\nparent: nowhere\n',
    });
    const plan = await planConfig(stage.world.context(), await stage.folder.read());
    if (plan.kind !== 'impossible') throw new Error('planned');
    expect(plan.faults.map(({ tenant, path, found }) => [tenant, path.join('.'), found])).toEqual([
      ['acme', 'parent', '"initech", and the tenant is there below "system"'],
      ['acme', 'workspaces.Analytics.roles.Viewer', 'a role, which the console or the API made already'],
      ['acme', 'connections.okta', 'a connection, which the console or the API made already'],
      ['lost', 'parent', '"nowhere", which is no tenant'],
      ['acme', 'connections.okta.domains.1', '"initech.example", which initech owns'],
    ]);
    const before = await stage.everything();
    expect(await applyConfig(stage.world.context(), await stage.folder.read(), 'x')).toMatchObject({
      kind: 'impossible',
    });
    expect(await stage.everything()).toEqual(before);
  });

  test('a tenant that the command line made is taken over by its file, visibly; a lost file closes nothing', async () => {
    await createTenant(stage.world.context(), {
      slug: 'acme',
      displayName: 'By hand',
      parent: 'system' as TenantSlug,
      settings: { adminContact: 'x@acme.example' },
      managedBy: 'api',
    });
    const userId = await addUser(
      stage.world,
      { tenantId: await tenantIdOf(stage.world, 'acme'), slug: 'acme' as TenantSlug },
      'ann@acme.example',
    );
    stage.folder.write({ acme: acme() });
    const plan = await stage.planned();
    expect(plan.changes.slice(0, 3)).toEqual([
      { tenant: 'acme', kind: 'take_over_tenant' },
      { tenant: 'acme', kind: 'change_tenant', field: 'displayName', from: 'By hand', to: 'Acme' },
      { tenant: 'acme', kind: 'change_setting', field: 'adminContact', from: 'x@acme.example', to: null },
    ]);
    await applyConfig(stage.world.context(), await stage.folder.read(), plan.digest);
    expect(await stage.world.sql(`select managed_by from tenants where slug = 'acme'`)).toEqual([
      { managed_by: 'config' },
    ]);
    expect(await stage.world.sql('select 1 from users where user_id = $1', [userId])).toHaveLength(1);

    stage.folder.write({ acme: null });
    expect(await planConfig(stage.world.context(), await stage.folder.read())).toEqual({
      kind: 'impossible',
      faults: [
        {
          tenant: 'acme',
          path: [],
          found: 'no file, and the tenant is open',
          expected: 'its file, with active: false to close the tenant',
        },
      ],
    });
    stage.folder.write({ acme: `${acme()}\nactive: false\n` });
    await stage.bringIntoForce();
    stage.folder.write({ acme: null });
    expect(await configDrift(stage.world.context(), await stage.folder.read())).toEqual({ changes: 0, faults: [] });
  });
});
