// What is no request, against Node's own server with short times.

import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answerBrokenRequests, refusesUnclear } from '../src/broken-requests.ts';
import { brokenRequest } from '../src/scim/broken-request.ts';

let http: Server;
let port: number;
beforeAll(async () => {
  const times = { headersTimeout: 300, requestTimeout: 600, connectionsCheckingInterval: 50, maxHeaderSize: 16_384 };
  http = createServer({ ...times, requireHostHeader: false }, (request, response) => {
    if (refusesUnclear(request, response, brokenRequest)) return;
    const answer = () => response.end('done');
    request.resume().on('end', () => (request.url?.includes('slow') ? setTimeout(answer, 100) : answer()));
  });
  answerBrokenRequests(http, brokenRequest, 1_500);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  port = (http.address() as AddressInfo).port;
});
afterAll(() => void http.close());

type Heard = { readonly status: number; readonly headers: string; readonly body: string };

/** Sends the text and listens until the server hangs up. */
async function hear(sent: string): Promise<Heard> {
  const text = await hearAll((socket) => void socket.write(sent));
  const [headers = '', body = ''] = text.split('\r\n\r\n');
  return { status: Number(text.slice(9, 12)), headers, body };
}

function hearAll(say: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => say(socket));
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', () => {
      socket.destroy();
      resolve(text);
    });
    socket.on('error', reject);
  });
}

/** What is said of each request, in order. */
const statusesOf = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));

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

const unclear = [
  ['no Host', `GET ${USERS} HTTP/1.1\r\n`],
  ['two Hosts', `GET ${USERS} ${HOST}Host: y\r\n`],
  ['two equal Hosts', `GET ${USERS} ${HOST}host: x\r\n`],
  ['two Hosts of an old client', `GET ${USERS} HTTP/1.0\r\nHost: x\r\nHost: y\r\n`],
  ['a list for a Host', `GET ${USERS} HTTP/1.1\r\nHost: x, y\r\n`],
  ['a path in the Host', `GET ${USERS} HTTP/1.1\r\nHost: x/@y\r\n`],
] as const;

test.each(unclear)(
  'RFC 9112 §3.2 %s is 400 in the error form of SCIM at its addresses, and a sentence elsewhere',
  async (_, head) => {
    const { status, body } = await hear(`${head}Connection: close\r\n\r\n`);
    const detail = 'The request should have one Host header, with the name of one host.';
    expect([status, JSON.parse(body)]).toEqual([400, expect.objectContaining({ status: '400', detail })]);
    const elsewhere = await hear(`${head.replace(USERS, '/elsewhere')}Connection: close\r\n\r\n`);
    expect([elsewhere.status, elsewhere.body]).toEqual([400, `${detail}\n`]);
  },
);

test.each(['x', 'x.example:8080', '127.0.0.1:3000', '[::1]:3000', ''])(
  'the failing twin: a request for the host "%s" is done, and so is one of an old client that names none',
  async (host) => {
    expect((await hear(`GET ${USERS} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).body).toBe('done');
    expect((await hear(`GET ${USERS} HTTP/1.0\r\n\r\n`)).body).toBe('done');
  },
);

test.each(['https://x/scim/v2/acme/okta/Users', `/${USERS}`, '*'])(
  'T61 the address %s is 400 with a sentence',
  async (url) => {
    const method = url === '*' ? 'OPTIONS' : 'GET';
    const { status, body } = await hear(`${method} ${url} ${HOST}Connection: close\r\n\r\n`);
    expect([status, body]).toEqual([400, 'The address of a request should begin with one slash.\n']);
  },
);

test('T61 so is CONNECT', async () => {
  const { status, body } = await hear(`CONNECT x:443 ${HOST}\r\n`);
  expect([status, body]).toEqual([400, 'The address of a request should begin with one slash.\n']);
});

test('T61 RFC 9112 §9.3.2 CONNECT behind others is refused when those are answered', async () => {
  const whole = `POST ${USERS}/slow ${HOST}Content-Length: 2\r\n\r\n{}`;
  const text = await hearAll((socket) => void socket.write(`${whole}${whole}CONNECT x:443 ${HOST}\r\n`));
  expect(statusesOf(text)).toEqual([200, 200, 400]);
});

test('whoever goes on sending behind CONNECT, or never hangs up, is hung up on', async () => {
  const open = () => new Promise((resolve) => http.getConnections((_, count) => resolve(count)));
  await expect.poll(open).toBe(0);
  const sockets = [1, 2].map((which) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    socket.write(`CONNECT x:443 ${HOST}\r\n`, () => {
      setTimeout(() => (which === 1 ? socket.end('more') : socket.write('more')), 50);
    });
    return socket.resume();
  });
  await expect.poll(open).toBe(2);
  await expect.poll(open, { timeout: 4_000 }).toBe(0);
  for (const socket of sockets) socket.destroy();
});

test('FT20 whoever asks and asks and never reads is hung up on, also where they closed their side', async () => {
  const open = () => new Promise((resolve) => http.getConnections((_, count) => resolve(count)));
  await expect.poll(open).toBe(0);
  const asked = `GET ${USERS} ${HOST}\r\n`.repeat(50_000);
  const sockets = [true, false].map((closes) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    if (closes) socket.end(asked);
    else socket.write(asked);
    return socket.pause();
  });
  await expect.poll(open).toBe(2);
  await expect.poll(open, { timeout: 10_000 }).toBe(0);
  for (const socket of sockets) socket.destroy();
});

test.each(['', '/slow'])('whoever closes their side when they have asked (%s) is answered', async (path) => {
  const text = await hearAll((socket) => void socket.end(`POST ${USERS}${path} ${HOST}Content-Length: 2\r\n\r\n{}`));
  expect(statusesOf(text)).toEqual([200]);
});

test('the failing twin: who closes it before all is said is told so', async () => {
  const text = await hearAll((socket) => void socket.end(`POST ${USERS} ${HOST}Content-Length: 3\r\n\r\n{}`));
  expect(statusesOf(text)).toEqual([400]);
});

test('RFC 9112 §9.3.2 a broken request behind others is told when those are answered', async () => {
  const whole = `POST ${USERS}/slow ${HOST}Content-Length: 2\r\n\r\n{}`;
  expect(
    statusesOf(await hearAll((socket) => void socket.write(`${whole}${whole}GET ${USERS} nothing\r\n\r\n`))),
  ).toEqual([200, 200, 400]);
  const broken = `POST ${USERS} ${HOST}${chunked}zz\r\n`;
  expect(statusesOf(await hearAll((socket) => void socket.write(`${whole}${broken}${broken}`)))).toEqual([200, 400]);
});
