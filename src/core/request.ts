// "Let me in": access requests. A request never gives anything; an administrator's grant does.

import type { AccessState } from './access.ts';
import { type Decision, denied, done } from './change.ts';
import { type Refusal, refused } from './errors.ts';
import type { RequestId, SubjectId } from './ids.ts';

export type RequestOutcome = { readonly kind: 'requested'; readonly again: boolean } | Refusal;

const MAX_MESSAGE = 2_000;

/**
 * Records a no-access person's request (R26). One open request per address: a second one replaces the message (R39, R40). A
 * suspended person may ask, which changes nothing but the badge (D16); a deactivated person may not, and an active one need not.
 */
export function decideRequestAccess(
  subject: {
    readonly subjectId: SubjectId;
    readonly kind: 'user' | 'guest';
    readonly state: AccessState;
    /** The address that the request is known by; the user name of a person without one. */
    readonly email: string;
    readonly hasOpenRequest: boolean;
  },
  message: string | null,
  requestId: RequestId,
): Decision<RequestOutcome> {
  const { subjectId, kind, state } = subject;
  if (state === 'deactivated' || state === 'active') {
    const refusal =
      state === 'active'
        ? refused('invalid', 'You have access already.')
        : refused('deactivated', 'This account is not active.');
    return { outcome: refusal, changes: [], events: [denied('access.request', kind, subjectId, state)] };
  }
  const text = message?.trim().slice(0, MAX_MESSAGE) || null;
  return {
    outcome: { kind: 'requested', again: subject.hasOpenRequest },
    changes: [
      { kind: 'put_access_request', requestId, requestKind: 'in_app', email: subject.email, subjectId, message: text },
    ],
    events: [done('access.requested', kind, subjectId, { kind: 'in_app', again: subject.hasOpenRequest })],
  };
}
