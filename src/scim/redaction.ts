// What the request log may show of a request: no token and no password, whoever put it where it does not belong.

import {
  CUT,
  LOGGED_PARAMETERS,
  MAX_LOGGED_PATH,
  MAX_LOGGED_QUERY,
  MAX_LOGGED_VALUE,
  REDACTED,
  TOO_LONG,
} from '../core/scim-request.ts';
import { isArray, isObject, type JsonValue } from './json.ts';

const SECRET_NAME =
  /pass(?:word|wd|phrase|code)|^pwd$|^pin$|^otp$|secret|token|credential|authori[sz]ation|(?:api|private|access)[-_]?key|^ssn$/i;

/** True for an attribute, or a path to one, that is named as secrets are: `password`, `urn:…:User:apiToken`, `x.secret`. */
function isSecretName(name: string): boolean {
  // Of a URN only the attribute counts: a schema may well be somebody's "tokens:2.0".
  const attribute = name.slice(name.lastIndexOf(':') + 1);
  return attribute.split(/[.[\] ]/).some((part) => SECRET_NAME.test(part));
}

// Tokens of ours and of others, whatever attribute they stand in. Each part is bounded, so that no text takes long.
const SECRET_TEXT =
  /\bdb[so]_[A-Za-z0-9_-]{8,200}|\beyJ[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{2,8000}(?:\.[A-Za-z0-9_-]{0,8000})?|\b(?:bearer|basic) +[A-Za-z0-9._~+/=-]{8,8000}|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,16000}/gi;

/** The text with every token in it taken out. */
function withoutTokens(text: string): string {
  return text.replace(SECRET_TEXT, REDACTED);
}

// An element, or an operation, says by these of what its `value` is.
const NAMING = ['path', 'type', 'name', 'attribute', 'key'] as const;

/**
 * The value with all its secrets taken out: what stands under a secret's name, what an operation or an element of such a name has
 * as its value, filters that name one, and tokens in any text. Everything else stays as it was sent, so that it can be sent again.
 */
export function withoutSecrets(value: JsonValue): JsonValue {
  if (typeof value === 'string') return withoutTokens(value);
  if (isArray(value)) return value.map(withoutSecrets);
  if (!isObject(value)) return value;
  const namesSecret = Object.keys(value).some((key) => {
    const name = value[key];
    return NAMING.some((one) => one === key.toLowerCase()) && typeof name === 'string' && isSecretName(name);
  });
  return Object.fromEntries(
    Object.keys(value).map((key) => {
      const name = key.toLowerCase();
      const secret = isSecretName(key) || (namesSecret && name === 'value');
      const held = value[key] as JsonValue;
      const asks = typeof held === 'string' && (name === 'filter' || (name === 'path' && held.includes('[')));
      return [
        key.includes('[') ? withoutSecretsAsked(key) : withoutTokens(key),
        secret ? REDACTED : asks ? withoutSecretsAsked(held) : withoutSecrets(held),
      ];
    }),
  );
}

/**
 * A query as the log shows it, or null where it is empty: the standard's own parameters, and of a filter its form and the values that
 * it compares with, unless it asks for a secret. Of any other parameter not even the name: that is where tokens are put by mistake.
 */
export function shownQuery(query: URLSearchParams): string | null {
  const parts: string[] = [];
  let others = 0;
  for (const [name, value] of query) {
    if (name === 'filter') parts.push(`filter=${shownFilter(value)}`);
    else if (LOGGED_PARAMETERS.has(name))
      parts.push(value === '' ? name : `${name}=${cutTo(withoutTokens(value), MAX_LOGGED_VALUE)}`);
    else if (name === 'cursor') parts.push(value === '' ? 'cursor' : `cursor=${CUT}`);
    else others += 1;
  }
  if (others > 0) parts.push(others === 1 ? '1 parameter not shown' : `${others} parameters not shown`);
  return parts.length === 0 ? null : clean(cutTo(parts.join('&'), MAX_LOGGED_QUERY), MAX_LOGGED_QUERY);
}

const LITERAL = /"(?:[^"\\]|\\.)*"/g;
const MAX_FILTER = 2_000;

/** Values stay, since an administrator asks for whom the provider looked; not where it asks for a secret, nor what is no value at all. */
function shownFilter(filter: string): string {
  if (filter.length > MAX_FILTER) return TOO_LONG;
  const open = filter.replace(LITERAL, (literal) => ' '.repeat(literal.length)).indexOf('"');
  return open === -1 ? withoutSecretsAsked(filter) : `${withoutSecretsAsked(filter.slice(0, open))}"${CUT}`;
}

/**
 * A filter without tokens, and nothing of it where it names a secret: what the value is, of one that is written wrongly, is not to be
 * guessed.
 */
function withoutSecretsAsked(filter: string): string {
  const names = filter.replace(LITERAL, ' ').split(/[\s()[\]"]+/);
  return names.some(isSecretName) ? REDACTED : withoutTokens(filter);
}

/** Marked where something was cut off: who plays the request again has to know. */
function cutTo(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - CUT.length)}${CUT}`;
}

/** Text as a database can keep it and a line can show it. */
export function clean(text: string, length: number): string {
  return withoutTokens(
    text
      .slice(0, length)
      .toWellFormed()
      .replace(/\p{Cc}/gu, '\ufffd'),
  );
}

/** Nearly every path is so: a type and an id. No token of ours is, which has a `_`, nor another one, with its dots or blanks. */
const PLAIN_PATH = /^[A-Za-z0-9/-]{0,60}$/;

/** The path of a request, below its directory: whoever put a token there did so by mistake. */
export function shownPath(segments: readonly string[]): string {
  const path = segments.join('/');
  const most = MAX_LOGGED_PATH - 1;
  return PLAIN_PATH.test(path) ? path : clean(cutTo(path, most), most);
}
