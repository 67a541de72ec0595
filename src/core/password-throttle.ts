// How often a password may be tried.

import type { Instant } from './ids.ts';

/** Failures in a row after which only a new password helps (SP 800-63B: at most 100). */
const MOST_FAILURES = 100;
const FREE_FAILURES = 5;
const LONGEST_WAIT_SECONDS = 15 * 60;

/**
 * When the next try on an account is heard at the earliest; null: never, until the password is set anew. The first failures cost
 * nothing, each later one doubles the wait, up to a quarter of an hour (T100).
 */
export function nextPasswordTry(failures: number, lastFailureAt: Instant | null): Instant | null {
  if (failures >= MOST_FAILURES) return null;
  if (lastFailureAt === null || failures < FREE_FAILURES) return 0 as Instant;
  const wait = Math.min(2 ** (failures - FREE_FAILURES), LONGEST_WAIT_SECONDS);
  return (lastFailureAt + wait * 1000) as Instant;
}
