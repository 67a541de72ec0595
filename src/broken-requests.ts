// What Node's parser refuses before any part of the server has seen it: answered by a sentence, in the form of what was asked for.

import type { Server } from 'node:http';
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
/** How long whoever still sends is listened to, so that the answer reaches them. */
const LINGER_MS = 2_000;

/**
 * Answers what is no request. Node by itself would close at once, and a connection that is closed while the client still sends is
 * reset: the client loses the answer with it (RFC 9112 §9.6). Nothing of what was sent is repeated, nor what is wrong with it.
 */
export function answerBrokenRequests(http: Server, replyOf: BrokenReply): void {
  http.on('clientError', (error: ClientError, socket: Duplex) => {
    // What comes behind it is broken as well, and is told no second time.
    if (socket.writableEnded) return;
    if (!socket.writable || error.code === 'ECONNRESET' || isAnswering(socket)) {
      socket.destroy();
      return;
    }
    const { status, name, detail } = REFUSED[error.code ?? ''] ?? BROKEN;
    const { method, url } = askedFor(error, socket);
    const { type, body } = replyOf(url, status, detail) ?? { type: 'text/plain; charset=utf-8', body: `${detail}\n` };
    const head = [
      `HTTP/1.1 ${status} ${name}`,
      'Connection: close',
      `Content-Type: ${type}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Cache-Control: no-store',
      'X-Content-Type-Options: nosniff',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${method === 'HEAD' ? '' : body}`);
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  });
}

/** `rawPacket`: the piece of what was sent in which the parser stopped; not there where nothing came. */
type ClientError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer };

type Asked = { readonly method?: string | undefined; readonly url?: string | undefined };
type Message = { readonly headersSent: boolean; readonly req?: Asked };

/** Whether an answer to an earlier request of the connection has begun: a second head would become part of its body. */
function isAnswering(socket: Duplex): boolean {
  return messageOf(socket)?.headersSent === true;
}

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
