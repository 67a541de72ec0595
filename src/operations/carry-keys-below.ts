// What people are known by at home is what tenants below know their guests by, and it changes there.

import type { Context, TenantTx } from '../context.ts';
import { denied, done } from '../core/change.ts';
import { BridgeError } from '../core/errors.ts';
import type { SuspensionId } from '../core/ids.ts';
import { apply } from '../store/apply.ts';
import { recordEvents } from '../store/audit-events.ts';
import { type Gift, type GuestBelow, readGuestsBelow } from '../store/guests-below.ts';
import { writeGuestKeys } from '../store/held-keys.ts';
import { isLastOwner } from '../store/people.ts';
import { lockSubject } from '../store/subject.ts';
import { keysOf } from './standing.ts';

/**
 * Carries keys that people of the tenant are given to where these people are guests (I3). Where one is suspended, all that they are
 * known by from now on is held, so that no directory and no sign-in there takes them for a stranger. Where one is mapped and meets the
 * keys of somebody suspended there, the guest is suspended as well: whoever comes in by them may be that somebody.
 *
 * Whoever takes over a key of a suspended guest's person is taken for that person there, with all that they are known by besides, so
 * that it stays so through any number of hands.
 *
 * After the keys are written, under the locks of those who are given them: a suspension of a guest takes the person's row before it
 * reads what they are known by. One statement, unless somebody is found. Throws `last_owner`, with a record below, where a guest who is
 * to be suspended is the last owner of their tenant: an administrator has to look first.
 */
export async function carryKeysBelow(ctx: Context, tx: TenantTx, gifts: readonly Gift[]): Promise<void> {
  let guests = await readGuestsBelow(tx, gifts);
  if (guests.some((guest) => guest.inheritedFrom !== null)) {
    for (const { tenantId, guestId } of guests) await lockSubject({ ...tx, tenantId }, guestId);
    guests = await readGuestsBelow(tx, gifts);
  }
  for (const guest of guests) {
    const { userId, knownAs, tenantId, guestId, ownGuestId, inheritedFrom } = guest;
    const below: TenantTx = { ...tx, tenantId };
    if (inheritedFrom !== null) await inheritBelow(ctx, below, guest, inheritedFrom);
    // What they gave up before is held below since they were suspended there.
    const heldBelow = userId === knownAs && inheritedFrom === null;
    const hashes = await keysOf(ctx, heldBelow ? tx : below, { tenantId: tx.tenantId, userId });
    // Whom an administrator there let in, or never kept out, is not asked for what is their own.
    const bearers = ownGuestId === null ? [guestId] : [guestId, ownGuestId];
    const changes = bearers.map((subjectId) => ({ kind: 'hold_keys', subjectId, hashes }) as const);
    await apply(ctx, below, { changes, events: [] });
    await writeGuestKeys(tx, knownAs, hashes);
  }
}

/** The guest keeps what an administrator gave them, and it counts again once an administrator lets them in. */
async function inheritBelow(
  ctx: Context,
  below: TenantTx,
  { guestId }: GuestBelow,
  inheritedFrom: SuspensionId,
): Promise<void> {
  if (await isLastOwner(below, guestId)) {
    // By itself: what it is part of is undone.
    const refused = denied('user.suspension_inherited', 'guest', guestId, 'last_owner', { inheritedFrom });
    await recordEvents(ctx, ctx.hot(below.tenantId), [refused]);
    throw new BridgeError(
      'last_owner',
      'A tenant below keeps one active owner. Let an administrator make somebody else an owner first.',
    );
  }
  const suspensionId = ctx.newId<SuspensionId>();
  const { actor: by } = ctx.caller;
  await apply(ctx, below, {
    changes: [
      { kind: 'suspend', suspensionId, subjectId: guestId, by, reason: null, inheritedFrom },
      { kind: 'end_sessions', subjectId: guestId, subjectKind: 'guest' },
    ],
    events: [done('user.suspension_inherited', 'guest', guestId, { suspensionId, inheritedFrom })],
  });
}
