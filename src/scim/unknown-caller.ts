// What the server's log says of a request whose token opens nothing: enough for an administrator to find whose it is, and no text that
// a stranger chose.

import { isIP } from 'node:net';
import { parseTenantSlug } from '../core/ids.ts';
import { isScimAccessToken } from '../core/scim-client.ts';
import type { Address } from './authenticate.ts';

const CONNECTION = /^[a-z0-9](-?[a-z0-9]){0,62}$/;
const SCHEME = /^bearer +/i;
/** What `scim-token list` shows of a token, and no part of its secret. */
const PREFIX = /^dbs_([a-z0-9]{12})(?:_|$)/;

/**
 * Where a refused request came from, which directory it was for, and by what kind of token: `prefix` as `scim-token list` has it, which
 * also tells whether that one has expired. A name that no tenant or connection could have is left out, as it may be anything (T113).
 */
export function unknownCaller(at: Address, authorization: string | undefined, source: string): object {
  const { tenant, connection } = at;
  const token = authorization === undefined ? null : authorization.replace(SCHEME, '').trim();
  const prefix = PREFIX.exec(token ?? '')?.[1];
  return {
    ...(parseTenantSlug(tenant) === null ? {} : { tenant }),
    ...(CONNECTION.test(connection) ? { connection } : {}),
    ...(isIP(source) === 0 ? {} : { source }),
    // Not under the name of a token: the log takes out what stands there.
    presented:
      token === null
        ? 'none'
        : isScimAccessToken(token)
          ? 'an access token'
          : prefix === undefined
            ? 'no token of a directory'
            : 'a token of a directory',
    ...(prefix === undefined ? {} : { prefix }),
  };
}
