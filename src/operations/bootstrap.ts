import type { Context } from '../context.ts';
import { type Change, done } from '../core/change.ts';
import type { GrantId, Instant, InvitationId, MembershipId, TenantId, TenantSlug, UserId } from '../core/ids.ts';
import { apply } from '../store/apply.ts';
import { findUnusedBootstrap } from '../store/bootstrap.ts';
import { UniqueViolation } from '../store/database.ts';
import { findTenant } from '../store/tenants.ts';
import { systemTenant, tenantChange } from './create-tenant.ts';

const LINK_LIFETIME = 7 * 24 * 3600 * 1000;

export type BootstrapOutcome =
  | { readonly kind: 'link'; readonly tenant: TenantSlug; readonly secret: string; readonly expiresAt: Instant }
  | { readonly kind: 'done_before' };

/**
 * Makes the system tenant if there is none, with its first administrator, who has no password and no address yet, and a one-time
 * secret with which that person sets both. While nobody has used it, each call ends the older secret and makes a fresh one.
 * `newSecret` gives the secret (256 bits, printable) and the hash under which it is kept.
 */
export async function bootstrap(
  ctx: Context,
  newSecret: () => { secret: string; hash: string },
): Promise<BootstrapOutcome> {
  if ((await findTenant(ctx.global, systemTenant)) === undefined) {
    try {
      return await firstStart(ctx, newSecret());
    } catch (error) {
      // Another server made it at the same moment, and prints the link.
      if (!(error instanceof UniqueViolation)) throw error;
      return { kind: 'done_before' };
    }
  }
  const system = await findTenant(ctx.global, systemTenant);
  if (system === undefined) throw new Error('the system tenant is gone');
  return ctx.transaction(system.tenantId, async (tx) => {
    const userId = await findUnusedBootstrap(tx);
    if (userId === undefined) return { kind: 'done_before' };
    const fresh = newSecret();
    const invitation = invite(ctx, userId, fresh.hash);
    await apply(ctx, tx, {
      changes: [{ kind: 'end_invitations', userId }, invitation],
      events: [done('invitation.created', 'user', userId, { purpose: 'bootstrap' })],
    });
    return { kind: 'link', tenant: systemTenant, secret: fresh.secret, expiresAt: invitation.expiresAt };
  });
}

async function firstStart(ctx: Context, fresh: { secret: string; hash: string }): Promise<BootstrapOutcome> {
  const tenant = tenantChange(ctx, {
    slug: systemTenant,
    parentId: null,
    displayName: 'System',
    settings: { passwordSignIn: true },
    managedBy: 'api',
  });
  const userId = ctx.newId<UserId>();
  const invitation = invite(ctx, userId, fresh.hash);
  const profile = {
    userName: 'administrator',
    email: null,
    givenName: null,
    familyName: null,
    displayName: 'First administrator',
    department: null,
    locale: null,
    timeZone: null,
  };
  const grants = tenant.roleIds.map((roleId): Change => {
    return {
      kind: 'grant_role',
      source: 'admin',
      by: { kind: 'operator', name: 'first start' },
      grantId: ctx.newId<GrantId>(),
      subjectId: userId,
      roleId,
      lifts: null,
    };
  });
  await ctx.transaction(tenant.tenantId as TenantId, (tx) =>
    apply(ctx, tx, {
      changes: [
        tenant,
        { kind: 'create_user', userId, profile, emailVerified: false, origin: 'bootstrap', approval: 'approved' },
        ...grants,
        {
          kind: 'join_local_group',
          membershipId: ctx.newId<MembershipId>(),
          groupId: tenant.ownersGroupId,
          subjectId: userId,
        },
        invitation,
      ],
      events: [
        done('tenant.created', 'tenant', tenant.tenantId, { slug: systemTenant }),
        done('user.created', 'user', userId, { origin: 'bootstrap' }),
        done('invitation.created', 'user', userId, { purpose: 'bootstrap' }),
      ],
    }),
  );
  return { kind: 'link', tenant: systemTenant, secret: fresh.secret, expiresAt: invitation.expiresAt };
}

function invite(ctx: Context, userId: UserId, secretHash: string): Extract<Change, { kind: 'create_invitation' }> {
  return {
    kind: 'create_invitation',
    invitationId: ctx.newId<InvitationId>(),
    userId,
    purpose: 'bootstrap',
    secretHash,
    email: null,
    expiresAt: (ctx.now() + LINK_LIFETIME) as Instant,
    by: ctx.caller.actor,
  };
}
