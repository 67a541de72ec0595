// How long an answer may take.

import type { Fuzzed } from './requests.ts';

/** An honest server may be slow for a moment, and no longer. */
const ANSWER_WITHIN_MS = 5_000;
/** A bulk begins nothing more after that. */
export const BULK_DEADLINE_MS = 3_000;

/** In milliseconds; a body that trickles in takes its own time besides. */
export function patienceFor(fuzzed: Fuzzed): number {
  return 'framing' in fuzzed && fuzzed.framing === 'slow' ? 2 * ANSWER_WITHIN_MS : ANSWER_WITHIN_MS;
}
