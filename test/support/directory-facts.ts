// What the core decides from when a directory pushes people: facts as a test needs them, and no database.

import type { Change, PushedUser } from '../../src/core/change.ts';
import type { DirectoryFacts, Means, PersonFacts, StoredUser } from '../../src/core/directory.ts';
import type { CreateFacts } from '../../src/core/directory-create.ts';
import type { ConnectionId, DirectoryUserId, KeyHash, SuspensionId, TenantSlug, UserId } from '../../src/core/ids.ts';
import { parseEmail } from '../../src/core/profile.ts';

export const okta = 'c-okta' as ConnectionId;
export const entra = 'c-entra' as ConnectionId;
/** acme’s okta: owns acme.example. */
export const directory: DirectoryFacts = {
  tenant: 'acme' as TenantSlug,
  connectionId: okta,
  connectionKey: 'okta',
  domains: ['acme.example'],
  held: false,
};

let serial = 0;
export const means: Means = {
  newId: <Id extends string>() => `id-${++serial}` as Id,
  keyHash: (text) => `hash(${text})` as KeyHash,
};
export const hashes = (texts: readonly string[]) => texts.map((text) => means.keyHash(text));

export function pushed(name: string, more: { [key: string]: unknown } = {}): PushedUser {
  const attributes = {
    userName: name,
    externalId: `ext-${name}`,
    active: true,
    emails: [{ primary: true, value: `${name}@acme.example` }],
    ...more,
  };
  const emails = attributes.emails as { value: string }[];
  const email = emails[0] === undefined ? null : parseEmail(emails[0].value);
  const { userName, active } = attributes;
  const none = { givenName: null, familyName: null, department: null, locale: null, timeZone: null };
  const displayName = typeof more.displayName === 'string' ? more.displayName : null;
  return {
    userName,
    externalId: attributes.externalId as string | null,
    active,
    email,
    profile: { userName, email, displayName, ...none },
    attributes,
    json: JSON.stringify(attributes),
  };
}

export function person(name: string, more: Partial<PersonFacts> = {}): PersonFacts {
  const { profile } = pushed(name);
  return {
    userId: `u-${name}` as UserId,
    profile,
    emailVerified: true,
    hasPassword: false,
    mappedAcrossTenants: false,
    administers: false,
    lastOwner: false,
    suspension: null,
    madeHere: false,
    directoryUsers: [],
    ...more,
  };
}

export const here = (more: object = {}) => ({
  directoryUserId: 'd-1' as DirectoryUserId,
  connectionId: okta,
  active: true,
  ended: false,
  ...more,
});

export function createFacts(more: Partial<CreateFacts> = {}): CreateFacts {
  return {
    directory,
    userNameTaken: false,
    externalIdTaken: false,
    byExternalId: null,
    byEmail: null,
    holderFromElsewhere: false,
    suspended: [],
    suspendedBehind: more.suspended ?? [],
    ...more,
  };
}

export const stored = (user: PushedUser): StoredUser => ({
  ...user,
  directoryUserId: 'd-1' as DirectoryUserId,
  version: 7,
});
export const kinds = (changes: readonly Change[]) => changes.map((change) => change.kind);
export const suspension = 's-1' as SuspensionId;
