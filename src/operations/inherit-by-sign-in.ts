// Somebody signs in by what a suspended person was known by, into an account that a directory named.

import type { Context, TenantTx } from '../context.ts';
import { done } from '../core/change.ts';
import type { KeyHash, SuspensionId } from '../core/ids.ts';
import { apply } from '../store/apply.ts';
import { findSuspensionBehind } from '../store/held-keys.ts';
import { isLastOwner } from '../store/people.ts';
import { readSubject, type SubjectRead } from '../store/subject.ts';
import { keysOf } from './standing.ts';

/**
 * The account as it is to be signed in to: suspended from now on where somebody else is who was known by one of these keys (I3).
 * A directory that names an account by a userName or an id tells nothing of the sign-ins of others: they are seen here for the first
 * time. Whoever inherited it by these keys before, and was let in by an administrator since, stays.
 * `keys`: all that the sign-in shows of whoever it is, but for what the account is known by.
 *
 * `last_owner`: it is the account of the last owner of a tenant, so that an administrator has to look before anybody comes in by it.
 */
export async function inheritBySignIn(
  ctx: Context,
  tx: TenantTx,
  keys: readonly KeyHash[],
  read: SubjectRead,
): Promise<SubjectRead | 'last_owner'> {
  const { userId } = read.person;
  if (read.homeFacts.suspension !== null) return read;
  const inheritedFrom = await findSuspensionBehind(tx, keys, userId);
  if (inheritedFrom === null) return read;
  if (await isLastOwner(tx, userId)) return 'last_owner';
  const suspensionId = ctx.newId<SuspensionId>();
  const { actor: by } = ctx.caller;
  // Those of the sign-in are linked to nobody yet.
  const hashes = [...new Set([...keys, ...(await keysOf(ctx, tx, read.person))])];
  await apply(ctx, tx, {
    changes: [
      { kind: 'suspend', suspensionId, subjectId: userId, by, reason: null, inheritedFrom },
      { kind: 'hold_keys', subjectId: userId, hashes },
      { kind: 'end_sessions', subjectId: userId, subjectKind: 'user' },
    ],
    events: [done('user.suspension_inherited', 'user', userId, { suspensionId, inheritedFrom })],
  });
  const now = await readSubject(tx, userId, null);
  if (now === undefined) throw new Error('a person who was just suspended is gone');
  return now;
}
