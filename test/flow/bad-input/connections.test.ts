// What is wrong with a connection, and not with what it carries.

import { connect as open, Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { send, sendRaw } from '../http.ts';
import { type Stage, startStage } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage?.flow.close());

test('T61 CONNECT is refused and not hung up on, whoever hangs up meanwhile; an expectation that nobody knows is passed over', async () => {
  const connect = 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n';
  expect(await sendRaw(stage.port, connect)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nConnection: close\r\n/);
  for (let turn = 0; turn < 20; turn += 1) {
    await new Promise<void>((resolve) => {
      const socket = open(stage.port, '127.0.0.1', () => {
        socket.write(connect + connect);
        socket.resetAndDestroy();
      });
      socket.on('error', () => {}).on('close', () => resolve());
    });
  }
  const expecting = await stage.scim('GET', '/Users?count=1', undefined, { expect: 'miracles' });
  expect([expecting.status, expecting.headers['content-type']]).toEqual([200, 'application/scim+json; charset=utf-8']);
  expect((await send(stage.port, '/livez')).status).toBe(200);
});

/** Sends a body bit by bit over a connection that is to end; what came back, and whether the connection was cut under it. */
function trickle(
  head: string,
  pieces: number,
): Promise<{ readonly text: string; readonly cut: boolean; readonly ms: number }> {
  return new Promise((resolve) => {
    const begun = performance.now();
    let [text, cut, left] = ['', false, pieces];
    // Half open, as a client is that reads the answer when it has said everything.
    const socket = new Socket({ allowHalfOpen: true }).connect(stage.port, '127.0.0.1');
    socket.write(`${head}\r\nConnection: close\r\n\r\n`);
    const timer = setInterval(() => {
      left -= 1;
      if (left >= 0) socket.write('x'.repeat(1_000));
      else socket.end();
    }, 20);
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => {
      cut = true;
    });
    socket.on('close', () => {
      clearInterval(timer);
      resolve({ text, cut, ms: performance.now() - begun });
    });
  });
}

test('T49 whoever is refused before their body is through hears so, though the connection ends; but nobody is listened to for ever', async () => {
  const at = (method: string, path: string, length: number, token = stage.tokens.okta) =>
    `${method} /scim/v2/acme/okta${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${length}`;
  for (const [head, status] of [
    [at('POST', '/ServiceProviderConfig', 20_000), 405],
    [at('POST', '/Users', 20_000), 415],
    [at('PUT', '/Nothing', 20_000), 404],
    [at('POST', '/Users', 20_000, stage.tokens.oktaEnded), 401],
  ] as const) {
    const { text, cut } = await trickle(head, 20);
    expect([head, text.slice(0, 12), cut]).toEqual([head, `HTTP/1.1 ${status}`, false]);
  }
  for (const [head, status] of [
    [`${at('POST', '/Users', 20_000)}\r\nX-Long: ${'x'.repeat(20_000)}`, 431],
    [`${at('POST', '/Users', 20_000)}\r\nno header`, 400],
  ] as const) {
    const { text, cut } = await trickle(head, 20);
    expect([head.slice(-20), text.slice(0, 12), cut]).toEqual([head.slice(-20), `HTTP/1.1 ${status}`, false]);
  }
  const endless = await trickle(at('POST', '/Users', 10_000_000), 10_000);
  expect(endless.text.slice(0, 12)).toBe('HTTP/1.1 415');
  expect(endless.ms).toBeLessThan(6_000);
});

test('T60 and the server never ended, and logged no failure of its own', async () => {
  expect((await send(stage.port, '/readyz')).status).toBe(200);
  expect(stage.failures()).toEqual([]);
});
