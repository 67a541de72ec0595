import { beforeEach, describe, expect, test } from 'vitest';
import type { TenantSlug } from '../../src/core/ids.ts';
import { applyConfig } from '../../src/operations/apply-config.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { pushGroup, pushUser, tenantIdOf } from '../support/config.ts';
import { acme, type ConfigStage, configStage, editors } from '../support/config-stage.ts';
import { operator } from '../support/world.ts';

let stage: ConfigStage;
beforeEach(async () => {
  stage = await configStage();
  return stage.close;
});

describe('a plan', () => {
  test('tells exactly who gains, loses and keeps which role, why, and whose sessions end; and changes nothing', async () => {
    stage.folder.write({ acme: acme() });
    await stage.bringIntoForce();
    const viewers = await pushGroup(stage.world, 'acme', 'okta', 'Viewers');
    const group = await pushGroup(stage.world, 'acme', 'okta', 'Editors');
    await stage.world.sql(
      `insert into rule_bindings (tenant_id, rule_id, group_id, state) select tenant_id, rule_id, $1, 'bound' from mapping_rules`,
      [viewers],
    );
    const gains = await pushUser(stage.world, 'acme', 'okta', 'ann@acme.example', [viewers, group]);
    const loses = await pushUser(stage.world, 'acme', 'okta', 'bob@acme.example', [viewers]);
    const keeps = await pushUser(stage.world, 'acme', 'okta', 'cid@acme.example', [viewers]);
    await pushUser(stage.world, 'acme', 'okta', 'dan@acme.example', []);
    const tenant = { tenantId: await tenantIdOf(stage.world, 'acme'), slug: 'acme' as TenantSlug };
    const who = await stage.person('acme', keeps);
    await assignRole(
      stage.world.context(),
      tenant,
      { subjectId: keeps, kind: 'user', person: who },
      'Viewer',
      operator,
    );

    stage.folder.write({ acme: acme('', editors).replace(/.*Viewers.*\n/, '') });
    const before = await stage.everything();
    const plan = await stage.planned();
    expect(await stage.everything()).toEqual(before);
    expect(plan.changes.map((change) => change.kind)).toEqual(['remove_rule', 'add_rule']);
    expect(plan.bindings).toEqual([
      {
        tenant: 'acme',
        rule: 'okta:name:Editors -> Analytics: Editor',
        group: 'Editors',
        groupId: group,
        state: 'bound',
        ruleId: expect.any(String),
      },
    ]);
    const summary = plan.differences.map(({ subject, gains, loses, keeps, before, after, endsSessions }) => ({
      name: subject.name,
      gains: gains.map((role) => role.role),
      loses: loses.map((role) => role.role),
      keeps: keeps.map((role) => [role.role, role.because.map((reason) => reason.kind)]),
      state: `${before} -> ${after}`,
      endsSessions,
    }));
    expect(summary).toEqual([
      {
        name: 'ann@acme.example',
        gains: ['Analytics: Editor'],
        loses: ['Analytics: Viewer'],
        keeps: [],
        state: 'active -> active',
        endsSessions: false,
      },
      {
        name: 'bob@acme.example',
        gains: [],
        loses: ['Analytics: Viewer'],
        keeps: [],
        state: 'active -> no_access',
        endsSessions: true,
      },
      {
        name: 'cid@acme.example',
        gains: [],
        loses: [],
        keeps: [['Analytics: Viewer', ['grant']]],
        state: 'active -> active',
        endsSessions: false,
      },
    ]);
    expect(plan.counts).toEqual({ examined: 3, different: 3, gaining: 1, losing: 2, sessionsEnding: 1 });

    // Applied, the same three people have exactly that.
    expect((await applyConfig(stage.world.context(), await stage.folder.read(), plan.digest)).kind).toBe('applied');
    expect(await stage.rolesOf(await stage.person('acme', gains))).toEqual(['Analytics: Editor']);
    expect((await stage.access(await stage.person('acme', loses)))?.state).toBe('no_access');
    expect(await stage.rolesOf(who)).toEqual(['Analytics: Viewer']);
  });

  test('has one digest for the same files and rows, and another for any other', async () => {
    stage.folder.write({ acme: acme() });
    const first = await stage.planned();
    expect(first.digest).toMatch(/^[0-9a-f]{32}$/);
    expect((await stage.planned()).digest).toBe(first.digest);
    stage.folder.write({ acme: acme('adminContact: it@acme.example') });
    expect((await stage.planned()).digest).not.toBe(first.digest);
  });

  test('speaks of guests too: whom a closed home or a removed directory takes with it', async () => {
    const labs = (active: boolean) =>
      `tenant: acme-labs\nname: Labs\nparent: acme\nactive: ${active}\nworkspaces: { Lab: { roles: { Reader: {} } } }\n`;
    stage.folder.write({ acme: acme(), 'acme-labs': labs(true) });
    await stage.bringIntoForce();
    const userId = await pushUser(stage.world, 'acme', 'okta', 'ann@acme.example', []);
    const who = await stage.person('acme', userId);
    const target = { tenantId: await tenantIdOf(stage.world, 'acme-labs'), slug: 'acme-labs' as TenantSlug };
    const mapped = await mapGuest(stage.world.context(), target, who, { roles: ['Reader'], groups: [] }, operator);
    expect(mapped.kind).not.toBe('refused');
    expect(await stage.rolesOf(who, 'acme-labs')).toEqual(['Lab: Reader']);

    stage.folder.write({ acme: acme('active: false') });
    const closing = await stage.planned();
    expect(closing.differences).toMatchObject([
      {
        tenant: 'acme-labs',
        subject: { kind: 'guest', name: 'ann@acme.example' },
        loses: [{ role: 'Lab: Reader' }],
        endsSessions: true,
      },
    ]);

    stage.folder.write({ acme: acme(), 'acme-labs': labs(false) });
    expect((await stage.planned()).differences).toMatchObject([
      { tenant: 'acme-labs', loses: [{ role: 'Lab: Reader' }] },
    ]);

    // Barred by the directory at home; without the directory nothing bars them.
    await stage.world.sql('update directory_users set active = false');
    expect((await stage.access(who, 'acme-labs'))?.state).toBe('deactivated');
    const none = acme().replace(/connections:[\s\S]*?rules:[\s\S]*/, '');
    stage.folder.write({ acme: none, 'acme-labs': labs(true) });
    const plan = await stage.planned();
    expect(plan.differences.toSorted((a, b) => a.tenant.localeCompare(b.tenant))).toMatchObject([
      // Nothing gives them a role at home, and they may sign in again.
      { tenant: 'acme', before: 'deactivated', after: 'no_access', letIn: true, gains: [], loses: [] },
      { tenant: 'acme-labs', before: 'deactivated', after: 'active', letIn: true, gains: [{ role: 'Lab: Reader' }] },
    ]);
    await applyConfig(stage.world.context(), await stage.folder.read(), plan.digest);
    expect(await stage.rolesOf(who, 'acme-labs')).toEqual(['Lab: Reader']);
  });
});
