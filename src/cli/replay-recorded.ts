// A request of the log as it can be sent again, or why it cannot.

import { doctorAgent } from '../core/directory-doctor.ts';
import { CUT, LOGGED_PARAMETERS, MAX_LOGGED_PATH, MAX_LOGGED_QUERY, REDACTED, TOO_LONG } from '../core/scim-request.ts';
import type { RecordedRequest } from '../operations/replay-source.ts';
import { jsonOf } from './replay-survey.ts';
import { member } from './scim-http.ts';

export type Sendable = {
  readonly kind: 'send';
  readonly method: string;
  /** Below the directory, with its query, decoded: ids in it are to be renamed before {@link targetOf}. */
  readonly path: string;
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly body: string | null;
  readonly headers: Readonly<Record<string, string>>;
};

export type NotSendable = {
  /** `left_out`: nothing of it was done then, and to do it now would lead away from what came after it. */
  readonly kind: 'not_kept' | 'left_out';
  readonly why: string;
};

/** Stands for what a line of the log cannot show. */
const REPLACED = '\ufffd';

/** What of a recorded request can be sent again. Ids in it are the real ones. */
export function sendable(request: RecordedRequest): Sendable | NotSendable {
  const { method, path, status, kept, bytesIn } = request;
  if (request.userAgent === doctorAgent) return { kind: 'left_out', why: 'made by a doctor' };
  if (status === 401) return { kind: 'left_out', why: 'refused for its token then; nothing of it was done' };
  if (status === 429) return { kind: 'left_out', why: 'over the limit then; nothing of it was done' };
  if (status === 503) return { kind: 'left_out', why: 'answered "later" then; nothing of it was done' };
  if (status === 304 || status === 412)
    return { kind: 'left_out', why: 'its If-Match or If-None-Match, which is not kept, ended it then' };
  const missing = (why: string): NotSendable => ({ kind: 'not_kept', why });
  // What has the length of the longest may have been longer.
  if (path.length >= MAX_LOGGED_PATH || [CUT, REDACTED, REPLACED].some((mark) => path.includes(mark)))
    return missing('its address was not kept whole');
  // The log shows it decoded: dots and slashes that were escaped would lead out of the scratch directory.
  if (path.split('/').some((segment) => segment === '.' || segment === '..'))
    return missing('its address cannot be told from another one');
  const query = queryOf(request.query);
  if (query === null) return missing('its query was not kept whole');
  if (query.some(([name, value]) => name === 'cursor' && value !== '')) return missing('cursors are not kept');
  if (kept?.omitted === 'cut') return missing('its body was not read to its end, or too large to be kept');
  if (kept?.omitted === 'not_json') return missing('its body was no JSON and was not kept');
  const body = kept?.body ?? null;
  if (status === 413 && body === null) return missing('its body was refused by its announced length, and never read');
  if (bytesIn > 0 && body === null) return missing('its body was not kept');
  if (path.endsWith('/.search') && asksForNextPage(body)) return missing('a cursor is for its own directory');
  const type = kept?.contentType ?? null;
  return {
    kind: 'send',
    method,
    path,
    query,
    body,
    headers: {
      Accept: 'application/scim+json, application/json',
      ...(request.userAgent === null ? {} : { 'User-Agent': request.userAgent }),
      ...(type === null ? {} : { 'Content-Type': type }),
    },
  };
}

function asksForNextPage(body: string | null): boolean {
  const cursor = member(jsonOf(body), 'cursor');
  return typeof cursor === 'string' && cursor !== '';
}

/**
 * The parameters of a query as the log shows it: decoded, and joined by `&`. Null where something of them was taken out. Names of
 * parameters that are not the standard's are not kept, and not missed: nothing reads them.
 */
function queryOf(shown: string | null): readonly (readonly [string, string])[] | null {
  if (shown === null) return [];
  if (shown.length >= MAX_LOGGED_QUERY || [TOO_LONG, REDACTED, REPLACED].some((mark) => shown.includes(mark)))
    return null;
  // A filter with a quote that nothing closes.
  if (shown.endsWith(`"${CUT}`) || shown.includes(`"${CUT}&`)) return null;
  const query = parametersOf(shown);
  const isCut = query.some(([name, value]) => name !== 'filter' && name !== 'cursor' && value.endsWith(CUT));
  return isCut ? null : query;
}

function parametersOf(shown: string): readonly (readonly [string, string])[] {
  return outsideQuotes(shown)
    .filter((part) => !/^\d+ parameters? not shown$/.test(part))
    .map((part): readonly [string, string] => {
      const equals = part.indexOf('=');
      return equals === -1 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)];
    })
    .reduce<(readonly [string, string])[]>((parts, [name, value]) => {
      const last = parts.at(-1);
      // An `&` of a value that is no literal.
      if (!LOGGED_PARAMETERS.has(name) && name !== 'cursor' && last !== undefined)
        parts[parts.length - 1] = [last[0], `${last[1]}&${value === '' ? name : `${name}=${value}`}`];
      else parts.push([name, value]);
      return parts;
    }, []);
}

/** Cut at each `&` that stands in no literal. */
function outsideQuotes(text: string): readonly string[] {
  const parts = [''];
  for (const [piece] of text.matchAll(/"(?:[^"\\]|\\.)*"|&|[^"&]+|"/gs)) {
    if (piece === '&') parts.push('');
    else parts[parts.length - 1] += piece;
  }
  return parts;
}

/** The address as it goes out. */
export function targetOf(path: string, query: Sendable['query']): string {
  const address = path.split('/').map(encodeURIComponent).join('/');
  const parameters = query.map(([name, value]) => (value === '' ? name : `${name}=${encodeURIComponent(value)}`));
  return parameters.length === 0 ? address : `${address}?${parameters.join('&')}`;
}
