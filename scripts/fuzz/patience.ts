// How long an answer may take.

import type { Fuzzed } from './requests.ts';

/** An honest server may be slow for a moment, and no longer. */
const ANSWER_WITHIN_MS = 5_000;
/** A bulk of a thousand operations may take until its deadline. */
const BULK_WITHIN_MS = 31_000;

/** In milliseconds; a body that trickles in takes its own time besides. */
export function patienceFor(fuzzed: Fuzzed): number {
  if ('raw' in fuzzed) return ANSWER_WITHIN_MS;
  const allowed = /\/bulk/i.test(fuzzed.target) ? BULK_WITHIN_MS : ANSWER_WITHIN_MS;
  return fuzzed.framing === 'slow' ? allowed + ANSWER_WITHIN_MS : allowed;
}
