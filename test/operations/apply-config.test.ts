import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Person, TenantSlug } from '../../src/core/ids.ts';
import { applyConfig, applyFirstConfig } from '../../src/operations/apply-config.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { createTenant } from '../../src/operations/create-tenant.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { configDrift, planConfig } from '../../src/operations/plan-config.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { startConfig } from '../../src/start-config.ts';
import { addUser } from '../support/acme.ts';
import {
  bringIntoForce,
  type ConfigFolder,
  configFolder,
  connectionIdOf,
  planned,
  pushGroup,
  pushUser,
  tenantIdOf,
  withSystemTenant,
} from '../support/config.ts';
import { operator, type TestWorld, testWorld } from '../support/world.ts';

const acme = (more = '', rules = '') => `
tenant: acme
name: Acme
workspaces:
  Analytics: { roles: { Viewer: {}, Editor: {}, Admin: { rights: [CreateUser] } } }
connections:
  okta:
    oidc: { issuer: https://acme.okta.example, clientId: a, clientSecret: { env: ACME_OKTA_SECRET } }
    scim: true
    domains: [acme.example]
${more}
rules:
  - { connection: okta, group: { name: Viewers }, role: "Analytics: Viewer" }
${rules}
`;
const editors = '  - { connection: okta, group: { name: Editors }, role: "Analytics: Editor" }';

let world: TestWorld;
let folder: ConfigFolder;
const opened: (() => unknown)[] = [];
beforeEach(async () => {
  world = await testWorld();
  folder = configFolder();
  opened.push(world.close, folder.remove);
  await withSystemTenant(world);
});
afterAll(async () => {
  for (const close of opened) await close();
});

const person = async (slug: string, userId: Person['userId']): Promise<Person> => ({
  tenantId: await tenantIdOf(world, slug),
  userId,
});
const access = async (who: Person, tenant: string | null = null) =>
  (await readAccess(world.context(), who, tenant as TenantSlug | null))?.access;
const rolesOf = async (who: Person, tenant: string | null = null) =>
  (await access(who, tenant))?.roles.map((role) => role.role);
/** Every row of every table but the audit trail, to see that nothing was written. */
async function everything(): Promise<unknown> {
  const tables = await world.sql<{ table: string }>(
    `select tablename as table from pg_tables where schemaname = 'public' and tablename not like 'audit%' and tablename not like 'knex%' order by 1`,
  );
  const rows: unknown[] = [];
  for (const { table } of tables)
    rows.push([table, await world.sql(`select to_jsonb(t) as row from ${table} t order by to_jsonb(t)::text`)]);
  return rows;
}

describe('the first application', () => {
  test('brings tenants below their parents, roles, connections, domains and rules into force', async () => {
    folder.write({
      acme: acme('adminContact: it@acme.example\nallowedDomains: [acme.example]'),
      'acme-labs': 'tenant: acme-labs\nname: Labs\nparent: acme\n',
    });
    expect((await bringIntoForce(world, folder)).kind).toBe('applied');

    expect(
      await world.sql(`select t.slug, p.slug as parent, t.display_name, t.managed_by, t.settings->>'adminContact' as contact
        from tenants t join tenants p on p.tenant_id = t.parent_id order by 1`),
    ).toEqual([
      { slug: 'acme', parent: 'system', display_name: 'Acme', managed_by: 'config', contact: 'it@acme.example' },
      { slug: 'acme-labs', parent: 'acme', display_name: 'Labs', managed_by: 'config', contact: null },
    ]);
    const acmeId = await tenantIdOf(world, 'acme');
    expect(
      await world.sql(`select workspace, name, rights, managed_by from roles where tenant_id = $1 order by 1, 2`, [
        acmeId,
      ]),
    ).toEqual([
      expect.objectContaining({ workspace: 'Administration', name: 'Administrator', managed_by: 'built_in' }),
      expect.objectContaining({ workspace: 'Administration', name: 'TenantManagement', managed_by: 'built_in' }),
      { workspace: 'Analytics', name: 'Admin', rights: ['CreateUser'], managed_by: 'config' },
      { workspace: 'Analytics', name: 'Editor', rights: [], managed_by: 'config' },
      { workspace: 'Analytics', name: 'Viewer', rights: [], managed_by: 'config' },
    ]);
    expect(
      await world.sql(`select key, protocol, issuer, scim, settings->'clientSecret' as secret from connections`),
    ).toEqual([
      {
        key: 'okta',
        protocol: 'oidc',
        issuer: 'https://acme.okta.example',
        scim: true,
        secret: { env: 'ACME_OKTA_SECRET' },
      },
    ]);
    expect(await world.sql(`select domain, tenant_id from domain_owners`)).toEqual([
      { domain: 'acme.example', tenant_id: acmeId },
    ]);
    expect(await world.sql(`select domain from connection_domains`)).toEqual([{ domain: 'acme.example' }]);
    expect(await world.sql(`select domain, managed_by from allowed_domains`)).toEqual([
      { domain: 'acme.example', managed_by: 'config' },
    ]);
    expect(await world.sql(`select key, match_kind, match_value, managed_by from mapping_rules`)).toEqual([
      {
        key: 'okta:name:Viewers -> Analytics: Viewer',
        match_kind: 'name',
        match_value: 'Viewers',
        managed_by: 'config',
      },
    ]);
    expect((await planned(world, folder)).changes).toEqual([]);
  });

  test('happens at the first start alone; afterwards files come into force by apply', async () => {
    const context = {
      ...world.context(),
      log: { debug() {}, info() {}, error() {}, warn: (facts: object) => void warnings.push(facts) },
    };
    const warnings: object[] = [];
    expect(await startConfig(context, folder.path)).toBe('in_force');
    folder.write({ acme: acme() });
    expect(await startConfig(context, folder.path)).toBe('applied');
    // The secret of its connection is not set here: said at once, not to the first person who signs in.
    const missing = { tenant: 'acme', connection: 'okta', problem: expect.stringContaining('is not set') };
    expect(warnings.splice(0)).toEqual([missing]);

    folder.write({ acme: acme('', editors) });
    expect(await startConfig(context, folder.path)).toBe('in_force');
    expect(await world.sql('select 1 from mapping_rules where ended_at is null')).toHaveLength(1);
    // T112: a server whose files say something else than what is in force says so.
    expect(warnings).toEqual([missing, { changes: 1 }]);
    expect(await applyFirstConfig(world.context(), await folder.read())).toBeNull();
  });

  test('takes the example folder as it is', async () => {
    const example = fileURLToPath(new URL('../../config/example', import.meta.url));
    expect(await startConfig(world.context(), example)).toBe('applied');
    expect(await world.sql('select slug from tenants order by 1')).toEqual([
      { slug: 'acme' },
      { slug: 'acme-labs' },
      { slug: 'globex' },
      { slug: 'system' },
    ]);
  });

  test('does not happen beside tenants that the command line made', async () => {
    await createTenant(world.context(), {
      slug: 'initech',
      displayName: 'Initech',
      parent: 'system' as TenantSlug,
      settings: {},
      managedBy: 'api',
    });
    folder.write({ acme: acme() });
    expect(await startConfig(world.context(), folder.path)).toBe('in_force');
    expect(await world.sql(`select 1 from tenants where slug = 'acme'`)).toEqual([]);
  });

  test('I17 T111 T112 an invalid file changes nothing: the first start fails with its place, a later one goes on', async () => {
    folder.write({
      acme: acme(),
      globex: 'tenant: globex\nname: Globex\nrules:\n  - { group: { local: x }, role: Nobody }\n',
    });
    const before = await everything();
    await expect(startConfig(world.context(), folder.path)).rejects.toThrow(
      'tenants/globex.yaml:4:34: rules[0].role is "Nobody"',
    );
    expect(await everything()).toEqual(before);

    folder.write({ globex: null });
    await startConfig(world.context(), folder.path);
    folder.write({ acme: 'tenant: acme\nname: [' });
    const errors: object[] = [];
    const log = { debug() {}, info() {}, warn() {}, error: (facts: object) => void errors.push(facts) };
    const inForce = await everything();
    expect(await startConfig({ ...world.context(), log }, folder.path)).toBe('in_force');
    expect(errors).toEqual([{ problem: expect.stringMatching(/^tenants\/acme\.yaml:2:/) }]);
    expect(await everything()).toEqual(inForce);
  });
});

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
    opened.unshift(other.close);
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

describe('what the console or the API manages is left alone', () => {
  test('roles, connections, rules and allowed domains of theirs stay through every change of the files', async () => {
    folder.write({ acme: acme('allowedDomains: [acme.example]') });
    await bringIntoForce(world, folder);
    const t = await tenantIdOf(world, 'acme');
    await world.sql(
      `insert into roles (tenant_id, role_id, workspace, name, managed_by) values ($1, gen_random_uuid(), 'Ops', 'Runner', 'api')`,
      [t],
    );
    await world.sql(
      `insert into connections (tenant_id, connection_id, key, display_name, scim, managed_by) values ($1, gen_random_uuid(), 'extra', 'Extra', true, 'api')`,
      [t],
    );
    await world.sql(
      `insert into mapping_rules (tenant_id, rule_id, key, match_kind, match_value, role_id, managed_by)
      select $1, gen_random_uuid(), 'theirs', 'local', 'TenantOwners', role_id, 'api' from roles where name = 'Runner'`,
      [t],
    );
    await world.sql(`insert into allowed_domains (tenant_id, domain, managed_by) values ($1, 'other.example', 'api')`, [
      t,
    ]);
    const theirs = async () => [
      await world.sql(`select * from roles where managed_by <> 'config' order by role_id`),
      await world.sql(`select * from connections where managed_by = 'api'`),
      await world.sql(`select * from mapping_rules where managed_by = 'api'`),
      await world.sql(`select * from allowed_domains where managed_by = 'api'`),
    ];
    const before = await theirs();
    expect((await planned(world, folder)).changes).toEqual([]);
    folder.write({ acme: 'tenant: acme\nname: Acme\n' });
    await bringIntoForce(world, folder);
    expect(await theirs()).toEqual(before);
    expect(await world.sql(`select 1 from connections where ended_at is null and key = 'okta'`)).toEqual([]);
  });

  test('a file that wants a name of theirs, a tenant’s other parent or a kept domain is told so at its place', async () => {
    folder.write({ acme: 'tenant: acme\nname: Acme\n' });
    await bringIntoForce(world, folder);
    await createTenant(world.context(), {
      slug: 'initech',
      displayName: 'I',
      parent: 'system' as TenantSlug,
      settings: {},
      managedBy: 'api',
    });
    const acmeId = await tenantIdOf(world, 'acme');
    const initech = await tenantIdOf(world, 'initech');
    await world.sql(
      `insert into connections (tenant_id, connection_id, key, display_name, scim, managed_by) values
      ($1, '00000000-0000-7000-8000-000000000001', 'okta', 'O', true, 'api'), ($2, '00000000-0000-7000-8000-000000000002', 'okta', 'O', true, 'api')`,
      [acmeId, initech],
    );
    await world.sql(`insert into domain_owners values ('initech.example', $1)`, [initech]);
    await world.sql(
      `insert into connection_domains values ($1, '00000000-0000-7000-8000-000000000002', 'initech.example')`,
      [initech],
    );
    await world.sql(
      `insert into roles (tenant_id, role_id, workspace, name, managed_by) values ($1, gen_random_uuid(), 'analytics', 'viewer', 'api')`,
      [acmeId],
    );
    folder.write({
      acme: acme('parent: initech').replace('acme.example]', 'acme.example, initech.example]'),
      lost: 'tenant: lost\nname: L\nparent: nowhere\n',
    });
    const plan = await planConfig(world.context(), await folder.read());
    if (plan.kind !== 'impossible') throw new Error('planned');
    expect(plan.faults.map(({ tenant, path, found }) => [tenant, path.join('.'), found])).toEqual([
      ['acme', 'parent', '"initech", and the tenant is there below "system"'],
      ['acme', 'workspaces.Analytics.roles.Viewer', 'a role, which the console or the API made already'],
      ['acme', 'connections.okta', 'a connection, which the console or the API made already'],
      ['lost', 'parent', '"nowhere", which is no tenant'],
      ['acme', 'connections.okta.domains.1', '"initech.example", which initech owns'],
    ]);
    const before = await everything();
    expect(await applyConfig(world.context(), await folder.read(), 'x')).toMatchObject({ kind: 'impossible' });
    expect(await everything()).toEqual(before);
  });

  test('a tenant that the command line made is taken over by its file, visibly; a lost file closes nothing', async () => {
    await createTenant(world.context(), {
      slug: 'acme',
      displayName: 'By hand',
      parent: 'system' as TenantSlug,
      settings: { adminContact: 'x@acme.example' },
      managedBy: 'api',
    });
    const userId = await addUser(
      world,
      { tenantId: await tenantIdOf(world, 'acme'), slug: 'acme' as TenantSlug },
      'ann@acme.example',
    );
    folder.write({ acme: acme() });
    const plan = await planned(world, folder);
    expect(plan.changes.slice(0, 3)).toEqual([
      { tenant: 'acme', kind: 'take_over_tenant' },
      { tenant: 'acme', kind: 'change_tenant', field: 'displayName', from: 'By hand', to: 'Acme' },
      { tenant: 'acme', kind: 'change_setting', field: 'adminContact', from: 'x@acme.example', to: null },
    ]);
    await applyConfig(world.context(), await folder.read(), plan.digest);
    expect(await world.sql(`select managed_by from tenants where slug = 'acme'`)).toEqual([{ managed_by: 'config' }]);
    expect(await world.sql('select 1 from users where user_id = $1', [userId])).toHaveLength(1);

    folder.write({ acme: null });
    expect(await planConfig(world.context(), await folder.read())).toEqual({
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
    folder.write({ acme: `${acme()}\nactive: false\n` });
    await bringIntoForce(world, folder);
    folder.write({ acme: null });
    expect(await configDrift(world.context(), await folder.read())).toEqual({ changes: 0, faults: [] });
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
