// Cookies as Chromium keeps and sends them (RFC 6265bis), for top-level navigations.

import { isIP } from 'node:net';
import { isTrustworthy, siteOf } from './site.ts';

export type Cookie = {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  readonly hostOnly: boolean;
  readonly path: string;
  readonly secure: boolean;
  readonly httpOnly: boolean;
  readonly sameSite: 'strict' | 'lax' | 'none';
  /** Milliseconds since the epoch; null until the browser is closed. */
  readonly expiresAt: number | null;
};

export type CookieJar = {
  /** Keeps what a response sets; returns why each cookie that was not kept was not. */
  store(url: URL, setCookies: readonly string[]): readonly string[];
  /** The Cookie header of a navigation, or null. `initiator` null: the address bar. */
  headerFor(url: URL, method: string, initiator: URL | null): string | null;
  /** Cookies that the site of an address has now. */
  at(url: URL): readonly Cookie[];
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;

export function cookieJar(now: () => number = Date.now): CookieJar {
  let cookies: readonly Cookie[] = [];
  const alive = () => cookies.filter(({ expiresAt }) => expiresAt === null || expiresAt > now());
  const sentTo = (url: URL) =>
    alive()
      .filter(
        (cookie) => domainFits(cookie, url) && pathFits(cookie.path, url) && (!cookie.secure || isTrustworthy(url)),
      )
      .sort((a, b) => b.path.length - a.path.length);

  return {
    store(url, setCookies) {
      const refusals: string[] = [];
      for (const line of setCookies) {
        const cookie = parse(line, url, now());
        if (typeof cookie === 'string') {
          refusals.push(`${url.origin}: ${cookie}: ${line}`);
          continue;
        }
        const same = (other: Cookie) =>
          other.name === cookie.name && other.domain === cookie.domain && other.path === cookie.path;
        cookies = [...cookies.filter((other) => !same(other)), cookie];
      }
      cookies = alive();
      return refusals;
    },
    headerFor(url, method, initiator) {
      const sameSite = initiator === null || siteOf(initiator) === siteOf(url);
      const safe = method === 'GET' || method === 'HEAD';
      // Stricter than Chromium for cookies without SameSite, which it sends with a cross-site POST for their first two minutes:
      // what works only that long does not work.
      const sent = sentTo(url).filter(({ sameSite: rule }) => sameSite || rule === 'none' || (rule === 'lax' && safe));
      return sent.length === 0 ? null : sent.map(({ name, value }) => `${name}=${value}`).join('; ');
    },
    at: sentTo,
  };
}

/** The cookie that a line sets, or why a browser does not keep it. */
function parse(line: string, url: URL, now: number): Cookie | string {
  const [pair = '', ...rest] = line.split(';');
  const split = pair.indexOf('=');
  if (split < 1) return 'it has no name';
  if (CONTROL.test(line)) return 'it has control characters';
  const name = pair.slice(0, split).trim();
  const value = pair.slice(split + 1).trim();
  if (name.length + value.length > 4096) return 'it is longer than 4096 bytes';
  const attributes = new Map<string, string>();
  for (const part of rest) {
    const [, key = '', text = ''] = /^\s*([^=]*?)\s*(?:=\s*(.*?)\s*)?$/.exec(part) ?? [];
    // An overlong attribute is ignored, not cut.
    if (text.length <= 1024) attributes.set(key.toLowerCase(), text);
  }
  const secure = attributes.has('secure');
  const rule = attributes.get('samesite')?.toLowerCase();
  const sameSite = rule === 'strict' || rule === 'none' ? rule : 'lax';
  const asked = (attributes.get('domain') ?? '').replace(/^\./, '').toLowerCase();
  const hostOnly = asked === '' || asked === url.hostname;
  const path = attributes.get('path')?.startsWith('/') ? (attributes.get('path') ?? '/') : defaultPath(url);

  if (secure && !isTrustworthy(url)) return 'it is Secure and came by plain http';
  if (sameSite === 'none' && !secure) return 'it is SameSite=None without Secure';
  if (!hostOnly && (isIP(url.hostname) !== 0 || !asked.includes('.') || !url.hostname.endsWith(`.${asked}`))) {
    return `it names the domain ${asked}`;
  }
  if (/^__secure-/i.test(name) && !secure) return 'it has the prefix __Secure- and not the attribute Secure';
  if (/^__host-/i.test(name) && !(secure && attributes.get('path') === '/' && !attributes.has('domain'))) {
    return 'it has the prefix __Host- and not Secure, Path=/ and no Domain';
  }
  return {
    name,
    value,
    domain: hostOnly ? url.hostname : asked,
    hostOnly: !attributes.has('domain') || asked === '',
    path,
    secure,
    httpOnly: attributes.has('httponly'),
    sameSite,
    expiresAt: expiry(attributes, now),
  };
}

function expiry(attributes: ReadonlyMap<string, string>, now: number): number | null {
  const maxAge = attributes.get('max-age');
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) return now + Number(maxAge) * 1000;
  const expires = Date.parse(attributes.get('expires') ?? '');
  return Number.isNaN(expires) ? null : expires;
}

function defaultPath(url: URL): string {
  const directory = url.pathname.slice(0, url.pathname.lastIndexOf('/'));
  return directory === '' ? '/' : directory;
}

function domainFits(cookie: Cookie, url: URL): boolean {
  return url.hostname === cookie.domain || (!cookie.hostOnly && url.hostname.endsWith(`.${cookie.domain}`));
}

function pathFits(path: string, url: URL): boolean {
  return url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`);
}
