import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Listens on a free port; returns the port. */
export async function listen(server: Server, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}
