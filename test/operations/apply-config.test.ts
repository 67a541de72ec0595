import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TenantSlug } from '../../src/core/ids.ts';
import { applyConfig } from '../../src/operations/apply-config.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import {
  bringIntoForce,
  type ConfigFolder,
  connectionIdOf,
  planned,
  pushGroup,
  pushUser,
  tenantIdOf,
} from '../support/config.ts';
import { acme, type ConfigStage, configStage, editors } from '../support/config-stage.ts';
import { operator, type TestWorld, testWorld } from '../support/world.ts';

let stage: ConfigStage;
let world: TestWorld;
let folder: ConfigFolder;
let person: ConfigStage['person'];
let access: ConfigStage['access'];
let rolesOf: ConfigStage['rolesOf'];
let everything: ConfigStage['everything'];
beforeEach(async () => {
  stage = await configStage();
  ({ world, folder, person, access, rolesOf, everything } = stage);
});
afterEach(() => stage?.close());

describe('apply', () => {
  test('refuses a digest of another plan with stale_plan, and writes nothing but the refusal', async () => {
    folder.write({ acme: acme() });
    const { digest } = await planned(world, folder);
    folder.write({ acme: acme('', editors) });
    const before = await everything();
    expect(await applyConfig(world.context(), await folder.read(), digest)).toMatchObject({
      kind: 'refused',
      code: 'stale_plan',
    });
    expect(await applyConfig(world.context(), await folder.read(), '')).toMatchObject({
      kind: 'refused',
      code: 'stale_plan',
    });
    expect(await everything()).toEqual(before);
    expect(await world.sql(`select outcome, reason from audit_events where kind = 'config.apply'`)).toEqual(
      Array(2).fill({ outcome: 'refused', reason: 'stale_plan' }),
    );
  });

  test('refuses a plan whose effect on people is not what was looked at any more', async () => {
    folder.write({ acme: acme() });
    await bringIntoForce(world, folder);
    const group = await pushGroup(world, 'acme', 'okta', 'Editors');
    folder.write({ acme: acme('', editors) });
    const { digest, differences } = await planned(world, folder);
    expect(differences).toEqual([]);
    const userId = await pushUser(world, 'acme', 'okta', 'ann@acme.example', [group]);
    expect(await applyConfig(world.context(), await folder.read(), digest)).toMatchObject({ code: 'stale_plan' });
    expect(await rolesOf(await person('acme', userId))).toEqual([]);
    // A push that the plan does not touch leaves it as it is.
    const fresh = await planned(world, folder);
    await pushUser(world, 'acme', 'okta', 'bob@acme.example', []);
    expect((await applyConfig(world.context(), await folder.read(), fresh.digest)).kind).toBe('applied');
    expect(await rolesOf(await person('acme', userId))).toEqual(['Analytics: Editor']);
  });

  test('of two at once one is applied, and the other finds its plan out of date', async () => {
    folder.write({ acme: acme() });
    const { digest } = await planned(world, folder);
    const wanted = await folder.read();
    const outcomes = await Promise.all([
      applyConfig(world.context(), wanted, digest),
      applyConfig(world.context(), wanted, digest),
    ]);
    expect(outcomes.map((outcome) => ('code' in outcome ? outcome.code : outcome.kind)).sort()).toEqual([
      'applied',
      'stale_plan',
    ]);
    expect(await world.sql(`select 1 from tenants where slug = 'acme'`)).toHaveLength(1);
  });

  test('ends what is removed and deletes no row; grants of a removed role end, each with an audit row', async () => {
    folder.write({ acme: acme('', editors) });
    await bringIntoForce(world, folder);
    const group = await pushGroup(world, 'acme', 'okta', 'Viewers');
    const userId = await pushUser(world, 'acme', 'okta', 'ann@acme.example', [group]);
    const who = await person('acme', userId);
    const tenant = { tenantId: who.tenantId, slug: 'acme' as TenantSlug };
    await assignRole(world.context(), tenant, { subjectId: userId, kind: 'user', person: who }, 'Editor', operator);
    const connection = await connectionIdOf(world, 'acme', 'okta');
    await world.sql(
      `insert into identities (tenant_id, identity_id, user_id, connection_id, issuer, subject, linked_by)
      values ($1, gen_random_uuid(), $2, $3, 'https://acme.okta.example', 's', 'email')`,
      [who.tenantId, userId, connection],
    );

    folder.write({ acme: 'tenant: acme\nname: Acme\nworkspaces: { Analytics: { roles: { Viewer: {} } } }\n' });
    expect((await bringIntoForce(world, folder)).kind).toBe('applied');
    const open = async (table: string) =>
      (await world.sql(`select 1 from ${table} where tenant_id = $1 and ended_at is null`, [who.tenantId])).length;
    expect(await open('connections')).toBe(0);
    expect(await open('identities')).toBe(0);
    expect(await open('directory_groups')).toBe(0);
    expect(await open('mapping_rules')).toBe(0);
    expect(await open('role_grants')).toBe(0);
    expect(await world.sql(`select ended_by from directory_users`)).toEqual([{ ended_by: 'admin' }]);
    expect(await world.sql(`select ended_by->>'name' as by from role_grants where ended_at is not null`)).toEqual([
      { by: 'test' },
    ]);
    expect(await world.sql('select 1 from domain_owners')).toEqual([]);
    for (const table of ['connections', 'identities', 'directory_users', 'directory_groups']) {
      expect(await world.sql(`select 1 from ${table}`), table).toHaveLength(1);
    }
    const events = await world.sql(
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
    folder.write({ acme: acme('', editors) });
    await bringIntoForce(world, folder);
    const editorsGroup = await pushGroup(world, 'acme', 'okta', 'Editors');
    await world.sql(
      `insert into rule_bindings (tenant_id, rule_id, group_id, state) select tenant_id, rule_id, $1, 'bound' from mapping_rules where match_value = 'Editors'`,
      [editorsGroup],
    );
    const out = await pushUser(world, 'acme', 'okta', 'out@acme.example', [editorsGroup]);
    const stays = await pushUser(world, 'acme', 'okta', 'stays@acme.example', []);
    const tenantId = await tenantIdOf(world, 'acme');
    for (const [index, user] of [out, stays].entries()) {
      await world.sql(
        `insert into oidc_artifacts (model, id_hash, payload_sealed, account_tenant_id, account_user_id, account_epoch, expires_at)
        values ('Session', $1, '', $2, $3, 1, now() + interval '1 hour')`,
        [Buffer.from([index]), tenantId, user],
      );
    }
    folder.write({ acme: acme() });
    const plan = await planned(world, folder);
    expect(plan.differences.map((one) => [one.subject.id, one.endsSessions])).toEqual([[out, true]]);
    await applyConfig(world.context(), await folder.read(), plan.digest);
    expect(await world.sql('select account_user_id as user from oidc_artifacts')).toEqual([{ user: stays }]);
    expect(
      await world.sql('select subject_id as id, access_epoch as epoch from subjects where tenant_id = $1 order by 2', [
        tenantId,
      ]),
    ).toEqual([
      { id: stays, epoch: 1 },
      { id: out, epoch: 2 },
    ]);
  });

  test('R20 R22 neither a new rule nor a removed connection lifts a suspension', async () => {
    folder.write({ acme: acme() });
    await bringIntoForce(world, folder);
    const group = await pushGroup(world, 'acme', 'okta', 'Editors');
    const userId = await pushUser(world, 'acme', 'okta', 'ann@acme.example', [group]);
    const who = await person('acme', userId);
    await suspend(
      world.context(),
      { tenantId: who.tenantId, slug: 'acme' as TenantSlug },
      { subjectId: userId, kind: 'user', person: who },
      null,
    );
    folder.write({ acme: acme('', editors) });
    const plan = await planned(world, folder);
    expect(plan.differences).toEqual([]);
    await applyConfig(world.context(), await folder.read(), plan.digest);
    expect(await access(who)).toEqual({ state: 'suspended', roles: [] });
    folder.write({ acme: 'tenant: acme\nname: Acme\n' });
    await bringIntoForce(world, folder);
    expect(await access(who)).toEqual({ state: 'suspended', roles: [] });
  });

  test('I17 every server decides by the whole new version from its next request on, and hears of it within a second', async () => {
    folder.write({ acme: acme('', editors) });
    await bringIntoForce(world, folder);
    const other = await testWorld({ url: world.url });
    const { close } = stage;
    stage = { ...stage, close: () => other.close().then(close) };
    const heard: string[] = [];
    const stop = await other.database.listen('drawbridge_config', (payload) => heard.push(payload));
    const group = await pushGroup(world, 'acme', 'okta', 'Editors');
    await world.sql(
      `insert into rule_bindings (tenant_id, rule_id, group_id, state) select tenant_id, rule_id, $1, 'bound' from mapping_rules where match_value = 'Editors'`,
      [group],
    );
    await world.sql(`update tenants set config_version = nextval('config_versions')`);
    const who = await person('acme', await pushUser(world, 'acme', 'okta', 'ann@acme.example', [group]));
    const seenByOther = async () =>
      (await readAccess(other.context(), who, null))?.access.roles.map((role) => role.role);
    expect(await seenByOther()).toEqual(['Analytics: Editor']);

    folder.write({ acme: acme('', editors.replace('Analytics: Editor', 'Analytics: Admin')) });
    await bringIntoForce(world, folder);
    expect(await seenByOther()).toEqual(['Analytics: Admin']);
    for (let tries = 0; tries < 20 && !heard.includes(who.tenantId); tries += 1) await wait(50);
    expect(heard).toContain(who.tenantId);
    await stop();
  });

  test('a rule that only gives another role keeps the groups that it is bound to (T56)', async () => {
    const rule = (role: string) =>
      `  - { name: staff, connection: okta, group: { name: Staff }, role: "Analytics: ${role}" }`;
    folder.write({ acme: acme('', rule('Viewer')) });
    await bringIntoForce(world, folder);
    const bound = await pushGroup(world, 'acme', 'okta', 'Staff');
    await world.sql(
      `insert into rule_bindings (tenant_id, rule_id, group_id, state) select tenant_id, rule_id, $1, 'bound' from mapping_rules where key = 'staff'`,
      [bound],
    );
    // Renamed since; and another took the name.
    await world.sql(
      `update directory_groups set display_name = 'Old staff', display_name_key = 'old staff' where group_id = $1`,
      [bound],
    );
    await pushGroup(world, 'acme', 'okta', 'Staff');
    folder.write({ acme: acme('', rule('Admin')) });
    expect((await planned(world, folder)).bindings).toEqual([]);
    await bringIntoForce(world, folder);
    expect(
      await world.sql(
        'select b.group_id, b.state from rule_bindings b join mapping_rules using (tenant_id, rule_id) where ended_at is null',
      ),
    ).toEqual([{ group_id: bound, state: 'bound' }]);
  });

  test('T27 a domain moves from one tenant to another in one application, never to two', async () => {
    const withDomain = (slug: string, domain: string) =>
      `tenant: ${slug}\nname: N\nconnections: { dir: { scim: true, domains: [${domain}] } }\n`;
    folder.write({ aa: withDomain('aa', 'x.example'), zz: withDomain('zz', 'y.example') });
    await bringIntoForce(world, folder);
    folder.write({ aa: withDomain('aa', 'y.example'), zz: withDomain('zz', 'x.example') });
    expect((await bringIntoForce(world, folder)).kind).toBe('applied');
    expect(
      await world.sql('select o.domain, t.slug from domain_owners o join tenants t using (tenant_id) order by 1'),
    ).toEqual([
      { domain: 'x.example', slug: 'zz' },
      { domain: 'y.example', slug: 'aa' },
    ]);
  });
});

test('T117 files that activate a directory let in who waited for it, as their plan says; files that hold it again put nobody out', async () => {
  const [live, held] = [acme(), acme('    scimHeld: true')];
  folder.write({ acme: held });
  await bringIntoForce(world, folder);
  const viewers = await pushGroup(world, 'acme', 'okta', 'Viewers');
  const one = await person('acme', await pushUser(world, 'acme', 'okta', 'one@acme.example', [viewers]));
  await world.sql(
    `insert into rule_bindings (tenant_id, rule_id, group_id, state) select tenant_id, rule_id, $1, 'bound' from mapping_rules`,
    [viewers],
  );
  await world.sql(`update directory_users set withheld = true`);
  expect((await access(one))?.state).toBe('deactivated');
  folder.write({ acme: live });
  expect((await planned(world, folder)).differences).toMatchObject([
    { subject: { id: one.userId }, before: 'deactivated', after: 'active', gains: [{ role: 'Analytics: Viewer' }] },
  ]);
  expect(await bringIntoForce(world, folder)).toMatchObject({ kind: 'applied' });
  expect(await world.sql('select 1 from directory_users where withheld')).toEqual([]);
  expect(await rolesOf(one)).toEqual(['Analytics: Viewer']);
  folder.write({ acme: held });
  await bringIntoForce(world, folder);
  expect((await access(one))?.state).toBe('no_access');
});
