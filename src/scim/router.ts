// SCIM 2.0 at /scim/v2/{tenant}/{connection} (RFC 7644): find the directory, let an endpoint answer, log. In that order: not a byte of a
// body is read before the caller is known.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller, Context, Log } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import type { Instant } from '../core/ids.ts';
import { CUT } from '../core/scim-request.ts';
import { type Admit, admission } from './admission.ts';
import { type Authenticate, authenticator, hasTwoAuthorizations } from './authenticate.ts';
import { bodyRooms, type EnterRoom, type Room } from './body-room.ts';
import { scimBase } from './broken-request.ts';
import { directorySchemas } from './directory-schemas.ts';
import { describeProvider, dispatch } from './endpoints.ts';
import { needsToken, ScimError } from './errors.ts';
import { CredentialEnded, type Exchange } from './exchange.ts';
import type { Notes } from './quirks.ts';
import { shownPath } from './redaction.ts';
import type { RequestLog } from './request-log.ts';
import { errorReply, failureReply, type Reply, send } from './respond.ts';
import { watchBody } from './seen-body.ts';
import { unknownCaller } from './unknown-caller.ts';

export type ScimOptions = {
  readonly contextFor: (caller: Caller) => Context;
  /** Address under which the server is known, without a slash at the end: the only source of addresses in answers (T61). */
  readonly publicUrl: string;
  readonly log: Log;
  /** Where a request comes from; empty where nobody knows. */
  readonly addressOf: (request: IncomingMessage) => string;
  /** Where each directory's requests are noted for its administrators. */
  readonly requestLog?: RequestLog;
};

/**
 * Answers every request at `/scim/v2` and below, in SCIM's own form. False: it is for another address, and nothing was done with it.
 */
export function scimRouter(options: ScimOptions): (request: IncomingMessage, response: ServerResponse) => boolean {
  const doors: Doors = { authenticate: authenticator(), admit: admission(), enter: bodyRooms() };
  return (request, response) => {
    const here = scimBase(request.url ?? '');
    if (here === undefined) return false;
    const below = (request.url ?? '').slice(here.length);
    handle(options, doors, request, response, below).catch((error: unknown) => {
      options.log.error({ error }, 'a SCIM request could not be answered');
      response.destroy();
    });
    return true;
  };
}

type Doors = { readonly authenticate: Authenticate; readonly admit: Admit; readonly enter: EnterRoom };

type Ask = {
  readonly tenant: string;
  readonly connection: string;
  /** Below the directory, decoded: `['Users', '…']`. Null where the address is no text. */
  readonly path: readonly string[] | null;
  readonly query: URLSearchParams;
};

/**
 * An address is cut before it is decoded, so that no escaped slash makes a segment. The version may stand where the directory's address
 * has it, and once more before the endpoint, where RFC 7644 §3.13 has it.
 */
function readAddress(url: string): Ask | null {
  const mark = url.indexOf('?');
  const [, tenant, connection, ...rest] = (mark === -1 ? url : url.slice(0, mark)).split('/');
  if (tenant === undefined || connection === undefined || tenant === '' || connection === '') return null;
  if (rest.at(-1) === '') rest.pop();
  if (rest[0] === 'v2') rest.shift();
  const query = new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
  return { tenant, connection, path: decodeAll(rest), query };
}

function decodeAll(segments: readonly string[]): readonly string[] | null {
  try {
    return segments.map((segment) => (segment.includes('%') ? decodeURIComponent(segment) : segment));
  } catch {
    return null;
  }
}

/** One request on its way through: what was made of it so far is logged, however it ends. */
type Passage = {
  readonly request: IncomingMessage;
  readonly requestId: string;
  readonly started: number;
  readonly ask: Ask | null;
  readonly source: string;
  readonly notes: Notes;
  /** Null until the caller is known. */
  directory: Directory | null;
  /** What the log says of a caller who is not. */
  stranger: object;
  /** Gives back what the directory takes up. */
  leave: () => void;
};

async function handle(
  options: ScimOptions,
  doors: Doors,
  request: IncomingMessage,
  response: ServerResponse,
  below: string,
): Promise<void> {
  const passage = begin(options, request, below);
  const { requestId } = passage;
  let answered: SentReply | null = null;
  response.setHeader('X-Request-Id', requestId);
  try {
    const reply = await answer(options, doors, passage);
    answered = { reply, bytes: await send(request, response, reply) };
  } catch (error) {
    answered = await fail(error, requestId, options.log, request, response);
  } finally {
    passage.leave();
  }
  note(options, passage, response.statusCode, answered);
}

function begin({ addressOf }: ScimOptions, request: IncomingMessage, below: string): Passage {
  return {
    request,
    requestId: randomUUID(),
    started: performance.now(),
    ask: readAddress(below),
    source: addressOf(request),
    notes: [],
    directory: null,
    stranger: {},
    leave: () => {},
  };
}

/** Who is there, what is free to them, and then what they asked. */
async function answer(options: ScimOptions, doors: Doors, passage: Passage): Promise<Reply> {
  const { request, requestId, ask, source } = passage;
  if (ask === null) throw new ScimError(404, null, 'The address names no directory.');
  const open = withoutToken(request, ask, options.publicUrl);
  if (open !== null) return open;
  const { authorization } = request.headers;
  if (hasTwoAuthorizations(request.rawHeaders)) {
    passage.stranger = { ...unknownCaller(ask, undefined, source), presented: 'two Authorization headers' };
    return twice();
  }
  const ctx = options.contextFor({ actor: { kind: 'system' }, requestId });
  const known = await doors.authenticate(ctx, ask, authorization, source);
  if (known.kind !== 'known') {
    passage.stranger = unknownCaller(ask, authorization, source);
    if (known.kind === 'too_many') return tooMany('Too many wrong tokens came from this address.', known);
    return unauthorized(known.presented);
  }
  const { directory } = known;
  passage.directory = directory;
  const admitted = doors.admit(directory);
  if (admitted.kind === 'too_many') return tooMany(TOO_MANY[admitted.why], admitted);
  const room = doors.enter(directory.tenantId);
  passage.leave = () => {
    admitted.leave();
    room.leave();
  };
  if (options.requestLog !== undefined) watchBody(request, directory.settings.requestLog.bodyHours > 0);
  return await dispatch(exchangeOf(options, passage, ask, directory, room), ask.path);
}

function exchangeOf(
  { contextFor, publicUrl }: ScimOptions,
  { request, requestId, notes }: Passage,
  ask: Ask,
  directory: Directory,
  room: Room,
): Exchange {
  const { connectionId, connectionKey: name } = directory;
  return {
    ctx: contextFor({ actor: { kind: 'directory', connectionId, name }, requestId }),
    directory,
    schemas: directorySchemas(directory.settings.schemas),
    request,
    room,
    query: ask.query,
    baseUrl: `${publicUrl}/scim/v2/${ask.tenant}/${ask.connection}`,
    notes,
  };
}

/** A line in the server's log, and what the directory's administrators see. */
function note({ log, requestLog }: ScimOptions, passage: Passage, status: number, answered: SentReply | null): void {
  const { request, requestId, started, ask, source, notes, directory, stranger } = passage;
  const { method } = request;
  const durationMs = Math.round(performance.now() - started);
  const at =
    directory === null
      ? stranger
      : { tenant: ask?.tenant, connection: ask?.connection, path: shownPath(ask?.path ?? [CUT]) };
  // Of what was asked only the path of a known directory is named, and never its query: that may hold addresses, or a token (T53, T113).
  log.info({ requestId, method, ...at, status, ms: durationMs, ...(notes.length > 0 ? { notes } : {}) }, 'scim');
  if (directory === null || ask === null || requestLog === undefined) return;
  const { path, query } = ask;
  const when = (Date.now() - durationMs) as Instant;
  const { reply, bytes: bytesOut } = answered ?? { reply: null, bytes: 0 };
  requestLog.keep({ directory, requestId, at: when, durationMs, request, source, path, query, notes, reply, bytesOut });
}

const KEY = /^[\w.-]{1,100}$/;

/**
 * What the server can do, for a client that has no token yet: RFC 7643 §5 wants its authentication schemes to be public. The answer is the
 * same for every address, whether there is a directory or not. Null for every other request, and where a token is presented: that one is
 * looked at.
 */
function withoutToken({ method, headers }: IncomingMessage, ask: Ask, publicUrl: string): Reply | null {
  const { tenant, connection, path, query } = ask;
  if (headers.authorization !== undefined || (method !== 'GET' && method !== 'HEAD')) return null;
  if (path === null || path.length !== 1 || path[0] !== 'ServiceProviderConfig') return null;
  if (!KEY.test(tenant) || !KEY.test(connection)) return null;
  return describeProvider(query, `${publicUrl}/scim/v2/${tenant}/${connection}`);
}

/** What was sent, and how many bytes of it. */
type SentReply = { readonly reply: Reply; readonly bytes: number };

const REALM = 'Bearer realm="scim"';

/** The same for an unknown tenant, an unknown connection and a token that is wrong, expired or ended. */
function unauthorized(presented: boolean): Reply {
  return errorReply(needsToken(), {
    'WWW-Authenticate': presented ? `${REALM}, error="invalid_token"` : REALM,
  });
}

function twice(): Reply {
  return errorReply(new ScimError(400, null, 'The request has more than one Authorization header. Send one.'), {
    'WWW-Authenticate': `${REALM}, error="invalid_request"`,
  });
}

const TOO_MANY = {
  rate: 'This directory sends more requests a second than it may.',
  at_once: 'Too many requests of this directory are under way.',
} as const;

function tooMany(why: string, { retryAfterSeconds }: { readonly retryAfterSeconds: number }): Reply {
  return errorReply(new ScimError(429, null, why), { 'Retry-After': String(retryAfterSeconds) });
}

async function fail(
  error: unknown,
  requestId: string,
  log: Log,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<SentReply | null> {
  const reply = error instanceof CredentialEnded ? unauthorized(true) : failureReply(error, requestId, log);
  // A broken connection is the only honest end of an answer that was half sent.
  if (reply === null || response.headersSent) {
    response.destroy();
    return null;
  }
  return { reply, bytes: await send(request, response, reply) };
}
