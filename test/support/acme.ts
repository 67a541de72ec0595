// Tenants as most tests need them: system > acme > acme-labs, and globex beside; two connections, three roles, two groups' rules.

import { randomUUIDv7 } from 'node:crypto';
import type { ConnectionId, RoleId, TenantId, TenantSlug, UserId } from '../../src/core/ids.ts';
import { bootstrap } from '../../src/operations/bootstrap.ts';
import { createTenant } from '../../src/operations/create-tenant.ts';
import type { TenantRef } from '../../src/operations/standing.ts';
import type { TestWorld } from './world.ts';

export type Acme = {
  readonly system: TenantRef;
  readonly acme: TenantRef;
  readonly labs: TenantRef;
  readonly globex: TenantRef;
  /** OIDC + SCIM, owns acme.example. */
  readonly okta: ConnectionId;
  /** SAML + SCIM, owns acme.example. */
  readonly entra: ConnectionId;
  /** OIDC + SCIM of globex, owns globex.example. */
  readonly globexOkta: ConnectionId;
  /** Roles of each tenant: Analytics: Viewer, Analytics: Editor, Operations: Admin (right CreateUser). */
  role(tenant: TenantRef, name: 'Viewer' | 'Editor' | 'Admin'): RoleId;
};

export async function acme(world: TestWorld): Promise<Acme> {
  const ctx = world.context();
  await bootstrap(ctx);
  const [row] = await world.sql<{ tenant_id: TenantId }>(`select tenant_id from tenants where slug = 'system'`);
  if (row === undefined) throw new Error('no system tenant');
  const make = async (slug: string, parent: string): Promise<TenantRef> => {
    const outcome = await createTenant(ctx, {
      slug,
      displayName: slug,
      parent: parent as TenantSlug,
      settings: {},
      managedBy: 'api',
    });
    if (outcome.kind === 'refused') throw new Error(outcome.message);
    return outcome;
  };
  const acmeTenant = await make('acme', 'system');
  const labs = await make('acme-labs', 'acme');
  const globex = await make('globex', 'system');
  const roles = new Map<string, RoleId>();
  for (const tenant of [acmeTenant, labs, globex]) {
    for (const [workspace, name, rights] of [
      ['Analytics', 'Viewer', []],
      ['Analytics', 'Editor', []],
      ['Operations', 'Admin', ['CreateUser']],
    ] as const) {
      const id = randomUUIDv7() as string as RoleId;
      roles.set(`${tenant.slug}/${name}`, id);
      await world.sql(`insert into roles (tenant_id, role_id, workspace, name, rights) values ($1, $2, $3, $4, $5)`, [
        tenant.tenantId,
        id,
        workspace,
        name,
        rights,
      ]);
    }
  }
  const connect = async (
    tenant: TenantRef,
    key: string,
    protocol: 'oidc' | 'saml',
    domain: string,
  ): Promise<ConnectionId> => {
    const id = randomUUIDv7() as string as ConnectionId;
    await world.sql(
      `insert into connections (tenant_id, connection_id, key, display_name, protocol, issuer, scim) values ($1, $2, $3, $3, $4, $5, true)`,
      [tenant.tenantId, id, key, protocol, `https://${key}.${domain}`],
    );
    await world.sql(`insert into domain_owners (domain, tenant_id) values ($1, $2) on conflict do nothing`, [
      domain,
      tenant.tenantId,
    ]);
    await world.sql(`insert into connection_domains (tenant_id, connection_id, domain) values ($1, $2, $3)`, [
      tenant.tenantId,
      id,
      domain,
    ]);
    return id;
  };
  const okta = await connect(acmeTenant, 'okta', 'oidc', 'acme.example');
  const entra = await connect(acmeTenant, 'entra', 'saml', 'acme.example');
  const globexOkta = await connect(globex, 'okta', 'oidc', 'globex.example');
  await touchConfig(world);
  return {
    system: { tenantId: row.tenant_id, slug: 'system' as TenantSlug },
    acme: acmeTenant,
    labs,
    globex,
    okta,
    entra,
    globexOkta,
    role: (tenant, name) => roles.get(`${tenant.slug}/${name}`) as RoleId,
  };
}

/** After rows of configuration were written by hand: the next read sees them. */
export async function touchConfig(world: TestWorld): Promise<void> {
  await world.sql(`update tenants set config_version = nextval('config_versions')`);
}

/** Settings of a tenant, as its file would set them. */
export async function changeSettings(world: TestWorld, tenant: TenantRef, settings: object): Promise<void> {
  await world.sql(
    `update tenants set settings = settings || $2::jsonb, config_version = nextval('config_versions') where tenant_id = $1`,
    [tenant.tenantId, JSON.stringify(settings)],
  );
}

/** A rule by name, bound by nobody yet; or by externalId. */
export async function addRule(
  world: TestWorld,
  tenant: TenantRef,
  rule: { connection: ConnectionId; kind: 'id' | 'name'; value: string; role: RoleId },
): Promise<string> {
  const id = randomUUIDv7() as string;
  await world.sql(
    `insert into mapping_rules (tenant_id, rule_id, key, connection_id, match_kind, match_value, role_id) values ($1, $2, $3, $4, $5, $6, $7)`,
    [tenant.tenantId, id, `${rule.kind}:${rule.value}`, rule.connection, rule.kind, rule.value, rule.role],
  );
  await touchConfig(world);
  return id;
}

/** A user as an administrator would make them. */
export async function addUser(world: TestWorld, tenant: TenantRef, email: string): Promise<UserId> {
  const id = randomUUIDv7() as string as UserId;
  await world.sql(`insert into subjects (tenant_id, subject_id, kind) values ($1, $2, 'user')`, [tenant.tenantId, id]);
  await world.sql(
    `insert into users (tenant_id, user_id, user_name, email, email_verified_at, origin) values ($1, $2, $3, $3, now(), 'admin')`,
    [tenant.tenantId, id, email],
  );
  return id;
}
