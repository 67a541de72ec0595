// The body of a request, for its log: noted by whoever reads it, found again when the request has been answered.

import type { IncomingMessage } from 'node:http';

type SeenBody = { readonly keep: boolean; length: number; bytes: Buffer | null };

// Not on the request itself: handlers would find it there and read it twice.
const seen = new WeakMap<IncomingMessage, SeenBody>();

/** Asks for the body of this request to be noted: its length, and with `keep` its bytes unless they are too many. */
export function watchBody(request: IncomingMessage, keep: boolean): void {
  seen.set(request, { keep, length: 0, bytes: null });
}

/** Longer ones are not kept. Five thousand members fit. */
const MAX_KEPT = 256 * 1024;

/** Called once with the whole body, before anything is made of it. */
export function sawBody(request: IncomingMessage, bytes: Buffer): void {
  const noted = seen.get(request);
  if (noted === undefined) return;
  noted.length = bytes.length;
  if (noted.keep && bytes.length <= MAX_KEPT) noted.bytes = bytes;
}

/** What was noted of it; a body that was never read to its end counts by what its header promised. */
export function bodySeen(request: IncomingMessage): { readonly length: number; readonly bytes: Buffer | null } {
  const noted = seen.get(request);
  if (noted !== undefined && noted.length > 0) return noted;
  const promised = Number(request.headers['content-length'] ?? 0);
  return { length: Number.isSafeInteger(promised) && promised > 0 ? promised : 0, bytes: null };
}
