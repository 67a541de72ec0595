// Who calls, by what token, and what the log says of those whose token opens nothing.

import { request as httpRequest } from 'node:http';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Acme } from '../support/acme.ts';
import { type DirectoryClient, directoryClient, type ScimServer, userBody } from '../support/scim.ts';
import { bearer, expectScimError, prefixOf, type Raw, type WireStage, wireStage } from '../support/wire-stage.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
let okta: DirectoryClient;
let logged: WireStage['logged'];
let fresh: WireStage['fresh'];
let newAddress: WireStage['newAddress'];
let newToken: WireStage['newToken'];
let raw: WireStage['raw'];
beforeAll(async () => {
  const stage = await wireStage();
  ({ world, tenants, server, okta, logged, fresh, newAddress, newToken, raw } = stage);
  return stage.close;
});

describe('who calls', () => {
  test('RFC 6750 §3.1 two Authorization headers are 400, whichever of them is right, and nobody is looked up', async () => {
    const [right, wrong] = [`Bearer ${okta.token}`, `Bearer ${'x'.repeat(40)}`];
    for (const both of [
      [right, wrong],
      [wrong, right],
      [right, right],
      [right, 'Basic eDp5'],
      ['', right],
    ]) {
      for (const path of ['/scim/v2/acme/okta/Users?count=1', '/scim/v2/acme/okta/ServiceProviderConfig']) {
        world.takeStatements();
        logged.length = 0;
        const answer = await raw('GET', path, { Authorization: both });
        expectScimError(answer, 400);
        expect(answer.headers['www-authenticate']).toBe('Bearer realm="scim", error="invalid_request"');
        expect(world.takeStatements()).toEqual([]);
        expect(logged).toMatchObject([{ facts: { status: 400, presented: 'two Authorization headers' } }]);
        expect(JSON.stringify(logged)).not.toContain(okta.token);
      }
    }
    // The failing twin: one, however it is spelled, beside others of its length.
    const spelled = { aUTHORIZATION: right, 'X-Thirteen-ab': ['1', '2'], 'Accept-Things': '*/*' };
    expect((await raw('GET', '/scim/v2/acme/okta/Users?count=1', spelled)).status).toBe(200);
  });

  test('T52 a wrong secret is looked for and answered alike, whether its prefix is a token’s of this directory, of another or of nobody', async () => {
    const others = await newToken(tenants.acme, 'entra');
    const secret = 'A'.repeat(43);
    const address = newAddress();
    const tried = [prefixOf(okta.token), prefixOf(others), 'a'.repeat(12)].map((prefix) => `dbs_${prefix}_${secret}`);
    const seen: unknown[] = [];
    for (const token of tried) {
      world.takeStatements();
      const { status, headers, text } = await raw('GET', '/scim/v2/acme/okta/Users', {
        ...bearer(token),
        'X-Forwarded-For': address,
      });
      const { 'x-request-id': _, date: __, ...told } = headers;
      seen.push({ status, told, text, statements: world.takeStatements() });
    }
    expect(seen[0]).toMatchObject({ status: 401, statements: ['scim_credential_find'] });
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
    // The failing twin: with its own secret the token opens the directory.
    expect((await okta.get('/Users?count=1')).status).toBe(200);
  });

  test('T53 T54 nobody, a wrong token, another tenant’s, another connection’s and a token of another form are the same 401', async () => {
    const entra = await newToken(tenants.acme, 'entra');
    const globex = await newToken(tenants.globex, 'okta');
    const forged = okta.token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    const jwt = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.';
    const addresses = ['/scim/v2/acme/okta/Users', '/scim/v2/nobody/okta/Users', '/scim/v2/acme/nothing/Users'];
    const answers: Raw[] = [];
    const address = newAddress();
    for (const token of [forged, entra, globex, jwt, 'x']) {
      answers.push(await raw('GET', '/scim/v2/acme/okta/Users', { ...bearer(token), 'X-Forwarded-For': address }));
    }
    for (const path of addresses.slice(1)) {
      answers.push(await raw('GET', path, { ...bearer(okta.token), 'X-Forwarded-For': address }));
    }
    for (const answer of answers) {
      expectScimError(answer, 401);
      expect(answer.text).toBe(answers[0]?.text);
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="scim", error="invalid_token"');
    }
    const none = await raw('GET', addresses[0] ?? '', {});
    expectScimError(none, 401);
    expect(none.headers['www-authenticate']).toBe('Bearer realm="scim"');
  });

  test('T53 a token in the query, in a cookie or under another scheme opens nothing, and no log line holds it', async () => {
    const path = `/scim/v2/acme/okta/Users?access_token=${okta.token}`;
    expect((await raw('GET', path, {})).status).toBe(401);
    expect((await raw('GET', '/scim/v2/acme/okta/Users', { Cookie: `token=${okta.token}` })).status).toBe(401);
    expect((await raw('GET', '/scim/v2/acme/okta/Users', { Authorization: `Basic ${okta.token}` })).status).toBe(401);
    const twin = await raw('GET', path, bearer(okta.token));
    expect(twin.status).toBe(200);
    expect(JSON.stringify(logged)).not.toContain(okta.token);
  });

  test('an expired token, an ended one, a disabled connection and an inactive tenant are refused at once', async () => {
    const tenant = tenants.globex;
    const client = directoryClient(server, 'globex', 'okta', await newToken(tenant, 'okta'));
    const status = async () => (await client.get('/Users')).status;
    expect(await status()).toBe(200);
    for (const [off, on] of [
      [`update scim_credentials set expires_at = now()`, `update scim_credentials set expires_at = null`],
      [`update scim_credentials set ended_at = now()`, `update scim_credentials set ended_at = null`],
      [`update connections set enabled = false`, `update connections set enabled = true`],
      [`update connections set scim = false`, `update connections set scim = true`],
      [`update tenants set active = false`, `update tenants set active = true`],
    ] as const) {
      await world.sql(`${off} where tenant_id = $1`, [tenant.tenantId]);
      // Well within the second for which ids are kept.
      expect([off, await status()]).toEqual([off, 401]);
      await world.sql(`${on} where tenant_id = $1`, [tenant.tenantId]);
      expect([on, await status()]).toEqual([on, 200]);
    }
  });

  test('T58 a write with a token that was ended after the request was let in changes nothing', async () => {
    const token = await newToken(tenants.acme, 'entra');
    const entra = directoryClient(server, 'acme', 'entra', token);
    const made = await entra.post('/Users', userBody(fresh()));
    await world.sql('update scim_credentials set ended_at = now() where prefix = $1', [prefixOf(token)]);
    for (const answer of [
      await entra.post('/Users', userBody(fresh())),
      await entra.put(`/Users/${made.body.id}`, userBody('x')),
      await entra.delete(`/Users/${made.body.id}`),
      await entra.post('/Groups', { displayName: fresh() }),
      await entra.patch(`/Groups/${made.body.id}`, { op: 'add', path: 'members', value: [{ value: made.body.id }] }),
      await entra.delete(`/Groups/${made.body.id}`),
    ]) {
      expectScimError(answer, 401);
    }
  });

  test('T51 twenty wrong tokens from one address, then 429 for each; who sends the right one from there goes on', async () => {
    const [crowded, calm] = [newAddress(), newAddress()];
    const attacker = { 'X-Forwarded-For': crowded };
    const other = directoryClient(server, 'acme', 'entra', await newToken(tenants.acme, 'entra'));
    await okta.get('/Users', attacker);
    const guess = (number: number) =>
      raw('GET', '/scim/v2/acme/okta/Users', { ...attacker, ...bearer(`dbs_guess_${number}`) });
    const guesses: Awaited<ReturnType<typeof guess>>[] = [];
    for (let number = 0; number < 22; number += 1) guesses.push(await guess(number));
    expect(guesses.map(({ status }) => status)).toEqual([...Array(20).fill(401), 429, 429]);
    const blocked = guesses.at(-1) as (typeof guesses)[number];
    expectScimError(blocked, 429);
    expect(Number(blocked.headers['retry-after'])).toBeGreaterThan(0);
    expect((await other.get('/Users?count=1', attacker)).status).toBe(200);
    // Behind two hundred nothing is looked up but what was right lately.
    await Promise.all(Array.from({ length: 180 }, (_, number) => guess(number + 22)));
    const late = directoryClient(server, 'acme', 'okta', await newToken(tenants.acme, 'okta'));
    expect((await late.get('/Users?count=1', attacker)).status).toBe(429);
    expect((await late.get('/Users?count=1', { 'X-Forwarded-For': calm })).status).toBe(200);
    expect((await okta.get('/Users?count=1', attacker)).status).toBe(200);
  });

  test('nobody’s body is read: a stranger is answered before the body is there', async () => {
    const { hostname, port } = new URL(server.url);
    const status = await new Promise((resolve, reject) => {
      const headers = { 'Content-Type': 'application/scim+json', 'Content-Length': '1000' };
      const sent = httpRequest(
        { hostname, port, method: 'POST', path: '/scim/v2/acme/okta/Users', headers },
        (response) => {
          resolve(response.statusCode);
          sent.destroy();
        },
      );
      sent.on('error', reject);
      sent.flushHeaders();
    });
    expect(status).toBe(401);
  });
});

test('T53 T113 the log line of a request with a wrong token says which directory it was for and which token, and holds no secret', async () => {
  logged.length = 0;
  const [, prefix] = okta.token.split('_');
  const wrong = `dbs_${prefix}_${'A'.repeat(43)}`;
  expect((await raw('GET', '/scim/v2/acme/okta/Users/x?filter=y', bearer(wrong))).status).toBe(401);
  expect(logged.map(({ facts }) => facts)).toEqual([
    expect.objectContaining({
      status: 401,
      tenant: 'acme',
      connection: 'okta',
      presented: 'a token of a directory',
      prefix,
    }),
  ]);
  expect(logged[0]?.facts).not.toHaveProperty('path');
  expect(JSON.stringify(logged)).not.toContain('A'.repeat(10));
});
