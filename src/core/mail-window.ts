// One letter per address and template in a quarter of an hour; what comes meanwhile is told together afterwards (T97). Not so of what
// cannot wait and comes but once for each act of an administrator.

import { sameValue } from './canonical.ts';
import type { Mail } from './change.ts';

const WINDOW_SECONDS = 15 * 60;
/** Mails that one letter tells of. More are only known to be: nobody reads a list of a thousand, and each of them would write it anew. */
export const mostTogether = 500;
/** By then the queue has given up on whoever was sending. */
const ABANDONED_SECONDS = 5 * 24 * 3600;

/** A mail, and the job that brought it: told once, however often its job is tried. */
export type Told = { readonly job: string; readonly mail: Mail };

export type MailWindow = {
  /** The job whose letter `sending` is. */
  readonly jobId: string;
  /** Empty once the letter was handed over. */
  readonly sending: readonly Told[];
  readonly waiting: readonly Told[];
  readonly ageSeconds: number;
};

export type MailStep =
  /** This job's letter, maybe for the second time. Empty: there is nothing left to do. */
  | { readonly kind: 'send'; readonly told: readonly Told[]; readonly window: MailWindow | null }
  /** Waits; this job sees to it that somebody looks again. */
  | { readonly kind: 'wait'; readonly seconds: number; readonly window: MailWindow | null }
  /** Waits with others, for whom somebody looks already. */
  | { readonly kind: 'noted'; readonly window: MailWindow | null };

/** What a job does that brings a mail. `window` in the answer is what to keep, null where nothing changes. */
export function claimMail(window: MailWindow | null, told: Told): MailStep {
  if (window === null) return open([told], told.job);
  if (window.jobId === told.job) return { kind: 'send', told: window.sending, window: null };
  if (window.waiting.some((one) => one.job === told.job))
    return { kind: 'wait', seconds: untilNext(window), window: null };
  if (window.waiting.length === 0 && (isFree(window) || (isUrgent(told) && window.sending.length === 0)))
    return open([told], told.job);
  // Said once: a directory that changes its mind a thousand times makes no list of a thousand.
  if (window.waiting.length >= mostTogether || window.waiting.some((one) => sameValue(one.mail, told.mail)))
    return { kind: 'noted', window: null };
  const next = { ...window, waiting: [...window.waiting, told] };
  return window.waiting.length > 0
    ? { kind: 'noted', window: next }
    : { kind: 'wait', seconds: untilNext(window), window: next };
}

/** What a job does that looks after those who wait. */
export function claimWaiting(window: MailWindow | null, jobId: string): MailStep {
  if (window === null) return { kind: 'send', told: [], window: null };
  if (window.jobId === jobId) return { kind: 'send', told: window.sending, window: null };
  if (window.waiting.length === 0) return { kind: 'send', told: [], window: null };
  return isFree(window)
    ? open([...window.sending, ...window.waiting].slice(-mostTogether), jobId)
    : { kind: 'wait', seconds: untilNext(window), window: null };
}

/** After the letter was handed over; null where it was another job's. */
export function closeWindow(window: MailWindow | null, jobId: string): MailWindow | null {
  return window === null || window.jobId !== jobId ? null : { ...window, sending: [] };
}

function open(told: readonly Told[], jobId: string): MailStep {
  return { kind: 'send', told, window: { jobId, sending: told, waiting: [], ageSeconds: 0 } };
}

/** A directory is paused once, until an administrator ends that: nobody is flooded, and by the next quarter it may be over. */
const isUrgent = ({ mail }: Told): boolean => mail.template === 'directory_paused';

// A letter that is still being tried keeps its window: its own job comes back for it.
function isFree(window: MailWindow): boolean {
  return window.ageSeconds >= (window.sending.length === 0 ? WINDOW_SECONDS : ABANDONED_SECONDS);
}

function untilNext(window: MailWindow): number {
  const left = WINDOW_SECONDS - window.ageSeconds;
  return left > 0 ? left : WINDOW_SECONDS;
}
