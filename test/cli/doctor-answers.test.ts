// The doctor at a server that answers otherwise than it should, or not at all: what it says, and that it leaves nothing behind.

import type { ChildProcess } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { processEnv, startCommand } from '../support/command-line.ts';
import { type DoctorStage, doctorStage, type Json, proxy, proxyWith, wrong } from '../support/doctor-stage.ts';
import { publicUrl, type ScimServer, userBody } from '../support/scim.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let server: ScimServer;
let ann: string;
let doctor: DoctorStage['doctor'];
let through: DoctorStage['through'];
let open: DoctorStage['open'];
beforeAll(async () => {
  const stage = await doctorStage();
  ({ world, server, ann, doctor, through, open } = stage);
  return stage.close;
});

describe('a server that answers otherwise', () => {
  test('a status that is not the right one is told with what was expected, and who says so', async () => {
    const { text, json, exitCode } = await through(({ method, url }, _count) =>
      method === 'GET' && url.includes('/Users/') && !url.includes('?') ? { status: 200 } : null,
    );
    expect(exitCode).toBe(1);
    expect(wrong(json).map(({ name }) => name)).toEqual(['somebody who is not there', 'gone']);
    expect(text).toMatch(
      /^WRONG +okta +200 +somebody who is not there +GET {4}\/Users\/\S+\n {9}expected: status 404 \(Okta, SCIM 2\.0 reference\)$/m,
    );
    expect(text).toMatch(/^\d+ calls: \d+ ok, 2 wrong, 0 skipped\.$/m);
  });

  test('what was made behind an answer that says otherwise is found and put away; what needs it is skipped', async () => {
    const before = await open();
    let creates = 0;
    const { json, exitCode } = await through(
      ({ method, url }) => {
        if (method !== 'POST' || !url.endsWith('/Users')) return null;
        creates += 1;
        // Somebody in between swallows the answer to the first one.
        return creates === 1 ? { answer: [502, 'text/html', '<html>Bad gateway</html>'] } : null;
      },
      '--idp',
      'okta',
    );
    expect(exitCode).toBe(1);
    expect(wrong(json)[0]).toMatchObject({ name: 'create', status: 502 });
    expect(await open()).toEqual(before);

    const hidden = await proxyThatHides();
    const again = await doctor('--url', hidden.url, '--idp', 'okta');
    await hidden.close();
    expect(again.exitCode).toBe(1);
    expect((again.json as Json).calls.filter(({ verdict }) => verdict === 'skipped').length).toBeGreaterThan(10);
    expect(await open()).toEqual(before);
  });

  /** Every creation is done, and nobody hears of it. */
  async function proxyThatHides() {
    return proxyWith(async (request, body) => {
      const answer = await fetch(`${server.url}${request.url}`, {
        method: request.method,
        headers: request.headers,
        ...(body === null ? {} : { body }),
      });
      const text = await answer.text();
      return request.method === 'POST' ? [500, 'text/plain', 'oops'] : [answer.status, 'application/scim+json', text];
    });
  }

  test('an answer that holds somebody else is nobody of the visit’s: that one is never changed', async () => {
    const before = await open();
    const asked: string[] = [];
    const front = await proxyWith(async (request, body) => {
      asked.push(`${request.method} ${request.url}`);
      const answer = await fetch(`${server.url}${request.url}`, { ...request, ...(body === null ? {} : { body }) });
      const text = await answer.text();
      const other = JSON.stringify(userBody('ann', { id: ann }));
      return [answer.status, 'application/scim+json', answer.status === 201 ? other : text];
    });
    const { json, exitCode } = await doctor('--url', front.url, '--idp', 'okta');
    await front.close();
    expect(exitCode).toBe(1);
    expect(wrong(json)[0]).toMatchObject({ name: 'create' });
    expect(asked.filter((line) => line.includes(ann))).toEqual([]);
    expect(await open()).toEqual(before);
  });

  test('where nothing can be put away over that way, it is put away at the database', async () => {
    const before = await open();
    const { exitCode, json } = await through(({ method }) =>
      method === 'DELETE' ? { answer: [403, 'text/html', 'no'] } : null,
    );
    expect(exitCode).toBe(1);
    expect((json as Json).putAway.leftBehind).toEqual([]);
    expect(await open()).toEqual(before);
  });

  test('where the server goes away in the middle', async () => {
    const before = await open();
    const front = await proxyWith(async (request, body) => {
      if (++served > 12) return null;
      const answer = await fetch(`${server.url}${request.url}`, {
        method: request.method,
        headers: request.headers,
        ...(body === null ? {} : { body }),
      });
      return [answer.status, 'application/scim+json', await answer.text()];
    });
    let served = 0;
    const { json, exitCode } = await doctor('--url', front.url);
    await front.close();
    expect(exitCode).toBe(1);
    expect((json as Json).calls.at(-1)).toMatchObject({ verdict: 'skipped', why: 'nobody answers any more' });
    expect(await open()).toEqual(before);
  });

  test('stopped by Ctrl-C it puts everything away, and says that it was stopped', async () => {
    const before = await open();
    let child: ChildProcess | null = null;
    const front = await proxy((_request, count) => {
      if (count === 12) child?.kill('SIGINT');
      return null;
    }, server.url);
    const env = { ...processEnv(world), DRAWBRIDGE_PUBLIC_URL: publicUrl };
    const which = ['--tenant', 'acme', '--directory', 'okta', '--url', front.url];
    const running = startCommand(env, ['scim', 'doctor', ...which]);
    child = running.child;
    const { code, stdout: out } = await running.ended;
    await front.close();
    expect(code).toBe(1);
    expect(out).toContain('It was stopped before its end.\n');
    expect(out).toMatch(/^ok +- +204 +put away/m);
    expect(out).not.toContain('\u001b');
    expect(await open()).toEqual(before);
  });

  test.each([
    [
      'http://127.0.0.1:1',
      /^The server cannot be reached at http:\/\/127\.0\.0\.1:1\/scim\/v2\/acme\/okta: connect ECONNREFUSED.*Give the address at which it answers with --url\.$/,
    ],
    ['http://login.example.com', /^A token is not sent to login\.example\.com without https\.$/],
    ['ftp://x', /^--url is the address of the server/],
    [
      'http://127.0.0.1:1/scim/v2/acme/entra/',
      /^--url is the address of another directory: this one is at \/scim\/v2\/acme\/okta\.$/,
    ],
  ])('%s is told in a sentence', async (url, sentence) => {
    const before = await open();
    const { error } = await doctor('--url', url);
    expect(error).toMatch(sentence);
    expect(await open()).toEqual(before);
  });

  test('another server, or one of another database, is told before anything is made', async () => {
    const html = await through(() => ({ answer: [200, 'text/html', '<html></html>'] }));
    expect(html.error).toMatch(/^What answers at http:\S+ is no SCIM server: status 200, text\/html\./);
    const error = JSON.stringify({ schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'], status: '401' });
    const other = await through(() => ({ answer: [401, 'application/scim+json', error] }));
    expect(other.error).toMatch(
      /does not know the token that was just made: it works with another database than this command\.$/,
    );
  });
});
