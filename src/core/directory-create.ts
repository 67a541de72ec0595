// A user whom a directory pushes for the first time.

import {
  type AuditEvent,
  type Change,
  type CreateDirectoryUser,
  type Decision,
  denied,
  done,
  type PushedUser,
} from './change.ts';
import {
  barsByAdopting,
  type DirectoryFacts,
  emailKey,
  follow,
  hold,
  inherit,
  isFormer,
  isOpenHere,
  isProtected,
  knownBy,
  type Means,
  type PersonFacts,
  refuse,
  refuseLastOwner,
  refuseProtected,
  type SuspendedOthers,
  waitsForActivation,
} from './directory.ts';
import { type Refusal, refused } from './errors.ts';
import type { DirectoryUserId, UserId } from './ids.ts';
import { domainMatches, emailDomain } from './profile.ts';

export type CreateFacts = {
  readonly directory: DirectoryFacts;
  readonly userNameTaken: boolean;
  readonly externalIdTaken: boolean;
  /** Whom an ended directory user of this connection with the same externalId belongs to. */
  readonly byExternalId: PersonFacts | null;
  /** Who holds the address. */
  readonly byEmail: PersonFacts | null;
  /** That holder was made by connections none of which owns the address's domain. */
  readonly holderFromElsewhere: boolean;
  readonly suspended: SuspendedOthers;
  /** Of these, those who stand against linking the holder of the address: not by keys with which that one was let in. */
  readonly suspendedBehind: SuspendedOthers;
};

export type CreateOutcome =
  | {
      readonly kind: 'created';
      readonly directoryUserId: DirectoryUserId;
      readonly userId: UserId;
      readonly as: 'new' | 'returned' | 'adopted';
    }
  | Refusal;

/**
 * A user whom a directory pushes for the first time: the person who left it under this externalId; or a person of the tenant with
 * the same address, adopted if the connection owns its domain; else somebody new. Whoever meets the keys of a suspended person
 * begins suspended (I3); a person who left for good gives up the address to a newcomer. A held directory lets in nobody whom
 * directories kept out: that waits for its activation.
 *
 * Refuses what the directory has already (`user_name_taken`, `external_id_taken`), an address whose holder may not be adopted
 * (`email_taken`), and to take back an administrator whom it did not make (`protected_user`).
 */
export function decideCreate(pushed: PushedUser, facts: CreateFacts, means: Means): Decision<CreateOutcome> {
  const { connectionId } = facts.directory;
  if (facts.userNameTaken) return refuse(refused('user_name_taken', 'This directory has a user with this userName.'));
  if (facts.externalIdTaken)
    return refuse(refused('external_id_taken', 'This directory has a user with this externalId.'));
  const returning = facts.byExternalId;
  if (returning !== null && !isOpenHere(returning, connectionId)) return takeBack(pushed, returning, facts, means);
  const holder = facts.byEmail;
  if (holder === null) return admit(pushed, facts, null, means);
  if (!isFormer(holder)) return adopt(pushed, holder, facts, means);
  return isProtected(holder) ? refuseProtected('user.create', holder) : admit(pushed, facts, holder, means);
}

function takeBack(pushed: PushedUser, person: PersonFacts, facts: CreateFacts, means: Means): Decision<CreateOutcome> {
  if (isProtected(person)) return refuseProtected('user.create', person);
  const created = link(pushed, person.userId, facts, means, waitsForActivation(person, facts.directory));
  const addressFree = facts.byEmail === null || facts.byEmail.userId === person.userId;
  const followed = follow(pushed, person, facts.directory, pushed.email !== person.profile.email, addressFree);
  const known = knownBy(pushed, facts.directory);
  const left =
    person.profile.email === null || person.profile.email === pushed.email ? [] : [emailKey(person.profile.email)];
  const other = facts.suspended.find((one) => one.subjectId !== person.userId);
  // They come back under somebody else's names: of a suspended one they get the suspension too (T118).
  const inherits = other !== undefined && person.suspension === null;
  if (inherits && person.lastOwner) return refuseLastOwner('user.create', person);
  const inherited = inherits
    ? inherit(person.userId, other.suspensionId, known, facts.directory, means)
    : { changes: hold(person.userId, person.suspension === null ? [] : known, means), events: [] };
  return {
    outcome: { kind: 'created', directoryUserId: created.directoryUserId, userId: person.userId, as: 'returned' },
    changes: [created, ...followed.changes, ...hold(person.userId, left, means), ...inherited.changes],
    events: [
      done('user.returned', 'user', person.userId, eventDetail(created)),
      ...followed.events,
      ...inherited.events,
    ],
  };
}

function adopt(pushed: PushedUser, person: PersonFacts, facts: CreateFacts, means: Means): Decision<CreateOutcome> {
  const { directory } = facts;
  if (isProtected(person)) return refuseProtected('user.adopt', person);
  const taken = (detail: string) => refuse(refused('email_taken', detail));
  if (isOpenHere(person, directory.connectionId)) return taken('This directory has another user with this address.');
  if (pushed.email === null || !domainMatches(emailDomain(pushed.email), directory.domains)) {
    return taken(
      "A person of the tenant has this address. To link them, let an administrator add the address's domain to this connection.",
    );
  }
  // Adopting them would prove their address and end what was set up under it: a held directory's word is not enough for that.
  if (directory.held && !person.emailVerified) {
    const refusal = refused(
      'email_taken',
      'A person of the tenant has this address and has not confirmed it, and this directory is held. Let an administrator activate the directory; then send the user again.',
    );
    return refuse(refusal, denied('user.adopt', 'user', person.userId, 'held'));
  }
  // Whoever comes in by the other connection would come into the account of this address's bearer (T29, T31).
  if (facts.holderFromElsewhere) {
    const refusal = refused(
      'email_taken',
      "A person of another connection has this address, which that connection does not own. Let an administrator add the address's domain to it, or remove the person there.",
    );
    return refuse(refusal, denied('user.adopt', 'user', person.userId, 'from_elsewhere'));
  }
  if (person.mappedAcrossTenants)
    return taken(
      'A person with access to other tenants has this address. Let an administrator take that back; then send the user again.',
    );
  // Linking a person to somebody else's suspended keys would let that somebody in under another name (T121).
  if (facts.suspendedBehind.some((one) => one.subjectId !== person.userId))
    return taken('A person of the tenant has this address, and other names are not theirs. Let an administrator look.');
  // Adopted as inactive: the directory's word bars from now on.
  const bars = !pushed.active && barsByAdopting(person, directory);
  if (bars && person.lastOwner) return refuseLastOwner('user.adopt', person);
  const created = link(pushed, person.userId, facts, means, waitsForActivation(person, directory));
  const { userId } = person;
  // Nobody proved the address before: what was set up under it may be a squatter's (T29, T31). The domain's directory proves it now.
  const proved: readonly Change[] = person.emailVerified
    ? []
    : [
        { kind: 'end_password', userId },
        { kind: 'end_identities', userId },
        { kind: 'end_invitations', userId },
        { kind: 'end_sessions', subjectId: userId, subjectKind: 'user' },
        { kind: 'update_profile', userId, profile: {}, emailVerified: true },
      ];
  const barred: readonly Change[] =
    bars && person.emailVerified ? [{ kind: 'end_sessions', subjectId: userId, subjectKind: 'user' }] : [];
  const held = person.suspension === null ? [] : knownBy(pushed, directory);
  return {
    outcome: { kind: 'created', directoryUserId: created.directoryUserId, userId, as: 'adopted' },
    changes: [created, ...proved, ...barred, ...hold(userId, held, means)],
    events: [done('user.adopted', 'user', userId, { ...eventDetail(created), addressWasProved: person.emailVerified })],
  };
}

/** Somebody new. `former` had the address and left for good. */
function admit(
  pushed: PushedUser,
  facts: CreateFacts,
  former: PersonFacts | null,
  means: Means,
): Decision<CreateOutcome> {
  const { directory } = facts;
  const userId = means.newId<UserId>();
  const created = link(pushed, userId, facts, means, false);
  const changes: Change[] = [];
  const events: AuditEvent[] = [];
  if (former !== null && pushed.email !== null) {
    changes.push(...hold(former.userId, [emailKey(pushed.email)], means));
    changes.push({ kind: 'give_up_email', userId: former.userId });
    events.push(done('user.email_given_up', 'user', former.userId, { to: userId }));
  }
  changes.push(
    {
      kind: 'create_user',
      userId,
      profile: pushed.profile,
      emailVerified: pushed.email !== null && domainMatches(emailDomain(pushed.email), directory.domains),
      origin: 'scim',
      approval: 'approved',
    },
    created,
  );
  events.push(done('user.created', 'user', userId, { origin: 'scim', directoryUserId: created.directoryUserId }));
  const inheritedFrom = former?.suspension ?? facts.suspended[0]?.suspensionId ?? null;
  if (inheritedFrom !== null) {
    const inherited = inherit(userId, inheritedFrom, knownBy(pushed, directory), directory, means);
    changes.push(...inherited.changes);
    events.push(...inherited.events);
  }
  return { outcome: { kind: 'created', directoryUserId: created.directoryUserId, userId, as: 'new' }, changes, events };
}

function link(
  pushed: PushedUser,
  userId: UserId,
  { directory: { connectionId } }: CreateFacts,
  means: Means,
  waits: boolean,
): CreateDirectoryUser {
  const directoryUserId = means.newId<DirectoryUserId>();
  const withheld = waits && pushed.active;
  return { kind: 'create_directory_user', directoryUserId, connectionId, userId, resource: pushed, withheld };
}

function eventDetail({ directoryUserId, withheld }: CreateDirectoryUser): Readonly<Record<string, unknown>> {
  return { directoryUserId, ...(withheld ? { withheld } : {}) };
}
