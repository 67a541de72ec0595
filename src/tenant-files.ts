import { readTenantFolder, type TenantFolder } from './config-files/tenant-folder.ts';
import { readIdpMetadata } from './upstream/saml-metadata.ts';

/** The tenants of a configuration folder, metadata files of their IdPs included. See {@link readTenantFolder}. */
export function readTenantFiles(configFolder: string): Promise<TenantFolder> {
  return readTenantFolder(configFolder, { readIdpMetadata });
}
