// Answers on the wire: their type, their headers, and the one translation of failures.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../context.ts';
import { BridgeError, type BridgeErrorCode } from '../core/errors.ts';
import { ClientGone } from './body.ts';
import { encodeError, ScimError, scimRefusal } from './errors.ts';

export type Reply = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON text; or text in pieces, for an answer too long for one string. Null: no body. */
  readonly body: string | AsyncIterable<string> | null;
  /** What the core refused; null or absent where it refused nothing. Not sent. */
  readonly refusal?: BridgeErrorCode | null;
};

/** `application/json` for those who accept only that (OneLogin), or rather; everybody else gets SCIM's own type, whatever they ask. */
function mediaType(accept = ''): string {
  const wanted = accept.toLowerCase();
  const plain = wanted.includes('application/json') && prefersPlain(wanted);
  return `${plain ? 'application/json' : 'application/scim+json'}; charset=utf-8`;
}

/** By the weights of both (RFC 9110 §12.5.1). Who names both without any is one who knows SCIM's own. */
function prefersPlain(accept: string): boolean {
  const weights = new Map(accept.split(',').map(readRange));
  const plain = weights.get('application/json') ?? 0;
  const scim = weights.get('application/scim+json');
  if (scim !== undefined) return plain > scim;
  return plain > 0 && plain >= (weights.get('application/*') ?? weights.get('*/*') ?? 0);
}

function readRange(range: string): readonly [type: string, weight: number] {
  const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  return [type, weight === undefined ? 1 : Number(weight.slice(2))];
}

/**
 * Sends a reply, and says how many bytes its body has. Pieces are sent as fast as the client takes them; one that fails breaks the
 * connection, never the JSON.
 */
export async function send(request: IncomingMessage, response: ServerResponse, reply: Reply): Promise<number> {
  const { status, headers = {}, body } = reply;
  if (!request.complete && !request.destroyed && endsConnection(response)) await passedOver(request);
  response.statusCode = status;
  // People's data, and text that they chose.
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (body === null) {
    response.end();
    return 0;
  }
  response.setHeader('Content-Type', mediaType(request.headers.accept));
  if (typeof body === 'string') {
    // Made bytes once: text would be measured for its length, and then made bytes together with the headers.
    const bytes = Buffer.from(body);
    response.end(bytes);
    return bytes.length;
  }
  let length = 0;
  for await (const piece of body) {
    if (response.destroyed) return length;
    const bytes = Buffer.from(piece);
    length += bytes.length;
    if (!response.write(bytes)) await drained(response);
  }
  response.end();
  return length;
}

const endsConnection = (response: ServerResponse): boolean =>
  !response.shouldKeepAlive || response.getHeader('connection') === 'close';

/** How long somebody whose connection ends is listened to before they are answered. */
const PASSED_OVER_MS = 2_000;

/**
 * Waits until the rest of a body is in, or for a moment: a connection that is closed while the client still sends is reset, and the
 * client loses the answer with it (RFC 9112 §9.6).
 */
function passedOver(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      clearTimeout(timer);
      request.off('end', go);
      request.off('close', go);
      resolve();
    };
    const timer = setTimeout(go, PASSED_OVER_MS);
    request.on('end', go).on('close', go);
    request.resume();
  });
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      response.off('drain', go);
      response.off('close', go);
      resolve();
    };
    response.on('drain', go).on('close', go);
  });
}

/** Seconds after which a client may try again what failed for want of the database. */
const RETRY_SECONDS = 1;
/**
 * Of what is refused as a whole: a pause lasts until an administrator has looked, too much at once is soon through, and nobody waits for
 * the rest of a body that hardly comes.
 */
const HEADERS_OF: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  503: { 'Retry-After': '300' },
  429: { 'Retry-After': String(RETRY_SECONDS) },
  408: { Connection: 'close' },
};

/**
 * What a failure is on the wire. Refusals say their fixed sentence; a database that is away is 503 with Retry-After; anything
 * unknown is 500 with the request's id, never 404 (an identity provider would forget the user) and never a stack (T58, T60).
 */
export function failureReply(error: unknown, requestId: string, log: Log): Reply | null {
  if (error instanceof ClientGone) return null;
  if (error instanceof ScimError) return errorReply(error, HEADERS_OF[error.status]);
  if (error instanceof BridgeError) {
    // Not as its code: that name is an authorization code's, which the log never holds.
    log.warn({ requestId, refusal: error.code, detail: error.detail }, 'scim request refused');
    const reply = errorReply(scimRefusal(error));
    return error.code === 'unavailable' ? { ...reply, headers: { 'Retry-After': String(RETRY_SECONDS) } } : reply;
  }
  log.error({ requestId, error }, 'scim request failed');
  return errorReply(new ScimError(500, null, `The server failed. Its log has more under ${requestId}.`));
}

export function errorReply(error: ScimError, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status: error.status, headers, body: encodeError(error), refusal: error.code };
}
