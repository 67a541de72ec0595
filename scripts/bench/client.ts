// A small HTTP client over kept connections, for traffic whose answers matter: ids to go on with, times to the millisecond.

import { Agent, type IncomingMessage, request } from 'node:http';

export type Answer = { readonly status: number; readonly body: string; readonly ms: number };
export type Client = {
  send(method: string, path: string, body?: unknown): Promise<Answer>;
  close(): void;
};

/** `body` as text is sent as it is, anything else as JSON. Rejects where no answer comes within 60 s. */
export function openClient(baseUrl: string, token: string | null, connections: number): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const base = new URL(baseUrl);
  return {
    send(method, path, body) {
      const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
      const started = performance.now();
      return new Promise((resolve, reject) => {
        const outgoing = request(
          {
            agent,
            host: base.hostname,
            port: base.port,
            path: `${base.pathname === '/' ? '' : base.pathname}${path}`,
            method,
            headers: {
              ...(token === null ? {} : { authorization: `Bearer ${token}` }),
              ...(text === undefined
                ? {}
                : { 'content-type': 'application/scim+json', 'content-length': Buffer.byteLength(text) }),
            },
            timeout: 60_000,
          },
          (incoming) => {
            read(incoming).then(
              (answer) => resolve({ status: incoming.statusCode ?? 0, body: answer, ms: performance.now() - started }),
              reject,
            );
          },
        );
        outgoing.once('timeout', () => outgoing.destroy(new Error(`${method} ${path} had no answer for 60 s`)));
        outgoing.once('error', reject);
        outgoing.end(text);
      });
    },
    close: () => agent.destroy(),
  };
}

async function read(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Runs `act` for 0 … count-1, `width` at a time. */
export async function each(count: number, width: number, act: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      next += 1;
      await act(next - 1);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}

/** The value below which a share of the sorted values lies. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
