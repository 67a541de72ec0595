// Origins, sites and what they may see of one another (Fetch, HTML and Referrer Policy standards), for top-level navigations.

import { isIP } from 'node:net';

/** True where a browser grants what it grants to https: also for plain http on this very machine. */
export function isTrustworthy(url: URL): boolean {
  const host = url.hostname;
  const loopback =
    host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d+){3}$/.test(host);
  return url.protocol === 'https:' || loopback;
}

/** Scheme and registrable domain; the port is no part of it. Without the public suffix list: the last two labels of a name. */
export function siteOf(url: URL): string {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const name = isIP(host) === 0 ? host.split('.').slice(-2).join('.') : host;
  return `${url.protocol}//${name}`;
}

export type FetchSite = 'none' | 'same-origin' | 'same-site' | 'cross-site';

/** `Sec-Fetch-Site`: how far the way led from who began it, over all its hops. `initiator` null: the address bar. */
export function fetchSite(initiator: URL | null, hops: readonly URL[]): FetchSite {
  if (initiator === null) return 'none';
  if (hops.some((hop) => siteOf(hop) !== siteOf(initiator))) return 'cross-site';
  return hops.some((hop) => hop.origin !== initiator.origin) ? 'same-site' : 'same-origin';
}

const policies = [
  'no-referrer',
  'no-referrer-when-downgrade',
  'same-origin',
  'origin',
  'strict-origin',
  'origin-when-cross-origin',
  'strict-origin-when-cross-origin',
  'unsafe-url',
] as const;
export type ReferrerPolicy = (typeof policies)[number];

/** The policy of a page: the last one in the header that a browser knows. */
export function referrerPolicy(header: string | null): ReferrerPolicy {
  const named = (header ?? '').split(',').map((token) => token.trim().toLowerCase());
  return (
    policies.find((policy) => policy === named.findLast((token) => policies.some((known) => known === token))) ??
    'strict-origin-when-cross-origin'
  );
}

/** `Referer` of a request to `target` from a page, or null for none. */
export function refererFor(page: URL, target: URL, policy: ReferrerPolicy): string | null {
  const full = `${page.origin}${page.pathname}${page.search}`;
  const origin = `${page.origin}/`;
  const same = page.origin === target.origin;
  const downgrade = isTrustworthy(page) && !isTrustworthy(target);
  const answers: Readonly<Record<ReferrerPolicy, string | null>> = {
    'no-referrer': null,
    'no-referrer-when-downgrade': downgrade ? null : full,
    'same-origin': same ? full : null,
    origin,
    'strict-origin': downgrade ? null : origin,
    'origin-when-cross-origin': same ? full : origin,
    'strict-origin-when-cross-origin': same ? full : downgrade ? null : origin,
    'unsafe-url': full,
  };
  return answers[policy];
}

/** `Origin` of a POST. A page that hides its referrer hides its origin too, even from itself. */
export function originFor(page: URL, target: URL, policy: ReferrerPolicy): string {
  const downgrade = page.protocol === 'https:' && target.protocol !== 'https:';
  if (policy === 'no-referrer') return 'null';
  if (policy === 'same-origin' && page.origin !== target.origin) return 'null';
  return downgrade && policy !== 'origin' && policy !== 'origin-when-cross-origin' && policy !== 'unsafe-url'
    ? 'null'
    : page.origin;
}

/** Whether every `form-action` of a page's policies lets its forms go to `target` (CSP 3 §6.4.1). */
export function formActionAllows(header: string | null, page: URL, target: URL): boolean {
  return (header ?? '').split(',').every((policy) => {
    const directive = policy
      .split(';')
      .map((text) => text.trim().split(/\s+/))
      .find(([name]) => name?.toLowerCase() === 'form-action');
    return directive === undefined || directive.slice(1).some((source) => sourceMatches(source, page, target));
  });
}

function sourceMatches(source: string, page: URL, target: URL): boolean {
  if (/^'self'$/i.test(source)) return page.origin === target.origin;
  if (source === '*') return /^https?:$/.test(target.protocol);
  if (/^[a-z][a-z0-9+.-]*:$/i.test(source)) return target.protocol === source.toLowerCase();
  const [, scheme, host = '', port, path] =
    /^(?:([a-z][a-z0-9+.-]*):\/\/)?([^:/]+|\[[^\]]+\])(?::(\d+|\*))?(\/.*)?$/i.exec(source) ?? [];
  if (host === '') return false;
  const wanted = host.toLowerCase();
  const schemes = scheme === undefined ? [page.protocol, 'https:'] : [`${scheme.toLowerCase()}:`, 'https:'];
  const hostFits = wanted.startsWith('*.') ? target.hostname.endsWith(wanted.slice(1)) : target.hostname === wanted;
  const portFits = port === '*' || (port ?? '') === target.port;
  const pathFits =
    path === undefined || (path.endsWith('/') ? target.pathname.startsWith(path) : target.pathname === path);
  return schemes.includes(target.protocol) && hostFits && portFits && pathFits;
}
