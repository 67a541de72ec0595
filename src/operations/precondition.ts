// What a caller of a directory may ask of a resource before it is touched.

import { type Refusal, refused } from '../core/errors.ts';

/** The versions that the resource has to be at (`*`: any), or null where the caller does not say. RFC 7644 §3.14. */
export type IfMatch = '*' | readonly string[] | null;

/** Whether a resource at this version is one that the caller means. */
export function meets(ifMatch: IfMatch, version: number): boolean {
  return ifMatch === null || ifMatch === '*' || ifMatch.includes(String(version));
}

/** The refusal where it is not. */
export function versionMismatch(): Refusal {
  return refused('version_mismatch', 'The resource has changed since it was read.');
}

/** The credential was ended, or its connection or tenant switched off, since the caller was let in. */
export type Unauthenticated = { readonly kind: 'unauthenticated' };
export const unauthenticated: Unauthenticated = { kind: 'unauthenticated' };
