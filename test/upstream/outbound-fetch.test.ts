import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { selfSignedCertificate } from '../../scripts/upstream-idps/self-signed-certificate.ts';
import { addressKind, OutboundError, outboundFetch } from '../../src/upstream/outbound-fetch.ts';

let answer: (request: IncomingMessage, response: ServerResponse) => void;
let connections = 0;
const server = createServer((request, response) => answer(request, response));
server.on('connection', () => {
  connections += 1;
});
let port = 0;

beforeAll(async () => {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  connections = 0;
  answer = (_, response) => response.end('here');
});

const outside = outboundFetch({ allowPrivateNetwork: false });
const inside = outboundFetch({ allowPrivateNetwork: true });
const resolvesTo = (...addresses: readonly string[]) => {
  const asked: string[] = [];
  const resolve = async (hostname: string) => {
    asked.push(hostname);
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  return { resolve, asked };
};
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => expect.fail('was not refused'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(OutboundError);
      return error as OutboundError;
    },
  );

describe('which addresses a request may go to (T18)', () => {
  const never = [
    '0.0.0.0 169.254.169.254 192.0.2.1 198.18.0.1 203.0.113.9 224.0.0.1 255.255.255.255 100.100.100.200',
    ':: ::7f00:1 64:ff9b::7f00:1 64:ff9b:1::1 2001:db8::1 2002:7f00:1:: fe80::1 ff02::1 fd00:ec2::254 ::ffff:169.254.169.254',
    'localhost 127.1 fe80::1%eth0',
  ].join(' ');
  test.each(never.split(' '))('%s is never a server', (address) => {
    expect(addressKind(address)).toBe('never');
  });
  test.each(
    '10.0.0.1 100.64.0.1 127.0.0.1 127.9.9.9 172.16.0.1 172.31.255.255 192.168.1.1 ::1 fd12::1 ::ffff:127.0.0.1 ::ffff:a00:1'.split(
      ' ',
    ),
  )('%s is private', (address) => {
    expect(addressKind(address)).toBe('private');
  });
  test.each('8.8.8.8 172.32.0.1 11.0.0.1 2606:4700::1111 ::ffff:8.8.8.8'.split(' '))('%s is public', (address) => {
    expect(addressKind(address)).toBe('public');
  });

  test.each([
    'https://127.0.0.1',
    'https://127.1',
    'https://0x7f.0.0.1',
    'https://2130706433',
    'https://[::1]',
    'https://[::ffff:127.0.0.1]',
    'https://169.254.169.254/latest/meta-data/',
    'https://localhost',
    'https://10.1.2.3',
  ])('%s is refused before a connection is made', async (url) => {
    expect((await refusal(outside(`${url.replace(/^(https:..[^/]+)/, `$1:${port}`)}`))).code).toBe('refused_address');
    expect(connections).toBe(0);
  });

  test('a name that resolves to a private address is refused, the same name is reached where private networks are allowed', async () => {
    const { resolve } = resolvesTo('127.0.0.1');
    const url = `://idp.customer.example:${port}/`;
    const error = await refusal(outboundFetch({ allowPrivateNetwork: false, resolve })(`https${url}`));
    expect(error).toMatchObject({ code: 'refused_address', message: expect.stringContaining('127.0.0.1') });
    expect(connections).toBe(0);
    const reached = await outboundFetch({ allowPrivateNetwork: true, resolve })(`http${url}`);
    expect(await reached.text()).toBe('here');
  });

  test('one private address among public ones is enough to refuse the name', async () => {
    const { resolve } = resolvesTo('8.8.8.8', '10.0.0.1');
    const error = await refusal(outboundFetch({ allowPrivateNetwork: false, resolve })('https://idp.customer.example'));
    expect(error.code).toBe('refused_address');
  });

  test('the connection goes to the address that was checked: the name is resolved once (DNS rebinding)', async () => {
    const { resolve, asked } = resolvesTo('127.0.0.1');
    await outboundFetch({ allowPrivateNetwork: true, resolve })(`http://idp.customer.example:${port}/`);
    expect(asked).toEqual(['idp.customer.example']);
    expect(connections).toBe(1);
  });

  test('link-local addresses stay refused where private networks are allowed', async () => {
    const { resolve } = resolvesTo('169.254.169.254');
    const error = await refusal(outboundFetch({ allowPrivateNetwork: true, resolve })('http://idp.customer.example'));
    expect(error.code).toBe('refused_address');
    expect((await refusal(inside('http://169.254.169.254/latest'))).code).toBe('refused_address');
  });

  test('plain http is refused, and to public addresses even where private networks are allowed', async () => {
    expect((await refusal(outside('http://idp.customer.example'))).code).toBe('refused_address');
    const { resolve } = resolvesTo('8.8.8.8');
    const error = await refusal(outboundFetch({ allowPrivateNetwork: true, resolve })('http://idp.customer.example'));
    expect(error).toMatchObject({ code: 'refused_address', message: expect.stringContaining('https') });
  });

  test.each(['file:///etc/passwd', 'ftp://idp.example/', 'https://user:secret@idp.example/'])(
    '%s is refused, without its secret in the message',
    async (url) => {
      const error = await refusal(outside(url));
      expect(error.code).toBe('refused_address');
      expect(error.message).not.toContain('secret');
    },
  );
});

describe('what a server may answer (T18)', () => {
  const here = () => `http://127.0.0.1:${port}/path?code=canary`;

  test('method, headers, form body, status and headers of the answer pass through', async () => {
    answer = (request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        response.writeHead(404, { 'x-answer': 'yes' });
        response.end(JSON.stringify({ method: request.method, type: request.headers['x-type'], body }));
      });
    };
    const body = new URLSearchParams({ a: 'ü' });
    const found = await inside(here(), { method: 'POST', headers: { 'x-type': 'form' }, body });
    expect([found.status, found.headers.get('x-answer')]).toEqual([404, 'yes']);
    expect(await found.json()).toEqual({ method: 'POST', type: 'form', body: 'a=%C3%BC' });
  });

  test('a redirect is not followed', async () => {
    answer = (_, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
    expect((await refusal(inside(here()))).code).toBe('redirected');
    expect(connections).toBe(1);
  });

  test('a body over the cap is cut off, whether or not its length is told; one at the cap is taken', async () => {
    answer = (_, response) => response.end('x'.repeat(1_000_001));
    expect((await refusal(inside(here()))).code).toBe('too_large');
    answer = (_, response) => {
      response.on('error', () => {});
      const more = () => {
        while (response.write('x'.repeat(65_536)) && !response.destroyed) {}
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    };
    expect((await refusal(inside(here()))).code).toBe('too_large');
    answer = (_, response) => response.end('x'.repeat(1_000_000));
    expect((await (await inside(here())).text()).length).toBe(1_000_000);
  });

  test('a compressed answer is refused: it could unpack to anything', async () => {
    answer = (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('bomb'));
    expect((await refusal(inside(here()))).message).toContain('gzip');
  });

  test('the deadline covers silence, and a body that drips', async () => {
    const impatient = outboundFetch({ allowPrivateNetwork: true, timeoutMs: 300 });
    answer = () => {};
    expect((await refusal(impatient(here()))).code).toBe('timeout');
    answer = (_, response) => {
      const timer = setInterval(() => response.write('x'), 50);
      response.on('close', () => clearInterval(timer));
    };
    expect((await refusal(impatient(here()))).code).toBe('timeout');
  });

  test('a closed port and a broken answer are unreachable, and the message keeps the query to itself', async () => {
    const closed = await refusal(inside('http://127.0.0.1:1/?code=canary'));
    expect(closed).toMatchObject({ code: 'unreachable', message: expect.stringContaining('ECONNREFUSED') });
    expect(closed.message).not.toContain('canary');
    answer = (_, response) => response.socket?.end('not http\r\n\r\n');
    expect((await refusal(inside(here()))).code).toBe('unreachable');
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half');
      setTimeout(() => response.destroy(), 50);
    };
    expect((await refusal(inside(here()))).code).toBe('unreachable');
  });

  test('https is spoken with the name that was asked for, to a server whose certificate somebody vouches for', async () => {
    const { key, certificate: cert } = selfSignedCertificate('idp.customer.example');
    const secure = createSecureServer({ key, cert }, (_, response) => response.end('here'));
    await new Promise<void>((listening) => secure.listen(0, '127.0.0.1', listening));
    const { port: securePort } = secure.address() as AddressInfo;
    const stranger = await refusal(inside(`https://127.0.0.1:${securePort}/`));
    expect(stranger).toMatchObject({ code: 'unreachable', message: expect.stringContaining('SELF_SIGNED') });

    // Who is trusted is settled when a process starts, so that the twin runs in one of its own.
    const folder = mkdtempSync(join(tmpdir(), 'drawbridge-outbound-'));
    writeFileSync(join(folder, 'ca.pem'), cert);
    const program = `
      import { outboundFetch } from ${JSON.stringify(new URL('../../src/upstream/outbound-fetch.ts', import.meta.url).href)};
      const resolve = async () => [{ address: '127.0.0.1', family: 4 }];
      for (const host of ['idp.customer.example', 'another.example']) {
        const work = outboundFetch({ allowPrivateNetwork: true, resolve })('https://' + host + ':${securePort}/');
        console.log(await work.then((answer) => answer.text(), (error) => error.message));
      }`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
      env: { NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') },
    });
    secure.close();
    rmSync(folder, { recursive: true });
    expect(stdout.split('\n')).toEqual(['here', expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'), '']);
  });

  test("a caller's own abort ends the request", async () => {
    answer = () => {};
    expect((await refusal(inside(here(), { signal: AbortSignal.timeout(100) }))).code).toBe('unreachable');
  });
});
