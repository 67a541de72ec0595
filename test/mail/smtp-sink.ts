// An SMTP server that takes notes: what the envelope said, what the letter said, and what to do about it.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';

export type Received = { readonly from: string; readonly to: readonly string[]; readonly raw: string };
export type SmtpSink = {
  readonly url: string;
  readonly received: Received[];
  /** How the next letters fare: taken; refused for now; taken, and the connection lost before the answer. */
  mode: 'accept' | 'defer' | 'drop';
  close(): Promise<void>;
};

export async function smtpSink(): Promise<SmtpSink> {
  const sink: { mode: SmtpSink['mode'] } = { mode: 'accept' };
  const received: Received[] = [];
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => {});
    let buffer = '';
    let letter: { from: string; to: string[] } = { from: '', to: [] };
    let data: string | null = null;
    const say = (line: string) => socket.write(`${line}\r\n`);
    const hear = (line: string) => {
      if (data !== null) {
        if (line !== '.') {
          data += `${line.startsWith('.') ? line.slice(1) : line}\r\n`;
          return;
        }
        received.push({ ...letter, raw: data });
        data = null;
        letter = { from: '', to: [] };
        if (sink.mode === 'drop') socket.destroy();
        else say('250 taken');
      } else if (/^(EHLO|HELO)/i.test(line)) say('250 sink');
      else if (/^MAIL FROM:/i.test(line)) {
        letter.from = /<([^>]*)>/.exec(line)?.[1] ?? '';
        say(sink.mode === 'defer' ? '451 later' : '250 ok');
      } else if (/^RCPT TO:/i.test(line)) {
        letter.to.push(/<([^>]*)>/.exec(line)?.[1] ?? '');
        say('250 ok');
      } else if (/^DATA/i.test(line)) {
        data = '';
        say('354 go on');
      } else if (/^QUIT/i.test(line)) {
        say('221 bye');
        socket.end();
      } else say('250 ok');
    };
    socket.setEncoding('utf8').on('data', (chunk) => {
      buffer += chunk;
      for (let end = buffer.indexOf('\r\n'); end >= 0; end = buffer.indexOf('\r\n')) {
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        hear(line);
      }
    });
    say('220 sink');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(sink, {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  });
}

/** The header's lines, unfolded, and the text, decoded. */
export function read(raw: string): { readonly headers: readonly string[]; readonly text: string } {
  const end = raw.indexOf('\r\n\r\n');
  const headers = raw
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n');
  const body = raw.slice(end + 4);
  const encoding = headers
    .find((line) => /^content-transfer-encoding:/i.test(line))
    ?.split(':')[1]
    ?.trim()
    .toLowerCase();
  if (encoding === 'base64') return { headers, text: Buffer.from(body, 'base64').toString('utf8') };
  if (encoding !== 'quoted-printable') return { headers, text: body };
  const bytes = body
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return { headers, text: Buffer.from(bytes, 'latin1').toString('utf8') };
}
