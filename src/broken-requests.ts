// What is refused before any part of the server has seen it: answered by a sentence, in the form of what was asked for.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

type Status = 400 | 408 | 413 | 431;
type Refused = { readonly status: Status; readonly name: string; readonly detail: string };
/** An answer in the form of whoever is at the address; null: nobody of theirs. */
export type BrokenReply = (
  url: string,
  status: Status,
  detail: string,
) => { readonly type: string; readonly body: string } | null;

const BROKEN: Refused = { status: 400, name: 'Bad Request', detail: 'The request is no HTTP that can be read.' };
const REFUSED: Readonly<Record<string, Refused>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    name: 'Request Header Fields Too Large',
    detail: 'The address and the header of the request are larger than this server takes.',
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    status: 413,
    name: 'Payload Too Large',
    detail: 'The chunk extensions of the body are larger than this server takes.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, name: 'Request Timeout', detail: 'The request did not come in time.' },
};
const ADDRESS: Refused = { ...BROKEN, detail: 'The address of a request should begin with one slash.' };
const HOST: Refused = { ...BROKEN, detail: 'The request should have one Host header, with the name of one host.' };
/** How long whoever still sends is listened to, so that the answer reaches them. */
const LINGER_MS = 2_000;
/** How long a connection may be silent both ways while something is to be said: longer than any answer takes. */
const SILENCE_MS = 120_000;

/**
 * Answers what is no request. Node by itself would close at once, and a connection that is closed while the client still sends is
 * reset: the client loses the answer with it (RFC 9112 §9.6). Nothing of what was sent is repeated, nor what is wrong with it.
 */
export function answerBrokenRequests(http: Server, replyOf: BrokenReply, silenceMs = SILENCE_MS): void {
  // Whoever asks and never reads would keep a connection for ever, and what it is to say.
  http.timeout = silenceMs;
  // Whoever closes their side when they have asked is still answered.
  Object.assign(http, { httpAllowHalfOpen: true });
  const waiting = new WeakSet<Duplex>();
  const answer = (error: ClientError, socket: Duplex): void => {
    // What comes behind it is broken as well, and is told no second time.
    if (socket.writableEnded || waiting.has(socket)) return;
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const message = messageOf(socket);
    // A later request of the connection is broken: whoever asked before is answered first (RFC 9112 §9.3.2).
    if (message?.req?.complete === true) {
      waiting.add(socket);
      message.once('close', () => {
        waiting.delete(socket);
        answer(error, socket);
      });
      return;
    }
    // Its answer has begun: a second head would become part of the body.
    if (message?.headersSent === true) {
      socket.destroy();
      return;
    }
    const refused = REFUSED[error.code ?? ''] ?? BROKEN;
    const { method, url } = askedFor(error, socket);
    hangUp(socket, refused, bodyOf(refused, url, replyOf), method);
  };
  http.on('clientError', answer);
  // Node would hang up without a word. Nobody else listens to this connection's errors any more, and one unheard would end the process.
  http.on('connect', (request, socket) => {
    socket.on('error', () => {});
    // What nobody reads would hide that they are gone.
    socket.resume();
    afterOthers(socket, () => hangUp(socket, ADDRESS, bodyOf(ADDRESS, '', replyOf), request.method));
  });
}

/** Runs the act when every request before is answered. */
function afterOthers(socket: Duplex, act: () => void): void {
  const message = messageOf(socket) ?? null;
  if (message === null) act();
  else message.once('close', () => afterOthers(socket, act));
}

/**
 * Refuses with 400 what Node can read and nobody should: a whole address or one of two slashes, since parsers differ about what those
 * begin (T61); and no Host, several, or one that is no host's name (RFC 9112 §3.2), where a proxy may have gone by another.
 */
export function refusesUnclear(request: IncomingMessage, response: ServerResponse, replyOf: BrokenReply): boolean {
  const { url = '' } = request;
  const refused = !/^\/(?!\/)/.test(url) ? ADDRESS : hasOneHost(request) ? null : HOST;
  if (refused === null) return false;
  const { type, body } = bodyOf(refused, url, replyOf);
  // Not closed by us: a body that still comes would be met with a reset, and the answer lost.
  const head = { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body), ...HEADERS };
  response.writeHead(refused.status, head).end(body);
  return true;
}

/** A name or an address, and a port. Empty is what a client says that knows no name. */
const HOST_NAME = /^(?:[\w.~!$&'()*+,;=%-]*|\[[\da-f:.%]+\])(?::\d*)?$/i;

function hasOneHost({ rawHeaders, headers, httpVersion }: IncomingMessage): boolean {
  let found = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host') found += 1;
  }
  return found === 0 ? httpVersion === '1.0' : found === 1 && HOST_NAME.test(headers.host ?? '');
}

const HEADERS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' } as const;

type Body = { readonly type: string; readonly body: string };

function bodyOf({ status, detail }: Refused, url: string, replyOf: BrokenReply): Body {
  return replyOf(url, status, detail) ?? { type: 'text/plain; charset=utf-8', body: `${detail}\n` };
}

function hangUp(socket: Duplex, { status, name }: Refused, { type, body }: Body, method = ''): void {
  const head = [
    `HTTP/1.1 ${status} ${name}`,
    'Connection: close',
    `Content-Type: ${type}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...Object.entries(HEADERS).map((header) => header.join(': ')),
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${method === 'HEAD' ? '' : body}`);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

/** `rawPacket`: the piece of what was sent in which the parser stopped; not there where nothing came. */
type ClientError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer };

type Message = Pick<ServerResponse, 'headersSent' | 'once'> & { readonly req?: IncomingMessage };

function messageOf(socket: Duplex): Message | null | undefined {
  return (socket as { _httpMessage?: Message | null })._httpMessage;
}

/** What the request line says, as far as it is known: of a request whose head was read, else of the piece that is no request. */
function askedFor({ rawPacket }: ClientError, socket: Duplex): { readonly method: string; readonly url: string } {
  const { method, url } = messageOf(socket)?.req ?? {};
  if (method !== undefined && url !== undefined) return { method, url };
  const start = rawPacket?.subarray(0, 256).toString('latin1') ?? '';
  const [, first = '', second = ''] = /^(?:\r?\n)*([A-Za-z]{1,20}) (\S*)/.exec(start) ?? [];
  return { method: first, url: second };
}
