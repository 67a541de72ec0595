// Configuration files under test, and people whom directories pushed.

import { randomUUIDv7 } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatProblem } from '../../src/config-files/problem.ts';
import type { TenantConfig } from '../../src/core/config.ts';
import type { ConnectionId, TenantId, UserId } from '../../src/core/ids.ts';
import { groupNameKey, userNameKey } from '../../src/core/profile.ts';
import { type ApplyOutcome, applyConfig } from '../../src/operations/apply-config.ts';
import { bootstrap } from '../../src/operations/bootstrap.ts';
import { type ConfigReport, planConfig } from '../../src/operations/plan-config.ts';
import { readTenantFiles } from '../../src/tenant-files.ts';
import type { TestWorld } from './world.ts';

export type ConfigFolder = {
  readonly path: string;
  /** Writes tenants' files; null takes one away. */
  write(files: Readonly<Record<string, string | null>>): void;
  /** The tenants, or an error that tells every problem. */
  read(): Promise<readonly TenantConfig[]>;
  remove(): void;
};

export function configFolder(): ConfigFolder {
  const path = mkdtempSync(join(tmpdir(), 'drawbridge-config-'));
  mkdirSync(join(path, 'tenants'));
  return {
    path,
    write(files) {
      for (const [slug, text] of Object.entries(files)) {
        const file = join(path, 'tenants', `${slug}.yaml`);
        if (text === null) rmSync(file);
        else writeFileSync(file, text);
      }
    },
    async read() {
      const result = await readTenantFiles(path);
      if (result.kind === 'refused') throw new Error(result.problems.map(formatProblem).join('\n'));
      return result.tenants;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

export async function withSystemTenant(world: TestWorld): Promise<void> {
  await bootstrap(world.context());
}

export async function planned(world: TestWorld, folder: ConfigFolder): Promise<ConfigReport> {
  const plan = await planConfig(world.context(), await folder.read());
  if (plan.kind === 'impossible') throw new Error(JSON.stringify(plan.faults));
  return plan;
}

/** Plans, and applies what was planned. */
export async function bringIntoForce(world: TestWorld, folder: ConfigFolder): Promise<ApplyOutcome> {
  const { digest } = await planned(world, folder);
  return applyConfig(world.context(), await folder.read(), digest);
}

export async function tenantIdOf(world: TestWorld, slug: string): Promise<TenantId> {
  const [row] = await world.sql<{ tenant_id: TenantId }>('select tenant_id from tenants where slug = $1', [slug]);
  if (row === undefined) throw new Error(`no tenant ${slug}`);
  return row.tenant_id;
}

export async function connectionIdOf(world: TestWorld, slug: string, key: string): Promise<ConnectionId> {
  const [row] = await world.sql<{ connection_id: ConnectionId }>(
    `select c.connection_id from connections c join tenants t using (tenant_id) where t.slug = $1 and c.key = $2 and c.ended_at is null`,
    [slug, key],
  );
  if (row === undefined) throw new Error(`no connection ${slug}/${key}`);
  return row.connection_id;
}

/** A group as a directory pushed it. */
export async function pushGroup(world: TestWorld, slug: string, connection: string, name: string): Promise<string> {
  const id = randomUUIDv7() as string;
  await world.sql(
    `insert into directory_groups (tenant_id, group_id, connection_id, external_id, display_name, display_name_key) values ($1, $2, $3, $4, $5, $6)`,
    [
      await tenantIdOf(world, slug),
      id,
      await connectionIdOf(world, slug, connection),
      `ext-${id}`,
      name,
      groupNameKey(name),
    ],
  );
  return id;
}

/** A person as a directory pushed them, in groups. */
export async function pushUser(
  world: TestWorld,
  slug: string,
  connection: string,
  email: string,
  groups: readonly string[],
  active = true,
): Promise<UserId> {
  const tenantId = await tenantIdOf(world, slug);
  const userId = randomUUIDv7() as string as UserId;
  const directoryUserId = randomUUIDv7() as string;
  await world.sql(`insert into subjects (tenant_id, subject_id, kind) values ($1, $2, 'user')`, [tenantId, userId]);
  await world.sql(`insert into users (tenant_id, user_id, user_name, email, origin) values ($1, $2, $3, $3, 'scim')`, [
    tenantId,
    userId,
    email,
  ]);
  await world.sql(
    `insert into directory_users (tenant_id, directory_user_id, connection_id, user_id, external_id, user_name, user_name_key, email, active, attributes)
     values ($1, $2, $3, $4, $5, $6, $7, $6, $8, '{}')`,
    [
      tenantId,
      directoryUserId,
      await connectionIdOf(world, slug, connection),
      userId,
      `ext-${userId}`,
      email,
      userNameKey(email),
      active,
    ],
  );
  for (const group of groups) {
    await world.sql(`insert into group_members (tenant_id, group_id, directory_user_id) values ($1, $2, $3)`, [
      tenantId,
      group,
      directoryUserId,
    ]);
  }
  return userId;
}
