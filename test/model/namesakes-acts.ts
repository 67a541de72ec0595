// Steps of histories of names that go from one account to another, by pushes and sign-ins, of people who are suspended, let in, and
// guests of tenants below.

import fc from 'fast-check';
import type { PushedUser } from '../../src/core/change.ts';
import type { Email } from '../../src/core/profile.ts';

export type Names = {
  readonly userName: number;
  readonly externalId: number;
  readonly email: number;
  readonly other: number;
};
export type What = keyof Names;
/** `theirs`: it is a name of somebody who is suspended, where there is one. */
type Naming = { readonly user: number; readonly what: What; readonly to: number; readonly theirs: boolean };
export type SignIn = {
  readonly act: 'signIn';
  readonly at: number;
  /** By what the directory calls a user of it. */
  readonly aim: 'id' | 'name' | 'none';
  readonly user: number;
  readonly subject: number;
  readonly second: number;
  readonly email: number;
  readonly theirs: boolean;
  readonly again: boolean;
};
/** What a sign-in says, at a place. */
export type Said = {
  readonly at: number;
  readonly subject: string;
  readonly ids: readonly string[];
  readonly email: string | null;
};
export type Act =
  | { readonly act: 'create'; readonly at: number; readonly names: Names }
  | (Naming & { readonly act: 'change'; readonly again: boolean })
  /** Changed, and changed back. */
  | (Naming & { readonly act: 'moment' })
  /** Removed by the directory; suspended before. */
  | { readonly act: 'remove' | 'leave'; readonly user: number }
  | SignIn
  /** Whoever came is let in, and comes again: in no history by itself. */
  | { readonly act: 'letInOne'; readonly subjectId: string }
  | { readonly act: 'returns'; readonly said: Said }
  | { readonly act: 'suspend' | 'letIn' | 'activate' | 'deactivate'; readonly subject: number }
  | { readonly act: 'map' | 'unmap'; readonly user: number; readonly into: number };

const one = <T>(...all: readonly T[]) => fc.constantFrom(...all);
/** Indexes of places: most come together at one of them. */
const place = one(1, 1, 1, 1, 0, 0, 2, 3);
export const NAMES = 4;
/** A third of them are plain names, the others addresses of two domains. */
export const NONE = NAMES * 3;
const name = fc.nat({ max: NONE });
const user = fc.nat({ max: 7 });
const theirs = one(true, true, false);
const naming = { user, what: one<What>('userName', 'externalId', 'email', 'other'), to: name, theirs };
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      act: one('create' as const),
      at: place,
      names: fc.record({ userName: name, externalId: name, email: name, other: name }),
    }),
  },
  { weight: 7, arbitrary: fc.record({ act: one('change' as const), ...naming, again: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ act: one('moment' as const), ...naming }) },
  { weight: 2, arbitrary: fc.record({ act: one('remove' as const, 'leave' as const), user }) },
  {
    weight: 6,
    arbitrary: fc.record({
      act: one('signIn' as const),
      at: place,
      aim: one('id' as const, 'id' as const, 'name' as const, 'none' as const),
      user,
      subject: name,
      second: name,
      email: name,
      theirs,
      again: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      act: one<'suspend' | 'letIn' | 'activate' | 'deactivate'>(
        ...['suspend' as const, 'suspend' as const, 'activate' as const, 'deactivate' as const],
        ...['letIn' as const, 'letIn' as const, 'letIn' as const, 'letIn' as const, 'letIn' as const],
      ),
      subject: fc.nat({ max: 11 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: one('map' as const, 'map' as const, 'unmap' as const),
      user,
      into: fc.nat({ max: 1 }),
    }),
  },
);
/** Steps of one act, and of two at the same moment. */
export const history = (length: number) =>
  fc.array(fc.oneof({ weight: 10, arbitrary: fc.tuple(act) }, { weight: 1, arbitrary: fc.tuple(act, act) }), {
    minLength: length,
    maxLength: length,
  });

export function textOf(prefix: string, at: number): string | null {
  if (at === NONE) return null;
  const text = `${prefix}n${at % NAMES}`;
  return at < NAMES ? text : `${text}@${at < NAMES * 2 ? 'acme' : 'free'}.example`;
}
export const addressOf = (prefix: string, at: number) =>
  at === NONE ? null : textOf(prefix, at < NAMES ? at + NAMES : at);

export function pushedOf(prefix: string, { userName, externalId, email, other }: Names): PushedUser {
  const called = textOf(prefix, userName) ?? `${prefix}none`;
  const address = addressOf(prefix, email) as Email | null;
  const more = addressOf(prefix, other);
  const emails = [
    ...(address === null ? [] : [{ value: address, primary: true }]),
    ...(more === null || more === address || address === null ? [] : [{ value: more, type: 'other' }]),
  ];
  const id = textOf(prefix, externalId);
  const attributes = { userName: called, emails, active: true, ...(id === null ? {} : { externalId: id }) };
  const none = { givenName: null, familyName: null, displayName: null, department: null, locale: null, timeZone: null };
  return {
    externalId: id,
    userName: called,
    active: true,
    email: address,
    profile: { userName: called, email: address, ...none },
    attributes,
    json: JSON.stringify(attributes),
  };
}
