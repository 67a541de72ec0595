import type { Context } from '../context.ts';
import { type Change, done } from '../core/change.ts';
import type { GrantId, Instant, InvitationId, MembershipId, TenantId, TenantSlug, UserId } from '../core/ids.ts';
import { apply } from '../store/apply.ts';
import { findUnusedBootstrap } from '../store/bootstrap.ts';
import { UniqueViolation } from '../store/database.ts';
import { findTenant } from '../store/tenants.ts';
import { invitationSecretHash } from './accept-invitation.ts';
import { systemTenant, tenantChange } from './create-tenant.ts';

const LINK_LIFETIME = 7 * 24 * 3600 * 1000;

export type BootstrapOutcome =
  | { readonly kind: 'link'; readonly tenant: TenantSlug; readonly secret: string; readonly expiresAt: Instant }
  | { readonly kind: 'done_before' };

/**
 * Makes the system tenant if there is none, with its first administrator, who has no password and no address yet, and a one-time
 * secret with which that person sets both. The secret is derived, so that every server and every start gives the same one until
 * somebody has used it; past its time a fresh one takes its place.
 */
export async function bootstrap(ctx: Context): Promise<BootstrapOutcome> {
  if ((await findTenant(ctx.global, systemTenant)) === undefined) {
    try {
      return await firstStart(ctx);
    } catch (error) {
      // Another server made it at the same moment.
      if (!(error instanceof UniqueViolation)) throw error;
    }
  }
  const system = await findTenant(ctx.global, systemTenant);
  if (system === undefined) throw new Error('the system tenant is gone');
  return ctx.transaction(system.tenantId, async (tx) => {
    const found = await findUnusedBootstrap(tx);
    if (found === undefined) return { kind: 'done_before' };
    if (found.open !== null) return linkOf(ctx, found.open);
    const { userId } = found;
    const invitation = invite(ctx, userId);
    await apply(ctx, tx, {
      changes: [{ kind: 'end_invitations', userId }, invitation],
      events: [done('invitation.created', 'user', userId, { purpose: 'bootstrap' })],
    });
    return linkOf(ctx, invitation);
  });
}

async function firstStart(ctx: Context): Promise<BootstrapOutcome> {
  const tenant = tenantChange(ctx, {
    slug: systemTenant,
    parentId: null,
    displayName: 'System',
    settings: { passwordSignIn: true },
    managedBy: 'api',
  });
  const userId = ctx.newId<UserId>();
  const invitation = invite(ctx, userId);
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
  return linkOf(ctx, invitation);
}

function linkOf(ctx: Context, open: { invitationId: InvitationId; expiresAt: Instant }): BootstrapOutcome {
  const { invitationId, expiresAt } = open;
  return { kind: 'link', tenant: systemTenant, secret: secretOf(ctx, invitationId), expiresAt };
}

/** Derived from the master key: it is kept nowhere, and every server of the installation can print it. */
function secretOf(ctx: Context, invitationId: InvitationId): string {
  return Buffer.from(ctx.keyHash(JSON.stringify(['bootstrap_link', invitationId])), 'hex').toString('base64url');
}

function invite(ctx: Context, userId: UserId): Extract<Change, { kind: 'create_invitation' }> {
  const invitationId = ctx.newId<InvitationId>();
  return {
    kind: 'create_invitation',
    invitationId,
    userId,
    purpose: 'bootstrap',
    secretHash: invitationSecretHash(ctx, secretOf(ctx, invitationId)),
    email: null,
    expiresAt: (ctx.now() + LINK_LIFETIME) as Instant,
    by: ctx.caller.actor,
  };
}
