// A customer's directory that pushes over HTTP to any server of a flow.

import { type DirectoryClient, directoryClient, newScimToken } from '../support/scim.ts';
import type { Flow } from './servers.ts';

export type Directory = {
  readonly token: string;
  /** The directory's client, as it talks to one of the servers. */
  at(port: number): DirectoryClient;
};

export async function newDirectory(
  flow: Pick<Flow, 'world' | 'tenant'>,
  tenant: string,
  connection: string,
): Promise<Directory> {
  const token = await newScimToken(flow.world, await flow.tenant(tenant), connection);
  const server = (port: number) => ({ url: `http://127.0.0.1:${port}`, close: async () => {} });
  return { token, at: (port) => directoryClient(server(port), tenant, connection, token) };
}
