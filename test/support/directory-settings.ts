// Settings of a directory that change while a test runs. A server keeps for a second what it knows of a token's directory: whoever
// has to be answered by the settings of now asks a server that has not seen the token.

import type { ConnectionId } from '../../src/core/ids.ts';
import { touchConfig } from './acme.ts';
import { type DirectoryClient, directoryClient, type ScimServer, scimServer } from './scim.ts';
import type { TestWorld } from './world.ts';

/** As the file of the tenant would give them, without its reading. */
export const setDirectory = (world: TestWorld, connection: ConnectionId, settings: object): Promise<unknown> =>
  world.sql('update connections set directory = $2 where connection_id = $1', [connection, JSON.stringify(settings)]);

/** Every server knows at once: it is read with what it concerns. */
export async function setHeld(world: TestWorld, connection: ConnectionId, held: boolean): Promise<void> {
  await world.sql('update connections set scim_held = $2 where connection_id = $1', [connection, held]);
  await touchConfig(world);
}

export type NewServers = {
  /** A server that has not seen any token. */
  server(): Promise<ScimServer>;
  /** The same directory of the tenant acme, by such a server. */
  of(connection: 'okta' | 'entra', token: string): Promise<DirectoryClient>;
  close(): Promise<void>;
};

/** Servers that begin when they are asked for, and end together. */
export function newServers(world: TestWorld, options?: Parameters<typeof scimServer>[1]): NewServers {
  const open: ScimServer[] = [];
  const server = async () => {
    const made = await scimServer(world, options);
    open.push(made);
    return made;
  };
  return {
    server,
    of: async (connection, token) => directoryClient(await server(), 'acme', connection, token),
    async close() {
      for (const one of open.splice(0)) await one.close();
    },
  };
}
