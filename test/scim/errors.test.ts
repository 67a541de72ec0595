import { expect, test } from 'vitest';
import { bridgeErrorCodes } from '../../src/core/errors.ts';
import { encodeError, errorSchema, ScimError, scimErrors, scimRefusal, unknownMember } from '../../src/scim/errors.ts';

test('an error has the form of RFC 7644 §3.12: status as text, scimType only where there is one', () => {
  expect(JSON.parse(encodeError(new ScimError(409, 'uniqueness', 'Taken.')))).toEqual({
    schemas: [errorSchema],
    status: '409',
    scimType: 'uniqueness',
    detail: 'Taken.',
  });
  expect(JSON.parse(encodeError(new ScimError(503, null, 'Later.')))).toEqual({
    schemas: [errorSchema],
    status: '503',
    detail: 'Later.',
  });
});

test('every refusal of the core has a status of its own kind, and none is a 500', () => {
  for (const code of bridgeErrorCodes) expect(scimErrors[code][0]).not.toBe(500);
  expect(scimRefusal({ code: 'user_name_taken', message: 'userName is taken.' })).toMatchObject({
    status: 409,
    scimType: 'uniqueness',
    detail: 'userName is taken.',
  });
  expect(scimRefusal({ code: 'version_mismatch', message: 'x' })).toMatchObject({ status: 412, scimType: null });
});

test('an unknown member is refused in one way (T37, T55)', () => {
  expect(encodeError(unknownMember())).toBe(encodeError(unknownMember()));
  expect(unknownMember()).toMatchObject({ status: 400, scimType: 'invalidValue' });
});
