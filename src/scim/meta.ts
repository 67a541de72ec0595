// What every resource says of itself: its `meta` (RFC 7643 §3.1), and its version as an entity tag (RFC 7644 §3.14).

import type { Instant } from '../core/ids.ts';
import { invalidValue } from './errors.ts';

export type VersionedRow = {
  readonly version: number | string;
  readonly createdAt: Instant;
  readonly lastModifiedAt: Instant;
};

/** The `meta` of a resource as JSON text; `location` is its address as JSON text. */
export function encodeMeta(resourceType: 'User' | 'Group', row: VersionedRow, location: string): string {
  const created = new Date(row.createdAt).toISOString();
  const modified = new Date(row.lastModifiedAt).toISOString();
  const version = JSON.stringify(etag(row.version));
  return `{"resourceType":"${resourceType}","created":"${created}","lastModified":"${modified}","location":${location},"version":${version}}`;
}

export function etag(version: number | string): string {
  return `W/"${version}"`;
}

const TAG = /^(?:W\/)?"([^"]*)"$/;
const VERSION = /^[1-9][0-9]{0,17}$/;

/**
 * The versions that an If-Match or If-None-Match header names, or `*`; null without a header.
 *
 * Tags are compared weakly, as the standard's own examples use them with If-Match. A tag that this server never gave names no
 * version, so that it matches nothing. Refuses with 400 invalidValue a header that is no list of tags.
 */
export function readEntityTags(header: string | undefined): '*' | readonly string[] | null {
  if (header === undefined) return null;
  if (header.trim() === '*') return '*';
  const versions: string[] = [];
  for (const part of header.split(',')) {
    const tag = TAG.exec(part.trim())?.[1];
    if (tag === undefined) throw invalidValue('An entity tag has the form W/"1".');
    if (VERSION.test(tag)) versions.push(tag);
  }
  return versions;
}
