/** Captured bodies of identity providers, read as the server reads them. */
import { readFileSync } from 'node:fs';
import { ScimError } from '../../src/scim/errors.ts';
import { defaultLimits, type JsonValue, parseJson } from '../../src/scim/json.ts';

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
