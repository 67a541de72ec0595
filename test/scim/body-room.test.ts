import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type IncomingMessage, request } from 'node:http';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import type { TenantId } from '../../src/core/ids.ts';
import { bodyRooms } from '../../src/scim/body-room.ts';
import { ScimError } from '../../src/scim/errors.ts';
import type { DirectoryClient, ScimServer } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';

const acme = 'acme' as TenantId;
const globex = 'globex' as TenantId;
const KB = 1024;

/** What a refusal is, or null. */
function refusal(act: () => void): unknown {
  try {
    act();
    return null;
  } catch (error) {
    if (error instanceof ScimError) return error.status;
    return error instanceof BridgeError ? error.code : error;
  }
}

describe('the room for long bodies', () => {
  test('has an end for one tenant, and none of it is another’s', () => {
    const enter = bodyRooms({ ofTenant: 1000 * KB });
    const [first, second, other] = [enter(acme), enter(acme), enter(globex)];
    first.take(400 * KB);
    first.take(700 * KB);
    second.take(300 * KB);
    expect(refusal(() => second.take(301 * KB))).toBe(429);
    expect(refusal(() => other.take(1000 * KB))).toBeNull();
    first.leave();
    expect(refusal(() => second.take(1000 * KB))).toBeNull();
  });

  test('has an end for all of them', () => {
    const enter = bodyRooms({ ofTenant: 1000 * KB, ofAll: 1500 * KB });
    enter(acme).take(1000 * KB);
    const other = enter(globex);
    other.take(500 * KB);
    expect(refusal(() => other.take(501 * KB))).toBe('unavailable');
    other.leave();
    other.leave();
    expect(refusal(() => enter(globex).take(501 * KB))).toBe('unavailable');
    expect(refusal(() => enter(globex).take(500 * KB))).toBeNull();
  });

  test('counts no short body', () => {
    const enter = bodyRooms({ ofTenant: 100 * KB, ofAll: 100 * KB });
    for (let count = 0; count < 50; count++) enter(acme).take(64 * KB);
    expect(refusal(() => enter(acme).take(100 * KB))).toBeNull();
  });
});

describe('a directory with many long requests at once', () => {
  let server: ScimServer;
  let client: DirectoryClient;
  beforeAll(async () => {
    const stage = await scimStage();
    ({ server, okta: client } = stage);
    return stage.close;
  });

  test('T48 T49 is told to wait, whatever it announced, and short ones go on', async () => {
    const heard = groupsPosted();
    const unfinished = Array.from({ length: 5 }, () => slow(server, client, LONG));
    await Promise.race(unfinished.map((one) => one.answered));
    await cameIn(heard, 5);
    expect((await client.get('/Users?count=1')).status).toBe(200);
    const refused = unfinished.filter((one) => one.status() === 429);
    expect(refused).toHaveLength(1);
    expect(refused[0]?.retryAfter()).toBe('1');
    for (const one of unfinished) one.hangUp();
    await vi.waitFor(() => expect(heard.filter(({ closed }) => !closed)).toEqual([]), PATIENCE);
    const again = slow(server, client, LONG);
    await cameIn(heard, 6);
    expect((await client.get('/Users?count=1')).status).toBe(200);
    expect(again.status()).toBeUndefined();
    again.hangUp();
  });
});

const LONG = 4.5 * KB * KB;
const PATIENCE = { timeout: 30_000, interval: 20 };

/** The connections by which the server has heard of groups to make, since then. */
function groupsPosted(): readonly IncomingMessage['socket'][] {
  const heard: IncomingMessage['socket'][] = [];
  const listen = (message: unknown) => {
    const { request } = message as { readonly request: IncomingMessage };
    if (request.method === 'POST') heard.push(request.socket);
  };
  subscribe('http.server.request.start', listen);
  onTestFinished(() => void unsubscribe('http.server.request.start', listen));
  return heard;
}

/** So many long bodies are read, or passed over, as far as they were sent. */
const cameIn = (heard: ReturnType<typeof groupsPosted>, count: number) =>
  vi.waitFor(() => expect(heard.filter(({ bytesRead }) => bytesRead > LONG)).toHaveLength(count), PATIENCE);

/** A body that never ends, in chunks. */
function slow(server: ScimServer, client: DirectoryClient, bytes: number) {
  const headers = { authorization: `Bearer ${client.token}`, 'content-type': 'application/scim+json' };
  const sent = request(`${server.url}${new URL(client.base).pathname}/Groups`, { method: 'POST', headers });
  let status: number | undefined;
  let retryAfter: string | undefined;
  const answered = new Promise<void>((resolve) => {
    sent.on('response', (response) => {
      status = response.statusCode;
      retryAfter = response.headers['retry-after'];
      response.resume();
      resolve();
    });
    sent.on('error', () => {});
  });
  sent.write(Buffer.alloc(bytes, ' '));
  return { answered, status: () => status, retryAfter: () => retryAfter, hangUp: () => sent.destroy() };
}
