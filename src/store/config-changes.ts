// Writes the changes of a configuration, kind by kind and set-based, whatever the number of tenants and rows. Rows end; none that
// says who held what is removed.

import type { TenantTx } from '../context.ts';
import type { ConfigStep } from '../core/config-change.ts';
import type { RoleId, SubjectId, TenantId } from '../core/ids.ts';
import type { Binding } from '../core/mapping.ts';
import type { ConnectionSettings } from '../core/tenant.ts';

/** A step with real ids. `create_tenant` is written by the store's `apply`, which makes what every tenant has. */
export type WrittenStep = { readonly tenantId: TenantId } & Exclude<ConfigStep, { kind: 'create_tenant' }>;
export type WrittenBinding = { readonly tenantId: TenantId } & Binding;

/** A grant that ended because its role was removed. */
export type EndedGrant = {
  readonly tenantId: TenantId;
  readonly grantId: string;
  readonly subjectId: SubjectId;
  readonly kind: 'user' | 'guest';
  readonly roleId: RoleId;
};

/**
 * Writes the steps in an order that the database accepts, gives every tenant that they touch a new configuration version, and tells
 * the other servers when the transaction commits. Returns the grants that ended with their roles.
 *
 * Throws UniqueViolation where another act took a name or a domain since the plan was made. Writes no audit row.
 */
export async function writeConfigSteps(
  tx: TenantTx,
  steps: readonly WrittenStep[],
  bindings: readonly WrittenBinding[],
  by: unknown,
): Promise<readonly EndedGrant[]> {
  const of = <K extends WrittenStep['kind']>(...kinds: readonly K[]) =>
    steps.filter((step): step is Extract<WrittenStep, { kind: K }> => (kinds as readonly string[]).includes(step.kind));
  const touched = [...new Set([...steps, ...bindings].map((one) => one.tenantId))];
  const connections = of('add_connection', 'change_connection');

  await endRules(tx, of('remove_rule'));
  await endConnections(tx, of('remove_connection'));
  await dropDomains(tx, of('remove_connection', 'change_connection'), of('remove_allowed_domain'));
  await writeTenants(tx, of('take_over_tenant', 'change_tenant', 'change_setting'));
  await writeRoles(tx, of('add_role', 'change_role'));
  await writeConnections(tx, connections);
  await endWaiting(tx, of('change_connection'));
  await writeDomains(tx, connections, of('add_allowed_domain'));
  await writeRules(tx, of('add_rule', 'change_rule'));
  await writeBindings(tx, bindings);
  const ended = await endRoles(tx, of('remove_role'), by);

  await run(tx, `update tenants set config_version = nextval('config_versions') where tenant_id = any ($1::uuid[])`, [
    touched,
  ]);
  await run(tx, `select pg_notify('drawbridge_config', t::text) from unnest($1::uuid[]) t`, [touched]);
  return ended;
}

type Of<K extends WrittenStep['kind']> = Extract<WrittenStep, { kind: K }>;

function run<Row>(tx: TenantTx, text: string, values: readonly unknown[]): Promise<Row[]> {
  return tx.run<Row>({ name: null, text }, values);
}

/** Runs a statement over rows given as one JSON value; not at all where there are none. */
async function each<Row>(
  tx: TenantTx,
  rows: readonly object[],
  text: string,
  ...more: readonly unknown[]
): Promise<Row[]> {
  return rows.length === 0 ? [] : run<Row>(tx, text, [JSON.stringify(rows), ...more]);
}

async function endRules(tx: TenantTx, steps: readonly Of<'remove_rule'>[]): Promise<void> {
  await each(
    tx,
    steps,
    `update mapping_rules m set ended_at = now() from jsonb_to_recordset($1) as x ("tenantId" uuid, "ruleId" uuid)
     where m.tenant_id = x."tenantId" and m.rule_id = x."ruleId" and m.managed_by = 'config' and m.ended_at is null`,
  );
}

/** What hung from a connection ends with it. Directory users end by an administrator's act, so they bar nobody (I2). */
async function endConnections(tx: TenantTx, steps: readonly Of<'remove_connection'>[]): Promise<void> {
  const gone = `from jsonb_to_recordset($1) as x ("tenantId" uuid, "connectionId" uuid)`;
  const mine = (table: string) => `${table}.tenant_id = x."tenantId" and ${table}.connection_id = x."connectionId"`;
  const statements = [
    // First of all: a push that is being written holds a share of this row, and the next one waits.
    `select 1 from connections c, jsonb_to_recordset($1) as x ("tenantId" uuid, "connectionId" uuid) where ${mine('c')} for update of c`,
    `update connections c set ended_at = now(), enabled = false ${gone} where ${mine('c')} and c.managed_by = 'config' and c.ended_at is null`,
    `update scim_credentials s set ended_at = now() ${gone} where ${mine('s')} and s.ended_at is null`,
    `update identities i set ended_at = now() ${gone} where ${mine('i')} and i.ended_at is null`,
    `update directory_users d set ended_at = now(), ended_by = 'admin', version = d.version + 1 ${gone} where ${mine('d')} and d.ended_at is null`,
    `delete from group_members m using directory_groups g, jsonb_to_recordset($1) as x ("tenantId" uuid, "connectionId" uuid)
     where ${mine('g')} and m.tenant_id = g.tenant_id and m.group_id = g.group_id`,
    `update directory_groups g set ended_at = now(), version = g.version + 1 ${gone} where ${mine('g')} and g.ended_at is null`,
    `delete from asserted_groups a using jsonb_to_recordset($1) as x ("tenantId" uuid, "connectionId" uuid) where ${mine('a')}`,
    `delete from login_flows l using jsonb_to_recordset($1) as x ("tenantId" uuid, "connectionId" uuid) where ${mine('l')}`,
  ];
  for (const statement of statements) await each(tx, steps, statement);
}

async function dropDomains(
  tx: TenantTx,
  connections: readonly (Of<'remove_connection'> | Of<'change_connection'>)[],
  allowed: readonly Of<'remove_allowed_domain'>[],
): Promise<void> {
  const lost = connections.flatMap((step) => {
    const before = step.kind === 'change_connection' ? step.from.domains : step.connection.domains;
    const after = step.kind === 'change_connection' ? step.to.domains : [];
    return before.filter((domain) => !after.includes(domain)).map((domain) => ({ ...step, domain }));
  });
  await each(
    tx,
    lost,
    `delete from connection_domains d using jsonb_to_recordset($1) as x ("tenantId" uuid, "connectionId" uuid, domain text)
     where d.tenant_id = x."tenantId" and d.connection_id = x."connectionId" and d.domain = x.domain`,
  );
  await each(
    tx,
    lost,
    `delete from domain_owners o using jsonb_to_recordset($1) as x ("tenantId" uuid, domain text)
     where o.tenant_id = x."tenantId" and o.domain = x.domain
       and not exists (select 1 from connection_domains d where d.tenant_id = o.tenant_id and d.domain = o.domain)`,
  );
  await each(
    tx,
    allowed,
    `delete from allowed_domains a using jsonb_to_recordset($1) as x ("tenantId" uuid, domain text)
     where a.tenant_id = x."tenantId" and a.domain = x.domain and a.managed_by = 'config'`,
  );
}

async function writeTenants(
  tx: TenantTx,
  steps: readonly (Of<'take_over_tenant'> | Of<'change_tenant'> | Of<'change_setting'>)[],
): Promise<void> {
  const rows = [...Map.groupBy(steps, (step) => step.tenantId)].map(([tenantId, own]) => {
    const settings = own.filter((step) => step.kind === 'change_setting').map((step) => [step.field, step.to]);
    const columns = own.filter((step) => step.kind === 'change_tenant').map((step) => [step.field, step.to]);
    return { tenantId, ...Object.fromEntries(columns), settings: Object.fromEntries(settings) };
  });
  await each(
    tx,
    rows,
    `update tenants t set managed_by = 'config', display_name = coalesce(x."displayName", t.display_name),
       active = coalesce(x.active, t.active), settings = t.settings || x.settings
     from jsonb_to_recordset($1) as x ("tenantId" uuid, "displayName" text, active boolean, settings jsonb) where t.tenant_id = x."tenantId"`,
  );
}

async function writeRoles(tx: TenantTx, steps: readonly (Of<'add_role'> | Of<'change_role'>)[]): Promise<void> {
  const row = (step: (typeof steps)[number]) => ({
    tenantId: step.tenantId,
    roleId: step.roleId,
    ...(step.kind === 'add_role' ? step.role : step.to),
  });
  const columns = `jsonb_to_recordset($1) as x ("tenantId" uuid, "roleId" uuid, workspace text, name text, rights jsonb)`;
  const rights = `array(select jsonb_array_elements_text(x.rights))`;
  await each(
    tx,
    steps.filter((step) => step.kind === 'change_role').map(row),
    `update roles r set workspace = x.workspace, name = x.name, rights = ${rights} from ${columns}
     where r.tenant_id = x."tenantId" and r.role_id = x."roleId" and r.managed_by = 'config'`,
  );
  await each(
    tx,
    steps.filter((step) => step.kind === 'add_role').map(row),
    `insert into roles (tenant_id, role_id, workspace, name, rights, managed_by)
     select x."tenantId", x."roleId", x.workspace, x.name, ${rights}, 'config' from ${columns}`,
  );
}

async function endRoles(
  tx: TenantTx,
  steps: readonly Of<'remove_role'>[],
  by: unknown,
): Promise<readonly EndedGrant[]> {
  const gone = `from jsonb_to_recordset($1) as x ("tenantId" uuid, "roleId" uuid)`;
  await each(
    tx,
    steps,
    `update roles r set ended_at = now() ${gone}
     where r.tenant_id = x."tenantId" and r.role_id = x."roleId" and r.managed_by = 'config' and r.ended_at is null`,
  );
  return each<EndedGrant>(
    tx,
    steps,
    `update role_grants g set ended_at = clock_timestamp(), ended_by = $2::jsonb ${gone}, subjects s
     where g.tenant_id = x."tenantId" and g.role_id = x."roleId" and g.ended_at is null
       and s.tenant_id = g.tenant_id and s.subject_id = g.subject_id
     returning g.tenant_id as "tenantId", g.grant_id as "grantId", g.subject_id as "subjectId", s.kind, g.role_id as "roleId"`,
    JSON.stringify(by),
  );
}

function connectionRow(tenantId: TenantId, connectionId: string, connection: ConnectionSettings): object {
  const { key, displayName, protocol, issuer, scim, scimHeld, directory, enabled } = connection;
  const settings =
    connection.protocol === 'oidc' ? connection.oidc : connection.protocol === 'saml' ? connection.saml : {};
  return { tenantId, connectionId, key, displayName, protocol, issuer, settings, scim, scimHeld, directory, enabled };
}

async function writeConnections(
  tx: TenantTx,
  steps: readonly (Of<'add_connection'> | Of<'change_connection'>)[],
): Promise<void> {
  const columns = `jsonb_to_recordset($1) as x ("tenantId" uuid, "connectionId" uuid, key text, "displayName" text, protocol text, issuer text,
    settings jsonb, scim boolean, "scimHeld" boolean, directory jsonb, enabled boolean)`;
  await each(
    tx,
    steps
      .filter((step) => step.kind === 'change_connection')
      .map((step) => connectionRow(step.tenantId, step.connectionId, step.to)),
    `update connections c set display_name = x."displayName", protocol = x.protocol, issuer = x.issuer, settings = x.settings, scim = x.scim,
       scim_held = x."scimHeld", directory = x.directory, enabled = x.enabled from ${columns}
     where c.tenant_id = x."tenantId" and c.connection_id = x."connectionId" and c.managed_by = 'config'`,
  );
  await each(
    tx,
    steps
      .filter((step) => step.kind === 'add_connection')
      .map((step) => connectionRow(step.tenantId, step.connectionId, step.connection)),
    `insert into connections (tenant_id, connection_id, key, display_name, protocol, issuer, settings, scim, scim_held, directory, enabled, managed_by)
     select x."tenantId", x."connectionId", x.key, x."displayName", x.protocol, x.issuer, x.settings, x.scim, x."scimHeld", x.directory, x.enabled, 'config'
     from ${columns}`,
  );
}

/**
 * What a held directory switched on waited for its activation, and begins to count with it. Written too where one is put on hold: a
 * push that was decided before an activation and written after it may have left somebody waiting, who is in by now.
 */
async function endWaiting(tx: TenantTx, steps: readonly Of<'change_connection'>[]): Promise<void> {
  await each(
    tx,
    steps.filter((step) => step.from.scimHeld !== step.to.scimHeld),
    `update directory_users d set withheld = false from jsonb_to_recordset($1) as x ("tenantId" uuid, "connectionId" uuid)
     where d.tenant_id = x."tenantId" and d.connection_id = x."connectionId" and d.withheld`,
  );
}

async function writeDomains(
  tx: TenantTx,
  connections: readonly (Of<'add_connection'> | Of<'change_connection'>)[],
  allowed: readonly Of<'add_allowed_domain'>[],
): Promise<void> {
  const owned = connections.flatMap((step) => {
    const after = step.kind === 'change_connection' ? step.to.domains : step.connection.domains;
    const before = step.kind === 'change_connection' ? step.from.domains : [];
    const { tenantId, connectionId } = step;
    return after.filter((domain) => !before.includes(domain)).map((domain) => ({ tenantId, connectionId, domain }));
  });
  const columns = `jsonb_to_recordset($1) as x ("tenantId" uuid, "connectionId" uuid, domain text)`;
  // Without "on conflict": a domain that another tenant took in the meantime is a unique violation, and nothing is written.
  await each(
    tx,
    owned,
    `insert into domain_owners (domain, tenant_id) select distinct x.domain, x."tenantId" from ${columns}
     where not exists (select 1 from domain_owners o where o.domain = x.domain and o.tenant_id = x."tenantId")`,
  );
  await each(
    tx,
    owned,
    `insert into connection_domains (tenant_id, connection_id, domain) select x."tenantId", x."connectionId", x.domain from ${columns}`,
  );
  await each(
    tx,
    allowed,
    `insert into allowed_domains (tenant_id, domain, managed_by) select x."tenantId", x.domain, 'config'
     from jsonb_to_recordset($1) as x ("tenantId" uuid, domain text) on conflict do nothing`,
  );
}

async function writeRules(tx: TenantTx, steps: readonly (Of<'add_rule'> | Of<'change_rule'>)[]): Promise<void> {
  const added = steps.filter((step) => step.kind === 'add_rule');
  await each(
    tx,
    steps.filter((step) => step.kind === 'change_rule'),
    `update mapping_rules m set role_id = x."roleId" from jsonb_to_recordset($1) as x ("tenantId" uuid, "ruleId" uuid, "roleId" uuid)
     where m.tenant_id = x."tenantId" and m.rule_id = x."ruleId" and m.managed_by = 'config' and m.ended_at is null`,
  );
  const rows = added.map(({ tenantId, ruleId, roleId, connectionId, rule: { key, match } }) => {
    const allowNewGroups = match.kind === 'prefix' && match.allowNewGroups;
    return { tenantId, ruleId, roleId, connectionId, key, kind: match.kind, value: match.value, allowNewGroups };
  });
  await each(
    tx,
    rows,
    `insert into mapping_rules (tenant_id, rule_id, key, connection_id, match_kind, match_value, allow_new_groups, role_id, managed_by)
     select x."tenantId", x."ruleId", x.key, x."connectionId", x.kind, x.value, x."allowNewGroups", x."roleId", 'config'
     from jsonb_to_recordset($1) as x ("tenantId" uuid, "ruleId" uuid, "roleId" uuid, "connectionId" uuid, key text, kind text, value text,
       "allowNewGroups" boolean)`,
  );
}

async function writeBindings(tx: TenantTx, bindings: readonly WrittenBinding[]): Promise<void> {
  await each(
    tx,
    bindings,
    `insert into rule_bindings (tenant_id, rule_id, group_id, state) select x."tenantId", x."ruleId", x."groupId", x.state
     from jsonb_to_recordset($1) as x ("tenantId" uuid, "ruleId" uuid, "groupId" uuid, state text)`,
  );
}
