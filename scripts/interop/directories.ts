// A real server on its own database in a temporary folder, with one directory for each suite, so that none meets another's data.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cliText, installationIn, startServer } from '../demo/processes.ts';

export type Directory = { readonly baseUrl: string; readonly token: string };
export type Directories = {
  readonly publicUrl: string;
  readonly logFile: string;
  directory(key: string): Promise<Directory>;
  stop(): Promise<void>;
};

const TENANT = 'interop';

/** Extensions of the tenant's own (RFC 7643 §3.3), so that clients that learn schemas by discovery meet some. */
const OWN_SCHEMAS = `
      schemas:
        urn:example:params:scim:schemas:extension:interop:2.0:Group:
          resource: Group
          name: InteropGroup
          attributes:
            cost: { type: string, caseExact: true }
            level: { type: integer }
            tags: { type: string, multiValued: true }
            owner: { type: complex, subAttributes: { name: { type: string }, floor: { type: integer } } }
        urn:example:params:scim:schemas:extension:interop:2.0:User:
          resource: User
          name: Interop
          attributes:
            badge: { type: string, caseExact: true }
            floor: { type: integer }
            remote: { type: boolean }
            desk: { type: complex, subAttributes: { building: { type: string }, room: { type: string } } }
            courses: { type: complex, multiValued: true, subAttributes: { name: { type: string }, level: { type: integer } } }
            languages: { type: string, multiValued: true }
            homepage: { type: reference }`;
const OTHER_TYPES = `
            rate: { type: decimal }
            seal: { type: binary }
            hiredAt: { type: dateTime }`;

export type Kind = {
  readonly key: string;
  /** Whether its own schema has attributes of type decimal, binary and dateTime. */
  readonly everyType: boolean;
};

export async function startDirectories(kinds: readonly Kind[]): Promise<Directories> {
  const folder = mkdtempSync(join(tmpdir(), 'drawbridge-interop-'));
  // Started by root, the database runs as another user, who has to pass through here.
  chmodSync(folder, 0o711);
  mkdirSync(join(folder, 'config', 'tenants'), { recursive: true });
  const connections = kinds.map(
    ({ key, everyType }) =>
      `  ${key}:
    scim: true
    directory:
      profile: generic${OWN_SCHEMAS}${everyType ? OTHER_TYPES : ''}
`,
  );
  writeFileSync(
    join(folder, 'config', 'tenants', `${TENANT}.yaml`),
    `tenant: ${TENANT}\nname: Interop\nconnections:\n${connections.join('')}`,
  );
  const installation = await installationIn(folder);
  const server = await startServer(installation).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  return {
    publicUrl: installation.publicUrl,
    logFile: installation.logFile,
    async directory(key) {
      const token = await cliText(installation, 'scim-token', 'create', '--tenant', TENANT, '--connection', key);
      return { baseUrl: `${installation.publicUrl}/scim/v2/${TENANT}/${key}`, token };
    },
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
