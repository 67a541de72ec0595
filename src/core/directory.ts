// A directory and the people whom it pushes: what its decisions know, and what they share. Facts only: nothing here can give a
// role, lift a suspension or touch an administrator's switch.

import { type DirectoryWord, directoriesBar } from './access.ts';
import { type AuditEvent, type Change, type Decision, denied, done, type PushedUser } from './change.ts';
import type { DirectorySettings } from './directory-settings.ts';
import { type Refusal, refused } from './errors.ts';
import { emailKeyText, externalIdKeyText, userNameKeyText } from './identity.ts';
import type {
  ConnectionId,
  CredentialId,
  DirectoryUserId,
  KeyHash,
  SubjectId,
  SuspensionId,
  TenantId,
  TenantSlug,
  UserId,
} from './ids.ts';
import {
  domainMatches,
  type Email,
  emailDomain,
  foldAddress,
  foldPlusTag,
  type Profile,
  parseEmail,
} from './profile.ts';

/** The directory that a credential speaks for. */
export type Directory = {
  readonly tenantId: TenantId;
  readonly tenant: TenantSlug;
  readonly connectionId: ConnectionId;
  readonly connectionKey: string;
  readonly credentialId: CredentialId;
  readonly settings: DirectorySettings;
};

/** The connection's own part in a decision; `domains` are those that it owns. */
export type DirectoryFacts = {
  readonly tenant: TenantSlug;
  readonly connectionId: ConnectionId;
  readonly connectionKey: string;
  readonly domains: readonly string[];
  /** What it says of people gives them nothing, until an administrator activates it. */
  readonly held: boolean;
};

/** A person as a directory may meet them. */
export type PersonFacts = {
  readonly userId: UserId;
  readonly profile: Profile;
  readonly emailVerified: boolean;
  readonly hasPassword: boolean;
  readonly mappedAcrossTenants: boolean;
  /** Of the tenant or of one that they are mapped into: holds administrative rights by a grant or a group of its own, or owns it. */
  readonly administers: boolean;
  /** Of the tenant or of one that they are mapped into: the last owner who is not barred. */
  readonly lastOwner: boolean;
  readonly suspension: SuspensionId | null;
  /** Came into being by a push of this very directory. */
  readonly madeHere: boolean;
  /** Theirs of every connection, without those that an administrator ended. */
  readonly directoryUsers: readonly (DirectoryWord & {
    readonly directoryUserId: DirectoryUserId;
    readonly connectionId: ConnectionId;
  })[];
};

/** A directory user as it is stored, in as much as decisions look at it. */
export type StoredUser = Pick<PushedUser, 'externalId' | 'userName' | 'email' | 'active' | 'attributes'> & {
  readonly directoryUserId: DirectoryUserId;
  readonly version: number;
};

/** What a decision needs of the world: fresh ids, and the installation's keyed hash. */
export type Means = {
  newId<Id extends string>(): Id;
  keyHash(text: string): KeyHash;
};

/**
 * The person's own profile follows the directory that made them. Their address only where nobody could lose a way in by it: no
 * password, no other tenants, free, and proved only if the connection owns its domain; otherwise it stays a fact of the directory
 * alone (T40): who has something to lose by it is told at the address that they keep.
 */
export function follow(
  next: PushedUser,
  person: PersonFacts,
  directory: DirectoryFacts,
  addressPushed: boolean,
  addressFree: boolean,
): { readonly changes: readonly Change[]; readonly events: readonly AuditEvent[] } {
  const { userId, profile: held } = person;
  const moves = addressPushed && next.email !== held.email;
  const mayMove =
    person.madeHere && !person.hasPassword && !person.mappedAcrossTenants && (next.email === null || addressFree);
  const events =
    moves && !mayMove
      ? [done('user.email_kept', 'user', userId, { hasPassword: person.hasPassword, free: addressFree })]
      : [];
  const notice = moves && !mayMove ? keptNotice(person, directory) : [];
  if (!person.madeHere) return { changes: notice, events };
  const profile: Partial<Record<keyof Profile, string | null>> = {};
  for (const field of Object.keys(held) as (keyof Profile)[]) {
    if (field !== 'email' && next.profile[field] !== held[field]) profile[field] = next.profile[field];
  }
  if (moves && mayMove) {
    const emailVerified = next.email !== null && domainMatches(emailDomain(next.email), directory.domains);
    return {
      changes: [
        {
          kind: 'update_profile',
          userId,
          profile: { ...profile, email: next.email } as Partial<Profile>,
          emailVerified,
        },
      ],
      events,
    };
  }
  if (Object.keys(profile).length === 0) return { changes: notice, events };
  return { changes: [{ kind: 'update_profile', userId, profile: profile as Partial<Profile> }, ...notice], events };
}

/** To the address that stays. A plain person of this directory, whose new address is only taken, has nothing to be warned of. */
function keptNotice(person: PersonFacts, directory: DirectoryFacts): readonly Change[] {
  const to = person.profile.email;
  if (to === null || (person.madeHere && !person.hasPassword && !person.mappedAcrossTenants)) return [];
  const { tenant, connectionKey: connection } = directory;
  return [{ kind: 'send_mail', mail: { template: 'address_kept', to, tenant, connection } }];
}

/** Texts by which a pushed user may be recognised again: externalId, userName, and every address (T123). */
export function knownBy(
  user: Pick<StoredUser, 'externalId' | 'userName' | 'email' | 'attributes'>,
  { tenant, connectionKey }: Pick<DirectoryFacts, 'tenant' | 'connectionKey'>,
): readonly string[] {
  const listed = Array.isArray(user.attributes.emails) ? (user.attributes.emails as readonly unknown[]) : [];
  const others = listed.map((one) => (typeof one === 'object' && one !== null && 'value' in one ? one.value : null));
  const addresses = user.email === null ? [] : [foldPlusTag(user.email)];
  let isAddress = user.userName === user.email;
  // Most people's names and addresses are one text, and reading an address takes its time.
  for (const text of new Set([user.userName, ...others])) {
    const address = typeof text === 'string' && text !== user.email ? foldAddress(text) : null;
    if (address === null) continue;
    addresses.push(address);
    isAddress ||= text === user.userName && parseEmail(text) !== null;
  }
  const keys = addresses.map(emailKeyText);
  if (user.externalId !== null) keys.push(externalIdKeyText(connectionKey, user.externalId));
  if (!isAddress) keys.push(userNameKeyText(tenant, connectionKey, user.userName));
  return [...new Set(keys)];
}

/** An address as it is remembered: without its plus-tag. */
export function emailKey(email: Email): string {
  return emailKeyText(foldPlusTag(email));
}

export function hold(subjectId: UserId, texts: readonly string[], means: Means): readonly Change[] {
  return texts.length === 0 ? [] : [{ kind: 'hold_keys', subjectId, hashes: texts.map((text) => means.keyHash(text)) }];
}

/** Open suspensions of others who were ever known by one of a push's keys, or left its directory under the same userName. */
export type SuspendedOthers = readonly { readonly subjectId: SubjectId; readonly suspensionId: SuspensionId }[];

/**
 * Suspends a person whom a directory gives the keys of somebody suspended: whoever signs in by those keys next may be that somebody
 * (I3). They keep what an administrator gave them, and it counts again once an administrator lets them in.
 */
export function inherit(
  userId: UserId,
  inheritedFrom: SuspensionId,
  keys: readonly string[],
  directory: DirectoryFacts,
  means: Means,
): { readonly changes: readonly Change[]; readonly events: readonly AuditEvent[] } {
  const suspensionId = means.newId<SuspensionId>();
  const by = { kind: 'directory', connectionId: directory.connectionId, name: directory.connectionKey } as const;
  return {
    changes: [
      { kind: 'suspend', suspensionId, subjectId: userId, by, reason: null, inheritedFrom },
      ...hold(userId, keys, means),
      { kind: 'end_sessions', subjectId: userId, subjectKind: 'user' },
    ],
    events: [done('user.suspension_inherited', 'user', userId, { suspensionId, inheritedFrom })],
  };
}

/** Every directory user of theirs was removed by its directory. */
export function isFormer(person: PersonFacts): boolean {
  return person.directoryUsers.length > 0 && person.directoryUsers.every((one) => one.ended);
}

export function isOpenHere(person: PersonFacts, connectionId: ConnectionId): boolean {
  return person.directoryUsers.some((one) => one.connectionId === connectionId && !one.ended);
}

/** Whether it bars the person, whom directories did not bar, that this directory user of theirs is no longer active. */
export function barsByLeaving(person: Pick<PersonFacts, 'directoryUsers'>, leaving: DirectoryUserId): boolean {
  const { directoryUsers } = person;
  const after = directoryUsers.map((one) => (one.directoryUserId === leaving ? { ...one, active: false } : one));
  return !directoriesBar(directoryUsers) && directoriesBar(after);
}

/** The same of a directory that comes to know them as inactive. */
export function barsByAdopting(
  person: Pick<PersonFacts, 'directoryUsers'>,
  { held }: Pick<DirectoryFacts, 'held'>,
): boolean {
  const { directoryUsers } = person;
  return !directoriesBar(directoryUsers) && directoriesBar([...directoryUsers, { active: false, ended: false, held }]);
}

/**
 * Whether it waits for the directory's activation that it has the person active: a held one brings back nobody whom directories keep
 * out, nor whom it removed itself.
 */
export function waitsForActivation(
  { directoryUsers }: Pick<PersonFacts, 'directoryUsers'>,
  { connectionId, held }: Pick<DirectoryFacts, 'connectionId' | 'held'>,
): boolean {
  const removedHere = directoryUsers.some((one) => one.connectionId === connectionId && one.ended);
  return held && (removedHere || directoriesBar(directoryUsers));
}

/** A directory never touches an administrator whom it did not make, whichever tenant they administer (T105, D12). */
export function isProtected(person: Pick<PersonFacts, 'administers' | 'madeHere'>): boolean {
  return person.administers && !person.madeHere;
}

export function refuse(refusal: Refusal, event?: AuditEvent): Decision<Refusal> {
  return { outcome: refusal, changes: [], events: event === undefined ? [] : [event] };
}

export function refuseProtected(act: string, person: PersonFacts): Decision<Refusal> {
  const refusal = refused(
    'protected_user',
    'This person administers the tenant or one below it and was not made by this directory. Let an administrator decide.',
  );
  return refuse(refusal, denied(act, 'user', person.userId, 'protected_user'));
}

export function refuseLastOwner(act: string, person: PersonFacts): Decision<Refusal> {
  const refusal = refused(
    'last_owner',
    'A tenant keeps one active owner: here, or in a tenant below. Let an administrator make somebody else an owner first.',
  );
  return refuse(refusal, denied(act, 'user', person.userId, 'last_owner'));
}
