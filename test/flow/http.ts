// A client that says exactly what it is told to: any server of a flow, any header, any path, any bytes.

import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';

export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
};

export type Ask = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array | undefined;
  /** False for a connection of its own. */
  readonly keepAlive?: boolean;
};

// Let go of long before the server would close them: on a busy machine a request could meet that.
const kept = new Agent({ keepAlive: true, maxSockets: 256, timeout: 15_000 });
const fresh = new Agent();

/** One request to a port of this machine. `path` goes out as it is, unless Node refuses to write it. */
export function send(port: number, path: string, ask: Ask = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = ask;
  const agent = ask.keepAlive === false ? fresh : kept;
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = {
      agent,
      host: '127.0.0.1',
      port,
      path,
      method,
      headers: { ...length, ...headers },
      timeout: 30_000,
    };
    const request = httpRequest(options as object, (message) => {
      const chunks: Buffer[] = [];
      message.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      message.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: message.statusCode ?? 0, headers: message.headers, text });
      });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer to ${method} ${path} within 30 s`)));
    request.on('error', reject);
    request.end(body);
  });
}

/** Bytes as they are on a connection of their own; what comes back until the server closes it, or falls silent. */
export function sendRaw(port: number, bytes: string | Uint8Array, patienceMs = 5_000): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('latin1').setTimeout(patienceMs, () => socket.destroy());
    socket.on('data', (chunk: string) => {
      text += chunk;
      socket.setTimeout(60);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? undefined : reject(error)));
    socket.on('close', () => resolve(text));
  });
}

/** Another address at every call, for a server that believes one proxy. */
export const strangeAddress = (): string =>
  `10.${1 + (++strangers >> 16)}.${(strangers >> 8) & 255}.${strangers & 255}`;
let strangers = 0;

export const formOf = (fields: Readonly<Record<string, string>>): Ask => ({
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams(fields).toString(),
});
