// What Node's parser refuses before any part of the server has seen it: answered with a bare head.

import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';

const STATUS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};
/** How long whoever still sends is listened to, so that the answer reaches them. */
const LINGER_MS = 2_000;

/**
 * Answers what is no request. Node by itself would close at once, and a connection that is closed while the client still sends is
 * reset: the client loses the answer with it (RFC 9112 §9.6).
 */
export function answerBrokenRequests(http: Server): void {
  http.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // What comes behind it is broken as well, and is told no second time.
    if (socket.writableEnded) return;
    if (!socket.writable || error.code === 'ECONNRESET' || isAnswering(socket)) {
      socket.destroy();
      return;
    }
    socket.end(
      `HTTP/1.1 ${STATUS[error.code ?? ''] ?? '400 Bad Request'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    );
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  });
}

/** Whether an answer to an earlier request of the connection has begun: a second head would become part of its body. */
function isAnswering(socket: Duplex): boolean {
  const { _httpMessage: message } = socket as { _httpMessage?: { readonly headersSent: boolean } | null };
  return message?.headersSent === true;
}
