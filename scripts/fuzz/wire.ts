// A client of HTTP/1.1 that sends exactly the bytes that it is given, over a connection that it keeps while the server does.

import { connect, type Socket } from 'node:net';
import { patienceFor } from './patience.ts';
import type { Fuzzed, Sending } from './requests.ts';

export type Answer = {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly ms: number;
};

/** What came of a request: an answer, or how the connection ended without one. */
export type Outcome =
  | { readonly kind: 'answered'; readonly answer: Answer }
  | { readonly kind: 'closed' | 'reset' | 'silent' };

export type Wire = {
  exchange(fuzzed: Fuzzed): Promise<Outcome>;
  close(): void;
};

/** Beyond what a sound server takes. */
const PATIENCE_MORE_MS = 3_000;
/** For what no answer is owed: the server waits for the rest of it, and may do so for as long as it likes. */
const UNOWED_PATIENCE_MS = 250;
const SLOW_PIECES = 12;
const SLOW_EVERY_MS = 40;

export function openWire(port: number): Wire {
  let kept: Socket | null = null;
  return {
    async exchange(fuzzed) {
      const raw = 'raw' in fuzzed;
      const reused = kept !== null && !kept.destroyed && !raw;
      if (!reused) {
        kept?.destroy();
        kept = await open(port);
      }
      const socket = kept as Socket;
      const method = raw ? (fuzzed.raw.toString().startsWith('HEAD ') ? 'HEAD' : 'GET') : fuzzed.method;
      const patience = raw && !fuzzed.whole ? UNOWED_PATIENCE_MS : patienceFor(fuzzed) + PATIENCE_MORE_MS;
      const answer = receive(socket, method, patience);
      const sent = raw ? write(socket, fuzzed.raw) : sendAll(socket, fuzzed);
      const outcome = await answer;
      // An answer that comes before the body is through must not break off the sending.
      await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
      const closes = outcome.kind !== 'answered' || outcome.answer.headers.get('connection')?.toLowerCase() === 'close';
      if (closes || raw || asksForUpgrade(fuzzed)) {
        socket.destroy();
        kept = null;
      }
      return outcome;
    },
    close: () => kept?.destroy(),
  };
}

/** Node's parser keeps silent about what is broken behind such a request, until the connection has been idle for its time. */
function asksForUpgrade(fuzzed: Sending): boolean {
  return fuzzed.headers.some(([name]) => name.toLowerCase() === 'upgrade');
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

const write = (socket: Socket, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    if (socket.destroyed) resolve();
    else socket.write(bytes, () => resolve());
  });

async function sendAll(socket: Socket, sending: Sending): Promise<void> {
  const { body, framing } = sending;
  const bytes = body ?? new Uint8Array();
  await write(socket, headOf(sending));
  if (body === null) return;
  switch (framing) {
    case 'length':
      return write(socket, bytes);
    case 'slow': {
      const length = Math.ceil(bytes.length / SLOW_PIECES);
      for (let at = 0; at < bytes.length; at += length) {
        await write(socket, bytes.subarray(at, at + length));
        await new Promise((resolve) => setTimeout(resolve, SLOW_EVERY_MS));
      }
      return;
    }
    case 'chunked':
    case 'trailers': {
      const half = bytes.length >> 1;
      for (const piece of [bytes.subarray(0, half), bytes.subarray(half)]) {
        // A chunk of none is the end.
        if (piece.length === 0) continue;
        await write(socket, Buffer.from(`${piece.length.toString(16)}\r\n`));
        await write(socket, piece);
        await write(socket, Buffer.from('\r\n'));
      }
      return write(
        socket,
        Buffer.from(framing === 'trailers' ? `0\r\nIf-Match: W/"9"\r\nAuthorization: Bearer x\r\n\r\n` : '0\r\n\r\n'),
      );
    }
  }
}

/** The request line and the headers, as they go out. */
export function headOf({ method, target, headers, body, framing }: Sending): Uint8Array {
  const ownLength =
    framing === 'length' || framing === 'slow' ? `Content-Length: ${body?.length}` : 'Transfer-Encoding: chunked';
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  return Buffer.from(
    `${[`${method} ${target} HTTP/1.1`, ...lines, ...(body === null ? [] : [ownLength])].join('\r\n')}\r\n\r\n`,
    'latin1',
  );
}

function receive(socket: Socket, method: string, patienceMs: number): Promise<Outcome> {
  const begun = performance.now();
  return new Promise((resolve) => {
    let seen: Buffer = Buffer.alloc(0);
    let ended = false;
    const finish = (outcome: Outcome) => {
      clearTimeout(timer);
      socket.off('data', take).off('end', end).off('close', end).off('error', reset);
      resolve(outcome);
    };
    const timer = setTimeout(() => finish({ kind: 'silent' }), patienceMs);
    const take = (chunk: Buffer) => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const read = readAnswer(seen, method, ended);
      if (read !== null) finish({ kind: 'answered', answer: { ...read, ms: performance.now() - begun } });
    };
    const end = () => {
      ended = true;
      const read = readAnswer(seen, method, true);
      finish(
        read === null ? { kind: 'closed' } : { kind: 'answered', answer: { ...read, ms: performance.now() - begun } },
      );
    };
    const reset = () => {
      const read = readAnswer(seen, method, true);
      finish(
        read === null ? { kind: 'reset' } : { kind: 'answered', answer: { ...read, ms: performance.now() - begun } },
      );
    };
    socket.on('data', take).on('end', end).on('close', end).on('error', reset);
  });
}

/** The first final answer in what was received; null while it is not whole. */
function readAnswer(seen: Buffer, method: string, ended: boolean): Omit<Answer, 'ms'> | null {
  const split = seen.indexOf('\r\n\r\n');
  if (split === -1) return null;
  const [first = '', ...lines] = seen.subarray(0, split).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? 0);
  const rest = seen.subarray(split + 4);
  if (status >= 100 && status < 200 && status !== 101) return readAnswer(rest, method, ended);
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const bodiless = method === 'HEAD' || status === 204 || status === 304;
  const bytes = bodiless ? Buffer.alloc(0) : readBody(rest, headers, ended);
  return bytes === null ? null : { status, headers, body: bytes.toString() };
}

function readBody(rest: Buffer, headers: ReadonlyMap<string, string>, ended: boolean): Buffer | null {
  if (headers.get('transfer-encoding') === 'chunked') return readChunks(rest);
  const length = headers.get('content-length');
  if (length === undefined) return ended ? rest : null;
  return rest.length < Number(length) ? null : rest.subarray(0, Number(length));
}

function readChunks(rest: Buffer): Buffer | null {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const line = rest.indexOf('\r\n', at);
    if (line === -1) return null;
    const size = Number.parseInt(rest.subarray(at, line).toString(), 16);
    if (rest.length < line + 2 + size + 2) return null;
    if (size === 0) return Buffer.concat(pieces);
    pieces.push(rest.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}
