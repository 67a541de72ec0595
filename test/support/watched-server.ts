// Servers on which something happens in the middle of a request: right after the database answered one of its statements.

import { vi } from 'vitest';
import type { Context, TenantTx } from '../../src/context.ts';
import { type ScimServer, scimServer } from './scim.ts';
import type { TestWorld } from './world.ts';

/**
 * Calls back with the name of each statement that the requests of a tenant were answered, before they go on; and when one has begun to
 * wait for those with whom it is answered together.
 */
export async function watchedServer(
  world: TestWorld,
  after: (statement: string | null) => unknown,
  joined: () => unknown = () => {},
): Promise<ScimServer> {
  const watched = (tx: TenantTx): TenantTx => {
    const run: TenantTx['run'] = async (statement, values) => {
      const rows = await tx.run<never>(statement, values);
      await after(statement.name);
      return rows;
    };
    return { ...tx, run };
  };
  const contextFor = ({ actor }: Context['caller']): Context => {
    const ctx = world.context(actor);
    return {
      ...ctx,
      hot: (tenantId, until) => watched(ctx.hot(tenantId, until)),
      transaction: (tenantId, act, until) => ctx.transaction(tenantId, (tx) => act(watched(tx)), until),
      together: (...asked) => {
        const answered = ctx.together(...asked);
        joined();
        return answered;
      },
    };
  };
  return scimServer(world, { contextFor });
}

/** Something happens once, when the statement was answered for the `nth` time. */
export function interruptedServer(
  world: TestWorld,
  statement: string,
  act: () => unknown,
  nth = 1,
): Promise<ScimServer> {
  let left = nth;
  return watchedServer(world, async (name) => {
    if (name !== statement) return;
    left -= 1;
    if (left === 0) await act();
  });
}

/** The process's own clock stands still, so that no time is ever up, until the returned function is called. */
export function clockStops(ahead = 0): () => void {
  const at = performance.now() + ahead;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => at);
  return () => clock.mockRestore();
}

/** Time is up for all that wait for a moment, until the returned function is called. */
export const muchLater = () => clockStops(31_000);
