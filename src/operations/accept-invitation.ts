import type { Context } from '../context.ts';
import { BridgeError } from '../core/errors.ts';
import { emailKeyText } from '../core/identity.ts';
import type { KeyHash, TenantId, TenantSlug } from '../core/ids.ts';
import {
  type AcceptOutcome,
  decideAcceptInvitation,
  type InvitationPurpose,
  invitationHolds,
  invitationKeyText,
} from '../core/invitation.ts';
import { type Email, foldPlusTag } from '../core/profile.ts';
import { apply } from '../store/apply.ts';
import { UniqueViolation } from '../store/database.ts';
import { findInvitation, lockInvitation } from '../store/invitations.ts';
import { lockSubject, readSubject } from '../store/subject.ts';
import { findTenant } from '../store/tenants.ts';
import { carryKeysBelow } from './carry-keys-below.ts';

export type OpenInvitation = {
  readonly tenantId: TenantId;
  readonly tenantName: string;
  readonly purpose: InvitationPurpose;
  /** Null: the person names their own address. */
  readonly email: Email | null;
};

/** The hash under which an invitation's secret is kept: for whoever makes one. */
export function invitationSecretHash(ctx: Pick<Context, 'keyHash'>, secret: string): KeyHash {
  return ctx.keyHash(invitationKeyText(secret));
}

/** The link that carries an invitation's secret, 256 random bits in base64url. `publicUrl` is this server's configured origin (T88). */
export function invitationLink(publicUrl: string, tenant: TenantSlug, secret: string): string {
  return `${publicUrl}/t/${tenant}/invitation/${secret}`;
}

/** What the link is for, or null where it cannot be used (any more). Changes nothing, however often it is called (T84). */
export async function readInvitation(ctx: Context, tenant: TenantSlug, secret: string): Promise<OpenInvitation | null> {
  const node = await findTenant(ctx.global, tenant);
  if (node === undefined || !node.active) return null;
  const found = await findInvitation(ctx.hot(node.tenantId), invitationSecretHash(ctx, secret));
  if (found === undefined || !invitationHolds(found)) return null;
  return { tenantId: node.tenantId, tenantName: node.displayName, purpose: found.purpose, email: found.email };
}

/**
 * Uses the link, once over all servers: the person has this password now and their address counts as proved. Refused as `unknown`
 * where the link is used up, ended, past its time or for an address that the person gave up since; as `email_taken` where the
 * address that the person names belongs to somebody else. The password must have passed the policy; only its hash comes here.
 */
export async function acceptInvitation(
  ctx: Context,
  tenantId: TenantId,
  secret: string,
  given: { readonly email: Email | null; readonly passwordHash: string },
): Promise<AcceptOutcome> {
  const secretHash = invitationSecretHash(ctx, secret);
  try {
    return await ctx.transaction(tenantId, async (tx) => {
      const seen = await findInvitation(tx, secretHash);
      // The person before the link: the order in which every other act takes them.
      if (seen !== undefined) await lockSubject(tx, seen.userId);
      const facts = await lockInvitation(tx, secretHash);
      if (facts === undefined) return { kind: 'refused', reason: 'unknown' };
      const read = await readSubject(tx, facts.userId, null);
      const suspended = read !== undefined && read.homeFacts.suspension !== null;
      const emailKey = given.email === null ? null : ctx.keyHash(emailKeyText(foldPlusTag(given.email)));
      const heldEmail = suspended ? emailKey : null;
      const decision = decideAcceptInvitation(facts, { ...given, heldEmail });
      await apply(ctx, tx, decision);
      if (decision.outcome.kind === 'accepted' && facts.email === null && emailKey !== null)
        await carryKeysBelow(ctx, tx, [{ userId: facts.userId, hashes: [emailKey], had: [] }]);
      return decision.outcome;
    });
  } catch (error) {
    // Also the address of somebody suspended in a tenant below, whose last owner would be suspended with them.
    const taken = error instanceof UniqueViolation || (error instanceof BridgeError && error.code === 'last_owner');
    if (taken) return { kind: 'refused', reason: 'email_taken' };
    throw error;
  }
}
