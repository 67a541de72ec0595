// Somebody signs in by what a suspended person was known by, into an account that a directory named.

import type { Context, TenantTx } from '../context.ts';
import { done } from '../core/change.ts';
import type { KeyHash, SuspensionId } from '../core/ids.ts';
import { apply } from '../store/apply.ts';
import { findSuspensionBehind } from '../store/held-keys.ts';
import { isLastOwner } from '../store/people.ts';
import { readSubject, type SubjectRead } from '../store/subject.ts';
import { keysOf } from './standing.ts';

/** What a sign-in shows of whoever it is: the links that it makes, and what else it says that the account is not known by. */
export type Shown = { readonly links: readonly KeyHash[]; readonly strange: readonly KeyHash[] };

/**
 * The account as it is to be signed in to: suspended from now on where somebody else is who was known by one of these keys (I3).
 * A directory that names an account by a userName or an id tells nothing of the sign-ins of others: they are seen here for the first
 * time. Whoever inherited the suspension before, and was let in by an administrator since, has the keys too and stays.
 *
 * `last_owner`: it is the account of the last owner of a tenant, so that an administrator has to look before anybody comes in by it.
 */
export async function inheritBySignIn(
  ctx: Context,
  tx: TenantTx,
  { links, strange }: Shown,
  read: SubjectRead,
): Promise<SubjectRead | 'last_owner'> {
  const { userId } = read.person;
  if (read.homeFacts.suspension !== null) return read;
  const inheritedFrom =
    (await findSuspensionBehind(tx, links, userId)) ?? (await findSuspensionBehind(tx, strange, userId));
  if (inheritedFrom === null) return read;
  if (await isLastOwner(tx, userId)) return 'last_owner';
  const suspensionId = ctx.newId<SuspensionId>();
  const { actor: by } = ctx.caller;
  // Those of the sign-in are linked to nobody yet.
  const hashes = [...new Set([...links, ...strange, ...(await keysOf(ctx, tx, read.person))])];
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
