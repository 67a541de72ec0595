import { connect } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { defaultDirectorySettings } from '../../src/core/directory-settings.ts';
import type { ConnectionId } from '../../src/core/ids.ts';
import { admission } from '../../src/scim/admission.ts';
import { type NewServers, newServers, setDirectory } from '../support/directory-settings.ts';
import { type DirectoryClient, directoryClient, type ScimServer } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import { clockStops } from '../support/watched-server.ts';

const of = (connection: string, requestsPerSecond: number | null) => ({
  connectionId: connection as ConnectionId,
  settings: { ...defaultDirectorySettings, requestsPerSecond },
});

describe('a directory’s share of the server', () => {
  test('two seconds’ worth at once, then as many a second as its settings say; others do not notice', () => {
    let now = 0;
    const admit = admission({ now: () => now });
    const granted = (connection: string) => {
      const answer = admit(of(connection, 5));
      if (answer.kind === 'admitted') answer.leave();
      return answer.kind === 'admitted';
    };
    const count = (connection: string) => Array.from({ length: 50 }, () => granted(connection)).filter(Boolean).length;
    expect(count('a')).toBe(10);
    expect(count('b')).toBe(10);
    now += 1_000;
    expect(count('a')).toBe(5);
    now += 60_000;
    expect(count('a')).toBe(10);
    expect(admit(of('a', 5))).toEqual({ kind: 'too_many', why: 'rate', retryAfterSeconds: 1 });
    expect(admit(of('a', null)).kind).toBe('admitted');
  });

  test('so many under way and no more; who leaves makes room once', () => {
    const admit = admission({ atOnce: 2 });
    const [one, two] = [admit(of('a', null)), admit(of('a', null))];
    expect(admit(of('a', null))).toEqual({ kind: 'too_many', why: 'at_once', retryAfterSeconds: 1 });
    expect(admit(of('b', null)).kind).toBe('admitted');
    if (one.kind !== 'admitted' || two.kind !== 'admitted') throw new Error('not admitted');
    one.leave();
    one.leave();
    expect(admit(of('a', null)).kind).toBe('admitted');
    expect(admit(of('a', null)).kind).toBe('too_many');
  });
});

describe('over HTTP', () => {
  let tokens: { readonly okta: string; readonly entra: string };
  let servers: NewServers;
  let server: ScimServer;
  let okta: DirectoryClient;
  let entra: DirectoryClient;
  let goesOn: () => void;
  beforeAll(async () => {
    const stage = await scimStage();
    await setDirectory(stage.world, stage.tenants.okta, { requestsPerSecond: 2 });
    tokens = { okta: stage.okta.token, entra: stage.entra.token };
    servers = newServers(stage.world);
    return stage.close;
  });
  // A server of its own, which has counted nothing yet, and for which a second never ends: however slow the machine is.
  beforeEach(async () => {
    server = await servers.server();
    okta = directoryClient(server, 'acme', 'okta', tokens.okta);
    entra = directoryClient(server, 'acme', 'entra', tokens.entra);
    goesOn = clockStops();
  });
  afterEach(async () => {
    goesOn();
    await servers.close();
  });

  test('RFC 7644 §3.12 too many are 429 in SCIM’s form with Retry-After, and another directory is served', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => okta.get('/Users?count=0')));
    const [limited] = answers.filter((answer) => answer.status === 429);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(4);
    expect(limited?.body).toEqual({
      schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
      status: '429',
      detail: 'This directory sends more requests a second than it may.',
    });
    expect(Number(limited?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(limited?.headers.get('content-type')).toContain('application/scim+json');
    expect((await entra.get('/Users?count=0')).status).toBe(200);
  });

  test('the answer does not wait for the body', async () => {
    await Promise.all(Array.from({ length: 30 }, () => okta.get('/Users?count=0')));
    const { hostname, port } = new URL(server.url);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () =>
        socket.write(
          `POST /scim/v2/acme/okta/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${okta.token}\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n{`,
        ),
      );
      socket.on('data', (data) => {
        resolve(data.toString());
        socket.destroy();
      });
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 429 /);
  });

  test('T51 a wrong token takes nothing of what the directory may send', async () => {
    const wrong = { ...okta, token: `${okta.token.slice(0, -1)}${okta.token.endsWith('A') ? 'B' : 'A'}` };
    const url = `${server.url}/scim/v2/acme/okta/Users?count=0`;
    const headers = { Authorization: `Bearer ${wrong.token}` };
    const refused = await Promise.all(Array.from({ length: 15 }, () => fetch(url, { headers })));
    expect(new Set(refused.map((answer) => answer.status))).toEqual(new Set([401]));
    expect((await okta.get('/Users?count=0')).status).toBe(200);
  });
});
