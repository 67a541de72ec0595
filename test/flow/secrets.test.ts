import { randomBytes } from 'node:crypto';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { userBody } from '../support/scim.ts';
import { groupSchemaUrn } from '../support/urns.ts';
import { type Answer, type Ask, formOf, send, sendRaw } from './http.ts';
import { type Directory, newDirectory } from './scim.ts';
import { type Flow, type ServerProcess, startFlow } from './servers.ts';
import {
  type Application,
  codeIn,
  codeRequest,
  newApplication,
  pathOf,
  refreshRequest,
  type Tokens,
  tokenIn,
  tokenRequest,
  visitor,
} from './visitor.ts';

/** Something that has no business anywhere but where it is used, and can be told from everything else. */
const canary = (name: string) => `canary-${name.replaceAll(' ', '-')}-${randomBytes(12).toString('hex')}`;
const secrets = new Map<string, string>();
const refusals: { readonly at: string; readonly answer: Answer }[] = [];
/** Notes a secret, and gives it back. */
const noted = (name: string, value: string = canary(name)): string => {
  if (value.length < 12) throw new Error(`${name} is too short to be looked for: ${value}`);
  secrets.set(name, value);
  return value;
};

const emailAttribute = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress';
const login = { email: 'ann@acme.example', login: 'ann', password: canary('the password at the provider') };
const person = {
  login: login.login,
  password: login.password,
  oidc: { sub: 'ext-ann', claims: { email: login.email, email_verified: true } },
  saml: { nameId: 'ext-ann', attributes: { [emailAttribute]: login.email } },
};

let mailServer: Server;
let flow: Flow;
let server: ServerProcess;
let port: number;
let app: Application;
let directory: Directory;
beforeEach(async () => {
  secrets.clear();
  refusals.length = 0;
  noted('the password at the provider', login.password);
  mailServer = await sternMailServer();
  const { port: mailPort } = mailServer.address() as AddressInfo;
  flow = await startFlow({
    people: [person],
    env: {
      DRAWBRIDGE_LOG_LEVEL: 'debug',
      SMTP_URL: `smtp://mailer:${noted('the password of the mail server')}@127.0.0.1:${mailPort}`,
      DRAWBRIDGE_MAIL_FROM: 'Drawbridge <no-reply@acme.example>',
      DRAWBRIDGE_METRICS_TOKEN: noted('the token for metrics'),
    },
  });
  server = flow.servers[0] as ServerProcess;
  port = server.port;
  noted('the password of the database', decodeURIComponent(new URL(flow.world.url).password));
  noted('the master key', flow.masterKey);
  noted('the client secret at the provider', flow.upstream.oidc.clientSecret);
  app = await newApplication(flow, 'acme');
  noted('the secret of an application', app.secret);
  directory = await newDirectory(flow, 'acme', 'okta');
  noted('the token of a directory', directory.token);
});
afterEach(async () => {
  await flow?.close();
  mailServer?.close();
});

/** One that lets nobody in. */
async function sternMailServer(): Promise<Server> {
  const server = createServer((socket) => {
    const hear = (line: string) => (/^EHLO/i.test(line) ? '250-stern\r\n250 AUTH PLAIN LOGIN' : '535 5.7.8 no');
    socket.on('error', () => {}).on('data', (data) => socket.write(`${hear(data.toString())}\r\n`));
    socket.write('220 stern\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** Remembers what refusals said. */
async function ask(path: string, more: Ask = {}): Promise<Answer> {
  return remember(path, await send(port, path, more));
}
function remember(at: string, answer: Answer): Answer {
  if (answer.status >= 400) refusals.push({ at, answer });
  return answer;
}

async function pushPeople(): Promise<void> {
  const scim = directory.at(port);
  const users = '/scim/v2/acme/okta/Users';
  const typed = { 'content-type': 'application/scim+json' };
  const ann = await scim.post('/Users', userBody('ann', { password: noted('a password that a directory pushed') }));
  const members = [{ value: ann.body.id }];
  await scim.post('/Groups', { schemas: [groupSchemaUrn], displayName: 'Acme Viewers', members });
  await scim.post('/Users', userBody('bob', { password: noted('another one'), emails: 1 }));
  const lost = noted('a wrong token of a directory');
  for (const authorization of [`Bearer ${lost}`, `Basic ${lost}`, lost])
    await ask(users, { headers: { authorization } });
  await ask(
    `${users}?access_token=${lost}&token=${lost}&filter=${encodeURIComponent(`userName eq "${noted('a filter')}`)}`,
    {
      headers: { authorization: `Bearer ${directory.token}` },
    },
  );
  const half = `{"userName":"x","password":"${noted('a password in a body that is no JSON')}`;
  await ask(users, { method: 'POST', body: half, headers: { ...typed, authorization: `Bearer ${directory.token}` } });
  // Where Node's own parser refuses, and the rest of the request hangs on its error.
  await sendRaw(
    port,
    `POST /oidc/token HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${directory.token}\r\nTransfer-Encoding: gzip, x\r\n\r\n${half}`,
  );
  await sendRaw(
    port,
    `POST ${users} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${directory.token}\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n${half}`,
    300,
  );
}

async function signInByOidc(): Promise<Tokens> {
  const ann = visitor(flow, app, login);
  const started = await ann.toCallback(port);
  const callback = new URL(started.next, flow.publicUrl).searchParams;
  noted('the state of a sign-in', callback.get('state') ?? '');
  noted('the code of the provider', callback.get('code') ?? '');
  const resumed = pathOf(await ann.ask(port, started.next));
  noted('the handle of a sign-in', new URL(resumed, flow.publicUrl).searchParams.get('handle') ?? '');
  const arrived = await ann.arrive(port, { ...started, next: resumed });
  const code = {
    code: noted('a code of ours', codeIn(app, arrived) ?? ''),
    verifier: noted('a code verifier', started.verifier),
  };
  for (const [index, value] of ann.cookies().entries()) noted(`cookie ${index}`, value);
  remember('the callback again', await ann.ask(port, started.next));
  remember('the handle again', await ann.ask(port, resumed));
  const tokens = JSON.parse((await ask('/oidc/token', codeRequest(app, code))).text) as Tokens;
  for (const [name, token] of Object.entries(tokens)) if (name.endsWith('_token')) noted(`the ${name}`, token);
  return tokens;
}

async function misuse(tokens: Tokens): Promise<void> {
  const wrong = noted('a wrong secret of an application');
  const basic = Buffer.from(`${app.clientId}:${wrong}`).toString('base64');
  await ask('/oidc/token', {
    ...formOf({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token }),
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${noted('a Basic header', basic)}`,
    },
  });
  await ask(
    '/oidc/token',
    formOf({
      client_id: app.clientId,
      client_secret: wrong,
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token,
    }),
  );
  const [family = ''] = tokens.refresh_token.split('.');
  await ask('/oidc/token', refreshRequest(app, `${family}.${noted('the half of a refresh token')}`));
  await ask(
    '/oidc/token',
    codeRequest(app, {
      code: noted('a wrong code'),
      verifier: noted('a wrong verifier', `${canary('verifier')}${'x'.repeat(20)}`),
    }),
  );
  await ask(
    '/oidc/token',
    tokenRequest(app, { grant_type: 'password', username: 'ann', password: noted('a password at the token endpoint') }),
  );
  await ask('/oidc/userinfo', { headers: { authorization: `Bearer ${noted('a wrong access token')}` } });
  await ask(
    '/oidc/token/revocation',
    formOf({ client_id: app.clientId, client_secret: wrong, token: tokens.refresh_token }),
  );
  await ask(`/oidc/session/end?id_token_hint=${noted('an ID token hint')}`);
  await ask('/metrics', { headers: { authorization: `Bearer ${noted('a wrong token for metrics')}` } });
  const { answer } = await visitor(flow, app, login).authorize(port, {
    request: noted('a request object'),
    client_secret: wrong,
  });
  remember('an authorization', answer);
}

async function signInBySaml(): Promise<void> {
  const ann = visitor(flow, app, login);
  const started = await ann.toCallback(port, 'entra');
  const { SAMLResponse = '', RelayState = '' } = Object.fromEntries(new URLSearchParams(String(started.ask.body)));
  const xml = Buffer.from(SAMLResponse, 'base64').toString();
  noted('the SAML response', SAMLResponse.slice(0, 400));
  noted('its signature', /<SignatureValue>([^<]+)/.exec(xml)?.[1] ?? '');
  noted('the relay state', RelayState);
  const arrived = await ann.arrive(port, started);
  noted('a code after SAML', codeIn(app, arrived) ?? '');
  remember('the response again', await ann.ask(port, started.next, started.ask));
  const twisted = Buffer.from(xml.replace('ext-ann', noted('a name in a twisted response'))).toString('base64');
  const fresh = ann.again();
  const again = await fresh.toCallback(port, 'entra');
  const relay = new URLSearchParams(String(again.ask.body)).get('RelayState') ?? '';
  remember(
    'a twisted response',
    await fresh.arrive(port, { ...again, ask: formOf({ SAMLResponse: twisted, RelayState: relay }) }),
  );
}

async function signInByPassword(): Promise<void> {
  const link = /\/t\/system\/invitation\/([A-Za-z0-9_-]{43})/.exec(server.output());
  const path = link?.[0] ?? '';
  noted('the secret of a one-time link', link?.[1] ?? '');
  const token = tokenIn(await ask(path));
  const password = noted('a password', `Aa1!${canary('password')}`);
  const email = 'root@acme.example';
  const [weak, other] = [noted('a password that was too weak'), noted('its repetition')];
  await ask(path, formOf({ token, email, password: weak, confirm: other }));
  expect((await ask(path, formOf({ token, email, password, confirm: password }))).status).toBe(200);
  await ask(path);
  const system = await newApplication(flow, 'system');
  noted('the secret of another application', system.secret);
  const root = visitor(flow, system, { ...login, email });
  const { answer } = await root.authorize(port);
  const at = pathOf(answer);
  const form = { token: tokenIn(await root.ask(port, at)), email };
  remember(
    'a wrong password',
    await root.ask(port, `${at}/password`, formOf({ ...form, password: noted('a wrong password') })),
  );
  const right = await root.ask(port, `${at}/password`, formOf({ ...form, password }));
  expect(right.text).toContain('http-equiv="refresh"');
  const handle = /handle=([^"&]+)/.exec(right.text)?.[1] ?? '';
  noted('the handle of a password sign-in', handle);
}

/** Every row of every table, and of the queue's. */
async function everyRow(): Promise<string> {
  const { sql } = flow.world;
  const tables = await sql<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  const texts: string[] = [];
  for (const { name } of tables) {
    const rows = await sql<{ row: string }>(`select to_jsonb(t)::text as row from ${name} t`);
    texts.push(...rows.map(({ row }) => `${name} ${row}`));
  }
  return texts.join('\n');
}

/** Where a secret is found in a text: as it is, as JSON or a URL writes it, as bytes in hex, as base64. */
function writings(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const base64 = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(4, -4),
  );
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), bytes.toString('hex'), ...base64];
}
function findIn(text: string): readonly string[] {
  return [...secrets].filter(([, secret]) => writings(secret).some((one) => text.includes(one))).map(([name]) => name);
}

test('T113 no secret is in the log at its loudest, in the audit trail, in a refusal, or at rest in clear', async () => {
  await pushPeople();
  const tokens = await signInByOidc();
  await misuse(tokens);
  await signInBySaml();
  await signInByPassword();
  // Mail to a server that takes no such password: its failure is logged.
  const mail = {
    template: 'access_requested',
    to: 'root@acme.example',
    tenant: 'acme',
    person: 'Bob',
    address: 'bob@acme.example',
    message: null,
  };
  await flow.world.sql(`select enqueue_job('send_mail', $1::jsonb)`, [JSON.stringify(mail)]);
  await expect.poll(() => server.output(), { timeout: 5_000 }).toContain('Invalid login');

  // What was looked through is not empty, and looking finds what is there.
  const log = server.output();
  const banner = log.split('\n').filter((line) => line.includes('/t/system/invitation/'));
  expect(banner).toHaveLength(1);
  expect(secrets.size).toBeGreaterThan(40);
  expect(refusals.length).toBeGreaterThan(15);
  expect(log).toContain('"level":20');
  // Of all that happened only the mail is a failure; whoever hung up, or sent nonsense, is none.
  const failures = log.split('\n').filter((line) => /"level":50/.test(line) && !line.includes('Invalid login'));
  expect(failures).toEqual([]);
  const rows = await everyRow();
  expect(rows).toContain('public.audit_events');
  expect(rows).toContain('public.oidc_artifacts');
  const known = 'a name in a twisted response';
  expect(findIn(`… ${secrets.get(known)} …`)).toEqual([known]);
  expect(findIn(Buffer.from(`…${secrets.get(known)}…`).toString('hex'))).toEqual([known]);
  expect(findIn(Buffer.from(`…${secrets.get(known)}…`).toString('base64'))).toEqual([known]);

  expect({
    log: findIn(log.replace(banner[0] ?? '', '')),
    rows: findIn(rows),
    // A form's own address is how it is sent again.
    refusals: refusals.flatMap(({ at, answer }) =>
      findIn(answer.text.replace(`action="${at}"`, '')).map((name) => `${name} at ${at}`),
    ),
  }).toEqual({ log: [], rows: [], refusals: [] });
});
