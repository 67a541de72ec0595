import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type Ask, formOf, send, sendRaw } from '../http.ts';
import { expectRefusals, faultOf, snapshot } from '../refusal.ts';
import { codeIn, pathOf, tokenIn } from '../visitor.ts';
import { LONG, NUL, type Stage, startStage } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage?.flow.close());

describe('pages and what identity providers call', () => {
  const xml = (text: string) => Buffer.from(text).toString('base64');
  const bomb = `<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">${Array.from({ length: 9 }, (_, i) => `<!ENTITY a${i} "${`&a${i === 0 ? '' : i - 1};`.repeat(10)}">`).join('')}]>`;
  const hostile: Record<string, (honest: string) => string> = {
    nothing: () => '',
    'no base64': () => '<a>',
    'no XML': () => xml('no XML'),
    half: (text) => xml(text.slice(0, text.length / 2)),
    'an external entity': (text) =>
      xml(`<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>${text.replace('ext-ann', '&x;')}`),
    'a parameter entity': (text) => xml(`<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:1/">%x;]>${text}`),
    'billion laughs': (text) => xml(`${bomb}${text.replace('ext-ann', '&a8;')}`),
    'an instruction': (text) => xml(`<?xml-stylesheet href="x"?>${text}`),
    'a comment in the name': (text) => xml(text.replace('ext-ann', 'ext-<!---->ann')),
    'another person': (text) => xml(text.replace('ext-ann', 'ext-eve')),
    'no signature': (text) => xml(text.replace(/<Signature.*<\/Signature>/s, '')),
    depth: () => xml('<a>'.repeat(50_000)),
    NUL: (text) => xml(text.replace('ext-ann', `ext${NUL}ann`)),
    'another encoding': (text) => xml(text.replace(/^(<\?xml[^>]*\?>)?/, '<?xml version="1.0" encoding="UTF-7"?>')),
    'UTF-16': (text) => Buffer.from(text, 'utf16le').toString('base64'),
  };

  test('T4 T6 T7 hostile XML at the ACS, in an honest flow, is refused on a page, and nobody is signed in', async () => {
    const { ann, port, flow } = stage;
    const before = await snapshot(flow);
    const sent = new Set<string>();
    for (const [name, twist] of Object.entries(hostile)) {
      const browser = ann.again();
      const started = await browser.toCallback(port, 'entra');
      const { SAMLResponse = '', RelayState = '' } = Object.fromEntries(new URLSearchParams(String(started.ask.body)));
      const honest = Buffer.from(SAMLResponse, 'base64').toString();
      const twisted = twist(honest);
      sent.add(name).delete(twisted === SAMLResponse ? name : '');
      const answer = await browser.arrive(port, { ...started, ask: formOf({ SAMLResponse: twisted, RelayState }) });
      expect(faultOf('page', answer), name).toBeNull();
      const { location } = (await browser.authorize(port, { prompt: 'none' })).answer.headers;
      expect(location, name).toContain('login_required');
    }
    expect([...sent], 'twisted').toEqual(Object.keys(hostile));
    expect(await snapshot(flow)).toEqual(before);
    // The same, left as it is, signs in.
    const honest = ann.again();
    const answer = await honest.arrive(port, await honest.toCallback(port, 'entra'));
    expect(codeIn(ann.app, answer)).not.toBeNull();
  });

  test('T16 T19 T20 callbacks, the ACS and metadata refuse whatever no flow of ours began', async () => {
    const state = `${'A'.repeat(43)}.${'b'.repeat(21)}`;
    const queries = [
      '',
      '?',
      '?state=',
      `?state=${state}`,
      `?state=${state}&code=x`,
      `?state=${state}&state=${state}&code=x`,
      '?code=x',
      '?error=access_denied',
      `?state=${state}&error=<script>`,
      '?state=%00',
      '?state=%ff',
      '?%',
      `?state=${LONG.slice(0, 8_000)}`,
    ];
    const places = [
      'acme/oidc/okta',
      'acme/oidc/unknown',
      'unknown/oidc/okta',
      'acme/oidc/entra',
      '%00/oidc/okta',
      'acme/oidc/%ff',
      '__proto__/oidc/x',
      'acme/saml/entra',
      `${LONG}/oidc/okta`,
    ];
    const forms: readonly Ask[] = [
      { method: 'POST' },
      form('a=b'),
      form('SAMLResponse=x'),
      form('RelayState=x'),
      form(`SAMLResponse=x&RelayState=${state}`),
      form(`SAMLResponse=x&SAMLResponse=y&RelayState=${state}&RelayState=${state}`),
      form('SAMLResponse[a]=x&RelayState[]=y&__proto__[x]=y'),
      form(`SAMLResponse=${'x'.repeat(600_000)}`),
      form('%ff=%ff&%=%'),
      form(Array.from({ length: 2_000 }, (_, i) => `a${i}=b`).join('&')),
      { ...form('SAMLResponse=x'), headers: { 'content-type': 'application/json' } },
      { ...form('SAMLResponse=x'), headers: { 'content-type': 'multipart/form-data' } },
      { ...form('SAMLResponse=x'), headers: { ...form('').headers, 'content-encoding': 'gzip' } },
      { ...form('SAMLResponse=x'), headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-7' } },
    ];
    const acs = ['acme/saml/entra', 'acme/saml/okta', 'unknown/saml/entra', 'acme/saml/%00', 'globex/saml/entra'];
    const tries: readonly (readonly [string, Ask?])[] = [
      ...places.flatMap((place) => queries.map((query) => [`/t/${place}/callback${query}`] as const)),
      ...acs.flatMap((place) => forms.map((ask) => [`/t/${place}/acs`, ask] as const)),
      ...['GET', 'PUT', 'DELETE', 'PATCH'].map((method) => [`/t/acme/saml/entra/acs`, { method }] as const),
      ...['acme/saml/unknown', 'unknown/saml/entra', 'acme/saml/okta', '%00/saml/entra', 'acme/saml/%ff'].map(
        (place) => [`/t/${place}/metadata`] as const,
      ),
      ['/t'],
      ['/t/'],
      ['/t/acme'],
      ['/t//saml/entra/metadata'],
      ['/t/acme/saml/entra/metadata/x'],
    ];
    await expectRefusals(
      stage.flow,
      tries.map(([path, ask]) => ({
        name: `${ask?.method ?? 'GET'} ${path.slice(0, 120)} ${String(ask?.body ?? '').slice(0, 60)}`,
        form: 'page',
        send: () => stage.page(path, ask),
      })),
    );
  });
  const form = (body: string): Ask => ({
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body,
  });

  test('T83 T101 interactions and one-time links refuse strangers, stale tabs, other sites’ forms and garbage', async () => {
    const uid = 'x'.repeat(21);
    const cookies = [
      `drawbridge_interaction=${uid}`,
      'drawbridge_interaction=',
      `drawbridge_interaction=${uid}; drawbridge_interaction.sig=x`,
      'drawbridge=%ff; drawbridge_interaction=%00',
      '=;=;;',
      `drawbridge_interaction=${LONG.slice(0, 8_000)}`,
      '__proto__=x',
      `drawbridge_interaction=${uid};`.repeat(300),
    ];
    const paths = [
      `/interaction/${uid}`,
      `/interaction/${uid}/resume`,
      `/interaction/${uid}/resume?handle=acme.x`,
      `/interaction/${uid}/resume?handle=%00`,
      `/interaction/${uid}/leave?token=x`,
      `/interaction/${uid}/tenant?tenant=acme&token=x`,
      '/interaction/%00',
      '/interaction/%ff',
      '/interaction/%',
      '/interaction',
      '/interaction/',
      `/interaction/${LONG}`,
      `/interaction/${uid}/unknown`,
      '/interaction/__proto__',
    ];
    const posts = ['email', 'connection', 'password', 'request', 'unknown'];
    const links = ['x', 'A'.repeat(43), '%00', '%ff', '%', '..%2f', LONG, '__proto__'];
    const tries: readonly (readonly [string, Ask?])[] = [
      ...paths.map((path) => [path] as const),
      ...cookies.flatMap((cookie) => paths.slice(0, 3).map((path) => [path, { headers: { cookie } }] as const)),
      ...posts.flatMap((post) =>
        ['', 'token=x&email=ann@acme.example', 'email=a&email=b', 'email[x]=1', '%ff', 'email=%00'].map(
          (body) => [`/interaction/${uid}/${post}`, form(body)] as const,
        ),
      ),
      ...posts.map(
        (post) =>
          [
            `/interaction/${uid}/${post}`,
            {
              ...form('token=x'),
              headers: { ...form('').headers, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
            },
          ] as const,
      ),
      ...links.flatMap((link) =>
        ['acme', 'system', 'unknown', '%00'].flatMap((tenant) => [
          [`/t/${tenant}/invitation/${link}`] as const,
          [`/t/${tenant}/invitation/${link}`, form('token=x&password=y&confirm=y')] as const,
        ]),
      ),
      ...[
        '/unknown',
        '/admin',
        '/.git/config',
        '/..%2f..%2fetc/passwd',
        '/%00',
        '/%ff',
        '/%',
        `/${LONG}`,
        '/style.css/x',
        '/livez/x',
        '/metrics',
        '/scim',
        '/scimx',
        '/constructor',
        '/__proto__',
      ].map((path) => [path] as const),
      ...['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND'].map((method) => ['/', { method }] as const),
    ];
    await expectRefusals(
      stage.flow,
      tries.map(([path, ask]) => ({
        name: `${ask?.method ?? 'GET'} ${path.slice(0, 100)} ${JSON.stringify(ask?.headers ?? {}).slice(0, 80)} ${String(ask?.body ?? '').slice(0, 40)}`,
        form: 'page',
        send: () => stage.page(path, ask),
      })),
    );
  });

  test('T60 a real page’s own forms refuse what no browser would send from it', async () => {
    const ann = stage.ann.again();
    const { answer } = await ann.authorize(stage.port);
    const at = pathOf(answer);
    const token = tokenIn(await ann.ask(stage.port, at));
    const before = await snapshot(stage.flow);
    const posts: readonly (readonly [string, string])[] = [
      ['email', `token=${token}&email=`],
      ['email', `token=${token}&email=${encodeURIComponent(`a${NUL}@b.example`)}`],
      ['email', `token=${token}&email=${LONG}`],
      ['email', `token=${token}&email=a@b.example&email=c@d.example`],
      ['email', `token=${token}&token=${token}&email=a@b.example`],
      ['email', 'token=x&email=ann@acme.example'],
      ['connection', `token=${token}&email=ann@acme.example&tenant=globex&connection=okta`],
      ['connection', `token=${token}&email=ann@acme.example&tenant=acme&connection=unknown`],
      ['connection', `token=${token}&email=x@globex.example&tenant=acme&connection=okta`],
      ['connection', `token=${token}&email=&tenant=__proto__&connection=constructor`],
      ['password', `token=${token}&email=ann@acme.example&password=${'x'.repeat(5_000)}`],
      ['password', `token=${token}&email=ann@acme.example&password=`],
      ['password', `token=${token}&email=${encodeURIComponent("' or 1=1 --@x.example")}&password=x`],
      ['request', `token=${token}&handle=acme.x&message=x`],
      ['request', `token=${token}&handle=&message=${LONG}`],
      ['request', `token=${token}&handle=%00&message=x`],
    ];
    for (const [post, body] of posts)
      expect(
        faultOf('page', await ann.ask(stage.port, `${at}/${post}`, form(body))),
        `${post} ${body.slice(0, 150)}`,
      ).toBeNull();
    expect(await snapshot(stage.flow)).toEqual(before);
  });
});

describe('bytes that are no good HTTP', () => {
  const scimHead = () =>
    `Host: x\r\nAuthorization: Bearer ${stage.tokens.okta}\r\nContent-Type: application/scim+json\r\n`;
  const raw: Record<string, () => string> = {
    'no request line': () => 'x\r\n\r\n',
    'a header without a colon': () => 'GET / HTTP/1.1\r\nHost: x\r\nx\r\n\r\n',
    'NUL in a header': () => `GET / HTTP/1.1\r\nHost: x\r\nX-A: a${NUL}b\r\n\r\n`,
    'a folded header': () => 'GET / HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\r\n',
    'no host': () => 'GET / HTTP/1.1\r\n\r\n',
    'two hosts': () => 'GET /scim/v2/acme/okta/Users HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    'two lengths': () =>
      `POST /scim/v2/acme/okta/Users HTTP/1.1\r\n${scimHead()}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{"a":1}`,
    'a length and chunks': () =>
      `POST /scim/v2/acme/okta/Users HTTP/1.1\r\n${scimHead()}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n`,
    'a length that is none': () =>
      `POST /scim/v2/acme/okta/Users HTTP/1.1\r\n${scimHead()}Content-Length: -1\r\n\r\n{}`,
    'a chunk that is none': () =>
      `POST /scim/v2/acme/okta/Users HTTP/1.1\r\n${scimHead()}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
    'another transfer encoding': () => `POST /oidc/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, x\r\n\r\nx`,
    'a huge header': () => `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`,
    'many headers': () =>
      `GET / HTTP/1.1\r\nHost: x\r\n${Array.from({ length: 3_000 }, (_, i) => `X-${i}: a\r\n`).join('')}\r\n`,
    'a huge target': () => `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    'a method of no kind': () => 'get / HTTP/1.1\r\nHost: x\r\n\r\n',
    'HTTP/2': () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    TLS: () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    connect: () => 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n',
    asterisk: () => 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n',
    'another host’s address': () =>
      'GET http://evil.example/t/acme/oidc/okta/callback?state=x HTTP/1.1\r\nHost: evil.example\r\n\r\n',
    'an address that cannot be read': () =>
      'GET http://a:b:c/t/acme/oidc/okta/callback?state=x HTTP/1.1\r\nHost: x\r\n\r\n',
    'an address that cannot be read, of an interaction': () =>
      'GET http://[/interaction/x/resume?handle=x HTTP/1.1\r\nHost: x\r\n\r\n',
    'an address that cannot be read, of the provider': () =>
      'GET http://[/oidc/auth?client_id=x HTTP/1.1\r\nHost: x\r\n\r\n',
    'two slashes': () => 'GET // HTTP/1.1\r\nHost: x\r\n\r\n',
    'two slashes and a host': () => 'GET //evil.example/oidc/auth HTTP/1.1\r\nHost: x\r\n\r\n',
    'a host of no kind': () => 'GET /oidc/.well-known/unknown HTTP/1.1\r\nHost: a b"<c>\r\n\r\n',
    'upgrade to websockets': () =>
      'GET /unknown HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n',
    'upgrade to HTTP/2': () =>
      'GET /unknown HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n',
    expectation: () => `POST /oidc/token HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\nContent-Length: 2\r\n\r\n{}`,
  };

  test.each(Object.entries(raw))('%s: refused, and the server lives', async (_name, bytes) => {
    const before = await snapshot(stage.flow);
    const answer = await sendRaw(stage.port, Buffer.from(bytes(), 'latin1'));
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
    // An end without a word is what a connection gets that speaks no HTTP.
    if (answer !== '') expect(status, answer.slice(0, 300)).toBeGreaterThanOrEqual(400);
    expect(status, answer.slice(0, 500)).not.toBe(500);
    const whole: Answer = { status, headers: {}, text: answer };
    expect(faultOf('bare', { ...whole, status: 400 }), answer).toBeNull();
    expect((await send(stage.port, '/livez')).status).toBe(200);
    expect(await snapshot(stage.flow)).toEqual(before);
  });
});

test('T60 and the server never ended, and logged no failure of its own', async () => {
  expect((await send(stage.port, '/readyz')).status).toBe(200);
  expect(stage.failures()).toEqual([]);
});
