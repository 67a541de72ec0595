// What tests of configuration files begin with: a database with the system tenant alone, an empty folder, and a tenant's file.

import type { EffectiveAccess } from '../../src/core/access.ts';
import type { Person, TenantSlug } from '../../src/core/ids.ts';
import type { ApplyOutcome } from '../../src/operations/apply-config.ts';
import type { ConfigReport } from '../../src/operations/plan-config.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { bringIntoForce, type ConfigFolder, configFolder, planned, tenantIdOf, withSystemTenant } from './config.ts';
import { type TestWorld, testWorld } from './world.ts';

/** A file of acme: `more` connections, `rules` beside the one by name. */
export const acme = (more = '', rules = '') => `
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
/** A rule more. */
export const editors = '  - { connection: okta, group: { name: Editors }, role: "Analytics: Editor" }';

export type ConfigStage = {
  readonly world: TestWorld;
  readonly folder: ConfigFolder;
  /** The plan of what the folder holds. */
  planned(): Promise<ConfigReport>;
  /** Plans, and applies what was planned. */
  bringIntoForce(): Promise<ApplyOutcome>;
  person(slug: string, userId: Person['userId']): Promise<Person>;
  access(who: Person, tenant?: string | null): Promise<EffectiveAccess | undefined>;
  rolesOf(who: Person, tenant?: string | null): Promise<readonly string[] | undefined>;
  /** Every row of every table but the audit trail, to see that nothing was written. */
  everything(): Promise<unknown>;
  close(): Promise<void>;
};

export async function configStage(): Promise<ConfigStage> {
  const world = await testWorld();
  const folder = configFolder();
  await withSystemTenant(world);
  const access: ConfigStage['access'] = async (who, tenant = null) =>
    (await readAccess(world.context(), who, tenant as TenantSlug | null))?.access;
  return {
    world,
    folder,
    planned: () => planned(world, folder),
    bringIntoForce: () => bringIntoForce(world, folder),
    person: async (slug, userId) => ({ tenantId: await tenantIdOf(world, slug), userId }),
    access,
    rolesOf: async (who, tenant) => (await access(who, tenant))?.roles.map((role) => role.role),
    async everything() {
      const tables = await world.sql<{ table: string }>(
        `select tablename as table from pg_tables where schemaname = 'public' and tablename not like 'audit%' and tablename not like 'knex%' order by 1`,
      );
      const rows: unknown[] = [];
      for (const { table } of tables)
        rows.push([table, await world.sql(`select to_jsonb(t) as row from ${table} t order by to_jsonb(t)::text`)]);
      return rows;
    },
    async close() {
      folder.remove();
      await world.close();
    },
  };
}
