import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseScimClientId } from '../../src/core/scim-client.ts';
import { endScimClient } from '../../src/operations/end-scim-client.ts';
import { type ScimServer, scimServer } from '../support/scim.ts';
import { credentials, GRANT, type Made, type ScimClients, scimClients } from './scim-clients.ts';
import { type Application, application, type Stage, serve, stage } from './support.ts';

let here: Stage;
let scim: ScimServer;
let app: Application;
let on: ScimClients;
beforeAll(async () => {
  here = await stage();
  scim = await scimServer(here.world);
  app = await application(here.world, here.tenants.acme, here.server);
  on = scimClients(here, scim);
});
afterAll(async () => {
  await scim?.close();
  await here?.close();
});

describe('secrets of a directory’s client', () => {
  test('T89 a wrong secret, an unknown client, an ended one and another’s secret are the same answer', async () => {
    const one = await on.made(here.tenants.acme, 'okta');
    const other = await on.made(here.tenants.globex, 'okta');
    const ended = await on.made(here.tenants.globex, 'okta');
    await endScimClient(here.world.context(), here.tenants.globex, ended.clientId);
    const key = parseScimClientId(one.clientId);
    const nobody = one.clientId.replace(/.{12}$/, '000000000000');
    here.world.takeStatements();
    for (const clientId of [one.clientId, nobody, ended.clientId, one.clientId, nobody]) {
      await on.post('/token', credentials({ clientId, secret: 'wrong' }, GRANT));
      // The same work, each time: nobody is told by the clock.
      expect([clientId, here.world.takeStatements()]).toEqual([clientId, ['scim_client_find']]);
    }
    const wrong = await on.post('/token', credentials({ ...one, secret: 'wrong' }, GRANT));
    expect([wrong.status, wrong.body]).toEqual([
      401,
      { error: 'invalid_client', error_description: 'client authentication failed' },
    ]);
    for (const shown of [
      { ...one, secret: other.secret },
      { ...one, secret: '' },
      { ...one, secret: `${one.secret} ` },
      { ...one, clientId: nobody },
      { ...one, clientId: `scim.${here.tenants.globex.tenantId}.${key?.credentialId}` },
      { ...one, clientId: `${one.clientId}x` },
      { ...one, clientId: 'nobody' },
      ended,
    ]) {
      const answer = await on.post('/token', credentials(shown, GRANT));
      expect([shown, answer.status, answer.text]).toEqual([shown, 401, wrong.text]);
      // As far as a header says something, it says the same.
      const basic = Buffer.from(`${encodeURIComponent(shown.clientId)}:${encodeURIComponent(shown.secret || 'x')}`);
      const headers = { authorization: `Basic ${basic.toString('base64')}` };
      const byHeader = await on.post('/token', GRANT, headers);
      expect([shown, byHeader.status, byHeader.text]).toEqual([shown, 401, wrong.text]);
      expect(byHeader.headers.get('www-authenticate')).toMatch(/^Basic realm=/);
    }
    expect((await on.post('/token', credentials(one, GRANT))).status).toBe(200);
  });

  test('RFC 6749 §5.2 six hundred tokens a minute for one client, then 429 with Retry-After; others go on, and so do its tokens', async () => {
    const one = await on.made(here.tenants.acme, 'okta');
    const other = await on.made(here.tenants.globex, 'okta');
    const server = await serve(here.world);
    const ask = (shown: Made) => on.post('/token', credentials(shown, GRANT), {}, server);
    const first = await ask(one);
    for (let count = 1; count < 600; count += 33) {
      const answers = await Promise.all(Array.from({ length: Math.min(33, 600 - count) }, () => ask(one)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    }
    const issued = 'select count(*)::int as n from oidc_artifacts';
    const before = await here.world.sql(issued);
    const refused = await ask(one);
    expect([refused.status, refused.body]).toEqual([
      429,
      {
        error: 'temporarily_unavailable',
        error_description: 'too many tokens were asked for: use one until it expires',
      },
    ]);
    expect(refused.headers.get('cache-control')).toBe('no-store');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect(await here.world.sql(issued)).toEqual(before);
    // Who does not know the secret learns nothing of it, and the others have their own count.
    expect((await ask({ ...one, secret: 'wrong' })).body.error).toBe('invalid_client');
    expect((await ask(other)).status).toBe(200);
    expect(await on.opens(first.body.access_token)).toBe(200);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
    expect((await ask(one)).status).toBe(200);
    vi.useRealTimers();
    await server.close();
  });

  test('T51 twenty wrong secrets from an address a minute, then 429 with Retry-After, known client or not; others go on', async () => {
    const one = await on.made(here.tenants.acme, 'okta');
    const other = await on.made(here.tenants.globex, 'okta');
    const server = await serve(here.world);
    const ask = (shown: Made, address: string, path = '/token') =>
      on.post(path, credentials(shown, { ...GRANT, token: 'x' }), { 'x-forwarded-for': address }, server);
    const [crowded, calm] = ['10.9.0.1', '10.9.0.2'];
    expect((await ask(one, crowded)).status).toBe(200);
    const nobody = { clientId: one.clientId.replace(/.{12}$/, '000000000000'), secret: 'wrong' };
    for (let tries = 0; tries < 20; tries += 1) {
      const shown =
        tries % 3 === 0 ? nobody : tries % 3 === 1 ? { ...one, secret: 'wrong' } : { ...nobody, clientId: 'app' };
      const answer = await ask(shown, crowded, tries % 2 === 0 ? '/token' : '/token/revocation');
      expect([tries, answer.status, answer.body.error]).toEqual([tries, 401, 'invalid_client']);
    }
    const held = [
      nobody,
      { ...one, secret: 'wrong' },
      { ...nobody, clientId: 'app' },
      { ...one, clientId: app.clientId },
    ];
    here.world.takeStatements();
    const answers = [];
    for (const shown of held) answers.push(await ask(shown, crowded));
    for (const answer of answers) {
      expect([answer.status, answer.text]).toEqual([429, answers[0]?.text]);
      expect(answer.body.error).toBe('temporarily_unavailable');
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(30);
      expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    }
    // Before the client is looked for: so neither the clock nor the database knows a difference.
    expect(here.world.takeStatements()).toEqual([]);
    // Whose secret was right lately goes on; somebody new at this address waits; at another address nothing happened.
    expect((await ask(one, crowded)).status).toBe(200);
    expect((await ask(other, crowded)).status).toBe(429);
    expect((await ask(other, calm)).status).toBe(200);
    expect((await ask({ ...one, secret: 'wrong' }, calm)).status).toBe(401);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
    expect((await ask(other, crowded)).status).toBe(200);
    expect((await ask({ ...one, secret: 'wrong' }, crowded)).status).toBe(401);
    vi.useRealTimers();
    // Not every request of a browser shows a secret.
    const open = await fetch(`${server.address}/oidc/.well-known/openid-configuration`, {
      headers: { 'x-forwarded-for': crowded, authorization: 'Basic eDp4' },
    });
    expect(open.status).toBe(200);
    await server.close();
  });

  test('T53 neither a secret nor a token is in the log or in the database', async () => {
    const one = await on.made(here.tenants.acme, 'okta');
    const { access_token: token } = await on.issued(one);
    await on.post('/token', credentials({ ...one, clientId: `${one.clientId}x` }, GRANT));
    const rows = await here.world.sql(
      `select to_jsonb(a) || jsonb_build_object('text', encode(payload_sealed, 'escape')) as row from oidc_artifacts a
       union all select to_jsonb(e) from audit_events e union all select to_jsonb(k) from scim_credentials k`,
    );
    const everything = JSON.stringify([rows, here.server.logged]);
    expect(everything).toContain(one.clientId);
    for (const secret of [one.secret, token, token.slice(4)]) expect(everything).not.toContain(secret);
  });
});
