import { formatProblem } from '../config-files/problem.ts';
import type { TenantFolder } from '../config-files/tenant-folder.ts';
import type { ConfigFault } from '../core/config.ts';
import { readTenantFiles } from '../tenant-files.ts';
import { CliError, type CliWorld } from './command.ts';

export type ReadFiles = Extract<TenantFolder, { kind: 'read' }>;

/** The tenants of the configuration folder; one line for each problem where they cannot be used. */
export async function filesOf(world: CliWorld): Promise<ReadFiles> {
  const read = await readTenantFiles(world.settings.configFolder);
  if (read.kind === 'read') return read;
  throw new CliError(read.problems.map(formatProblem).join('\n'));
}

export function impossible(files: ReadFiles, faults: readonly ConfigFault[]): CliError {
  return new CliError(faults.map((fault) => formatProblem(files.locate(fault))).join('\n'));
}
