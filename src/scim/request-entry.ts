// What the log keeps of one request, made when it has been answered.

import type { Request } from 'express';
import type { Directory } from '../core/directory.ts';
import type { Instant } from '../core/ids.ts';
import type { KeptBody, PageSeen, ReadSeen, RequestNote, ScimRequest } from '../core/scim-request.ts';
import type { JsonValue } from './json.ts';
import { requestSigns } from './profiles.ts';
import { type Notes, quirkOf } from './quirks.ts';
import { clean, shownQuery, withoutSecrets } from './redaction.ts';
import type { Reply } from './respond.ts';
import { bodySeen } from './seen-body.ts';

/** A request with its answer, as the router knows them. */
export type Answered = {
  readonly directory: Directory;
  readonly requestId: string;
  readonly at: Instant;
  readonly durationMs: number;
  readonly request: Request;
  /** Below the directory, decoded; null where the address is no text. */
  readonly path: readonly string[] | null;
  readonly query: URLSearchParams;
  readonly notes: Notes;
  /** Null: nobody was there to be answered. */
  readonly reply: Reply | null;
  readonly bytesOut: number;
};

/** One request for the log: its line, the body where that is kept, and what it tells of the directory. */
export type RequestEntry = {
  readonly request: ScimRequest;
  readonly kept: KeptBody | null;
  readonly read: ReadSeen | null;
  readonly wrote: boolean;
  readonly signs: readonly string[];
};

const MAX_PATH = 300;
const MAX_USER_AGENT = 200;
/** Five thousand members fit. */
const MAX_BODY = 256 * 1024;
const MAX_CONTENT_TYPE = 100;

export function requestEntry(answered: Answered): RequestEntry {
  const { directory, request, reply, notes, query } = answered;
  const path = (answered.path ?? ['…']).map((segment) => `/${segment}`).join('');
  const error = errorOf(reply);
  const method = clean(request.method, 10);
  const succeeded = reply !== null && reply.status < 400;
  const agent = request.headers['user-agent'];
  const quirks = notes.flatMap((line) => quirkOf(notes, line) ?? []);
  return {
    request: {
      at: answered.at,
      requestId: answered.requestId,
      credentialId: directory.credentialId,
      source: request.ip === undefined ? null : clean(request.ip, 64),
      method,
      path: clean(path === '' ? '/' : path, MAX_PATH),
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
    read: reply?.status === 200 && method === 'GET' ? readSeen(answered.path ?? [], query, reply) : null,
    wrote: succeeded && method !== 'GET' && method !== 'HEAD' && answered.path?.at(-1) !== '.search',
    signs: requestSigns({ method, path: answered.path ?? [], query, succeeded, quirks: quirks.map(({ key }) => key) }),
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

function keptBody(request: Request, refusal: string | null): KeptBody | null {
  const { length, bytes } = bodySeen(request);
  const type = request.headers['content-type'];
  const contentType = type === undefined ? null : clean(type, MAX_CONTENT_TYPE);
  if (length === 0) return refusal === null ? null : { contentType: null, body: null, omitted: null, refusal };
  if (bytes === null || bytes.length > MAX_BODY) return { contentType, body: null, omitted: 'cut', refusal };
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

/** From the envelope's numbers, which stand before the resources or behind them: pages are long, and are not read again for this. */
function pageSeen(body: string, byCursor: boolean): PageSeen | null {
  const head = body.slice(0, ENVELOPE);
  const tail = body.slice(-ENVELOPE);
  const number = (name: string) => {
    const text = new RegExp(`"${name}":(\\d{1,15})`).exec(head)?.[1];
    return text === undefined ? null : Number(text);
  };
  const [total, items, from] = [number('totalResults'), number('itemsPerPage'), number('startIndex')];
  if (total === null || items === null || (from === null && !byCursor)) return null;
  const last = !head.includes('"nextCursor"') && !tail.includes('"nextCursor"');
  return { from: byCursor ? null : from, items, total, last: byCursor && last };
}
