// A push of a user whom the directory has: a change, or the end.

import { sameJson } from './canonical.ts';
import { type Decision, done, type PushedUser } from './change.ts';
import {
  barsByLeaving,
  type DirectoryFacts,
  emailKey,
  follow,
  hold,
  inherit,
  isProtected,
  knownBy,
  type Means,
  type PersonFacts,
  refuseLastOwner,
  refuseProtected,
  type StoredUser,
  type SuspendedOthers,
} from './directory.ts';
import type { Refusal } from './errors.ts';
import { emailKeyText } from './identity.ts';
import type { TenantSlug } from './ids.ts';
import { foldAddress, userNameKey } from './profile.ts';

export type UpdateFacts = {
  readonly directory: DirectoryFacts;
  readonly person: PersonFacts;
  readonly stored: StoredUser;
  /** Whether nobody else in the tenant has the newly pushed address. Looked at only where that changes. */
  readonly addressFree: boolean;
  /** By a key or the userName that this push brings: see {@link keysBrought}. */
  readonly suspended: SuspendedOthers;
};

export type UpdateOutcome = { readonly kind: 'updated'; readonly changed: boolean } | Refusal;

/**
 * A push of a user whom the directory has. `active` is this directory's own switch: it ends sessions where no directory has the
 * person active any more, and never touches a suspension or an administrator's Is Active; switched on by a held directory, it waits
 * for the activation. A person who is given a suspended one's keys is suspended with them (I3). Nothing changed means nothing written
 * (I6). Refuses `protected_user` and `last_owner`.
 */
export function decideUpdate(next: PushedUser, facts: UpdateFacts, means: Means): Decision<UpdateOutcome> {
  const { person, stored, directory } = facts;
  const changed = changedNames(stored, next);
  if (changed.length === 0) return { outcome: { kind: 'updated', changed: false }, changes: [], events: [] };
  const { directoryUserId } = stored;
  if (isProtected(person)) return refuseProtected('user.update', person);
  const switched =
    next.active === stored.active ? null : next.active ? 'user.directory_activated' : 'user.directory_deactivated';
  const bars = !next.active && stored.active && barsByLeaving(person, directoryUserId);
  const [other] = person.suspension === null ? facts.suspended : [];
  if ((bars || other !== undefined) && person.lastOwner) return refuseLastOwner('user.update', person);
  const inherited =
    other === undefined
      ? { changes: [], events: [] }
      : inherit(person.userId, other.suspensionId, knownBy(next, directory), directory, means);
  const followed = follow(next, person, directory, next.email !== stored.email, facts.addressFree);
  const withheld = directory.held && next.active && !stored.active;
  const events = [
    done('user.updated', 'user', person.userId, { directoryUserId, changed }),
    ...followed.events,
    ...inherited.events,
  ];
  const detail = { directoryUserId, barred: bars, ...(withheld ? { withheld } : {}) };
  if (switched !== null) events.push(done(switched, 'user', person.userId, detail));
  return {
    outcome: { kind: 'updated', changed: true },
    changes: [
      { kind: 'update_directory_user', directoryUserId, version: stored.version, resource: next, withheld },
      ...followed.changes,
      ...hold(person.userId, keysToHold(next, facts), means),
      ...inherited.changes,
      ...(bars ? [{ kind: 'end_sessions', subjectId: person.userId, subjectKind: 'user' } as const] : []),
    ],
    events,
  };
}

/** Every key that is given up is remembered, and every new one of a suspended person, so that the suspension follows them. */
function keysToHold(next: PushedUser, facts: UpdateFacts): readonly string[] {
  const now = knownBy(next, facts.directory);
  const gone = knownBy(facts.stored, facts.directory).filter((key) => !now.includes(key));
  const given = facts.person.profile.email;
  const left = given !== null && next.email !== facts.stored.email ? [emailKey(given)] : [];
  const fresh = facts.person.suspension === null ? [] : now;
  return [...new Set([...gone, ...left.filter((key) => !now.includes(key)), ...fresh])];
}

const anywhere = { tenant: '' as TenantSlug, connectionKey: '' };

/** True if a key by which a suspension would follow the person changes: such a push takes the person's row first. */
export function changesKeys(stored: StoredUser, next: PushedUser): boolean {
  if (stored.email !== next.email || userNameKey(stored.userName) !== userNameKey(next.userName)) return true;
  const before = knownBy(stored, anywhere);
  const after = knownBy(next, anywhere);
  return before.length !== after.length || before.some((key) => !after.includes(key));
}

/**
 * What a push makes a person known by that they were not before, and their userName where it is another. An address that they had
 * already and are called by in another way from now on, by userName or as the first one, is looked at once more: whoever else had it
 * may have been suspended since.
 */
export function keysBrought(
  stored: StoredUser,
  next: PushedUser,
  directory: Pick<DirectoryFacts, 'tenant' | 'connectionKey'>,
): { readonly keys: readonly string[]; readonly userName: string | null } {
  const before = knownBy(stored, directory);
  const renamed = userNameKey(stored.userName) !== userNameKey(next.userName);
  const anew = [firstAddress, addressOfName].filter((of) => of(next) !== of(stored)).map((of) => of(next));
  return {
    keys: knownBy(next, directory).filter((key) => !before.includes(key) || anew.includes(key)),
    userName: renamed ? next.userName : null,
  };
}

type Called = Pick<StoredUser, 'userName' | 'email'>;
const firstAddress = ({ email }: Called) => (email === null ? null : emailKey(email));
function addressOfName({ userName }: Called): string | null {
  const address = foldAddress(userName);
  return address === null ? null : emailKeyText(address);
}

/**
 * DELETE by the directory: its user ends, with its memberships; the person, their suspension and their grants stay, and sessions
 * end where nothing else has them active. Refuses `protected_user` and `last_owner`.
 */
export function decideEnd(
  facts: Pick<UpdateFacts, 'person' | 'stored'>,
): Decision<{ readonly kind: 'ended' } | Refusal> {
  const { person, stored } = facts;
  const { directoryUserId } = stored;
  if (isProtected(person)) return refuseProtected('user.remove', person);
  const bars = barsByLeaving(person, directoryUserId);
  if (bars && person.lastOwner) return refuseLastOwner('user.remove', person);
  return {
    outcome: { kind: 'ended' },
    changes: [
      { kind: 'end_directory_user', directoryUserId, by: 'directory' },
      ...(bars ? [{ kind: 'end_sessions', subjectId: person.userId, subjectKind: 'user' } as const] : []),
    ],
    events: [done('user.removed', 'user', person.userId, { directoryUserId, barred: bars })],
  };
}

/** Names of the attributes that differ, for the audit trail. Empty: a repeated push. */
export function changedNames(stored: StoredUser, next: PushedUser): readonly string[] {
  const names = new Set([...Object.keys(stored.attributes), ...Object.keys(next.attributes)]);
  const changed = [...names].filter((name) => !sameJson(stored.attributes[name], next.attributes[name])).sort();
  // Parsed from the attributes, so they differ only with them; the switch alone must never be lost (T58).
  return changed.length === 0 && stored.active !== next.active ? ['active'] : changed;
}
