// What the log keeps of one request, made when it has been answered.

import type { IncomingMessage } from 'node:http';
import type { Directory } from '../core/directory.ts';
import { doctorAgent } from '../core/directory-doctor.ts';
import type { Instant } from '../core/ids.ts';
import {
  CUT,
  type KeptBody,
  type PageSeen,
  type ReadSeen,
  type RequestNote,
  type ScimRequest,
} from '../core/scim-request.ts';
import type { JsonValue } from './json.ts';
import { requestSigns } from './profiles.ts';
import { type Notes, quirkOf } from './quirks.ts';
import { clean, shownPath, shownQuery, withoutSecrets } from './redaction.ts';
import type { Reply } from './respond.ts';
import { bodySeen } from './seen-body.ts';

/** A request with its answer, as the router knows them. */
export type Answered = {
  readonly directory: Directory;
  readonly requestId: string;
  readonly at: Instant;
  readonly durationMs: number;
  readonly request: IncomingMessage;
  /** Address that it came from; empty where nobody knows. */
  readonly source: string;
  /** Below the directory, decoded; null where the address is no text. */
  readonly path: readonly string[] | null;
  readonly query: URLSearchParams;
  readonly notes: Notes;
  /** Null: nobody was there to be answered. */
  readonly reply: Reply | null;
  readonly bytesOut: number;
};

/** How a request ended, for the rates; `failed` is the server's own doing. */
export type RequestEnd = 'answered' | 'refused' | 'limited' | 'failed';

/** What a request tells of its directory, kept or not: cheap, since a flood is told so, too. */
export type SeenRequest = {
  readonly at: Instant;
  readonly end: RequestEnd;
  readonly read: ReadSeen | null;
  readonly wrote: boolean;
  /** As it was sent. */
  readonly userAgent: string | null;
  readonly signs: readonly string[];
};

export const MAX_USER_AGENT = 200;
const MAX_CONTENT_TYPE = 100;

/** A doctor tells nothing of whose directory it is. */
export function seenRequest({ at, request, reply, path: given, query, notes }: Answered): SeenRequest {
  const { method = '' } = request;
  const end = endOf(reply);
  if (request.headers['user-agent'] === doctorAgent) {
    // Half of what it asks is there to be refused.
    return { at, end: end === 'failed' ? end : 'answered', read: null, wrote: false, userAgent: null, signs: [] };
  }
  const path = given ?? [];
  const succeeded = reply !== null && reply.status < 400;
  const quirks = notes.flatMap((line) => quirkOf(notes, line)?.key ?? []);
  return {
    at,
    end,
    read: reply?.status === 200 && method === 'GET' ? readSeen(path, query, reply) : null,
    wrote: succeeded && method !== 'GET' && method !== 'HEAD' && path.at(-1) !== '.search',
    userAgent: request.headers['user-agent'] ?? null,
    signs: requestSigns({ method, path, query, succeeded, quirks }),
  };
}

function endOf(reply: Reply | null): RequestEnd {
  if (reply === null || reply.status < 400) return 'answered';
  if (reply.status === 429) return 'limited';
  // What no server of this kind does is refused, and so is what an administrator has to look at first, though an identity provider is
  // told by 503 that it may send it again.
  if (reply.status < 500 || reply.status === 501) return 'refused';
  return reply.refusal === 'directory_paused' ? 'refused' : 'failed';
}

/** The request as one line of the log, and its body where that is kept. */
export function loggedRequest(answered: Answered): { readonly request: ScimRequest; readonly kept: KeptBody | null } {
  const { directory, request, source, reply, notes, query } = answered;
  const error = errorOf(reply);
  const agent = request.headers['user-agent'];
  return {
    request: {
      at: answered.at,
      requestId: answered.requestId,
      credentialId: directory.credentialId,
      source: source === '' ? null : clean(source, 64),
      method: clean(request.method ?? '', 10),
      path: `/${shownPath(answered.path ?? [CUT])}`,
      query: shownQuery(query),
      status: reply?.status ?? null,
      scimType: error?.scimType ?? null,
      durationMs: answered.durationMs,
      notes: notes.map(
        (line): RequestNote => ({ note: line, sentBy: quirkOf(notes, line)?.sentBy ?? 'several clients' }),
      ),
      userAgent: agent === undefined ? null : clean(agent, MAX_USER_AGENT),
      bytesIn: bodySeen(request).length,
      bytesOut: answered.bytesOut,
    },
    kept: directory.settings.requestLog.bodyHours > 0 ? keptBody(request, error?.detail ?? null) : null,
  };
}

/** What an error answer says (RFC 7644 §3.12). */
function errorOf(reply: Reply | null): { readonly scimType: string | null; readonly detail: string | null } | null {
  if (reply === null || reply.status < 400 || typeof reply.body !== 'string') return null;
  const { scimType, detail } = JSON.parse(reply.body) as { scimType?: unknown; detail?: unknown };
  return {
    scimType: typeof scimType === 'string' ? clean(scimType, 50) : null,
    detail: typeof detail === 'string' ? clean(detail, 1_000) : null,
  };
}

function keptBody(request: IncomingMessage, refusal: string | null): KeptBody | null {
  const { length, bytes } = bodySeen(request);
  const type = request.headers['content-type'];
  const contentType = type === undefined ? null : clean(type, MAX_CONTENT_TYPE);
  if (length === 0) return refusal === null ? null : { contentType, body: null, omitted: null, refusal };
  if (bytes === null) return { contentType, body: null, omitted: 'cut', refusal };
  return { contentType, ...redactedJson(bytes), refusal };
}

function redactedJson(bytes: Buffer): Pick<KeptBody, 'body' | 'omitted'> {
  try {
    return { body: JSON.stringify(withoutSecrets(JSON.parse(bytes.toString('utf8')) as JsonValue)), omitted: null };
  } catch {
    // What cannot be read cannot be searched for secrets.
    return { body: null, omitted: 'not_json' };
  }
}

/** How a reading request helps to see a whole cycle: a page of everybody, or a question about one. */
function readSeen(path: readonly string[], query: URLSearchParams, reply: Reply): ReadSeen | null {
  const [resource, id, ...more] = path;
  if (resource !== 'Users' || more.length > 0) return null;
  if (id !== undefined) return { kind: 'look_up', key: id };
  const filter = query.get('filter');
  if (filter !== null) return /\seq\s/i.test(filter) ? { kind: 'look_up', key: filter } : null;
  const page = typeof reply.body === 'string' ? pageSeen(reply.body, query.has('cursor')) : null;
  return page === null ? null : { kind: 'page', page };
}

const ENVELOPE = 500;
const NUMBERS = {
  totalResults: /"totalResults":(\d{1,15})/,
  itemsPerPage: /"itemsPerPage":(\d{1,15})/,
  startIndex: /"startIndex":(\d{1,15})/,
} as const;

/** From the envelope's numbers, which stand before the resources: pages are long, and are not read again for this. */
function pageSeen(body: string, byCursor: boolean): PageSeen | null {
  const head = body.slice(0, ENVELOPE);
  const number = (name: keyof typeof NUMBERS) => {
    const text = NUMBERS[name].exec(head)?.[1];
    return text === undefined ? null : Number(text);
  };
  const [total, items, from] = [number('totalResults'), number('itemsPerPage'), number('startIndex')];
  if (total === null || items === null || (from === null && !byCursor)) return null;
  const last = byCursor && !head.includes('"nextCursor"');
  return { from: byCursor ? null : from, items, total, last };
}
