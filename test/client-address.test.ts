import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { expect, test } from 'vitest';
import { clientAddress } from '../src/client-address.ts';

const headers = [
  undefined,
  '',
  '203.0.113.7',
  ' 203.0.113.7 ',
  '198.51.100.1, 203.0.113.7',
  '198.51.100.1,203.0.113.7 , 192.0.2.3',
  ', ,203.0.113.7,',
  'x y, "2001:db8::1"',
  '\t203.0.113.7\t, 192.0.2.3',
  '::1',
];

test.each([0, 1, 2, 3, 10])(
  'T51 behind %i proxies of ours a client’s address is what Express takes it for',
  async (hops) => {
    const app = express().set('trust proxy', hops);
    app.use((request, response) => void response.json([clientAddress(request as IncomingMessage, hops), request.ip]));
    const server = app.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    for (const header of headers) {
      const [ours, theirs] = await ask(port, header);
      expect(ours).toBe(theirs);
      // Whoever stands in front of no proxy of ours says nothing of where they are.
      if (hops === 0) expect(ours).toBe('127.0.0.1');
    }
    await new Promise((resolve) => server.close(resolve));
  },
);

test.each([
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8::1', '2001:db8::1'],
  ['192.0.2.7', '192.0.2.7'],
  [undefined, ''],
])('a connection from %s is told as %s', (remoteAddress, told) => {
  expect(clientAddress({ socket: { remoteAddress }, headers: {} } as IncomingMessage, 0)).toBe(told);
});

function ask(port: number, forwarded: string | undefined): Promise<[string, string]> {
  return new Promise((resolve, reject) => {
    const named = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
    const sent = httpRequest({ port, host: '127.0.0.1', headers: named, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => resolve(JSON.parse(text)));
    });
    sent.on('error', reject).end();
  });
}
