// The messages of a bulk (RFC 7644 §3.7): the request as its operations, each read by itself, so that one that is broken breaks no
// other; and the answer.

import { isUtf8 } from 'node:buffer';
import { type BulkPiece, cutBulk } from './bulk-pieces.ts';
import { refersTo } from './bulk-references.ts';
import { invalidPath, invalidSyntax, invalidValue, ScimError, tooLarge } from './errors.ts';
import {
  asObject,
  checkValue,
  defaultLimits,
  isObject,
  type JsonValue,
  jsonOf,
  parseJson,
  readMembers,
} from './json.ts';
import { PIECE, type ReadJson, readJsonInPieces } from './json-pieces.ts';
import type { Pace } from './pace.ts';
import { checkMessage } from './patch-message.ts';
import type { Notes } from './quirks.ts';

/**
 * What /ServiceProviderConfig promises, and what a request over it is told. A thousand users of the usual size are half a megabyte;
 * four leave room for groups of tens of thousands.
 */
export const bulkLimits = Object.freeze({ maxOperations: 1000, maxPayloadSize: 4 * 1024 * 1024 });

const REQUEST_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';
const RESPONSE_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:BulkResponse';
/** What may stand beside the operations. */
const ENVELOPE = 64 * 1024;
const MAX_BULK_ID = 255;

export type BulkMethod = 'POST' | 'PUT' | 'PATCH' | 'DELETE';
export type BulkResource = 'Users' | 'Groups';

export type BulkOperation = {
  readonly method: BulkMethod;
  readonly bulkId: string | null;
  readonly version: string | null;
  readonly resource: BulkResource;
  /** Of the path: the resource's id, or a `bulkId:…`. Null for a POST. */
  readonly target: string | null;
  readonly data: JsonValue;
  readonly bytes: number;
  /** False where the operation cannot refer to a bulkId. */
  readonly mayRefer: boolean;
};

/** An operation that cannot be read has its refusal, and what its answer can repeat of it. */
export type ReadOperation =
  | { readonly kind: 'read'; readonly operation: BulkOperation }
  | {
      readonly kind: 'refused';
      readonly method: string | null;
      readonly bulkId: string | null;
      /** The path, where it names a resource. */
      readonly path: string | null;
      readonly error: ScimError;
    };

export type BulkRequest = {
  /** How many errors end the bulk; null: none does. */
  readonly failOnErrors: number | null;
  readonly operations: readonly ReadOperation[];
};

/** What a payload over the limit is told. */
export function payloadTooLarge(limit: number): ScimError {
  return tooLarge(`The size of the bulk exceeds the maxPayloadSize (${limit}).`);
}

/**
 * The operations of a bulk request, in order.
 *
 * Refuses the request with 413 more operations than {@link bulkLimits}, naming the limit, and more values than memory is for; with 400
 * invalidSyntax a body of another form; with 400 invalidValue a `failOnErrors` below 1. Refuses an operation alone for what would
 * refuse a single request (T43, T49), for a missing or doubled `bulkId` of a POST (400 invalidValue) and for any path but `/Users`
 * and `/Groups`, with an id except for a POST (400 invalidPath). RFC 7644 §3.7, §3.7.4. Does not look into what the operations say of
 * a resource, nor at the size of the body.
 */
export async function readBulk(bytes: Uint8Array, notes: Notes, pace: Pace): Promise<BulkRequest> {
  if (!isUtf8(bytes)) throw invalidSyntax('The request body is not UTF-8.');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  await pace();
  const { envelope, pieces } = cutBulk(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text, bulkLimits.maxOperations);
  await pace();
  const failOnErrors = readEnvelope(envelope, notes);
  if (pieces.length === 0) throw invalidSyntax('The request body has no Operations.');
  const operations: ReadOperation[] = [];
  for (const piece of pieces) {
    operations.push(readPiece(await parsePiece(piece, pace), piece.text));
    await pace();
  }
  return { failOnErrors, operations: withoutDoubles(operations) };
}

function readEnvelope(envelope: string, notes: Notes): number | null {
  if (envelope.length > ENVELOPE) throw tooLarge(`A bulk has more than ${ENVELOPE} characters beside its operations.`);
  const body = parseJson(Buffer.from(envelope), defaultLimits);
  const members = readMembers(asObject(body));
  checkMessage(members.get('schemas'), REQUEST_SCHEMA, notes);
  const limit = members.get('failonerrors') ?? null;
  if (limit === null) return null;
  if (!Number.isSafeInteger(limit) || Number(limit) < 1) throw invalidValue('failOnErrors is not a number from 1 on.');
  return Number(limit);
}

async function parsePiece({ text, members }: BulkPiece, pace: Pace): Promise<ReadJson> {
  // An operation may be as long as the whole bulk.
  if (text.length > PIECE) return readJsonInPieces(Buffer.from(text), defaultLimits, pace);
  const value = jsonOf(text);
  return { value, fault: faultOf(() => checkValue(value, { json: text, written: members }, defaultLimits)) };
}

function faultOf(check: () => void): ScimError | null {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof ScimError) return error;
    throw error;
  }
}

function readPiece({ value, fault }: ReadJson, text: string): ReadOperation {
  if (!isObject(value)) throw invalidSyntax('An operation is not an object.');
  const { method, bulkId, path } = value;
  try {
    if (fault !== null) throw fault;
    return { kind: 'read', operation: readOperation(readMembers(value), text) };
  } catch (error) {
    if (!(error instanceof ScimError)) throw error;
    const place = method === 'POST' ? null : PATH.exec(textOf(path) ?? '');
    const named = place?.[2] === undefined || refersTo(place[2]) !== null ? null : `/${place[1]}/${place[2]}`;
    return { kind: 'refused', method: textOf(method), bulkId: textOf(bulkId), path: named, error };
  }
}

/** What an answer repeats of an operation that is none. */
const textOf = (value: JsonValue | undefined): string | null =>
  typeof value === 'string' && value.length <= MAX_BULK_ID ? value : null;

// Methods are HTTP's own, which knows them in capitals alone (RFC 9110 §9.1).
const METHODS: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);
const PATH = /^\/?(Users|Groups)(?:\/(bulkId:.+|[^/?#]+))?$/s;

function readOperation(members: ReadonlyMap<string, JsonValue>, text: string): BulkOperation {
  const method = members.get('method');
  if (typeof method !== 'string' || !METHODS.has(method)) {
    throw invalidSyntax('The method of an operation is one of POST, PUT, PATCH and DELETE.');
  }
  const bulkId = members.get('bulkid') ?? null;
  if (bulkId !== null && (typeof bulkId !== 'string' || bulkId === '' || bulkId.length > MAX_BULK_ID)) {
    throw invalidValue(`A bulkId is text of ${MAX_BULK_ID} characters at most.`);
  }
  if (bulkId === null && method === 'POST') throw invalidValue('A POST in a bulk needs a bulkId.');
  const version = members.get('version') ?? null;
  if (version !== null && typeof version !== 'string') throw invalidValue('The version of an operation is no text.');
  const path = members.get('path');
  const [, resource, target = null] = PATH.exec(typeof path === 'string' ? path : '') ?? [];
  if (resource === undefined || (target === null) !== (method === 'POST')) {
    throw invalidPath(
      'The path of an operation is /Users or /Groups for a POST, and with an id behind it for the others.',
    );
  }
  const data = members.get('data') ?? null;
  if (data === null && method !== 'DELETE') throw invalidSyntax(`A ${method} in a bulk needs data.`);
  return {
    method: method as BulkMethod,
    bulkId,
    version: method === 'POST' ? null : version,
    resource: resource as BulkResource,
    target,
    data,
    bytes: Buffer.byteLength(text),
    mayRefer: text.includes('bulkId:') || text.includes('\\u'),
  };
}

/** A bulkId that two creations claim names none of them (RFC 7644 §3.7: unique within a bulk). */
function withoutDoubles(operations: readonly ReadOperation[]): readonly ReadOperation[] {
  const claims = new Map<string, number>();
  const claimOf = (read: ReadOperation): string | null =>
    read.kind === 'read' && read.operation.method === 'POST' ? read.operation.bulkId : null;
  for (const read of operations) {
    const claim = claimOf(read);
    if (claim !== null) claims.set(claim, (claims.get(claim) ?? 0) + 1);
  }
  if (claims.values().every((count) => count === 1)) return operations;
  return operations.map((read) => {
    const bulkId = claimOf(read);
    if (bulkId === null || claims.get(bulkId) === 1) return read;
    return {
      kind: 'refused',
      method: 'POST',
      bulkId,
      path: null,
      error: invalidValue('Two operations have the same bulkId.'),
    };
  });
}

/** What became of one operation; `location` is the resource's address, null where there is no resource. */
export type BulkResult = {
  readonly method: string | null;
  readonly bulkId: string | null;
  readonly location: string | null;
  /** As an entity tag; null where the answer does not say. */
  readonly version: string | null;
  readonly status: number;
  /** The body of an error, as JSON text. */
  readonly response: string | null;
};

/** The answer to a bulk, as JSON text. A success has no `response`: RFC 7644 §3.7 lets the server leave it out. */
export function bulkResponse(results: readonly BulkResult[]): string {
  return `{"schemas":["${RESPONSE_SCHEMA}"],"Operations":[${results.map(encodeResult).join(',')}]}`;
}

function encodeResult({ method, bulkId, location, version, status, response }: BulkResult): string {
  let text = '{';
  if (location !== null) text += `"location":${JSON.stringify(location)},`;
  if (method !== null) text += `"method":${JSON.stringify(method)},`;
  if (bulkId !== null) text += `"bulkId":${JSON.stringify(bulkId)},`;
  if (version !== null) text += `"version":${JSON.stringify(version)},`;
  if (response !== null) text += `"response":${response},`;
  return `${text}"status":"${status}"}`;
}
