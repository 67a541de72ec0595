// PATCHes of a user as the operations of a message, applied to attributes that are not touched.

import { expect } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/scim/json.ts';
import { readPatch } from '../../src/scim/patch-message.ts';
import { userSchema } from '../../src/scim/schema.ts';
import { applyUserPatch } from '../../src/scim/user-patch.ts';
import { patchUrn } from '../support/urns.ts';
import { refusal } from './payload.ts';

export const id = '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e01';
export const manager = '0192f0c4-7b1e-7c3a-9d2f-1a2b3c4d5e02';

export const bob: JsonObject = { userName: 'bob@acme.example', active: true };
export const work = { type: 'work', value: 'bob@acme.example', primary: true };
export const home = { type: 'home', value: 'bob@home.example' };

export function patch(attributes: JsonObject, body: JsonValue, notes: string[] = []) {
  const before = JSON.stringify(attributes);
  const result = applyUserPatch(attributes, readPatch(body, notes), {
    notes,
    schema: userSchema,
    readOnly: { id, meta: { version: 'W/"1"' } },
  });
  expect(JSON.stringify(attributes)).toBe(before);
  return result;
}
export const operations = (...list: JsonValue[]): JsonObject => ({ schemas: [patchUrn], Operations: list });
export const one = (attributes: JsonObject, operation: JsonObject) =>
  patch(attributes, operations(operation)).attributes;
export const patchRefusal = (attributes: JsonObject, operation: JsonObject) =>
  refusal(() => one(attributes, operation));
