// What a server does with its configuration files when it starts.

import { formatProblem } from './config-files/problem.ts';
import type { Context } from './context.ts';
import type { TenantConfig } from './core/config.ts';
import { applyFirstConfig } from './operations/apply-config.ts';
import { systemTenant } from './operations/create-tenant.ts';
import { listTenants } from './operations/name-tenant.ts';
import { configDrift } from './operations/plan-config.ts';
import { readSecret } from './settings.ts';
import { readTenantFiles } from './tenant-files.ts';

/**
 * Brings the files of the folder into force if this is the first start, that is, if there is no tenant but the system's own;
 * afterwards they only ever come into force by `apply`, and what differs is told in the log. Needs the system tenant.
 *
 * Throws one sentence for each problem where the first start's files cannot be used: nothing is written then. On a later start
 * such files are told in the log, and the server goes on with what is in force.
 */
export async function startConfig(ctx: Context, configFolder: string): Promise<'applied' | 'in_force'> {
  const read = await readTenantFiles(configFolder);
  const later = (problems: readonly string[]): 'in_force' => {
    for (const problem of problems)
      ctx.log.error({ problem }, 'The configuration files cannot be used; the server goes on with what is in force.');
    return 'in_force';
  };
  if (read.kind === 'refused') {
    const problems = read.problems.map(formatProblem);
    if (await isFirstStart(ctx)) throw new Error(problems.join('\n'));
    return later(problems);
  }
  warnOfMissingSecrets(ctx, read.tenants, configFolder);
  const first = await applyFirstConfig(ctx, read.tenants);
  if (first?.kind === 'impossible')
    throw new Error(first.faults.map((fault) => formatProblem(read.locate(fault))).join('\n'));
  if (first?.kind === 'applied') {
    ctx.log.info(
      { tenants: read.tenants.map((tenant) => tenant.slug), digest: first.report.digest },
      'The configuration files are in force.',
    );
    return 'applied';
  }
  const drift = await configDrift(ctx, read.tenants);
  if (drift.faults.length > 0) return later(drift.faults.map((fault) => formatProblem(read.locate(fault))));
  if (drift.changes > 0)
    ctx.log.warn(
      { changes: drift.changes },
      'The configuration files differ from what is in force: see `drawbridge plan`.',
    );
  return 'in_force';
}

async function isFirstStart(ctx: Context): Promise<boolean> {
  return (await listTenants(ctx)).every((tenant) => tenant.slug === systemTenant);
}

/** Sign-ins by such a connection will fail; better said now than to the first person who tries. */
function warnOfMissingSecrets(ctx: Context, tenants: readonly TenantConfig[], configFolder: string): void {
  for (const tenant of tenants) {
    for (const connection of tenant.connections) {
      if (connection.protocol !== 'oidc' || connection.oidc.clientSecret === null) continue;
      try {
        readSecret(connection.oidc.clientSecret, configFolder);
      } catch (error) {
        const problem = error instanceof Error ? error.message : 'no secret';
        ctx.log.warn(
          { tenant: tenant.slug, connection: connection.key, problem },
          'Nobody can sign in by a connection.',
        );
      }
    }
  }
}
