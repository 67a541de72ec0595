// The one switch over Change; changes of a person and of a directory go on to files of their own. It never decides: what to do was
// decided in the core, and is all in the change.

import type { Context, TenantTx } from '../context.ts';
import type { Change, Decision } from '../core/change.ts';
import { builtInRoles, ownersGroup } from '../core/tenant.ts';
import { recordEvents } from './audit-events.ts';
import { applyDirectoryChange, type DirectoryChange } from './directory-changes.ts';
import { applyUserChange, type UserChange } from './user-changes.ts';

/**
 * Applies a decision in the caller's transaction: its changes in order, then one audit row per event. Mail is enqueued here too,
 * so it is sent exactly if the transaction commits. Unique keys taken by somebody else surface as UniqueViolation.
 */
export async function apply(
  ctx: Context,
  tx: TenantTx,
  decision: Pick<Decision<unknown>, 'changes' | 'events'>,
): Promise<void> {
  for (const change of decision.changes) await applyChange(tx, change);
  await recordEvents(ctx, tx, decision.events);
}

async function applyChange(tx: TenantTx, change: Change): Promise<void> {
  const t = tx.tenantId;
  const run = (text: string, values: readonly unknown[]) => tx.run({ name: null, text }, values);
  switch (change.kind) {
    case 'create_tenant':
      return createTenant(tx, change);
    case 'create_user':
    case 'update_profile':
    case 'give_up_email':
    case 'set_admin_active':
    case 'approve_user':
    case 'link_identity':
    case 'end_identities':
    case 'assert_groups':
    case 'record_sign_in':
    case 'set_password':
    case 'end_password':
      return applyUserChange(tx, change satisfies UserChange);
    case 'grant_role':
      return grantRole(tx, change);
    case 'end_grant':
      await run(
        `update role_grants set ended_at = clock_timestamp(), ended_by = $3 where tenant_id = $1 and grant_id = $2 and ended_at is null`,
        [t, change.grantId, JSON.stringify(change.by)],
      );
      return;
    case 'suspend':
      await run(
        `insert into suspensions (tenant_id, suspension_id, subject_id, suspended_by, reason, inherited_from) values ($1, $2, $3, $4, $5, $6)`,
        [t, change.suspensionId, change.subjectId, JSON.stringify(change.by), change.reason, change.inheritedFrom],
      );
      return;
    case 'hold_keys':
      await run(
        `insert into held_keys (tenant_id, key_hash, subject_id) select $1::uuid, decode(h, 'hex'), $2::uuid from unnest($3::text[]) h on conflict do nothing`,
        [t, change.subjectId, change.hashes],
      );
      return;
    case 'end_sessions':
      await run(`update subjects set access_epoch = access_epoch + 1 where tenant_id = $1 and subject_id = $2`, [
        change.inTenant ?? t,
        change.subjectId,
      ]);
      await run(
        change.subjectKind === 'user'
          ? `delete from oidc_artifacts where account_tenant_id = $1 and account_user_id = $2`
          : `delete from oidc_artifacts where target_tenant_id = $1 and target_guest_id = $2`,
        [change.inTenant ?? t, change.subjectId],
      );
      return;
    case 'create_directory_user':
    case 'update_directory_user':
    case 'end_directory_user':
    case 'create_group':
    case 'update_group':
    case 'end_group':
    case 'bind_rule':
    case 'pause_directory':
    case 'unpause_directory':
      return applyDirectoryChange(tx, change satisfies DirectoryChange);
    case 'create_guest':
      return createGuest(tx, change);
    case 'end_guest':
      await run(`update guests set ended_at = now() where tenant_id = $1 and guest_id = $2 and ended_at is null`, [
        t,
        change.guestId,
      ]);
      await run(
        `update mapping_pointers set ended_at = now() where tenant_id = $1 and user_id = $2 and target_tenant_id = $3 and ended_at is null`,
        [change.source.tenantId, change.source.userId, t],
      );
      return;
    case 'join_local_group':
      await run(
        `insert into local_group_members (tenant_id, membership_id, local_group_id, subject_id) values ($1, $2, $3, $4)
         on conflict (tenant_id, local_group_id, subject_id) where ended_at is null do nothing`,
        [t, change.membershipId, change.groupId, change.subjectId],
      );
      return;
    case 'leave_local_groups':
      await run(
        `update local_group_members set ended_at = now() where tenant_id = $1 and subject_id = $2 and ended_at is null`,
        [t, change.subjectId],
      );
      return;
    case 'put_access_request':
      await run(
        `insert into access_requests (tenant_id, request_id, kind, email, subject_id, message) values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant_id, email) where decision is null do update set message = excluded.message, updated_at = now()`,
        [t, change.requestId, change.requestKind, change.email, change.subjectId, change.message],
      );
      return;
    case 'decide_access_request':
      await run(
        `update access_requests set decision = $3, decided_at = now(), decided_by = $4 where tenant_id = $1 and request_id = $2 and decision is null`,
        [t, change.requestId, change.decision, JSON.stringify(change.by)],
      );
      return;
    case 'create_invitation':
      await run(
        `insert into invitations (tenant_id, invitation_id, user_id, purpose, secret_hash, email, created_by, expires_at)
         values ($1, $2, $3, $4, decode($5, 'hex'), $6, $7, to_timestamp($8::bigint / 1000.0))`,
        [
          t,
          change.invitationId,
          change.userId,
          change.purpose,
          change.secretHash,
          change.email,
          JSON.stringify(change.by),
          change.expiresAt,
        ],
      );
      return;
    case 'use_invitation':
      await run(
        `update invitations set used_at = now() where tenant_id = $1 and invitation_id = $2 and used_at is null`,
        [t, change.invitationId],
      );
      return;
    case 'end_invitations':
      await run(
        `update invitations set ended_at = now() where tenant_id = $1 and user_id = $2 and used_at is null and ended_at is null`,
        [t, change.userId],
      );
      return;
    case 'create_scim_credential':
      await run(
        `insert into scim_credentials (tenant_id, credential_id, connection_id, prefix, secret_hash, created_by, expires_at)
         values ($1, $2, $3, $4, decode($5, 'hex'), $6, to_timestamp($7::bigint / 1000.0))`,
        [
          t,
          change.credentialId,
          change.connectionId,
          change.prefix,
          change.secretHash,
          JSON.stringify(change.by),
          change.expiresAt,
        ],
      );
      return;
    case 'end_scim_credential':
      await run(
        `update scim_credentials set ended_at = now() where tenant_id = $1 and credential_id = $2 and ended_at is null`,
        [t, change.credentialId],
      );
      return;
    case 'send_mail':
      await run(`select enqueue_job('send_mail', $1, $2)`, [JSON.stringify(change.mail), null]);
      return;
  }
}

type Of<K extends Change['kind']> = Extract<Change, { kind: K }>;

async function createTenant(tx: TenantTx, change: Of<'create_tenant'>): Promise<void> {
  const run = (text: string, values: readonly unknown[]) => tx.run({ name: null, text }, values);
  await run(
    `insert into tenants (tenant_id, slug, parent_id, display_name, settings, managed_by) values ($1, $2, $3, $4, $5, $6)`,
    [
      change.tenantId,
      change.slug,
      change.parentId,
      change.displayName,
      JSON.stringify(change.settings),
      change.managedBy,
    ],
  );
  await run(
    `insert into tenant_ancestors (tenant_id, ancestor_id, depth)
     select $1::uuid, $2::uuid, 1 where $2::uuid is not null
     union all select $1::uuid, ancestor_id, depth + 1 from tenant_ancestors where tenant_id = $2::uuid`,
    [change.tenantId, change.parentId],
  );
  await run(
    `insert into roles (tenant_id, role_id, workspace, name, rights, managed_by)
     select $1::uuid, r.id, r.workspace, r.name, array(select jsonb_array_elements_text(r.rights)), 'built_in'
     from jsonb_to_recordset($2) as r (id uuid, workspace text, name text, rights jsonb)`,
    [change.tenantId, JSON.stringify(builtInRoles.map((role, index) => ({ id: change.roleIds[index], ...role })))],
  );
  await run(`insert into local_groups (tenant_id, local_group_id, name) values ($1, $2, $3)`, [
    change.tenantId,
    change.ownersGroupId,
    ownersGroup,
  ]);
}

/**
 * A grant, and where it lifts: the suspension closed by a foreign key to it, at one instant that lies after the suspension began.
 * The instant is read here, after the caller locked the subject's row, not at the transaction's start.
 */
async function grantRole(tx: TenantTx, change: Of<'grant_role'>): Promise<void> {
  const by = JSON.stringify(change.source === 'admin' ? change.by : { kind: 'system' });
  const values = [tx.tenantId, change.grantId, change.subjectId, change.roleId, change.source, by];
  if (change.source !== 'admin' || change.lifts === null) {
    await tx.run(
      {
        name: null,
        text: `insert into role_grants (tenant_id, grant_id, subject_id, role_id, source, granted_by) values ($1, $2, $3, $4, $5, $6)`,
      },
      values,
    );
    return;
  }
  const lifted = await tx.run(
    {
      name: null,
      text: `
with at as (
  select greatest(clock_timestamp(), suspended_at + interval '1 microsecond') as at
  from suspensions where tenant_id = $1 and suspension_id = $7 and subject_id = $3 and lifted_at is null
), granted as (
  insert into role_grants (tenant_id, grant_id, subject_id, role_id, source, granted_by, granted_at)
  select $1::uuid, $2::uuid, $3::uuid, $4::uuid, $5, $6::jsonb, at from at returning granted_at
)
update suspensions s set lifted_grant_id = $2, lifted_source = $5, lifted_at = granted.granted_at
from granted where s.tenant_id = $1 and s.suspension_id = $7 returning 1`,
    },
    [...values, change.lifts],
  );
  if (lifted.length !== 1) throw new Error('the suspension to lift is not open: its subject was not locked');
}

async function createGuest(tx: TenantTx, change: Of<'create_guest'>): Promise<void> {
  const run = (text: string, values: readonly unknown[]) => tx.run({ name: null, text }, values);
  await run(`insert into subjects (tenant_id, subject_id, kind) values ($1, $2, 'guest') on conflict do nothing`, [
    tx.tenantId,
    change.guestId,
  ]);
  await run(
    `insert into guests (tenant_id, guest_id, source_tenant_id, source_user_id, mapped_by) values ($1, $2, $3, $4, $5)
     on conflict (tenant_id, guest_id) do update set ended_at = null, mapped_by = excluded.mapped_by, mapped_at = now()`,
    [tx.tenantId, change.guestId, change.source.tenantId, change.source.userId, JSON.stringify(change.by)],
  );
  await run(
    `insert into mapping_pointers (tenant_id, user_id, target_tenant_id, guest_id) values ($1, $2, $3, $4)
     on conflict (tenant_id, user_id, target_tenant_id) do update set ended_at = null, created_at = now()`,
    [change.source.tenantId, change.source.userId, tx.tenantId, change.guestId],
  );
}
