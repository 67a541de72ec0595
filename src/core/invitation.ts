// A one-time link: what it may still do, and what using it changes.

import { type Change, type Decision, denied, done } from './change.ts';
import type { InvitationId, KeyHash, UserId } from './ids.ts';
import type { Email } from './profile.ts';

export type InvitationPurpose = 'invite' | 'reset' | 'bootstrap';

/** An invitation as it stands now, read under the lock of its row. */
export type InvitationFacts = {
  readonly invitationId: InvitationId;
  readonly userId: UserId;
  readonly purpose: InvitationPurpose;
  /** The invited address; null where the person names their own. */
  readonly email: Email | null;
  /** Not used, not ended by a newer link, not past its time. */
  readonly open: boolean;
  /** The person's address now. An invitation to an address that they gave up is void (T32). */
  readonly currentEmail: Email | null;
};

export type AcceptedWith = {
  /** The address that the person names for themselves, where the invitation names none. */
  readonly email: Email | null;
  readonly passwordHash: string;
  /** Keyed hash of that address, to be held where the person is suspended; else null. */
  readonly heldEmail: KeyHash | null;
};

export type AcceptOutcome =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly reason: 'unknown' | 'email_taken' };

/** What is hashed to find an invitation: its secret itself is kept nowhere. */
export function invitationKeyText(secret: string): string {
  return JSON.stringify(['invitation', secret]);
}

/** Whether the link still shows its form. Looking changes nothing (T84). */
export function invitationHolds(facts: InvitationFacts): boolean {
  return facts.open && (facts.email === null || facts.email === facts.currentEmail);
}

/**
 * Sets the password and proves the address in one step (R45, R55). Every other link of the person ends, and so does what was issued
 * before: whoever knew the old password, or sat in an old session, is out (T30). Gives no role and lifts nothing (T128).
 */
export function decideAcceptInvitation(facts: InvitationFacts, given: AcceptedWith): Decision<AcceptOutcome> {
  const { userId, invitationId, purpose } = facts;
  if (!invitationHolds(facts)) {
    const event = denied('invitation.used', 'user', userId, 'unknown', { purpose });
    return { outcome: { kind: 'refused', reason: 'unknown' }, changes: [], events: [event] };
  }
  const named = facts.email === null ? given.email : null;
  const held: readonly Change[] =
    named === null || given.heldEmail === null
      ? []
      : [{ kind: 'hold_keys', subjectId: userId, hashes: [given.heldEmail] }];
  const changes: readonly Change[] = [
    { kind: 'use_invitation', invitationId },
    { kind: 'end_invitations', userId },
    {
      kind: 'update_profile',
      userId,
      profile: named === null ? {} : { email: named, userName: named },
      emailVerified: true,
    },
    { kind: 'set_password', userId, hash: given.passwordHash, mustChange: false },
    ...held,
    { kind: 'end_sessions', subjectId: userId, subjectKind: 'user' },
  ];
  return {
    outcome: { kind: 'accepted' },
    changes,
    events: [
      done('invitation.used', 'user', userId, { purpose }),
      done('password.set', 'user', userId, { by: 'invitation' }),
    ],
  };
}
