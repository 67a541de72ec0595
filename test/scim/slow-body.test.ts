// A body that hardly comes: whoever sends it is answered, and keeps no place.

import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as immediate, setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Acme, acme } from '../support/acme.ts';
import { begun } from '../support/begun.ts';
import { type DirectoryClient, directory, type ScimServer, scimServer, userBody } from '../support/scim.ts';
import { errorUrn } from '../support/urns.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
let okta: DirectoryClient;
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  server = await scimServer(world);
  okta = await directory(world, server, tenants.acme, 'okta');
});
afterAll(async () => {
  await server?.close();
  await world?.close();
});

let serial = 0;
const fresh = () => `slow${++serial}`;
const headOf = (body: string) => {
  const { host, pathname } = new URL(`${server.url}/scim/v2/acme/okta/Users`);
  const lines = [
    `POST ${pathname} HTTP/1.1`,
    `Host: ${host}`,
    `Authorization: Bearer ${okta.token}`,
    'Content-Type: application/scim+json',
    `Content-Length: ${body.length}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
};
const open = () => {
  const { hostname, port } = new URL(server.url);
  return connect(Number(port), hostname);
};

/** What comes back to a body of which `piece` is sent every `everyMs`, until all of it is there or the server has hung up. */
function drip(body: string, piece: number, everyMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = open();
    let sent = 0;
    let text = '';
    socket.write(headOf(body));
    const timer = setInterval(() => {
      if (sent >= body.length || socket.writableEnded || text !== '') return;
      socket.write(body.slice(sent, sent + piece));
      sent += piece;
    }, everyMs);
    const end = () => {
      clearInterval(timer);
      socket.destroy();
      resolve(text);
    };
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (/\r\n\r\n\{.*\}$/s.test(text)) end();
    });
    socket.on('end', end);
    socket.on('error', reject);
  });
}

test('T49 a body of which a byte comes now and then is answered 408 in SCIM’s form, and the connection ends', async () => {
  const text = await drip(JSON.stringify(userBody(fresh())), 1, 200);
  expect(text).toMatch(/^HTTP\/1\.1 408 /);
  expect(text.toLowerCase()).toContain('\r\nconnection: close\r\n');
  expect(JSON.parse(text.slice(text.indexOf('{')))).toMatchObject({ schemas: [errorUrn], status: '408' });
});

test('the failing twin: a long body that comes steadily is taken, however long it takes', async () => {
  const text = await drip(JSON.stringify({ ...userBody(fresh()), title: 'x'.repeat(6_000) }), 600, 500);
  expect(text).toMatch(/^HTTP\/1\.1 201 /);
});

test('nor is a body refused that had come while the server as a whole stood still', async () => {
  const body = JSON.stringify(userBody(fresh()));
  const socket = open();
  const answered = begun(once(socket, 'data'));
  socket.write(headOf(body));
  // Time enough for the head to have come, so that its body is waited for.
  await wait(500);
  // Behind the sockets' turn, so that the next is that of the timers.
  await immediate();
  socket.write(body);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_500);
  expect(String((await answered)[0])).toMatch(/^HTTP\/1\.1 201 /);
  socket.destroy();
});
