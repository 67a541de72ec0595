// What every write of a directory goes through that takes something from people: the guard counts them, and pauses the directory
// by the request that would cross the line.

import type { Context, TenantTx } from '../context.ts';
import { activeUsersThatMatter, crossedLine, decidePause, type Line, refusePaused } from '../core/blast-guard.ts';
import type { Directory } from '../core/directory.ts';
import type { BlastGuard } from '../core/directory-settings.ts';
import type { Refusal } from '../core/errors.ts';
import { apply } from '../store/apply.ts';
import {
  type Asked,
  countActiveUsers,
  countTouched,
  type Harmed,
  lockGuard,
  type Restored,
  recordAsked,
  rememberTouched,
  withdrawAsked,
} from '../store/blast-guard.ts';
import { whomToTell } from './tell-administrators.ts';

/** What a request would take from people, and how that is kept where it is refused. */
export type Harm = { readonly harmed: Harmed; readonly asked: Asked };

/**
 * Locks the directory's guard if it has one or is paused; nothing is locked before it. `paused` as it is from now on, for the rest
 * of the transaction.
 */
export async function enterGuard(
  tx: TenantTx,
  directory: Directory,
  seemsPaused: boolean,
): Promise<{ readonly paused: boolean }> {
  if (directory.settings.guard === null && !seemsPaused) return { paused: false };
  return lockGuard(tx, directory.connectionId);
}

/**
 * The answer to a write of a paused directory. What it would take is recorded, and of what was recorded it withdraws whom it would
 * give it back to; `asked` null: nothing of the kind.
 */
export async function refuseWhilePaused(
  tx: TenantTx,
  { connectionId }: Directory,
  asked: Asked | null,
  restored: readonly Restored[] = [],
): Promise<Refusal> {
  for (const one of restored) await withdrawAsked(tx, connectionId, one);
  if (asked !== null) await recordAsked(tx, connectionId, asked);
  return refusePaused();
}

/**
 * Counts a request that takes something from people. Null: it may go on, and they are counted. A refusal: it would cross the line;
 * nothing of it may be done, the directory is paused with this transaction, and the administrators are told once.
 *
 * Only under the lock of {@link enterGuard}.
 */
export async function guarded(ctx: Context, tx: TenantTx, directory: Directory, harm: Harm): Promise<Refusal | null> {
  const { connectionId, settings } = directory;
  const { guard } = settings;
  if (guard === null) return null;
  const { harmed, people } = await countTouched(tx, connectionId, guard.minutes, harm.harmed, harm.asked);
  if (harmed === 0) return null;
  const line = await crossing(tx, directory, guard, people);
  if (line === null) {
    await rememberTouched(tx, connectionId, guard.minutes, harm.harmed, harm.asked);
    return null;
  }
  const { connectionKey, tenant } = directory;
  const administrators = await whomToTell(tx);
  const decision = decidePause({ tenant, connectionId, connectionKey, guard, line, people, administrators });
  await apply(ctx, tx, decision);
  await recordAsked(tx, connectionId, harm.asked);
  // Nobody reads a mail at three in the morning; what watches the log does.
  ctx.log.warn(
    { requestId: ctx.caller.requestId, tenant, connection: connectionKey, people, line, told: administrators.length },
    administrators.length > 0
      ? 'A directory is paused by its guard: see `drawbridge directory plan`.'
      : 'A directory is paused by its guard, and no administrator or contact has an address to be told at: see `drawbridge directory plan`.',
  );
  return decision.outcome;
}

async function crossing(tx: TenantTx, directory: Directory, guard: BlastGuard, people: number): Promise<Line | null> {
  const byPeople = crossedLine(guard, people, 0);
  if (byPeople !== null) return byPeople;
  const enough = activeUsersThatMatter(guard, people);
  return crossedLine(guard, people, await countActiveUsers(tx, directory.connectionId, enough));
}
