// Requests to a SCIM server exactly as they are asked for: no redirect is followed, no header is added but a length.

import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export type ScimAsk = {
  readonly method: string;
  /** Below the directory, as it goes out: `/Users?count=1`. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
};

export type ScimAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; undefined where it is none. */
  readonly json: unknown;
  readonly ms: number;
};

export type ScimClient = {
  /** Throws where no answer comes: the error's message says why. */
  ask(ask: ScimAsk): Promise<ScimAnswer>;
  close(): void;
};

const WITHIN_MS = 30_000;
const MAX_ANSWER = 64 * 1024 * 1024;

/** A client of one directory. `base` is its address without a slash at the end. */
export function scimClient(base: string, token: string): ScimClient {
  const secure = base.startsWith('https:');
  const agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const start = secure ? httpsRequest : httpRequest;
  return {
    ask: ({ method, target, headers, body }) =>
      new Promise((resolve, reject) => {
        const began = performance.now();
        const length = body === null ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
        const sent = { ...safe(headers), ...length, Authorization: `Bearer ${token}` };
        const request = start(`${base}${target}`, { agent, method, headers: sent, timeout: WITHIN_MS }, (answer) => {
          const chunks: Buffer[] = [];
          let size = 0;
          answer.on('error', reject);
          answer.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > MAX_ANSWER) request.destroy(new Error('the answer is larger than 64 MB'));
            else chunks.push(chunk);
          });
          answer.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            const ms = Math.round(performance.now() - began);
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json: jsonOf(text), ms });
          });
        });
        request.on('timeout', () => request.destroy(new Error(`no answer within ${WITHIN_MS / 1000} s`)));
        request.on('error', (error: NodeJS.ErrnoException) =>
          reject(new Error(error.message || (error.code ?? 'no answer'))),
        );
        request.end(body ?? undefined);
      }),
    close: () => agent.destroy(),
  };
}

/** Recorded headers may hold what no header may. */
function safe(headers: ScimAsk['headers']): ScimAsk['headers'] {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replace(/[^\x20-\x7e]/g, '?')]),
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A member of a JSON object, or undefined: answers are looked into as they come. */
export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

/** What an error answer says of itself (RFC 7644 §3.12). */
export function refusalOf(answer: Pick<ScimAnswer, 'status' | 'json'>): {
  readonly scimType: string | null;
  readonly detail: string | null;
} {
  if (answer.status < 400) return { scimType: null, detail: null };
  const text = (name: string) => {
    const value = member(answer.json, name);
    return typeof value === 'string' ? value : null;
  };
  return { scimType: text('scimType'), detail: text('detail') };
}
