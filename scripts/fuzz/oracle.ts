// What every answer must be, whatever was asked.

import { leakOf } from './leaks.ts';
import { BULK_DEADLINE_MS, patienceFor } from './patience.ts';
import type { Fuzzed } from './requests.ts';
import type { Answer, Outcome } from './wire.ts';

const ERROR = 'urn:ietf:params:scim:api:messages:2.0:Error';
/**
 * What is said of what Node's own parser refuses, or before it is known whose request it is: by a bare head or a plain sentence, where
 * the address was not in the piece that could not be read, and with an end of the connection.
 */
const BARE = new Set([400, 408, 413, 417, 431]);

/** What is wrong with what came of a request, in words; null for nothing. */
export function faultOf(fuzzed: Fuzzed, outcome: Outcome): string | null {
  const raw = 'raw' in fuzzed;
  if (outcome.kind !== 'answered') {
    return raw && !fuzzed.whole ? null : `no answer: the connection is ${outcome.kind}`;
  }
  const { answer } = outcome;
  const { status, headers, body, ms } = answer;
  if (status < 200 || status > 599) return `status ${status}`;
  if (status >= 500 && !(status === 501 && isMe(fuzzed))) return `status ${status}: ${body.slice(0, 300)}`;
  if (ms > patienceFor(fuzzed)) return `an answer after ${Math.round(ms)} ms`;
  if (headers.has('x-powered-by')) return 'X-Powered-By';
  if (isBare(answer)) return leakOf(body);
  const target = raw ? (/^\S+ (\S+)/.exec(Buffer.from(fuzzed.raw).toString('latin1'))?.[1] ?? '') : fuzzed.target;
  const isOurs = /^\/scim\/v2([/?]|$)/i.test(target);
  if (!isOurs) return status >= 400 && leakOf(body) !== null ? `tells of its machine: ${leakOf(body)}` : null;
  return scimFault(raw ? 'GET' : fuzzed.method, answer);
}

function isBare({ status, headers, body }: Answer): boolean {
  if (!BARE.has(status) || headers.get('connection')?.toLowerCase() !== 'close') return false;
  return body === '' || (headers.get('content-type')?.startsWith('text/plain') === true && !body.includes('<'));
}

/** RFC 7644 §3.11 asks for 501 where a token stands for no person. */
const isMe = (fuzzed: Fuzzed): boolean => 'target' in fuzzed && /\/me\/?(\?|$)/i.test(fuzzed.target);

function scimFault(method: string, { status, headers, body, ms }: Answer): string | null {
  const bodiless = method === 'HEAD' || status === 204 || status === 304;
  if (bodiless) return null;
  if (!/^application\/(scim\+)?json\b/.test(headers.get('content-type') ?? '')) {
    return `no SCIM but ${headers.get('content-type')}: ${status} ${body.slice(0, 200)}`;
  }
  const value = parsed(body);
  if (value === undefined) return `no JSON: ${status} ${body.slice(0, 200)}`;
  if (status >= 400) return errorFault(status, value, body);
  const errors = errorsWithin(value);
  for (const one of errors) {
    const late = ms >= BULK_DEADLINE_MS;
    if (late && isTooLate(one)) continue;
    // Errors that `failOnErrors` counts may end a bulk between the halves of a creation, too.
    if ((late || errors.length > 1) && isHalfDone(one)) continue;
    const fault = errorFault(Number((one as { status?: unknown }).status), one, JSON.stringify(one));
    if (fault !== null) return `within a bulk: ${fault}`;
  }
  return null;
}

function errorFault(status: number, value: unknown, text: string): string | null {
  const error = value as { schemas?: unknown; status?: unknown; detail?: unknown };
  const is =
    String(error?.schemas) === ERROR &&
    error.status === String(status) &&
    typeof error.detail === 'string' &&
    error.detail !== '';
  if (!is) return `no error of SCIM: ${status} ${text.slice(0, 200)}`;
  if (status >= 500 && status !== 501) return text.slice(0, 300);
  const leak = leakOf(text);
  return leak === null ? null : `tells of its machine: ${leak}`;
}

/** The answers of a bulk's operations that are errors. */
function errorsWithin(value: unknown): readonly unknown[] {
  const { Operations } = value as { Operations?: unknown };
  if (!Array.isArray(Operations)) return [];
  return Operations.filter((one) => Number(one?.status) >= 400).map((one) => one.response);
}

/** What a bulk says of operations that it did not begin in time: they are to be sent again. */
const isTooLate = (one: unknown): boolean => says503(one, 'The bulk took too long');
/** What it says of a user whose manager in a circle was to be given next when it ended. */
const isHalfDone = (one: unknown): boolean => says503(one, 'The user was created, but the bulk ended before');

function says503(one: unknown, beginning: string): boolean {
  const { status, detail } = (one ?? {}) as { status?: unknown; detail?: unknown };
  return status === '503' && String(detail).startsWith(beginning);
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
