import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cookieJar } from '../../scripts/browser/cookies.ts';
import { readHtml } from '../../scripts/browser/html.ts';
import { formActionAllows } from '../../scripts/browser/site.ts';
import { browser, type Page, type SubmitOptions } from '../../scripts/browser.ts';

type Handler = (request: IncomingMessage & { readonly text: string }, response: ServerResponse) => void;
const routes = new Map<string, Handler>();
let last: { readonly method: string; readonly headers: IncomingMessage['headers']; readonly text: string };
const server = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk) => {
    text += chunk;
  });
  request.on('end', () => {
    last = { method: request.method ?? '', headers: request.headers, text };
    const route = routes.get(new URL(request.url ?? '', 'http://x').pathname);
    if (route === undefined) response.end('ok');
    else route(Object.assign(request, { text }), response);
  });
});
/** One server under two names that are two sites, and under a second port that is the same site. */
let home = '';
let foreign = '';
let homeOtherPort = '';
const second = createServer((request, response) => server.emit('request', request, response));

beforeAll(async () => {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  await new Promise<void>((listening) => second.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  home = `http://localhost:${port}`;
  foreign = `http://127.0.0.1:${port}`;
  homeOtherPort = `http://localhost:${(second.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  second.close();
});
beforeEach(() => routes.clear());

const html =
  (body: string, headers: Readonly<Record<string, string | string[]>> = {}): Handler =>
  (_, response) => {
    response.writeHead(200, { 'content-type': 'text/html', ...headers });
    response.end(body);
  };
const redirect =
  (status: number, location: string): Handler =>
  (_, response) =>
    response.writeHead(status, { location }).end();
const formTo = (action: string, inside = '<input name="a" value="1"><button>Go</button>') =>
  `<form method="post" action="${action}">${inside}</form>`;

describe('cookies go where Chromium sends them', () => {
  const set = ['lax=1; SameSite=Lax', 'strict=1; SameSite=Strict', 'silent=1', 'none=1; SameSite=None; Secure'];
  async function signedIn() {
    const person = browser();
    routes.set('/set', html('', { 'set-cookie': set }));
    await person.open(`${home}/set`);
    return person;
  }
  const sent = () => (last.headers.cookie ?? '').split('; ').map((pair) => pair.split('=')[0]);

  test('a POST from another site carries none but SameSite=None', async () => {
    const person = await signedIn();
    routes.set('/idp', html(formTo(`${home}/acs`)));
    await person.submit(await person.open(`${foreign}/idp`));
    expect(sent()).toEqual(['none']);
  });

  test('a POST from the same site carries all, also from another port', async () => {
    const person = await signedIn();
    for (const origin of [home, homeOtherPort]) {
      routes.set('/form', html(formTo(`${home}/act`)));
      await person.submit(await person.open(`${origin}/form`));
      expect(sent()).toEqual(['lax', 'strict', 'silent', 'none']);
    }
  });

  test('the GET that follows such a POST by 303 carries SameSite=Lax again, the POST that follows by 307 does not', async () => {
    const person = await signedIn();
    routes.set('/idp', html(formTo(`${home}/acs`)));
    routes.set('/acs', redirect(303, '/resume'));
    await person.submit(await person.open(`${foreign}/idp`));
    expect([last.method, ...sent()]).toEqual(['GET', 'lax', 'silent', 'none']);
    routes.set('/acs', redirect(307, '/resume'));
    await person.submit(await person.open(`${foreign}/idp`));
    expect([last.method, ...sent()]).toEqual(['POST', 'none']);
  });

  test('SameSite=Strict is kept back from a link of another site, and sent from the address bar', async () => {
    const person = await signedIn();
    routes.set('/idp', html(`<a href="${home}/x">go</a>`));
    await person.click(await person.open(`${foreign}/idp`), 'go');
    expect(sent()).toEqual(['lax', 'silent', 'none']);
    await person.open(`${home}/x`);
    expect(sent()).toEqual(['lax', 'strict', 'silent', 'none']);
  });

  test('cookies of one host are not for another, nor is one browser another', async () => {
    const person = await signedIn();
    await person.open(`${foreign}/x`);
    expect(last.headers.cookie).toBeUndefined();
    await browser().open(`${home}/x`);
    expect(last.headers.cookie).toBeUndefined();
    expect(person.cookies(home).map(({ name }) => name)).toEqual(['lax', 'strict', 'silent', 'none']);
  });

  test('a cookie that a browser would drop is dropped, and told', async () => {
    const person = browser();
    routes.set('/set', html('', { 'set-cookie': ['__Host-session=1; Path=/', 'ok=1'] }));
    await person.open(`${home}/set`);
    expect(person.cookies(home)).toHaveLength(1);
    expect(person.refusedCookies).toEqual([expect.stringContaining('__Host-')]);
  });
});

describe('cookies are kept as RFC 6265bis says', () => {
  let now = 0;
  const at = (address: string) => new URL(address);
  const kept = (address: string, ...lines: readonly string[]) => {
    const jar = cookieJar(() => now);
    const refusals = jar.store(at(address), lines);
    return { jar, refusals, header: (other: string) => jar.headerFor(at(other), 'GET', null) };
  };
  beforeEach(() => {
    now = 1_000_000;
  });

  test.each([
    ['https://a.example/', '__Host-s=1; Secure; Path=/', true],
    ['http://localhost/', '__Host-s=1; Secure; Path=/', true],
    ['http://a.example/', '__Host-s=1; Secure; Path=/', false],
    ['https://a.example/', '__Host-s=1; Secure', false],
    ['https://a.example/x/y', '__Host-s=1; Secure; Path=/x', false],
    ['https://a.example/', '__Host-s=1; Secure; Path=/; Domain=a.example', false],
    ['https://a.example/', '__host-s=1; Path=/', false],
    ['https://a.example/', '__Secure-s=1', false],
    ['https://a.example/', '__Secure-s=1; Secure', true],
    ['https://a.example/', 's=1; SameSite=None', false],
    ['https://a.example/', 's=1; SameSite=None; Secure', true],
    ['https://b.a.example/', 's=1; Domain=a.example', true],
    ['https://b.a.example/', 's=1; Domain=.a.example', true],
    ['https://b.a.example/', 's=1; Domain=c.a.example', false],
    ['https://ba.example/', 's=1; Domain=a.example', false],
    ['https://a.example/', 's=1; Domain=example', false],
    ['http://127.0.0.1/', 's=1; Domain=0.0.1', false],
    ['https://a.example/', '=1', false],
    ['https://a.example/', 's\u0000=1', false],
    ['https://a.example/', `s=${'x'.repeat(4096)}`, false],
  ])('%s sets %.60s: %s', (address, line, expected) => {
    expect(kept(address, line).refusals).toHaveLength(expected ? 0 : 1);
  });

  test('the path decides where it goes: the given one, else the directory of the page', () => {
    const { header } = kept('https://a.example/t/acme/x', 'here=1', 'all=1; Path=/', 'deep=1; Path=/t/acme/x/y');
    expect(header('https://a.example/t/acme/x/y/z')).toBe('deep=1; here=1; all=1');
    expect(header('https://a.example/t/acme')).toBe('here=1; all=1');
    expect(header('https://a.example/t/acmeco')).toBe('all=1');
  });

  test('Secure keeps it off plain http; Domain lends it to the names below; ports do not matter', () => {
    expect(kept('https://a.example/', 's=1; Secure').header('http://a.example/')).toBeNull();
    expect(kept('https://a.example/', 's=1').header('https://b.a.example/')).toBeNull();
    expect(kept('https://a.example/', 's=1; Domain=a.example').header('https://b.a.example/')).toBe('s=1');
    expect(kept('http://localhost:1/', 's=1').header('http://localhost:2/')).toBe('s=1');
  });

  test('a later one takes the place of the earlier; one that is over is gone', () => {
    const { jar, header } = kept('https://a.example/', 's=1; Max-Age=60', 't=1; Expires=Thu, 01 Jan 1970 00:30:00 GMT');
    expect(header('https://a.example/')).toBe('s=1; t=1');
    jar.store(at('https://a.example/'), ['s=2; Max-Age=60']);
    expect(header('https://a.example/')).toBe('t=1; s=2');
    now += 60_001;
    expect(header('https://a.example/')).toBe('t=1');
    jar.store(at('https://a.example/'), ['t=; Max-Age=0']);
    expect(header('https://a.example/')).toBeNull();
  });
});

describe('forms', () => {
  const filled = async (inside: string, values: Record<string, string | boolean> = {}, options: SubmitOptions = {}) => {
    routes.set('/form', html(formTo('/act?x=1', inside)));
    const person = browser();
    await person.submit(await person.open(`${home}/form`), values, options);
    return Object.fromEntries(new URLSearchParams(last.text));
  };

  test('they send what they hold, with what the person changed and the button that was pressed', async () => {
    const inside = `<input type="hidden" name="csrf" value="a&quot;&amp;&#39;b"><input name="login" value=old>
      <textarea name="note">\nfirst\nsecond &lt;</textarea><select name="role"><option value="r1">1</option><option value="r2" selected>2</option></select>
      <input type="checkbox" name="on" checked><input type="checkbox" name="off"><input type="radio" name="pick" value="x"><input type="radio" name="pick" value="y" checked>
      <input name="gone" value="1" disabled><input name="login2"><button name="action" value="save">Save</button><button name="action" value="drop">Drop</button>`;
    expect(await filled(inside, { login: 'jane', off: true })).toEqual({
      csrf: `a"&'b`,
      login: 'jane',
      note: '\r\nfirst\r\nsecond <',
      role: 'r2',
      on: 'on',
      off: 'on',
      pick: 'y',
      login2: '',
      action: 'save',
    });
    expect(await filled(inside, { on: false, pick: 'x', role: 'r1' }, { button: 'Drop' })).toMatchObject({
      pick: 'x',
      role: 'r1',
      action: 'drop',
    });
    expect(await filled(inside, {}, { button: null })).not.toHaveProperty('action');
  });

  test.each([
    ['a field that is not there', '<input name="a">', { b: '1' }, /no field b/],
    ['a hidden field', '<input type="hidden" name="a">', { a: '1' }, /no field a/],
    ['a disabled field', '<input name="a" disabled>', { a: '1' }, /no field a/],
    ['an option that is not there', '<select name="a"><option value="x">x</select>', { a: 'y' }, /no option y/],
    ['a required field left empty', '<input name="a" required>', {}, /must be filled in/],
    ['a required box left empty', '<input type="checkbox" name="a" required>', {}, /must be ticked/],
  ])('%s cannot be filled in', async (_, inside, values, reason) => {
    await expect(filled(inside, values as Record<string, string>)).rejects.toThrow(reason);
  });

  test('a button that is not there cannot be pressed, a form that is not there not sent', async () => {
    await expect(filled('<button>Go</button>', {}, { button: 'Stop' })).rejects.toThrow(/no button Stop/);
    const person = browser();
    await expect((async () => person.submit(await person.open(`${home}/none`)))()).rejects.toThrow(/0 forms/);
  });

  test('a form that asks for GET becomes a query; an empty action is the page itself', async () => {
    routes.set('/form', html('<form action=""><input name="q"><button>Go</button></form>'));
    const person = browser();
    const page = await person.submit(await person.open(`${home}/form?old=1`), { q: 'ü &' });
    expect(page.url.href).toBe(`${home}/form?q=%C3%BC+%26`);
  });

  test('what scripts, templates and comments say is no form; noscript is one only without scripts', () => {
    const source = `<script>"<form id=a></form>"</script><!-- <form id=b> --><template><form id=c></form></template>
      <form id="d"><noscript><button>Continue</button></noscript></form>`;
    expect(readHtml(source, true).forms).toMatchObject([{ id: 'd', buttons: [] }]);
    expect(readHtml(source, false).forms).toMatchObject([{ id: 'd', buttons: [{ text: 'Continue' }] }]);
  });

  test('without scripts nothing submits itself', async () => {
    routes.set('/form', html(formTo('/act', '<input type="hidden" name="a" value="1">')));
    const person = browser({ scripting: false });
    const page = await person.open(`${home}/form`);
    await expect(async () => person.submit(page, {}, { button: null })).rejects.toThrow(/without scripts/);
    await expect(async () => person.submit(page)).rejects.toThrow(/no button/);
  });
});

describe('redirects', () => {
  test.each([
    [301, 'GET'],
    [302, 'GET'],
    [303, 'GET'],
    [307, 'POST'],
    [308, 'POST'],
  ])('after %i a POST goes on as %s', async (status, method) => {
    routes.set('/form', html(formTo('/act')));
    routes.set('/act', redirect(status, 'there#part'));
    const person = browser();
    const page = await person.submit(await person.open(`${home}/form`));
    expect([last.method, last.text, page.url.href]).toEqual([
      method,
      method === 'POST' ? 'a=1' : '',
      `${home}/there#part`,
    ]);
  });

  test('the browser stops before an address that nobody serves, and goes on when told', async () => {
    routes.set('/a', redirect(302, 'http://app.invalid/callback?code=1'));
    const person = browser({ stopAt: (url) => url.hostname === 'app.invalid' });
    const page = await person.open(`${home}/a`);
    expect([page.status, page.redirect?.searchParams.get('code')]).toEqual([302, '1']);
    await expect(person.follow(page)).rejects.toThrow(/app.invalid/);
  });

  test('a circle is left, and nothing but the web is followed', async () => {
    routes.set('/a', redirect(302, '/a'));
    await expect(browser().open(`${home}/a`)).rejects.toThrow(/too many redirects/);
    routes.set('/a', redirect(302, 'javascript:alert(1)'));
    await expect(browser().open(`${home}/a`)).rejects.toThrow(/javascript/);
  });
});

describe('what a server learns of where a request comes from', () => {
  const from = async (origin: string, to: string, policy?: string) => {
    routes.set('/form', html(formTo(`${to}/act`), policy === undefined ? {} : { 'referrer-policy': policy }));
    const person = browser();
    await person.submit(await person.open(`${origin}/form?q=1`));
    const { origin: sent, referer, 'sec-fetch-site': site } = last.headers;
    return { origin: sent, referer, site };
  };

  test('the origin and the referrer of a form, within and across sites', async () => {
    expect(await from(home, home)).toEqual({ origin: home, referer: `${home}/form?q=1`, site: 'same-origin' });
    expect(await from(homeOtherPort, home)).toEqual({
      origin: homeOtherPort,
      referer: `${homeOtherPort}/`,
      site: 'same-site',
    });
    expect(await from(foreign, home)).toEqual({ origin: foreign, referer: `${foreign}/`, site: 'cross-site' });
  });

  test('a page with no-referrer has the origin null even for itself', async () => {
    expect(await from(home, home, 'no-referrer')).toEqual({ origin: 'null', referer: undefined, site: 'same-origin' });
    expect(await from(home, home, 'same-origin')).toMatchObject({ origin: home });
    expect(await from(foreign, home, 'same-origin')).toMatchObject({ origin: 'null', referer: undefined });
  });

  test('an address that was typed in has no origin and comes from nowhere', async () => {
    await browser().open(`${home}/x`);
    expect(last.headers).toMatchObject({ 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' });
    expect([last.headers.origin, last.headers.referer]).toEqual([undefined, undefined]);
  });

  test('a way through another site is cross-site, however it ends', async () => {
    routes.set('/form', html(formTo('/out')));
    routes.set('/out', redirect(307, `${foreign}/back`));
    routes.set('/back', redirect(307, `${home}/end`));
    const person = browser();
    await person.submit(await person.open(`${home}/form`));
    expect(last.headers).toMatchObject({ 'sec-fetch-site': 'cross-site', origin: 'null' });
  });
});

describe("form-action of a page's policy", () => {
  const submitted = async (policy: string, action: string): Promise<Page> => {
    routes.set('/form', html(formTo(action), { 'content-security-policy': policy }));
    const person = browser();
    return person.submit(await person.open(`${home}/form`));
  };

  test('a form whose target it does not name is not sent', async () => {
    await expect(submitted("default-src 'none'; form-action 'self'", `${foreign}/act`)).rejects.toThrow(/form-action/);
    await expect(submitted("form-action 'none'", '/act')).rejects.toThrow(/form-action/);
    await expect(submitted("form-action 'self'", '/act')).resolves.toMatchObject({ status: 200 });
    await expect(submitted("default-src 'none'", `${foreign}/act`)).resolves.toMatchObject({ status: 200 });
  });

  test('nor does the answer lead where it may not go', async () => {
    routes.set('/act', redirect(303, `${foreign}/callback`));
    await expect(submitted("form-action 'self'", '/act')).rejects.toThrow(/form-action/);
    await expect(submitted(`form-action 'self' ${foreign}`, '/act')).resolves.toMatchObject({ status: 200 });
  });

  test.each([
    ["form-action 'self'", 'https://a.example/x', true],
    ["form-action 'self'", 'https://b.example/', false],
    ['form-action https:', 'https://b.example/', true],
    ['form-action https:', 'http://b.example/', false],
    ['form-action b.example', 'https://b.example/', true],
    ['form-action b.example', 'https://b.example:8443/', false],
    ['form-action b.example:*', 'https://b.example:8443/', true],
    ['form-action *.b.example', 'https://c.b.example/', true],
    ['form-action *.b.example', 'https://b.example/', false],
    ['form-action https://b.example/in/', 'https://b.example/in/x', true],
    ['form-action https://b.example/in/', 'https://b.example/out', false],
    ["form-action 'self', form-action 'none'", 'https://a.example/', false],
    ['form-action', 'https://a.example/', false],
  ])('%s: %s %s', (policy, target, allowed) => {
    expect(formActionAllows(policy, new URL('https://a.example/page'), new URL(target))).toBe(allowed);
  });
});
