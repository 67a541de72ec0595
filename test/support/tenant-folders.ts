// Folders of tenants' files, as tests write and read them.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatProblem } from '../../src/config-files/problem.ts';
import { type FolderOptions, readTenantFolder } from '../../src/config-files/tenant-folder.ts';
import type { TenantConfig } from '../../src/core/config.ts';

export type TenantFolders = {
  /** Where all of them are. */
  readonly root: string;
  /** A folder that holds these files. */
  folderOf(files: Readonly<Record<string, string | Buffer>>): string;
  /** A folder with a file of acme, which goes on so. */
  tenant(yaml: string): string;
  remove(): void;
};

export function tenantFolders(): TenantFolders {
  const root = mkdtempSync(join(tmpdir(), 'drawbridge-config-'));
  const folderOf: TenantFolders['folderOf'] = (files) => {
    const folder = mkdtempSync(join(root, 'folder-'));
    mkdirSync(join(folder, 'tenants'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return folder;
  };
  return {
    root,
    folderOf,
    tenant: (yaml) => folderOf({ 'tenants/acme.yaml': `tenant: acme\nname: Acme\n${yaml}` }),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

export async function read(folder: string, options?: FolderOptions): Promise<readonly TenantConfig[]> {
  const result = await readTenantFolder(folder, options);
  if (result.kind === 'refused') throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.tenants;
}

export async function problems(folder: string, options?: FolderOptions): Promise<readonly string[]> {
  const result = await readTenantFolder(folder, options);
  return result.kind === 'refused' ? result.problems.map(formatProblem) : [];
}
