// A long request body, from bytes to JSON that is safe to walk: cut at commas of its long lists and objects, and parsed piece by
// piece, so that megabytes of it hold nobody up.

import { isUtf8 } from 'node:buffer';
import { invalidSyntax, ScimError, tooLarge } from './errors.ts';
import {
  countKeys,
  isArray,
  type JsonLimits,
  type JsonObject,
  type JsonValue,
  jsonOf,
  namedTwice,
  tooManyMembers,
} from './json.ts';
import type { Pace } from './pace.ts';

/** Bytes that are parsed in one go: the worst of them are a few milliseconds. */
export const PIECE = 32 * 1024;
/** Values of one body: 100,000 members with all that a member has. Small values take ten times the memory of their text. */
export const MAX_VALUES = 600_000;
/** Of one text, which cannot be cut. No attribute may be as long. */
const MAX_TEXT = 1024 * 1024;

/**
 * The JSON value of a long request body: what {@link parseJson} gives, refused as it refuses. Also refuses with 413 more than 600,000
 * values, and a text of more than a megabyte (T49). Others get their turn between pieces of `piece` bytes.
 */
export async function parseJsonInPieces(
  bytes: Buffer,
  limits: JsonLimits,
  pace: Pace,
  piece = PIECE,
): Promise<JsonValue> {
  if (bytes.length > limits.bytes) throw tooLarge(`The request body is larger than ${limits.bytes} bytes.`);
  if (!isUtf8(bytes)) throw invalidSyntax('The request body is not UTF-8.');
  await pace();
  const scan = await scanAll(bytes, limits, pace, piece);
  if (scan.fault !== null) throw scan.fault;
  const { value, fault } = await parseAll(scan, limits, pace);
  if (fault !== null) throw fault;
  return value;
}

/** A value, and why it is refused although it is JSON. */
export type ReadJson = { readonly value: JsonValue; readonly fault: ScimError | null };

/** The same of text that is known to be UTF-8. Throws only what is no JSON, nested too deep, or of too many values. */
export async function readJsonInPieces(bytes: Buffer, limits: JsonLimits, pace: Pace): Promise<ReadJson> {
  return parseAll(await scanAll(bytes, limits, pace, PIECE), limits, pace);
}

const notJson = () => invalidSyntax('The request body is not JSON.');
export const tooManyValues = () => tooLarge(`The request body has more than ${MAX_VALUES} values.`);

/** A list or object that is longer than a piece. */
type Long = {
  readonly array: boolean;
  readonly start: number;
  /** Where its closing bracket is. */
  readonly end: number;
  readonly segments: readonly Segment[];
};

/** Some of its items, or one that is long itself; without the comma behind them. */
type Segment = { readonly from: number; readonly to: number; readonly inner: Long | null };

/** A list or object that has not ended where the scan is. */
type Open = {
  readonly array: boolean;
  readonly start: number;
  readonly segments: Segment[];
  /** Where the segment at hand begins, and where its last item does. */
  from: number;
  itemFrom: number;
  inner: Long | null;
};

type Scan = {
  readonly bytes: Buffer;
  readonly maxDepth: number;
  readonly piece: number;
  /** By depth. */
  readonly open: Open[];
  readonly begin: number;
  at: number;
  depth: number;
  members: number;
  values: number;
  ended: boolean;
  root: Long | null;
  fault: ScimError | null;
};

async function scanAll(bytes: Buffer, { depth }: JsonLimits, pace: Pace, piece: number): Promise<Scan> {
  const begin = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  const start = { begin, at: begin, depth: 0, members: 0, values: 0, ended: false, root: null, fault: null };
  const scan: Scan = { bytes, maxDepth: depth, piece, open: [], ...start };
  while (scan.at < bytes.length) {
    scanPiece(scan);
    await pace();
  }
  if (scan.depth > 0) throw notJson();
  return scan;
}

/** Goes on for about a piece. What is no JSON between brackets and commas is found when the pieces are parsed. */
function scanPiece(scan: Scan): void {
  const { bytes } = scan;
  const until = Math.min(bytes.length, scan.at + scan.piece);
  let at = scan.at;
  for (; at < until; at++) {
    switch (bytes[at]) {
      case 0x22:
        at = endOfText(scan, at);
        break;
      case 0x3a:
        scan.members++;
        break;
      case 0x2c:
        countValue(scan);
        separate(scan, at);
        break;
      case 0x5b:
      case 0x7b:
        countValue(scan);
        enter(scan, at);
        break;
      case 0x5d:
      case 0x7d:
        leave(scan, at);
        break;
    }
  }
  scan.at = at;
}

function endOfText(scan: Scan, start: number): number {
  const { bytes } = scan;
  for (let at = start + 1; at < bytes.length; at++) {
    if (bytes[at] === 0x22) {
      if (at - start > MAX_TEXT) scan.fault ??= textTooLong();
      return at;
    }
    if (bytes[at] === 0x5c) at++;
  }
  throw notJson();
}

const textTooLong = () => tooLarge(`A text in the request body is longer than ${MAX_TEXT} bytes.`);

function countValue(scan: Scan): void {
  scan.values++;
  if (scan.values > MAX_VALUES) throw tooManyValues();
}

function enter(scan: Scan, at: number): void {
  // JSON.parse would find that, too, but in one go.
  if (scan.depth === 0 && scan.ended) throw notJson();
  if (scan.depth === scan.maxDepth)
    throw invalidSyntax(`The request body is nested deeper than ${scan.maxDepth} levels.`);
  const array = scan.bytes[at] === 0x5b;
  scan.open[scan.depth] = { array, start: at, segments: [], from: at + 1, itemFrom: at + 1, inner: null };
  scan.depth++;
}

function separate(scan: Scan, at: number): void {
  const open = scan.open[scan.depth - 1];
  if (open === undefined) throw notJson();
  if (at - open.from > scan.piece) cut(open, at);
  open.itemFrom = at + 1;
}

/** Ends a segment before the comma at `to`. */
function cut(open: Open, to: number): void {
  open.segments.push({ from: open.from, to, inner: open.inner });
  open.from = to + 1;
  open.inner = null;
}

function leave(scan: Scan, at: number): void {
  scan.depth--;
  const open = scan.open[scan.depth];
  if (open === undefined) throw notJson();
  const { start, array } = open;
  if (scan.depth === 0) scan.ended = true;
  if (at - start <= scan.piece) return;
  if (array !== (scan.bytes[at] === 0x5d)) throw notJson();
  cut(open, at);
  const long: Long = { array, start, end: at, segments: open.segments };
  const around = scan.open[scan.depth - 1];
  if (scan.depth === 0 || around === undefined) scan.root = long;
  else {
    // Nothing between this and another, which JSON.parse would find in one go.
    if (around.inner !== null && around.itemFrom === around.from) throw notJson();
    // A long item is alone in its segment.
    if (around.itemFrom > around.from) cut(around, around.itemFrom - 1);
    around.inner = long;
  }
}

type Work = {
  readonly bytes: Buffer;
  readonly limits: JsonLimits;
  readonly pace: Pace;
  members: number;
  fault: ScimError | null;
};

async function parseAll(scan: Scan, limits: JsonLimits, pace: Pace): Promise<ReadJson> {
  const { bytes, begin, root, members, fault } = scan;
  const whole = { from: begin, to: bytes.length, inner: root };
  const work: Work = { bytes, limits, pace, members: 0, fault };
  const [value, ...others] = (await build(work, { array: true, start: 0, end: 0, segments: [whole] })) as JsonValue[];
  if (value === undefined || others.length > 0) throw notJson();
  return { value, fault: work.fault ?? (work.members === members ? null : namedTwice()) };
}

async function build(work: Work, long: Long): Promise<JsonValue> {
  const items: JsonValue[] = [];
  const members: [name: string, value: JsonValue][] = [];
  for (const segment of long.segments) {
    const part = parseSegment(work, long, segment);
    await work.pace();
    const inner = segment.inner === null ? undefined : await build(work, segment.inner);
    if (isArray(part)) for (const item of part) items.push(inner ?? item);
    else for (const name of Object.keys(part)) members.push([name, inner ?? (part[name] as JsonValue)]);
    if (members.length > work.limits.keys) {
      work.fault ??= tooManyMembers(work.limits.keys);
      members.length = work.limits.keys;
    }
  }
  if (long.array) return items;
  const names = new Set(members.map(([name]) => name));
  if (names.size < members.length) work.fault ??= namedTwice();
  return Object.fromEntries(members);
}

/** The items of a segment in a list or object of their own; `null` stands for one that is long itself. */
function parseSegment(
  work: Work,
  { array, segments }: Long,
  { from, to, inner }: Segment,
): readonly JsonValue[] | JsonObject {
  const { bytes, limits } = work;
  const text =
    inner === null
      ? bytes.toString('utf8', from, to)
      : `${bytes.toString('utf8', from, inner.start)}null${bytes.toString('utf8', inner.end + 1, to)}`;
  const value = jsonOf(array ? `[${text}]` : `{${text}}`);
  try {
    work.members += countKeys(value, limits.keys, text.includes('\\u'));
  } catch (error) {
    if (!(error instanceof ScimError)) throw error;
    work.fault ??= error;
  }
  const part = value as readonly JsonValue[] | JsonObject;
  const length = isArray(part) ? part.length : Object.keys(part).length;
  // Two commas in a row were cut apart.
  if (length === 0 && segments.length > 1) throw notJson();
  if (inner !== null && length !== 1) throw notJson();
  return part;
}
