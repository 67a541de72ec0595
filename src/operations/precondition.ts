// What a caller of a directory is told of a resource before it is touched: that there is none, or that it is another version.

import { type Refusal, refused } from '../core/errors.ts';

/** Refusals in the same words for what is another directory's and for what is not there (T37, T55). */
export const unknownUser = (): Refusal => refused('unknown_user', 'This directory has no such user.');
export const unknownGroup = (): Refusal => refused('unknown_group', 'This directory has no such group.');
export const UNKNOWN_MEMBER = 'A member is not a user of this directory.';
export const unknownMember = (): Refusal => refused('invalid', UNKNOWN_MEMBER);

/** Versions of a resource; `*`: any. */
export type Versions = '*' | readonly string[];

/**
 * The versions that the resource has to be at, or null where the caller does not say; with `unless`, and at none of those. RFC 7644
 * §3.14, RFC 9110 §13.1.
 */
export type IfMatch = Versions | null | { readonly match: Versions | null; readonly unless: Versions };

/** Whether a resource at this version is one that the caller means. */
export function meets(ifMatch: IfMatch, version: number): boolean {
  if (ifMatch === null) return true;
  if (typeof ifMatch === 'string' || !('unless' in ifMatch)) return includes(ifMatch, version);
  return meets(ifMatch.match, version) && !includes(ifMatch.unless, version);
}

/** Whether a version is among those. */
export function includes(versions: Versions, version: number): boolean {
  return versions === '*' || versions.includes(String(version));
}

/** The refusal where it is not. */
export function versionMismatch(): Refusal {
  return refused('version_mismatch', 'The resource has changed since it was read.');
}

/** The credential was ended, or its connection or tenant switched off, since the caller was let in. */
export type Unauthenticated = { readonly kind: 'unauthenticated' };
export const unauthenticated: Unauthenticated = { kind: 'unauthenticated' };
