// The SCIM server for this process alone: the real router on a loopback port, confined to one tenant. For playing requests again.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Caller, Context, TenantTx } from './context.ts';
import type { TenantId } from './core/ids.ts';
import { scimRouter } from './scim/router.ts';
import type { World } from './world.ts';

export type LoopbackScim = {
  /** `http://127.0.0.1:…`, without a slash at the end. */
  readonly url: string;
  close(): Promise<void>;
};

/**
 * Serves SCIM of one tenant until it is closed. Whatever it is sent, nothing is written in another tenant (what would do so fails);
 * without `letters` no letter is written either (what would be one is left out). Its requests are in no directory's log.
 */
export async function openLoopbackScim(
  world: World,
  tenantId: TenantId,
  options: { readonly letters: boolean },
): Promise<LoopbackScim> {
  const contextFor = (caller: Caller) => confined(world.contextFor(caller), tenantId, options);
  const scim = scimRouter({
    contextFor,
    publicUrl: world.settings.publicUrl,
    log: world.log,
    addressOf: (request) => request.socket.remoteAddress ?? '',
  });
  const server = createServer((request, response) => {
    if (!scim(request, response)) response.writeHead(404).end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A context in which no other tenant can be named, and without `letters` no letter is written. */
export function confined(ctx: Context, tenantId: TenantId, { letters }: { readonly letters: boolean }): Context {
  const own = (asked: TenantId): void => {
    if (asked !== tenantId) throw new Error('this was about to act in another tenant');
  };
  const quiet = (tx: TenantTx): TenantTx => ({
    ...tx,
    run: async (statement, values) => (!letters && /enqueue_job/.test(statement.text) ? [] : tx.run(statement, values)),
  });
  return {
    ...ctx,
    hot(asked) {
      own(asked);
      return quiet(ctx.hot(asked));
    },
    async transaction(asked, act) {
      own(asked);
      return ctx.transaction(asked, (tx) => act(quiet(tx)));
    },
  };
}
