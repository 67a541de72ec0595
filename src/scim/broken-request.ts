// What a client hears in whose request Node's parser could read no further: no handler has seen it, and no directory is known.

import { encodeError } from './errors.ts';

/** As Express finds a path: in any case, and nothing that only begins like it. */
const HERE = /^\/scim\/v2(?=[/?#]|$)/i;

/** The beginning of an address that SCIM answers at, as it is written there; undefined for every other address. */
export function scimBase(url: string): string | undefined {
  return HERE.exec(url)?.[0];
}

/** The answer in SCIM's form (RFC 7644 §3.12); null where the address is another one. `detail`: a fixed sentence. */
export function brokenRequest(
  url: string,
  status: 400 | 408 | 413 | 431,
  detail: string,
): { readonly type: string; readonly body: string } | null {
  if (scimBase(url) === undefined) return null;
  return { type: 'application/scim+json; charset=utf-8', body: encodeError({ status, scimType: null, detail }) };
}
