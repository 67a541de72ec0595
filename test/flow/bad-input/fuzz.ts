// Requests that nobody would send, made from those that somebody would, the same ones for the same seed.

import { userBody } from '../../support/scim.ts';
import { groupSchemaUrn, patchUrn } from '../../support/urns.ts';
import type { Ask } from '../http.ts';
import { LONG, NUL, UNKNOWN } from './stage.ts';

export type Random = (below: number) => number;
export type Fuzzed = { readonly path: string; readonly ask: Ask & { readonly method: string } };

/** What the fuzzer may know: an id and a bearer token that are good for something, an application, a flow's interaction. */
export type Knowledge = { readonly ids: readonly string[]; readonly token: string; readonly clientId: string };

const junk: readonly string[] = [
  ...[
    '',
    ' ',
    NUL,
    `a${NUL}b`,
    "'",
    '"',
    '`',
    '\\',
    '%',
    '%00',
    '%ff',
    '%2e%2e%2f',
    '../..',
    '//',
    ';',
    '|',
    '\r\nX-A: b',
    '\n',
  ],
  ...[
    "' or 1=1 --",
    "'); drop table users; --",
    '$1',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a template of somebody's, not of ours
    '${7*7}',
    '{{7*7}}',
    '<script>alert(1)</script>',
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
  ],
  ...[
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'null',
    'undefined',
    'true',
    'NaN',
    '[object Object]',
    '[]',
    '{}',
  ],
  ...[
    '0',
    '-1',
    '1e309',
    '99999999999999999999',
    '0x10',
    '1.5',
    '2026-13-45T99:99:99Z',
    UNKNOWN,
    `${UNKNOWN}x`,
    'acme',
    'globex',
    'system',
    'ACME',
  ],
  ...[
    '\u{1f600}',
    '\u202etxt',
    '\u0130',
    'ß',
    '\ud800',
    'e\u0301',
    'a'.repeat(300),
    LONG.slice(0, 3_000),
    'a@b.example',
    'ann@acme.example',
    '(',
    '((((',
    '[',
    'eq',
  ],
];

const places = [
  '/scim/v2/globex/okta/Users',
  '/scim/v2/globex/okta/Users/{id}',
  '/scim/v2/globex/okta/Groups',
  '/scim/v2/globex/okta/Groups/{id}',
  '/scim/v2/globex/okta/Schemas/{x}',
  '/scim/v2/{x}/{x}/Users/{id}',
  '/scim/v2/acme/okta/Users/{id}',
  '/oidc/auth',
  '/oidc/auth/{x}',
  '/oidc/token',
  '/oidc/userinfo',
  '/oidc/token/revocation',
  '/oidc/request',
  '/oidc/session/end',
  '/oidc/session/end/confirm',
  '/oidc/jwks',
  '/oidc/{x}',
  '/.well-known/openid-configuration',
  '/.well-known/{x}',
  '/interaction/{x}',
  '/interaction/{x}/email',
  '/interaction/{x}/connection',
  '/interaction/{x}/password',
  '/interaction/{x}/request',
  '/interaction/{x}/resume',
  '/t/acme/oidc/okta/callback',
  '/t/{x}/oidc/{x}/callback',
  '/t/acme/saml/entra/acs',
  '/t/{x}/saml/{x}/acs',
  '/t/{x}/saml/{x}/metadata',
  '/t/{x}/invitation/{x}',
  '/style.css',
  '/livez',
  '/',
  '/{x}',
] as const;

const methods = [
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'POST',
  'PUT',
  'PATCH',
  'PATCH',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PROPFIND',
];
const queryNames = [
  'filter',
  'startIndex',
  'count',
  'attributes',
  'excludedAttributes',
  'sortBy',
  'client_id',
  'redirect_uri',
  'response_type',
  'scope',
  'state',
  'code',
  'code_challenge',
  'code_challenge_method',
  'nonce',
  'prompt',
  'max_age',
  'acr_values',
  'login_hint',
  'id_token_hint',
  'request',
  'request_uri',
  'resource',
  'handle',
  'token',
  'tenant',
  'post_logout_redirect_uri',
  '__proto__',
];
const fieldNames = [
  'grant_type',
  'refresh_token',
  'code',
  'code_verifier',
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
  'redirect_uri',
  'token',
  'token_type_hint',
  'email',
  'password',
  'confirm',
  'connection',
  'tenant',
  'handle',
  'message',
  'SAMLResponse',
  'RelayState',
  'xsrf',
  'logout',
  '__proto__',
  'a[b]',
];
const headerNames = [
  'authorization',
  'content-type',
  'content-encoding',
  'accept',
  'if-match',
  'if-none-match',
  'cookie',
  'origin',
  'referer',
  'sec-fetch-site',
  'x-http-method-override',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-original-url',
  'range',
  'dpop',
  'traceparent',
  'accept-language',
  'user-agent',
];
const types = [
  'application/scim+json',
  'application/json',
  'application/x-www-form-urlencoded',
  'text/plain',
  'multipart/form-data; boundary=a',
  'application/json; charset=latin1',
  '',
];

/** So many requests. */
export function fuzz(random: Random, known: Knowledge, count: number): readonly Fuzzed[] {
  const pick = <T>(from: readonly T[]): T => from[random(from.length)] as T;
  const oddly = (...good: readonly string[]): string => (random(3) > 0 && good.length > 0 ? pick(good) : pick(junk));
  const encoded = (text: string): string => encodeURIComponent(text.toWellFormed());
  // As it is where Node can send it so, else escaped.
  const inPath = (text: string): string =>
    random(2) === 0 && /^[\x21-\x22\x24-\x3e\x40-\x7e]*$/.test(text) ? text : encoded(text);
  const inHeader = (text: string): string => text.replace(/[^\x20-\x7e\x80-\xff]/g, '');

  const query = (): string => {
    const pairs = Array.from(
      { length: random(4) },
      () => `${encoded(pick(queryNames))}=${inPath(oddly(known.clientId, 'code', 'openid', 'userName eq "x"'))}`,
    );
    return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
  };
  const value = (depth: number): unknown => {
    const kind = random(depth > 3 ? 5 : 8);
    if (kind < 3) return pick(junk);
    if (kind === 3) return pick([0, -1, 1e308, 1.5, 2 ** 53]);
    if (kind === 4) return pick([true, false, null]);
    if (kind === 5) return Array.from({ length: random(4) }, () => value(depth + 1));
    return Object.fromEntries(
      Array.from({ length: random(4) }, () => [oddly('value', 'type', 'op', 'path', 'active'), value(depth + 1)]),
    );
  };
  const mutated = (node: unknown): unknown => {
    if (random(6) === 0) return value(0);
    if (Array.isArray(node)) return node.map(mutated).filter(() => random(8) > 0);
    if (typeof node !== 'object' || node === null) return node;
    const entries = Object.entries(node).filter(() => random(10) > 0);
    return Object.fromEntries(
      entries.map(([name, inner]) => [random(12) === 0 ? pick(junk) : name, random(2) === 0 ? mutated(inner) : inner]),
    );
  };
  const json = (): string => {
    const patch = {
      schemas: [patchUrn],
      Operations: [
        { op: 'replace', path: oddly('displayName', 'emails[type eq "work"].value', 'members', 'active'), value: 'x' },
      ],
    };
    const group = {
      schemas: [groupSchemaUrn],
      displayName: `group ${random(50)}`,
      members: [{ value: oddly(...known.ids) }],
    };
    const text = JSON.stringify(mutated(pick<object>([userBody(`fuzz${random(50)}`), group, patch])));
    // A few bytes that nobody meant.
    if (random(5) > 0) return text;
    const at = random(text.length);
    return text.slice(0, at) + pick(junk) + text.slice(at + random(3));
  };
  const form = (): string =>
    Array.from(
      { length: random(6) },
      () => `${pick(fieldNames)}=${random(2) === 0 ? encoded(pick(junk)) : oddly(known.clientId, 'refresh_token')}`,
    ).join('&');

  return Array.from({ length: count }, () => {
    const place = pick(places);
    const path = place.replace(/\{(id|x)\}/g, (_, kind) =>
      inPath(kind === 'id' ? oddly(...known.ids) : oddly('acme', 'okta', 'globex')),
    );
    const method = pick(methods);
    const isForm = !place.startsWith('/scim') && random(4) > 0;
    const headers: Record<string, string> = {
      accept: pick(['text/html', 'application/json', '*/*', 'text/html,*/*;q=0.8']),
      'content-type':
        random(6) === 0 ? pick(types) : isForm ? 'application/x-www-form-urlencoded' : 'application/scim+json',
      authorization: random(4) === 0 ? inHeader(pick(junk)) : `Bearer ${known.token}`,
    };
    for (let more = random(3); more > 0; more -= 1) headers[pick(headerNames)] = inHeader(pick(junk));
    const body = method === 'GET' || method === 'HEAD' ? undefined : isForm ? form() : json();
    return {
      path: path + query(),
      ask: { method, headers, ...(body === undefined ? {} : { body: body.toWellFormed() }) },
    };
  });
}
