import { beforeEach, describe, expect, test } from 'vitest';
import type { TenantSlug } from '../../src/core/ids.ts';
import { applyConfig } from '../../src/operations/apply-config.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { connectionIdOf, pushGroup, pushUser, tenantIdOf } from '../support/config.ts';
import { acme, type ConfigStage, configStage, editors } from '../support/config-stage.ts';
import { operator, testWorld } from '../support/world.ts';

let stage: ConfigStage;
beforeEach(async () => {
  stage = await configStage();
  return stage.close;
});

describe('apply', () => {
  test('refuses a digest of another plan with stale_plan, and writes nothing but the refusal', async () => {
    stage.folder.write({ acme: acme() });
    const { digest } = await stage.planned();
    stage.folder.write({ acme: acme('', editors) });
    const before = await stage.everything();
    expect(await applyConfig(stage.world.context(), await stage.folder.read(), digest)).toMatchObject({
      kind: 'refused',
      code: 'stale_plan',
    });
    expect(await applyConfig(stage.world.context(), await stage.folder.read(), '')).toMatchObject({
      kind: 'refused',
      code: 'stale_plan',
    });
    expect(await stage.everything()).toEqual(before);
    expect(await stage.world.sql(`select outcome, reason from audit_events where kind = 'config.apply'`)).toEqual(
      Array(2).fill({ outcome: 'refused', reason: 'stale_plan' }),
    );
  });

  test('refuses a plan whose effect on people is not what was looked at any more', async () => {
    stage.folder.write({ acme: acme() });
    await stage.bringIntoForce();
    const group = await pushGroup(stage.world, 'acme', 'okta', 'Editors');
    stage.folder.write({ acme: acme('', editors) });
    const { digest, differences } = await stage.planned();
    expect(differences).toEqual([]);
    const userId = await pushUser(stage.world, 'acme', 'okta', 'ann@acme.example', [group]);
    expect(await applyConfig(stage.world.context(), await stage.folder.read(), digest)).toMatchObject({
      code: 'stale_plan',
    });
    expect(await stage.rolesOf(await stage.person('acme', userId))).toEqual([]);
    // A push that the plan does not touch leaves it as it is.
    const fresh = await stage.planned();
    await pushUser(stage.world, 'acme', 'okta', 'bob@acme.example', []);
    expect((await applyConfig(stage.world.context(), await stage.folder.read(), fresh.digest)).kind).toBe('applied');
    expect(await stage.rolesOf(await stage.person('acme', userId))).toEqual(['Analytics: Editor']);
  });

  test('of two at once one is applied, and the other finds its plan out of date', async () => {
    stage.folder.write({ acme: acme() });
    const { digest } = await stage.planned();
    const wanted = await stage.folder.read();
    const outcomes = await Promise.all([
      applyConfig(stage.world.context(), wanted, digest),
      applyConfig(stage.world.context(), wanted, digest),
    ]);
    expect(outcomes.map((outcome) => ('code' in outcome ? outcome.code : outcome.kind)).sort()).toEqual([
      'applied',
      'stale_plan',
    ]);
    expect(await stage.world.sql(`select 1 from tenants where slug = 'acme'`)).toHaveLength(1);
  });

  test('ends what is removed and deletes no row; grants of a removed role end, each with an audit row', async () => {
    stage.folder.write({ acme: acme('', editors) });
    await stage.bringIntoForce();
    const group = await pushGroup(stage.world, 'acme', 'okta', 'Viewers');
    const userId = await pushUser(stage.world, 'acme', 'okta', 'ann@acme.example', [group]);
    const who = await stage.person('acme', userId);
    const tenant = { tenantId: who.tenantId, slug: 'acme' as TenantSlug };
    await assignRole(
      stage.world.context(),
      tenant,
      { subjectId: userId, kind: 'user', person: who },
      'Editor',
      operator,
    );
    const connection = await connectionIdOf(stage.world, 'acme', 'okta');
    await stage.world.sql(
      `insert into identities (tenant_id, identity_id, user_id, connection_id, issuer, subject, linked_by)
      values ($1, gen_random_uuid(), $2, $3, 'https://acme.okta.example', 's', 'email')`,
      [who.tenantId, userId, connection],
    );

    stage.folder.write({ acme: 'tenant: acme\nname: Acme\nworkspaces: { Analytics: { roles: { Viewer: {} } } }\n' });
    expect((await stage.bringIntoForce()).kind).toBe('applied');
    const open = async (table: string) =>
      (await stage.world.sql(`select 1 from ${table} where tenant_id = $1 and ended_at is null`, [who.tenantId]))
        .length;
    expect(await open('connections')).toBe(0);
    expect(await open('identities')).toBe(0);
    expect(await open('directory_groups')).toBe(0);
    expect(await open('mapping_rules')).toBe(0);
    expect(await open('role_grants')).toBe(0);
    expect(await stage.world.sql(`select ended_by from directory_users`)).toEqual([{ ended_by: 'admin' }]);
    expect(await stage.world.sql(`select ended_by->>'name' as by from role_grants where ended_at is not null`)).toEqual(
      [{ by: 'test' }],
    );
    expect(await stage.world.sql('select 1 from domain_owners')).toEqual([]);
    for (const table of ['connections', 'identities', 'directory_users', 'directory_groups']) {
      expect(await stage.world.sql(`select 1 from ${table}`), table).toHaveLength(1);
    }
    const events = await stage.world.sql(
      `select kind, object_id, detail from audit_events where kind in ('role.unassigned', 'connection.removed', 'access.changed')
      and tenant_id = $1 order by kind`,
      [who.tenantId],
    );
    expect(events).toEqual([
      {
        kind: 'access.changed',
        object_id: userId,
        detail: expect.objectContaining({ loses: ['Analytics: Editor'], sessionsEnded: true }),
      },
      { kind: 'connection.removed', object_id: connection, detail: { key: 'okta' } },
      { kind: 'role.unassigned', object_id: userId, detail: expect.objectContaining({ role: 'Analytics: Editor' }) },
    ]);
  });

  test('signs out who ends without access, in the same transaction; nobody else', async () => {
    stage.folder.write({ acme: acme('', editors) });
    await stage.bringIntoForce();
    const editorsGroup = await pushGroup(stage.world, 'acme', 'okta', 'Editors');
    await stage.world.sql(
      `insert into rule_bindings (tenant_id, rule_id, group_id, state) select tenant_id, rule_id, $1, 'bound' from mapping_rules where match_value = 'Editors'`,
      [editorsGroup],
    );
    const out = await pushUser(stage.world, 'acme', 'okta', 'out@acme.example', [editorsGroup]);
    const stays = await pushUser(stage.world, 'acme', 'okta', 'stays@acme.example', []);
    const tenantId = await tenantIdOf(stage.world, 'acme');
    for (const [index, user] of [out, stays].entries()) {
      await stage.world.sql(
        `insert into oidc_artifacts (model, id_hash, payload_sealed, account_tenant_id, account_user_id, account_epoch, expires_at)
        values ('Session', $1, '', $2, $3, 1, now() + interval '1 hour')`,
        [Buffer.from([index]), tenantId, user],
      );
    }
    stage.folder.write({ acme: acme() });
    const plan = await stage.planned();
    expect(plan.differences.map((one) => [one.subject.id, one.endsSessions])).toEqual([[out, true]]);
    await applyConfig(stage.world.context(), await stage.folder.read(), plan.digest);
    expect(await stage.world.sql('select account_user_id as user from oidc_artifacts')).toEqual([{ user: stays }]);
    expect(
      await stage.world.sql(
        'select subject_id as id, access_epoch as epoch from subjects where tenant_id = $1 order by 2',
        [tenantId],
      ),
    ).toEqual([
      { id: stays, epoch: 1 },
      { id: out, epoch: 2 },
    ]);
  });

  test('R20 R22 neither a new rule nor a removed connection lifts a suspension', async () => {
    stage.folder.write({ acme: acme() });
    await stage.bringIntoForce();
    const group = await pushGroup(stage.world, 'acme', 'okta', 'Editors');
    const userId = await pushUser(stage.world, 'acme', 'okta', 'ann@acme.example', [group]);
    const who = await stage.person('acme', userId);
    await suspend(
      stage.world.context(),
      { tenantId: who.tenantId, slug: 'acme' as TenantSlug },
      { subjectId: userId, kind: 'user', person: who },
      null,
    );
    stage.folder.write({ acme: acme('', editors) });
    const plan = await stage.planned();
    expect(plan.differences).toEqual([]);
    await applyConfig(stage.world.context(), await stage.folder.read(), plan.digest);
    expect(await stage.access(who)).toEqual({ state: 'suspended', roles: [] });
    stage.folder.write({ acme: 'tenant: acme\nname: Acme\n' });
    await stage.bringIntoForce();
    expect(await stage.access(who)).toEqual({ state: 'suspended', roles: [] });
  });

  test('I17 every server decides by the whole new version from its next request on, and hears of it within a second', async () => {
    stage.folder.write({ acme: acme('', editors) });
    await stage.bringIntoForce();
    const other = await testWorld({ url: stage.world.url });
    const { close } = stage;
    stage = { ...stage, close: () => other.close().then(close) };
    const heard: string[] = [];
    const stop = await other.database.listen('drawbridge_config', (payload) => heard.push(payload));
    const group = await pushGroup(stage.world, 'acme', 'okta', 'Editors');
    await stage.world.sql(
      `insert into rule_bindings (tenant_id, rule_id, group_id, state) select tenant_id, rule_id, $1, 'bound' from mapping_rules where match_value = 'Editors'`,
      [group],
    );
    await stage.world.sql(`update tenants set config_version = nextval('config_versions')`);
    const who = await stage.person('acme', await pushUser(stage.world, 'acme', 'okta', 'ann@acme.example', [group]));
    const seenByOther = async () =>
      (await readAccess(other.context(), who, null))?.access.roles.map((role) => role.role);
    expect(await seenByOther()).toEqual(['Analytics: Editor']);

    stage.folder.write({ acme: acme('', editors.replace('Analytics: Editor', 'Analytics: Admin')) });
    await stage.bringIntoForce();
    expect(await seenByOther()).toEqual(['Analytics: Admin']);
    await expect.poll(() => heard).toContain(who.tenantId);
    await stop();
  });

  test('a rule that only gives another role keeps the groups that it is bound to (T56)', async () => {
    const rule = (role: string) =>
      `  - { name: staff, connection: okta, group: { name: Staff }, role: "Analytics: ${role}" }`;
    stage.folder.write({ acme: acme('', rule('Viewer')) });
    await stage.bringIntoForce();
    const bound = await pushGroup(stage.world, 'acme', 'okta', 'Staff');
    await stage.world.sql(
      `insert into rule_bindings (tenant_id, rule_id, group_id, state) select tenant_id, rule_id, $1, 'bound' from mapping_rules where key = 'staff'`,
      [bound],
    );
    // Renamed since; and another took the name.
    await stage.world.sql(
      `update directory_groups set display_name = 'Old staff', display_name_key = 'old staff' where group_id = $1`,
      [bound],
    );
    await pushGroup(stage.world, 'acme', 'okta', 'Staff');
    stage.folder.write({ acme: acme('', rule('Admin')) });
    expect((await stage.planned()).bindings).toEqual([]);
    await stage.bringIntoForce();
    expect(
      await stage.world.sql(
        'select b.group_id, b.state from rule_bindings b join mapping_rules using (tenant_id, rule_id) where ended_at is null',
      ),
    ).toEqual([{ group_id: bound, state: 'bound' }]);
  });

  test('T27 a domain moves from one tenant to another in one application, never to two', async () => {
    const withDomain = (slug: string, domain: string) =>
      `tenant: ${slug}\nname: N\nconnections: { dir: { scim: true, domains: [${domain}] } }\n`;
    stage.folder.write({ aa: withDomain('aa', 'x.example'), zz: withDomain('zz', 'y.example') });
    await stage.bringIntoForce();
    stage.folder.write({ aa: withDomain('aa', 'y.example'), zz: withDomain('zz', 'x.example') });
    expect((await stage.bringIntoForce()).kind).toBe('applied');
    expect(
      await stage.world.sql('select o.domain, t.slug from domain_owners o join tenants t using (tenant_id) order by 1'),
    ).toEqual([
      { domain: 'x.example', slug: 'zz' },
      { domain: 'y.example', slug: 'aa' },
    ]);
  });
});

test('T117 files that activate a directory let in who waited for it, as their plan says; files that hold it again put nobody out', async () => {
  const [live, held] = [acme(), acme('    scimHeld: true')];
  stage.folder.write({ acme: held });
  await stage.bringIntoForce();
  const viewers = await pushGroup(stage.world, 'acme', 'okta', 'Viewers');
  const one = await stage.person('acme', await pushUser(stage.world, 'acme', 'okta', 'one@acme.example', [viewers]));
  await stage.world.sql(
    `insert into rule_bindings (tenant_id, rule_id, group_id, state) select tenant_id, rule_id, $1, 'bound' from mapping_rules`,
    [viewers],
  );
  await stage.world.sql(`update directory_users set withheld = true`);
  expect((await stage.access(one))?.state).toBe('deactivated');
  stage.folder.write({ acme: live });
  expect((await stage.planned()).differences).toMatchObject([
    { subject: { id: one.userId }, before: 'deactivated', after: 'active', gains: [{ role: 'Analytics: Viewer' }] },
  ]);
  expect(await stage.bringIntoForce()).toMatchObject({ kind: 'applied' });
  expect(await stage.world.sql('select 1 from directory_users where withheld')).toEqual([]);
  expect(await stage.rolesOf(one)).toEqual(['Analytics: Viewer']);
  stage.folder.write({ acme: held });
  await stage.bringIntoForce();
  expect((await stage.access(one))?.state).toBe('no_access');
});
