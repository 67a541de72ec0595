// One request of a directory, as handlers see it.

import type { IncomingMessage } from 'node:http';
import type { Context } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import type { Refusal } from '../core/errors.ts';
import { type IfMatch, includes, meets, type Unauthenticated, versionMismatch } from '../operations/precondition.ts';
import { readBody } from './body.ts';
import type { Room } from './body-room.ts';
import type { DirectorySchemas } from './directory-schemas.ts';
import { invalidFilter, scimRefusal, tooLarge } from './errors.ts';
import type { JsonLimits, JsonValue } from './json.ts';
import { readEntityTags } from './meta.ts';
import type { Notes } from './quirks.ts';
import type { Reply } from './respond.ts';

export type Exchange = {
  readonly ctx: Context;
  readonly directory: Directory;
  /** What resources of this directory are: those of the standard with its own extensions. */
  readonly schemas: DirectorySchemas;
  readonly request: IncomingMessage;
  /** For its body. */
  readonly room: Room;
  readonly query: URLSearchParams;
  /** Address of the directory, without a slash at the end. */
  readonly baseUrl: string;
  /** What was normalised, for the request log. */
  readonly notes: Notes;
  /** Set where this is one operation of a bulk: then its data and version stand for the request's body and If-Match. */
  readonly operation?: { readonly data: JsonValue; readonly bytes: number; readonly version: string | null };
};

export type Handler = (exchange: Exchange, id: string) => Promise<Reply> | Reply;

/** Thrown where the credential was ended between two statements of a request: the answer is the same 401 as for a wrong one. */
export class CredentialEnded extends Error {}

/** What an operation answered, or its refusal as SCIM says it. */
export function unlessRefused<T extends { readonly kind: string }>(
  outcome: T | Refusal | Unauthenticated,
): Exclude<T, Refusal | Unauthenticated> {
  if (outcome.kind === 'refused') throw scimRefusal(outcome as Refusal);
  if (outcome.kind === 'unauthenticated') throw new CredentialEnded();
  return outcome as Exclude<T, Refusal | Unauthenticated>;
}

/** The JSON value that is sent: the body of the request, or the data of a bulk's operation. */
export async function readSent({ request, room, operation }: Exchange, limits: JsonLimits): Promise<JsonValue> {
  return operation === undefined ? readBody(request, limits, room) : dataOf(operation, limits);
}

/** The data of a bulk's operation, which may be as large as a request's body. */
export function dataOf({ data, bytes }: NonNullable<Exchange['operation']>, limits: JsonLimits): JsonValue {
  if (bytes > limits.bytes) throw tooLarge(`The operation is larger than ${limits.bytes} bytes.`);
  return data;
}

/**
 * The versions of a change's If-Match and If-None-Match headers (RFC 9110 §13.1), or the one of a bulk's operation; null where none is
 * named.
 */
export function ifMatch({ request, operation }: Exchange): IfMatch {
  if (operation !== undefined) return readEntityTags(operation.version ?? undefined);
  const match = readEntityTags(request.headers['if-match']);
  const unless = readEntityTags(request.headers['if-none-match']);
  return unless === null ? match : { match, unless };
}

/**
 * Refuses with 400 invalidFilter a filter beside an id: to pass it over would be to say that it holds, and no form of an answer is
 * agreed on (RFC 7644 §3.4.2).
 */
export function refuseFilter({ query }: Exchange): void {
  if (query.has('filter')) throw invalidFilter('A filter is for lists: ask for the list, with the id in the filter.');
}

/**
 * True if the client that reads has this version already (If-None-Match). Refuses with 412 another than it asks for (If-Match), which
 * counts first (RFC 9110 §13.2.2).
 */
export function isKnown({ request }: Exchange, version: number): boolean {
  const match = readEntityTags(request.headers['if-match']);
  const known = readEntityTags(request.headers['if-none-match']);
  if (!meets(match, version)) throw scimRefusal(versionMismatch());
  return known !== null && includes(known, version);
}
