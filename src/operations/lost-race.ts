// Hot acts read, decide and write in two statements: whoever finds that somebody else wrote between reads and decides again.

import { BridgeError } from '../core/errors.ts';
import { LostRace, UniqueViolation } from '../store/database.ts';

/** What an act answers when its write found another version than it had read. */
export const lostRace = { kind: 'lost_race' } as const;

const MAX_TRIES = 5;

/**
 * Runs an act until it comes through, at most five times; then `unavailable`. A unique key that somebody else took in the meantime
 * is a lost race too: the next read sees their row. `taken` names the keys that no read looks for, and what they are refused with.
 */
export async function untilWon<T extends { readonly kind: string }>(
  act: () => Promise<T | typeof lostRace>,
  taken: Readonly<Record<string, T>> = {},
): Promise<Exclude<T, typeof lostRace>> {
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const outcome = await act().catch((error: unknown) => {
      if (error instanceof UniqueViolation && Object.hasOwn(taken, error.constraint))
        return taken[error.constraint] as T;
      return raced(error);
    });
    if (outcome.kind !== 'lost_race') return outcome as Exclude<T, typeof lostRace>;
  }
  throw new BridgeError('unavailable', 'The server is busy. Try again.', `lost ${MAX_TRIES} races in a row`);
}

/** An act that failed only because somebody else was at the same rows has lost a race; any other failure is thrown on. */
export function raced(error: unknown): typeof lostRace {
  if (error instanceof UniqueViolation || error instanceof LostRace) return lostRace;
  throw error;
}
