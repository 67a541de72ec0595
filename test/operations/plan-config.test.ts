import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TenantSlug } from '../../src/core/ids.ts';
import { applyConfig } from '../../src/operations/apply-config.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { bringIntoForce, type ConfigFolder, planned, pushGroup, pushUser, tenantIdOf } from '../support/config.ts';
import { acme, type ConfigStage, configStage, editors } from '../support/config-stage.ts';
import { operator, type TestWorld } from '../support/world.ts';

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

describe('a plan', () => {
  test('tells exactly who gains, loses and keeps which role, why, and whose sessions end; and changes nothing', async () => {
    folder.write({ acme: acme() });
    await bringIntoForce(world, folder);
    const viewers = await pushGroup(world, 'acme', 'okta', 'Viewers');
    const group = await pushGroup(world, 'acme', 'okta', 'Editors');
    await world.sql(
      `insert into rule_bindings (tenant_id, rule_id, group_id, state) select tenant_id, rule_id, $1, 'bound' from mapping_rules`,
      [viewers],
    );
    const gains = await pushUser(world, 'acme', 'okta', 'ann@acme.example', [viewers, group]);
    const loses = await pushUser(world, 'acme', 'okta', 'bob@acme.example', [viewers]);
    const keeps = await pushUser(world, 'acme', 'okta', 'cid@acme.example', [viewers]);
    await pushUser(world, 'acme', 'okta', 'dan@acme.example', []);
    const tenant = { tenantId: await tenantIdOf(world, 'acme'), slug: 'acme' as TenantSlug };
    const who = await person('acme', keeps);
    await assignRole(world.context(), tenant, { subjectId: keeps, kind: 'user', person: who }, 'Viewer', operator);

    folder.write({ acme: acme('', editors).replace(/.*Viewers.*\n/, '') });
    const before = await everything();
    const plan = await planned(world, folder);
    expect(await everything()).toEqual(before);
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
    expect((await applyConfig(world.context(), await folder.read(), plan.digest)).kind).toBe('applied');
    expect(await rolesOf(await person('acme', gains))).toEqual(['Analytics: Editor']);
    expect((await access(await person('acme', loses)))?.state).toBe('no_access');
    expect(await rolesOf(who)).toEqual(['Analytics: Viewer']);
  });

  test('has one digest for the same files and rows, and another for any other', async () => {
    folder.write({ acme: acme() });
    const first = await planned(world, folder);
    expect(first.digest).toMatch(/^[0-9a-f]{32}$/);
    expect((await planned(world, folder)).digest).toBe(first.digest);
    folder.write({ acme: acme('adminContact: it@acme.example') });
    expect((await planned(world, folder)).digest).not.toBe(first.digest);
  });

  test('speaks of guests too: whom a closed home or a removed directory takes with it', async () => {
    const labs = (active: boolean) =>
      `tenant: acme-labs\nname: Labs\nparent: acme\nactive: ${active}\nworkspaces: { Lab: { roles: { Reader: {} } } }\n`;
    folder.write({ acme: acme(), 'acme-labs': labs(true) });
    await bringIntoForce(world, folder);
    const userId = await pushUser(world, 'acme', 'okta', 'ann@acme.example', []);
    const who = await person('acme', userId);
    const target = { tenantId: await tenantIdOf(world, 'acme-labs'), slug: 'acme-labs' as TenantSlug };
    const mapped = await mapGuest(world.context(), target, who, { roles: ['Reader'], groups: [] }, operator);
    expect(mapped.kind).not.toBe('refused');
    expect(await rolesOf(who, 'acme-labs')).toEqual(['Lab: Reader']);

    folder.write({ acme: acme('active: false') });
    const closing = await planned(world, folder);
    expect(closing.differences).toMatchObject([
      {
        tenant: 'acme-labs',
        subject: { kind: 'guest', name: 'ann@acme.example' },
        loses: [{ role: 'Lab: Reader' }],
        endsSessions: true,
      },
    ]);

    folder.write({ acme: acme(), 'acme-labs': labs(false) });
    expect((await planned(world, folder)).differences).toMatchObject([
      { tenant: 'acme-labs', loses: [{ role: 'Lab: Reader' }] },
    ]);

    // Barred by the directory at home; without the directory nothing bars them.
    await world.sql('update directory_users set active = false');
    expect((await access(who, 'acme-labs'))?.state).toBe('deactivated');
    const none = acme().replace(/connections:[\s\S]*?rules:[\s\S]*/, '');
    folder.write({ acme: none, 'acme-labs': labs(true) });
    const plan = await planned(world, folder);
    expect(plan.differences).toMatchObject([
      { tenant: 'acme-labs', before: 'deactivated', after: 'active', gains: [{ role: 'Lab: Reader' }] },
    ]);
    await applyConfig(world.context(), await folder.read(), plan.digest);
    expect(await rolesOf(who, 'acme-labs')).toEqual(['Lab: Reader']);
  });
});
