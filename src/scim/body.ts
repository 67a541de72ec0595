// A request's body: its type is checked before a byte is read, its size while it comes.

import type { IncomingMessage } from 'node:http';
import type { Room } from './body-room.ts';
import { ScimError, tooLarge } from './errors.ts';
import { type JsonLimits, type JsonValue, parseJson } from './json.ts';
import { PIECE, parseJsonInPieces } from './json-pieces.ts';
import { pace } from './pace.ts';
import { sawBody } from './seen-body.ts';

const TYPES: ReadonlySet<string> = new Set(['application/scim+json', 'application/json']);

/**
 * The JSON value of the body. Refuses with 415 another type, charset or content encoding (nothing is ever unpacked, T49), with 408 one
 * of which in four seconds comes hardly anything, with 413 a body over `limits.bytes` as soon as that is known, what `room` refuses, and
 * what {@link parseJson} refuses. The rest of a refused body is passed over, so that the connection can be used again; after a 408 it
 * ends.
 */
export async function readBody(request: IncomingMessage, limits: JsonLimits, room: Room): Promise<JsonValue> {
  const bytes = await readBytes(request, limits.bytes, bodyTooLarge, room);
  return bytes.length <= PIECE ? parseJson(bytes, limits) : parseJsonInPieces(bytes, limits, pace());
}

/** The bytes of the body, refused as {@link readBody} does; one over `limit` with what `refuse` says. */
export async function readBytes(
  request: IncomingMessage,
  limit: number,
  refuse = bodyTooLarge,
  room: Pick<Room, 'take'> = { take() {} },
): Promise<Buffer> {
  checkType(request.headers);
  if (Number(request.headers['content-length'] ?? 0) > limit) throw refuse(limit);
  const bytes = await gather(request, (size) => {
    if (size > limit) throw refuse(limit);
    room.take(size);
  });
  sawBody(request, bytes);
  return bytes;
}

function checkType(headers: IncomingMessage['headers']): void {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';');
  const charset = parameters.map((parameter) => parameter.trim().split('=')).find(([name]) => name === 'charset')?.[1];
  const utf8 = charset === undefined || charset.replaceAll('"', '') === 'utf-8';
  if (!TYPES.has(type.trim()) || !utf8) {
    throw new ScimError(415, null, 'The Content-Type should be application/scim+json in UTF-8.');
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new ScimError(415, null, 'The body should not be encoded.');
  }
}

const bodyTooLarge = (limit: number) => tooLarge(`The request body is larger than ${limit} bytes.`);

/** Whoever brings less than this in such a time keeps a place that others wait for; no identity provider does. */
const LEAST_BYTES = 1_024;
const LULL_MS = 4_000;

/** `admit` is told the size so far, and refuses by throwing. Refuses with 408 who sends hardly anything. */
function gather(request: IncomingMessage, admit: (size: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let sizeBefore = 0;
    let settled = false;
    const look = () => {
      if (settled) return;
      if (size - sizeBefore >= LEAST_BYTES) {
        sizeBefore = size;
        return;
      }
      stop();
      request.resume();
      reject(new ScimError(408, null, 'The request body came too slowly.'));
    };
    // What came while the whole process stood still is read first: timers go before sockets.
    const lull = setInterval(() => setImmediate(look), LULL_MS);
    const stop = () => {
      settled = true;
      clearInterval(lull);
      request.off('data', take);
      request.off('end', end);
      request.off('error', gone);
      request.off('close', gone);
    };
    const take = (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      try {
        admit(size);
      } catch (refused) {
        stop();
        request.resume();
        reject(refused);
      }
    };
    const end = () => {
      stop();
      resolve(Buffer.concat(chunks, size));
    };
    const gone = () => {
      stop();
      reject(new ClientGone());
    };
    request.on('data', take).on('end', end).on('error', gone).on('close', gone);
  });
}

/** The client hung up before its body was whole: there is nobody to answer. */
export class ClientGone extends Error {}
