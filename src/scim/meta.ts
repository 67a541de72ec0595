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
  const created = isoInstant(row.createdAt);
  const modified = row.lastModifiedAt === row.createdAt ? created : isoInstant(row.lastModifiedAt);
  return `{"resourceType":"${resourceType}","created":"${created}","lastModified":"${modified}","location":${location},"version":"W/\\"${row.version}\\""}`;
}

const DAY_MS = 86_400_000;
const MAX_DAYS = 4_096;
/** Days of resources as text, by their number. */
const days = new Map<number, string>();
const digits = Array.from({ length: 1_000 }, (_, number) => String(number).padStart(3, '0'));
const two = (number: number): string => (digits[number] as string).slice(1);

/** As `Date` writes it, which takes longer than all else of a row together. */
export function isoInstant(instant: number): string {
  const number = Math.floor(instant / DAY_MS);
  const day = days.get(number) ?? dayText(number);
  const rest = instant - number * DAY_MS;
  const seconds = Math.floor(rest / 1_000);
  const minutes = Math.floor(seconds / 60);
  const time = `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}:${two(seconds % 60)}`;
  return `${day}T${time}.${digits[rest % 1_000]}Z`;
}

function dayText(number: number): string {
  const text = new Date(number * DAY_MS).toISOString().split('T')[0] as string;
  if (days.size >= MAX_DAYS) days.clear();
  days.set(number, text);
  return text;
}

/** A version as the weak entity tag that stands for it (RFC 7644 §3.14). */
export function etag(version: number | string): string {
  return `W/"${version}"`;
}

const TAG = /(?:W\/)?"([^"]*)"/g;
/** In the place of a tag, which may hold commas itself; no header can hold this. */
const TAKEN = '\u0000';
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
  const tags: string[] = [];
  const rest = header.replace(TAG, (_, tag: string) => {
    tags.push(tag);
    return TAKEN;
  });
  const parts = rest.split(',').map((part) => part.trim());
  if (tags.length === 0 || parts.some((part) => part !== '' && part !== TAKEN)) {
    throw invalidValue('An entity tag has the form W/"1".');
  }
  return tags.filter((tag) => VERSION.test(tag));
}
