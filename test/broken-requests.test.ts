// What is no request, against Node's own server with short times.

import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answerBrokenRequests } from '../src/broken-requests.ts';
import { brokenRequest } from '../src/scim/broken-request.ts';

let http: Server;
let port: number;
beforeAll(async () => {
  const times = { headersTimeout: 300, requestTimeout: 600, connectionsCheckingInterval: 50, maxHeaderSize: 16_384 };
  http = createServer(times, (request, response) => {
    request.resume().on('end', () => response.end('done'));
  });
  answerBrokenRequests(http, brokenRequest);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  port = (http.address() as AddressInfo).port;
});
afterAll(() => void http.close());

type Heard = { readonly status: number; readonly headers: string; readonly body: string };

/** Sends the text and listens until the server hangs up. */
function hear(sent: string): Promise<Heard> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => void socket.write(sent));
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', () => {
      socket.destroy();
      const [headers = '', body = ''] = text.split('\r\n\r\n');
      resolve({ status: Number(text.slice(9, 12)), headers, body });
    });
    socket.on('error', reject);
  });
}

const HOST = 'HTTP/1.1\r\nHost: x\r\n';
const USERS = '/scim/v2/acme/okta/Users';
const long = `X-Long: ${'x'.repeat(20_000)}\r\n\r\n`;
const chunked = 'Transfer-Encoding: chunked\r\n\r\n';
const failures = [
  ['no header', 400, (url: string) => `GET ${url} ${HOST}no header\r\n\r\n`],
  ['a wrong version', 400, (url: string) => `GET ${url} HTTP/9.9\r\n\r\n`],
  ['a length that is none', 400, (url: string) => `POST ${url} ${HOST}Content-Length: x\r\n\r\n`],
  ['a body in wrong pieces', 400, (url: string) => `POST ${url} ${HOST}${chunked}zz\r\n`],
  [
    'pieces with too much beside them',
    413,
    (url: string) => `POST ${url} ${HOST}${chunked}1;${'x'.repeat(20_000)}\r\n`,
  ],
  ['a head that is too long', 431, (url: string) => `GET ${url} ${HOST}${long}`],
  ['a body that does not come', 408, (url: string) => `POST ${url} ${HOST}Content-Length: 5\r\n\r\n`],
] as const;

test.each(failures)(
  'RFC 7644 §3.12 %s, sent to a SCIM address, is %i in SCIM’s error form',
  async (_, status, sent) => {
    for (const url of [USERS, '/SCIM/v2?x', '/scim/v2']) {
      const heard = await hear(sent(url));
      expect([url, heard.status]).toEqual([url, status]);
      expect(heard.headers).toMatch(
        /\r\nConnection: close\r\nContent-Type: application\/scim\+json; charset=utf-8\r\n/,
      );
      expect(heard.headers).toContain(`\r\nContent-Length: ${heard.body.length}\r\n`);
      expect(JSON.parse(heard.body)).toEqual({
        schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
        status: String(status),
        detail: expect.stringMatching(/^The .*\.$/),
      });
    }
  },
);

test.each(failures)('%s, sent elsewhere, is %i and a plain sentence', async (_, status, sent) => {
  for (const url of ['/', '/scim/v20', '/oidc/token', 'x']) {
    const heard = await hear(sent(url));
    // Node takes no other form of an address; that is broken sooner.
    expect([url, heard.status]).toEqual([url, url === 'x' ? 400 : status]);
    expect(heard.headers).toMatch(/\r\nConnection: close\r\nContent-Type: text\/plain; charset=utf-8\r\n/);
    expect(heard.body).toMatch(/^The [^\n]*\.\n$/);
  }
});

test('a head that does not come whole is 408 in plain text, since nobody knows what it is for', async () => {
  const heard = await hear(`GET ${USERS} HTTP/1.1\r\nHost`);
  expect([heard.status, heard.body]).toEqual([408, 'The request did not come in time.\n']);
});

test('T60 T113 nothing of what was sent is repeated, and nothing is told of the parser', async () => {
  for (const sent of [`GET ${USERS}?secret ${HOST}secret\r\n\r\n`, 'secret\r\n\r\n', '\u0016\u0003\u0001secret']) {
    const { headers, body } = await hear(sent);
    expect(`${headers}${body}`).not.toMatch(/secret|HPE|parse|node/i);
  }
});

test('RFC 9110 §9.3.2 HEAD is answered without a body', async () => {
  const heard = await hear(`HEAD ${USERS} ${HOST}no header\r\n\r\n`);
  expect([heard.status, heard.body]).toEqual([400, '']);
});
