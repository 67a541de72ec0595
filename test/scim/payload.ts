// Captured bodies of identity providers: read as the server reads them, and sent as they were.

import { readFileSync } from 'node:fs';
import { ScimError } from '../../src/scim/errors.ts';
import { defaultLimits, type JsonValue, parseJson } from '../../src/scim/json.ts';
import type { Answer, DirectoryClient } from '../support/scim.ts';

/** A body under test/scim, such as `okta/create-user.json`. */
export function payload(path: string): JsonValue {
  return parseJson(readFileSync(new URL(path, import.meta.url)), defaultLimits);
}

/** The refusal that an act ends in, as `[status, scimType]`; fails where it does not refuse. */
export function refusal(act: () => unknown): readonly [number, string | null] {
  try {
    act();
  } catch (error) {
    if (error instanceof ScimError) return [error.status, error.scimType];
    throw error;
  }
  throw new Error('Nothing was refused.');
}

export type Sender = (method: string, path: string, file?: string | null) => Promise<Answer>;

/**
 * Sends captured bodies of one identity provider. `ids` are those in the bodies and in paths, and what they stand for in this run;
 * it may grow while the test goes on.
 */
export function senderOf(
  idp: 'okta' | 'entra',
  client: () => DirectoryClient,
  ids: ReadonlyMap<string, string>,
  headers: Readonly<Record<string, string>> = {},
): Sender {
  const inThisRun = (text: string) => [...ids].reduce((so, [captured, id]) => so.replaceAll(captured, id), text);
  return (method, path, file = null) => {
    const body = file === null ? undefined : readFileSync(new URL(`${idp}/${file}.json`, import.meta.url), 'utf8');
    return client().call(method, inThisRun(path), body === undefined ? undefined : inThisRun(body), {
      'Content-Type': 'application/scim+json; charset=utf-8',
      ...headers,
    });
  };
}
